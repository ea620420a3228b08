"""The lights of pads: what is sent back to a controller, one small state machine for each binding that has a light.

What shows, in this order: a refusal for a moment, a job on its way, a take that has just come for a moment, armed,
idle. A state without a value shows as the next one that has a value. Only changes are sent, and everything once more
to a controller that was plugged in again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from typing import Final

from bridge_daemon.frontends.midi.driver import matches
from bridge_daemon.settings.sections import Binding

#: How long a refusal and a finished take are shown, s.
REFUSED_FOR: Final = 1.5
DONE_FOR: Final = 3.0
#: A message that comes back so soon, s, is the echo of a light (a loop in the wiring), and no press.
ECHO: Final = 0.1
#: A controller that was plugged in is sent its lights again after this, s: what comes too early is lost.
READY_AFTER: Final = 1.0
_FALLS_TO: Final = {"refused": "armed", "working": "armed", "done": "armed", "armed": "idle"}

Send = Callable[[str, bytes], None]


class Lamp:
    """The light of one binding."""

    def __init__(self, binding: Binding, changed: Callable[[Lamp], None]) -> None:
        """Idle."""
        self.binding = binding
        self._channel = binding.channel or 1
        self._number = binding.number
        self._changed = changed
        self._armed = False
        self._jobs: set[str] = set()
        self._flash: str | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def state(self) -> str:
        """What it shows."""
        if self._flash == "refused":
            return "refused"
        if self._jobs:
            return "working"
        return self._flash or ("armed" if self._armed else "idle")

    def data(self) -> bytes | None:
        """Return the message that shows it, None if the binding has no value for that."""
        light, binding = self.binding.light, self.binding
        state: str | None = self.state
        while state is not None and light is not None:
            value = getattr(light, state)
            if value is not None:
                number, channel = self._number, self._channel - 1
                if number is None:
                    return None  # any pad is meant, and none was pressed yet
                import mido  # loaded with the first port, no start waits for it

                if binding.message == "note_on":
                    message = mido.Message("note_on", channel=channel, note=number, velocity=value)
                else:
                    message = mido.Message("control_change", channel=channel, control=number, value=value)
                return bytes(message.bytes())
            # a refusal must not look like a promise: where pads are not armed it falls through to idle
            state = _FALLS_TO.get(state)
            if state == "armed" and not self._armed:
                state = "idle"
        return None

    def pressed(self, channel: int, number: int) -> None:
        """Note which pad was pressed: a binding that takes any of them lights that one."""
        if (channel, number) != (self._channel, self._number):
            self._channel, self._number = channel, number
            self._changed(self)

    def armed(self, armed: bool) -> None:
        """Show whether a press would act."""
        self._armed = armed
        self._changed(self)

    def working(self, job: str, on: bool) -> None:
        """Show whether a job of this pad is on its way."""
        (self._jobs.add if on else self._jobs.discard)(job)
        self._changed(self)

    def is_working(self, job: str) -> bool:
        """Return whether a job was on its way when it was last heard of."""
        return job in self._jobs

    def flash(self, state: str) -> None:
        """Show ``done`` or ``refused`` for a moment."""
        self._stop()
        self._flash = state
        seconds = REFUSED_FOR if state == "refused" else DONE_FOR
        self._timer = asyncio.get_running_loop().call_later(seconds, self._over)
        self._changed(self)

    def _over(self) -> None:
        self._timer = self._flash = None
        self._changed(self)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def off(self) -> None:
        """Forget everything: idle."""
        self._stop()
        self._flash, self._armed = None, False
        self._jobs.clear()
        self._changed(self)


class Lights:
    """All lamps, and the outputs that they are sent to."""

    def __init__(self, send: Send, monotonic: Callable[[], float]) -> None:
        """No output is open yet."""
        self._send = send
        self._monotonic = monotonic
        self._lamps: dict[str, Lamp] = {}
        self._open: tuple[str, ...] = ()
        self._shown: dict[tuple[str, str], bytes] = {}  # port and binding: what was sent last
        self._fresh: dict[str, asyncio.TimerHandle] = {}  # outputs that have just come
        self._sent: deque[tuple[float, bytes]] = deque(maxlen=256)

    def add(self, binding: Binding) -> Lamp:
        """Return the lamp of a binding; one without ``light`` shows nothing."""
        lamp = Lamp(binding, self._show)
        self._lamps[binding.name] = lamp
        self._show(lamp)
        return lamp

    def remove(self, name: str) -> None:
        """Put out the lamp of a binding that is there no more."""
        lamp = self._lamps.pop(name)
        lamp.off()
        for key in [key for key in self._shown if key[1] == name]:
            del self._shown[key]

    def ports(self, there: Collection[str]) -> None:
        """Note which outputs are open; one that has come is sent everything, and once more when it is surely ready."""
        gone, come = set(self._open) - set(there), set(there) - set(self._open)
        self._open = tuple(there)
        for port in gone:
            self._forget(port)
            if port in self._fresh:
                self._fresh.pop(port).cancel()
        self._show_all()
        for port in come:
            self._fresh[port] = asyncio.get_running_loop().call_later(READY_AFTER, self._again, port)

    def _again(self, port: str) -> None:
        del self._fresh[port]
        self._forget(port)
        self._show_all()

    def _forget(self, port: str) -> None:
        for key in [key for key in self._shown if key[0] == port]:
            del self._shown[key]

    def _show_all(self) -> None:
        for lamp in self._lamps.values():
            self._show(lamp)

    def _show(self, lamp: Lamp) -> None:
        if lamp.binding.light is None:
            return
        data = lamp.data()
        if data is None:
            return
        for port in self._open:
            key = (port, lamp.binding.name)
            shown = self._shown.get(key)
            if matches(lamp.binding.port, port) and shown != data:
                if shown is not None and shown[:2] != data[:2]:  # it has moved to another pad
                    self._out(port, shown[:2] + bytes([lamp.binding.light.idle or 0]))
                self._shown[key] = data
                self._out(port, data)

    def _out(self, port: str, data: bytes) -> None:
        self._sent.append((self._monotonic(), data))
        self._send(port, data)

    def is_echo(self, data: bytes) -> bool:
        """Return whether a message that came is one of ours that came back; each is taken for an echo once."""
        now = self._monotonic()
        while self._sent and now - self._sent[0][0] > ECHO:
            self._sent.popleft()
        for one in self._sent:
            if one[1] == data:
                self._sent.remove(one)
                return True
        return False

    def off(self) -> None:
        """Put out every lamp: the bridge ends."""
        for timer in self._fresh.values():
            timer.cancel()
        self._fresh.clear()
        for lamp in self._lamps.values():
            lamp.off()
