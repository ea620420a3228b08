"""Sums of dollars from outside, and what they cover."""

from __future__ import annotations

import math
from typing import Any

import pytest

from bridge_daemon.domain.job import MICRO
from bridge_daemon.spending.prices import covers, dollars


@pytest.mark.parametrize(
    ("given", "usd"),
    [(0, 0.0), (0.58, 0.58), (3, 3.0), (1e308, 1e308)]
    + [(wrong, None) for wrong in (-0.01, math.inf, -math.inf, math.nan, 10**400, True, "1", None, [1])],
)
def test_what_is_a_sum(given: Any, usd: float | None) -> None:
    assert dollars(given) == usd


def test_a_price_as_it_is_shown_is_always_enough_and_a_cent_less_never() -> None:
    for price in range(1, 12 * MICRO, 4_999):  # odd, so that every rest is met
        shown = float(f"{price / MICRO:.2f}")
        assert covers(shown, price), price
        assert not covers(round(shown - 0.02, 2), price), price


def test_half_a_cent_less_is_the_edge() -> None:
    """In binary no dollars are whole micro-dollars, and what is shown must be enough to the last of them."""
    for cents in range(1, 3_000):
        usd = cents / 100
        assert covers(usd, cents * 10_000 + 5_000), usd
        assert not covers(usd, cents * 10_000 + 5_001), usd
