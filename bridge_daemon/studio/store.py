"""The store of a studio: a room gives its sources, a keeper what it fetched for a room that was not there.

It is a second copy. A bridge keeps its own until the journal says that the object lies in the store, and what is owed
to the store is found in the journal after every start.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy.exc import DatabaseError

from bridge_daemon.domain.job import Job
from bridge_daemon.errors import StoreAway, StudioAway
from bridge_daemon.journal import Journal, Transaction
from bridge_daemon.studio import stored
from bridge_daemon.studio.database import Postgres
from bridge_daemon.studio.objects import MARK, Objects, mark_of
from bridge_daemon.studio.stored import ORIGINAL, SOURCE, Stored
from bridge_daemon.util import files
from bridge_daemon.util.failpoints import failpoint
from bridge_daemon.util.tasks import Tasks

T = TypeVar("T")
log = logging.getLogger(__name__)
#: So often the store is looked at, s; and so often while it does not answer.
_LOOK: Final = 30.0
_AGAIN: Final = 5.0
_DAY: Final = 86_400.0


class SharedStore:
    """The store, as one bridge uses it."""

    def __init__(
        self, objects: Objects, journal: Journal, database: Postgres, *, worker: str, keep_days: Callable[[], float]
    ) -> None:
        """Nothing is looked at before it is used, or :meth:`start`."""
        self.trouble: StoreAway | None = None
        self._objects = objects
        self._journal = journal
        self._worker = worker
        self._database = database
        self._mark = mark_of(database.studio)
        self._keep_days = keep_days
        self._checked = False
        self._owed = 0
        self._unreadable: set[str] = set()  # files of this machine that are owed and cannot be read
        self._poked = asyncio.Event()
        self._tasks = Tasks("store")

    # Sources

    async def put_source(self, job: Job, file: Path) -> bool:
        """Put the source of a job into the store, before the row says so. False: it lies there. Raises StoreAway."""
        sha256 = await asyncio.to_thread(files.sha256, file)
        lying = await self._journal.read(lambda tx: stored.lying(tx.connection, job.id, SOURCE))
        if lying is not None and lying.sha256 == sha256:
            return False
        row = self._row(job, SOURCE, f"sources/{sha256}.wav", file, sha256)
        if not await self._journal.write("store_source", lambda tx: stored.note(tx.connection, row)):
            raise StoreAway(f"An old copy of this source is just being removed from the store {self._objects.where}.")
        await self._put(row)
        return True

    def source_lies(self, tx: Transaction, job: Job) -> None:
        """Write that the source of a job lies in the store."""
        stored.there(tx.connection, self._row(job, SOURCE, "", Path(), ""))

    async def source(self, job: Job, folder: Path) -> Path | None:
        """Bring the source of another room's job into a folder; None if the store has none. Raises StoreAway."""
        row = await self._journal.read(lambda tx: stored.lying(tx.connection, job.id, SOURCE))
        if row is None:
            return None
        target = folder / f"{row.sha256}.wav"
        part = files.part_of(target)
        if not await self._get(row, part):
            return None
        return await asyncio.to_thread(files.settle, part, target, point="shared_source")

    # Takes

    def owe(self, tx: Transaction, job: Job, original: Path, sha256: str) -> None:
        """Write that an original that was fetched for another room is to be put into the store."""
        name = f"takes/{job.id}-{sha256}{original.suffix}"
        stored.note(tx.connection, self._row(job, ORIGINAL, name, original, sha256))

    def pay(self) -> None:
        """Put what is owed, now."""
        self._poked.set()

    async def has_original(self, job: Job) -> bool:
        """Return whether the journal says that the original of a job lies in the store."""
        return await self._journal.read(lambda tx: stored.lying(tx.connection, job.id, ORIGINAL)) is not None

    async def bring(self, job: Job, part: Path) -> bool:
        """Bring the original of a job into a new file; False if the store has none. Raises StoreAway."""
        row = await self._journal.read(lambda tx: stored.lying(tx.connection, job.id, ORIGINAL))
        return row is not None and await self._get(row, part)

    # The store itself

    async def check(self) -> None:
        """See whether the store is there, and is that of this studio; mark a new one. Raises StoreAway."""
        try:
            used = await self._journal.read(lambda tx: stored.marked(tx.connection))
            found = await self._objects.mark()
            if found is None and used:
                raise StoreAway(
                    f"The store {self._objects.where} is not that of this studio: it has no {MARK}.",
                    next="Is the share mounted, and [store] url right? A store that was moved is moved with that file.",
                )
            if found is None:
                await self._objects.set_mark(self._mark)
                found = await self._objects.mark()
            if found != self._mark:
                raise StoreAway(f"The store {self._objects.where} is that of another studio: its {MARK} says so.")
        except StoreAway as error:
            self._away(error)
            raise
        if not used:
            await self._journal.write("store_mark", lambda tx: stored.add_mark(tx.connection, self._worker, MARK))
        self._checked = True
        if self.trouble is not None:
            log.warning("The store %s can be used again", self._objects.where)
            self.trouble = None

    def start(self) -> None:
        """Look after the store: put what is owed, and remove what nobody needs."""
        self._tasks.start(self._look_after(), "store")

    async def close(self) -> None:
        """Stop; the next start goes on."""
        await self._tasks.close()

    def about(self) -> dict[str, Any]:
        """Return what ``status`` tells of it."""
        problem = self.trouble.as_dict() if self.trouble is not None else None
        return {"url": self._objects.where, "problem": problem, "owed": self._owed}

    async def _look_after(self) -> None:
        while True:
            pause = _LOOK
            self._poked.clear()
            try:
                await self.check()
                await self._pay()
                await self._clean()
            except (StoreAway, StudioAway, DatabaseError) as error:
                log.info("The store is looked at again soon: %s", error)
                pause = _AGAIN
            except Exception:
                log.exception("A fault in the store's work")
                pause = _AGAIN
            try:
                async with asyncio.timeout(pause):
                    await self._poked.wait()
            except TimeoutError:
                continue

    async def _pay(self) -> None:
        """Put into the store what this bridge fetched for rooms that do not have it yet."""
        owed = await self._journal.read(lambda tx: stored.owed(tx.connection, self._worker))
        self._owed = len(owed)
        for row in owed:
            if row.file in self._unreadable:
                continue
            try:
                await self._put(row)
            except OSError as error:
                log.error("%s is owed to the store and cannot be read: %s", row.file, error)
                self._unreadable.add(row.file)
                continue
            await self._journal.write("store_take", partial(self._paid, row))
            self._owed -= 1

    def _paid(self, row: Stored, tx: Transaction) -> None:
        """Write that an original lies in the store, and tell its room, which may wait for it."""
        stored.there(tx.connection, row)
        self._database.tell(tx.connection, [row.job])

    async def _clean(self) -> None:
        keep = self._keep_days() * _DAY
        for name in await self._journal.read(lambda tx: stored.removable(tx.connection, keep)):
            await self._remove(name, keep)

    async def _remove(self, name: str, keep: float) -> None:
        """Remove an object, if nobody needs it still."""
        if await self._journal.write("store_going", lambda tx: stored.going(tx.connection, name, keep)):
            await self._asked(self._objects.delete(name))
            failpoint("store.delete.done")
            await self._journal.write("store_gone", lambda tx: stored.forget(tx.connection, name))

    async def _put(self, row: Stored) -> None:
        if not self._checked:
            await self.check()
        failpoint("store.put.begin")
        await self._asked(self._objects.put(row.name, Path(row.file), row.sha256))
        failpoint("store.put.done")

    async def _get(self, row: Stored, part: Path) -> bool:
        failpoint("store.get.begin")
        came = await self._asked(self._objects.get(row.name, part, row.sha256))
        failpoint("store.get.done")
        if not came:
            log.error("%s does not lie in the store any more, or is damaged there", row.name)
            await self._journal.write("store_lost", lambda tx: stored.lost(tx.connection, row.name))
        return came

    async def _asked(self, work: Awaitable[T]) -> T:
        try:
            return await work
        except StoreAway as error:
            self._away(error)
            raise

    def _away(self, error: StoreAway) -> None:
        if self.trouble is None:
            log.error("%s", error.message)
            self._poked.set()  # it is looked at again soon, not after the long pause
        self.trouble = error

    def _row(self, job: Job, kind: str, name: str, file: Path, sha256: str) -> Stored:
        return Stored(job=job.id, kind=kind, worker=self._worker, name=name, sha256=sha256, file=str(file))
