"""When and how long in musical terms: where a press stands on the time line, and bars as seconds.

Beats are quarter notes everywhere: a bar of 6/8 has 3 of them. A transport that was not heard of for 2 s is not used,
and what could not be known for that is told in the notes of the job. Seconds and beats are converted at the tempo of
the moment, which is right if the tempo is the same from there to the press.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from bridge_daemon.clock.meter import Meter
from bridge_daemon.clock.transport import LIMITS, LINK, MIDI_CLOCK, Clock, Transport
from bridge_daemon.domain.fitting import whole_bars
from bridge_daemon.domain.request import Place, Request

#: From the moment a take is told to the bar line that it goes to, at least, s: the client has to import it before.
LEAD: Final = 0.5
#: Tempos that differ by less are the same: the jitter of a cable, BPM.
SAME_TEMPO: Final = 0.1
_LONGEST: Final = 86_400.0  # s, of a place
_NAMES: Final = {MIDI_CLOCK: "the MIDI clock", LINK: "Ableton Link"}
_METER: Final = re.compile(r"(\d{1,3})/(\d{1,3})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Musical:
    """What a press, or the arrival of a take, means on the time line of a transport."""

    place: dict[str, Any] = field(default_factory=dict)  #: keys of a request's place
    duration: float | None = None  #: of the bars that were asked for, s
    fields: dict[str, Any] = field(default_factory=dict)  #: for the prompt of a preset
    notes: tuple[str, ...] = ()  #: what is not known, or was taken for granted, for people


def musical(
    transport: Transport | None, now: float, *, when: str, bars: int | None, meter: tuple[int, int] = (4, 4)
) -> Musical:
    """Return what a press at ``now`` (monotonic, s) means.

    ``press``: the position of the press. ``press_bar``: the start of the bar that was pressed in. ``arrival_bar``: no
    position yet, the next ``bars`` bars once the take is ready. ``meter`` is taken where the transport tells none.

    For a request it is simpler to send ``place.when`` and ``place.bars``: admit does this then, and the request is the
    same each time it is sent.
    """
    reading = _Reading(transport, now, meter)
    reading.read(when, bars)
    return reading.result(when, bars)


def arrival(transport: Transport | None, now: float, *, bars: int | None, meter: tuple[int, int] = (4, 4)) -> Musical:
    """Return where a take goes that is ready now: the next bar line that is a multiple of ``bars``, after the lead."""
    reading = _Reading(transport, now, meter)
    beats = reading.beats()
    if reading.heard is None or beats is None or reading.tempo is None:
        return Musical(notes=(f"{reading.why('position')}, so the take was sent without a place in time",))
    lead = LEAD * reading.tempo / 60 if reading.heard.playing else 0.0
    reading.move(reading.meter.next_line(beats + lead, bars or 1))
    reading.measure(bars)
    return reading.result("arrival_bar", bars)


class _Reading:
    """One look at a transport."""

    def __init__(
        self, transport: Transport | None, now: float, meter: tuple[int, int], *, told: Transport | None = None
    ) -> None:
        self.heard = transport if transport is not None and not transport.stale(now) else None
        self._told = told or transport  # before a request laid over it what it says itself
        self._now = now
        self.tempo = self.heard.tempo if self.heard else None
        self._place: dict[str, Any] = {}
        self._length: float | None = None
        self._notes: list[str] = []
        known = self.heard is not None and self.heard.numerator and self.heard.denominator
        self.meter_known = bool(known)
        pair = (self.heard.numerator, self.heard.denominator) if known and self.heard else meter
        self.meter = Meter(pair[0] or 4, pair[1] or 4, (self.heard.bar if self.heard else None) or 0.0)

    def why(self, what: str) -> str:
        """Say why something is not known."""
        if self._told is None:
            return "no clock was heard"
        name = _NAMES.get(self._told.client, self._told.client) or "the clock"
        if self._told.stale(self._now):
            return f"{name} was last heard {self._told.age(self._now):.0f} s ago, too long to be relied on"
        return f"{name} tells no {what}"

    def beats(self) -> float | None:
        """Return the position in quarter notes; if only seconds are told, at a steady tempo."""
        if self.heard is None:
            return None
        beats, position = self.heard.beats_now(self._now), self.heard.position_now(self._now)
        if beats is None and position is not None and self.tempo is not None:
            self._notes.append("bars are counted from the start of the project at a steady tempo")
            beats = position * self.tempo / 60
        return beats

    def read(self, when: str, bars: int | None) -> None:
        """Find the position and the length of a press."""
        missing: dict[str, str] = {}
        if when != "arrival_bar" and not self._stand(at_bar=when == "press_bar"):
            missing["the take has no position"] = self.why("position")
        if bars is not None and not self.measure(bars):
            missing[f"{bars} bars could not be turned into seconds"] = self.why("tempo")
        for why in dict.fromkeys(missing.values()):
            self._notes.append(f"{why}, so {' and '.join(what for what, its in missing.items() if its == why)}")

    def _stand(self, *, at_bar: bool) -> bool:
        """Use the position of the press, or of its bar; False if none is known."""
        if self.heard is None:
            return False
        position, beats = self.heard.position_now(self._now), self.heard.beats_now(self._now)
        if position is None and beats is None:
            return False
        self._put(position, beats)
        if at_bar:
            beats = self.beats()
            if beats is None or self.tempo is None:
                lacking = "tempo" if self.tempo is None else "beats"
                self._notes.append(f"{self.why(lacking)}, so it is placed where it was pressed and not on the bar")
                return True
            self.move(self.meter.bar_start(beats))
        return True

    def move(self, beats: float) -> None:
        """Use a position in quarter notes, and the seconds that belong to it at the tempo of now."""
        assert self.heard is not None
        here, position = self.heard.beats_now(self._now), self.heard.position_now(self._now)
        if position is not None and self.tempo is not None:
            from_here = beats - (here if here is not None else position * self.tempo / 60)
            position += from_here * 60 / self.tempo
        self._put(position, beats)
        if not self.meter_known:
            self._assume_meter()

    def _put(self, position: float | None, beats: float | None) -> None:
        if position is None and beats is not None and self.tempo is not None:
            position = beats * 60 / self.tempo
            self._notes.append("its seconds are counted from beat 0 at a steady tempo")
        for name, value in (("position", position), ("beats", beats)):
            if value is not None and LIMITS[name].allows(value):
                self._place[name] = round(value, 6)

    def measure(self, bars: int | None) -> bool:
        """Use the length of that many bars; False if no tempo is known."""
        if bars is None:
            return True
        if self.tempo is None:
            return False
        length = self.meter.seconds(bars, self.tempo)
        if length <= _LONGEST:
            self._length = self._place["length"] = round(length, 6)
        if not self.meter_known:
            self._assume_meter()
        return length <= _LONGEST

    def _assume_meter(self) -> None:
        self._notes.append(f"no clock tells the meter, so {self.meter} was taken ([clock] meter)")

    def result(self, when: str, bars: int | None) -> Musical:
        """Return all of it."""
        fields: dict[str, Any] = {}
        if self.tempo is not None:
            fields |= {"tempo": self.tempo, "bpm": self.tempo}
            self._place["tempo"] = round(self.tempo, 4)
        if self.meter_known:
            numbers = {"numerator": self.meter.numerator, "denominator": self.meter.denominator}
            fields |= {"meter": str(self.meter), **numbers}
            self._place["time_signature"] = str(self.meter)
        if bars is not None:
            fields["bars"] = self._place["bars"] = bars
        self._place["when"] = when
        return Musical(self._place, self._length, fields, tuple(dict.fromkeys(self._notes)))

    def bars_in(self, seconds: float) -> int | None:
        """Return how many whole bars a length has, None if it has no whole number of them."""
        if self.tempo is None or not self.meter_known:
            return None
        return whole_bars(seconds / self.meter.seconds(1, self.tempo))


def of_request(request: Request, clock: Clock) -> tuple[Request, Musical]:
    """Turn the bars of a request's place into seconds, and its ``when`` into a position.

    What the place says itself counts first; the rest is from the transport of the request's client (without one: that
    of the client that last played). Returns the request, and what the prompt of its preset may name.
    """
    place = request.place.as_dict()
    when, bars, now = request.place.when, request.place.bars, clock.monotonic()
    if when == "arrival_bar":  # of a job that is asked for again: it arrives anew
        place = {key: value for key, value in place.items() if key not in ("position", "beats")}
    told = clock.best(request.client)
    reading = _Reading(_with_own(told, request.client, place, now), now, clock.meter, told=told)
    fixed = when is None or (when == "press" and place.keys() & {"position", "beats"})
    reading.read("arrival_bar" if fixed else when or "press", None if "length" in place else bars)
    heard = reading.result(when or "press", bars)
    own = {key: place[key] for key in ("track", "project", "key") if key in place}
    fields = heard.fields | own | ({"client": request.client} if request.client else {})
    if bars is None and "length" in place and (counted := reading.bars_in(place["length"])):
        fields["bars"] = counted
    if when is None and bars is None:
        return request, Musical(fields=fields)
    heard = replace(heard, fields=fields, notes=(*_stood_in(told, request.client, clock), *heard.notes))
    moved = {key: heard.place.pop(key) for key in ("position", "beats") if when == "press_bar" and key in heard.place}
    if when is None:
        del heard.place["when"]
    found = Place.model_validate(heard.place | place | moved)
    return request.model_copy(update={"place": found}), heard


def _stood_in(told: Transport | None, client: str | None, clock: Clock) -> tuple[str, ...]:
    """Say that a clock stands in for a client that has fallen silent."""
    own = clock.of(client or "")
    if told is None or own is None or own.client == told.client:
        return ()
    name = _NAMES.get(told.client, told.client)
    return (f"{own.client} was last heard {own.age(clock.monotonic()):.0f} s ago, so {name} was relied on",)


def _with_own(heard: Transport | None, client: str | None, place: Mapping[str, Any], now: float) -> Transport | None:
    """Lay what a place says of itself over a transport."""
    own: dict[str, Any] = {"tempo": place["tempo"]} if "tempo" in place else {}
    match = _METER.fullmatch(place.get("time_signature", ""))
    if match is not None:
        numerator, denominator = int(match[1]), int(match[2])
        if LIMITS["numerator"].allows(numerator) and LIMITS["denominator"].allows(denominator):
            own |= {"numerator": numerator, "denominator": denominator}
    if place.keys() & {"position", "beats"}:
        own |= {"position": place.get("position"), "beats": place.get("beats"), "playing": False, "received": now}
    if not own:
        return heard
    if heard is None or heard.stale(now):
        return Transport(client=client or "", **({"received": now} | own))
    return replace(heard, **own)
