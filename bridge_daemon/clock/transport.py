"""The time line of each client, as it last told it, and how old that is.

Beside the clients there are clocks: MIDI clock and Ableton Link. They stand here under names of their own (CLOCKS),
which no client has, and fill in what a client does not tell.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

_T = TypeVar("_T", int, float)

#: A transport that was not heard of for so long may have moved anywhere, s.
STALE: Final = 2.0
#: The names of the clocks that are no clients.
MIDI_CLOCK: Final = "midi-clock"
LINK: Final = "link"
CLOCKS: Final = frozenset({MIDI_CLOCK, LINK})
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
        """Return whether a value is a finite number in the range."""
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
    "bar": Limit(low=-1e6, high=1e8),  # quarter notes: where a bar of this meter begins
}
_NUMBERS: Final = ("position", "beats", "tempo", "bar")
_WHOLES: Final = ("numerator", "denominator")


@dataclass(frozen=True, kw_only=True, slots=True)
class Transport:
    """Where one client's time line stands. Fields that the client never told are None."""

    client: str
    playing: bool = False
    waiting: bool = False  # it plays, and its beats stand until the first tick: MIDI clock after a start
    position: float | None = None  # s
    beats: float | None = None  # quarter notes
    tempo: float | None = None  # quarter notes a minute
    numerator: int | None = None
    denominator: int | None = None
    bar: float | None = None  # quarter notes: where a bar of this meter begins; None: at 0
    received: float = 0.0  # monotonic

    def age(self, now: float) -> float:
        """Return the seconds since it was told."""
        return max(0.0, now - self.received)

    def stale(self, now: float) -> bool:
        """Return whether it is too old to be relied on."""
        return self.age(now) > STALE

    def position_now(self, now: float) -> float | None:
        """Return the position in seconds, carried on while it plays."""
        if self.position is None or not self.playing:
            return self.position
        return self.position + self.age(now)

    def beats_now(self, now: float) -> float | None:
        """Return the position in quarter notes, carried on at the tempo while it plays."""
        if self.beats is None or not self.playing or self.waiting or self.tempo is None:
            return self.beats
        return self.beats + self.age(now) * self.tempo / 60.0


class Clock:
    """The transports of all clients, and of the clocks."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """Know nothing yet."""
        self.monotonic = monotonic
        #: The meter if nobody tells one.
        self.meter = (4, 4)
        #: The time code at the start of the project, s: a session may begin at one hour.
        self.time_code_start = 0.0
        self._transports: dict[str, Transport] = {}
        self._started: dict[str, float] = {}  # when each began to play
        self._played: dict[str, float] = {}  # when each last told that it plays

    def update(self, client: str, fields: dict[str, Any], *, at: float | None = None) -> Transport:
        """Update the transport from what a client told at ``at`` (monotonic; now, if it is left out).

        What it left out stays as it was, None forgets it; the values were checked with LIMITS.
        """
        now = self.monotonic() if at is None else at
        known = self._transports.pop(client, None) or Transport(client=client)
        changes: dict[str, Any] = {"received": now}
        # what is carried on must not fall back to where it was when it was told last
        changes |= {"position": known.position_now(now), "beats": known.beats_now(now)}
        changes |= {name: _as(float, fields[name]) for name in _NUMBERS if name in fields}
        changes |= {name: _as(int, fields[name]) for name in _WHOLES if name in fields}
        changes |= {name: fields[name] for name in ("playing", "waiting") if name in fields}
        transport = replace(known, **changes)
        if "bar" not in fields and (transport.numerator, transport.denominator) != (known.numerator, known.denominator):
            transport = replace(transport, bar=None)  # that was a bar of another meter
        self._transports[client] = transport  # as the last: the dictionary is in the order of the last word
        if transport.playing:
            if not known.playing or known.stale(now):
                self._started[client] = now
            self._played[client] = now
        self._forget()
        return transport

    def _forget(self) -> None:
        while len(self._transports) > MOST:
            oldest = next(iter(self._transports))
            del self._transports[oldest]
            self._played.pop(oldest, None)
            self._started.pop(oldest, None)

    def of(self, client: str) -> Transport | None:
        """Return the transport of a client, None if it never told one."""
        return self._transports.get(client)

    def last_playing(self, among: Collection[str] | None = None) -> Transport | None:
        """Return the transport of the client that last played, of all or ``among`` some (those that are connected).

        Of those that play now it is the one that was started last, so that two at once do not take turns; else the one
        that played latest; if none ever played, the one that was told last. A transport that is stale does not play.
        Clocks are no clients.
        """
        now = self.monotonic()
        known = [
            (order, transport)
            for order, transport in enumerate(self._transports.values())
            if transport.client not in CLOCKS and (among is None or transport.client in among)
        ]

        def rank(each: tuple[int, Transport]) -> tuple[bool, float, int]:
            order, transport = each
            plays = transport.playing and not transport.stale(now)
            times = self._started if plays else self._played
            return plays, times.get(transport.client, -math.inf), order

        return max(known, key=rank)[1] if known else None

    def best(self, client: str | None) -> Transport | None:
        """Return what is known of the time line of a client (None: of the one that last played).

        What the client does not tell, or told too long ago, is filled in from the clocks, a running one first. It may
        be stale: then nothing better is known.
        """
        now = self.monotonic()
        own = self.of(client) if client is not None else self.last_playing()
        clocks = [each for name in CLOCKS if (each := self.of(name)) is not None and not each.stale(now)]
        clocks.sort(key=lambda each: (each.playing, each.client == MIDI_CLOCK, each.received), reverse=True)
        if own is None or own.stale(now):
            own, clocks = (clocks[0], clocks[1:]) if clocks else (own, [])
        if own is None:
            return None
        for other in clocks:
            if own.tempo is None:
                own = replace(own, tempo=other.tempo)
        return own

    def all(self) -> list[Transport]:
        """Return every transport, the one told last at the end."""
        return list(self._transports.values())


def _as(kind: type[_T], value: Any) -> _T | None:
    return None if value is None else kind(value)
