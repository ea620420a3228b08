"""So many a minute, and no more: what others can make us write into the log, and what a route may be asked."""

from __future__ import annotations

import time


class RateLimit:
    """A fixed number of turns in each span of time."""

    def __init__(self, most: int = 30, seconds: float = 60.0) -> None:
        self._most, self._seconds = most, seconds
        self._since, self._taken = -seconds, 0

    def take(self) -> bool:
        """Take a turn; tell whether there was one left."""
        now = time.monotonic()
        if now - self._since >= self._seconds:
            self._since, self._taken = now, 0
        self._taken += 1
        return self._taken <= self._most

    def seconds_left(self) -> int:
        """Return how many seconds it takes until there are turns again, rounded up."""
        return max(1, int(self._since + self._seconds - time.monotonic()) + 1)
