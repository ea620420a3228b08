"""The time line of each client, as it last told it, and how old that is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

#: A transport that was not heard of for so long may have moved anywhere, s.
STALE: Final = 2.0
#: Clients whose transport is kept; the one that was silent for longest goes first.
MOST: Final = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """What a field of a transport may be."""

    low: float
    high: float
    whole: bool = False

    def __str__(self) -> str:
        """Return it as the words of a refusal."""
        return f"must be a {'whole ' if self.whole else ''}number, {self.low:g} to {self.high:g}"

    def allows(self, value: Any) -> bool:
        """Tell whether a value is a finite number in the range."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return False
        return self.low <= value <= self.high and (not self.whole or float(value).is_integer())


#: The numbers of a transport. Positions may be negative: a count-in, a project that starts before zero.
LIMITS: Final = {
    "position": Limit(low=-86_400, high=864_000),  # s
    "beats": Limit(low=-1e6, high=1e8),  # quarter notes
    "tempo": Limit(low=1, high=2000),  # quarter notes a minute
    "numerator": Limit(low=1, high=999, whole=True),
    "denominator": Limit(low=1, high=128, whole=True),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Transport:
    """Where one client's time line stands. Fields that the client never told are None."""

    client: str
    playing: bool = False
    position: float | None = None  # s
    beats: float | None = None  # quarter notes
    tempo: float | None = None  # quarter notes a minute
    numerator: int | None = None
    denominator: int | None = None
    received: float = 0.0  # monotonic

    def age(self, now: float) -> float:
        """Return the seconds since it was told."""
        return max(0.0, now - self.received)

    def stale(self, now: float) -> bool:
        """Tell whether it is too old to be relied on."""
        return self.age(now) > STALE

    def position_now(self, now: float) -> float | None:
        """Return the position in seconds, carried on while it plays."""
        if self.position is None or not self.playing:
            return self.position
        return self.position + self.age(now)

    def beats_now(self, now: float) -> float | None:
        """Return the position in quarter notes, carried on at the tempo while it plays."""
        if self.beats is None or not self.playing or self.tempo is None:
            return self.beats
        return self.beats + self.age(now) * self.tempo / 60.0


class Clock:
    """The transports of all clients."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """Know nothing yet."""
        self.monotonic = monotonic
        self._transports: dict[str, Transport] = {}
        self._played: dict[str, float] = {}

    def update(self, client: str, fields: dict[str, Any]) -> Transport:
        """Take what a client told. What it left out stays as it was; the values were checked with LIMITS."""
        now = self.monotonic()
        known = self._transports.pop(client, None) or Transport(client=client)
        changes: dict[str, Any] = {"received": now}
        # what is carried on must not fall back to where it was when it was told last
        changes |= {"position": known.position_now(now), "beats": known.beats_now(now)}
        changes |= {name: float(fields[name]) for name in ("position", "beats", "tempo") if name in fields}
        changes |= {name: int(fields[name]) for name in ("numerator", "denominator") if name in fields}
        changes |= {"playing": fields["playing"]} if "playing" in fields else {}
        transport = replace(known, **changes)
        self._transports[client] = transport  # as the last: the dictionary is in the order of the last word
        if transport.playing:
            self._played[client] = now
        self._forget()
        return transport

    def _forget(self) -> None:
        while len(self._transports) > MOST:
            oldest = next(iter(self._transports))
            del self._transports[oldest]
            self._played.pop(oldest, None)

    def of(self, client: str) -> Transport | None:
        """Return the transport of a client, None where it never told one."""
        return self._transports.get(client)

    def last_playing(self) -> Transport | None:
        """Return the transport that last played; where none ever did, the one that was told last."""
        if self._played:
            return self._transports[max(self._played, key=lambda client: self._played[client])]
        return next(reversed(self._transports.values()), None)

    def all(self) -> list[Transport]:
        """Return every transport, the one told last at the end."""
        return list(self._transports.values())
