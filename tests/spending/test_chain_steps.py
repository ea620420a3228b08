"""Which requests one press of a preset makes, and in which order: each of them is paid."""

from __future__ import annotations

import pytest

from bridge_daemon.domain.request import Request, Source
from bridge_daemon.settings.load import Settings
from bridge_daemon.spending.chain import COMING, in_order, steps_of

PRESETS = Settings.model_validate(
    {
        "presets": {
            "drums": {"action": "generate", "prompt": "drums"},
            "bass": {"prompt": "bass", "source": "take", "of": ["drums"]},
            "pad": {"prompt": "pad", "source": "take", "of": ["drums", "bass"]},
            "lead": {"prompt": "lead", "source": "take", "of": ["bass", "drums"], "variations": 3},
            "more": {"prompt": "more", "source": "take"},
        }
    }
).presets


def asked(**given: object) -> Request:
    return Request.model_validate({"id": "6b6a3bd0-8a0c-4ea9-9c1b-3a4c2b0e9d01", "duration": 8} | given)


def made(**given: object) -> list[tuple[str | None, bool, int | None]]:
    """Return preset, whether it is made from a take that is to come, and variations of each step."""
    request = asked(**given)
    return [(one.preset, one.source is COMING, one.variations) for one in steps_of(request, PRESETS)]


def test_each_is_made_once_behind_those_that_it_is_made_from() -> None:
    assert in_order("pad", PRESETS) == ["drums", "bass", "pad"]
    assert made(preset="pad") == [("drums", False, 1), ("bass", True, 1), ("pad", True, None)]


def test_as_many_variations_are_made_of_each_as_of_the_last() -> None:
    assert made(preset="lead") == [("drums", False, 3), ("bass", True, 3), ("lead", True, None)]
    assert made(preset="pad", variations=2) == [("drums", False, 2), ("bass", True, 2), ("pad", True, 2)]


@pytest.mark.parametrize("given", [{"prompt": "rain"}, {"preset": "drums"}])
def test_what_is_made_of_nothing_is_one_step(given: dict[str, object]) -> None:
    assert made(**given) == [(given.get("preset"), False, None)]


def test_of_the_newest_take_is_one_step() -> None:
    assert made(preset="more") == [("more", True, None)]


def test_a_source_of_its_own_is_made_from_no_other_preset() -> None:
    [step] = steps_of(asked(preset="pad", source={"take": "0123456789"}), PRESETS)
    assert (step.preset, step.source) == ("pad", Source(take="0123456789"))


def test_the_take_that_is_to_come_is_no_name_that_somebody_typed() -> None:
    [step] = steps_of(asked(preset="more", source={"take": "0"}), PRESETS)
    assert step.source is not COMING


def test_place_client_and_time_are_those_of_the_press() -> None:
    request = asked(preset="bass", client="reaper", valid_for=60, place={"track": "Bass"})
    for step in steps_of(request, PRESETS):
        assert (step.client, step.valid_for, step.duration, step.place.track) == ("reaper", 60, 8, "Bass")
