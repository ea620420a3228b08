"""What is known of each model: a typed view of ``models.toml``."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """Ranges (inclusive), prices and needs of one model of the service."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    price_generation: int  # micro-dollars
    price_step: int  # micro-dollars for each step
    steps_default: int
    duration: tuple[float, float]  # s
    cfg_scale: tuple[float, float]
    strength: tuple[float, float]
    seed: tuple[int, int]
    steps_generate: tuple[int, int]
    steps_transform: tuple[int, int]
    source_least: float  # s
    source_longest: float  # s
    strength_one_means: str
    kept_for: float  # s

    def steps(self, action: str) -> tuple[int, int]:
        """Return the range of ``steps`` for "generate" or "transform"."""
        return self.steps_transform if action == "transform" else self.steps_generate

    def price(self, steps: int | None, *, generation: int | None = None, step: int | None = None) -> int:
        """Return the price of one generation in micro-dollars, from the table or from the prices given."""
        base = self.price_generation if generation is None else generation
        each = self.price_step if step is None else step
        return base + each * (self.steps_default if steps is None else steps)


@cache
def models() -> dict[str, Model]:
    """Return every model of the table by its name."""
    text = files("bridge_daemon").joinpath("models.toml").read_text(encoding="utf-8")
    return {name: Model(name=name, **values) for name, values in tomllib.loads(text).items()}
