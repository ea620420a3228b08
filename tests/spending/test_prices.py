"""Sums of dollars from outside, and what they cover."""

from __future__ import annotations

import math
from typing import Any

import pytest

from bridge_daemon.domain.job import MICRO
from bridge_daemon.domain.models import Told, table
from bridge_daemon.engine.listing import Prices
from bridge_daemon.spending.prices import (
    covers,
    dollars,
    price_facts,
    remove_seen,
    told_models,
    write_agreed,
    write_seen,
)

URL = "https://a.example"


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


class Facts:
    """What a transaction keeps of facts."""

    def __init__(self, **kept: Any) -> None:
        self.kept = kept

    def fact(self, key: str) -> Any:
        return self.kept.get(key)

    def facts(self, *keys: str) -> list[Any]:
        return [self.fact(key) for key in keys]

    def set_fact(self, key: str, value: Any) -> None:
        self.kept[key] = value


def test_what_the_catalogue_said_is_forgotten_and_what_was_agreed_to_stays() -> None:
    tx: Any = Facts()
    prices, told = Prices(generation=900_000, step=0), Told(fields=frozenset({"steps"}))
    for name in ("one", "two"):
        write_seen(tx, URL, name, prices, told, 1.0)
    assert told_models(tx, URL) == {"one": told, "two": told}
    model = next(iter(table().values()))
    write_seen(tx, URL, model.name, prices, told, 1.0)
    write_agreed(tx, URL, model.name, prices, 2.0)
    remove_seen(tx, URL, model.name)
    facts = price_facts(tx, URL, model)
    assert (facts.seen, facts.agreed, facts.price(None)) == (None, prices, 900_000)
    assert told_models(tx, URL) == {"one": told, "two": told}


def test_what_an_older_version_wrote_of_a_model_is_read() -> None:
    """It wrote only the names of some parameters."""
    old = {"generation": 900_000, "step": 0, "listed": ["steps"], "at": 1.0}
    tx: Any = Facts(**{f"price.models {URL}": ["new"], f"price.seen {URL} new": old})
    assert told_models(tx, URL) == {"new": Told(fields=frozenset({"steps"}))}
