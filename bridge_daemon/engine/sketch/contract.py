"""What the service's page documents, and what the sketch engine therefore accepts: one table for both directions.

The same rows check a request and answer ``GET /v1/models/{id}``, so that the two cannot say different things.
"""

from __future__ import annotations

import math
import secrets
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Final, Literal

from bridge_daemon.domain.models import AUDIO, INPAINT, TEXT, table
from bridge_daemon.domain.parameters import MAX_PROMPT, REGION, Parameter, sent

MODEL: Final = "stable-audio-2-0"
MAX_SEED: Final = 4_294_967_294
_DRAWN_SEEDS: Final = 2**31 - 1

#: The envelope's ``type`` for each documented code.
_TYPES: Final = {
    "missing_api_key": "authentication_error",
    "invalid_api_key": "authentication_error",
    "model_not_found": "not_found_error",
    "not_found": "not_found_error",
    "rate_limit_exceeded": "rate_limit_error",
    "model_unavailable": "server_error",
    "upstream_error": "server_error",
}


class Rejected(Exception):
    """A request is answered with an error of the service's own shape."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def envelope(self) -> dict[str, Any]:
        """Return the body of the answer."""
        return {"error": error_body(self.code, self.message)}


def error_body(code: str, message: str) -> dict[str, str]:
    """Return one error as the service writes it, in answers and in failed jobs."""
    return {"message": message, "type": _TYPES.get(code, "invalid_request_error"), "code": code}


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One parameter of the page's table."""

    name: str
    type: Literal["string", "enum", "number", "boolean"]
    default: str | float | bool | None = None
    values: tuple[str, ...] = ()
    low: float = -math.inf
    high: float = math.inf

    def fault(self, value: Any) -> str | None:
        """Return what is wrong with a value, or None."""
        if self.type == "enum" and value not in self.values:
            return f"must be one of {', '.join(self.values)}"
        if self.type == "string" and not _is_text(value):
            return "must be a string"
        if self.type == "boolean" and not isinstance(value, bool):
            return "must be true or false"
        if self.type == "number":
            if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
                return "must be a number"
            if not self.low <= value <= self.high:
                return f"must be between {self.low:g} and {self.high:g}"
        return None

    def public(self) -> dict[str, Any]:
        """Return it as the catalogue shows it."""
        span: list[Any] | None = list(self.values) or None
        if self.low > -math.inf:
            span = [self.low, self.high]
        return {"name": self.name, "type": self.type, "default": self.default, "range": span}


def _is_text(value: Any) -> bool:
    """Return whether a value is a string that can be written down: JSON lets half a character pass."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_finite(value: float) -> bool:
    # a whole number may be too large for math.isfinite, which makes a float of it
    return isinstance(value, int) or math.isfinite(value)


def _row(one: Parameter) -> Row:
    """Return a parameter of ours as the page has it; of the seed it names no range."""
    name = one.sent_as or one.name
    span = table()[MODEL].range(one.name, "generate") if one.name != "seed" else None
    low, high = span or (-math.inf, math.inf)
    return Row(name=name, type="number", default=one.left_out, low=low, high=high)


ROWS: Final[tuple[Row, ...]] = (
    Row(name="prompt", type="string"),
    Row(name="mode", type="enum", default=TEXT, values=(TEXT, AUDIO, INPAINT)),
    Row(name="output_format", type="enum", default="mp3", values=("mp3", "wav")),
    *(_row(one) for one in sent()),
    Row(name="random_seed", type="boolean", default=True),
    Row(name="audio_url", type="string"),
)
_BY_NAME: Final = {row.name: row for row in ROWS}
#: Where a region begins and ends that is replaced. The page of this model has no such mode; it is here to be tried.
_MASK: Final = tuple(str(one.sent_as) for one in sent() if one.name in REGION)
#: Refused in text-to-audio: the caller meant the other mode, and the cloud would charge for this one.
_AUDIO_ONLY: Final = (*(one.sent_as for one in sent() if one.actions == ("transform",)), "audio_url")
#: The page gives other steps for audio-to-audio: both are let pass where they belong.
_IN_AUDIO: Final = {one.sent_as: table()[MODEL].range(one.name, "transform") for one in sent() if one.name != "seed"}


@dataclass(frozen=True, kw_only=True, slots=True)
class SketchRequest:
    """One request, complete: defaults are filled in and the seed is drawn, so it can be made again after a restart."""

    prompt: str
    mode: str
    output_format: str
    duration: float  # s
    steps: float
    cfg_scale: float
    strength: float
    seed: int
    audio_url: str | None
    mask_start: float | None = None  # s in the source
    mask_end: float | None = None
    other: dict[str, float] = field(default_factory=dict)  # parameters that change nothing here

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON keeps it."""
        return asdict(self)


def check(body: Any) -> SketchRequest:
    """Check the body of ``POST /v1/audio/generations`` and fill in the defaults; raise Rejected with all its faults."""
    if not isinstance(body, dict):
        raise Rejected(400, "invalid_request", "The body must be a JSON object.")
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise Rejected(422, "invalid_request", "model: is required and must be a string.")
    known_model(model)
    given = {name: value for name, value in body.items() if name != "model"}
    if faults := _faults(given):
        raise Rejected(422, "invalid_request", "; ".join(faults) + ".")
    values: dict[str, Any] = {row.name: given.get(row.name, row.default) for row in ROWS}
    seed = values["seed"]
    drawn = values.pop("random_seed") or seed is None
    values["seed"] = 1 + secrets.randbelow(_DRAWN_SEEDS) if drawn else int(seed)
    known = {one.name for one in fields(SketchRequest)}
    other = {name: values.pop(name) for name in list(values) if name not in known}
    return SketchRequest(**values, other={name: value for name, value in other.items() if value is not None})


def known_model(model: str) -> None:
    """Raise Rejected for any model but the one that is stood in for."""
    if model != MODEL:
        raise Rejected(404, "model_not_found", f"The sketch engine stands in for {MODEL} only, not for {model[:80]!r}.")


def _faults(given: dict[str, Any]) -> list[str]:
    faults = [f"{name[:80]}: is not a parameter of {MODEL}" for name in given if name not in _BY_NAME]
    mode = given.get("mode", TEXT)
    for name, row in _BY_NAME.items():
        if name not in given:
            continue
        span = _IN_AUDIO.get(name) if mode in (AUDIO, INPAINT) else None
        row = replace(row, low=span[0], high=span[1]) if span is not None else row
        if fault := row.fault(given[name]):
            faults.append(f"{name}: {fault}")
    return faults + _rules(given, mode)


def _rules(given: dict[str, Any], mode: Any) -> list[str]:
    """Return the faults that no single row can see."""
    faults = []
    prompt = given.get("prompt")
    if "prompt" not in given or (isinstance(prompt, str) and not prompt.strip()):
        faults.append("prompt: is required")
    elif isinstance(prompt, str) and len(prompt) > MAX_PROMPT:
        faults.append(f"prompt: must be at most {MAX_PROMPT} characters")
    if mode in (AUDIO, INPAINT) and not given.get("audio_url"):
        faults.append(f"audio_url: is required in {mode} mode")
    faults += _mask_faults(given, mode)
    if mode == TEXT:
        faults += [f"{name}: is for audio-to-audio mode only" for name in _AUDIO_ONLY if name in given]
    seed: Any = given.get("seed")
    if _BY_NAME["seed"].fault(seed) is None and not (0 <= seed <= MAX_SEED and float(seed).is_integer()):
        faults.append(f"seed: must be a whole number between 0 and {MAX_SEED}")
    return faults


def _mask_faults(given: dict[str, Any], mode: Any) -> list[str]:
    if mode == AUDIO:
        return [f"{name}: is for {INPAINT} mode only" for name in _MASK if name in given]
    if mode != INPAINT:
        return []
    faults = [f"{name}: is required in {INPAINT} mode" for name in _MASK if name not in given]
    faults += ["strength: is for audio-to-audio mode only"] if "strength" in given else []
    start, end = (given.get(name) for name in _MASK)
    if isinstance(start, int | float) and isinstance(end, int | float) and not start < end:
        faults.append("mask_end: must be more than mask_start")
    return faults


def catalogue() -> dict[str, Any]:
    """Return the answer of ``GET /v1/models/{id}``: the page's table, and prices of nothing."""
    return {
        "id": MODEL,
        "name": "Sketch engine, standing in for Stable Audio 2.0",
        "description": "Simple music made by rules on this machine, to try the way to a take. Not the model.",
        "supported_parameters": [row.public() for row in ROWS],
        "pricing_rows": [
            {"type": "Base Cost", "spec": "per generation", "rate": "$0.00"},
            {"type": "Per Step Cost", "spec": "per step", "rate": "$0.00"},
        ],
    }
