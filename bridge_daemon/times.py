"""What time it is: injected everywhere, so that a test can let days pass."""

from __future__ import annotations

import time
from datetime import datetime


class Times:
    """The computer's clocks. Tests subclass it."""

    def now(self) -> float:
        """Return UTC in seconds since the epoch. It may jump, so it is for records and for days, never for waiting."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds of a clock that never jumps, for waiting and for measuring."""
        return time.monotonic()

    def day(self) -> str:
        """Return the local day as YYYY-MM-DD: limits are for days as the person lives them."""
        return datetime.fromtimestamp(self.now()).astimezone().strftime("%Y-%m-%d")
