"""Runs a daemon until a signal ends it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from bridge_daemon.app.daemon import Daemon
from bridge_daemon.errors import BridgeError, StudioAway
from bridge_daemon.util.console import ConsoleEnd
from bridge_daemon.util.stopping import StopEvent
from bridge_daemon.util.threads import DaemonPool

#: For short work that blocks; more than asyncio takes, since one may hang on a disk for a while.
_THREADS: Final = 32
#: A thread that makes takes gives way to the event loop after so long, s; Python's own 5 ms add up during a press.
#: Not less: Windows waits whole milliseconds, and Python would make 0 of a half, which spins.
_TURN: Final = 0.001
log = logging.getLogger(__name__)
_WIRE: Final = " A request on the wire is awaited for up to 30 s; press Ctrl-C again to leave it."


async def run(daemon: Daemon, *, ready: Callable[[], None], told: Callable[[str], None]) -> None:
    """Run a daemon until SIGINT, SIGTERM or Ctrl-Break; a second one does not wait for the wire.

    The end of a console of Windows (its window is closed, somebody logs off) ends it as SIGTERM does.
    SIGHUP, if the platform has it, reads the settings again, or ends the daemon if its terminal was closed.
    ``ready`` is called once it can be used; ``told`` gets lines for the person at the terminal.
    """
    loop = asyncio.get_running_loop()
    ask = asyncio.Event()
    hurry = asyncio.Event()
    reloading: set[asyncio.Task[None]] = set()
    ends_with_terminal = _ends_with_terminal()

    def on_signal() -> None:
        if ask.is_set():
            hurry.set()
        ask.set()
        daemon.give_up.set()

    def on_hangup() -> None:
        if ends_with_terminal and not _has_terminal():
            log.info("The terminal was closed")
            ask.set()
        elif not ask.is_set():
            task = asyncio.create_task(_reload(daemon, told), name="reload")
            reloading.add(task)
            task.add_done_callback(reloading.discard)

    def on_console_end() -> None:
        loop.call_soon_threadsafe(on_signal)

    # a thread that hangs on a disk must not hold up the end
    sys.setswitchinterval(_TURN)
    loop.set_default_executor(DaemonPool(_THREADS, "asyncio"))
    with (
        _signals(on_signal, on_hangup),
        ConsoleEnd(on_console_end),
        StopEvent(daemon.home.path, on_console_end),
    ):
        try:
            await daemon.start()
        except StudioAway:
            if ask.is_set():
                return
            raise
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
    """Return whether the end of a terminal is to end this process: not without one, and not under ``nohup``."""
    return sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN and _has_terminal()


def _has_terminal() -> bool:
    """Return whether this process has a terminal that is still there."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | getattr(os, "O_NOCTTY", 0)))
    except OSError:
        return False
    return True


class _signals:  # noqa: N801 - used as a function
    """Calls handlers on the event loop while it is entered: for SIGINT and SIGTERM, and for SIGHUP."""

    def __init__(self, handler: Callable[[], None], hangup: Callable[[], None]) -> None:
        self._handlers = {signal.SIGINT: handler, signal.SIGTERM: handler}
        if sys.platform == "win32":
            self._handlers[signal.SIGBREAK] = handler
        else:
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
