"""Bars: how long they are, where they begin, and which one comes next. Pure arithmetic in quarter notes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

#: A position so little before the start of a bar is on it, quarter notes: positions come over the wire rounded.
SAME: Final = 1e-4


@dataclass(frozen=True, slots=True)
class Meter:
    """A time signature, and where one of its bars begins."""

    numerator: int = 4
    denominator: int = 4
    origin: float = 0.0  # quarter notes: a bar begins here

    @property
    def bar(self) -> float:
        """Return the length of a bar in quarter notes: 4 for 4/4, 3 for 6/8."""
        return self.numerator * 4 / self.denominator

    def __str__(self) -> str:
        """Return it as it is written: 6/8."""
        return f"{self.numerator}/{self.denominator}"

    def seconds(self, bars: float, tempo: float) -> float:
        """Return how long so many bars last at a tempo in quarter notes a minute."""
        return bars * self.bar * 60 / tempo

    def bar_start(self, beats: float) -> float:
        """Return where the bar begins that ``beats`` is in. On a bar line that is the bar that begins there."""
        return self.origin + math.floor((beats - self.origin + SAME) / self.bar) * self.bar

    def next_line(self, beats: float, bars: int) -> float:
        """Return the first bar line at or after ``beats`` whose number, counted from 0, is a multiple of ``bars``."""
        before = round(
            self.origin / self.bar
        )  # bars before the origin: those of another meter are counted as if of this
        line = before + math.ceil((beats - self.origin - SAME) / self.bar)
        return self.origin + (math.ceil(line / bars) * bars - before) * self.bar
