"""The daemon: builds the parts, starts them in order, stops them in the opposite order."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, Final

from bridge_daemon import __version__
from bridge_daemon.actions.bridge import Actions
from bridge_daemon.app.awake import Awake
from bridge_daemon.clock.link import LinkSource
from bridge_daemon.clock.transport import Clock
from bridge_daemon.domain.job import OPEN, Job
from bridge_daemon.engine.budget import RateBudget
from bridge_daemon.engine.choice import Engines
from bridge_daemon.engine.client import PollSession
from bridge_daemon.errors import BridgeError
from bridge_daemon.frontends.folders.frontend import Folders
from bridge_daemon.frontends.frontend import Intake
from bridge_daemon.frontends.http.events import EventHub
from bridge_daemon.frontends.http.server import ApiServer
from bridge_daemon.frontends.mailbox.inbox import Inbox
from bridge_daemon.frontends.midi.frontend import MidiIntake
from bridge_daemon.frontends.osc.announcer import Announcer
from bridge_daemon.frontends.osc.server import OscServer
from bridge_daemon.home.api_key import KeyStore
from bridge_daemon.home.path_policy import PathPolicy
from bridge_daemon.home.paths import Home, Runtime
from bridge_daemon.journal import Journal
from bridge_daemon.pipeline.context import OnWire, PauseGate, StepContext
from bridge_daemon.pipeline.conveyor import Conveyor, load_audio
from bridge_daemon.pipeline.placement import Placement
from bridge_daemon.publish.listener import SourceListener
from bridge_daemon.publish.publisher import Publishers
from bridge_daemon.settings.changes import changes
from bridge_daemon.settings.load import Settings
from bridge_daemon.spending.admit import Admit
from bridge_daemon.spending.catalogue import Catalogue
from bridge_daemon.util.times import Times

log = logging.getLogger(__name__)
_HOUR: Final = 3600.0
_WIRE: Final = " A request on the wire is awaited for up to 30 s; press Ctrl-C again to leave it."
#: Settings that were bound to a port or a budget at the start.
_AFTER_RESTART: Final = (
    *("http.", "osc.", "publish.source_port"),
    *("engine.requests_per_minute", "engine.max_open_jobs"),
)


class Daemon:
    """One daemon for one home. The caller holds the home's lock."""

    def __init__(
        self, home: Home, settings: Settings, *, keys: KeyStore | None = None, times: Times | None = None
    ) -> None:
        """Build nothing yet; ``keys`` and ``times`` are for tests."""
        self.home = home
        self.settings = self._at_start = settings
        self._reloading = asyncio.Lock()
        self._times = times or Times()
        self._keys = keys or KeyStore(home)
        self._stack = AsyncExitStack()
        self._tasks: set[asyncio.Task[None]] = set()
        self._roots = self._make_roots(settings)
        self.http_url = ""
        self.clock = Clock(self._times.monotonic)
        self._set_clock(settings)
        self.osc: OscServer | None = None  # None: switched off
        self.intakes: list[Intake] = []
        #: Everything is loaded that the first press could need.
        self.warm = asyncio.Event()

    # Building

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

    async def start(self) -> None:
        """Start every part. Raises a BridgeError that explains what is in the way; then nothing is left running."""
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise

    async def _start(self) -> None:
        token = self.home.read_token()
        await asyncio.to_thread(self._sweep)
        journal = self.journal = Journal(self.home.journal, self._times)
        self._stack.push_async_callback(journal.close)
        await journal.open()

        def settings() -> Settings:
            return self.settings

        self.hub = EventHub()
        engines = Engines(settings, self._keys, self.home, journal)
        self._stack.push_async_callback(engines.close)
        polls = PollSession()
        self._stack.push_async_callback(polls.close)
        budget = self.budget = RateBudget(self.settings.engine.requests_per_minute, self._times)
        listener = SourceListener(self.settings.publish.source_port)
        self._stack.push_async_callback(listener.close)
        await listener.start()
        self.source_port = listener.port
        publishers = self.publishers = Publishers(
            listener, settings, self._times, journal=journal, engines=engines, budget=budget, home=self.home
        )
        self._stack.push_async_callback(publishers.close)
        pause = self._pause = PauseGate(journal, self._times)
        context = StepContext(
            journal=journal,
            settings=settings,
            engines=engines,
            publishers=publishers,
            polls=polls,
            budget=budget,
            roots=lambda: self._roots,
            home=self.home,
            library=lambda: self.home.library(self.settings.audio.library),
            times=self._times,
            pause=pause,
            on_wire=OnWire(),
            arrivals=Placement(journal, self.clock),
        )
        self._context = context
        self._conveyor = Conveyor(context)
        catalogue = Catalogue(journal, engines, polls, budget, settings, self._times)
        self.actions = Actions(
            admit=Admit(journal, settings, engines, publishers, lambda: self._roots, self._times, self.clock),
            journal=journal,
            conveyor=self._conveyor,
            pause=pause,
            engines=engines,
            catalogue=catalogue,
            settings=settings,
            reload_settings=self.reload,
            times=self._times,
            about=self._about,
        )
        self._tell(journal, pause)
        awake = Awake(self._times.now)
        self._stack.push_async_callback(awake.close)
        journal.listen(awake.changed)
        await self._conveyor.recover()
        for job in await journal.read(lambda tx: tx.jobs_in(OPEN)):
            awake.changed(job)
        awake.start()
        await publishers.recover()
        api = ApiServer(self.actions, self.hub, token=token, host=self.settings.http.host, port=self.settings.http.port)
        self._stack.push_async_callback(api.close)
        await api.start()
        self.http_url = api.url
        if self.settings.osc.enabled:
            await self._open_osc(token, context)
        self._stack.push_async_callback(self._conveyor.stop)
        self._conveyor.start()
        self._stack.push_async_callback(self._end_tasks)
        self._spawn(catalogue.watch(), "catalogue")
        self._spawn(self._clean(), "cleaning")
        self._spawn(self._warm(engines), "engine")
        await self._open_intakes()
        if self.osc is not None:
            self._stack.push_async_callback(self.osc.close)  # first of all: what comes now is said again
        self._write_runtime()
        self._stack.callback(self.home.remove_runtime)

    async def _open_osc(self, token: str, context: StepContext) -> None:
        host, port = self.settings.osc.host, self.settings.osc.port
        osc = OscServer(self.actions, self.clock, token=token, host=host, port=port, times=self._times)
        announcer = Announcer(self.actions, osc.send, silent=lambda: context.pause.panic)
        self._stack.push_async_callback(announcer.close)
        self._stack.push_async_callback(osc.close)
        await osc.start()
        osc.on_hello.append(announcer.hello)
        context.ready.append(announcer.ready)
        context.arrivals.reach.append(lambda client: osc.clients.port(client) is not None)
        context.journal.listen(announcer.changed)
        context.pause.listeners.append(lambda fact: announcer.go_on() if fact is None else None)
        self.osc = osc

    async def _open_intakes(self) -> None:
        for intake in self._make_intakes():
            self.intakes.append(intake)
            self._stack.push_async_callback(intake.close)
            await intake.start()

    def _make_intakes(self) -> list[Intake]:
        midi = self.actions.pads = MidiIntake(
            self.actions,
            journal=self.journal,
            clock=self.clock,
            settings=lambda: self.settings,
            osc=lambda: self.osc,
            pause=self._pause,
            times=self._times,
            whole_render=lambda name: self.folders.newest(name),
        )
        context = self._context
        inbox = Inbox(self.home, self.actions, context.journal, context.ready, context.settings, self._times)
        context.arrivals.reach.append(lambda client: client in inbox.outbox.clients())
        folders = self.folders = Folders(self.actions, self.journal, self.home, lambda: self.settings, self._times)
        self.actions.folders = folders
        return [LinkSource(self.clock, lambda: self.settings), midi, inbox, folders]

    @property
    def osc_port(self) -> int | None:
        """The port of OSC as bound; None where it is switched off."""
        return self.osc.port if self.osc is not None else None

    def _tell(self, journal: Journal, pause: PauseGate) -> None:
        def job_changed(job: Job) -> None:
            self.hub.publish("job", job.as_dict())

        def pause_changed(fact: dict[str, Any] | None) -> None:
            self.hub.publish("paused", {"paused": fact})

        journal.listen(job_changed)
        journal.listen(self.publishers.changed)
        self.publishers.listeners.append(lambda about: self.hub.publish("publish", about))
        pause.listeners.append(pause_changed)

    def _write_runtime(self) -> None:
        self.home.write_runtime(
            Runtime(
                pid=os.getpid(),
                http_url=self.http_url,
                osc_port=self.osc_port,
                version=__version__,
                started_at=time.time(),
            )
        )

    def _about(self) -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "home": str(self.home.path),
            "library": str(self.home.library(self.settings.audio.library)),
            "log": str(self.home.log_file),
            "http_url": self.http_url,
            "osc_port": self.osc_port,
            "osc": self.osc.about() if self.osc is not None else None,
            "source_port": self.source_port,
            "publish": self.publishers.about(),
            **{intake.name: intake.about() for intake in self.intakes},
        }

    async def reload(self) -> dict[str, Any]:
        """Read config.toml again: return what ``changed``, and which of it counts only ``after_restart``.

        Raises SettingsInvalid; then the old settings go on.
        """
        async with self._reloading:
            new = await asyncio.to_thread(Settings.load, self.home)
            old, self.settings = self.settings, new
            self._roots = self._make_roots(new)
            self._set_clock(new)
            changed = changes(old, new)
            for intake in self.intakes:
                try:
                    await intake.configure()
                except Exception:  # the others heed the settings all the same
                    log.exception("The new settings could not be heeded by %s", intake.name)
            waiting = [name for name in changes(self._at_start, new) if name.startswith(_AFTER_RESTART)]
            log.info("Settings read again; changed: %s", ", ".join(changed) or "nothing")
            return {"reloaded": True, "changed": changed, "after_restart": waiting}

    # Background

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("The background task %s ended with a fault", task.get_name(), exc_info=task.exception())

    async def _end_tasks(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _clean(self) -> None:
        """Remove sources that are older than the settings keep them, once an hour."""
        while True:
            removed = await asyncio.to_thread(self._remove_old_sources)
            if removed:
                log.info("Removed %d old source(s)", removed)
            await asyncio.sleep(_HOUR)

    def _sweep(self) -> None:
        """Remove what a process that died left half written; nobody else writes here while we hold the home."""
        for part in (*self.home.sources.glob(".*.part"), *self.home.path.glob(".runtime.json.*.part")):
            part.unlink(missing_ok=True)

    def _remove_old_sources(self) -> int:
        oldest = self._times.now() - self.settings.audio.keep_sources_days * 86_400
        removed = 0
        for file in self.home.sources.glob("*"):
            with suppress(OSError):  # gone already, or held open by another program: the next time
                if file.stat().st_mtime < oldest:
                    file.unlink()
                    removed += 1
        return removed

    async def _warm(self, engines: Engines) -> None:
        """Load the rest, read the key and start the built-in engine before the first press needs them."""
        await asyncio.to_thread(load_audio)
        try:
            choice = await engines.current()
            if not choice.paid:
                await engines.sketch_url()
        except BridgeError as error:
            log.warning("%s %s", error.message, error.next_step)
        self.warm.set()

    # Ending

    async def stop(self) -> None:
        """Stop every part; a POST on the wire is awaited, for a while."""
        await self._stack.aclose()

    @property
    def on_wire(self) -> int:
        """How many requests that may cost were sent and not answered yet."""
        return len(self._context.on_wire)

    async def cut(self) -> None:
        """Do not wait for the wire any more."""
        await self._conveyor.cut()


async def run(daemon: Daemon, *, ready: Callable[[], None], told: Callable[[str], None]) -> None:
    """Run a daemon until SIGINT or SIGTERM; a second one does not wait for the wire.

    SIGHUP, where the platform has it, reads the settings again, or ends the daemon where its terminal was closed.
    ``ready`` is called once it can be used; ``told`` gets lines for the person at the terminal.
    """
    ask = asyncio.Event()
    hurry = asyncio.Event()
    reloading: set[asyncio.Task[None]] = set()
    ends_with_terminal = _ends_with_terminal()

    def on_signal() -> None:
        if ask.is_set():
            hurry.set()
        ask.set()

    def on_hangup() -> None:
        if ends_with_terminal and not _has_terminal():
            log.info("The terminal was closed")
            ask.set()
        elif not ask.is_set():
            task = asyncio.create_task(_reload(daemon, told), name="reload")
            reloading.add(task)
            task.add_done_callback(reloading.discard)

    with _signals(on_signal, on_hangup):
        await daemon.start()
        ready()
        await ask.wait()
        with suppress(OSError):  # the terminal may be gone
            told(f"Stopping.{_WIRE if daemon.on_wire else ''}")
        await asyncio.gather(*reloading)
        stopping = asyncio.create_task(daemon.stop(), name="stop")
        hurrying = asyncio.create_task(hurry.wait(), name="hurry")
        await asyncio.wait({stopping, hurrying}, return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done():
            await daemon.cut()
        hurrying.cancel()
        await asyncio.gather(hurrying, return_exceptions=True)
        await stopping


async def _reload(daemon: Daemon, told: Callable[[str], None]) -> None:
    """Read the settings again, for a signal: nobody waits for the answer."""
    try:
        done = await daemon.actions.reload_settings()
    except BridgeError as error:
        log.error("%s: %s The old settings go on.", error.code, error.message)
        return
    except Exception:
        log.exception("The settings could not be read again; the old ones go on")
        return
    later = f" Waiting for the next start: {', '.join(done['after_restart'])}." if done["after_restart"] else ""
    with suppress(OSError):
        told(f"Settings read again. Changed: {', '.join(done['changed']) or 'nothing'}.{later}")


def _ends_with_terminal() -> bool:
    """Tell whether the end of a terminal is to end this process: not without one, and not under ``nohup``."""
    return sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN and _has_terminal()


def _has_terminal() -> bool:
    """Tell whether this process has a terminal that is still there."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | getattr(os, "O_NOCTTY", 0)))
    except OSError:
        return False
    return True


class _signals:  # noqa: N801 - used as a function
    """Calls handlers on the event loop while it is entered: for SIGINT and SIGTERM, and for SIGHUP."""

    def __init__(self, handler: Callable[[], None], hangup: Callable[[], None]) -> None:
        self._handlers = {signal.SIGINT: handler, signal.SIGTERM: handler}
        if sys.platform != "win32":  # which has no such signal
            self._handlers[signal.SIGHUP] = hangup
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        for number, handler in self._handlers.items():
            # not loop.add_signal_handler: Windows has none, and this works on both
            self._before[number] = signal.signal(number, lambda *_, act=handler: loop.call_soon_threadsafe(act))

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
