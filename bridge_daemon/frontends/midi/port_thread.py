"""The MIDI thread: connects to the MIDI system, polls what is open, and starts anew when anything fails.

All of the driver is used by this one thread, for its calls block, and nothing of it is safe in two threads. RtMidi
offers no wait for the next message, so inputs are polled: every millisecond while somebody plays, every 20 ms when
nobody does. Where no input is open nothing is polled at all.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final

from bridge_daemon.frontends.midi.driver import MidiSystem, NoMidi
from bridge_daemon.frontends.midi.port_session import Retry, Session
from bridge_daemon.frontends.midi.port_types import Incoming, PortsState, Wanted

log = logging.getLogger(__name__)

#: So long after a message somebody plays, s; so often it is polled then, and when nobody does, s. A rare poll makes the
#: first press after a rest later by as much, and not its stamp: the driver tells when a message came.
_PLAYS: Final = 30.0
_PLAYING: Final = 0.001
_RESTING: Final = 0.02
#: How often it is looked which ports there are, s. A port that is gone for less may stay unconnected unnoticed.
SCAN: Final = 0.5
#: When a system that is not there, or in which something failed, is tried again, s: first, and at most.
_AGAIN: Final = (2.0, 60.0)
#: After so long without a fault, the next one is told again, s.
_SETTLED: Final = 60.0
#: Messages that the loop may be behind, and those that it is given in one piece: it does other work in between.
MOST_WAITING: Final = 20_000
_PIECE: Final = 100
#: A driver that has not come back after this hangs, s.
_HANGS: Final = 5.0


class Handover:
    """Messages on their way from the thread to the event loop."""

    def __init__(self, take: Callable[[Incoming], None]) -> None:
        self._take = take
        self._waiting: deque[Incoming] = deque()
        self._told = False  # the loop knows that something waits
        self.lost = 0  # messages that came faster than they could be looked at

    def put(self, messages: list[Incoming]) -> bool:
        """Add messages, in the thread; return True if the loop must be asked to :meth:`drain`."""
        room = max(0, MOST_WAITING - len(self._waiting))
        self.lost += max(0, len(messages) - room)
        self._waiting.extend(messages[:room])
        told, self._told = self._told, True
        return not told

    def drain(self) -> None:
        """Hand over what waits, on the loop and in pieces. One message that fails does not hold up the others."""
        self._told = False
        try:
            for _ in range(_PIECE):
                if not self._waiting:
                    return
                self._take(self._waiting.popleft())
        finally:
            if self._waiting and not self._told:
                self._told = True
                asyncio.get_running_loop().call_soon(self.drain)

    def clear(self) -> None:
        """Forget what waits."""
        self._waiting.clear()


def pause_after(seconds: float) -> float:
    """Return the seconds until the next poll, if the last message came ``seconds`` ago."""
    return _PLAYING if seconds < _PLAYS else _RESTING


class PortThread:
    """The thread. Everything underscored is its own; the methods without underscore are for the event loop."""

    def __init__(
        self, handover: Handover, changed: Callable[[PortsState], None], make_system: Callable[[], MidiSystem]
    ) -> None:
        """Start it. ``changed`` is called on the running event loop."""
        self.ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._handover = handover
        self._changed = changed
        self._make_system = make_system
        self._commands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._wake = threading.Event()
        self._ending = False
        self._busy_since: float | None = None
        self._wanted = Wanted()
        self._session: Session | None = None
        self._retry = Retry(_AGAIN)
        self._state = PortsState()
        self._next_scan = 0.0
        self._heard = 0.0
        self._thread = threading.Thread(target=self._run, name="midi", daemon=True)
        self._thread.start()

    # On the event loop

    def want(self, wanted: Wanted) -> None:
        """Open what is wanted from now on; what is open and still wanted is not touched."""

        def command() -> None:
            self._wanted = wanted
            self._next_scan = 0.0

        self._command(command)

    def send(self, port: str, data: bytes) -> None:
        """Send a message to an output that is open; if it is not, nothing is sent."""

        def command() -> None:
            if self._session is not None:
                self._session.send(port, data, time.monotonic())

        self._command(command)

    def end(self) -> None:
        """Close every port and end; ``ended`` is set then."""

        def command() -> None:
            self._ending = True

        self._command(command)

    def join(self) -> None:
        """Wait for the thread, after ``ended``."""
        self._thread.join()

    def hangs(self) -> float | None:
        """Return for how long the driver has not come back, if that is too long."""
        since = self._busy_since
        seconds = time.monotonic() - since if since is not None else 0.0
        return seconds if seconds > _HANGS else None

    def _command(self, command: Callable[[], None]) -> None:
        self._commands.put(command)
        self._wake.set()

    # In the thread

    def _tell(self, function: Callable[..., None], *arguments: object) -> None:
        with suppress(RuntimeError):  # the loop has ended before us
            self._loop.call_soon_threadsafe(function, *arguments)

    def _run(self) -> None:
        while not self._ending:
            self._busy_since = time.monotonic()
            try:
                pause = self._turn()
                self._busy_since = None
                self._wait(pause)
            except Exception as error:  # noqa: BLE001 - whatever it is, MIDI must come back
                self._broke(error)
            self._busy_since = None
        try:
            self._do_commands()  # send what was still to be sent
            self._leave()
        except Exception:
            log.exception("MIDI did not end as it should")
        self._tell(self.ended.set)

    def _turn(self) -> float | None:
        """Do what is to be done; return the seconds between two polls then, None: nothing is to be polled."""
        self._do_commands()
        if self._ending:
            return 0.0
        now = time.monotonic()
        if now >= self._next_scan:
            self._next_scan = now + SCAN
            self._scan(now)
        if self._session is None or not self._session.hears:
            return None
        fetched, more = self._session.fetch()
        if fetched:
            self._heard = now
            if self._handover.put(fetched):
                self._tell(self._handover.drain)
        if more:
            return 0.0
        return pause_after(now - self._heard)

    def _wait(self, pause: float | None) -> None:
        """Return when there is something to do. A turn for each poll would cost three times as much."""
        if pause is None:
            self._wake.wait(SCAN if self._wanted else None)
            self._wake.clear()
            return
        session = self._session
        while pause and session is not None and self._commands.empty():
            time.sleep(pause)
            self._busy_since = now = time.monotonic()
            waits = session.waits()
            self._busy_since = None
            if waits or now >= self._next_scan:
                return

    def _do_commands(self) -> None:
        with suppress(queue.Empty):
            while True:
                self._commands.get_nowait()()

    def _scan(self, now: float) -> None:
        try:
            self._report(self._look(now))
        except NoMidi as error:
            self._leave()
            if self._retry.failed("system", now):
                log.info("There is no MIDI here: %s. Everything else works; it is looked for again.", error)
            self._report(PortsState(system=str(error)))

    def _look(self, now: float) -> PortsState:
        """Connect if that is needed, and open and close ports. Raises NoMidi."""
        if not self._wanted:
            self._leave()
            return PortsState()
        if self._session is None:
            if not (self._retry.due("system", now) and self._retry.due("fault", now)):
                return self._state
            self._session = Session(self._make_system())
            self._heard = now  # the stamp of its first message is that of the poll which finds it: not a rare one
        state = self._session.scan(self._wanted, now)
        self._retry.over("system")
        if now - self._session.began > _SETTLED:
            self._retry.over("fault")
        return state

    def _report(self, state: PortsState) -> None:
        if state != self._state:
            self._state = state
            self._tell(self._changed, state)

    def _broke(self, error: Exception) -> None:
        """Leave after a fault, and let MIDI start anew."""
        if self._retry.failed("fault", time.monotonic()):
            log.error("A fault in the MIDI thread; every port is opened anew.", exc_info=error)
        try:
            self._leave()
        except Exception as more:  # noqa: BLE001 - the first fault is the one that was told
            log.warning("MIDI could not be left in good order (%s: %s)", type(more).__name__, more)
        told = f"a fault ({type(error).__name__}: {error}); every port is opened anew"
        self._report(replace(self._state, system=told, open_inputs=(), open_outputs=()))

    def _leave(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()
