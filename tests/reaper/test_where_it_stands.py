"""Where a take stands, and what is heard then: folders, hidden tracks, fixed lanes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.reaper.flows import ITEM, answer, song, transform
from tests.reaper.reaper import Reaper
from tests.reaper.standin import StandIn

#: A folder whose parent or child is the guitar, and a track behind it.
FOLDERS = {
    "the parent": "guitar.info.I_FOLDERDEPTH = 1 fake.new_track(song, 'child').info.I_FOLDERDEPTH = -1",
    "a child": """
        local bus = fake.new_track(song, 'bus') bus.info.I_FOLDERDEPTH = 1
        song.tracks[1], song.tracks[2] = bus, guitar
        fake.new_track(song, 'child').info.I_FOLDERDEPTH = -1""",
    "a folder in a folder": """
        local bus = fake.new_track(song, 'bus') bus.info.I_FOLDERDEPTH = 1
        song.tracks[1], song.tracks[2] = bus, guitar guitar.info.I_FOLDERDEPTH = 1
        fake.new_track(song, 'child').info.I_FOLDERDEPTH = -2""",
}
NEW = "strings, (slow)"


def names(reaper: Reaper) -> list[str]:
    return list(
        reaper.do("local t = {} for _, track in ipairs(song.tracks) do t[#t + 1] = track.texts.P_NAME end return t")
    )


def parent_of_new(reaper: Reaper) -> object:
    return reaper.do(f"""
        for _, track in ipairs(song.tracks) do
          if track.texts.P_NAME == "{NEW}" then
            local parent = reaper.GetParentTrack(track.pointer)
            return parent and "a child" or "free"
          end
        end""")


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_new_track_stands_behind_the_whole_folder(
    reaper: Reaper, bridge: StandIn, tmp_path: Path, folder: str
) -> None:
    song(reaper, tmp_path / "song")
    reaper.do(FOLDERS[folder] + " fake.new_track(song, 'behind')")
    before = names(reaper)
    transform(reaper, bridge)
    assert names(reaper) == [*before[:-1], NEW, "behind"]
    assert parent_of_new(reaper) == "free"


def test_a_folder_that_is_open_at_the_end_is_closed_first(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    reaper.do("guitar.info.I_FOLDERDEPTH = 1 fake.new_track(song, 'child')")
    transform(reaper, bridge)
    assert names(reaper) == ["Guitar é", "child", NEW]
    assert parent_of_new(reaper) == "free"
    reaper.do("fake.undo(song)")
    assert reaper.get("#song.tracks") == 2 or names(reaper)[-1] != NEW


COLLAPSED = """
    local bus = fake.new_track(song, 'bus') bus.info.I_FOLDERDEPTH = 1 bus.info.I_FOLDERCOMPACT = 2
    song.tracks[1], song.tracks[2] = bus, guitar guitar.info.I_FOLDERDEPTH = -1"""


@pytest.mark.parametrize("track", ["same", "lane", "silent lane"])
@pytest.mark.parametrize(
    "state", ["guitar.info.B_SHOWINTCP = 0", "guitar.frozen = true", "guitar.locked = true", COLLAPSED]
)
def test_nothing_is_put_on_a_track_that_is_not_seen_or_is_frozen_or_locked(
    reaper: Reaper, bridge: StandIn, tmp_path: Path, state: str, track: str
) -> None:
    song(reaper, tmp_path / "song")
    reaper.do(state)
    before = names(reaper)
    transform(reaper, bridge, Track=track)
    assert names(reaper) == [*before, NEW]
    assert parent_of_new(reaper) == "free"


@pytest.mark.parametrize("track", ["same", "lane"])
def test_a_locked_item_locks_no_track(reaper: Reaper, bridge: StandIn, tmp_path: Path, track: str) -> None:
    song(reaper, tmp_path / "song")
    reaper.do("riff.info.C_LOCK = 1")
    transform(reaper, bridge, Track=track)
    assert names(reaper) == ["Guitar é"]


def test_a_silent_lane_is_seen_where_lanes_are_collapsed(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    reaper.do("guitar.info.C_LANESCOLLAPSED = 1")
    transform(reaper, bridge, Track="silent lane")
    assert reaper.get("guitar.info.C_LANESCOLLAPSED") == 0


def test_groups_and_locks_of_items_stay_as_they_are(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    reaper.do("""
        other = fake.new_audio_item(fake.new_track(song, 'two'), 10.0, 20.0)
        for _, one in ipairs({riff, other}) do one.info.I_GROUPID, one.info.C_LOCK, one.selected = 7, 1, true end
        fake.cursor_context = 1""")
    sent = transform(reaper, bridge, Track="lane")
    deliver(bridge, sent)
    reaper.seconds(4)
    assert reaper.get("{riff.info.I_GROUPID, other.info.I_GROUPID, riff.info.C_LOCK, other.info.C_LOCK}") == [
        7,
        7,
        1,
        1,
    ]
    placed = "fake.all_items(song)[3]"
    assert reaper.get(f"{{{placed}.info.I_GROUPID, #{placed}.takes}}") == [0, 1], "it moves with nothing else"
    reaper.check()


@pytest.mark.parametrize("when", ["before the press", "before the take is there"])
@pytest.mark.parametrize("track", ["lane", "silent lane"])
def test_a_comp_lane(reaper: Reaper, bridge: StandIn, tmp_path: Path, track: str, when: str) -> None:
    song(reaper, tmp_path / "song")
    if when == "before the press":
        reaper.do("fake.add_comp_lane(guitar)")
    sent = transform(reaper, bridge, Track=track)
    if when == "before the take is there":
        reaper.do("fake.add_comp_lane(guitar)")
    assert lanes(reaper) == [1, 0, 0], "the comp lane goes on playing alone"
    deliver(bridge, sent)
    reaper.seconds(4)
    assert reaper.get(f"{{{ITEM}.info.I_FIXEDLANE, #{ITEM}.takes}}") == [2, 1]
    assert lanes(reaper) == ([1, 0, 0] if track == "silent lane" else [0, 0, 1])
    reaper.check()


def lanes(reaper: Reaper) -> list[int]:
    return [
        int(one)
        for one in reaper.do("""
        local told = {}
        for lane = 0, guitar.info.I_NUMFIXEDLANES - 1 do told[#told + 1] = guitar.info["C_LANEPLAYS:" .. lane] end
        return told""")
    ]


def deliver(bridge: StandIn, sent: dict[str, Any]) -> None:
    bridge.result(sent, bridge.status(sent, "placing")[0])


def press_and_place(reaper: Reaper, bridge: StandIn, **fields: str) -> None:
    sent = transform(reaper, bridge, **fields)
    assert reaper.get("guitar.info.half_set_up") == 0, "no second, empty lane after a save"
    reaper.do("at_press = song.at")
    deliver(bridge, sent)
    reaper.seconds(4)


def test_the_lane_of_the_take_plays_alone(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    press_and_place(reaper, bridge, Track="lane")
    assert reaper.get(f"#{ITEM}.takes") == 1
    assert lanes(reaper) == [0, 1]
    assert reaper.get("song.at - at_press") == 1, "one undo step"
    reaper.do("fake.undo(song) guitar = song.tracks[1]")
    assert lanes(reaper) == [1, 0], "as it played before"


def test_a_silent_lane_changes_nothing_of_what_plays(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    press_and_place(reaper, bridge, Track="silent lane")
    assert reaper.get(f"#{ITEM}.takes") == 1
    assert lanes(reaper) == [1, 0]


@pytest.mark.parametrize(
    ("plays", "silent"), [((0, 1), (0, 1, 0)), ((2, 2), (2, 2, 0)), ((0, 0), (0, 0, 0)), ((1, 0), (1, 0, 0))]
)
@pytest.mark.parametrize("track", ["lane", "silent lane", "same"])
def test_lanes_that_are_there(
    reaper: Reaper, bridge: StandIn, tmp_path: Path, track: str, plays: tuple[int, int], silent: tuple[int, ...]
) -> None:
    song(reaper, tmp_path / "song")
    reaper.do(f"""
        fake.new_audio_item(guitar, 10.0, 20.0).info.I_FIXEDLANE = 1
        fake.set_track(guitar, "I_FREEMODE", 2) fake.set_track(guitar, "I_NUMFIXEDLANES", 2)
        guitar.info["C_LANEPLAYS:0"], guitar.info["C_LANEPLAYS:1"] = {plays[0]}, {plays[1]}""")
    sent = transform(reaper, bridge, Track=track)
    assert tuple(lanes(reaper)) == silent, "a press changes nothing of what plays"
    deliver(bridge, sent)
    reaper.seconds(4)
    assert tuple(lanes(reaper)) == (silent if track == "silent lane" else (0, 0, 1))


def test_another_press_after_it_stays_when_a_render_is_cancelled(
    reaper: Reaper, bridge: StandIn, tmp_path: Path
) -> None:
    song(reaper, tmp_path / "song")
    reaper.do('fake.render = "background" fake.cancel_rendering = true')
    answer(reaper, Prompt="first")
    reaper.press("Transform selection")
    reaper.tick(3)
    answer(reaper, Prompt="second")
    reaper.do("fake.answers[#fake.answers].Length = '8'")
    reaper.press("Generate at cursor or time selection")
    reaper.seconds(6)
    assert len(bridge.requests()) == 1, "the second was sent"
    assert names(reaper) == ["Guitar é", "second"], "what is paid stays, and the first is gone with its track"
    reaper.check()


@pytest.mark.parametrize("shift", [0.5e-6, -0.5e-6, 10e-6])
def test_a_shift_below_half_a_sample_refuses_no_take(
    reaper: Reaper, bridge: StandIn, tmp_path: Path, shift: float
) -> None:
    song(reaper, tmp_path / "song")
    sent = transform(reaper, bridge)
    reaper.do(f"{ITEM}.info.D_POSITION = {ITEM}.info.D_POSITION + {shift!r}")
    deliver(bridge, sent)
    reaper.seconds(4)
    assert reaper.get(f"#{ITEM}.takes") == 1
    reaper.check()
