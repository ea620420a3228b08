"""This bridge among the others of its studio: it says that it is there, and takes over what nobody alive works on."""

from __future__ import annotations

import asyncio
import json
import logging
import platform
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy.exc import DatabaseError, SQLAlchemyError

from bridge_daemon import __version__
from bridge_daemon.domain.job import OPEN, RESERVED, Job, State
from bridge_daemon.errors import KeyTrouble, NotFound, SettingsInvalid, StudioAway
from bridge_daemon.journal import Journal, Transaction
from bridge_daemon.studio import leases, overview
from bridge_daemon.studio.database import CHANNEL, Postgres
from bridge_daemon.studio.leases import Worker
from bridge_daemon.util.tasks import Tasks

if TYPE_CHECKING:
    from bridge_daemon.engine.choice import Choice, Engines
    from bridge_daemon.pipeline.conveyor import Conveyor

T = TypeVar("T")
log = logging.getLogger(__name__)
#: So often it is looked for jobs that nobody has, s.
_LOOK: Final = 2.0
_SOON: Final = 0.1  # s, after another one has told of a change: more of them may follow
_LISTEN: Final = 0.3  # s, between two looks at whether it is to end
_AGAIN: Final = 1.0  # s, after the database went away
_FRESH: Final = 1.0  # s, of what people are told
#: What is begun is not sent if more time than this has passed since, s: others may take this bridge for dead soon.
_LATE: Final = leases.DEAD / 2


class Membership:
    """The ownership of jobs where several bridges share one journal."""

    def __init__(
        self,
        database: Postgres,
        journal: Journal,
        *,
        token: str,
        kind: str,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        """``token`` is the secret of the home, which names it without being told; ``about`` is what the others see."""
        name = leases.name_of(token, kind, database.room)
        self.worker = Worker(id=name, run=database.run, room=database.room, kind=kind)
        self._about = {"host": platform.node(), "version": __version__} | dict(about or {})
        self._database = database
        self._journal = journal
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="studio")
        self._beats = Tasks("studio")  # to the very end: a request may be on the wire
        self._tasks = Tasks("studio")
        self._wake = asyncio.Event()
        self._stop = threading.Event()
        self._listener: threading.Thread | None = None
        self._conveyor: Conveyor | None = None
        self._engines: Engines | None = None
        self._publishes: Callable[[Choice], bool] = lambda _: False
        self._held: set[str] = set()
        self._others: set[str] = set()  # jobs of ours that another one had when it was last looked
        self._rooms: set[str] = set()
        self._told: tuple[float, dict[str, Any]] = (float("-inf"), {})
        self._replaced = False
        self._away_since: float | None = None

    # Ownership

    @property
    def name(self) -> str:
        """The name of this bridge in the studio."""
        return self.worker.id

    def asked_here(self, job: Job) -> bool:
        """Return whether a job is this room's."""
        return self.worker.kind == leases.ROOM and job.room == self.worker.room

    async def take(self, job: Job) -> bool:
        """Return whether to work on a job now; a job whose room is back is left to it."""
        if self._replaced:
            return False
        if self.asked_here(job):
            if job.state not in OPEN and job.id not in self._others:
                return True  # nobody else delivers; and who sends is decided in the transaction of the submit
        elif job.state not in OPEN | RESERVED:
            return False
        elif job.room in self._rooms and job.state is not State.SUBMITTING:
            await self.leave(job)
            return False
        if job.id in self._held:
            return True
        return await self._journal.write("lease", lambda tx: self.holds(tx, job))

    def holds(self, tx: Transaction, job: Job) -> bool:
        """Take a job, or find that it is ours, within a transaction that writes."""
        got = not self._replaced and leases.take(tx.connection, self.worker, job.id)
        (self._held if got else self._others).add(job.id)
        (self._others if got else self._held).discard(job.id)
        return got

    async def leave(self, job: Job) -> None:
        """Let others take a job, and tell them."""

        def give_back() -> None:
            with self._database.plain() as connection:
                leases.give_back(connection, self.worker, job.id)
                self._database.tell(connection, [job.id])

        self._held.discard(job.id)
        await self._off(give_back)

    def now(self) -> tuple[float, float]:
        """Return the time by two clocks: one stands still while a machine sleeps, and one may be set."""
        return time.time(), time.monotonic()

    def late(self, begun: tuple[float, float]) -> bool:
        """Return whether others may take this bridge for dead before it has sent what it began."""
        return max(now - then for now, then in zip(self.now(), begun, strict=True)) > _LATE

    # Being there

    async def join(self) -> None:
        """Say that this bridge is there. Raises SettingsInvalid if another one has the name of this room."""

        def write() -> None:
            with self._database.explained(), self._database.begin() as connection:
                other = leases.other_of_room(connection, self.worker)
                if other is not None:
                    connection.exec_driver_sql("ROLLBACK")
                    raise SettingsInvalid(
                        f"Another bridge of the studio is the room {self.worker.room} already, on {other['host']}.",
                        next='Give this one another name in config.toml: [journal] room = "…".',
                    )
                leases.join(connection, self.worker, json.dumps(self._about))
                self._database.commit(connection, ())

        await self._off(write)
        await self._off(self._beat)

    def start(self, conveyor: Conveyor, engines: Engines, publishes: Callable[[Choice], bool]) -> None:
        """Keep saying so, hear of the others, and take over what is nobody's.

        ``publishes`` tells whether the sources of other rooms can be published here, for an engine.
        """
        self._conveyor, self._engines, self._publishes = conveyor, engines, publishes
        self._beats.start(self._repeat(lambda: self._off(self._beat), leases.BEAT), "beat")
        self._tasks.start(self._repeat(self._take_over, 0.0), "take over")
        loop = asyncio.get_running_loop()
        self._listener = threading.Thread(target=self._listen, args=(loop,), name="studio-listener")
        self._listener.start()

    async def pause(self) -> None:
        """Take over nothing more: this bridge is about to end. It still is there."""
        await self._tasks.close()

    async def close(self) -> None:
        """Say that it goes, so that others need not wait."""
        await self._tasks.close()
        await self._beats.close()
        self._stop.set()
        if self._listener is not None:
            await asyncio.to_thread(self._listener.join)
        try:
            await self._off(self._leave)
        except (DatabaseError, StudioAway) as error:
            log.warning("The studio could not be told that this bridge ends: %s", error)
        self._pool.shutdown()

    def _leave(self) -> None:
        with self._database.plain() as connection:
            leases.leave(connection, self.worker)

    def _beat(self) -> None:
        with self._database.explained(), self._database.plain() as connection:
            if not leases.beat(connection, self.worker) and not self._replaced:
                self._replaced = True
                log.critical("Another process uses a copy of this home in the studio; this one sends nothing any more")
            leases.sweep(connection, self.worker)
            self._held = leases.held(connection, self.worker)
            self._rooms = leases.rooms_alive(connection)

    async def _repeat(self, work: Callable[[], Awaitable[None]], seconds: float) -> None:
        while True:
            try:
                await work()
                self._back()
            except (DatabaseError, StudioAway) as error:
                self._away(error)
                await asyncio.sleep(_AGAIN)
            except Exception:
                log.exception("A fault in the studio's work")
                await asyncio.sleep(_AGAIN)
            await asyncio.sleep(seconds)

    def _away(self, error: Exception) -> None:
        if self._away_since is None:
            self._away_since = time.time()
            log.error("%s", error)

    def _back(self) -> None:
        if self._away_since is not None:
            log.warning("The studio's database answers again, after %.0f s", time.time() - self._away_since)
            self._away_since = None

    # Taking over

    async def _take_over(self) -> None:
        try:
            async with asyncio.timeout(_LOOK):
                await self._wake.wait()
            await asyncio.sleep(_SOON)
        except TimeoutError:
            pass
        self._wake.clear()
        assert self._conveyor is not None
        assert self._engines is not None
        sources = False
        try:
            engine = await self._engines.current()
            name, url = (engine.name, engine.base_url) if engine.paid else ("", "")
            sources = engine.paid and self._publishes(engine)
        except KeyTrouble:
            name, url = "", ""  # nothing of others can be gone on with

        def look() -> list[str]:
            with self._database.explained(), self._database.plain() as connection:
                return list(leases.free(connection, self.worker, name, url, sources=sources))

        for job in await self._off(look):
            self._conveyor.adopt(job)

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        import psycopg

        while not self._stop.is_set():
            try:
                with self._database.begun(f"LISTEN {CHANNEL}") as connection:
                    driver: Any = connection.connection.driver_connection
                    connection.detach()  # it listens to its end; nobody else shall have it
                    while not self._stop.is_set():
                        for told in driver.notifies(timeout=_LISTEN):
                            loop.call_soon_threadsafe(self._heard, told.payload)
            except (SQLAlchemyError, psycopg.Error) as error:
                log.info("The other rooms cannot be heard: %s", error)
                self._stop.wait(_AGAIN)

    def _heard(self, payload: str) -> None:
        run, *jobs = payload.split(" ")
        if run != self.worker.run:
            self._tasks.start(self._changed(jobs), "told of a change")

    async def _changed(self, names: list[str]) -> None:
        """Tell the parts of this bridge of jobs that another one changed."""

        def look(tx: Transaction) -> list[Job]:
            found = []
            for name in names:
                try:
                    found.append(tx.job(name))
                except NotFound:
                    continue  # a commit that is told of may not be in this picture yet
            return found

        assert self._conveyor is not None
        for job in await self._journal.read(look):
            self._journal.tell(job)
            if self._conveyor.drives(job.id):
                self._conveyor.drive(job.id)
        self._wake.set()

    # What people see

    async def about(self) -> dict[str, Any]:
        """Return who is there, the minute and the money of all, and how long the database has not answered.

        A picture that is a second old is good enough: clients ask often.
        """
        mine = {"room": self.worker.room, "kind": self.worker.kind, "away_since": self._away_since}
        at, told = self._told
        if time.monotonic() - at > _FRESH:
            try:
                told = await self._off(self._look)
            except (DatabaseError, StudioAway) as error:
                return mine | {"rooms": None, "problem": str(error)}
            self._told = (time.monotonic(), told)
        return mine | told

    def _look(self) -> dict[str, Any]:
        begun = time.monotonic()
        told = overview.look(self._database, self._journal.times).as_dict()
        lag = {"lag_ms": round((time.monotonic() - begun) * 1000, 1)}
        return (
            lag | {"rooms": told.pop("bridges"), "requests_per_minute": self._about.get("requests_per_minute")} | told
        )

    async def _off(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)
