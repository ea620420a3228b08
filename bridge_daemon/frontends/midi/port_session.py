"""The ports that are open, from connecting to the MIDI system until leaving it. All of it is the MIDI thread's."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final, Generic, Protocol, TypeVar

from bridge_daemon.frontends.midi.driver import InputPort, MidiSystem, OutputPort, PortTrouble, bare, matches
from bridge_daemon.frontends.midi.port_types import Incoming, PortsState, Wanted, twins
from bridge_daemon.util.times import monotonic

log = logging.getLogger(__name__)

#: When a port that could not be opened is tried again, s: first, and at most.
_PORT_AGAIN: Final = (1.0, 10.0)
#: Messages fetched from one port before the others have their turn.
_AT_ONCE: Final = 256
#: A message so much older than now was kept by a machine that slept, s.
_TOO_OLD: Final = 0.25
#: The driver's clock may run slower than ours by this; see Stamp.
_DRIFT: Final = 1.0001
#: Clock, time code and system exclusive: passed on from the port whose clock is wanted. Active sensing never is.
_CLOCK: Final = frozenset({0xF0, 0xF1, 0xF8})
_ACTIVE_SENSING: Final = 0xFE


class Stamp:
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


class Retry:
    """What could not be opened, and when it is tried again."""

    def __init__(self, limits: tuple[float, float]) -> None:
        self._least, self._most = limits
        self._known: dict[str, tuple[float, float]] = {}  # name: when, and the pause after that

    def due(self, name: str, now: float) -> bool:
        """Return whether it is time to try."""
        return self._known.get(name, (now, 0.0))[0] <= now

    def failed(self, name: str, now: float) -> bool:
        """Count a failure; return whether it is the first one."""
        first = name not in self._known
        pause = self._least if first else min(self._most, self._known[name][1] * 2)
        self._known[name] = (now + pause, pause)
        return first

    def over(self, name: str) -> None:
        """Forget the failures."""
        self._known.pop(name, None)


class _Input:
    """An open input, the time of its messages, and whether its clock is wanted."""

    def __init__(self, port: InputPort) -> None:
        self._port = port
        self._stamp = Stamp()
        self.clock = False
        self.waits = port.waits
        self.close = port.close

    def fetch(self, name: str, into: list[Incoming]) -> bool:
        """Fetch what came; return whether there may be more."""
        for _ in range(_AT_ONCE):
            message = self._port.poll()
            if message is None:
                return False
            data, since = message
            at = self._stamp.at(monotonic(), since)
            if data[0] != _ACTIVE_SENSING and (self.clock or data[0] not in _CLOCK):
                into.append(Incoming(name, data, at))
        return True


class _Closes(Protocol):
    def close(self) -> None: ...


_P = TypeVar("_P", bound=_Closes)


class _Direction(Generic[_P]):
    """The inputs or the outputs: which are open, and what stands in the way of others."""

    def __init__(self, kind: str, open_port: Callable[[str], _P]) -> None:
        self._kind = kind  # tells the output of a device from its input, which often has the same name
        self._open_port = open_port
        self.open: dict[str, _P] = {}
        self.trouble: dict[str, str] = {}
        self._twins: dict[str, int] = {}  # open port: how many had its name when it was opened
        self._retry = Retry(_PORT_AGAIN)

    def scan(self, there: dict[str, str], patterns: Iterable[str], now: float) -> None:
        """Open and close ports. Those that share a name are opened anew when one comes or goes: any may be another."""
        count = Counter(there.values())
        wanted = {name for name in there if any(matches(pattern, name) for pattern in patterns if pattern)}
        for name in list(self.open):
            if name not in there:
                log.info("MIDI port %s is gone", bare(name))
            if name not in wanted or count[there[name]] != self._twins[name]:
                self.close(name)
        for name in [name for name in self.trouble if name not in there]:
            self._fine(name)
        for name in there:
            if name in wanted and name not in self.open and self._retry.due(name, now):
                self._try(name, count[there[name]], now)

    def _try(self, name: str, twins: int, now: float) -> None:
        try:
            self.open[name] = self._open_port(name)
        except PortTrouble as error:
            self.failed(name, f"cannot be opened ({error}); perhaps another program has it. It is tried again", now)
            return
        self._twins[name] = twins
        log.info("MIDI port %s%s is open", name, self._kind)
        self._fine(name)

    def failed(self, name: str, trouble: str, now: float) -> None:
        """Keep what stands in the way of a port, and tell it the first time."""
        self.trouble[name] = trouble
        if self._retry.failed(name, now):
            log.warning("MIDI port %s%s %s.", name, self._kind, trouble)

    def _fine(self, name: str) -> None:
        self.trouble.pop(name, None)
        self._retry.over(name)

    def close(self, name: str) -> None:
        """Close a port that is open."""
        port = self.open.pop(name)
        del self._twins[name]
        try:
            port.close()
        except Exception as error:  # noqa: BLE001 - it is gone either way, and drivers say all kinds of things
            log.warning("MIDI port %s could not be closed (%s: %s)", name, type(error).__name__, error)

    def close_all(self) -> None:
        """Close every port."""
        for name in list(self.open):
            self.close(name)

    def told(self) -> dict[str, str]:
        """Return what stands in the way of each port that is not open."""
        return {f"{name}{self._kind}": trouble for name, trouble in self.trouble.items()}


class Session:
    """A connection to the MIDI system, and the ports that are open."""

    def __init__(self, system: MidiSystem) -> None:
        self._system = system
        self.began = time.monotonic()
        self._inputs = _Direction("", lambda name: _Input(system.open_input(name)))
        self._outputs: _Direction[OutputPort] = _Direction(" (output)", system.open_output)

    @property
    def hears(self) -> bool:
        """Whether any input is open."""
        return bool(self._inputs.open)

    def scan(self, wanted: Wanted, now: float) -> PortsState:
        """Look which ports there are, open what is wanted, close the rest. Raises NoMidi."""
        inputs = self._system.inputs()
        outputs = self._system.outputs() if wanted.outputs else {}
        self._inputs.scan(inputs, [*wanted.inputs, wanted.clock], now)
        self._outputs.scan(outputs, wanted.outputs, now)
        for name, one in self._inputs.open.items():
            one.clock = bool(wanted.clock) and matches(wanted.clock, name)
        return PortsState(
            inputs=tuple(inputs),
            outputs=tuple(outputs),
            open_inputs=tuple(self._inputs.open),
            open_outputs=tuple(self._outputs.open),
            trouble=self._inputs.told() | self._outputs.told(),
            twins=twins(inputs) | twins(outputs),
        )

    def waits(self) -> bool:
        """Return whether a message waits at any input."""
        for one in self._inputs.open.values():  # noqa: SIM110 - any() would take twice as long
            if one.waits():
                return True
        return False

    def fetch(self) -> tuple[list[Incoming], bool]:
        """Return what came, and whether there may be more."""
        fetched: list[Incoming] = []
        more = [one.fetch(name, fetched) for name, one in self._inputs.open.items()]
        return fetched, any(more)

    def send(self, name: str, data: bytes, now: float) -> None:
        """Send a message to an output that is open; if it is not, nothing is sent."""
        output = self._outputs.open.get(name)
        if output is None:
            return
        try:
            output.send(data)
        except PortTrouble as error:
            self._outputs.close(name)
            self._outputs.failed(name, f"took no message ({error}). It is opened again", now)

    def close(self) -> None:
        """Close every port, and leave the system."""
        self._inputs.close_all()
        self._outputs.close_all()
        self._system.close()
