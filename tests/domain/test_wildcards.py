"""Wildcards in prompts: what is chosen, that it can be chosen again, and that nothing else is touched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge_daemon.domain.prompt_fields import fill, names
from bridge_daemon.domain.request import Request
from bridge_daemon.domain.wildcards import escape, least, resolve
from bridge_daemon.settings.load import Settings, parse
from bridge_daemon.spending.parameters import Lengths, parameters
from bridge_daemon.spending.parameters import resolve as fill_in

ID = "6b6a3bd0-8a0c-4ea9-9c1b-3a4c2b0e9d01"


def test_seeds_that_follow_each_other_choose_differently() -> None:
    prompt = "{warm|cold|tape-worn} piano, {slow | fast}"
    chosen = [resolve(prompt, seed) for seed in range(12, 18)]
    assert chosen == [
        "warm piano, slow",
        "cold piano, slow",
        "tape-worn piano, slow",
        "warm piano, fast",
        "cold piano, fast",
        "tape-worn piano, fast",
    ]
    assert resolve(prompt, 18) == chosen[0]


@pytest.mark.parametrize("prompt", ["a {b} c", "{}", "a | b", "} {", "{tempo} BPM", "a {b", "a {b|c", "\\n"])
def test_what_is_no_wildcard_stays_as_typed(prompt: str) -> None:
    assert resolve(prompt, 7) == prompt


def test_braces_can_be_escaped() -> None:
    assert resolve("\\{a|b} {c|d}", 1) == "{a|b} d"


@given(st.text("ab|{}\\ ", max_size=20), st.integers(0, 99))
def test_what_was_chosen_is_asked_for_again_as_it_is(prompt: str, seed: int) -> None:
    chosen = resolve(prompt, seed)
    assert resolve(escape(chosen), seed + 1) == chosen


def test_the_prompt_of_a_preset_has_fields_and_wildcards() -> None:
    prompt = "{warm, soft|cold} piano, {at {tempo} BPM|free}, {{x|y}}, like {name}"
    assert names(prompt) == ["tempo", "name"]
    filled = fill(prompt, {"tempo": 120, "name": "{p|q}"}).text
    assert [resolve(filled, seed) for seed in (0, 1, 2)] == [
        "warm, soft piano, at 120 BPM, {x|y}, like {p|q}",
        "cold piano, at 120 BPM, {x|y}, like {p|q}",
        "warm, soft piano, free, {x|y}, like {p|q}",
    ]
    text = '[presets.p]\naction = "generate"\nprompt = "{warm|cold} piano, {tempo} BPM"'
    assert parse(text, {})[1] == []


def of(prompt: str, **more: object) -> list[str]:
    request = Request.model_validate({"id": ID, "action": "generate", "prompt": prompt} | more)
    resolved, faults = fill_in(request, Settings())
    assert resolved is not None, faults
    return [one.prompt for one in parameters(resolved, Lengths(5.0, None, None), press=request.id)]


def test_each_variation_differs_and_can_be_made_again_by_its_seed() -> None:
    prompt = "{warm|cold|tape-worn} piano"
    chosen = of(prompt, variations=3, seed=40)
    assert len(set(chosen)) == 3
    assert [of(prompt, seed=40 + number)[0] for number in range(3)] == chosen
    assert of(prompt, variations=3) == of(prompt, variations=3), "the same press, sent again"


@pytest.mark.parametrize("prompt", ["{|warm}", "{ |a} {b|}", "{a|\u200b}"])
def test_a_choice_that_leaves_nothing_is_refused(prompt: str) -> None:
    request = Request.model_validate({"id": ID, "action": "generate", "prompt": prompt})
    assert [fault.field for fault in fill_in(request, Settings())[1]] == ["prompt"]
    assert least("x {|warm}") == "x "
