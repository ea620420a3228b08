"""The rule of batches: at most so many renders of a folder spend in ten seconds. Of more, the whole batch waits."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

#: What comes within so many seconds is one batch.
WINDOW: Final = 10.0


class BatchLimiter:
    """Counts what comes into one folder. Times are of a clock that never jumps."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """Begin with nothing."""
        self._monotonic = monotonic
        self._came: dict[str, float] = {}  # name → when it was first seen; in order
        self._open: set[str] = set()  # still being written, however long that takes
        self._spent: deque[float] = deque()
        self._over_until = 0.0

    def came(self, name: str) -> None:
        """Count a render that would spend; the same one again counts once."""
        now = self._monotonic()
        if name not in self._came:
            self._came[name] = now
            if now < self._over_until:  # it belongs to the batch that waits
                self._break(now)
        self._open.add(name)

    def settled(self, name: str) -> None:
        """Say that a render is whole, gone, or none of ours."""
        self._open.discard(name)
        if self._came.pop(name, None) is not None:
            self._came[name] = self._monotonic()  # what was written for minutes comes with those that end with it

    def dropped(self, name: str) -> None:
        """Say that a name turned out to be nothing that would spend."""
        self._open.discard(name)
        self._came.pop(name, None)

    def spent(self) -> None:
        """Count a render that was sent."""
        self._spent.append(self._monotonic())

    def is_broken(self, most: int) -> bool:
        """Return whether a render that was counted as spent already turned out to be one of more than ``most``."""
        now = self._monotonic()
        if now >= self._over_until and self._recent(now) > most:
            self._break(now)
        return now < self._over_until

    def _recent(self, now: float) -> int:
        # one that came long ago and is still being written is counted with those of the window
        return sum(1 for name, at in self._came.items() if now - at < WINDOW or name in self._open)

    def _break(self, now: float) -> None:
        self._over_until = now + WINDOW

    def is_over(self, most: int) -> bool:
        """Return whether a render that is ready now belongs to a batch of more than ``most``."""
        now = self._monotonic()
        while self._came and (oldest := next(iter(self._came))) not in self._open:
            if now - self._came[oldest] < WINDOW:
                break
            del self._came[oldest]
        while self._spent and now - self._spent[0] >= WINDOW:
            self._spent.popleft()
        if now < self._over_until:
            return True
        if self._recent(now) > most or len(self._spent) >= most:
            self._break(now)
            return True
        return False
