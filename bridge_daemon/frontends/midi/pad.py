"""When a press counts: not too soon after the last one, and confirmed where the binding asks for that. Pure."""

from __future__ import annotations

from enum import Enum
from typing import Final

from bridge_daemon.settings.sections import Binding

#: The second of two presses comes within this, s, and not as soon as a contact that bounces.
TWICE_WITHIN: Final = 2.0
_BOUNCE: Final = 0.04
#: These answer to every press: stopping must always work, and a knob is no button.
ALWAYS: Final = frozenset({"panic", "disarm", "set"})


class Verdict(Enum):
    """What becomes of a press."""

    GO = "go"
    #: Counts once it was held for long enough.
    HOLD = "hold"
    #: Counts once it comes again.
    FIRST = "first of two"
    TOO_SOON = "too soon after the last one"


class Pad:
    """The presses of one binding."""

    def __init__(self, binding: Binding) -> None:
        """Nobody pressed yet."""
        self._binding = binding
        self._last: float | None = None
        self._first: float | None = None  # a press that waits for the second one

    def press(self, at: float) -> Verdict:
        """Judge a press at ``at`` (monotonic, s). Any press starts ``repeat_ms`` anew, also one that did not count."""
        binding = self._binding
        since = at - self._last if self._last is not None else float("inf")
        self._last = at
        if self._first is not None:
            waited = at - self._first
            if waited < _BOUNCE:
                return Verdict.TOO_SOON
            self._first = None
            if waited <= TWICE_WITHIN:
                return Verdict.GO
        if since * 1000 < binding.repeat_ms and binding.action not in ALWAYS:
            return Verdict.TOO_SOON
        if binding.confirm == "twice":
            self._first = at
            return Verdict.FIRST
        return Verdict.HOLD if binding.confirm == "hold" else Verdict.GO
