"""The status files of the outboxes: what was answered to a request or command, and how far its jobs are.

A status file is its own memory: after a restart it is read, and what it tells of its jobs is brought up to date from
the journal. The first one of an answer is on the medium before the claimed file goes away; later ones need not be.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from bridge_daemon.domain.job import Job
from bridge_daemon.domain.views import OF_A_REQUEST, chosen
from bridge_daemon.errors import NotFound
from bridge_daemon.frontends.mailbox.disk import STATUS, OutboxDisk
from bridge_daemon.frontends.mailbox.documents import to_bytes
from bridge_daemon.journal import Journal, Transaction
from bridge_daemon.util.tasks import Tasks
from bridge_daemon.util.times import Times

log = logging.getLogger(__name__)

#: Least seconds between two writes of one status file: 4 a second.
PACE: Final = 0.25
#: A status file whose jobs are all at their end is removed so long after its last change, s.
KEEP: Final = 7 * 86_400.0
#: Of more than so many of them for one client, the oldest go earlier.
MOST: Final = 1000
_AGAIN: Final = 1.0  # s, after a write that failed
_HEAD: Final = ("id", "of", "accepted", "refused", "usd", "message")


@dataclass(slots=True)
class _Status:
    client: str
    name: str  # the id or UUID that the file is named for
    head: dict[str, Any]
    jobs: dict[str, Job | None]  # in the order of the variations; None: not known yet
    begun: float = float("-inf")  # when it was written last, monotonic
    timer: asyncio.TimerHandle | None = None
    writing: bool = False
    changed: bool = False
    told: set[str] = field(default_factory=set)  # jobs that the journal told of since this is known

    @property
    def file(self) -> str:
        return self.name + STATUS

    @property
    def ended(self) -> bool:
        return all(job is not None and job.terminal for job in self.jobs.values())

    def data(self, now: float) -> bytes:
        jobs = [chosen(job, OF_A_REQUEST) for job in self.jobs.values() if job is not None]
        return to_bytes(self.head | {"jobs": jobs, "updated_at": now})


class Statuses:
    """All status files."""

    def __init__(self, disk: OutboxDisk, journal: Journal, times: Times) -> None:
        """Know none yet."""
        self._disk = disk
        self._journal = journal
        self._times = times
        self._all: dict[tuple[str, str], _Status] = {}
        self._of_job: dict[str, set[tuple[str, str]]] = {}
        self._tasks = Tasks("statuses")

    async def close(self) -> None:
        """Write nothing more."""
        await self._tasks.close()

    # Answers

    async def answer(self, client: str, name: str, head: Mapping[str, Any], jobs: Sequence[str]) -> None:
        """Write the answer to a request or command, on the medium when this returns. Raises OSError."""
        status = _Status(client, name, {"id": name, **head}, dict.fromkeys(jobs))
        self._forget((client, name))
        self._keep(status)
        await self._read_jobs([status])
        status.begun = self._times.monotonic()
        data = status.data(self._times.now())
        write = partial(self._disk.write, client, status.file, data, point="status", durable=True)
        await self._disk.run(write)
        status.changed = status.changed or any(status.jobs[job] is None for job in jobs)
        self._soon(status)

    async def jobs_of(self, name: str) -> list[str]:
        """Return the jobs of an id, if it was ever accepted."""
        accepted = await self._journal.read(lambda tx: tx.accepted(name))
        return [] if accepted is None else list(accepted.answer.get("jobs", []))

    async def answered(self, client: str, name: str, stamp: str) -> bool:
        """Return whether the very file with this stamp was answered, in an earlier life."""
        data = await self._disk.run(lambda: self._disk.read(client, name + STATUS))
        return data is not None and data.get("of") == stamp

    def rewrite(self, client: str) -> None:
        """Write anew what is kept current for a client, whose folder was removed."""
        for status in self._all.values():
            if status.client == client and not status.ended:
                status.changed = True
                self._soon(status)

    def forget(self, client: str) -> None:
        """Write nothing more for a client."""
        for key in [key for key in self._all if key[0] == client]:
            self._forget(key)

    def _keep(self, status: _Status) -> None:
        key = status.client, status.name
        self._all[key] = status
        for job in status.jobs:
            self._of_job.setdefault(job, set()).add(key)

    def _forget(self, key: tuple[str, str]) -> None:
        status = self._all.pop(key, None)
        if status is None:
            return
        if status.timer is not None:
            status.timer.cancel()
        for job in status.jobs:
            known = self._of_job.get(job, set())
            known.discard(key)
            if not known:
                self._of_job.pop(job, None)

    async def _read_jobs(self, statuses: Iterable[_Status]) -> None:
        """Fill in jobs as the journal has them; what it told meanwhile is newer."""
        known = list(statuses)
        names = [job for status in known for job in status.jobs]
        if not names:
            return
        found = {job.id: job for job in await self._journal.read(lambda tx: _jobs(tx, names))}
        for status in known:
            for name in status.jobs:
                if name not in status.told:
                    status.jobs[name] = found.get(name)

    # Changes

    def changed(self, job: Job) -> None:
        """Handle a committed change of a job."""
        for key in self._of_job.get(job.id, ()):
            status = self._all[key]
            before = status.jobs[job.id]
            status.jobs[job.id] = job
            status.told.add(job.id)
            if before is None or chosen(before, OF_A_REQUEST) != chosen(job, OF_A_REQUEST):
                status.changed = True
                self._soon(status)

    def _soon(self, status: _Status) -> None:
        """Write a status as soon as its pace allows, if it has changed."""
        if self._tasks.closed or not status.changed or status.writing or status.timer is not None:
            return
        wait = max(0.0, status.begun + PACE - self._times.monotonic())
        status.timer = self._tasks.after(wait, self._write, status)

    def _write(self, status: _Status) -> None:
        status.timer, status.changed, status.writing = None, False, True
        status.begun = self._times.monotonic()
        data = status.data(self._times.now())
        future = self._disk.run(partial(self._disk.write, status.client, status.file, data, point="status_again"))
        future.add_done_callback(lambda done: self._written(status, done))

    def _written(self, status: _Status, done: asyncio.Future[None]) -> None:
        status.writing = False
        error = None if done.cancelled() else done.exception()
        if error is not None:
            log.warning(
                "The status %s of %s could not be written; it is tried again: %s", status.name, status.client, error
            )
            status.changed = True
            status.begun = self._times.monotonic() + _AGAIN - PACE
        if self._all.get((status.client, status.name)) is status:
            self._soon(status)

    # Start, and keeping house

    async def restore(self, client: str) -> None:
        """Read a client's status files of an earlier life, and bring them up to date."""
        before = await self._disk.run(lambda: self._read_files(client))
        found = []
        for name, data in before:
            if (client, name) in self._all:
                continue
            jobs = _named_jobs(data)
            if data is None or not ("accepted" in data or "refused" in data):  # damaged by a power cut
                jobs = await self.jobs_of(name)
                data = {"id": name, "accepted": True}
                if not jobs:
                    continue
            status = _Status(client, name, {key: data[key] for key in _HEAD if key in data}, dict.fromkeys(jobs))
            self._keep(status)
            found.append((status, data))
        await self._read_jobs(status for status, _ in found)
        for status, data in found:
            if any(job is None for job in status.jobs.values()):  # of another journal: it is all that there is of them
                self._forget((client, status.name))
                continue
            told = [chosen(job, OF_A_REQUEST) for job in status.jobs.values() if job is not None]
            status.changed = to_bytes({"jobs": told}) != to_bytes({"jobs": data.get("jobs", [])})
            self._soon(status)

    def _read_files(self, client: str) -> list[tuple[str, dict[str, Any] | None]]:
        names = self._disk.names(client, STATUS)
        return [(name.removesuffix(STATUS), self._disk.read(client, name)) for name in names]

    async def clean(self, client: str) -> int:
        """Remove status files that nobody needs any more, and return how many."""
        names = await self._disk.run(partial(self._disk.names, client, STATUS))
        old, now = [], self._times.now()
        for number, name in enumerate(reversed(names)):
            status = self._all.get((client, name.removesuffix(STATUS)))
            if status is not None and not status.ended:
                continue
            age = await self._disk.run(partial(self._disk.age, client, name, now))
            if number >= MOST or age > KEEP:
                old.append(name)
        for name in old:
            self._forget((client, name.removesuffix(STATUS)))
        await self._disk.run(partial(self._disk.remove, client, old))
        there = {name.removesuffix(STATUS) for name in names}
        for key in [key for key, one in self._all.items() if key[0] == client and one.ended and key[1] not in there]:
            self._forget(key)  # its client removed it
        return len(old)


def _jobs(tx: Transaction, names: Iterable[str]) -> list[Job]:
    found = []
    for name in dict.fromkeys(names):
        with suppress(NotFound):
            found.append(tx.job(name))
    return found


def _named_jobs(data: Mapping[str, Any] | None) -> list[str]:
    listed = (data or {}).get("jobs", [])
    jobs = [one.get("job") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return [job for job in jobs if isinstance(job, str)]
