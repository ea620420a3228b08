"""The identity of a press: what it asks for, the sound of its source, and the place; and when it was last accepted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from bridge_daemon.domain.request import Request
from bridge_daemon.errors import IdReused
from bridge_daemon.journal import Transaction
from bridge_daemon.util.times import Times

#: The same press again within these seconds, under another id, is taken for a mistake.
DOUBLE_PRESS: Final = 10.0
#: What does not make a press another press. The sound of the source counts, not where it lies.
_NOT_FINGERPRINT: Final = {"id", "version", "confirm_usd", "again", "valid_for", "place", "source"}
#: What makes a place another place. The rest of it is told anew at each press, or follows from these.
_PLACE: Final = ("project", "project_id", "track", "target", "slot", "when", "bars", "position", "length", "folder")
_SAME_TIME: Final = 5  # decimals of a position or length in s: half a frame at 48 kHz
_REMEMBERED: Final = 1000  # presses of this process


class RecentPresses:
    """When presses were last accepted, by the clock that nobody sets."""

    def __init__(self, times: Times) -> None:
        """Nothing is remembered yet; the journal is asked about presses of an earlier process."""
        self._times = times
        self._accepted: dict[str, float] = {}

    def remember(self, fingerprint: str) -> None:
        """Remember that a press was accepted now."""
        self._accepted.pop(fingerprint, None)
        self._accepted[fingerprint] = self._times.monotonic()
        if len(self._accepted) > _REMEMBERED:
            del self._accepted[next(iter(self._accepted))]

    def since(self, tx: Transaction, fingerprint: str, now: float) -> float | None:
        """Return how many seconds ago the same press was accepted, None if that is long ago.

        The wall clock may have been set since, so it counts only for presses that this process does not remember; one
        that seems to lie in the future was accepted before the clock was set back.
        """
        known = self._accepted.get(fingerprint)
        if known is not None:
            passed = self._times.monotonic() - known
            return passed if passed <= DOUBLE_PRESS else None
        pressed = tx.pressed_at(fingerprint, since=now - DOUBLE_PRESS)
        return None if pressed is None else max(0.0, now - pressed)


def fingerprint_of(request: Request, body: Mapping[str, Any], sound: str | None) -> str:
    """Return what two presses have in common if they ask for the same, of the same sound, for the same place.

    ``body`` is the request as it was sent: bars that were found meanwhile differ from press to press.
    """
    asked = {key: value for key, value in request.as_dict().items() if key not in _NOT_FINGERPRINT}
    place, given = request.place.as_dict(), body.get("place") or {}
    found = {key: place[key] for key in _PLACE if key in place and key in given}
    exact = {key: round(value, _SAME_TIME) if isinstance(value, float) else value for key, value in found.items()}
    return hash_of(asked | {"sound": sound, "place": exact})


def hash_of(data: Mapping[str, Any]) -> str:
    """Return what two bodies have in common only if they say the same."""
    text = json.dumps(data, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def repeated(tx: Transaction, request_id: str, body_hash: str) -> dict[str, Any] | None:
    """Return what an accepted id was answered, None for a new one. Raises IdReused for another body."""
    before = tx.accepted(request_id)
    if before is None:
        return None
    if before.body_hash != body_hash:
        raise IdReused(f"The id {request_id} was accepted before with another body. Nothing was sent for this one.")
    return before.answer
