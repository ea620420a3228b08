"""What a generation costs: our table, what the service's catalogue says, and what the person agreed to.

A catalogue that is cheaper than the table changes nothing (limits count with the dearer one); one that is dearer stops
paid requests until the person agrees; one that does not answer leaves the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bridge_daemon.engine.protocol import Prices
from bridge_daemon.journal import Transaction
from bridge_daemon.models import Model


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceFacts:
    """Everything known of the price of a model at a service. Micro-dollars."""

    model: Model
    agreed: Prices | None
    seen: Prices | None
    seen_at: float | None  # UTC, seconds since the epoch

    @property
    def counted(self) -> Prices:
        """What is counted with: the table, or what the person agreed to."""
        table = Prices(generation=self.model.price_generation, step=self.model.price_step)
        return self.agreed if self.agreed is not None else table

    @property
    def dearer(self) -> bool:
        """Whether the service asks for more than is counted with."""
        if self.seen is None:
            return False
        return self.seen.generation > self.counted.generation or self.seen.step > self.counted.step

    def price(self, steps: int | None) -> int:
        """Return what one generation is counted with."""
        return self.model.price(steps, generation=self.counted.generation, step=self.counted.step)

    def seen_price(self, steps: int | None) -> int:
        """Return what one generation costs by the catalogue, where that was read."""
        seen = self.seen or self.counted
        return self.model.price(steps, generation=seen.generation, step=seen.step)


def _key(kind: str, base_url: str, model: str) -> str:
    return f"price.{kind} {base_url} {model}"


def price_facts(tx: Transaction, base_url: str, model: Model) -> PriceFacts:
    """Read what is known of a model's price."""
    seen, agreed = tx.fact(_key("seen", base_url, model.name)), tx.fact(_key("agreed", base_url, model.name))
    return PriceFacts(
        model=model,
        agreed=_prices(agreed),
        seen=_prices(seen),
        seen_at=seen["at"] if seen else None,
    )


def write_seen(tx: Transaction, base_url: str, model: str, prices: Prices, at: float) -> None:
    """Remember what the catalogue said."""
    fact = {"generation": prices.generation, "step": prices.step, "at": at}
    tx.set_fact(_key("seen", base_url, model), fact)


def write_agreed(tx: Transaction, base_url: str, model: str, prices: Prices, at: float) -> None:
    """Remember what the person agreed to."""
    fact = {"generation": prices.generation, "step": prices.step, "at": at}
    tx.set_fact(_key("agreed", base_url, model), fact)


def _prices(fact: Any) -> Prices | None:
    return Prices(generation=fact["generation"], step=fact["step"]) if fact else None
