"""Where a press stands on the time line, how long bars are, and what is said where a clock does not tell it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge_daemon.clock.musical import LEAD, arrival, musical, of_request
from bridge_daemon.clock.transport import LINK, MIDI_CLOCK, STALE, Clock, Transport
from bridge_daemon.domain.request import Place, Request

NOW = 1000.0


def transport(**given: Any) -> Transport:
    told = {"playing": True, "position": 10.0, "beats": 20.0, "tempo": 120.0, "numerator": 4, "denominator": 4}
    return Transport(**({"client": "reaper-1", "received": NOW} | told | given))


class TestPress:
    def test_at_the_press(self) -> None:
        heard = musical(transport(), NOW + 0.5, when="press", bars=4)
        assert heard.place == {
            "when": "press",
            "position": 10.5,
            "beats": 21.0,
            "length": 8.0,
            "bars": 4,
            "tempo": 120.0,
            "time_signature": "4/4",
        }
        assert heard.duration == 8.0
        assert heard.fields == {
            "tempo": 120.0,
            "bpm": 120.0,
            "meter": "4/4",
            "numerator": 4,
            "denominator": 4,
            "bars": 4,
        }
        assert heard.notes == ()
        Place.model_validate(heard.place)

    def test_at_the_start_of_its_bar(self) -> None:
        heard = musical(transport(position=9.25, beats=19.5), NOW, when="press_bar", bars=None)
        assert (heard.place["position"], heard.place["beats"]) == (7.5, 16.0)
        on_the_line = musical(transport(), NOW, when="press_bar", bars=None)
        assert (on_the_line.place["position"], on_the_line.place["beats"]) == (10.0, 20.0)

    def test_six_eight_has_three_quarters(self) -> None:
        heard = musical(transport(numerator=6, denominator=8, tempo=90.0), NOW, when="press_bar", bars=2)
        assert heard.duration == 4.0
        assert heard.place["beats"] == 18.0
        assert heard.place["position"] == pytest.approx(10 - 2 * 60 / 90)

    def test_a_transport_that_stands(self) -> None:
        heard = musical(transport(playing=False), NOW + 1.5, when="press", bars=None)
        assert heard.place["position"] == 10.0

    def test_an_arrival_has_no_position_yet(self) -> None:
        heard = musical(transport(), NOW, when="arrival_bar", bars=8)
        assert "position" not in heard.place
        assert "beats" not in heard.place
        assert (heard.duration, heard.notes) == (16.0, ())

    def test_bars_where_the_meter_has_changed(self) -> None:
        heard = musical(transport(beats=20.0, bar=19.0), NOW, when="press_bar", bars=None)
        assert heard.place["beats"] == 19.0
        assert heard.place["position"] == 9.5


class TestWhatIsNotKnown:
    def test_a_stale_clock_is_not_used(self) -> None:
        heard = musical(transport(), NOW + STALE + 1, when="press", bars=4)
        assert heard.place == {"when": "press", "bars": 4}
        assert (heard.duration, heard.fields) == (None, {"bars": 4})
        assert heard.notes == (
            "reaper-1 was last heard 3 s ago, too long to be relied on, so the take has no position and "
            "4 bars could not be turned into seconds",
        )
        assert musical(transport(), NOW + STALE, when="press", bars=4).notes == ()

    def test_no_clock_at_all(self) -> None:
        assert musical(None, NOW, when="press_bar", bars=None).notes == (
            "no clock was heard, so the take has no position",
        )
        assert musical(None, NOW, when="arrival_bar", bars=None).notes == ()

    def test_what_the_client_does_not_tell(self) -> None:
        bare = transport(tempo=None, beats=None)
        assert "tells no tempo, so 2 bars" in musical(bare, NOW, when="press", bars=2).notes[0]
        on_bar = musical(bare, NOW, when="press_bar", bars=None)
        assert on_bar.place["position"] == 10.0
        assert "placed where it was pressed" in on_bar.notes[0]
        assert (
            "tells no position" in musical(transport(position=None, beats=None), NOW, when="press", bars=None).notes[0]
        )

    def test_seconds_without_beats(self) -> None:
        heard = musical(transport(beats=None, position=11.0), NOW, when="press_bar", bars=None)
        assert (heard.place["position"], heard.place["beats"]) == (10.0, 20.0)
        assert "steady tempo" in heard.notes[0]

    def test_beats_without_seconds(self) -> None:
        heard = musical(transport(client=MIDI_CLOCK, position=None, beats=21.0), NOW, when="press_bar", bars=None)
        assert (heard.place["position"], heard.place["beats"]) == (10.0, 20.0)
        assert heard.notes == ("its seconds are counted from beat 0 at a steady tempo",)

    def test_the_meter_is_taken_for_granted_only_where_it_counts(self) -> None:
        bare = transport(numerator=None, denominator=None)
        assert musical(bare, NOW, when="press", bars=None).notes == ()
        heard = musical(bare, NOW, when="press_bar", bars=2, meter=(3, 4))
        assert heard.notes == ("no clock tells the meter, so 3/4 was taken ([clock] meter)",)
        assert (heard.place["beats"], heard.duration) == (18.0, 3.0)
        assert "meter" not in heard.fields
        assert "time_signature" not in heard.place

    def test_bars_beyond_all_measure_have_no_length(self) -> None:
        heard = musical(transport(numerator=999, denominator=1, tempo=1.0), NOW, when="press", bars=999)
        assert heard.duration is None
        assert len(heard.notes) == 1
        Place.model_validate(heard.place)


@given(
    st.sampled_from(["press", "press_bar", "arrival_bar"]),
    st.none() | st.integers(1, 999),
    st.none() | st.floats(-86_400, 864_000),
    st.none() | st.floats(-1e6, 1e8),
    st.none() | st.floats(1, 2000),
    st.none() | st.integers(1, 999),
    st.none() | st.integers(1, 128),
    st.floats(0, 3),
)
def test_whatever_is_told_makes_a_place(when: str, bars: Any, position: Any, beats: Any, tempo: Any, n: Any, d: Any, age: float) -> None:  # fmt: skip  # noqa: E501
    told = transport(position=position, beats=beats, tempo=tempo, numerator=n, denominator=d)
    for heard in (musical(told, NOW + age, when=when, bars=bars), arrival(told, NOW + age, bars=bars)):
        place = Place.model_validate(heard.place)
        if place.length is not None:
            assert heard.duration == place.length


class TestArrival:
    def test_the_next_bars(self) -> None:
        heard = arrival(transport(beats=21.0, position=10.5), NOW, bars=4)
        assert (heard.place["beats"], heard.place["position"], heard.place["length"]) == (32.0, 16.0, 8.0)
        assert arrival(transport(beats=21.0, position=10.5), NOW, bars=None).place["beats"] == 24.0

    def test_at_least_the_lead_ahead(self) -> None:
        near = transport(beats=31.5, position=15.75)  # a quarter of a second before the line
        assert arrival(near, NOW, bars=4).place["beats"] == 48.0
        standing = transport(beats=32.0, position=16.0, playing=False)
        assert arrival(standing, NOW, bars=4).place["beats"] == 32.0, "nothing runs away"

    @given(st.floats(0, 10_000), st.integers(1, 32), st.floats(40, 240))
    def test_never_in_the_past(self, beats: float, bars: int, tempo: float) -> None:
        place = arrival(transport(beats=beats, position=beats * 60 / tempo, tempo=tempo), NOW, bars=bars).place
        ahead = place["position"] - beats * 60 / tempo
        assert LEAD - 1e-3 <= ahead <= LEAD + bars * 4 * 60 / tempo + 1e-3
        assert place["beats"] % (bars * 4) == 0

    def test_without_a_clock(self) -> None:
        for told in (None, transport(received=NOW - 10), transport(tempo=None), transport(beats=None, position=None)):
            heard = arrival(told, NOW, bars=4)
            assert heard.place == {}
            assert "without a place in time" in heard.notes[0]


class Told:
    """A clock that knows one client, reaper-1, at NOW."""

    def __init__(self, client: str = "reaper-1", **fields: Any) -> None:
        self.now = NOW
        self.clock = Clock(lambda: self.now)
        told = {"playing": True, "position": 10.0, "beats": 21.0, "tempo": 120.0, "numerator": 4, "denominator": 4}
        self.clock.update(client, told | fields)


def request(**given: Any) -> Request:
    return Request.model_validate({"id": "6b6a3bd0-8a0c-4ea9-9c1b-3a4c2b0e9d01"} | given)


def placed(told: Told, client: str | None = "reaper-1", **place: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    given, heard = of_request(request(place=place, client=client), told.clock)
    return given.place.as_dict(), heard.notes


class TestRequests:
    def test_without_when_and_bars_nothing_is_touched(self) -> None:
        given = request(client="reaper-1", place={"position": 1.0, "length": 8.0, "track": "Keys"})
        made, heard = of_request(given, Told().clock)
        assert made == given
        assert heard.place == {}
        assert heard.fields["tempo"] == 120.0
        assert heard.fields["bars"] == 4, "8 s are 4 bars"
        assert (heard.fields["track"], heard.fields["client"], heard.fields["meter"]) == ("Keys", "reaper-1", "4/4")
        assert of_request(request(), Clock(lambda: NOW))[0] == request()

    def test_what_the_place_says_counts_first(self) -> None:
        place, notes = placed(Told(), tempo=60.0, time_signature="3/4", bars=2, when="press", position=3.0)
        assert (place["position"], place["length"], place["tempo"]) == (3.0, 6.0, 60.0)
        assert "beats" not in place
        assert notes == ()
        place, _ = placed(Told(), bars=2, length=5.0)
        assert place["length"] == 5.0
        assert "when" not in place

    def test_the_bar_of_a_position_that_the_client_says(self) -> None:
        place, _ = placed(Told(), when="press_bar", position=3.25, beats=6.5)
        assert (place["position"], place["beats"]) == (2.0, 4.0)

    def test_fields_of_its_own_place_without_any_clock(self) -> None:
        _, heard = of_request(request(place={"tempo": 87.5, "time_signature": "6/8", "bars": 4}), Clock(lambda: NOW))
        assert heard.duration == pytest.approx(8.228571)
        assert (heard.fields["bpm"], heard.fields["meter"], heard.fields["bars"]) == (87.5, "6/8", 4)

    def test_a_stale_clock_is_told_also_where_the_place_says_a_part(self) -> None:
        told = Told()
        told.now += 5
        place, notes = placed(told, when="press", tempo=60.0, time_signature="4/4", bars=1)
        assert place["length"] == 4.0
        assert notes == ("reaper-1 was last heard 5 s ago, too long to be relied on, so the take has no position",)

    def test_an_impossible_meter_is_not_used(self) -> None:
        place, _ = placed(Told(), when="press", bars=1, time_signature="0/4")
        assert place["length"] == 2.0

    def test_an_arrival_that_is_asked_for_again_arrives_anew(self) -> None:
        place, _ = placed(Told(), when="arrival_bar", bars=4, position=64.0, beats=128.0)
        assert "position" not in place
        assert "beats" not in place

    def test_without_a_client_the_one_that_last_played(self) -> None:
        place, notes = placed(Told("live-1"), None, when="press", bars=1)
        assert (place["position"], notes) == (10.0, ())

    def test_a_clock_fills_in_what_the_client_does_not_tell(self) -> None:
        told = Told(tempo=None, numerator=None, denominator=None)
        told.clock.meter = (3, 4)
        told.clock.update(LINK, {"tempo": 90.0, "playing": True})
        place, notes = placed(told, when="press", bars=2)
        assert (place["position"], place["length"], place["tempo"]) == (10.0, 4.0, 90.0)
        assert notes == ("no clock tells the meter, so 3/4 was taken ([clock] meter)",)

    def test_a_client_that_is_silent_is_stood_in_for_by_a_clock(self) -> None:
        told = Told()
        told.now += 5
        told.clock.update(LINK, {"tempo": 90.0, "playing": True})
        told.clock.update(MIDI_CLOCK, {"tempo": 100.0, "beats": 5.0, "playing": True})
        place, notes = placed(told, when="press", bars=1)
        assert (place["beats"], place["tempo"]) == (5.0, 100.0)
        assert notes[0] == "reaper-1 was last heard 5 s ago, so the MIDI clock was relied on"
        told.clock.update(MIDI_CLOCK, {"playing": False})
        place, notes = placed(told, when="press", bars=1)
        assert place["tempo"] == 90.0, "Link plays"
        assert "Ableton Link tells no position, so the take has no position" in notes
