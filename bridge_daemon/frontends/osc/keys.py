"""The keys of OSC messages: what kind each is, how it came over the wire, and where it belongs in a request.

What cannot be read as its kind is passed on as it came, so that the one check of requests names it with all others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from bridge_daemon.domain import parameters
from bridge_daemon.domain.request import Place, Request
from bridge_daemon.errors import Fault, InvalidRequest
from bridge_daemon.frontends.osc.wire import Float32

NUMBERS: Final = frozenset(
    {
        *parameters.names(kind="number"),
        *(one.name for one in parameters.TABLE if one.kind == "choice" and one.low is not None),
        *("confirm_usd", "start", "end"),
        *("position", "beats", "length", "time_offset", "tempo", "bar"),
    }
)
WHOLES: Final = frozenset(
    {
        *parameters.names(kind="whole"),
        *("version", "slot", "bars", "sample_rate"),
        *("port", "limit", "delivery", "numerator", "denominator"),
    }
)
FLAGS: Final = frozenset(("again", "playing", "favourite", "trashed"))
#: The keys of a source have names of their own here; those of a place are flat.
SOURCE: Final = {"file": "path", "take": "take", "start": "start", "end": "end"}
PLACE: Final = tuple(Place.model_fields)
REQUEST: Final = tuple(name for name in Request.model_fields if name not in ("source", "place"))
#: Every key of a message that asks for takes.
REQUEST_KEYS: Final = (*REQUEST, *SOURCE, *PLACE)

_DECIMAL = re.compile(r"[+-]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})([eE][+-]?\d{1,3})?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d{1,30}", re.ASCII)
_YES, _NO = ("true", "1"), ("false", "0")
#: Beyond this a float32 does not hold every whole number.
_EXACT_IN_FLOAT32: Final = 2**24


@dataclass(slots=True)
class Fields:
    """The key, value pairs of a message, and what is wrong with them as pairs."""

    secret: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


def read(values: Sequence[Any]) -> Fields:
    """Read the values of a message as pairs. The secret is kept apart from everything that may be shown."""
    fields = Fields()
    for index in range(0, len(values), 2):
        key = values[index]
        if not isinstance(key, str):
            fields.faults.append(Fault(f"value {index + 1}", None, "must be a key: a message is key, value pairs"))
        elif index + 1 == len(values):
            fields.faults.append(Fault(key[:40], None, "has no value: a message is key, value pairs"))
        elif key in fields.data or (key == "secret" and fields.secret):
            fields.faults.append(Fault(key[:40], None, "is there twice"))
        elif key == "secret":
            fields.secret = values[index + 1] if isinstance(values[index + 1], str) else ""
        else:
            fields.data[key] = _convert(key, values[index + 1], fields.faults)
    return fields


def _convert(key: str, value: Any, faults: list[Fault]) -> Any:
    if key in NUMBERS:
        return _number(value)
    if key in WHOLES:
        if isinstance(value, Float32) and abs(value) > _EXACT_IN_FLOAT32:
            allowed = "cannot be told exactly as a float32; send it as an integer or as text"
            faults.append(Fault(key, float(value), allowed))
        number = _number(value)
        return int(number) if isinstance(number, float) and number.is_integer() else number
    if key in FLAGS:
        return _flag(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # a track that is called 2, from a client that makes a number of it
    return float(value) if isinstance(value, float) else value


def _number(value: Any) -> Any:
    if isinstance(value, str):
        text = value.strip()
        if _WHOLE.fullmatch(text):
            return int(text)
        return float(text) if _DECIMAL.fullmatch(text) else value
    return float(value) if isinstance(value, float) else value


def _flag(value: Any) -> Any:
    if isinstance(value, str):
        text = value.strip().lower()
        return True if text in _YES else False if text in _NO else value
    return bool(value) if value in (0, 1) else value


def request_of(data: Mapping[str, Any], action: str | None) -> dict[str, Any]:
    """Return the request that a message asks for. Raises InvalidRequest if it contradicts its address."""
    body = {"version": 1} | {key: value for key, value in data.items() if key not in SOURCE and key not in PLACE}
    faults = [Fault(key, None, "is not a key of a request") for key in ("source", "place") if key in body]
    if action is not None and body.setdefault("action", action) != action:
        faults.append(Fault("action", body["action"], f"must be {action} at this address, or left out"))
    if faults:
        raise InvalidRequest(faults)
    source = {name: data[key] for key, name in SOURCE.items() if key in data}
    place = {key: data[key] for key in PLACE if key in data}
    return body | ({"source": source} if source else {}) | ({"place": place} if place else {})


def as_on_the_wire(error: InvalidRequest) -> InvalidRequest:
    """Return the faults of a request under the keys that its sender knows."""
    return InvalidRequest([_on_the_wire(fault) for fault in error.faults])


def _on_the_wire(fault: Fault) -> Fault:
    group, _, name = fault.field.partition(".")
    if group == "source":
        keys = {path: key for key, path in SOURCE.items()}
        value = fault.value.get("path") if isinstance(fault.value, dict) else fault.value
        allowed = fault.allowed.replace("{path, start, end} or {take}", "file, start, end, or take")
        return Fault(keys.get(name, "file"), value, allowed)
    return Fault(name if group == "place" and name else fault.field, fault.value, fault.allowed)


def unknown(data: Mapping[str, Any], known: Iterable[str]) -> list[Fault]:
    """Return a fault for each key that an address does not have."""
    names = list(known)
    return [Fault(key[:40], None, f"is not one of {', '.join(names)}") for key in data if key not in names]
