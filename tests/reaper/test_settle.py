"""What is done around a take when it arrives: mute, fades, crossfades, or into the item that it was made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.reaper.flows import ITEM, saved, song, takes, transform
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


@pytest.mark.parametrize("why", ["moved", "gone", "short", "notes"])
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
    elif why == "notes":
        reaper.do("fake.all_items(song)[1].texts.P_NOTES = 'mine' fake.undo_point(song, 'notes')")
    bridge.result(sent, job, seconds=7.0 if why == "short" else 8.0)
    reaper.seconds(3)
    assert reaper.get("#song.tracks") == 2
    assert reaper.get("#song.tracks[2].items[1].takes") == 1
    reaper.check()
