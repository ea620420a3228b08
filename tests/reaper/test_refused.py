"""A press that is refused, or made twice: no item and no track stay behind, and what is meant is one answer away."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.reaper.conftest import Start
from tests.reaper.flows import ITEM, answer, notes, song, takes, transform
from tests.reaper.reaper import Reaper
from tests.reaper.standin import StandIn

YES, NO = 6, 7
AGAIN = "Transform again with the last settings"


def left(reaper: Reaper) -> Any:
    return reaper.get("{#fake.all_items(song), #song.tracks}")


@pytest.mark.parametrize("track", ["new", "same", "lane"])
@pytest.mark.parametrize("code", ["E-LIMIT", "E-PAUSED", "E-SOURCE", "E-DOUBLE-PRESS"])
def test_a_refused_press_leaves_no_item_and_no_track(
    reaper: Reaper, bridge: StandIn, tmp_path: Path, track: str, code: str
) -> None:
    song(reaper, tmp_path / "song")
    sent = transform(reaper, bridge, Track=track)
    reaper.do("fake.undo_point(song, 'of the person')")
    bridge.refuse(sent, code, "So it is. Nothing was spent.")
    reaper.do(f"fake.answers = {{{NO}}}")
    reaper.seconds(3)
    assert left(reaper) == [1, 1]
    assert "othing was spent" in reaper.get("fake.modals[2]")
    assert code == "E-DOUBLE-PRESS" or f"Not sent. {code}" in reaper.get("fake.modals[2]")
    reaper.seconds(8)
    assert bridge.requests() == []
    assert reaper.get("{#fake.scripts, #fake.modals}") == [0, 2]
    reaper.check()


@pytest.mark.parametrize(
    "change",
    ['song.tracks[2].texts.P_NAME = "mine"', "fake.new_audio_item(song.tracks[2], 0, 1)", "song.tracks[2].fx = {1}"],
)
def test_a_track_that_somebody_uses_stays(reaper: Reaper, bridge: StandIn, tmp_path: Path, change: str) -> None:
    song(reaper, tmp_path / "song")
    sent = transform(reaper, bridge)
    reaper.do(change)
    bridge.refuse(sent, "E-LIMIT", "No.")
    reaper.seconds(3)
    assert reaper.get("#song.tracks") == 2


@pytest.mark.parametrize("action", ["transform", "generate"])
def test_the_same_press_again_is_one_answer_away(reaper: Reaper, bridge: StandIn, tmp_path: Path, action: str) -> None:
    song(reaper, tmp_path / "song")
    if action == "transform":
        sent = transform(reaper, bridge, Variations="2")
    else:
        answer(reaper, Prompt="rain", Variations="2")
        reaper.press("Generate at cursor or time selection")
        sent = bridge.request()
    bridge.refuse(sent, "E-DOUBLE-PRESS", "The same again.")
    reaper.do(f"fake.answers = {{{YES}}}")
    reaper.seconds(3)
    assert "Send it again for $1.16?" in reaper.get("fake.modals[2]")
    again = bridge.request()
    assert again["again"] is True
    assert again["id"] != sent["id"]
    same = set(sent) - {"id", "place"}
    assert {key: again[key] for key in same} == {key: sent[key] for key in same}
    assert [again["place"][key] for key in ("position", "length")] == [sent["place"][k] for k in ("position", "length")]
    assert left(reaper) == [2, 2]
    (job, _) = bridge.status(again, "stored", "generating")
    bridge.result(again, job)
    reaper.seconds(4)
    assert takes(reaper) == 1
    bridge.refuse(again, "E-DOUBLE-PRESS", "Once more.")
    reaper.seconds(4)
    assert takes(reaper) == 1, "what has a take stays"


@pytest.mark.parametrize("code", ["E-CONFIRM", "E-PRICE"])
def test_a_price_that_nobody_has_agreed_to(reaper: Reaper, bridge: StandIn, tmp_path: Path, code: str) -> None:
    song(reaper, tmp_path / "song")
    sent = transform(reaper, bridge)
    told = {"code": code, "message": "$0.99 a generation, and you have not agreed.", "charge": "none", "next": "y"}
    bridge._write(f"{sent['id']}.status.json", {"id": sent["id"], "refused": told, "usd": 0.99, "jobs": []})
    reaper.do(f"fake.answers = {{{YES}}}")
    reaper.seconds(3)
    assert "$0.99" in reaper.get("fake.modals[2]")
    again = bridge.request()
    assert again["confirm_usd"] == 0.99
    bridge.refuse(again, "E-DOUBLE-PRESS", "The same again.")
    reaper.do(f"fake.answers = {{{YES}}}")
    reaper.seconds(3)
    assert bridge.request()["confirm_usd"] == 0.99, "it is not asked for twice"


def test_an_undo_of_the_removal_asks_nothing_again(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    sent = transform(reaper, bridge)
    bridge.refuse(sent, "E-LIMIT", "No.")
    reaper.seconds(3)
    reaper.do("fake.undo(song)")
    reaper.seconds(8)
    assert reaper.get("{#fake.scripts, #fake.modals}") == [0, 2]
    reaper.press("Watcher (starts by itself)")
    reaper.seconds(3)
    assert "E-LIMIT" in notes(reaper, ITEM)
    assert reaper.get("#fake.modals") == 2


def test_while_reaper_records_no_box_appears(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    sent = transform(reaper, bridge)
    reaper.do("song.play_state = 5")
    bridge.refuse(sent, "E-LIMIT", "No.")
    reaper.seconds(3)
    assert reaper.get("#fake.modals") == 1
    reaper.do("song.play_state = 0")
    reaper.seconds(2)
    assert left(reaper) == [1, 1]


@pytest.mark.parametrize("render", ["background", "blocking"])
def test_a_second_press_without_a_form_is_ignored_while_the_first_is_captured(
    start: Start, bridge: StandIn, tmp_path: Path, render: str
) -> None:
    reaper = start()
    song(reaper, tmp_path / "song")
    transform(reaper, bridge, Prompt="one")
    reaper.do(f'fake.render = "{render}"')
    reaper.press("Transform again with the last settings")
    if render == "background":
        reaper.tick(3)
    reaper.press("Transform again with the last settings")
    assert "ignored" in reaper.get("fake.modals[2]")
    assert "nothing was spent" in reaper.get("fake.modals[2]")
    reaper.seconds(3)
    assert len(bridge.requests()) == 1
    reaper.do(f"fake.answers = {{{YES}}}")
    reaper.press("Transform again with the last settings")
    reaper.seconds(3)
    assert bridge.request()["again"] is True, "the first is on its way: asked about this one"


def test_a_capture_that_somebody_has_ended_does_not_hold_the_next_press_off(
    reaper: Reaper, bridge: StandIn, tmp_path: Path
) -> None:
    song(reaper, tmp_path / "song")
    transform(reaper, bridge, Prompt="one")
    reaper.press("Transform again with the last settings")
    reaper.do("fake.terminate_all() fake.deferred = {} fake.late = 100")
    reaper.press("Transform again with the last settings")
    assert "ignored" in reaper.get("fake.modals[2]")
    reaper.seconds(3)
    bridge.beat(time=time.time() + 100)
    reaper.press("Transform again with the last settings")
    reaper.seconds(3)
    assert len(bridge.requests()) == 1


@pytest.mark.parametrize("track", ["new", "same", "lane"])
def test_yes_in_another_tab_goes_into_the_project_of_the_press(
    reaper: Reaper, bridge: StandIn, tmp_path: Path, track: str
) -> None:
    song(reaper, tmp_path / "song")
    reaper.do("fake.new_audio_item(fake.new_track(song, 'below'), 0, 1)")
    sent = transform(reaper, bridge, Track=track)
    reaper.do("other = fake.new_project('') fake.new_track(other, 'theirs')")
    bridge.refuse(sent, "E-DOUBLE-PRESS", "The same again.")
    reaper.do(f"fake.answers = {{{YES}}}")
    reaper.seconds(3)
    assert bridge.request()["again"] is True
    assert reaper.get("{#other.tracks, #fake.all_items(other), #song.tracks, #fake.all_items(song)}") == [
        *(1, 0, 3 if track == "new" else 2),
        3,
    ]
    assert reaper.get("song.tracks[#song.tracks].texts.P_NAME") == "below"
    assert reaper.get("fake.tabs[fake.active] == other"), "what was in front is in front"
    reaper.check()


@pytest.mark.parametrize("again", [YES, NO])
@pytest.mark.parametrize("capture", ["heard", "dry"])
def test_again_twice_is_asked_also_where_the_bridge_could_not_tell(
    reaper: Reaper, bridge: StandIn, tmp_path: Path, again: int, capture: str
) -> None:
    """The capture is long, or an effect sounds different each time: the bridge sees two presses."""
    song(reaper, tmp_path / "song")
    transform(reaper, bridge, Capture=capture)
    reaper.press(AGAIN)
    reaper.seconds(3)
    assert len(bridge.requests()) == 1
    asked = reaper.get("#fake.modals")
    reaper.do(f"fake.answers = {{{again}}} fake.thinking = 0")
    reaper.press(AGAIN)
    reaper.seconds(3)
    assert "This is the same press as the one before it" in reaper.get(f"fake.modals[{asked + 1}]")
    assert "for $0.58?" in reaper.get(f"fake.modals[{asked + 1}]")
    sent = bridge.requests()
    assert [one["again"] for one in sent] == [True] * (again == YES)
    assert len(reaper.get("fake.modals")) == asked + 1
    reaper.seconds(11)
    bridge.beat()
    reaper.press(AGAIN)
    reaper.seconds(3)
    assert len(bridge.requests()) == 1, "later it is no slip"
    reaper.check()


def test_a_press_that_was_refused_is_no_press_before(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    transform(reaper, bridge)
    reaper.press(AGAIN)
    reaper.seconds(3)
    bridge.refuse(bridge.request(), "E-LIMIT", "No.")
    reaper.do("fake.thinking = 0")
    reaper.seconds(3)
    asked = reaper.get("#fake.modals")
    reaper.press(AGAIN)
    reaper.seconds(3)
    assert reaper.get("#fake.modals") == asked
    assert len(bridge.requests()) == 1
