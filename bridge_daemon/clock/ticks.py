"""The ticks of a MIDI clock as a straight line: which tick comes when, and so the tempo, whatever the cable does.

Each tick comes a little late or early, some are lost, some come twice, and several come at once after a pause of the
system. A line is fitted through those of the last seconds; a tick that does not fit it is judged by where it would fit.
When several in a row leave the line, the tempo has changed, and the line starts anew with them.
"""

from __future__ import annotations

from collections import deque
from itertools import chain
from typing import Final, NamedTuple

import numpy as np

PER_QUARTER: Final = 24
#: Longer without a tick, s, and the clock stood still (at 20 BPM they are 0.125 s apart).
SILENT: Final = 0.5
WINDOW: Final = 2.5  # s
_LEAST: Final = 24  # ticks of the window, however slow they come
_MOST: Final = 400
_FITTED: Final = 8  # ticks before a line is trusted to judge others
_TOLD: Final = 12  # ticks before a tempo is told
_OFF: Final = 0.6  # of the distance of two ticks: farther from its place, a tick is another one
_TAIL: Final = 6  # newest ticks that are compared with the line before them
_LEFT: Final = 2.5e-3  # s that the tail lies off, and more than five deviations of its middle
_JUDGED: Final = 16  # ticks back that are looked at for a tempo so different that not every tick fits
_STRANGE: Final = 6  # of those that did not, where it makes no other difference
_RUN: Final = 6  # ticks since the first of them
_BEFORE: Final = 2  # ticks before it


class TickLine(NamedTuple):
    """Tick number ``middle`` comes at ``at``, each next one ``period`` later."""

    middle: float
    at: float  # s
    period: float  # s
    spread: float  # s, of one tick

    def time(self, tick: float) -> float:
        """Return when a tick comes."""
        return self.at + (tick - self.middle) * self.period

    def tick(self, time: float) -> float:
        """Return which tick it is at a time."""
        return self.middle + (time - self.at) / self.period


class Ticks:
    """The ticks of one clock."""

    def __init__(self) -> None:
        """None yet."""
        self._tempo: float | None = None
        self.restart()

    def restart(self) -> None:
        """Begin a new line: the clock was started. The tempo is told on until there is a new one."""
        self._begin([])
        self._judged: deque[tuple[float, int]] = deque(maxlen=_JUDGED)  # when each came, and what it was counted as

    def _begin(self, ticks: list[tuple[int, float]]) -> None:
        self._ticks: deque[tuple[int, float]] = deque(ticks, maxlen=_MOST)
        self._lines: deque[TickLine] = deque(maxlen=_TAIL + 1)

    @property
    def tempo(self) -> float | None:
        """The quarter notes a minute; None before there were enough ticks."""
        return self._tempo

    def silent(self, at: float) -> bool:
        """Return whether there was no tick for so long that the clock stood still."""
        return bool(self._ticks) and at - self._ticks[-1][1] > SILENT

    def ahead(self, at: float) -> float:
        """Return how many ticks it is at a time after the newest one, -1..1: that may have come late or early."""
        if not self._lines:
            return 0.0
        return min(1.0, max(-1.0, self._lines[-1].tick(at) - self._ticks[-1][0]))

    def add(self, at: float) -> int:
        """Count a tick; return by how many the song advances: 1, more if some were lost, 0 for one that came twice.

        It may be less than 0, or much more, once: when it is clear that those before were counted at a wrong tempo.
        """
        if self.silent(at):
            self.restart()
        steps = self._steps(at)
        self._judged.append((at, steps))
        if (correction := self._other_tempo()) is not None:
            return steps + correction
        if steps > 0:
            self._ticks.append((self._ticks[-1][0] + steps if self._ticks else 0, at))
            self._fit()
        return steps

    def _steps(self, at: float) -> int:
        if not self._ticks or len(self._ticks) < _FITTED or not self._lines:
            return 1
        line = self._lines[-1]
        off = line.tick(at) - (self._ticks[-1][0] + 1)
        return max(0, 1 + (round(off) if abs(off) > _OFF else 0))

    def _other_tempo(self) -> int | None:
        """Where several ticks did not fit, and would if each were one: begin a line with them.

        Returns by how many they were counted wrongly, None if the line stays.
        """
        strange = [number for number, (_, steps) in enumerate(self._judged) if steps != 1]
        if not strange or len(self._judged) - strange[0] < _RUN:
            return None
        run = np.array(list(self._judged)[max(0, strange[0] - _BEFORE) :])
        each, counted = np.arange(float(len(run))), np.cumsum(run[:, 1])
        as_each, as_counted = _deviation(each, run[:, 0]), _deviation(counted, run[:, 0])
        # a clock that halves its tempo fits as well with every other tick lost; that is not what cables do
        if as_each > as_counted / 2 and (len(strange) < _STRANGE or as_each > as_counted * 1.1):
            return None
        self._judged.clear()
        self._begin([(number, float(at)) for number, at in enumerate(run[-_RUN:, 0])])
        self._fit()
        return len(run) - int(counted[-1])

    def _fit(self) -> None:
        while len(self._ticks) > _LEAST and self._ticks[-1][1] - self._ticks[0][1] > WINDOW:
            self._ticks.popleft()
        if len(self._ticks) < 2:
            return
        data = np.fromiter(chain.from_iterable(self._ticks), float, 2 * len(self._ticks)).reshape(-1, 2)
        line = _line(data)
        if line is None:
            return
        self._lines.append(line)
        if self._left(data):
            self._begin(list(self._ticks)[-_TAIL:])
            self._fit()
        elif len(self._ticks) >= _TOLD:
            self._tempo = 60 / (PER_QUARTER * line.period)

    def _left(self, data: np.ndarray) -> bool:
        """Return whether the newest ticks left the line that was fitted before them."""
        if len(self._lines) <= _TAIL or len(data) < _TOLD + _TAIL:
            return False
        before = self._lines[0]
        tail = data[-_TAIL:]
        off = abs(float(np.median(tail[:, 1] - (before.at + (tail[:, 0] - before.middle) * before.period))))
        return off > max(_LEFT, 5 * before.spread / _TAIL**0.5)


def _line(data: np.ndarray) -> TickLine | None:
    """Fit a line through ticks, and once more without those that lie far off it. None if they came all at once."""
    line = _least_squares(data)
    if line is not None and len(data) > _FITTED:
        off = np.abs(data[:, 1] - (line.at + (data[:, 0] - line.middle) * line.period))
        near = off <= 4 * line.spread + 5e-4
        if near.sum() >= _FITTED and not near.all():
            line = _least_squares(data[near]) or line
    return line


def _deviation(ticks: np.ndarray, times: np.ndarray) -> float:
    """Return how far times lie off a straight line, s (root of the mean square)."""
    ticks, times = ticks - ticks.mean(), times - times.mean()
    square = float(ticks @ ticks)
    slope = float(ticks @ times) / square if square > 0 else 0.0
    return float(np.sqrt(np.mean((times - slope * ticks) ** 2)))


def _least_squares(data: np.ndarray) -> TickLine | None:
    middle, at = data.mean(axis=0)
    ticks, times = data[:, 0] - middle, data[:, 1] - at
    period = float(ticks @ times / (ticks @ ticks))
    if not 60 / (PER_QUARTER * 2000) <= period <= SILENT:
        return None
    spread = 1.4826 * float(np.median(np.abs(times - ticks * period)))
    return TickLine(float(middle), float(at), period, spread)
