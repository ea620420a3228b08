"""MIDI clock and MIDI time code as a transport."""

from __future__ import annotations

import mido

from bridge_daemon.clock import Clock


class MidiClockSource:
    """Reads the clock messages of one MIDI input and feeds them to the Clock."""

    def __init__(self, clock: Clock, client: str) -> None:
        """Feed ``clock`` under the name ``client``."""
        self._clock = clock
        self._client = client

    def take(self, message: mido.Message, at: float) -> None:
        """Take a message that came at ``at`` (monotonic, s). Whatever is no clock is passed over."""
        if message.type in ("start", "continue", "stop"):
            self._clock.update(self._client, {"playing": message.type != "stop"})
