"""From what was asked to what is sent: what counts first, what is drawn, what is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge_daemon.domain.models import models
from bridge_daemon.domain.request import Request, parse
from bridge_daemon.errors import Fault
from bridge_daemon.settings.load import Settings
from bridge_daemon.spending.parameters import (
    LARGEST_DRAWN_SEED,
    MAX_VARIATIONS,
    Lengths,
    Resolved,
    lengths,
    parameters,
    resolve,
)

ID = "6b6a3bd0-8a0c-4ea9-9c1b-3a4c2b0e9d01"
MODEL = models()["stable-audio-2-0"]
SETTINGS = Settings.model_validate(
    {
        "defaults": {"duration": 20.0, "strength": 0.25, "valid_for": 60.0},
        "presets": {
            "drone": {
                "action": "generate",
                "prompt": "low drone",
                "model": "stable-audio-2-5",
                "duration": 40.0,
                "steps": 8,
                "cfg_scale": 3.0,
                "seed": 7,
                "variations": 2,
                "valid_for": 90.0,
            },
            "wash": {"action": "transform", "prompt": "wash", "strength": 0.75},
            "words only": {"prompt": "words"},
        },
    }
)


def body(**given: Any) -> dict[str, Any]:
    return {"id": ID, "action": "generate", "prompt": "rain"} | given


def fill(data: dict[str, Any], settings: Settings) -> tuple[Resolved | None, list[Fault]]:
    request, faults = parse(data)
    assert faults == []
    return resolve(request, settings)


def filled(**given: Any) -> Resolved:
    asked, faults = fill(body(**given), SETTINGS)
    assert faults == []
    assert asked is not None
    return asked


def faults_of(**given: Any) -> dict[str, str]:
    asked, faults = fill({key: value for key, value in body(**given).items() if value is not None}, SETTINGS)
    assert asked is None
    return {fault.field: fault.allowed for fault in faults}


class TestWhatCountsFirst:
    def test_the_request_then_the_preset_then_the_defaults(self) -> None:
        asked, _ = fill({"id": ID, "preset": "drone", "steps": 5, "prompt": "high drone"}, SETTINGS)
        assert asked == Resolved(
            action="generate",
            prompt="high drone",  # the request
            model=models()["stable-audio-2-5"],  # the preset
            duration=40.0,
            numbers={"strength": 0.25, "cfg_scale": 3.0, "steps": 5},  # strength: the defaults
            seed=7,
            variations=2,
            valid_for=90.0,
        )

    def test_without_a_preset_the_defaults_and_what_the_service_chooses(self) -> None:
        asked = filled()
        assert (asked.model, asked.valid_for, asked.variations) == (MODEL, 60.0, 1)
        assert (asked.duration, asked.seed, asked.numbers) == (None, None, {"strength": 0.25})

    def test_a_preset_may_say_the_action(self) -> None:
        asked, _ = fill({"id": ID, "preset": "wash", "source": {"path": "/a.wav"}}, SETTINGS)
        assert asked is not None
        assert (asked.action, asked.numbers["strength"]) == ("transform", 0.75)

    def test_the_request_beats_the_action_of_the_preset(self) -> None:
        assert filled(preset="wash").action == "generate"


class TestFaults:
    def test_every_range_at_once(self) -> None:
        assert faults_of(
            duration=191, steps=101, cfg_scale=0.5, strength=1.5, seed=0, variations=9, place={"length": 300}
        ) == {
            "duration": "must be 1 to 190",
            "steps": "must be 30 to 100",
            "cfg_scale": "must be 1 to 25",
            "strength": "must be 0 to 1",
            "seed": "must be 1 to 4294967287",
            "variations": "must be 1 to 8",
        }

    @pytest.mark.parametrize(("action", "least"), [("generate", 30), ("transform", 6)])
    def test_steps_have_a_range_for_each_action(self, action: str, least: int) -> None:
        source = {"source": {"path": "/a.wav"}} if action == "transform" else {}
        assert filled(action=action, steps=least, **source).steps == least
        assert faults_of(action=action, steps=least - 1, **source) == {"steps": f"must be {least} to 100"}
        assert faults_of(action=action, steps=101, **source) == {"steps": f"must be {least} to 100"}

    def test_steps_have_a_range_for_each_model(self) -> None:
        assert filled(model="stable-audio-2-5", steps=4).steps == 4
        assert faults_of(model="stable-audio-2-5", steps=30) == {"steps": "must be 4 to 8"}

    def test_steps_of_an_action_that_is_not_known_are_not_judged(self) -> None:
        assert set(faults_of(action=None, steps=8)) == {"action"}

    @pytest.mark.parametrize(
        ("given", "said"),
        [("dron", "did you mean drone?"), ("Drone", "drone"), ("zzz", "there are: drone, wash, words")],
    )
    def test_an_unknown_preset(self, given: str, said: str) -> None:
        faults = faults_of(preset=given, prompt=None, action=None)
        assert set(faults) == {"preset"}, "what the preset would have said is not missing as well"
        assert said in faults["preset"]

    def test_an_unknown_preset_where_there_are_none(self) -> None:
        _, faults = fill(body(preset="x"), Settings())
        assert faults == [Fault("preset", "x", "is not known; there are none")]

    def test_an_unknown_model(self) -> None:
        assert "did you mean stable-audio-2-" in faults_of(model="stable-audio-2")["model"]

    @pytest.mark.parametrize("prompt", [None, "", "  \n"])
    def test_a_prompt_is_required_by_both_actions(self, prompt: str | None) -> None:
        said = {"prompt": "is required; transforms need one too"}
        assert faults_of(prompt=prompt) == said
        assert faults_of(prompt=prompt, action="transform", source={"path": "/a.wav"}) == said

    @pytest.mark.parametrize("prompt", ["\u200b", "\u200d \ufeff", "\u0301", "\u3164", "\u2800\u00a0", "\u2060\t"])
    def test_a_prompt_that_nobody_can_see_is_none(self, prompt: str) -> None:
        assert faults_of(prompt=prompt) == {"prompt": "has nothing in it that can be seen"}

    @pytest.mark.parametrize("prompt", ["e\u0301", "\u200bرعد", "♪", "雨"])
    def test_any_script_and_sign_is_a_prompt(self, prompt: str) -> None:
        assert filled(prompt=prompt).prompt == prompt

    def test_an_action_is_required(self) -> None:
        assert set(faults_of(action=None, preset="words only", prompt=None)) == {"action"}

    def test_a_source_belongs_to_transform_and_to_nothing_else(self) -> None:
        assert set(faults_of(action="transform")) == {"source"}
        assert faults_of(source={"path": "/a.wav"}) == {"source": "belongs to transform only"}

    def test_what_a_preset_asks_for_is_checked_too(self) -> None:
        settings = Settings.model_validate({"presets": {"long": {"duration": 400.0, "steps": 500}}})
        _, faults = fill(body(preset="long"), settings)
        assert {fault.field for fault in faults} == {"duration", "steps"}


def asked_for(*, source: float | None = None, **given: Any) -> tuple[float, float | None]:
    """Return the duration that is sent, and to what the take is cut."""
    if source is not None:
        given |= {"action": "transform", "source": {"path": "/a.wav"}}
    request = Request.model_validate(body(**given))
    found = lengths(request, filled(**request.as_dict()), source, SETTINGS.defaults.duration)
    assert found.spare is None, "only a take of whole bars is asked for longer"
    return found.duration, found.cut


class TestLengths:
    def test_the_order(self) -> None:
        everything = {"duration": 11.0, "place": {"length": 12.0}, "preset": "drone", "steps": 8}
        everything["model"] = "stable-audio-2-5"
        assert asked_for(**everything, source=13.0) == (11.0, None)
        del everything["duration"]
        assert asked_for(**everything, source=13.0) == (12.0, None)
        del everything["place"]
        assert asked_for(**everything, source=13.0) == (13.0, None)
        assert asked_for(**everything) == (40.0, None)
        del everything["preset"]
        assert asked_for(**everything) == (20.0, None)

    def test_a_place_shorter_than_a_second_asks_for_one_and_is_cut(self) -> None:
        assert asked_for(place={"length": 0.5}) == (1.0, 0.5)
        assert asked_for(place={"length": 1.0}) == (1.0, None)
        assert asked_for(place={"length": 190.0}) == (190.0, None)

    def test_a_place_longer_than_the_model_makes_is_a_fault(self) -> None:
        assert faults_of(place={"length": 190.5}) == {"place.length": "is longer than the model makes (190 s)"}
        assert asked_for(place={"length": 500.0}, duration=30) == (30.0, None), "where it is what was asked for"

    @pytest.mark.parametrize(
        ("more", "spare"),
        [
            ({"client": "live", "place": {"target": "session"}}, 2.82),  # a loop: a bar, 4 %, half a second
            ({"client": "reaper"}, 0.82),
            ({"fit": "loop"}, 2.82),
            ({"fit": "grid"}, 0.82),
            ({"place": {"time_signature": "3/4", "length": 6.0}, "fit": "loop"}, 2.24),
            ({}, None),  # nobody makes it fit
            ({"client": "reaper", "fit": "off"}, None),
            ({"client": "reaper", "fit": "start"}, None),
            ({"client": "reaper", "duration": 8.0}, None),  # a length that somebody has said
            ({"client": "reaper", "place": {"length": 8.3}}, None),  # no whole bars
            ({"client": "reaper", "action": "transform", "source": {"path": "/a.wav"}}, None),
        ],
    )
    def test_a_take_of_whole_bars_is_asked_for_a_little_longer(self, more: dict[str, Any], spare: float | None) -> None:
        place = {"length": 8.0, "tempo": 120.0} | more.pop("place", {})
        request = Request.model_validate(body(place=place, **more))
        found = lengths(request, filled(**request.as_dict()), None, 30)
        assert (found.spare, found.seconds) == (spare, place["length"])
        assert found.duration == pytest.approx(place["length"] + (spare or 0))

    def test_never_longer_than_the_model_makes(self) -> None:
        request = Request.model_validate(body(fit="loop", place={"length": 189.0, "tempo": 80.0}))
        found = lengths(request, filled(**request.as_dict()), None, 30)
        assert (found.duration, found.spare, found.seconds) == (190.0, 1.0, 189.0)

    def test_a_duration_outside_is_a_fault_and_never_cut(self) -> None:
        assert set(faults_of(duration=0.5)) == {"duration"}
        assert set(faults_of(duration=190.5)) == {"duration"}

    def test_the_take_of_a_source_that_was_repeated_is_cut_back(self) -> None:
        assert asked_for(source=5.9) == (5.9, 5.9)
        assert asked_for(source=6.0) == (6.0, None)
        assert asked_for(source=0.6) == (1.0, 0.6)
        assert asked_for(source=4.0, place={"length": 9.0}) == (9.0, 9.0)
        assert asked_for(source=4.0, duration=3.0) == (3.0, 3.0)
        assert asked_for(source=4.0, place={"length": 0.25}) == (1.0, 0.25)

    @given(
        length=st.none() | st.floats(0, 190, exclude_min=True),
        source=st.none() | st.floats(0.5, 190),
        duration=st.none() | st.floats(1, 190),
    )
    def test_whatever_is_asked_the_model_can_make(
        self, length: float | None, source: float | None, duration: float | None
    ) -> None:
        sent, cut = asked_for(place={"length": length}, duration=duration, source=source)
        assert MODEL.duration[0] <= sent <= MODEL.duration[1]
        assert cut is None or 0 < cut <= sent


class TestSeeds:
    def test_one_is_drawn_and_variation_k_uses_seed_plus_k(self) -> None:
        made = parameters(filled(variations=8), Lengths(5.0, None, None))
        first = made[0].seed
        assert [each.seed for each in made] == list(range(first, first + 8))
        assert first >= 1
        assert made[-1].seed <= LARGEST_DRAWN_SEED

    def test_two_presses_draw_two_seeds(self) -> None:
        assert len({parameters(filled(), Lengths(5.0, None, None))[0].seed for _ in range(20)}) > 1

    def test_a_given_one_is_kept(self) -> None:
        assert [each.seed for each in parameters(filled(seed=42, variations=3), Lengths(5.0, None, None))] == [
            42,
            43,
            44,
        ]

    @pytest.mark.parametrize("variations", range(1, MAX_VARIATIONS + 1))
    def test_every_variation_stays_in_the_range_of_the_model(self, variations: int) -> None:
        least, most = MODEL.range("seed") or (0, 0)
        largest = most - (variations - 1)
        assert parameters(filled(seed=largest, variations=variations), Lengths(5.0, None, None))[-1].seed == most
        assert parameters(filled(seed=least, variations=variations), Lengths(5.0, None, None))[0].seed == least
        assert faults_of(seed=largest + 1, variations=variations) == {"seed": f"must be {least} to {largest}"}

    def test_strength_is_always_sent_for_transforms_and_for_nothing_else(self) -> None:
        [made] = parameters(filled(action="transform", source={"path": "/a.wav"}), Lengths(5.0, None, None))
        assert made.strength == 0.25
        [made] = parameters(filled(strength=0.9), Lengths(5.0, None, None))
        assert made.strength is None
