"""Bars: their length, their start, and the next one, against exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge_daemon.clock.meter import SAME, Meter

METERS = st.builds(Meter, st.integers(1, 32), st.sampled_from([1, 2, 4, 8, 16, 32]))
BEATS = st.floats(-10_000, 1_000_000)


@pytest.mark.parametrize(("written", "quarters"), [((4, 4), 4), ((6, 8), 3), ((3, 4), 3), ((7, 8), 3.5), ((2, 2), 4)])
def test_a_bar_in_quarter_notes(written: tuple[int, int], quarters: float) -> None:
    meter = Meter(*written)
    assert meter.bar == quarters
    assert str(meter) == f"{written[0]}/{written[1]}"


def test_bars_as_seconds() -> None:
    assert Meter(4, 4).seconds(4, 120) == 8.0
    assert Meter(6, 8).seconds(8, 90) == 16.0
    assert Meter(7, 8).seconds(2, 70) == 6.0


def test_a_bar_line_is_the_bar_that_begins_there() -> None:
    meter = Meter(4, 4)
    assert [meter.bar_start(beats) for beats in (0, 3.999, 4, 7.5, -0.5)] == [0, 0, 4, 4, -4]
    assert meter.bar_start(7.99995) == 8, "rounded on the wire"
    assert meter.next_line(8.00005, 1) == 8
    assert [meter.next_line(beats, 4) for beats in (-1, 0, 0.1, 16, 16.1)] == [0, 0, 16, 16, 32]


def test_bars_that_begin_elsewhere() -> None:
    """After two bars of 7/8 the song goes on in 4/4: its lines are at 7, 11, 15 …"""
    meter = Meter(4, 4, origin=7.0)
    assert [meter.bar_start(beats) for beats in (7, 10.9, 11, 30)] == [7, 7, 11, 27]
    assert meter.next_line(8, 1) == 11
    assert meter.next_line(8, 2) % 4 == 3
    pickup = Meter(4, 4, origin=1.0)
    assert [pickup.next_line(beats, 2) for beats in (0.5, 1.0, 1.5)] == [1, 1, 9]


@given(METERS, BEATS)
def test_the_start_of_a_bar(meter: Meter, beats: float) -> None:
    start, bar = meter.bar_start(beats), Fraction(4 * meter.numerator, meter.denominator)
    assert Fraction(start) % bar == 0
    assert start <= beats + SAME
    assert beats + SAME - start < meter.bar + 1e-6


@given(METERS, BEATS, st.integers(1, 999))
def test_the_next_line(meter: Meter, beats: float, bars: int) -> None:
    line, step = meter.next_line(beats, bars), Fraction(4 * meter.numerator, meter.denominator) * bars
    assert Fraction(line) % step == 0
    assert line >= beats - SAME - 1e-9
    assert line - float(step) < beats
    exact = math.ceil(Fraction(beats) / step) * step
    assert line in (float(exact), float(exact - step)), "the one before only where it is the same place"
    if line != float(exact):
        assert beats - line <= 2 * SAME


@given(METERS, BEATS, st.integers(1, 64), st.floats(-1000, 1000))
def test_lines_are_bars_from_the_origin(meter: Meter, beats: float, bars: int, origin: float) -> None:
    moved = Meter(meter.numerator, meter.denominator, origin)
    line = moved.next_line(beats, bars)
    assert abs(line - moved.bar_start(line)) < 1e-3
    assert line - beats + SAME > -1e-3
    assert line - beats < bars * meter.bar + 1e-3
