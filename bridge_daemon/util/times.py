"""What time it is: injected everywhere, so that a test can let days pass."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Final

#: Seconds of a clock that never jumps. It is time.monotonic's on Linux and macOS; on Windows, where that one goes in
#: steps of 16 ms before Python 3.13, it is one of less than a microsecond.
monotonic: Final = time.perf_counter


class Times:
    """The computer's clocks. Tests subclass it."""

    def now(self) -> float:
        """Return UTC in seconds since the epoch. It may jump, so it is for records and for days, never for waiting."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds of a clock that never jumps, for waiting and for measuring."""
        return monotonic()

    def day(self) -> str:
        """Return the local day as YYYY-MM-DD: limits are for days as the person lives them."""
        return self.day_of(self.now())

    def day_of(self, when: float) -> str:
        """Return the local day, YYYY-MM-DD, of a time in seconds since the epoch."""
        return self.local(when).strftime("%Y-%m-%d")

    def local(self, when: float) -> datetime:
        """Return a time in seconds since the epoch as local date and time."""
        return datetime.fromtimestamp(when, UTC).astimezone()
