"""A request: every fault is named at once, and what is right survives JSON in both directions."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge_daemon.domain.parameters import MAX_PROMPT
from bridge_daemon.domain.request import VERSION, Place, Request, parse
from bridge_daemon.errors import Fault, InvalidRequest

ID = "6b6a3bd0-8a0c-4ea9-9c1b-3a4c2b0e9d01"


def body(**given: Any) -> dict[str, Any]:
    return {"id": ID, "action": "generate", "prompt": "rain"} | given


def accepted(**given: Any) -> Request:
    request, faults = parse(body(**given))
    assert faults == []
    return request


def faults_of(**given: Any) -> list[Fault]:
    _, faults = parse(body(**given))
    assert faults
    return faults


def the_fault(**given: Any) -> Fault:
    [fault] = faults_of(**given)
    return fault


class TestFaults:
    def test_all_are_named_at_once_with_field_value_and_what_is_allowed(self) -> None:
        faults = faults_of(
            id="not-a-uuid",
            client="My Reaper",
            action="compose",
            duration="long",
            steps=50.5,
            source={"path": "", "begin": 1},
            place={"position": "start", "slot": -1},
            colour="blue",
        )
        assert {fault.field: fault.value for fault in faults} == {
            "id": "not-a-uuid",
            "client": "My Reaper",
            "action": "compose",
            "duration": "long",
            "steps": 50.5,
            "source.path": "",
            "source.begin": 1,
            "place.position": "start",
            "place.slot": -1,
            "colour": "blue",
        }
        message = InvalidRequest(faults).message
        for fault in faults:
            assert f"{fault.field} = {fault.value!r}: {fault.allowed}" in message
        assert "nothing was spent" in message

    def test_what_is_right_beside_a_fault_can_still_be_checked(self) -> None:
        request, _ = parse(body(steps="many", duration=500, place={"length": 4, "slot": -1}))
        assert (request.id, request.duration, request.place) == (ID, 500, Place())
        assert "steps" not in request.as_dict()
        assert parse(body(id="x"))[0].id == ""

    def test_the_sentences(self) -> None:
        assert the_fault(id="x").allowed == "must be a UUID, made new for each press"
        assert the_fault(client="A b").allowed == "1 to 40 of a-z, 0-9 and -"
        assert the_fault(action="x").allowed == "must be one of 'generate', 'transform' or 'replace'"
        assert the_fault(again=1).allowed == "must be true or false"
        assert the_fault(place=[]).allowed == "must be an object"
        assert the_fault(place={"position": -1e9}).allowed == "input should be greater than or equal to -86400"
        assert the_fault(source={}) == Fault("source", {}, "needs a path or a take: one of them")

    def test_an_id_is_required(self) -> None:
        _, faults = parse({"action": "generate"})
        assert faults == [Fault("id", None, "is required")]

    def test_unknown_keys_are_named_wherever_they_are(self) -> None:
        faults = faults_of(sourse={}, source={"path": "/a", "stop": 1}, place={"bar": 3})
        assert {(fault.field, fault.allowed) for fault in faults} == {
            (field, "is not a key of a request") for field in ("sourse", "source.stop", "place.bar")
        }

    def test_a_long_value_is_cut_in_the_message(self) -> None:
        fault = the_fault(prompt="x" * (MAX_PROMPT + 1))
        assert len(str(fault)) < 150
        shown = InvalidRequest([fault]).as_dict()["faults"][0]
        assert len(shown["value"]) <= 200

    def test_the_error_is_always_json(self) -> None:
        error = InvalidRequest(faults_of(duration=math.inf, place={"position": math.nan}, source=[{}, object()]))
        json.dumps(error.as_dict(), allow_nan=False)


class TestTypes:
    @pytest.mark.parametrize("field", ["steps", "seed", "variations"])
    def test_a_whole_number_may_be_written_as_scripting_languages_do(self, field: str) -> None:
        assert getattr(accepted(**{field: 50.0}), field) == 50
        assert isinstance(getattr(accepted(**{field: 50.0}), field), int)
        for wrong in (50.5, "50", True, math.nan, math.inf, [50]):
            assert the_fault(**{field: wrong}).allowed == "must be a whole number"

    @pytest.mark.parametrize("field", ["duration", "cfg_scale", "strength", "confirm_usd"])
    def test_a_number_is_finite_and_no_text_and_no_truth(self, field: str) -> None:
        assert getattr(accepted(**{field: 3}), field) == 3.0
        for wrong in ("3", True, False, [3], {}):
            assert the_fault(**{field: wrong}).allowed == "must be a number"
        for wrong in (math.nan, math.inf):
            assert the_fault(**{field: wrong}).allowed == "must be a finite number"
        assert the_fault(**{field: 10**400}).field == field

    def test_text_is_text(self) -> None:
        assert the_fault(prompt=3).allowed == "must be text"
        assert the_fault(preset=["a"]).allowed == "must be text"
        assert the_fault(prompt="half of a pair \ud83c").field == "prompt"  # no UTF-8: it could not be sent
        assert accepted(prompt="  Größe 🎹\0 ").prompt == "Größe 🎹\0"

    def test_null_is_as_if_left_out(self) -> None:
        request = accepted(client=None, duration=None, seed=None, source=None)
        assert request == accepted()
        assert request.as_dict() == accepted().as_dict()

    @pytest.mark.parametrize("given", [1, 1.0])
    def test_the_version_is_known(self, given: Any) -> None:
        assert accepted(version=given).version == VERSION
        assert accepted().version == VERSION

    @pytest.mark.parametrize("given", [0, 2, "1", True, None, 1.5])
    def test_another_version_is_not_guessed_at(self, given: Any) -> None:
        assert the_fault(version=given).allowed == "must be 1; this daemon speaks no other version"

    @pytest.mark.parametrize("given", [ID.upper(), f"{{{ID}}}", ID.replace("-", ""), f"urn:uuid:{ID}"])
    def test_an_id_has_one_form(self, given: str) -> None:
        assert accepted(id=given).id == ID


numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
places = st.fixed_dictionaries(
    {},
    optional={
        "project": text,
        "track": text,
        "target": st.sampled_from(["arrangement", "session"]),
        "slot": st.integers(0, 100_000),
        "position": st.floats(-86_400, 864_000),
        "length": st.floats(0, 86_400, exclude_min=True),
        "time_signature": st.sampled_from(["4/4", "7/8"]),
        "sample_rate": st.integers(8_000, 384_000),
        "token": text,
    },
)
sources = st.fixed_dictionaries(
    {"path": st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)},
    optional={"start": st.floats(0, 1e6), "end": st.floats(0, 1e6, exclude_min=True)},
)
requests = st.fixed_dictionaries(
    {"id": st.uuids().map(str)},
    optional={
        "version": st.just(1),
        "client": st.from_regex(r"\A[a-z0-9-]{1,40}\Z"),
        "action": st.sampled_from(["generate", "transform"]),
        "prompt": text,
        "preset": text,
        "model": text,
        "duration": numbers,
        "steps": st.integers(),
        "cfg_scale": numbers,
        "strength": numbers,
        "seed": st.integers(),
        "variations": st.integers(),
        "source": sources,
        "place": places,
        "confirm_usd": st.floats(0, 1e9),
        "again": st.booleans(),
        "valid_for": st.floats(1, 3600),
    },
)


@given(requests)
def test_json_goes_both_ways(data: dict[str, Any]) -> None:
    request, faults = parse(data)
    assert faults == []
    wire = json.dumps(request.as_dict(), allow_nan=False)
    assert Request.model_validate(json.loads(wire)) == request
    assert json.dumps(Request.model_validate(json.loads(wire)).as_dict()) == wire


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
keys = st.sampled_from([*Request.model_fields, "other"])


@given(st.dictionaries(keys, anything, max_size=6))
def test_nothing_that_comes_breaks_it(data: dict[str, Any]) -> None:
    request, faults = parse(data)
    assert faults or request == Request.model_validate(data)
    json.dumps(InvalidRequest(faults).as_dict(), allow_nan=False)
    for fault in faults:
        assert fault.field.partition(".")[0] in {*data, "id"}
