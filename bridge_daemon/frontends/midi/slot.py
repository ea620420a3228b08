"""A binding and everything that was seen of it: its pad, its light, its decoders, and a press that is held."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bridge_daemon.frontends.midi.gestures import Decoder, Gesture
from bridge_daemon.frontends.midi.lights import Lamp
from bridge_daemon.frontends.midi.pad import Pad
from bridge_daemon.settings.sections import Binding

if TYPE_CHECKING:
    import mido  # loaded with the first port, no start waits for it


class Slot:
    """A binding and everything that was seen of it."""

    def __init__(self, binding: Binding, lamp: Lamp) -> None:
        self.binding = binding
        self.lamp = lamp
        self.pad = Pad(binding)
        self._decoders: dict[str, Decoder] = {}  # one for each port: two controllers do not share a knob
        self.held: tuple[str, asyncio.TimerHandle] | None = None  # port, and the timer of a press that is held

    def decode(self, port: str, message: mido.Message) -> Gesture | None:
        """Read a message of a port."""
        if port not in self._decoders:
            self._decoders[port] = Decoder(self.binding)
        return self._decoders[port].take(message)

    @property
    def ports(self) -> list[str]:
        """The ports that it has heard from."""
        return list(self._decoders)

    def forget(self, port: str) -> bool:
        """Forget a port that is gone; return whether a press on it was held."""
        self._decoders.pop(port, None)
        return self.held is not None and self.held[0] == port and self.let_go()

    def let_go(self) -> bool:
        """End a hold that has not counted yet; return whether there was one."""
        held, self.held = self.held, None
        if held is not None:
            held[1].cancel()
        return held is not None
