"""A request: what somebody asked for. One versioned object, all its parameters inside, JSON both ways.

Types and shapes are checked here. Ranges that depend on the model, limits and files are checked by ``admit``, which
collects the faults of both, so that a person sees all of them at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
    model_validator,
)
from pydantic_core import PydanticCustomError

from bridge_daemon.domain import ids
from bridge_daemon.domain.parameters import LONGEST_NAME, TABLE, Parameter
from bridge_daemon.errors import Fault

VERSION = 1
#: Takes that are laid over another one to be a source.
MOST_MIXED: Final = 7
_NO_ID = "00000000-0000-0000-0000-000000000000"  # stands in for one that is wrong or missing


def _trimmed(value: str) -> str:
    return value.strip()


def _whole(value: Any) -> Any:
    # scripting languages write 50 as 50.0
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _chosen(one: Parameter, value: Any) -> Any:
    try:
        return None if value is None else one.chosen(value)
    except ValueError as error:
        raise PydanticCustomError("choice", "{allowed}", {"allowed": str(error)}) from None


Whole = Annotated[int, BeforeValidator(_whole)]
RequestId = Annotated[str, Field(max_length=64), AfterValidator(ids.as_uuid)]
Name = Annotated[str, Field(max_length=LONGEST_NAME)]
#: Where on the time line: at the press, at the start of its bar, or at the next bars once the take is ready.
When = Literal["press", "press_bar", "arrival_bar"]
PathText = Annotated[str, Field(min_length=1, max_length=4096)]


class _Frozen(BaseModel):
    # strict: "yes" is no boolean and "3" no number; an intake whose wire has only text converts before it gets here
    # its checks are built with the first request, see warm_up
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)

    def as_dict(self) -> dict[str, Any]:
        """Return what was given, without what was left out."""
        return self.model_dump(mode="json", exclude_none=True)


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value  # JSON has lists, frozen things have tuples


JobId = Annotated[str, Field(pattern=f"^{ids.JOB}$")]
_Jobs = Annotated[tuple[JobId, ...], BeforeValidator(_tuple), Field(min_length=1, max_length=MOST_MIXED)]


class Source(_Frozen):
    """A region of an audio file on this machine, or of the take of a job. Without start and end: all of it."""

    path: PathText | None = None
    take: JobId | None = None
    mix: _Jobs | None = None  # jobs whose takes are laid over that of ``take``, each from its beginning
    start: Annotated[float, Field(ge=0)] | None = None  # s
    end: Annotated[float, Field(gt=0)] | None = None  # s

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.path is None) == (self.take is None):
            raise PydanticCustomError("source", "needs a path or a take: one of them")
        if self.mix is not None and (self.take is None or self.start is not None or self.end is not None):
            raise PydanticCustomError("source", "mix belongs to take, and takes all of each")
        return self

    @property
    def takes(self) -> tuple[str, ...]:
        """The jobs whose takes it is made of; none if it is a file."""
        return () if self.take is None else (self.take, *(self.mix or ()))


class Place(_Frozen):
    """Where the take belongs."""

    project: Name | None = None
    project_id: Name | None = None
    track: Name | None = None
    target: Literal["arrangement", "session"] | None = None
    slot: Annotated[Whole, Field(ge=0, le=100_000)] | None = None
    launch: Literal["none", "quantized"] | None = None
    when: When | None = None
    bars: Annotated[Whole, Field(ge=1, le=999)] | None = None  # length in bars, if no length in seconds is given
    position: Annotated[float, Field(ge=-86_400, le=864_000)] | None = None  # s
    beats: Annotated[float, Field(ge=-1e6, le=1e8)] | None = None
    length: Annotated[float, Field(gt=0, le=86_400)] | None = None  # s
    time_offset: Annotated[float, Field(ge=-864_000, le=864_000)] | None = None  # s, the project's start
    folder: PathText | None = None
    tempo: Annotated[float, Field(gt=0, le=2000)] | None = None
    key: Annotated[str, Field(max_length=40)] | None = None  # as musicians say it: A minor
    time_signature: Annotated[str, Field(pattern=r"^\d{1,3}/\d{1,3}$")] | None = None
    sample_rate: Annotated[Whole, Field(ge=8_000, le=384_000)] | None = None
    token: Annotated[str, Field(max_length=4096)] | None = None  # opaque to us


def _field(one: Parameter) -> tuple[Any, Any]:
    """Return a parameter as pydantic checks its shape; ranges of the model are checked once that is known."""
    if one.kind == "choice":
        kind: Any = Annotated[str | float, BeforeValidator(partial(_chosen, one))]
    elif one.kind == "text":
        kind = Annotated[str, Field(max_length=one.longest), AfterValidator(_trimmed)]
    else:
        kind = Whole if one.kind == "whole" else float
        if not one.by_model:
            kind = Annotated[kind, Field(le=one.high), Field(gt=one.low) if one.low_excluded else Field(ge=one.low)]
    return kind | None, None


if TYPE_CHECKING:

    class _Parameters(_Frozen):
        # what the code names itself; the table has more
        prompt: str | None = None
        model: str | None = None
        duration: float | None = None
        strength: float | None = None
        seed: int | None = None
        variations: int | None = None
        valid_for: float | None = None
        continue_from: float | None = None
        fit: str | None = None
        loudness: str | float | None = None

else:
    _Parameters = create_model("_Parameters", __base__=_Frozen, **{one.name: _field(one) for one in TABLE})


class Request(_Parameters):
    """One press, one pad, one render."""

    version: Annotated[Whole, Field(ge=VERSION, le=VERSION)] = VERSION
    id: RequestId
    client: Annotated[str, Field(pattern=f"^{ids.CLIENT}$")] | None = None
    action: Literal["generate", "transform", "replace"] | None = None  # None: the preset says
    preset: Name | None = None
    source: Source | None = None
    place: Place = Place()
    confirm_usd: Annotated[float, Field(ge=0)] | None = None
    again: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return what was given, without what was left out."""
        return self.model_dump(mode="json", exclude_unset=True, exclude_none=True)


def warm_up() -> None:
    """Build the checks of requests now, beside the start, for the first press would wait for that."""
    Request.model_rebuild()


def parse(data: Mapping[str, Any]) -> tuple[Request, list[Fault]]:
    """Read a request from plain data.

    Returns the request and every fault found. A request with faults is partial, for the checks that can still be made:
    what is wrong is left out of it, an ``id`` that is none is empty.
    """
    try:
        return Request.model_validate(dict(data)), []
    except ValidationError as error:
        faults = [shape_fault(part) for part in error.errors()]
    faulty = {fault.field.partition(".")[0] for fault in faults}
    rest = {key: value for key, value in data.items() if key not in faulty}
    partial = Request.model_validate({"id": _NO_ID} | rest)
    return (partial.model_copy(update={"id": ""}) if "id" in faulty else partial), faults


_WORDS = {
    "missing": "is required",
    "extra_forbidden": "is not a key of a request",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "string_type": "must be text",
    "finite_number": "must be a finite number",
    "model_type": "must be an object",
}


def shape_fault(part: Any) -> Fault:
    """Turn one of pydantic's errors, of a request or of another body, into the field, its value and what is allowed."""
    path = [str(step) for step in part["loc"]]
    kind, context = part["type"], part.get("ctx", {})
    if kind == "missing":
        value: Any = None
    else:
        value = part["input"]
    if path == ["id"] and kind != "missing":
        allowed = "must be a UUID, made new for each press"
    elif path == ["client"] and kind == "string_pattern_mismatch":
        allowed = "1 to 40 of a-z, 0-9 and -"
    elif path == ["version"]:
        allowed = f"must be {VERSION}; this daemon speaks no other version"
    elif kind == "literal_error":
        allowed = f"must be one of {context.get('expected')}"
    else:
        allowed = _WORDS.get(kind, part["msg"][0].lower() + part["msg"][1:])
    return Fault(".".join(path), value, allowed)
