"""What became of each press: counted for ever, told in the log without flooding it."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Any, Final

log = logging.getLogger(__name__)

#: After a line about presses that were not taken, the next one comes so much later, s, and tells of all of them.
TELL_EVERY: Final = 10.0


class Counts:
    """The presses of every binding."""

    def __init__(self) -> None:
        """Nobody pressed."""
        self.pressed: Counter[str] = Counter()
        self.taken: Counter[str] = Counter()
        self._missed: dict[str, Counter[str]] = {}
        self._last: dict[str, str] = {}
        self._untold: Counter[tuple[str, str]] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    def press(self, name: str) -> None:
        """Count a press of a binding."""
        self.pressed[name] += 1

    def take(self, name: str, text: str) -> None:
        """Count a press that did what it was for."""
        self.taken[name] += 1
        self._last[name] = text

    def miss(self, name: str, reason: str, text: str = "") -> None:
        """Count a press that did nothing, for a short reason and, if there is more to say, with a sentence."""
        self._missed.setdefault(name, Counter())[reason] += 1
        self._last[name] = text or f"not taken: {reason}"
        self._untold[name, reason] += 1
        if self._timer is None:
            self._tell(text)

    def _tell(self, text: str = "") -> None:
        self._write(text)
        self._timer = asyncio.get_running_loop().call_later(TELL_EVERY, self._again)

    def _write(self, text: str = "") -> None:
        told = ", ".join(f"{count} of {name} ({reason})" for (name, reason), count in self._untold.items())
        self._untold.clear()
        log.warning("Presses that were not taken: %s.%s", told, f" {text}" if text else "")

    def _again(self) -> None:
        self._timer = None
        if self._untold:
            self._tell()

    def close(self) -> None:
        """Tell what is left to tell."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._untold:
            self._write()

    def missed(self) -> dict[str, int]:
        """Return how many presses were not taken, by reason."""
        total: Counter[str] = Counter()
        for each in self._missed.values():
            total.update(each)
        return dict(sorted(total.items()))

    def of(self, name: str) -> dict[str, Any]:
        """Return the counts of one binding, for the status."""
        return {
            "pressed": self.pressed[name],
            "taken": self.taken[name],
            "not_taken": dict(sorted(self._missed.get(name, Counter()).items())),
            "last": self._last.get(name),
        }
