"""MIDI time code: seconds out of quarter frames and full frames, at all four rates."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from statistics import median
from typing import Final

#: Frames a second by the two bits of the message; 2 is 29.97 with dropped numbers.
RATES: Final = (24.0, 25.0, 30_000 / 1001, 30.0)
_DROP: Final = 2
_PIECES: Final = 8  # quarter frames that make up one time; they take two frames
_FULL_FRAME: Final = (0x01, 0x01)
_JUMP: Final = 0.1  # s; more than jitter, so somebody located


def seconds(hours: int, minutes: int, secs: int, frames: int, rate: int) -> float | None:
    """Return a time code as seconds, None if there is no such time. ``rate`` is an index of RATES."""
    counted = (24, 25, 30, 30)[rate]
    if hours > 23 or minutes > 59 or secs > 59 or frames >= counted:
        return None
    number = ((hours * 60 + minutes) * 60 + secs) * counted + frames
    if rate == _DROP:  # the first two numbers of each minute are left out, but for each tenth
        total = hours * 60 + minutes
        number -= 2 * (total - total // 10)
    return number / RATES[rate]


def full_frame(data: Sequence[int]) -> float | None:
    """Return the seconds of a full frame (the data of a system exclusive message), None if it is none."""
    if len(data) != 8 or data[0] != 0x7F or tuple(data[2:4]) != _FULL_FRAME:
        return None
    return seconds(data[4] & 0x1F, data[5], data[6], data[7], (data[4] >> 5) & 3)


class QuarterFrames:
    """Collects quarter frames."""

    def __init__(self) -> None:
        """None yet."""
        self._pieces: list[int] = []
        self._forward = True
        self._last = -1
        self._offsets: deque[float] = deque(maxlen=_PIECES)
        self._told: float | None = None
        #: Whether the time went on, forward, between the last two times that were told.
        self.playing = False

    def add(self, piece: int, value: int, at: float) -> float | None:
        """Add one part; return the position in s at that moment, when it completes a time."""
        if self._pieces and piece == (self._last + (1 if self._forward else -1)) % _PIECES:
            self._pieces.append(value)
        elif self._pieces and len(self._pieces) == 1 and piece == (self._last - 1) % _PIECES:
            self._forward = False
            self._pieces.append(value)
        else:  # the first one, or some were lost
            self._pieces, self._forward = [value], True
        self._last = piece
        if len(self._pieces) < _PIECES or piece != (_PIECES - 1 if self._forward else 0):
            del self._pieces[: -_PIECES + 1]  # of a set that began in its middle
            return None
        pieces, self._pieces = self._pieces, []
        return self._time(pieces if self._forward else pieces[::-1], at)

    def _time(self, pieces: list[int], at: float) -> float | None:
        frames, secs, minutes, last = (pieces[n] | pieces[n + 1] << 4 for n in (0, 2, 4, 6))
        rate = (last >> 5) & 3
        told = seconds(last & 0x1F, minutes, secs, frames, rate)
        if told is None:
            return None
        self.playing = self._forward and told != self._told
        self._told = told
        if not self.playing:
            self._offsets.clear()
            return told
        # it is the time of the first piece, and the last one comes 1 3/4 frames later
        offset = told + (_PIECES - 1) / 4 / RATES[rate] - at
        if self._offsets and abs(offset - median(self._offsets)) > _JUMP:
            self._offsets.clear()
        self._offsets.append(offset)
        return at + median(self._offsets)
