"""What is known of each model: a typed view of ``models.toml``."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict

from bridge_daemon.domain.parameters import BOTH, by_name


class Model(BaseModel):
    """Ranges (inclusive), prices and needs of one model of the service."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    price_generation: int  # micro-dollars
    price_step: int  # micro-dollars for each step
    steps_default: int
    ranges: dict[str, tuple[int | float, int | float]]
    source_least: float  # s
    source_longest: float  # s
    strength_one_means: str
    kept_for: float  # s
    #: Parameters that the service's catalogue lists, of those that not every model takes.
    listed: frozenset[str] = frozenset()

    def range(self, name: str, action: str | None = None) -> tuple[int | float, int | float] | None:
        """Return what a parameter may be, None if that is any number; without an action, what it may be for either."""
        own = by_name()[name]
        if name == "continue_from":  # it is the length of a source
            return self.source_least, self.source_longest
        if name in self.ranges:
            return self.ranges[name]
        found = [
            self.ranges[key] for each in BOTH if each == (action or each) and (key := f"{name}_{each}") in self.ranges
        ]
        if found:
            return min(low for low, _ in found), max(high for _, high in found)
        return None if own.low is None or own.high is None else (own.low, own.high)

    @property
    def by_action(self) -> frozenset[str]:
        """The parameters that have a range of their own for each action."""
        return frozenset(
            key.removesuffix(f"_{each}") for key in self.ranges for each in BOTH if key.endswith(f"_{each}")
        )

    @property
    def duration(self) -> tuple[float, float]:
        """The shortest and the longest take, in s."""
        return self.ranges["duration"]

    def price(self, steps: int | None, *, generation: int | None = None, step: int | None = None) -> int:
        """Return the price of one generation in micro-dollars, from the table or from the prices given."""
        base = self.price_generation if generation is None else generation
        each = self.price_step if step is None else step
        return base + each * (self.steps_default if steps is None else steps)


def takes(model: str, parameter: str) -> bool:
    """Return whether the service's catalogue lists a parameter for a model, of those that not every model takes."""
    return parameter in models()[model].listed


@cache
def models() -> dict[str, Model]:
    """Return every model of the table by its name."""
    text = files("bridge_daemon").joinpath("models.toml").read_text(encoding="utf-8")
    return {name: Model(name=name, **values) for name, values in tomllib.loads(text).items()}


def learn(name: str, listed: frozenset[str]) -> None:
    """Remember what the service's catalogue lists for a model."""
    models()[name] = models()[name].model_copy(update={"listed": listed})
