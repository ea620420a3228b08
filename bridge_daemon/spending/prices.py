"""What a generation costs: our table, what the service's catalogue says, and what the person agreed to.

What counts is the dearer of the table and what the person agreed to. A catalogue that is cheaper changes nothing; one
that is dearer stops paid requests until the person agrees; one that does not answer leaves the table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from bridge_daemon.domain.job import MICRO
from bridge_daemon.domain.models import Model
from bridge_daemon.engine.protocol import Prices
from bridge_daemon.journal import Transaction

#: Prices are shown rounded to cents, so what a person agrees to may be half a cent less than what is meant.
HALF_A_CENT: Final = 5_000


def covers(usd: float, price: int) -> bool:
    """Return whether dollars that a person agreed to, rounded to cents, are at least a price in micro-dollars."""
    return usd * MICRO + HALF_A_CENT + 0.5 >= price  # 0.5: 1.16 is no whole number of micro-dollars in binary


def dollars(value: Any) -> float | None:
    """Return a sum of dollars that came from outside, None if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        usd = float(value)
    except OverflowError:
        return None
    return usd if math.isfinite(usd) and usd >= 0 else None


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceFacts:
    """Everything known of the price of a model at a service. Micro-dollars."""

    model: Model
    agreed: Prices | None
    seen: Prices | None
    seen_at: float | None  # UTC, seconds since the epoch

    def price(self, steps: int | None) -> int:
        """Return what one generation is counted with."""
        return max(self.model.price(steps), self._of(self.agreed, steps))

    def seen_price(self, steps: int | None) -> int:
        """Return what one generation costs by the catalogue; what is counted with if that was never read."""
        return self._of(self.seen, steps) if self.seen is not None else self.price(steps)

    def dearer(self, steps: int | None = None) -> bool:
        """Whether the service asks for more than is counted with."""
        return self.seen_price(steps) > self.price(steps)

    def _of(self, prices: Prices | None, steps: int | None) -> int:
        return self.model.price(steps, generation=prices.generation, step=prices.step) if prices is not None else 0


def _key(kind: str, base_url: str, model: str) -> str:
    return f"price.{kind} {base_url} {model}"


def price_facts(tx: Transaction, base_url: str, model: Model) -> PriceFacts:
    """Read what is known of a model's price."""
    seen, agreed = tx.facts(_key("seen", base_url, model.name), _key("agreed", base_url, model.name))
    return PriceFacts(
        model=model,
        agreed=_prices(agreed),
        seen=_prices(seen),
        seen_at=seen["at"] if seen else None,
    )


def listed_parameters(tx: Transaction, base_url: str, model: str) -> frozenset[str]:
    """Return what the catalogue listed for a model, of the parameters that not every model takes."""
    return frozenset((tx.fact(_key("seen", base_url, model)) or {}).get("listed", ()))


def write_seen(tx: Transaction, base_url: str, model: str, prices: Prices, listed: frozenset[str], at: float) -> None:
    """Remember what the catalogue said: the price, and which parameters it lists."""
    fact = {"generation": prices.generation, "step": prices.step, "listed": sorted(listed), "at": at}
    tx.set_fact(_key("seen", base_url, model), fact)


def write_agreed(tx: Transaction, base_url: str, model: str, prices: Prices, at: float) -> None:
    """Remember what the person agreed to."""
    fact = {"generation": prices.generation, "step": prices.step, "at": at}
    tx.set_fact(_key("agreed", base_url, model), fact)


def _prices(fact: Any) -> Prices | None:
    return Prices(generation=fact["generation"], step=fact["step"]) if fact else None
