"""What is done around a take when it arrives: mute, fades, crossfades, or into the item that it was made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.reaper.flows import ITEM, notes, saved, song, takes, transform
from tests.reaper.reaper import Reaper
from tests.reaper.standin import StandIn

#: The riff stands alone, is clicked, and is as long as the take: the source has sound before and behind it.
RIFF = """
fake.cursor_context = 1
riff.info.D_POSITION, riff.info.D_LENGTH = 12.25, 8.0
riff.selected, guitar.selected = true, false
song.time_selection = {0, 0}
fake.sounds = function(item, offset)
  local source = {path = fake.resources .. "/x.wav", length = 60.0, owned = true}
  fake.pointers.make("PCM_source", source)
  item.takes[1].source, item.takes[1].info.D_STARTOFFS = source, offset
end
fake.undo_point(song, "clicked")
"""


def chosen(reaper: Reaper, **values: Any) -> None:
    told = ",".join(f'\\"{key}\\":\\"{value}\\"' for key, value in values.items())
    reaper.do(f'reaper.SetExtState("DAW Bridge", "kept_values_placing", "{{{told}}}", true)')


def arrived(reaper: Reaper, bridge: StandIn, tmp_path: Path, more: str = "", **fields: str) -> dict[str, Any]:
    song(reaper, tmp_path / "song")
    reaper.do(RIFF + more)
    sent = transform(reaper, bridge, **fields)
    (job,) = bridge.status(sent, "stored")
    saved(reaper)
    bridge.result(sent, job)
    reaper.seconds(3)
    return sent


def of_riff(reaper: Reaper, key: str) -> float:
    return float(reaper.get(f"fake.all_items(song)[1].info.{key}"))


def test_edges_are_faded_by_5_ms_and_nothing_is_muted(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    arrived(reaper, bridge, tmp_path)
    assert takes(reaper) == 1
    assert reaper.get(f"{ITEM}.info.D_FADEINLEN") == reaper.get(f"{ITEM}.info.D_FADEOUTLEN") == 0.005
    assert of_riff(reaper, "B_MUTE") == 0
    reaper.check()


def test_the_source_is_muted_in_the_same_undo_step(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    chosen(reaper, mute="yes", fade="0", crossfade="0")
    arrived(reaper, bridge, tmp_path)
    assert of_riff(reaper, "B_MUTE") == 1
    assert reaper.get(f"{ITEM}.info.D_FADEINLEN") == 0
    reaper.do("fake.undo(song)")
    assert of_riff(reaper, "B_MUTE") == 0
    assert takes(reaper) == 0
    reaper.check()


def test_neighbours_are_drawn_over_the_edges_as_far_as_they_have_sound(
    reaper: Reaper, bridge: StandIn, tmp_path: Path
) -> None:
    chosen(reaper, mute="no", fade="5", crossfade="50")
    neighbours = """
        before = fake.new_audio_item(guitar, 10.25, 2.0) fake.sounds(before, 0)
        after = fake.new_audio_item(guitar, 20.25, 2.0) fake.sounds(after, 0.02)
    """
    arrived(reaper, bridge, tmp_path, neighbours, Track="same")
    reaper.do("for _, one in ipairs(fake.all_items(song)) do took = one.ext.daw_bridge and one or took end")
    assert reaper.get("before.info.D_LENGTH") == pytest.approx(2.05)
    assert reaper.get("before.info.D_FADEOUTLEN") == reaper.get("took.info.D_FADEINLEN") == 0.05
    assert reaper.get("after.info.D_POSITION") == pytest.approx(20.23)
    assert reaper.get("after.info.D_LENGTH") == pytest.approx(2.02)
    assert reaper.get("after.takes[1].info.D_STARTOFFS") == pytest.approx(0.0)
    assert reaper.get("took.info.D_FADEOUTLEN") == pytest.approx(0.02)
    reaper.check()


def test_the_take_goes_into_the_source_item(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    sent = arrived(reaper, bridge, tmp_path, "fake.sounds(riff, 3)", Track="take")
    assert reaper.get("#song.tracks") == 1, "the placeholder has gone with its track"
    assert reaper.get("#fake.all_items(song)") == 1
    assert reaper.get("#fake.all_items(song)[1].takes") == 2
    assert reaper.get("fake.all_items(song)[1].active") == 1
    assert of_riff(reaper, "B_LOOPSRC") == 1, "the other take may be looped"
    assert bridge.words() == [f"job{sent['id'][:6]}1.1.placed.json"]
    reaper.do("fake.undo(song)")
    assert reaper.get("#song.tracks") == 2
    assert reaper.get("#fake.all_items(song)[1].takes") == 1
    reaper.check()


@pytest.mark.parametrize("why", ["moved", "gone", "short", "notes", "locked"])
def test_where_it_cannot_go_there_it_goes_into_its_placeholder(
    reaper: Reaper, bridge: StandIn, tmp_path: Path, why: str
) -> None:
    song(reaper, tmp_path / "song")
    reaper.do(RIFF)
    sent = transform(reaper, bridge, Track="take")
    (job,) = bridge.status(sent, "stored")
    if why == "moved":
        reaper.do("fake.all_items(song)[1].info.D_POSITION = 3 fake.undo_point(song, 'moved')")
    elif why == "gone":
        reaper.do("fake.delete_item(fake.all_items(song)[1]) fake.undo_point(song, 'gone')")
    elif why == "locked":
        reaper.do("fake.all_items(song)[1].info.C_LOCK = 1")
    elif why == "notes":
        reaper.do("fake.all_items(song)[1].texts.P_NOTES = 'mine' fake.undo_point(song, 'notes')")
    bridge.result(sent, job, seconds=7.0 if why == "short" else 8.0)
    reaper.seconds(3)
    assert reaper.get("#song.tracks") == 2
    assert reaper.get("#song.tracks[2].items[1].takes") == 1
    reaper.check()


#: Beside the riff, which reaches beyond the time selection: one item within it, one locked, and one elsewhere.
SELECTED = """
fake.cursor_context = 0
riff.selected, guitar.selected = false, true
riff.info.D_POSITION, riff.info.D_LENGTH = 10.0, 20.0
song.time_selection = {12.25, 20.25}
within = fake.new_audio_item(guitar, 12.25, 8.0)
locked = fake.new_audio_item(guitar, 13.0, 2.0) locked.info.C_LOCK = 1
elsewhere = fake.new_audio_item(guitar, 20.25, 2.0)
other = fake.new_audio_item(fake.new_track(song, "Other"), 13.0, 2.0)
fake.undo_point(song, "selected")
"""
NAMES = ("within", "locked", "elsewhere", "other")


def test_of_a_time_selection_what_lies_within_is_muted_and_the_rest_is_told(
    reaper: Reaper, bridge: StandIn, tmp_path: Path
) -> None:
    chosen(reaper, mute="yes", fade="0", crossfade="0")
    arrived(reaper, bridge, tmp_path, SELECTED, Track="new")
    took = "song.tracks[2].items[1]"
    assert [reaper.get(f"{name}.info.B_MUTE") for name in NAMES] == [1, 0, 0, 0]
    assert of_riff(reaper, "B_MUTE") == 0
    assert "Not muted: 1 item not wholly within what was sent." in notes(reaper, took)
    assert "Not muted: 1 locked item." in notes(reaper, took)
    reaper.do("fake.undo(song)")
    assert reaper.get("song.tracks[1].items[2].info.B_MUTE") == 0, "in the same undo step"
    reaper.check()


def test_the_whole_mix_is_not_muted_and_that_is_told(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    chosen(reaper, mute="yes", fade="0", crossfade="0")
    arrived(reaper, bridge, tmp_path, SELECTED + "guitar.selected = false fake.answers = {6}")
    assert [reaper.get(f"{name}.info.B_MUTE") for name in NAMES] == [0, 0, 0, 0]
    assert "Not muted: the whole mix was sent." in notes(reaper, "song.tracks[3].items[1]")
    reaper.check()


def test_locked_neighbours_and_a_locked_source_item_stay_as_they_are(
    reaper: Reaper, bridge: StandIn, tmp_path: Path
) -> None:
    chosen(reaper, mute="yes", fade="5", crossfade="50")
    more = "before = fake.new_audio_item(guitar, 10.25, 2.0) fake.sounds(before, 0) before.info.C_LOCK = 1"
    arrived(reaper, bridge, tmp_path, more + " riff.info.C_LOCK = 1", Track="same")
    assert reaper.get("{before.info.D_LENGTH, before.info.D_FADEOUTLEN}") == [2.0, 0]
    assert of_riff(reaper, "B_MUTE") == 0
    reaper.check()


def test_lanes_of_a_track_that_was_locked_meanwhile_play_as_before(
    reaper: Reaper, bridge: StandIn, tmp_path: Path
) -> None:
    song(reaper, tmp_path / "song")
    sent = transform(reaper, bridge, Track="lane")
    reaper.do("guitar.locked = true")
    bridge.result(sent, bridge.status(sent, "stored")[0])
    reaper.seconds(3)
    assert takes(reaper) == 1
    assert reaper.get('guitar.info["C_LANEPLAYS:0"]') == 1
    assert "Its track is locked: the lanes play as before." in notes(reaper)
    reaper.check()
