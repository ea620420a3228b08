"""The keys of JSON bodies and their types. What a verb checks whatever way in is used is checked there."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from bridge_daemon.domain.request import Whole, shape_fault
from bridge_daemon.errors import Fault, InvalidRequest

LONGEST_REASON = 200
MOST_TAGS = 20


class Body(BaseModel):
    """A body without room for unknown keys. Strict: no text for a number."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _list(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value  # JSON has lists, frozen things have tuples


Tag = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^\S(.*\S)?$")]


class Nothing(Body):
    """No keys."""


class Code(Body):
    """The one-time code of `daw-bridge open`."""

    code: str


class Pause(Body):
    """Why sending is paused."""

    reason: Annotated[str, Field(min_length=1, max_length=LONGEST_REASON)] = "person"


class Marks(Body):
    """What a person notes on a job; what is left out stays as it is."""

    favourite: bool | None = None
    tags: Annotated[tuple[Tag, ...], Field(max_length=MOST_TAGS), BeforeValidator(_list)] | None = None
    trashed: bool | None = None


class Retry(Body):
    """A retry carries an id of its own: it may cost."""

    id: str | None = None
    confirm_usd: float | None = None
    again: bool | None = None


class Resolve(Retry):
    """What is decided about an unknown job."""

    action: Literal["submit_again", "attach", "dismiss"]
    remote_id: str | None = None
    charged: bool | None = None


class Setup(Body):
    """A step of the first run: what it needs, or that it is left out."""

    step: Literal["key", "limits", "start", "sources", "daws", "folders", "midi", "service", "test"]
    skip: bool = False
    key: Annotated[str, Field(max_length=1000)] | None = None
    per_day_usd: float | None = None
    per_month_usd: float | None = None
    confirm_above_usd: float | None = None
    way: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    daws: Annotated[tuple[Literal["reaper", "live", "ardour"], ...], BeforeValidator(_list)] | None = None
    folder: Annotated[str, Field(max_length=4000)] | None = None
    preset: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    clock_port: Annotated[str, Field(max_length=200)] | None = None


class Price(Body):
    """A price that is agreed to."""

    model: str | None = None
    usd: float | None = None


class Listen(Body):
    """Which MIDI inputs are listened to, and since which message."""

    port: str | None = None
    since: Whole | None = None
    wait: float | None = None
    mute: bool | None = None
    stop: bool | None = None


class Render(Body):
    """A render of a watched folder, by its number, name or path."""

    # which of the two it is, the verb finds out
    entry: Annotated[Any, WithJsonSchema({"type": ["integer", "string"]})]


class SendRender(Render):
    """A render that is sent. It may cost, so it carries the id of its press."""

    id: str | None = None
    again: bool = False
    confirm_usd: float | None = None


def check(kind: type[BaseModel], data: dict[str, Any]) -> None:
    """Raise InvalidRequest with every fault of a body."""
    try:
        kind.model_validate(data)
    except ValidationError as error:
        known = ", ".join(kind.model_fields)
        unknown = f"is not one of {known}" if known else "is not known: nothing is to be said here"
        faults = [
            Fault(".".join(map(str, part["loc"]))[:200], None, unknown)  # its value may be a secret
            if part["type"] == "extra_forbidden"
            else shape_fault(part)
            for part in error.errors()
        ]
        raise InvalidRequest(faults) from None
