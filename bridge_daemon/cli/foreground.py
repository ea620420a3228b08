"""The daemon itself, in the foreground. A start waits for what is loaded here: the library of the commands is not."""

from __future__ import annotations

import asyncio
import copy
import gc
import logging
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from bridge_daemon import __version__
from bridge_daemon.cli import format, terminal
from bridge_daemon.errors import BridgeError, DiskTrouble, SettingsInvalid
from bridge_daemon.home.paths import AlreadyRunning, Home

if TYPE_CHECKING:
    from bridge_daemon.app.daemon import Daemon
    from bridge_daemon.home.logs import Logs

log = logging.getLogger(__name__)


class Level(StrEnum):
    """How much is written to the log."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class StartedBy(StrEnum):
    """How a daemon came to run; ``status`` tells it."""

    TERMINAL = "terminal"
    START = "start"
    SERVICE = "service"


def plain(arguments: Sequence[str]) -> StartedBy | None:
    """Return who starts it, if the arguments of ``run`` say no more than that; None: they have to be read with care."""
    match arguments:
        case []:
            return StartedBy.TERMINAL
        case ["--by", by] if by in list(StartedBy):
            return StartedBy(by)
    return None


def until_ended(by: StartedBy, level: Level = Level.INFO, kind: Literal["room", "keeper"] = "room") -> None:
    """Run the daemon until a signal ends it."""
    early = _Early()
    ends = [signal.SIGINT, signal.SIGTERM]
    if sys.platform == "win32":
        ends.append(signal.SIGBREAK)
    for number in ends:
        signal.signal(number, early)
    sys.unraisablehook = early.lost
    try:
        _run(level, early, by, kind)
    except AlreadyRunning as running:
        _say_running(running)
    except KeyboardInterrupt:
        terminal.note("Stopped.")


class _Early:
    """Ends the program by a signal that comes before the daemon listens to them.

    It remembers that it did: while modules are being loaded, an exception may come up where Python can only ignore it.
    """

    def __init__(self) -> None:
        self._asked = False

    def __call__(self, *_: object) -> None:
        self._asked = True
        raise KeyboardInterrupt

    @staticmethod
    def lost(what: sys.UnraisableHookArgs) -> None:
        """Tell what Python ignores, but for the end that was asked for: :meth:`check` sees to that."""
        if what.exc_type is not KeyboardInterrupt:
            sys.__unraisablehook__(what)

    def check(self) -> None:
        """Raise KeyboardInterrupt if a signal came and was lost."""
        if self._asked:
            raise KeyboardInterrupt


def _run(level: Level, early: _Early, by: StartedBy, kind: Literal["room", "keeper"]) -> None:
    from bridge_daemon.settings.file import create_default
    from bridge_daemon.settings.load import Settings

    home = Home.locate()
    home.prepare()
    with home.lock():
        home.remove_runtime()  # of a daemon that was killed
        try:
            if create_default(home):
                terminal.say(f"Settings with comments were written to {home.config}")
        except OSError as error:
            raise DiskTrouble(f"{home.config} cannot be written: {error.strerror}.") from error
        settings = Settings.load(home)
        if kind == "keeper" and settings.journal.url is None:
            raise SettingsInvalid(
                "A keeper needs the journal of a studio, and config.toml names none.",
                next='[journal] url = "postgresql://keeper@host/database"; see docs/studio.md.',
            )
        logs = _start_log(home, level)
        log.info("daw-bridge %s starts (pid %d, home %s)", __version__, os.getpid(), home.path)
        try:
            _serve(home, settings, early, by, kind)
            log.info("daw-bridge has stopped")
        except BridgeError as error:
            log.error("%s: %s", error.code, error.message)
            raise
        except Exception:
            log.critical("Unexpected error, the daemon ends", exc_info=True)
            raise
        finally:
            logs.close()
    with suppress(OSError):  # the terminal may have been closed
        terminal.say("Stopped.")


def _start_log(home: Home, level: Level) -> Logs:
    from bridge_daemon.home.logs import setup_logging

    try:
        logs = setup_logging(home, level=level.value, console=False)
    except OSError as error:
        raise DiskTrouble(f"The log {home.log_file} cannot be written: {error.strerror}.") from error
    handler = Warnings(logging.WARNING)
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    return logs


class Warnings(logging.Handler):
    """Shows warnings at the terminal, one line each: the log has the rest."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one warning to stderr."""
        from bridge_daemon.util.redact import redact

        shown = copy.copy(record)
        shown.exc_info = shown.exc_text = shown.stack_info = None
        with suppress(Exception):  # a warning that cannot be shown is in the log all the same
            terminal.note(redact(self.format(shown)), "yellow")


def _serve(home: Home, settings: Any, early: _Early, by: StartedBy, kind: Literal["room", "keeper"]) -> None:
    from bridge_daemon.app import run as running
    from bridge_daemon.app.daemon import Daemon
    from bridge_daemon.home.logs import log_loop_errors

    daemon = Daemon(home, settings, started_by=by.value, kind=kind)
    telling: set[asyncio.Task[None]] = set()

    async def serve() -> None:
        asyncio.get_running_loop().set_exception_handler(log_loop_errors)
        await running.run(daemon, ready=ready, told=terminal.note)

    async def say_ready() -> None:
        with suppress(OSError):  # the terminal may have been closed; the log says the same
            await _say_ready(daemon)

    def ready() -> None:
        telling.add(asyncio.create_task(say_ready(), name="ready"))
        telling.add(asyncio.create_task(_settle(daemon), name="settle"))

    early.check()
    asyncio.run(serve())


async def _settle(daemon: Daemon) -> None:
    """Take what is there for good out of the garbage collector's rounds: they would hold the loop up for 50 ms."""
    await daemon.warm.wait()
    gc.freeze()
    gc.enable()


async def _say_ready(daemon: Daemon) -> None:
    """Tell what runs; the key may have to be read first, so this takes its time."""
    try:
        status = await daemon.actions.status()
    except Exception:
        log.exception("The state could not be told")
        terminal.say(f"daw-bridge is running: {daemon.http_url}")
        return
    terminal.say(f"daw-bridge {status['version']} is running: {status['http_url']}", "bold green")
    day, month = format.usd(status["limit_today_usd"]), format.usd(status["limit_month_usd"])
    left = f"spent {format.usd(status['spent_today_usd'])} and {format.usd(status['spent_month_usd'])}"
    terminal.fields(
        [
            *format.engine_lines(status),
            ("Limits", f"{day} a day, {month} a month; {left}"),
            *([("Paused", f"{status['paused']['text']}; next: daw-bridge resume")] if status["paused"] else []),
            ("Home", status["home"]),
            ("Library", status["library"]),
            ("Log", status["log"]),
        ]
    )
    terminal.say("Ctrl-C stops it." if sys.stdin is not None and sys.stdin.isatty() else "SIGINT or SIGTERM stops it.")


def _say_running(running: AlreadyRunning) -> None:
    runtime = running.runtime
    if runtime is None:
        terminal.say("already running (it is just starting). Next: daw-bridge status")
        return
    since = format.when(runtime.started_at)
    terminal.say(f"already running (pid {runtime.pid}, {runtime.http_url}, since {since}). Next: daw-bridge status")
