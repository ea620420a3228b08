"""What a transform is made of is told before money is spent, and is what is sent then."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reaper.flows import answer, notes, song, transform
from tests.reaper.reaper import Reaper
from tests.reaper.standin import StandIn

AGAIN = "Transform again with the last settings"


@pytest.mark.parametrize(
    ("selection", "told"),
    [
        ("-- only the time selection", "Guitar é, 12.25–20.25 s = 8.00 s"),
        ("riff.selected = true fake.cursor_context = 1", "1 item on Guitar é, 10.00–30.00 s = 20.00 s"),
        ("""guitar.razor = '11.0 13.5 ""'""", "razor edits on Guitar é, 11.00–13.50 s = 2.50 s"),
    ],
)
def test_the_form_tells_range_tracks_length_and_price(
    reaper: Reaper, bridge: StandIn, tmp_path: Path, selection: str, told: str
) -> None:
    song(reaper, tmp_path / "song")
    bridge.beat(engine="stable_audio", price_usd=0.2, spent_today_usd=1.0, limit_today_usd=5.0)
    reaper.do(selection)
    transform(reaper, bridge)
    title = reaper.get("fake.shown.title")
    assert told in title
    assert "$0.20 a take, $4.00 of $5.00 left today" in title
    assert f"made from {told}" in notes(reaper), "and the item keeps it"


def test_the_question_about_the_whole_mix_tells_the_price(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    bridge.beat(engine="stable_audio", price_usd=0.2, spent_today_usd=1.0, limit_today_usd=5.0)
    reaper.do("guitar.selected = false fake.answers[1] = 7")
    reaper.press("Transform selection")
    assert "12.25–20.25 s = 8.00 s?" in reaper.get("fake.modals[1]")
    assert "$0.20 a take" in reaper.get("fake.modals[1]")
    assert bridge.requests() == []


def test_again_tells_in_one_line_what_it_sends_and_asks_nothing(
    reaper: Reaper, bridge: StandIn, tmp_path: Path
) -> None:
    song(reaper, tmp_path / "song")
    bridge.beat(engine="stable_audio", price_usd=0.2, spent_today_usd=1.0, limit_today_usd=5.0)
    transform(reaper, bridge, Variations="2")
    asked = reaper.get("#fake.modals")
    reaper.press(AGAIN)
    assert reaper.get("fake.tooltip") == "strings, (slow): Guitar é, 12.25–20.25 s = 8.00 s, $0.40"
    reaper.seconds(8)
    assert reaper.get("fake.tooltip") == ""
    reaper.do("song.time_selection = {14.0, 15.5}")
    reaper.press(AGAIN)
    told = "Another source than last time. strings, (slow): Guitar é, 14.00–15.50 s = 1.50 s, $0.40"
    assert reaper.get("fake.tooltip") == told
    reaper.seconds(3)
    assert len(bridge.requests()) == 2, "the first was read"
    assert reaper.get("#fake.modals") == asked, "one press"
    reaper.check()


@pytest.mark.parametrize("change", ["riff.info.D_POSITION = 11.0", "riff.info.D_LENGTH = 4.0"])
def test_items_that_were_moved_before_they_were_captured_are_not_sent(
    reaper: Reaper, bridge: StandIn, tmp_path: Path, change: str
) -> None:
    song(reaper, tmp_path / "song")
    answer(reaper, Prompt="first", Capture="dry")
    reaper.press("Transform selection")
    reaper.do("riff.selected = true fake.cursor_context = 1")
    answer(reaper, Prompt="second")
    reaper.press("Transform selection")
    reaper.do(change)
    reaper.seconds(5)
    assert [one["prompt"] for one in bridge.requests()] == ["first"]
    assert "was deleted or moved. Nothing was sent, nothing was spent." in notes(reaper, "fake.all_items(song)[2]")
    reaper.check()


@pytest.mark.parametrize("how", ["Transform selection", AGAIN, "Panel"])
def test_items_without_length_are_told_and_nothing_is_sent(
    reaper: Reaper, bridge: StandIn, tmp_path: Path, how: str
) -> None:
    song(reaper, tmp_path / "song")
    transform(reaper, bridge)
    reaper.do("riff.selected = true fake.cursor_context = 1 riff.info.D_LENGTH = 0")
    shown = reaper.get("#fake.modals")
    reaper.press(how)
    if how == "Panel":
        reaper.seconds(5)
        assert "What is selected has no length." in reaper.get("fake.drawn")
    else:
        assert reaper.get(f"fake.modals[{shown + 1}]").startswith("What is selected has no length.")
    assert bridge.requests() == []
    reaper.check()


def test_times_are_those_of_the_ruler(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    """A project that begins at one hour, as for film."""
    song(reaper, tmp_path / "song")
    reaper.do("song.offset = 3600.0")
    sent = transform(reaper, bridge)
    assert "Guitar é, 3612.25–3620.25 s = 8.00 s" in reaper.get("fake.shown.title")
    assert (sent["place"]["position"], sent["place"]["time_offset"]) == (12.25, 3600.0)
