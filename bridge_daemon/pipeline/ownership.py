"""Whose a job is: which bridge asked for it, and which one works on it now. With a journal of our own, it is ours."""

from __future__ import annotations

from typing import Protocol

from bridge_daemon.domain.job import Job
from bridge_daemon.journal import Transaction


class Ownership(Protocol):
    """What the conveyor asks before it works on a job."""

    @property
    def name(self) -> str | None:
        """The name of this bridge among those that share the journal, None for one that has its own."""
        ...

    def asked_here(self, job: Job) -> bool:
        """Return whether a job is this room's: its sources and clients are here."""
        ...

    async def take(self, job: Job) -> bool:
        """Return whether this bridge is to work on a job now; it becomes the one that does if nobody alive is."""
        ...

    def holds(self, tx: Transaction, job: Job) -> bool:
        """Return whether a job is ours, in the transaction that is about to do what only one may do."""
        ...

    async def leave(self, job: Job) -> None:
        """Let others take a job of another room, for which nothing more can be done here."""
        ...

    def late(self, begun: tuple[float, float]) -> bool:
        """Return whether so much time has passed since :meth:`now` that others may take this bridge for dead."""
        ...

    def now(self) -> tuple[float, float]:
        """Return the time for :meth:`late`."""
        ...


class Alone:
    """The ownership of a bridge that has its journal for itself."""

    name = None

    def asked_here(self, job: Job) -> bool:
        """Everything was asked for here."""
        return True

    async def take(self, job: Job) -> bool:
        """Nobody else could."""
        return True

    def holds(self, tx: Transaction, job: Job) -> bool:
        """Nobody else could."""
        return True

    async def leave(self, job: Job) -> None:
        """There are no others."""

    def late(self, begun: tuple[float, float]) -> bool:
        """Nobody takes it for dead."""
        return False

    def now(self) -> tuple[float, float]:
        """It is never asked for."""
        return 0.0, 0.0
