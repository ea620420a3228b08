"""MIDI clock and MIDI time code as a transport.

MIDI clock tells the tempo and, by start, continue and song position, the beats; MIDI time code tells the seconds. One
cable may carry both. Neither tells the meter.
"""

from __future__ import annotations

from typing import Any, Final

import mido

from bridge_daemon.clock.ticks import PER_QUARTER, SILENT, Ticks
from bridge_daemon.clock.time_code import QuarterFrames, full_frame
from bridge_daemon.clock.transport import LIMITS, Clock

_PER_SONG_POSITION: Final = 6  # ticks in a sixteenth
#: A tempo so near to a whole number is that number, BPM: this is what is left of the jitter.
_WHOLE: Final = 0.03


class MidiClockSource:
    """Reads the clock messages of one MIDI input and feeds them to the Clock. Not for several inputs at once."""

    def __init__(self, clock: Clock, client: str) -> None:
        """Feed ``clock`` under the name ``client`` (clock.MIDI_CLOCK)."""
        self._clock = clock
        self._client = client
        self._ticks = Ticks()
        self._frames = QuarterFrames()
        self._playing: bool | None = None  # None: neither start nor stop was heard
        self._song: int | None = None  # the tick of the song that came last; None: not known
        self._alive: float | None = None  # when a tick, or a start, came last
        self._waiting = False  # for the first tick after a start, which is where the song stands, whenever it comes

    def take(self, message: mido.Message, at: float) -> None:
        """Handle a message that came at ``at`` (monotonic, s). Whatever is no clock is passed over."""
        match message.type:
            case "clock":
                self._tick(at)
            case "start":
                self._song = -1  # the next tick is the first of the song
                self._go(at)
            case "continue":
                self._go(at)
            case "stop":
                self._playing = self._waiting = False
                self._tell({"playing": False} | self._beats(at), at)
            case "songpos":
                self._song = message.pos * _PER_SONG_POSITION - 1
                self._tell({"beats": message.pos * _PER_SONG_POSITION / PER_QUARTER}, at)
            case "quarter_frame":
                position = self._frames.add(message.frame_type, message.frame_value, at)
                if position is not None:
                    self._locate(position, at, playing=self._frames.playing)
            case "sysex":
                position = full_frame(message.data)
                if position is not None:
                    self._locate(position, at, playing=False)

    def _go(self, at: float) -> None:
        self._playing = True
        self._alive, self._waiting = at, True
        self._ticks.restart()  # its ticks need not be where those before it were
        beats = {"beats": (self._song + 1) / PER_QUARTER} if self._song is not None else {}
        self._tell({"playing": True} | beats, at)

    def _tick(self, at: float) -> None:
        if self._playing and not self._waiting and self._alive is not None and at - self._alive > SILENT:
            self._song = None  # the cable was out, and nobody knows how far the song went on
        self._alive, self._waiting = at, False
        steps = self._ticks.add(at)
        if self._playing and self._song is not None:
            self._song = max(-1, self._song + steps)
        self._tell(self._beats(at), at)

    def _beats(self, at: float) -> dict[str, Any]:
        if self._song is None:
            return {"beats": None}
        ahead = self._ticks.ahead(at) if self._playing and self._song > 0 else 0.0
        return {"beats": max(0.0, (self._song + ahead) / PER_QUARTER)}

    def _locate(self, position: float, at: float, *, playing: bool) -> None:
        """Handle a time code. Where a clock runs beside it, that tells whether it plays: it says so at once."""
        clocked = self._playing is not None and self._alive is not None and at - self._alive <= SILENT
        self._tell({"position": position - self._clock.time_code_start} | ({} if clocked else {"playing": playing}), at)

    def _tell(self, fields: dict[str, Any], at: float) -> None:
        tempo = self._ticks.tempo
        if tempo is not None and LIMITS["tempo"].allows(tempo):
            whole = round(tempo)
            fields["tempo"] = float(whole) if abs(tempo - whole) < _WHOLE else tempo
        self._clock.update(self._client, fields | {"waiting": self._waiting}, at=at)
