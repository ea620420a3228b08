"""When and how long in musical terms: where a press stands on the time line, and bars as seconds.

Beats are quarter notes everywhere: a bar of 6/8 has 3 of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge_daemon.clock import Clock, Transport


@dataclass(frozen=True, slots=True)
class Musical:
    """What a press means on the time line of a transport."""

    place: dict[str, Any] = field(default_factory=dict)  #: keys of a request's place
    duration: float | None = None  #: of the bars that were asked for, s
    fields: dict[str, Any] = field(default_factory=dict)  #: for the prompt of a preset
    notes: tuple[str, ...] = ()  #: what is not known, for people


def musical(transport: Transport | None, now: float, *, when: str, bars: int | None) -> Musical:
    """Return what a press at ``now`` (monotonic) means.

    ``press``: the position of the press. ``press_bar``: the start of the bar that was pressed in. ``arrival_bar``: no
    position yet, the next ``bars`` bars once the take is ready. A transport that is stale is not used.
    """
    if transport is None or transport.stale(now):
        return Musical()
    place: dict[str, Any] = {"when": when}
    tempo, meter = transport.tempo, (transport.numerator or 4, transport.denominator or 4)
    fields: dict[str, Any] = {"meter": f"{meter[0]}/{meter[1]}"}
    bar = meter[0] * 4 / meter[1]
    if tempo is not None:
        fields |= {"tempo": tempo, "bpm": tempo}
        place |= {"tempo": tempo, "time_signature": fields["meter"]}
    length = bars * bar * 60 / tempo if bars is not None and tempo is not None else None
    if when != "arrival_bar":
        position, beats = transport.position_now(now), transport.beats_now(now)
        place |= {name: value for name, value in (("position", position), ("beats", beats)) if value is not None}
    if bars is not None:
        place["bars"] = fields["bars"] = bars
    if length is not None:
        place["length"] = length
    return Musical(place, length, fields)


def of_request(given: Mapping[str, Any], clock: Clock) -> tuple[dict[str, Any], Musical]:
    """Return a request with its bars as seconds and its position, and what the prompt of its preset may name."""
    place = given.get("place") or {}
    transport = clock.best(given.get("client"))
    heard = musical(transport, clock.monotonic(), when=place.get("when", "press"), bars=place.get("bars"))
    if not place.keys() & {"when", "bars"}:
        return dict(given), Musical(fields=heard.fields)
    return {**given, "place": heard.place | place}, heard
