"""The daemon: starts the parts in order, stops them in the opposite order, and reads the settings again."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from bridge_daemon import __version__
from bridge_daemon.actions.bridge import Actions
from bridge_daemon.app import sources, wiring
from bridge_daemon.app.connections import connections
from bridge_daemon.app.parts import Parts, build
from bridge_daemon.clock.transport import Clock
from bridge_daemon.domain.job import OPEN
from bridge_daemon.domain.request import warm_up
from bridge_daemon.engine import client
from bridge_daemon.engine.budget import Budget, RateBudget
from bridge_daemon.engine.choice import Choice
from bridge_daemon.errors import BridgeError, NotPublished, StudioAway, StudioRefused
from bridge_daemon.frontends.folders.frontend import Folders
from bridge_daemon.frontends.frontend import Intake
from bridge_daemon.frontends.osc.server import OscServer
from bridge_daemon.home.api_key import KeyStore
from bridge_daemon.home.path_policy import PathPolicy
from bridge_daemon.home.paths import Home
from bridge_daemon.home.runtime import Runtime
from bridge_daemon.journal import Journal
from bridge_daemon.pipeline.ownership import Alone
from bridge_daemon.settings.changes import changes
from bridge_daemon.settings.load import Settings
from bridge_daemon.util.loading import load
from bridge_daemon.util.tasks import Tasks
from bridge_daemon.util.times import Times

if TYPE_CHECKING:
    from bridge_daemon.studio.database import Postgres
    from bridge_daemon.studio.membership import Membership
    from bridge_daemon.studio.store import SharedStore

log = logging.getLogger(__name__)
#: Settings that were bound to a port or a budget at the start.
_AFTER_RESTART: Final = (
    *("http.", "osc.", "publish.source_port", "journal.", "store.url", "store.s3_", "metrics."),
    *("engine.requests_per_minute", "engine.max_open_jobs"),
)


class Daemon:
    """One daemon for one home. The caller holds the home's lock."""

    parts: Parts  #: from :meth:`start` on

    def __init__(
        self,
        home: Home,
        settings: Settings,
        *,
        keys: KeyStore | None = None,
        times: Times | None = None,
        started_by: str = "terminal",
        kind: Literal["room", "keeper"] = "room",
    ) -> None:
        """Build nothing yet; ``keys`` and ``times`` are for tests. ``started_by`` is what the status tells.

        A ``keeper`` has no frontends but the API: it works for the rooms of its studio.
        """
        self._started_by = started_by
        self._kind = kind
        self._membership: Membership | None = None  # in a studio
        self._store: SharedStore | None = None
        self._metrics_url: str | None = None
        self.home = home
        self.settings = self._at_start = settings
        self.roots = self._make_roots(settings)
        self.clock = Clock((times or Times()).monotonic)
        self._set_clock(settings)
        #: Everything is loaded that the first press to the service could need.
        self.warm = asyncio.Event()
        #: Set by whoever wants it to end while it still waits for the database of a studio.
        self.give_up = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._times = times or Times()
        self._keys = keys or KeyStore(home)
        self._stack = AsyncExitStack()
        self._tasks = Tasks("daemon")
        self.intakes: list[Intake] = []

    # Parts that others ask for

    @property
    def journal(self) -> Journal:
        """The journal."""
        return self.parts.journal

    @property
    def actions(self) -> Actions:
        """What a person or a script can do."""
        return self.parts.actions

    @property
    def folders(self) -> Folders:
        """The watched folders."""
        return self.parts.folders

    @property
    def osc(self) -> OscServer | None:
        """The OSC server; None if it is switched off."""
        return self.parts.osc

    @property
    def osc_port(self) -> int | None:
        """The port of OSC as bound; None if it is switched off."""
        return self.osc.port if self.osc is not None else None

    @property
    def http_url(self) -> str:
        """Where the API listens."""
        return self.parts.api.url

    # Starting

    async def start(self) -> None:
        """Start every part. Raises a BridgeError that explains what is in the way; then nothing is left running."""
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise

    async def _start(self) -> None:
        """Start the parts, each after those that it needs. What is pushed on the stack ends in the opposite order."""
        await asyncio.to_thread(sources.sweep, self.home)
        await self._build()
        await self._recover()
        await self._open_api()
        await self._open_osc()
        self._start_work()
        await self._open_frontends()
        self._announce()

    async def _build(self) -> None:
        token = self.home.read_token()
        per_minute = self.settings.engine.requests_per_minute
        budget: Budget = RateBudget(per_minute, self._times)
        if self.settings.journal.url is None:
            journal = Journal(self.home.journal, self._times)
            self._stack.push_async_callback(journal.close)
            await journal.open()
        else:
            journal, budget = await self._open_studio(token, per_minute)
        parts = self.parts = build(
            self,
            journal=journal,
            token=token,
            keys=self._keys,
            times=self._times,
            ownership=self._membership or Alone(),
            store=self._store,
            budget=budget,
        )
        if self._membership is not None:
            parts.actions.studio = self._about_studio
        wiring.connect(parts)
        for part in (parts.engines, parts.polls, parts.listener, parts.publishers, parts.awake):
            self._stack.push_async_callback(part.close)

    async def _open_studio(self, token: str, per_minute: int) -> tuple[Journal, Budget]:
        """Open the journal that rooms share, as soon as its database answers: after a power cut that may be later.

        What no waiting helps is raised. Nothing of a studio is loaded where the journal is a file.
        """
        from bridge_daemon.app.waiting import Waiting

        async with Waiting(self.home, self.settings.http, token, self.give_up) as waiting:
            while True:
                try:
                    return await self._enter_studio(token, per_minute)
                except StudioRefused:
                    raise
                except StudioAway as error:
                    await waiting.wait(error)

    async def _enter_studio(self, token: str, per_minute: int) -> tuple[Journal, Budget]:
        """Open the journal that rooms share, and say that this bridge is there. Raises StudioAway."""
        from bridge_daemon.studio import database
        from bridge_daemon.studio.budget import SharedBudget

        opened = await asyncio.to_thread(database.of_home, self.home, self.settings.journal)
        async with AsyncExitStack() as stack:
            journal = Journal(self.home.journal, self._times, database=opened)
            stack.push_async_callback(journal.close)
            await journal.open()
            self._membership = await self._join(opened, journal, token, stack)
            shared = SharedBudget(opened, self._membership.worker.id, per_minute)
            stack.push_async_callback(shared.close)
            self._store = self._share_store(opened, journal, self._membership)
            self._stack.push_async_exit(stack.pop_all())
            return journal, shared

    async def _join(self, database: Postgres, journal: Journal, token: str, stack: AsyncExitStack) -> Membership:
        from bridge_daemon.studio.membership import Membership

        engine = self.settings.engine
        about = {"base_url": engine.base_url, "requests_per_minute": engine.requests_per_minute}
        membership = Membership(database, journal, token=token, kind=self._kind, about=about)
        stack.push_async_callback(membership.close)
        await membership.join()
        return membership

    def _share_store(self, database: Postgres, journal: Journal, membership: Membership) -> SharedStore | None:
        if self.settings.store.url is None:
            return None
        from bridge_daemon.studio import objects
        from bridge_daemon.studio.store import SharedStore

        return SharedStore(
            objects.of_settings(self.settings.store, self.home),
            journal,
            database,
            worker=membership.worker.id,
            keep_days=lambda: self.settings.store.keep_days,
        )

    async def _about_studio(self) -> dict[str, Any]:
        assert self._membership is not None
        store = self._store.about() if self._store is not None else None
        return await self._membership.about() | {"store": store}

    def _publishes(self, engine: Choice) -> bool:
        """Return whether the source of another room can be published here."""
        if self._store is None or self._store.trouble is not None:
            return False
        try:
            self.parts.publishers.choose(engine)
        except NotPublished:
            return False
        return True

    async def _recover(self) -> None:
        """Bring every job out of the state in which the last process left it, before anybody can press."""
        parts = self.parts
        await parts.catalogue.remember()  # jobs may be of models that only it knows
        await parts.conveyor.recover()
        await parts.context.measuring.recover()
        for job in await parts.journal.read(lambda tx: tx.jobs_in(OPEN)):
            parts.awake.changed(job)
        parts.awake.start()
        await parts.publishers.recover()

    async def _open_api(self) -> None:
        self._stack.push_async_callback(self.parts.api.close)
        await self.parts.api.start()
        if self.settings.metrics.port is not None:
            await load("bridge_daemon.app.metrics")
            from bridge_daemon.app.metrics import MetricsServer

            metrics = MetricsServer(self.settings.metrics.port, self.actions.status)
            self._stack.push_async_callback(metrics.close)
            await metrics.start()
            self._metrics_url = metrics.url

    async def _open_osc(self) -> None:
        if self._kind == "keeper":
            return
        if self.parts.announcer is not None and self.parts.osc is not None:
            self._stack.push_async_callback(self.parts.announcer.close)
            self._stack.push_async_callback(self.parts.osc.close)
            await self.parts.osc.start()

    def _start_work(self) -> None:
        """Let the jobs go on, and start what runs beside them."""
        self._stack.push_async_callback(self.parts.context.measuring.close)
        self._stack.push_async_callback(self.parts.conveyor.stop)
        self.parts.conveyor.start()
        if self._membership is not None:
            self._stack.push_async_callback(self._membership.pause)
            self._membership.start(self.parts.conveyor, self.parts.engines, self._publishes)
        if self._store is not None:
            self._stack.push_async_callback(self._store.close)
            self._store.start()
        self._stack.push_async_callback(self._tasks.close)
        self._tasks.start(self.parts.catalogue.watch(), "catalogue")
        keep_days = lambda: self.settings.audio.keep_sources_days  # noqa: E731
        self._tasks.start(sources.clean(self.home, keep_days, self._times), "cleaning")
        self._tasks.start(self._warm(), "engine")

    async def _open_frontends(self) -> None:
        if self._kind == "keeper":
            return
        for intake in self.parts.intakes:
            self.intakes.append(intake)
            self._stack.push_async_callback(intake.close)
            await intake.start()

    def _announce(self) -> None:
        """Tell where this daemon is. At the end its OSC port closes first of all: what comes then is said again."""
        if self.osc is not None:
            self._stack.push_async_callback(self.osc.close)
        self.home.write_runtime(
            Runtime(
                pid=os.getpid(),
                http_url=self.http_url,
                osc_port=self.osc_port,
                version=__version__,
                started_at=time.time(),
            )
        )
        self._stack.callback(self.home.remove_runtime)

    async def _warm(self) -> None:
        """Read the key, and load what checks and sends a request, before the first press needs them."""
        await asyncio.to_thread(warm_up)
        try:
            if (await self.parts.engines.current()).paid:
                await client.ready()
        except BridgeError as error:
            log.warning("%s %s", error.message, error.next_step)
        self.warm.set()

    # Running

    def about(self) -> dict[str, Any]:
        """Return where this daemon listens and keeps its files, and how its frontends are."""
        parts = self.parts
        return {
            "pid": os.getpid(),
            "started_by": self._started_by,
            "home": str(self.home.path),
            "library": str(self.home.library(self.settings.audio.library)),
            "log": str(self.home.log_file),
            "http_url": self.http_url,
            "osc_port": self.osc_port,
            "osc": self.osc.about() if self.osc is not None else None,
            "source_port": parts.listener.port,
            "metrics_url": self._metrics_url,
            "publish": parts.publishers.about(),
            "connections": connections(parts),
            **{intake.name: intake.about() for intake in self.intakes},
        }

    async def reload(self) -> dict[str, Any]:
        """Read config.toml again: return what ``changed``, and which of it counts only ``after_restart``.

        Raises SettingsInvalid; then the old settings go on.
        """
        async with self._reloading:
            new = await asyncio.to_thread(Settings.load, self.home)
            token = await asyncio.to_thread(self.home.read_token)
            old, self.settings = self.settings, new
            self.roots = self._make_roots(new)
            self._set_clock(new)
            self.parts.api.change_token(token)
            if self.osc is not None:
                self.osc.change_token(token)
            changed = changes(old, new)
            for intake in self.intakes:
                try:
                    await intake.configure()
                except Exception:  # the others heed the settings all the same
                    log.exception("The new settings could not be heeded by %s", intake.name)
            waiting = [name for name in changes(self._at_start, new) if name.startswith(_AFTER_RESTART)]
            log.info("Settings read again; changed: %s", ", ".join(changed) or "nothing")
            return {"reloaded": True, "changed": changed, "after_restart": waiting}

    def _make_roots(self, settings: Settings) -> PathPolicy:
        library = self.home.library(settings.audio.library)
        watched = [Path(folder.path).expanduser() for folder in settings.folders]
        results = [folder.results_path for folder in settings.folders]
        return PathPolicy(
            [Path(root).expanduser() for root in settings.audio.read_roots],
            always=[self.home.path, library, *watched],
            writable=[library, *results],
        )

    def _set_clock(self, settings: Settings) -> None:
        self.clock.meter = settings.clock.meter_numbers
        self.clock.time_code_start = settings.clock.time_code_start

    # Ending

    async def stop(self) -> None:
        """Stop every part; a POST on the wire is awaited, for a while."""
        await self._stack.aclose()

    @property
    def on_wire(self) -> int:
        """How many requests that may cost were sent and not answered yet."""
        return len(self.parts.context.on_wire)

    async def cut(self) -> None:
        """Do not wait for the wire any more."""
        await self.parts.conveyor.cut()
