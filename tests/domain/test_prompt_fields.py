"""The fields in the prompt of a preset: what is filled, what is left out, and that it is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge_daemon.domain.models import models
from bridge_daemon.domain.parameters import MAX_PROMPT
from bridge_daemon.domain.prompt_fields import FIELDS, LONGEST, Filled, fill, musical, names, number
from bridge_daemon.domain.request import Request
from bridge_daemon.settings.load import Settings, parse
from bridge_daemon.spending.parameters import resolve

ID = "6b6a3bd0-8a0c-4ea9-9c1b-3a4c2b0e9d01"


@pytest.mark.parametrize(
    ("value", "written"),
    [(120.0, "120"), (119.98, "120"), (120.01, "120"), (119.91, "120"), (87.5, "87.5"), (87.46, "87.5"), (4, "4"),
     (93.15, "93.2"), (999.999, "1000"), (0.5, "0.5")],
)  # fmt: skip
def test_numbers_are_written_as_musicians_do(value: float, written: str) -> None:
    assert number(value) == written


@given(st.floats(40, 240), st.floats(-0.04, 0.04))
def test_jitter_does_not_change_a_whole_tempo(tempo: float, jitter: float) -> None:
    assert number(round(tempo) + jitter) == str(round(tempo))
    assert abs(float(number(tempo)) - tempo) <= 0.1


def test_what_is_known_is_filled_and_the_rest_stays_as_it_is() -> None:
    filled = fill("techno ,{tempo} BPM,  a loop of { bars } bars", {"tempo": 119.98, "bars": 4})
    assert filled.text == "techno ,120 BPM,  a loop of 4 bars"
    assert filled.notes == ()


def test_a_phrase_without_its_value_is_left_out_and_told() -> None:
    filled = fill("dub chords, {tempo} BPM, a loop of {bars} bars, like {name}", {"bars": 4, "tempo": None})
    assert filled.text == "dub chords, a loop of 4 bars"
    assert filled.notes == (
        'the prompt was sent without "{tempo} BPM": no tempo is known',
        'the prompt was sent without "like {name}": no name is known',
    )
    assert "no tempo and no bars" in fill("a, {tempo} and {bars}", {}).notes[0]


def test_braces() -> None:
    assert fill("{{tempo}} {tempo}", {"tempo": 90}).text == "{tempo} 90"
    assert names("{{tempo}} {tempo} {bars}{tempo} {no") == ["tempo", "bars"]
    assert fill("a {b", {}).text == "a {b"


def test_values_are_never_read_as_fields_and_never_long() -> None:
    filled = fill("like {name}, {folder}", {"name": "x {tempo}, y\n z", "folder": "f" * 500, "tempo": 120})
    assert filled.text == "like x {tempo}, y z, " + "f" * LONGEST
    assert fill("x, {name}", {"name": " \n"}).text == "x"


@given(st.text(max_size=80), st.dictionaries(st.sampled_from(list(FIELDS)), st.none() | st.text() | st.floats(1, 999)))
def test_any_prompt(prompt: str, fields: dict[str, object]) -> None:
    filled = fill(prompt, fields)
    if "{" not in prompt and "}" not in prompt:
        assert (filled.text, filled.notes) == (prompt.strip(), ())


SETTINGS = Settings.model_validate(
    {"presets": {"loop": {"action": "generate", "prompt": "dub, {tempo} BPM"}, "only": {"prompt": "{name}"}}}
)


def test_only_the_prompt_of_a_preset_is_filled() -> None:
    asked, _ = resolve(Request.model_validate({"id": ID, "preset": "loop"}), SETTINGS, {"tempo": 87.5})
    assert asked is not None
    assert (asked.prompt, asked.notes) == ("dub, 87.5 BPM", ())
    typed, _ = resolve(
        Request.model_validate({"id": ID, "preset": "loop", "prompt": "my {tempo} {{x}}"}), SETTINGS, {"tempo": 87.5}
    )
    assert typed is not None
    assert typed.prompt == "my {tempo} {{x}}"
    assert models()


def test_a_prompt_of_which_nothing_is_left_is_refused() -> None:
    asked, faults = resolve(Request.model_validate({"id": ID, "preset": "only", "action": "generate"}), SETTINGS)
    assert asked is None
    assert [fault.field for fault in faults] == ["preset"]
    assert "nothing is left of its prompt" in faults[0].allowed


def test_a_prompt_that_grows_too_long_is_refused() -> None:
    settings = Settings.model_validate({"presets": {"long": {"action": "generate", "prompt": "{name} " * 1400}}})
    asked, faults = resolve(Request.model_validate({"id": ID, "preset": "long"}), settings, {"name": "a long name"})
    assert asked is None
    assert f"longer than {MAX_PROMPT}" in faults[0].allowed


@pytest.mark.parametrize(
    ("prompt", "said"), [("{temp} BPM", "did you mean tempo?"), ("{Tempo}", "did you mean tempo?"), ("{}", "{} is not")]
)
def test_an_unknown_field_is_a_fault_of_the_settings(prompt: str, said: str) -> None:
    _, faults = parse(f'[presets.loop]\nprompt = "{prompt}"\n', {})
    assert len(faults) == 1
    assert faults[0].setting == "presets.loop.prompt"
    assert said in faults[0].allowed
    assert "{bars}" in faults[0].allowed


def test_known_fields_and_braces_are_no_fault() -> None:
    prompt = " ".join(f"{{{name}}}" for name in FIELDS) + " {{anything}}"
    settings, faults = parse(f'[presets.loop]\nprompt = "{prompt}"\n', {})
    assert (settings is not None, faults) == (True, [])


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("warm piano", "warm piano, 92 BPM, A minor"),
        ("warm piano, ", "warm piano, 92 BPM, A minor"),
        ("piano, 100 bpm", "piano, 100 bpm, A minor"),
        ("piano at 100-BPM in F# major", "piano at 100-BPM in F# major"),
        ("piano in c sharp minor", "piano in c sharp minor, 92 BPM"),
        ("piano, Eb maj", "piano, Eb maj, 92 BPM"),
        ("{90 BPM|slow} piano", "{90 BPM|slow} piano, A minor"),
    ],
)
def test_tempo_and_key_are_added_once(prompt: str, text: str) -> None:
    known = {"tempo": 91.98, "key": "A minor"}
    once = musical(prompt, known, 5000)
    assert once.text == text
    assert musical(once.text, known, 5000) == Filled(once.text, ())


def test_what_is_not_known_or_has_no_room_is_not_added() -> None:
    assert musical("rain", {"tempo": None, "key": " "}, 5000) == Filled("rain", ())
    assert musical("rain", {"tempo": 92}, 11) == Filled("rain", ())
    assert musical("rain", {"tempo": 92}, 12) == Filled("rain, 92 BPM", ("added to the prompt: 92 BPM",))
    dorian = {"key": "D dorian"}
    assert musical(musical("rain", dorian, 99).text, dorian, 99).text == "rain, D dorian"
