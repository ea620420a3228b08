"""What steps ask of the store of a studio, by which sources and takes travel. A bridge of its own has none."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from bridge_daemon.domain.job import Job
from bridge_daemon.errors import StoreAway
from bridge_daemon.journal import Transaction


class Shared(Protocol):
    """The store, as steps use it. What comes from it was proved by its hash."""

    @property
    def trouble(self) -> StoreAway | None:
        """Why the store cannot be used, as far as is known now; None: it can."""
        ...

    async def put_source(self, job: Job, file: Path) -> bool:
        """Put the source of a job into the store, before the row says so. False: it lies there. Raises StoreAway."""
        ...

    def source_lies(self, tx: Transaction, job: Job) -> None:
        """Write that the source of a job lies in the store."""
        ...

    async def source(self, job: Job, folder: Path) -> Path | None:
        """Bring the source of another room's job into a folder; None if the store has none. Raises StoreAway."""
        ...

    def owe(self, tx: Transaction, job: Job, original: Path, sha256: str) -> None:
        """Write that an original that was fetched for another room is to be put into the store."""
        ...

    def pay(self) -> None:
        """Put what is owed, now."""
        ...

    async def has_original(self, job: Job) -> bool:
        """Return whether the journal says that the original of a job lies in the store."""
        ...

    async def bring(self, job: Job, part: Path) -> bool:
        """Bring the original of a job into a new file; False if the store has none. Raises StoreAway."""
        ...
