"""The service's catalogue: parameters are read in every form that is likely, money is never guessed."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from bridge_daemon.domain.models import AUDIO, INPAINT, TEXT, Region, Told
from bridge_daemon.engine.listing import Prices, read_price_of_stranger, read_prices, read_told, unusable

BASE = {"type": "Base Cost", "spec": "per generation", "rate": "$0.90"}
STEP = {"type": "Per Step Cost", "spec": "per step", "rate": "$0.01"}


def told(*rows: Any) -> Told:
    return read_told(json.dumps({"supported_parameters": list(rows)}).encode())


def priced(*rows: Any, steps: Any = None) -> bytes:
    listed = [] if steps is None else [{"name": "steps"} | steps]
    return json.dumps({"pricing_rows": list(rows), "supported_parameters": listed}).encode()


@pytest.mark.parametrize(
    "given",
    [
        {"range": [2, 300]},
        {"range": ["2", "300"]},
        {"range": {"min": 2, "max": 300}},
        {"range": {"minimum": 2, "maximum": "300"}},
        {"range": {"from": 2, "to": 300}},
        {"range": "2-300"},
        {"range": "2 - 300 s"},
        {"range": "2 to 300"},
        {"range": "2..300"},
        {"range": "2–300"},
        {"range": "[2, 300]"},
        {"min": 2, "max": 300},
        {"minimum": 2.0, "maximum": 300.0},
        {"limits": [2, 300]},
        {"range": None, "min": 2, "max": 300},
    ],
)
def test_a_range_of_any_form(given: dict[str, Any]) -> None:
    assert told({"name": "duration", "type": "number"} | given).ranges == {"duration": (2, 300)}


@pytest.mark.parametrize(
    "given",
    [
        *({"range": wrong} for wrong in ([], [1], [1, 2, 3], "long", "1", 7, True, [None, 3], [5, 2], "5-2", "-9--2")),
        *({"range": [1, wrong]} for wrong in (math.inf, math.nan, 10**400, "x", True, None, [])),
        {"range": [-30, 0]},
        {"range": [4000, 5000]},
        {"min": 1},
        {"range": {"min": 1}},
        {"range": "1" * 60},
        {},
    ],
)
def test_a_silly_range_is_none(given: dict[str, Any]) -> None:
    found = told({"name": "duration"} | given)
    assert found.fields == {"duration"}
    assert found.ranges == {}


@pytest.mark.parametrize(
    ("name", "given", "believed"),
    [
        ("duration", [0, 1e9], (1, 3600)),
        ("strength", [-1, 7], (0, 1)),
        ("steps", [0.5, 8.9], (1, 8)),
        ("seed", [0, 4_294_967_294], (1, 4_294_967_294)),
        ("seed", [0, 1e300], (1, 2**53)),
        ("seed", [0, 10], None),  # no range of seeds
        ("steps", [3.2, 3.8], None),
    ],
)
def test_of_a_range_what_can_be_is_believed(name: str, given: Any, believed: Any) -> None:
    assert told({"name": name, "range": given}).ranges.get(name) == believed


@pytest.mark.parametrize(
    "given",
    [
        {"enum": [TEXT, AUDIO]},
        {"options": [TEXT, AUDIO, "to-video"]},
        {"values": [{"value": TEXT}, {"value": AUDIO}]},
        {"allowed": f"{TEXT}, {AUDIO}"},
        {"allowed_values": f"{TEXT}|{AUDIO}"},
        {"choices": [TEXT, AUDIO, TEXT, 7, None, []]},
        {"range": [TEXT, AUDIO]},
        {"type": "enum", "range": f"{TEXT}, {AUDIO}"},
        {"options": {TEXT: "of words", AUDIO: "of a clip"}},
    ],
)
def test_modes_of_any_form(given: dict[str, Any]) -> None:
    assert told({"name": "mode"} | given).modes == {TEXT: TEXT, AUDIO: AUDIO}


def test_a_mode_is_written_as_the_catalogue_writes_it() -> None:
    assert told({"name": "mode", "enum": ["Text_To_Audio", "inpainting"]}).modes == {
        TEXT: "Text_To_Audio",
        INPAINT: "inpainting",
    }


@pytest.mark.parametrize("given", [{}, {"enum": "every"}, {"enum": 7}, {"enum": [1, None]}, {"range": [1, 190]}])
def test_modes_that_cannot_be_read_are_none(given: dict[str, Any]) -> None:
    assert told({"name": "mode"} | given, {"name": "prompt"}).modes == {}


MODE = {"name": "mode", "enum": [TEXT, AUDIO, INPAINT]}
URL = {"name": "audio_url", "type": "string"}


@pytest.mark.parametrize(
    ("start", "end"),
    [("mask_start", "mask_end"), ("mask_start_seconds", "mask_end_seconds"), ("inpaint_start", "inpaint_end")],
)
def test_the_names_of_a_region_are_the_catalogues(start: str, end: str) -> None:
    rows = [{"name": start, "type": "number", "range": [0, 190]}, {"name": end}]
    assert told(MODE, URL, *rows).region == Region(start=start, end=end)
    assert told(MODE, URL, *reversed(rows)).region == Region(start=start, end=end)


def test_a_region_in_whole_seconds() -> None:
    rows = [{"name": name, "type": "integer"} for name in ("mask_start", "mask_end")]
    assert told(MODE, URL, *rows).region == Region(start="mask_start", end="mask_end", whole=True)


@pytest.mark.parametrize(
    "rows",
    [
        [MODE, URL],
        [MODE, URL, {"name": "mask_start"}],
        [MODE, URL, {"name": "mask_start"}, {"name": "inpaint_end"}],
        [MODE, URL, {"name": "mask_start_ms"}, {"name": "mask_end_ms"}],
        [MODE, {"name": "mask_start"}, {"name": "mask_end"}],  # no source
        [MODE | {"enum": [TEXT, AUDIO]}, URL, {"name": "mask_start"}, {"name": "mask_end"}],
        [MODE, URL, {"name": "mask_start", "range": [0, 1]}, {"name": "mask_end", "range": [0, 1]}],  # a share
        [MODE, URL, {"name": "mask_start", "range": [0, 190_000]}, {"name": "mask_end", "range": [0, 190_000]}],  # ms
        [MODE, URL, {"name": "mask_start", "type": "string"}, {"name": "mask_end", "type": "string"}],
    ],
)
def test_a_region_that_is_not_certain_is_none(rows: list[Any]) -> None:
    assert told(*rows).region is None


def test_of_what_is_listed_twice_the_first_counts() -> None:
    twice = told({"name": "duration", "range": [1, 60]}, {"name": "duration", "range": [1, 600]})
    assert twice.ranges == {"duration": (1, 60)}


def test_parameters_as_an_object() -> None:
    body = {"supported_parameters": {"prompt": {}, "duration": {"range": [1, 47]}, "seed": None}}
    found = read_told(json.dumps(body).encode())
    assert (found.fields, found.ranges) == ({"prompt", "duration", "seed"}, {"duration": (1, 47)})


@pytest.mark.parametrize(
    ("body", "prices"),
    [
        (priced(BASE), Prices(generation=900_000, step=0)),
        (priced(BASE, {"type": "Upload", "spec": "per upload", "rate": "$0.00"}), Prices(generation=900_000, step=0)),
        (priced(BASE, BASE | {"rate": "$1.40"}), Prices(generation=1_400_000, step=0)),  # the dearest
        (priced(BASE, STEP, steps={"default": 8, "range": [4, 8]}), Prices(generation=900_000, step=10_000, steps=8)),
        (priced(BASE, STEP, steps={"range": [4, 30]}), Prices(generation=900_000, step=10_000, steps=30)),
        (priced(BASE, STEP, steps={"default": 99, "range": [4, 8]}), Prices(generation=900_000, step=10_000, steps=8)),
        # what is not understood for certain
        (priced(), None),
        (priced(STEP), None),
        (priced(BASE, STEP), None),  # how many steps?
        (priced(BASE | {"rate": "$0.00"}), None),  # it would pass every limit
        (priced(BASE | {"rate": -1}), None),
        (priced(BASE | {"rate": "nan"}), None),
        (priced(BASE | {"rate": "about $1"}), None),
        (priced(BASE | {"rate": "€0.90"}), None),
        (priced(BASE | {"rate": True}), None),
        (priced(BASE | {"price": 2}), None),  # two prices in one row
        (priced(BASE | {"currency": "EUR"}), None),
        (priced(BASE | {"spec": "credits per generation"}), None),
        (priced(BASE, {"type": "Length", "spec": "per second", "rate": "$0.02"}), None),
        (priced({"type": "Audio generation", "spec": "per second", "rate": "$0.02"}), None),
        (priced({"type": "Audio generation", "spec": "$/minute", "rate": "$0.02"}), None),
        (priced({"type": "Base", "spec": "per 1000 generations", "rate": "$0.02"}), None),
        (priced(BASE, "and more"), None),
        (priced(BASE, BASE | {"rate": "ask us"}), None),
        (b"{}", None),
        (b"\xff", None),
    ],
)
def test_the_price_of_a_model_that_only_the_catalogue_knows(body: bytes, prices: Prices | None) -> None:
    assert read_price_of_stranger(body) == prices


def test_of_a_model_of_the_table_the_dearest_price_counts() -> None:
    assert read_prices(priced(BASE, BASE | {"spec": "per generation, audio-inpaint", "rate": "$2"})) == Prices(
        generation=2_000_000, step=0
    )


def test_why_a_model_cannot_be_used() -> None:
    usable = told({"name": "prompt"}, {"name": "duration"})
    price = Prices(generation=1, step=0)
    assert unusable(usable, price) is None
    assert "price" in (unusable(usable, None) or "")
    assert unusable(told({"name": "prompt"}), price) == "the catalogue lists no duration for it"
    assert "no mode" in (unusable(told({"name": "prompt"}, {"name": "duration"}, {"name": "mode"}), price) or "")
