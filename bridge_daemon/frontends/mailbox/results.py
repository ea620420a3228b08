"""The result files of the outboxes: one for each take that waits for its client, gone when it is confirmed."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from bridge_daemon.domain.job import Job
from bridge_daemon.frontends.mailbox.disk import RESULT, OutboxDisk
from bridge_daemon.frontends.mailbox.documents import result, to_bytes
from bridge_daemon.pipeline.confirm import is_due
from bridge_daemon.util.tasks import Tasks

log = logging.getLogger(__name__)

_REMEMBERED: Final = 2000  # jobs of which the last change is known
_AGAIN: Final = 1.0  # s, after a write that failed


class Takes(Protocol):
    """What is asked of the daemon's actions."""

    async def undelivered(self, client: str) -> list[Job]:
        """Return the jobs whose take a client has not confirmed."""
        ...

    def bring(self, job: str) -> None:
        """Bring a take to its folder; ``ready`` is called then."""
        ...


@dataclass(frozen=True, slots=True)
class _Result:
    client: str
    job: str
    delivery: int
    data: bytes
    take: Path = Path()
    measured: bool = False

    @property
    def file(self) -> str:
        return f"{self.job}.{self.delivery}{RESULT}"


class Results:
    """All result files."""

    def __init__(self, disk: OutboxDisk, takes: Takes, is_known: Callable[[str], bool]) -> None:
        """``is_known`` tells whether a client has an outbox."""
        self._disk = disk
        self._takes = takes
        self._is_known = is_known
        self._due: dict[str, _Result] = {}
        self._found: dict[str, _Result] = {}  # due, and written by the last process: without their data
        self._seen: OrderedDict[str, Job] = OrderedDict()
        self._more: set[str] = set()  # clients of whom not all takes fitted into one question
        self._tasks = Tasks("results")

    async def close(self) -> None:
        """Write nothing more."""
        await self._tasks.close()

    def names(self, client: str) -> list[str]:
        """Return the files of the takes that wait for a client: some DAWs' scripts cannot list a folder."""
        return sorted(
            {one.file for known in (self._due, self._found) for one in known.values() if one.client == client}
        )

    def count(self, client: str) -> int:
        """Return how many takes wait for a client."""
        return sum(due.client == client for due in self._due.values())

    async def restore(self, client: str) -> None:
        """Bring what a client has not confirmed, and remove what is not due any more."""
        jobs = await self._takes.undelivered(client)
        wanted = [_Result(client, job.id, job.delivery, b"") for job in jobs]
        due = {one.file for one in (*wanted, *self._due.values())}
        there = await self._disk.run(partial(self._disk.names, client, RESULT))
        await self._disk.run(partial(self._disk.remove, client, [name for name in there if name not in due]))
        for one in wanted:
            if one.file in there and one.job not in self._due:
                self._found[one.job] = one
                if one.job in self._seen:  # it changed while we looked
                    self._withdraw(self._seen[one.job])
        for job in jobs:
            self._takes.bring(job.id)
        self._more.discard(client)
        if len(jobs) >= 100:  # perhaps there are more than one question is answered with
            self._more.add(client)

    def ready(self, job: Job, file: Path) -> None:
        """Tell a client of a take that lies whole where it belongs."""
        last = self._seen.get(job.id)
        gone = last is not None and not (is_due(last) and last.delivery == job.delivery)
        if self._tasks.closed or gone or job.client is None or not is_due(job) or not self._is_known(job.client):
            return
        due = _Result(job.client, job.id, job.delivery, to_bytes(result(job, file)), file, job.grid is not None)
        self._found.pop(job.id, None)
        self._due[job.id] = due
        self._write(due)

    def _write(self, due: _Result) -> None:
        if self._tasks.closed or self._due.get(due.job) is not due:
            return
        future = self._disk.run(partial(self._disk.write, due.client, due.file, due.data, point="result"))
        future.add_done_callback(lambda done: self._written(due, done))

    def _written(self, due: _Result, done: asyncio.Future[None]) -> None:
        error = None if done.cancelled() else done.exception()
        if error is not None:
            log.warning("The result %s for %s could not be written; it is tried again: %s", due.file, due.client, error)
            self._tasks.after(_AGAIN, self._write, due)

    def changed(self, job: Job) -> None:
        """Handle a committed change of a job: what is not due any more goes away."""
        self._seen[job.id] = job
        self._seen.move_to_end(job.id)
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        self._withdraw(job)
        due = self._due.get(job.id)
        if due is not None and job.grid is not None and not due.measured:  # it was told before it was measured
            self.ready(job, due.take)

    def _withdraw(self, job: Job) -> None:
        """Remove what is told of a job and is not due any more: a script would place it beside the one that is."""
        for known in (self._due, self._found):
            told = known.get(job.id)
            if told is not None and not (is_due(job) and told.delivery == job.delivery):
                del known[job.id]
                self._remove(told)

    def _remove(self, due: _Result) -> None:
        future = self._disk.run(partial(self._disk.remove, due.client, [due.file]))

        def removed(done: asyncio.Future[None]) -> None:
            if not done.cancelled() and done.exception() is not None:  # Windows, while a script reads it
                self._tasks.after(_AGAIN, self._remove, due)

        future.add_done_callback(removed)

    async def look(self, client: str) -> None:
        """Write results again that somebody removed without confirming them."""
        due = [one for one in self._due.values() if one.client == client]
        if due:
            there = set(await self._disk.run(partial(self._disk.names, client, RESULT)))
            for one in due:
                if one.file not in there:
                    self._write(one)
        elif client in self._more:
            await self.restore(client)
