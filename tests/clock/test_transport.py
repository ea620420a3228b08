"""Where the time line of each client stands, and how far that can be trusted."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge_daemon.clock.transport import CLOCKS, LIMITS, MOST, STALE, Clock, Transport


class Hand:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def test_a_transport_is_carried_on_while_it_plays() -> None:
    hand = Hand()
    clock = Clock(hand)
    clock.update(
        "a", {"playing": True, "position": 10.0, "beats": 20.0, "tempo": 90.0, "numerator": 7, "denominator": 8}
    )
    hand.at += 1.5
    found = clock.of("a")
    assert found is not None
    assert (found.numerator, found.denominator) == (7, 8)
    assert found.age(hand.at) == 1.5
    assert not found.stale(hand.at)
    assert found.position_now(hand.at) == 11.5
    assert found.beats_now(hand.at) == 22.25
    hand.at += STALE
    assert found.stale(hand.at)


def test_a_transport_that_stands_stays_where_it_is() -> None:
    found = Transport(client="a", position=10.0, beats=20.0, tempo=120.0, received=0.0)
    assert (found.position_now(99.0), found.beats_now(99.0)) == (10.0, 20.0)
    unknown = Transport(client="a", playing=True)
    assert (unknown.position_now(99.0), unknown.beats_now(99.0)) == (None, None)
    assert Transport(client="a", playing=True, beats=4.0).beats_now(99.0) == 4.0  # without a tempo nobody knows


def test_what_is_left_out_stays_as_it_was_and_goes_on() -> None:
    hand = Hand()
    clock = Clock(hand)
    clock.update("a", {"playing": True, "position": 10.0, "tempo": 120.0})
    hand.at += 2.0
    stopped = clock.update("a", {"playing": False})
    assert (stopped.position, stopped.tempo, stopped.received) == (12.0, 120.0, hand.at)
    assert clock.update("a", {"position": 3}).position == 3.0
    assert clock.update("a", {}).playing is False


def test_the_one_that_played_last() -> None:
    hand = Hand()
    clock = Clock(hand)
    assert clock.last_playing() is None
    clock.update("a", {"position": 1.0})
    hand.at += 1
    clock.update("b", {"position": 2.0})
    assert clock.last_playing() == clock.of("b")  # nobody played: who spoke last
    clock.update("a", {"playing": True})
    hand.at += 1
    clock.update("b", {"playing": False})
    assert clock.last_playing() == clock.of("a")
    clock.update("a", {"playing": False})
    assert clock.last_playing() == clock.of("a")  # it stopped, and no other has played since
    hand.at += 1
    clock.update("b", {"playing": True})
    assert clock.last_playing() == clock.of("b")


def test_a_clock_that_goes_back_makes_nothing_negative() -> None:
    assert Transport(client="a", playing=True, position=5.0, received=100.0).position_now(90.0) == 5.0


def test_only_so_many_are_kept() -> None:
    hand = Hand()
    clock = Clock(hand)
    clock.update("first", {"playing": True})
    for number in range(MOST):
        hand.at += 1
        clock.update(f"c{number}", {"playing": number == 3})
    assert len(clock.all()) == MOST
    assert clock.of("first") is None
    assert clock.last_playing() == clock.of("c3")


@pytest.mark.parametrize("key", LIMITS)
def test_limits(key: str) -> None:
    limit = LIMITS[key]
    assert limit.allows(limit.low)
    assert limit.allows(limit.high)
    for value in (limit.low - 1, limit.high * 2, math.nan, math.inf, -math.inf, "3", None, True):
        assert not limit.allows(value)
    assert limit.allows(limit.low + 0.5) is not limit.whole
    assert "must be a " in str(limit)


@given(st.floats(), st.integers())
def test_limits_never_raise(number: float, whole: int) -> None:
    for limit in LIMITS.values():
        for value in (number, whole):
            if limit.allows(value):
                assert limit.low <= value <= limit.high


def test_none_forgets_and_a_time_of_its_own_counts() -> None:
    hand = Hand()
    clock = Clock(hand)
    clock.update("a", {"playing": True, "beats": 4.0, "tempo": 120.0}, at=999.0)
    found = clock.of("a")
    assert found is not None
    assert found.beats_now(hand.at) == 6.0
    assert clock.update("a", {"beats": None}).beats is None


def test_a_bar_counts_as_long_as_its_meter() -> None:
    clock = Clock(Hand())
    told = clock.update("a", {"numerator": 7, "denominator": 8, "bar": 3.5})
    assert told.bar == 3.5
    assert clock.update("a", {"beats": 9.0, "numerator": 7}).bar == 3.5
    assert clock.update("a", {"numerator": 4, "denominator": 4}).bar is None
    assert clock.update("a", {"numerator": 3, "bar": 11.0}).bar == 11.0


def test_of_two_that_play_the_one_that_was_started_last_stays_it() -> None:
    hand = Hand()
    clock = Clock(hand)
    for name in ("a", "b", "a", "b", "a", "a"):
        clock.update(name, {"playing": True})
        hand.at += 0.1
    assert clock.last_playing() == clock.of("b"), "a spoke last, and they do not take turns"
    clock.update("a", {"playing": False})
    clock.update("a", {"playing": True})
    assert clock.last_playing() == clock.of("a")


def test_one_that_fell_silent_plays_no_more() -> None:
    hand = Hand()
    clock = Clock(hand)
    clock.update("a", {"playing": True})
    hand.at += 1
    clock.update("b", {"playing": True})
    for _ in range(30):
        hand.at += 0.1
        clock.update("a", {"playing": True})
    assert clock.last_playing() == clock.of("a"), "b crashed while it played"
    clock.update("b", {"playing": True})
    assert clock.last_playing() == clock.of("b"), "it is back, which is a start"


def test_clocks_are_no_clients_and_only_some_may_be_meant() -> None:
    hand = Hand()
    clock = Clock(hand)
    for name in CLOCKS:
        clock.update(name, {"playing": True})
    assert clock.last_playing() is None
    clock.update("a", {})
    clock.update("b", {"playing": True})
    assert clock.last_playing(among=["a"]) == clock.of("a")
    assert clock.last_playing(among=[]) is None
