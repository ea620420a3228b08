"""The parameters of a request, declared once: whatever reads, shows or sends one uses this table.

To add a parameter, add a row here. Where a model allows only a part of a range, ``models.toml`` says so. Loads nothing,
for the commands read it at their start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

#: Longest prompt that is taken; the service documents none, the model's maker this one.
MAX_PROMPT: Final = 10_000
LONGEST_NAME: Final = 200
BOTH: Final = ("generate", "transform")

#: Who may set a parameter besides a request: a preset of config.toml, a knob of a controller, the form in REAPER.
Setter = Literal["preset", "knob", "form"]
_EVERYBODY: Final[tuple[Setter, ...]] = ("preset", "knob", "form")


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """One parameter of a request."""

    name: str
    kind: Literal["text", "whole", "number", "choice"]
    meaning: str  #: one sentence
    label: str = ""  #: in a form
    hint: str = ""  #: behind the label
    unit: str = ""
    #: The widest range that any model allows, inclusive.
    low: float | None = None
    high: float | None = None
    low_excluded: bool = False
    longest: int | None = None  #: characters of a text
    choices: tuple[str, ...] = ()  #: the words of a choice; with a range, a number is allowed as well
    #: Whether the model narrows the range, so that it is checked only when the model is known.
    by_model: bool = True
    start: float | None = None  #: where a slider stands before it is moved
    default: str = ""  #: what counts where nobody sets it, in words
    set_by: tuple[Setter, ...] = _EVERYBODY
    actions: tuple[str, ...] = BOTH
    sent_as: str | None = None  #: its name at the service; None: not sent under a name of its own
    #: Whether only those models take it whose catalogue at the service lists it.
    listed: bool = False
    left_out: float | None = None  #: what the service takes where it is not sent

    @property
    def type(self) -> type[str] | type[int] | type[float]:
        """The Python type of its values."""
        return {"text": str, "whole": int, "number": float, "choice": str}[self.kind]

    @property
    def shapes_sound(self) -> bool:
        """Whether it tells, with the prompt, how a take was made; the seed is told for each take."""
        return self.sent_as is not None and self.kind != "text" and self.name not in ("duration", "seed")

    @property
    def range(self) -> str:
        """What is allowed, in words."""
        if self.longest is not None:
            return f"text, {self.longest} characters at most"
        if self.choices:
            words = ", ".join(self.choices[:-1]) + f" or {self.choices[-1]}"
            return words if self.low is None else f"{words}, or a number, {_span(self)}"
        number = "a whole number" if self.kind == "whole" else "a number"
        if self.low is None or self.high is None:
            return number
        return f"{number}, {_span(self)}"

    def chosen(self, value: object) -> str | float:
        """Return a value of a choice as requests have it: a word, or a number. Raises ValueError."""
        if isinstance(value, str) and value in self.choices:
            return value
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number and self.low is not None and self.high is not None and self.low <= value <= self.high:  # type: ignore[operator]
            return float(value)  # type: ignore[arg-type]
        raise ValueError(f"must be {self.range}")

    def read(self, text: str) -> str | float:
        """Return a value of a choice from text. Raises ValueError."""
        try:
            return self.chosen(float(text))
        except ValueError:
            return self.chosen(text)


def _span(one: Parameter) -> str:
    low, high = number_of(one.low or 0), number_of(one.high or 0)
    return f"more than {low} and at most {high}" if one.low_excluded else f"{low} to {high}"


def number_of(value: float) -> str:
    """Return a bound as people write it."""
    return str(int(value)) if float(value).is_integer() else f"{value:g}"


TABLE: tuple[Parameter, ...] = (
    Parameter(
        name="prompt",
        kind="text",
        meaning="What is to be heard.",
        label="Prompt",
        longest=MAX_PROMPT,
        default="is required, here or in the preset",
        set_by=("preset", "form"),
        sent_as="prompt",
    ),
    Parameter(
        name="negative_prompt",
        kind="text",
        meaning="What is not to be heard; for models whose catalogue at the service lists it.",
        longest=MAX_PROMPT,
        default="nothing",
        set_by=("preset",),
        sent_as="negative_prompt",
        listed=True,
    ),
    Parameter(
        name="model",
        kind="text",
        meaning="The model.",
        longest=LONGEST_NAME,
        default="[engine] model",
        set_by=("preset",),
    ),
    Parameter(
        name="duration",
        kind="number",
        meaning="Length of the take, in seconds.",
        unit="s",
        low=1,
        high=190,
        default="the length of the place, else of the source, else of the preset, else [defaults] duration",
        set_by=("preset", "knob"),
        sent_as="duration",
        left_out=190,
    ),
    Parameter(
        name="strength",
        kind="number",
        meaning="How strongly the source counts in a transform.",
        label="Strength",
        hint="0..1",
        low=0,
        high=1,
        start=0.5,
        default="[defaults] strength",
        actions=("transform",),
        sent_as="strength",
        left_out=1,
    ),
    Parameter(
        name="continue_from",
        kind="number",
        meaning="Continues the source: its last seconds, so many, are sent, and the take goes behind its end.",
        unit="s",
        low=6,
        high=190,
        default="the source is not continued",
        set_by=("preset",),
        actions=("transform",),
    ),
    Parameter(
        name="cfg_scale",
        kind="number",
        meaning="How strictly the prompt is followed.",
        label="CFG scale",
        hint="1..25",
        low=1,
        high=25,
        start=7,
        default="the service's",
        sent_as="cfg_scale",
        left_out=7,
    ),
    Parameter(
        name="steps",
        kind="whole",
        meaning="Steps of the model: more is finer and slower.",
        label="Steps",
        low=4,
        high=100,
        start=50,
        default="the service's",
        sent_as="steps",
        left_out=50,
    ),
    Parameter(
        name="seed",
        kind="whole",
        meaning="The same seed makes the same take again.",
        label="Seed",
        hint="(empty: new)",
        low=1,
        high=4_294_967_294,
        default="a new one",
        sent_as="seed",
    ),
    Parameter(
        name="region_start",
        kind="number",
        meaning="Replaces a region of the source: where it begins in it, in seconds; for models that can.",
        unit="s",
        low=0,
        high=190,
        default="nothing is replaced, all of the source is transformed",
        set_by=(),
        actions=("transform",),
        sent_as="mask_start",
        listed=True,
    ),
    Parameter(
        name="region_end",
        kind="number",
        meaning="Where the region that is replaced ends in the source, in seconds.",
        unit="s",
        low=0,
        high=190,
        default="as region_start",
        set_by=(),
        actions=("transform",),
        sent_as="mask_end",
        listed=True,
    ),
    Parameter(
        name="variations",
        kind="whole",
        meaning="Takes at once; each one is paid for.",
        label="Variations",
        hint="1..8",
        low=1,
        high=8,
        start=1,
        default="1",
    ),
    Parameter(
        name="valid_for",
        kind="number",
        meaning="Not sent without asking after this, in seconds.",
        unit="s",
        low=0,
        low_excluded=True,
        high=7 * 86_400,
        by_model=False,
        default="[defaults] valid_for",
        set_by=("preset",),
    ),
    Parameter(
        name="fit",
        kind="choice",
        meaning="How the take is made to fit: its first beat on the place, the project's tempo, a loop of whole bars.",
        label="Fit",
        choices=("off", "start", "grid", "loop"),
        by_model=False,
        default="for whole bars that a client places, loop in a slot and grid elsewhere; else off",
        set_by=("preset", "form"),
    ),
    Parameter(
        name="loudness",
        kind="choice",
        meaning="How loud the take is made: as its source, or so many LUFS.",
        label="Loudness",
        choices=("off", "source"),
        low=-30,
        high=-8,
        by_model=False,
        default="off",
        set_by=("preset", "form"),
    ),
)


def names(*, set_by: Setter | None = None, kind: str | None = None) -> tuple[str, ...]:
    """Return the names of the parameters, of those of a kind, or of those that somebody may set."""
    return tuple(
        one.name for one in TABLE if (set_by is None or set_by in one.set_by) and (kind is None or one.kind == kind)
    )


def sent() -> tuple[Parameter, ...]:
    """Return the numbers that the service gets."""
    return tuple(one for one in TABLE if one.sent_as is not None and one.kind in ("whole", "number"))


#: What says which region of a source is replaced: both or none.
REGION: Final = ("region_start", "region_end")


def by_name() -> dict[str, Parameter]:
    """Return every parameter by its name."""
    return {one.name: one for one in TABLE}


def values_of(holder: Any) -> dict[str, Any]:
    """Return the numbers that the service gets, of an object that has them as attributes."""
    return {one.name: getattr(holder, one.name) for one in sent()}
