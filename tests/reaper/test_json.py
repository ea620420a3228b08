"""The scripts' JSON, against Python's."""

from __future__ import annotations

import json
import math

import pytest

from tests.reaper.reaper import SCRIPTS, LuaError, Reaper, to_lua

VALUES = [
    {},
    {"a": [1, 2.5, -0.1, 1e-9, 1e300, 0.1, 1 / 3, 12.25, 2147483647, 9007199254740993, -5]},
    {"é": "日本語 \U0001f600", "quote": '"\\/', "control": "\b\f\n\r\t\x01\x7f"},
    {"deep": [[[[{"x": [True, False]}]]]], "empty": {}},
    ["", " ", "a,b", "{}"],
    "text",
    17,
    -0.0,
]


@pytest.fixture
def codec(reaper: Reaper) -> Reaper:
    """Make ``json`` known."""
    reaper.do(f"json = dofile({to_lua(SCRIPTS / 'lib' / 'json.lua')})")
    return reaper


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
@pytest.mark.parametrize("ascii_only", [True, False])
def test_there_and_back(codec: Reaper, value: object, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert json.loads(codec.get(f"json.encode(json.decode({to_lua(text)}))")) == value


def test_numbers_are_exact(codec: Reaper) -> None:
    for number in (12.345678901234567, math.pi * 1e5, 1 / 48_000, 123456789.000001):
        assert float(codec.get(f"json.encode({number!r})")) == number
    assert codec.get('math.type(json.decode("[42]")[1])') == "integer"
    assert codec.get('json.encode({seed = json.decode("4294967294")})') == '{"seed":4294967294}'


def test_null_is_left_out_of_objects_and_kept_in_lists(codec: Reaper) -> None:
    assert codec.get("""json.encode(json.decode('{"a":null,"b":[null,1]}'))""") == '{"b":[null,1]}'


def test_empty_lists(codec: Reaper) -> None:
    assert codec.get("json.encode({list = json.array(), object = {}})") == '{"list":[],"object":{}}'


def test_bytes_that_are_no_text_become_a_mark(codec: Reaper) -> None:
    text = codec.get('json.encode({name = "caf\\233 \\xff\\xfe end", cut = "\\xe6\\x97"})')
    assert json.loads(text) == {"name": "caf� �� end", "cut": "��"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1,]",
        "{,}",
        '{"a" 1}',
        '{"a":1,}',
        "[01]",
        "[1.]",
        "[.5]",
        "[+1]",
        "[1e]",
        "[NaN]",
        "tru",
        '"\n"',
        '"\\x"',
        '"\\u12"',
        '"open',
        "[1] 2",
        "{'a':1}",
        "[" * 200 + "]" * 200,
    ],
)
def test_what_is_no_json_is_refused_without_an_error(codec: Reaper, text: str) -> None:
    value, problem = codec.do(f"local v, p = json.decode({to_lua(text)}) return {{tostring(v), p}}")
    assert value == "nil"
    assert "JSON" in problem


@pytest.mark.parametrize("value", ["0/0", "1/0", "{[1.5] = 1}", "print", "{[{}] = 1}"])
def test_what_json_cannot_hold_is_an_error(codec: Reaper, value: str) -> None:
    with pytest.raises(LuaError):
        codec.get(f"json.encode({value})")
