"""Renders that wait in the list and whose file has another time stamp now: is it a new one, or only the time of it.

Backups, sync clients and DAWs change time stamps of what they never wrote. Each file is read, one after the other, and
compared with what was read of it before; only another content is a new render.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from bridge_daemon.frontends.folders import scan as looks
from bridge_daemon.frontends.folders.catalog import Catalog, Listing
from bridge_daemon.frontends.folders.pending import PendingFiles
from bridge_daemon.frontends.folders.rules import CHANGED_UNREAD
from bridge_daemon.frontends.folders.scan import FileFacts
from bridge_daemon.frontends.folders.threads import Threads
from bridge_daemon.util import files
from bridge_daemon.util.tasks import Tasks

_BLOCK: Final = 1 << 20  # bytes read at once, and at most so many after the end of the daemon


class ContentCheck:
    """Reads what changed in one folder."""

    def __init__(
        self,
        root: Path,
        known: Catalog,
        off: Threads,
        *,
        coming: PendingFiles,
        take: Callable[[FileFacts], Awaitable[None]],
    ) -> None:
        """``take`` is given what has another content."""
        self._root = root
        self._known = known
        self._off = off
        self._coming = coming
        self._take = take
        self.names: set[str] = set()  # being read, or waiting for that
        self._turn = asyncio.Lock()  # one file at a time: the disk has better things to do
        self._tasks = Tasks(f"comparing files of {root}")

    def add(self, look: FileFacts) -> None:
        """Compare a render with what was known of it, in its turn."""
        self.names.add(look.name)
        self._tasks.start(self._compare(look), f"compare {look.name}")

    async def close(self) -> None:
        """Stop comparing: what is not decided is listed at the next start."""
        await self._tasks.close()

    async def _compare(self, look: FileFacts) -> None:
        try:
            async with self._turn:
                sha256 = await self._off(self._read, look)
            await self._decide(look, sha256)
        finally:
            self.names.discard(look.name)

    async def _decide(self, look: FileFacts, sha256: str | None) -> None:
        old = self._known.files.get(look.name)
        if sha256 is None or old is None or old.try_id is not None:
            self._coming.touch(look.name, soon=False)  # much happened meanwhile: it is looked at once more
        elif old.sha256 == sha256:
            await self._known.touched([(look, sha256)])
        elif old.sha256 is not None:
            await self._take(look)
        elif not self._coming.is_written(look.name):  # else it is on its way as a new one
            await self._known.listed([Listing(look, *CHANGED_UNREAD, sha256)])

    def _read(self, look: FileFacts) -> str | None:
        """Return the hash of the content that has this stamp, None if it has none any more."""
        path, left, digest = self._root / look.name, look.stamp[0], hashlib.sha256()
        try:
            with files.open_plain(path) as file:
                while left > 0 and not self._tasks.closed and (block := file.read(min(left, _BLOCK))):
                    left -= len(block)
                    digest.update(block)
            return digest.hexdigest() if left == 0 and looks.stamp(path) == look.stamp else None
        except OSError:
            return None
