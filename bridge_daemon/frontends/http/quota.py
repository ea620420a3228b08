"""A bound on what others can make us write into the log."""

from __future__ import annotations

import time


class Quota:
    """So many a minute, and no more: a page that knocks a thousand times a second does not fill the log."""

    def __init__(self, most: int = 30, seconds: float = 60.0) -> None:
        self._most, self._seconds = most, seconds
        self._since, self._taken = -seconds, 0

    def take(self) -> bool:
        """Tell whether one more may be written."""
        now = time.monotonic()
        if now - self._since >= self._seconds:
            self._since, self._taken = now, 0
        self._taken += 1
        return self._taken <= self._most
