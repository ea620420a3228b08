"""The service's catalogue of a model: its prices, and what it lists of parameters. Pure functions, no sockets.

The service documents that there are ``supported_parameters`` (name, type, default, range) and ``pricing_rows``, and no
more of their form. So parameters are read in every form that is likely, and what is not understood counts as not
said. Money is never guessed: a price of which one row is not understood is no price (:func:`read_price_of_stranger`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from bridge_daemon.domain.models import AUDIO, INPAINT, TEXT, Region, Told
from bridge_daemon.domain.parameters import sent
from bridge_daemon.engine.protocol import load, number_of

Spec = Mapping[str, Any]
Span = tuple[float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Prices:
    """What a model costs, in micro-dollars."""

    generation: int
    step: int
    steps: int | None = None  # that are made, and paid for, where a request names none


# Money

#: What a price is for, if it is one for each take.
_UNITS: Final = frozenset({"generation", "step", "request", "call", "job"})
_UNIT: Final = re.compile(r"(?:\bper\b|/)[\s_-]*(\w+)")
_AMOUNTS: Final = ("rate", "price", "amount", "usd", "value")


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the prices."""

    kind: str | None  # what it is for; None: not understood
    amount: int | None
    certain: bool  # whether nothing in it says that it may be meant otherwise


def read_prices(body: bytes) -> Prices | None:
    """Read the prices of a model that our table has; None if they are not understood.

    Of several prices of one kind the dearest counts: nobody says which of them is asked for.
    """
    return _prices(load(body))


def _prices(data: Any) -> Prices | None:
    found: dict[str, int] = {}
    for row in _priced(data):
        if row.kind is not None and row.amount is not None:
            found[row.kind] = max(found.get(row.kind, 0), row.amount)
    if "generation" not in found:
        return None
    return Prices(generation=found["generation"], step=found.get("step", 0), steps=_default_steps(_rows(data)))


def read_price_of_stranger(body: bytes) -> Prices | None:
    """Read the prices of a model that only the catalogue knows; None unless every row that costs is understood.

    A price by the second, or one that cannot be read, would be paid on top of what was agreed to. One that costs
    nothing at all passes every limit, so it is not believed.
    """
    data = load(body)
    if not all(row.certain for row in _priced(data)):
        return None
    prices = _prices(data)
    if prices is None or prices.generation <= 0:
        return None
    if prices.steps is None:  # the dearest that it can be
        prices = replace(prices, steps=_most_steps(_rows(data)))
    return prices if prices.step == 0 or prices.steps is not None else None


def _priced(data: Any) -> Iterator[_Row]:
    """Yield the rows of the prices."""
    rows = data.get("pricing_rows") if isinstance(data, dict) else None
    for row in rows if isinstance(rows, list) else ():
        if not isinstance(row, dict):
            yield _Row(None, None, False)
            continue
        words = " ".join(str(value).lower() for value in row.values() if isinstance(value, str))
        amounts = [_micro(row[key]) for key in _AMOUNTS if row.get(key) is not None]
        amount = next((one for one in amounts if one is not None), None)
        kind = None
        if "per step" in words or "step cost" in words:
            kind = "step"
        elif "generation" in words or "base" in words:
            kind = "generation"
        plain = set(_UNIT.findall(words)) <= _UNITS and "credit" not in words
        dollars = str(row.get("currency") or "usd").lower() in ("usd", "$", "us$")
        free = amounts == [0]
        yield _Row(
            kind,
            amount,
            free or (kind is not None and len(set(amounts)) == 1 and plain and dollars and amount is not None),
        )


def _micro(value: Any) -> int | None:
    """Return dollars, as a number or as text like "$0.58", in micro-dollars; rounded up, so never too cheap."""
    if isinstance(value, str):
        try:
            value = float(value.strip().removeprefix("$").replace(",", ""))
        except ValueError:
            return None
    number = number_of(value)
    if number is None or number < 0:
        return None
    return math.ceil(round(min(number, 1e9) * 1_000_000, 3))  # the bound keeps what is absurd a number


# Parameters

#: What of a range is believed, by our names; the rest of the table's bounds hold for every model.
_BELIEVED: Final[Mapping[str, Span]] = {
    "duration": (1, 3600),
    "strength": (0, 1),
    "cfg_scale": (0, 1000),
    "steps": (1, 1000),
    "seed": (1, 2**53),  # 0 may mean a random one
}
#: Fewer seeds than this are no range of seeds.
_FEWEST_SEEDS: Final = 1000
#: How a start and an end in seconds may be called: as the model's maker has them, then as others that run its models.
_REGIONS: Final = (
    ("mask_start", "mask_end"),
    ("mask_start_seconds", "mask_end_seconds"),
    ("mask_start_s", "mask_end_s"),
    ("mask_start_sec", "mask_end_sec"),
    ("inpaint_start", "inpaint_end"),
    ("inpaint_start_seconds", "inpaint_end_seconds"),
    ("region_start", "region_end"),
    ("replace_start", "replace_end"),
)
#: More than this is no length in seconds.
_LONGEST: Final = 3600.0
_MODES: Final = {TEXT: TEXT, AUDIO: AUDIO} | dict.fromkeys(
    (INPAINT, "audio-inpainting", "inpaint", "inpainting"), INPAINT
)
_MOST: Final = 500  # rows that are looked at
_LONGEST_NAME: Final = 100
_LOW: Final = ("min", "minimum", "low", "from", "gte", "ge")
_HIGH: Final = ("max", "maximum", "high", "to", "lte", "le")
_NUMBER: Final = r"[+-]?\d{1,15}(?:\.\d{1,9})?"
_SPAN: Final = re.compile(
    rf"[\[(]?\s*({_NUMBER})\s*(?:-|–|—|\.{{2,3}}|…|,|to)\s*({_NUMBER})\s*[\])]?(?:\s*[a-z]+\.?)?", re.I
)


def read_told(body: bytes) -> Told:
    """Read what the catalogue tells of a model, but for its prices."""
    rows = _rows(load(body))
    ranges: dict[str, Span] = {}
    for one in sent():
        if one.sent_as in rows and one.name in _BELIEVED:
            span = _believed(one.name, _span(rows[one.sent_as]), whole=one.kind == "whole")
            ranges |= {one.name: span} if span is not None else {}
    formats = _words(rows.get("output_format", {}))
    modes = {
        _MODES[known]: word for word in reversed(_words(rows.get("mode", {}))) if (known := _plain(word)) in _MODES
    }
    if "mode" not in rows and "prompt" in rows:
        modes = {TEXT: TEXT}  # it makes sound of words, and is not told so
    region = _region(rows) if INPAINT in modes and "audio_url" in rows else None
    return Told(
        fields=frozenset(rows),
        modes=modes,
        ranges=ranges,
        wav=not formats or "wav" in map(_plain, formats),
        region=region,
    )


def unusable(told: Told, prices: Prices | None) -> str | None:
    """Return why a model that only the catalogue knows cannot be asked for, None if it can."""
    if prices is None:
        return "its price cannot be read out of the catalogue for certain"
    missing = sorted({"prompt", "duration"} - told.fields)
    if missing:
        return f"the catalogue lists no {' and no '.join(missing)} for it"
    return None if told.modes else "the catalogue lists no mode of it that the bridge knows"


def _rows(data: Any) -> dict[str, Spec]:
    """Return what is listed by its name; of one that is listed twice the first."""
    given = data.get("supported_parameters") if isinstance(data, dict) else None
    if isinstance(given, dict):
        given = [{"name": name} | (spec if isinstance(spec, dict) else {}) for name, spec in given.items()]
    rows: dict[str, Spec] = {}
    for row in given[:_MOST] if isinstance(given, list) else ():
        spec = row if isinstance(row, dict) else {"name": row}
        name = spec.get("name")
        if isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME:
            rows.setdefault(name, spec)
    return rows


def _span(spec: Spec) -> Span | None:
    """Return the range of a row, None if there is none that can be read."""
    given = next((spec[key] for key in ("range", "bounds", "limits") if spec.get(key) is not None), None)
    if isinstance(given, str) and (found := _SPAN.fullmatch(given.strip())):
        given = list(found.groups())
    if isinstance(given, list) and len(given) == 2:
        ends = [_loose(value) for value in given]
    else:
        of = given if isinstance(given, dict) else spec
        ends = [next((of[key] for key in keys if of.get(key) is not None), None) for keys in (_LOW, _HIGH)]
        ends = [_loose(value) for value in ends]
    low, high = ends
    return (low, high) if low is not None and high is not None and low <= high else None


def _loose(value: Any) -> float | None:
    if isinstance(value, str) and re.fullmatch(_NUMBER, value.strip()):
        return float(value)
    return number_of(value)


def _believed(name: str, span: Span | None, *, whole: bool) -> Span | None:
    if span is None:
        return None
    least, most = _BELIEVED[name]
    low, high = max(span[0], least), min(span[1], most)
    if whole:
        low, high = math.ceil(low), math.floor(high)
    if low > high or (name == "seed" and high - low < _FEWEST_SEEDS):
        return None
    return low, high


def _words(spec: Spec) -> list[str]:
    """Return the words that a row allows."""
    for key in ("enum", "options", "values", "allowed", "allowed_values", "choices", "range"):
        given = spec.get(key)
        if isinstance(given, str):
            given = re.split(r"[,|/;]", given)
        if isinstance(given, dict):
            given = list(given)
        if isinstance(given, list):
            words = [_word(one).strip() for one in given[:_MOST]]
            if any(words):
                return [word for word in words if 0 < len(word) <= _LONGEST_NAME]
    return []


def _word(one: Any) -> str:
    if isinstance(one, dict):
        one = next((one[key] for key in ("value", "name", "id") if isinstance(one.get(key), str)), None)
    return one if isinstance(one, str) else ""


def _plain(word: str) -> str:
    return word.lower().replace("_", "-").replace(" ", "-")


def _region(rows: Mapping[str, Spec]) -> Region | None:
    """Return how a region is told to the model, None if that is not certain."""
    for start, end in _REGIONS:
        if start in rows and end in rows:
            specs = rows[start], rows[end]
            if all(map(_is_seconds, specs)):
                return Region(start=start, end=end, whole=any(_kind(spec) in ("integer", "int") for spec in specs))
    return None


def _is_seconds(spec: Spec) -> bool:
    """Whether a row may be a time in seconds: a share of the whole, milliseconds or frames are none."""
    if _kind(spec) not in ("", "number", "integer", "int", "float", "double", "decimal"):
        return False
    span = _span(spec)
    return span is None or 1 < span[1] <= _LONGEST


def _kind(spec: Spec) -> str:
    kind = spec.get("type")
    return kind.strip().lower() if isinstance(kind, str) else ""


def _default_steps(rows: Mapping[str, Spec]) -> int | None:
    """Return how many steps are made where a request names none, None if that is not told."""
    default, most = _loose(rows.get("steps", {}).get("default")), _most_steps(rows)
    if default is None or default < 1 or default > (most if most is not None else _BELIEVED["steps"][1]):
        return None
    return math.ceil(default)


def _most_steps(rows: Mapping[str, Spec]) -> int | None:
    span = _believed("steps", _span(rows.get("steps", {})), whole=True)
    return int(span[1]) if span is not None else None
