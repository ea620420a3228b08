"""What a generation costs: our table, what the service's catalogue says, and what the person agreed to.

What counts is the dearer of the table and what the person agreed to. A catalogue that is cheaper changes nothing; one
that is dearer stops paid requests until the person agrees; one that does not answer leaves the table. A model that
the table does not have has no price but the one that the person agreed to.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from bridge_daemon.domain.job import MICRO
from bridge_daemon.domain.models import Model, Told, table
from bridge_daemon.engine.listing import Prices
from bridge_daemon.journal import Transaction

#: Prices are shown rounded to cents, so what a person agrees to may be half a cent less than what is meant.
HALF_A_CENT: Final = 5_000
#: Models that are remembered; each is asked for once a day.
_MOST_TOLD: Final = 32


def covers(usd: float, price: int) -> bool:
    """Return whether dollars that a person agreed to, rounded to cents, are at least a price in micro-dollars."""
    return usd * MICRO + HALF_A_CENT + 0.5 >= price  # 0.5: 1.16 is no whole number of micro-dollars in binary


def names(usd: float, price: int) -> bool:
    """Return whether dollars, rounded to cents or up to the next one, are just a price in micro-dollars."""
    return covers(usd, price) and usd * MICRO - 0.5 <= price + 2 * HALF_A_CENT


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

    @property
    def new(self) -> bool:
        """Whether nobody knows a price of it but the catalogue."""
        return self.model.learned and self.agreed is None

    def shown(self, steps: int | None) -> int:
        """Return what a person is told that it costs."""
        return self.seen_price(steps) if self.new else self.price(steps)

    def dearer(self, steps: int | None = None) -> bool:
        """Whether the service asks for more than is counted with."""
        return self.seen_price(steps) > self.price(steps)

    def _of(self, prices: Prices | None, steps: int | None) -> int:
        if prices is None:
            return 0
        made = prices.steps if steps is None else steps
        return self.model.price(made, generation=prices.generation, step=prices.step)


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


def told_models(tx: Transaction, base_url: str) -> dict[str, Told]:
    """Return what the catalogue told of each model when it was read last."""
    names: list[str] = sorted({*(tx.fact(_index(base_url)) or ()), *table()})
    facts = tx.facts(*(_key("seen", base_url, name) for name in names))
    return {name: _told(fact) for name, fact in zip(names, facts, strict=True) if fact is not None}


def write_seen(tx: Transaction, base_url: str, model: str, prices: Prices, told: Told, at: float) -> None:
    """Remember what the catalogue said of a model: its price, and what it takes."""
    fact = asdict(prices) | {"told": told.model_dump(mode="json"), "at": at}
    tx.set_fact(_key("seen", base_url, model), fact)
    known = tx.fact(_index(base_url)) or []
    if model not in known:
        tx.set_fact(_index(base_url), [*known, model][-_MOST_TOLD:])


def remove_seen(tx: Transaction, base_url: str, model: str) -> None:
    """Forget what the catalogue said of a model; what the person agreed to stays."""
    tx.set_fact(_key("seen", base_url, model), None)


def write_agreed(tx: Transaction, base_url: str, model: str, prices: Prices, at: float) -> None:
    """Remember what the person agreed to."""
    tx.set_fact(_key("agreed", base_url, model), asdict(prices) | {"at": at})


def _index(base_url: str) -> str:
    return f"price.models {base_url}"  # of the account, as the prices are


def _told(fact: Mapping[str, Any]) -> Told:
    if "told" not in fact:  # of a version that kept the names of some parameters only
        return Told(fields=frozenset(fact.get("listed", ())))
    return Told.model_validate(fact["told"])


def _prices(fact: Any) -> Prices | None:
    return Prices(generation=fact["generation"], step=fact["step"], steps=fact.get("steps")) if fact else None
