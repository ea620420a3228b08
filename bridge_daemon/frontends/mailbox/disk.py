"""The one thread that writes to the outboxes, so that what is written first is written first.

A script may hold a file open at the moment (Windows), and replacing it then takes up to a second; nobody else waits for
that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from bridge_daemon.frontends.mailbox.files import clients_in, make_folder
from bridge_daemon.util import files
from bridge_daemon.util.strict_json import MalformedJson, read_object

T = TypeVar("T")
_LARGEST: Final = 1 << 20  # bytes; nothing that we write comes near

STATUS: Final = ".status.json"
RESULT: Final = ".result.json"
BEAT: Final = "daemon.json"


class OutboxDisk:
    """The folders of the outboxes."""

    def __init__(self, outbox: Path) -> None:
        """``outbox`` is the folder with one folder for each client."""
        self._outbox = outbox
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="outbox")

    def close(self) -> None:
        """Finish what was begun."""
        self._thread.shutdown(wait=True)

    def run(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Do work on the thread, after all that was asked before."""
        return asyncio.get_running_loop().run_in_executor(self._thread, work)

    # What is run

    def folder(self, client: str) -> Path:
        """Return the folder of a client."""
        return self._outbox / client

    def make(self, client: str) -> None:
        """Make the folder of a client."""
        self._outbox.mkdir(mode=0o700, exist_ok=True)
        make_folder(self.folder(client))

    def clients(self) -> set[str]:
        """Return the clients that have a folder."""
        self._outbox.mkdir(mode=0o700, exist_ok=True)
        return clients_in(self._outbox)[0]

    def write(
        self, client: str, name: str, data: bytes, *, point: str, durable: bool = False, make: bool = True
    ) -> None:
        """Replace a file of a client. ``make``: also if its folder was removed."""
        path = self.folder(client) / name
        try:
            files.write_whole(path, data, point=point, durable=durable)
        except FileNotFoundError:
            if not make:
                return
            self._outbox.mkdir(mode=0o700, exist_ok=True)
            make_folder(path.parent)
            files.write_whole(path, data, point=point, durable=durable)

    def remove(self, client: str, names: Iterable[str]) -> None:
        """Remove files of a client; fine if they are gone."""
        for name in names:
            files.remove(self.folder(client) / name, missing_ok=True)

    def names(self, client: str, ending: str) -> list[str]:
        """Return the files of a client with an ending, the oldest first."""
        found = []
        with suppress(FileNotFoundError):
            for path in self.folder(client).iterdir():
                if path.name.endswith(ending) and not path.name.startswith("."):
                    with suppress(FileNotFoundError):
                        found.append((path.lstat().st_mtime, path.name))
        return [name for _, name in sorted(found)]

    def age(self, client: str, name: str, now: float) -> float:
        """Return the seconds since a file was written; 0 if it is gone."""
        with suppress(FileNotFoundError):
            return now - (self.folder(client) / name).lstat().st_mtime
        return 0.0

    def read(self, client: str, name: str) -> dict[str, Any] | None:
        """Return what stands in a file that we wrote once; None if it is damaged or gone."""
        path = self.folder(client) / name
        with suppress(OSError, MalformedJson):
            if not path.is_symlink() and path.stat().st_size <= _LARGEST:
                return read_object(path.read_bytes())
        return None

    def sweep_parts(self, client: str) -> None:
        """Remove what a process that died left half written."""
        for part in self.folder(client).rglob(".*.part"):
            files.discard(part)
