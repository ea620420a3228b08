"""What is known of each model: a typed view of ``models.toml``, and what the service's catalogue told beside it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

from pydantic import BaseModel, ConfigDict

from bridge_daemon.domain.parameters import BOTH, REGION, by_name, sent

#: The modes of the service, as its page writes them; a catalogue may spell them otherwise.
TEXT: Final = "text-to-audio"
AUDIO: Final = "audio-to-audio"
INPAINT: Final = "audio-inpaint"


class Region(BaseModel):
    """How a model takes the region of a source that is to be replaced: its own names, in seconds."""

    model_config = ConfigDict(frozen=True)

    start: str
    end: str
    whole: bool = False  # whole seconds only


class Told(BaseModel):
    """What the service's catalogue told of a model, as far as it was understood."""

    model_config = ConfigDict(frozen=True)

    fields: frozenset[str] = frozenset()  # the names of all parameters
    modes: dict[str, str] = {}  # as the page writes them, and as the catalogue does
    ranges: dict[str, tuple[float, float]] = {}  # by our names
    wav: bool = True  # whether a WAV can be asked for
    region: Region | None = None


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
    #: What the service's catalogue told of it; None: nothing yet.
    told: Told | None = None
    #: Whether all that is known of it comes from the catalogue. Then nothing is sent that is not listed there.
    learned: bool = False

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

    def takes(self, parameter: str) -> bool:
        """Whether a parameter may be sent to it."""
        if parameter in REGION:
            return self.region is not None
        one = by_name()[parameter]
        if one.sent_as is None or not (self.learned or one.listed):
            return True
        return self.told is not None and one.sent_as in self.told.fields

    @property
    def modes(self) -> Mapping[str, str]:
        """The modes that it has, and how each is written to it."""
        told = self.told.modes if self.told is not None else {}
        return told if self.learned else {TEXT: TEXT, AUDIO: AUDIO} | told

    @property
    def region(self) -> Region | None:
        """How a region of a source is replaced; None: it cannot be."""
        return self.told.region if self.told is not None else None


@cache
def table() -> dict[str, Model]:
    """Return every model of ``models.toml`` by its name."""
    text = files("bridge_daemon").joinpath("models.toml").read_text(encoding="utf-8")
    return {name: Model(name=name, **values) for name, values in tomllib.loads(text).items()}


_told: dict[str, Model] = {}


def models() -> dict[str, Model]:
    """Return every model that can be asked for, by its name: those of the table, then what the catalogue told of."""
    return table() | _told


def known(name: str) -> Model:
    """Return a model, also one that is not known any more: what was admitted for it goes on."""
    return models().get(name) or _stranger(name, Told())


def learn(name: str, told: Told) -> None:
    """Remember what the service's catalogue told of a model."""
    own = table().get(name)
    _told[name] = _stranger(name, told) if own is None else _updated(own, told)


def unlearn(name: str) -> None:
    """Know no more of a model than the table does."""
    _told.pop(name, None)


def forget() -> None:
    """Know no more than the table: another service has another catalogue."""
    _told.clear()


def _updated(own: Model, told: Told) -> Model:
    """Return a model of the table with the ranges that the catalogue told.

    Where the table has a range for each action, the catalogue's one is that of generate; a transform may have both,
    for the notes of the service's page allow there what its table does not.
    """
    ranges = dict(own.ranges)
    for name, span in told.ranges.items():
        if name not in own.by_action:
            ranges[name] = span
            continue
        low, high = own.ranges[f"{name}_transform"]
        ranges |= {f"{name}_generate": span, f"{name}_transform": (min(low, span[0]), max(high, span[1]))}
    most = ranges["duration"][1]
    ranges |= dict.fromkeys(REGION, (0.0, most))
    return own.model_copy(update={"told": told, "ranges": ranges, "source_longest": most})


def _stranger(name: str, told: Told) -> Model:
    """Return a model that only the catalogue knows. It has no price of ours: what it costs must be agreed to."""
    widest = {one.name: (one.low, one.high) for one in sent() if one.low is not None and one.high is not None}
    ranges = widest | told.ranges
    ranges |= dict.fromkeys(REGION, (0.0, ranges["duration"][1]))
    like = next(iter(table().values()))
    return Model(
        name=name,
        title=name,
        price_generation=0,
        price_step=0,
        steps_default=int(ranges["steps"][1]),  # of what steps cost the dearest, where the catalogue names no default
        ranges=ranges,
        source_least=like.source_least,
        source_longest=ranges["duration"][1],
        strength_one_means=like.strength_one_means,
        kept_for=like.kept_for,
        told=told,
        learned=True,
    )


def widest(parameter: str) -> tuple[float, float] | None:
    """Return the widest range that any model allows of a parameter."""
    spans = [span for model in models().values() if (span := model.range(parameter)) is not None]
    return (min(low for low, _ in spans), max(high for _, high in spans)) if spans else None
