"""Delivery by files: what scripts that have only files read in ``outbox/<client>/``.

Everything here is made from the journal and may be lost: it is written again. Whoever has a folder in the inbox has
one here, and gets results here; OSC tells those who said hello there. A client that uses both hears of a take by both,
under one (job, delivery), on which it acts once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

from bridge_daemon.domain.job import OPEN, RESERVED, Job
from bridge_daemon.errors import BridgeError
from bridge_daemon.frontends.mailbox.disk import BEAT, OutboxDisk
from bridge_daemon.frontends.mailbox.documents import beat, refusal, to_bytes
from bridge_daemon.frontends.mailbox.results import Results, Takes
from bridge_daemon.frontends.mailbox.statuses import Statuses
from bridge_daemon.journal import Journal
from bridge_daemon.util.times import Times

log = logging.getLogger(__name__)

#: How often daemon.json is written while its client is active, and else, s.
ACTIVE: Final = 2.0
IDLE: Final = 10.0
#: A client that wrote something, or had a job on its way, is active for so long, s.
STAYS_ACTIVE: Final = 60.0
NEWEST: Final = 20
_HOUR: Final = 3600.0


class TakeSource(Takes, Protocol):
    """What is asked of the daemon's actions."""

    async def status(self) -> dict[str, Any]:
        """Return how the daemon is."""
        ...

    def presets(self) -> dict[str, Any]:
        """Return the presets."""
        ...

    async def jobs(
        self, *, states: list[str], q: str | None, client: str | None, before: str | None, limit: int
    ) -> list[dict[str, Any]]:
        """Return jobs, newest first."""
        ...


class _Client:
    """What is known of one client."""

    def __init__(self) -> None:
        self.active_until = float("-inf")  # monotonic
        self.beaten = float("-inf")
        self.jobs: list[dict[str, Any]] | None = None  # the newest; None: they have changed
        self.open: set[str] = set()


class Outbox:
    """The outboxes of all clients."""

    def __init__(self, outbox: Path, source: TakeSource, journal: Journal, times: Times) -> None:
        """Prepare; nothing is written for a client before :meth:`add`."""
        self._disk = OutboxDisk(outbox)
        self._source = source
        self._times = times
        self._clients: dict[str, _Client] = {}
        self._statuses = Statuses(self._disk, journal, times)
        self._results = Results(self._disk, source, lambda client: client in self._clients)
        self._number = 0
        self._last: Mapping[str, Any] | None = None
        self._wake = asyncio.Event()
        self._cleaned = float("-inf")
        self._closed = False

    # Clients

    async def folders(self) -> set[str]:
        """Return the clients that have a folder."""
        return await self._disk.run(self._disk.clients)

    async def add(self, client: str) -> None:
        """Write for a client from now on, and all that it has missed. Where that fails, it is not known."""
        self._clients[client] = known = _Client()
        try:
            await self._disk.run(partial(self._disk.make, client))
            await self._disk.run(partial(self._disk.sweep_parts, client))
            await self._statuses.restore(client)
            await self._results.restore(client)
        except BaseException:
            del self._clients[client]
            self._statuses.forget(client)
            raise
        log.info("The client %s has an inbox and an outbox", client)
        known.active_until = self._times.monotonic() + STAYS_ACTIVE
        self._wake.set()

    async def made_again(self, client: str) -> None:
        """Make the folder of a client anew, which was removed, with all that is current."""
        await self._disk.run(partial(self._disk.make, client))
        self._statuses.rewrite(client)
        self._clients[client].beaten = float("-inf")
        self._wake.set()

    def forget(self, client: str) -> bool:
        """Write nothing more for a client whose folders were removed, if nothing is on its way to it."""
        if self._clients[client].open or self._results.count(client):
            return False
        del self._clients[client]
        self._statuses.forget(client)
        return True

    def clients(self) -> set[str]:
        """Return the clients that files are written for."""
        return set(self._clients)

    def touch(self, client: str) -> None:
        """Note that a client wrote something: it is active."""
        known = self._clients.get(client)
        if known is not None:
            was_idle = known.active_until < self._times.monotonic()
            known.active_until = self._times.monotonic() + STAYS_ACTIVE
            if was_idle:
                self._wake.set()

    def about(self) -> list[dict[str, Any]]:
        """Return the clients, for the status."""
        now = self._times.monotonic()
        return [
            {"client": name, "active": self._is_active(one, now), "unconfirmed": self._results.count(name)}
            for name, one in sorted(self._clients.items())
        ]

    def _is_active(self, client: _Client, now: float) -> bool:
        return bool(client.open) or now < client.active_until

    # Answers and changes

    async def accepted(
        self, client: str, name: str, stamp: str, jobs: Sequence[str], *, usd: float = 0.0, message: str | None = None
    ) -> None:
        """Answer that a request or command was taken. It is on the medium when this returns. Raises OSError.

        ``stamp`` tells this file from others of its name: see :meth:`answered`.
        """
        head = {"of": stamp, "accepted": True, "usd": usd, "message": message}
        await self._statuses.answer(client, name, head, jobs)

    async def refused(self, client: str, name: str, stamp: str, error: BridgeError) -> None:
        """Answer that it was not. Raises OSError.

        Where the id was accepted before, with another body, its jobs are told all the same: they may be paid for.
        """
        jobs = await self._statuses.jobs_of(name)
        await self._statuses.answer(client, name, {"of": stamp, **refusal(error)}, jobs)

    async def answered(self, client: str, name: str, stamp: str) -> bool:
        """Return whether this very file was answered before. What was refused once is not tried again by itself."""
        return await self._statuses.answered(client, name, stamp)

    def changed(self, job: Job) -> None:
        """Handle a committed change of a job."""
        if self._closed:
            return
        self._statuses.changed(job)
        self._results.changed(job)
        known = self._clients.get(job.client or "")
        if known is not None:
            known.jobs = None
            if job.state in RESERVED | OPEN:
                known.open.add(job.id)
            else:
                known.open.discard(job.id)
            self.touch(job.client or "")

    def ready(self, job: Job, file: Path) -> None:
        """Announce a stored take."""
        if not self._closed:
            self._results.ready(job, file)

    # The heartbeat

    async def beat(self, slowly: Callable[[], Awaitable[None]]) -> None:
        """Write ``daemon.json`` for all clients, for ever. ``slowly`` is called about every 10 s."""
        slow = float("-inf")
        while True:
            try:
                now = self._times.monotonic()
                if now - slow >= IDLE:
                    slow = now
                    await slowly()
                    await self._keep_house()
                await self._beat_once()
            except Exception:
                log.exception("The outboxes could not be kept current; it is tried again")
            active = any(self._is_active(one, self._times.monotonic()) for one in self._clients.values())
            await self._rest(ACTIVE if active else IDLE)

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    def hurry(self) -> None:
        """Write ``daemon.json`` now, whatever the time: the settings have changed, or a client came."""
        for known in self._clients.values():
            known.beaten = float("-inf")
        self._wake.set()

    def marked(self, client: str) -> None:
        """Read the jobs of a client anew for its next heartbeat: a mark is no change that clients are told of."""
        known = self._clients.get(client)
        if known is not None:
            known.jobs = None

    async def _beat_once(self) -> None:
        now = self._times.monotonic()
        due = [name for name, one in self._clients.items() if self._is_due(one, now)]
        if not due:
            return
        status, presets = await self._source.status(), self._source.presets()
        self._last = status
        pieces = []
        for name in due:
            known = self._clients[name]
            if known.jobs is None:
                known.jobs = []  # what changes while they are read makes it None again
                found = await self._source.jobs(states=[], q=None, client=name, before=None, limit=NEWEST)
                known.jobs = None if known.jobs is None else found
                data = beat(status, presets, found)
            else:
                data = beat(status, presets, known.jobs)
            known.beaten = now
            every = ACTIVE if self._is_active(known, now) else IDLE
            pieces.append((name, self._dressed(name, data, every=every, running=True)))
        await self._disk.run(partial(self._write_beats, pieces))

    def _is_due(self, client: _Client, now: float) -> bool:
        every = ACTIVE if self._is_active(client, now) else IDLE
        return now - client.beaten >= 0.9 * every  # a little early, so that all of them fall together

    def _dressed(self, client: str, data: dict[str, Any], *, every: float, running: bool) -> bytes:
        self._number += 1
        times = {"running": running, "beat": self._number, "time": self._times.now(), "every_s": every}
        told = {"results": self._results.names(client)} if running else {}
        return to_bytes({"client": client} | times | data | told)

    def _write_beats(self, pieces: list[tuple[str, bytes]]) -> None:
        for client, data in pieces:
            try:
                self._disk.write(client, BEAT, data, point="beat", make=False)
            except OSError as error:
                log.warning("The heartbeat for %s could not be written: %s", client, error)

    async def _keep_house(self) -> None:
        for client in list(self._clients):
            await self._results.look(client)
        if self._times.monotonic() - self._cleaned >= _HOUR:
            self._cleaned = self._times.monotonic()
            for client in list(self._clients):
                await self._statuses.clean(client)

    # Ending

    async def close(self) -> None:
        """Say to every client that the daemon ends, and write nothing more."""
        self._closed = True
        await self._statuses.close()
        await self._results.close()
        try:
            if self._last is not None:
                data = beat(self._last, self._source.presets(), [])
                data.pop("jobs")
                pieces = [(name, self._dressed(name, data, every=IDLE, running=False)) for name in self._clients]
                await self._disk.run(partial(self._write_beats, pieces))
        finally:
            await asyncio.to_thread(self._disk.close)
