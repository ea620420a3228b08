"""Reading JSON from outside: one object, and nothing in it that two readers read differently."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, Final, NoReturn

#: So many lists and objects may lie in each other. Python itself reads some thousands, and 3.14 tens of thousands,
#: which it then cannot write down again.
_DEEPEST: Final = 100


class MalformedJson(ValueError):
    """It is no valid JSON object; the message says why, as the end of a sentence."""


def read(text: str | bytes, **ways: Any) -> Any:
    """Return what JSON says, as :func:`json.loads`. Raises ValueError, also if it is nested too deeply."""
    try:
        data = json.loads(text, **ways)
    except RecursionError:
        raise _too_deep() from None
    level = [data]
    for _ in range(_DEEPEST):
        level = [inner for outer in level for inner in _within(outer)]
        if not level:
            return data
    raise _too_deep()


def read_object(raw: bytes) -> dict[str, Any]:
    """Read one JSON object strictly: UTF-8, no key twice, no NaN, no infinity, no half characters.

    Raises MalformedJson.
    """
    try:
        text = raw.decode("utf-8")
        data = read(text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
        if "\\u" in text:
            json.dumps(data, ensure_ascii=False).encode("utf-8")  # half of a surrogate pair cannot be stored anywhere
    except UnicodeError:
        raise MalformedJson("it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise MalformedJson(f"{error.msg.lower()}, line {error.lineno}, column {error.colno}") from None
    except ValueError as error:
        raise MalformedJson(str(error)) from None
    if not isinstance(data, dict):
        raise MalformedJson("it is not an object")
    return data


def _within(data: Any) -> Iterable[Any]:
    if isinstance(data, dict):
        return data.values()
    return data if isinstance(data, list) else ()


def _too_deep() -> MalformedJson:
    return MalformedJson("it is nested too deeply")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):  # one reader takes the first, another the last: nobody shall guess which was meant
        raise ValueError("a key stands in it twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value
