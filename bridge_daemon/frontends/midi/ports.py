"""The MIDI thread: finds, opens, polls and closes ports, and sends to them.

All of python-rtmidi is used by this one thread, for its calls block, and nothing of it is safe in two threads. What
comes in is stamped here and handed to the event loop; what stands in the way of a port is told once, and the port is
tried again. rtmidi offers no wait for the next message, so open inputs are polled: every 1.5 ms while somebody plays,
every 7 ms otherwise (0.6 % of a core). Where no port is open nothing is polled at all.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from bridge_daemon.frontends.midi.driver import InputPort, MidiSystem, NoMidi, OutputPort, PortTrouble, bare, matches

log = logging.getLogger(__name__)

#: Seconds between two polls while somebody plays, and while nobody does.
PLAYING: Final = 0.0015
IDLE: Final = 0.007
#: Somebody plays for so long after a message, s.
_LIVELY: Final = 30.0
#: How often it is looked which ports there are, s. A port that is gone for less may stay unconnected unnoticed.
SCAN: Final = 0.5
#: When a port that could not be opened is tried again, and a system that is not there, s: first, and at most.
_PORT_AGAIN: Final = (1.0, 10.0)
_SYSTEM_AGAIN: Final = (2.0, 60.0)
#: Connect anew where a server that may have died tells of no ports, s.
_RECONNECT: Final = 5.0
#: Messages fetched from one port before the others have their turn, and those the loop may be behind.
_AT_ONCE: Final = 256
MOST_WAITING: Final = 20_000
#: Messages that the loop is given in one piece: it does other work in between.
_PIECE: Final = 100
#: A message so much older than now was kept by a machine that slept, s.
_TOO_OLD: Final = 0.25
#: The driver's clock may run slower than ours by this; see _Stamp.
_DRIFT: Final = 1.0001
_END: Final = 5.0  # s that the end of the thread is waited for


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message as it came."""

    port: str
    data: bytes
    at: float  # monotonic, s


@dataclass(frozen=True, kw_only=True, slots=True)
class PortsState:
    """How the ports are."""

    system: str | None = None  #: why there is no MIDI; None: there is
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    open_inputs: tuple[str, ...] = ()
    open_outputs: tuple[str, ...] = ()
    trouble: dict[str, str] = field(default_factory=dict)  #: port: why it is not open


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which ports are to be open, as patterns of names."""

    inputs: frozenset[str] = frozenset()
    outputs: frozenset[str] = frozenset()
    clock: str = ""  #: the input whose clock is heard

    def __bool__(self) -> bool:
        """Whether any is."""
        return bool(self.inputs or self.outputs or self.clock)


class _Stamp:
    """When messages arrived: the driver tells the time between two of them, far better than a poll could.

    The first one is stamped when it is fetched, which is late by up to a poll. Whenever one turns out to have come
    before it could have been there, all are moved to earlier by that; so the stamps settle at the least delay seen.
    """

    def __init__(self) -> None:
        self._last: float | None = None

    def at(self, now: float, since: float) -> float:
        """Return when a message fetched at ``now`` arrived, ``since`` seconds after the one before."""
        told = now if self._last is None else self._last + since * _DRIFT
        self._last = now if told > now or told < now - _TOO_OLD else told
        return self._last


class _Input:
    """An open input and the time of its messages."""

    def __init__(self, port: InputPort) -> None:
        self.port = port
        self.stamp = _Stamp()


class _Retry:
    """What could not be opened, and when it is tried again."""

    def __init__(self, limits: tuple[float, float]) -> None:
        self._least, self._most = limits
        self._known: dict[str, tuple[float, float]] = {}  # name: when, and the pause after that

    def due(self, name: str, now: float) -> bool:
        return self._known.get(name, (now, 0.0))[0] <= now

    def failed(self, name: str, now: float) -> bool:
        """Take a failure; tell whether it is the first one."""
        first = name not in self._known
        pause = self._least if first else min(self._most, self._known[name][1] * 2)
        self._known[name] = (now + pause, pause)
        return first

    def over(self, name: str) -> None:
        self._known.pop(name, None)


class MidiPorts:
    """Opens the ports that are wanted, as long as they are there."""

    def __init__(
        self,
        on_message: Callable[[Incoming], None],
        on_change: Callable[[PortsState], None],
        *,
        system: Callable[[], MidiSystem] = MidiSystem,
    ) -> None:
        """``on_message`` and ``on_change`` are called on the event loop that runs :meth:`start`."""
        self._on_message = on_message
        self._on_change = on_change
        self._make_system = system
        self.state = PortsState()
        self.lost = 0  # messages that came faster than they could be looked at
        self._waiting: deque[Incoming] = deque()
        self._told = False  # the loop knows that something waits
        self._thread: threading.Thread | None = None
        self._commands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._wake = threading.Event()
        # from here on: of the thread
        self._wanted = Wanted()
        self._system: MidiSystem | None = None
        self._inputs: dict[str, _Input] = {}
        self._outputs: dict[str, OutputPort] = {}
        self._trouble: dict[str, str] = {}
        self._retry = _Retry(_PORT_AGAIN)
        self._system_retry = _Retry(_SYSTEM_AGAIN)
        self._no_system: str | None = None
        self._empty_since: float | None = None
        self._next_scan = 0.0
        self._heard = -_LIVELY
        self._stopping = False
        self._seen = PortsState()

    # On the event loop

    def want(self, wanted: Wanted) -> None:
        """Open what is wanted from now on; what is open and still wanted is not touched."""
        if self._thread is None:
            if not wanted:
                return
            self._loop = asyncio.get_running_loop()
            self._ended = asyncio.Event()
            self._stopping = False
            self._thread = threading.Thread(target=self._run, name="midi", daemon=True)
            self._thread.start()

        def command() -> None:
            self._wanted = wanted
            self._next_scan = 0.0

        self._command(command)

    def send(self, port: str, data: bytes) -> None:
        """Send a message to an output that is open; where it is not, nothing is sent."""
        self._command(lambda: self._send(port, data))

    def _command(self, command: Callable[[], None]) -> None:
        self._commands.put(command)
        self._wake.set()

    async def close(self) -> None:
        """Close every port, and end the thread."""
        thread, self._thread = self._thread, None
        if thread is None:
            return

        def command() -> None:
            self._stopping = True

        self._command(command)
        try:
            async with asyncio.timeout(_END):
                await self._ended.wait()
        except TimeoutError:
            log.error("A MIDI driver does not let go of its port; it is left to the end of the program.")
            return
        thread.join()
        self._waiting.clear()

    def _drain(self) -> None:
        """Give the loop what waits, in pieces."""
        self._told = False
        for _ in range(_PIECE):
            try:
                incoming = self._waiting.popleft()
            except IndexError:
                return
            self._on_message(incoming)
        self._told = True
        self._loop.call_soon(self._drain)

    def _changed(self, state: PortsState) -> None:
        self.state = state
        self._on_change(state)

    # In the thread

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        with suppress(RuntimeError):  # the loop has ended before us
            self._loop.call_soon_threadsafe(function, *arguments)

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._turn()
        except Exception:
            log.exception("A fault of ours in the MIDI thread; MIDI works again after a restart.")
        finally:
            self._leave()
            self._call(self._ended.set)

    def _turn(self) -> None:
        if not self._commands.empty():
            self._do_commands()
        if self._stopping:
            return
        now = time.monotonic()
        if now >= self._next_scan:
            self._scan(now)
            self._next_scan = now + SCAN
        if self._inputs:
            if not self._poll():
                time.sleep(PLAYING if now - self._heard < _LIVELY else IDLE)
        else:
            self._wake.wait(SCAN if self._wanted else None)
            self._wake.clear()

    def _do_commands(self) -> None:
        with suppress(queue.Empty):
            while True:
                self._commands.get_nowait()()

    def _poll(self) -> bool:
        """Fetch what came; tell whether there may be more."""
        fetched: list[Incoming] = []
        more = False
        for name, one in self._inputs.items():
            poll = one.port.poll
            for _ in range(_AT_ONCE):
                message = poll()
                if message is None:
                    break
                fetched.append(Incoming(name, bytes(message[0]), one.stamp.at(time.monotonic(), message[1])))
            else:
                more = True
        if fetched:
            self._heard = fetched[-1].at
            self._hand_over(fetched)
        return more

    def _hand_over(self, fetched: list[Incoming]) -> None:
        room = MOST_WAITING - len(self._waiting)
        self.lost += max(0, len(fetched) - room)
        self._waiting.extend(fetched[: max(0, room)])
        if not self._told:
            self._told = True
            self._call(self._drain)

    def _send(self, port: str, data: bytes) -> None:
        output = self._outputs.get(port)
        if output is None:
            return
        try:
            output.send(data)
        except PortTrouble as error:
            log.warning("MIDI output %s: %s", port, error)
            self._close(self._outputs, port)

    def _scan(self, now: float) -> None:
        """Look which ports there are, and open and close them."""
        inputs, outputs = self._look(now)
        self._close_gone(self._inputs, inputs, [*self._wanted.inputs, self._wanted.clock])
        self._close_gone(self._outputs, outputs, self._wanted.outputs)
        for name in inputs:
            if self._is_wanted(name, [*self._wanted.inputs, self._wanted.clock]) and name not in self._inputs:
                self._open_input(name, now)
        for name in outputs:
            if self._is_wanted(name, self._wanted.outputs) and name not in self._outputs:
                self._open_output(name, now)
        for name, one in self._inputs.items():
            clock = bool(self._wanted.clock) and matches(self._wanted.clock, name)
            one.port.hear_clock(clock)
        there = {*inputs, *(_as_output(name) for name in outputs)}
        for name in [name for name in self._trouble if name not in there]:
            self._no_trouble(name)
        state = PortsState(
            system=self._no_system,
            inputs=tuple(inputs),
            outputs=tuple(outputs),
            open_inputs=tuple(self._inputs),
            open_outputs=tuple(self._outputs),
            trouble=dict(self._trouble),
        )
        if state != self._seen:
            self._seen = state
            self._call(self._changed, state)

    def _look(self, now: float) -> tuple[list[str], list[str]]:
        """Return the inputs and outputs that are there."""
        if not self._wanted:
            self._disconnect()
            return [], []
        if self._system is None and not self._connect(now):
            return [], []
        assert self._system is not None
        try:
            inputs = self._system.inputs()
            outputs = self._system.outputs() if self._wanted.outputs else []
        except NoMidi as error:
            self._no_system = str(error)
            self._disconnect()
            return [], []
        if inputs or not self._system.dies:
            self._empty_since = None
        elif self._empty_since is None:
            self._empty_since = now
        elif now - self._empty_since > _RECONNECT:
            self._disconnect()
        return list(dict.fromkeys(inputs)), list(dict.fromkeys(outputs))

    def _connect(self, now: float) -> bool:
        if not self._system_retry.due("", now):
            return False
        try:
            self._system = self._make_system()
        except NoMidi as error:
            self._no_system = str(error)
            if self._system_retry.failed("", now):
                log.info("There is no MIDI here: %s. Everything else works; it is looked for again.", error)
            return False
        self._no_system = None
        self._system_retry.over("")
        return True

    def _disconnect(self) -> None:
        system, self._system = self._system, None
        self._empty_since = None
        if system is not None:
            self._close_gone(self._inputs, (), ())
            self._close_gone(self._outputs, (), ())
            system.close()

    def _is_wanted(self, name: str, patterns: Iterable[str]) -> bool:
        return any(matches(pattern, name) for pattern in patterns if pattern)

    def _close_gone(
        self, ports: dict[str, _Input] | dict[str, OutputPort], there: Collection[str], patterns: Iterable[str]
    ) -> None:
        patterns = list(patterns)
        for name in [name for name in ports if name not in there or not self._is_wanted(name, patterns)]:
            if name not in there:
                log.info("MIDI port %s is gone", bare(name))
            self._close(ports, name)

    def _close(self, ports: dict[str, _Input] | dict[str, OutputPort], name: str) -> None:
        gone = ports.pop(name)
        port = gone.port if isinstance(gone, _Input) else gone
        try:
            port.close()
        except Exception as error:  # noqa: BLE001 - it is gone either way, and drivers say all kinds of things
            log.warning("MIDI port %s could not be closed (%s: %s)", name, type(error).__name__, error)

    def _open_input(self, name: str, now: float) -> None:
        system = self._system
        if system is None or not self._retry.due(name, now):
            return
        try:
            port = system.open_input(name)
        except PortTrouble as error:
            self._take_trouble(name, error, now)
            return
        self._inputs[name] = _Input(port)
        self._opened(name)

    def _open_output(self, name: str, now: float) -> None:
        system = self._system
        if system is None or not self._retry.due(_as_output(name), now):
            return
        try:
            self._outputs[name] = system.open_output(name)
        except PortTrouble as error:
            self._take_trouble(_as_output(name), error, now)
            return
        self._opened(_as_output(name))

    def _opened(self, name: str) -> None:
        log.info("MIDI port %s is open", name)
        self._no_trouble(name)

    def _no_trouble(self, name: str) -> None:
        self._trouble.pop(name, None)
        self._retry.over(name)

    def _take_trouble(self, name: str, error: PortTrouble, now: float) -> None:
        self._trouble[name] = f"cannot be opened ({error}); perhaps another program has it. It is tried again"
        if self._retry.failed(name, now):
            log.warning("MIDI port %s %s.", name, self._trouble[name])

    def _leave(self) -> None:
        """Send what was still to be sent, and close everything."""
        with suppress(queue.Empty):
            while True:
                self._commands.get_nowait()()
        for ports in (self._inputs, self._outputs):
            for name in list(ports):
                self._close(ports, name)
        if self._system is not None:
            self._system.close()
            self._system = None


def _as_output(name: str) -> str:
    """Return what tells the output of a device from its input, which often has the same name."""
    return f"{name} (output)"
