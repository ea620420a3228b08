"""A take comes: it is put where it belongs, once, over nothing, and confirmed when it was read back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import soundfile

from tests.live.bridge import Bridge, bridge
from tests.live.player import AUDIO, MIDI, Player, placed, player
from tests.support import tone

pytestmark = pytest.mark.needs("node", "nodejs")
KEYS = ("track", "slot", "start_time", "name")


@asynccontextmanager
async def ready(
    folder: Path, *, amxd: Path = AUDIO, track: Any = 0, silent: bool = True, **live: Any
) -> AsyncIterator[tuple[Bridge, Player]]:
    """A device that is connected and has asked for something, so that it has its name and set."""
    async with bridge(folder) as fake, player(folder, silent=silent, **live) as made:
        await made.open(amxd=amxd, home=fake.home.path, track=track)
        await made.connected()
        await made.set(Prompt="rain")
        await made.click("Generate")
        await fake.until("/bridge/generate")
        await made.until_status("Accepted")
        yield fake, made


def take(folder: Path, name: str = "rain-k3v9", *, seconds: float = 4.0, **wav: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return tone(folder / f"{name}.wav", seconds=seconds, **wav)


def result(fake: Bridge, file: Path, **given: Any) -> dict[str, Any]:
    """Announce a take, as the bridge does; return what was said."""
    asked = fake.presses("/bridge/generate")[-1]
    about = soundfile.info(str(file))
    told = {"job": "k3v9", "id": asked["id"], "client": asked["client"], "delivery": 1, "file": str(file)}
    told |= {
        "variation": 1,
        "variations": 1,
        "seed": asked["seed"],
        "name": "rain",
        "rate": about.samplerate,
        "frames": about.frames,
    }
    place = ("project", "project_id", "track", "target", "slot", "position", "beats", "length", "tempo", "token")
    told |= {key: asked[key] for key in place if key in asked} | given
    told = {key: value for key, value in told.items() if value is not None}
    fake.tell(asked["client"], "/bridge/result", **told)
    return told


def where(about: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [tuple(clip[key] for key in KEYS) for clip in placed(about)]


# Session


async def test_a_take_in_the_session(tmp_path: Path) -> None:
    async with ready(tmp_path, warps_new=True, loops_new=True) as (fake, live):
        told = result(fake, take(tmp_path / "a b"), target="session", slot=1, length="2.5")
        assert await fake.until("/bridge/placed") == {"client": told["client"], "job": "k3v9", "delivery": 1}
        (clip,) = placed(await live.live())
        assert (clip["track"], clip["slot"], clip["name"]) == ("Guitar", 1, "rain")
        assert (clip["warping"], clip["looping"]) == (0, 0)  # never what the preferences say
        assert (clip["loop_start"], clip["loop_end"], clip["start_marker"], clip["end_marker"]) == (0, 2.5, 0, 2.5)
        assert clip["color"]
        assert clip["file"] == told["file"]
        assert [entry for entry in (await live.logs())["undo"] if entry["of"] == "live"] == [
            {"of": "live", "changes": 9}
        ]
        await live.until_status("Placed: rain")


async def test_a_filled_slot_is_passed_over_and_variations_follow_each_other(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        await live.live(clip={"file": str(take(tmp_path, "own")), "slot": 1})
        for number in (2, 1, 3):
            file = take(tmp_path, f"rain-{number}")
            result(
                fake,
                file,
                job=f"j{number}",
                variation=number,
                variations=3,
                name=f"rain ({number}/3)",
                target="session",
                slot=0,
            )
        await fake.until("/bridge/placed", count=3)
        about = await live.live()
        assert [clip["slot"] for clip in placed(about)] == [0, 1, 2, 3]
        assert placed(about)[1]["name"] == "own"


async def test_a_scene_is_made_where_no_slot_is_free(tmp_path: Path) -> None:
    async with ready(tmp_path, scenes=2) as (fake, live):
        for slot in (0, 1):
            await live.live(clip={"file": str(take(tmp_path, f"own{slot}")), "slot": slot})
        result(fake, take(tmp_path), target="session", slot=0)
        await fake.until("/bridge/placed")
        about = await live.live()
        assert about["scenes"] == 3
        assert placed(about)[2]["name"] == "rain"


@pytest.mark.parametrize(("launch", "fired"), [("quantized", 1), ("none", 0), (None, 0)])
async def test_a_clip_is_launched_where_that_was_asked(tmp_path: Path, launch: str | None, fired: int) -> None:
    async with ready(tmp_path) as (fake, live):
        result(fake, take(tmp_path), target="session", slot=0, launch=launch)
        await fake.until("/bridge/placed")
        assert placed(await live.live())[0]["fired"] == fired


# Arrangement


@pytest.mark.parametrize("length", ["2.5", "4", None])
@pytest.mark.parametrize("warps", [False, True])
async def test_a_take_in_the_arrangement_stands_at_its_beat_and_is_as_long_as_asked(
    tmp_path: Path, length: str | None, warps: bool
) -> None:
    async with ready(tmp_path, tempo=90, warps_new=warps) as (fake, live):
        result(fake, take(tmp_path), target="arrangement", beats="16.5", length=length)
        await fake.until("/bridge/placed")
        about = await live.live()
        (clip,) = placed(about)
        assert clip["start_time"] == 16.5
        assert clip["length"] == pytest.approx(float(length or 4) * 1.5)
        assert clip["warping"] == 0
        assert about["scenes"] == 4  # the slot that it was made in is empty again
        assert [entry["of"] for entry in (await live.logs())["undo"] if not entry.get("person")] == [
            "parameter",
            "live",
        ]


async def test_seconds_become_beats_where_beats_are_not_told(tmp_path: Path) -> None:
    async with ready(tmp_path, tempo=90) as (fake, live):
        result(fake, take(tmp_path), target="arrangement", beats=None, position="8")
        await fake.until("/bridge/placed")
        assert placed(await live.live())[0]["start_time"] == 12


@pytest.mark.parametrize(("beats", "start"), [("0.00001", 0), ("-0.00001", 0), ("0.3333333333", 0.333333)])
async def test_beats_are_such_as_live_can_read(tmp_path: Path, beats: str, start: float) -> None:
    async with ready(tmp_path) as (fake, live):
        result(fake, take(tmp_path), target="arrangement", beats=beats)
        await fake.until("/bridge/placed")
        assert placed(await live.live())[0]["start_time"] == start


async def test_what_stands_there_stays_and_the_take_goes_to_a_take_lane(tmp_path: Path) -> None:
    async with ready(tmp_path, warps_new=False) as (fake, live):
        await live.live(clip={"file": str(take(tmp_path, "own")), "beats": 10, "warping": 0})
        for number in (1, 2, 3):
            result(
                fake,
                take(tmp_path, f"rain-{number}"),
                job=f"j{number}",
                variation=number,
                target="arrangement",
                beats="8",
                length="3",
            )
            await fake.until("/bridge/placed", count=number)
        about = await live.live()
        assert about["overwritten"] == 0
        found = [
            (clip["lane"], clip["start_time"], clip["length"], clip["file"].rpartition("/")[2])
            for clip in placed(about)
        ]
        assert found == [
            (None, 10, 8, "own.wav"),
            (0, 8, 6, "rain-1.wav"),
            (1, 8, 6, "rain-2.wav"),
            (2, 8, 6, "rain-3.wav"),
        ]


async def test_before_take_lanes_there_were_tracks(tmp_path: Path) -> None:
    async with ready(tmp_path, version=[12, 0, 5], warps_new=False, tracks=[{"name": "Guitar"}, {"name": "Bass"}]) as (
        fake,
        live,
    ):
        await live.live(clip={"file": str(take(tmp_path, "own")), "beats": 8, "warping": 0})
        for number in (1, 2, 3):
            beats = "24" if number == 3 else "8"
            result(
                fake, take(tmp_path, f"rain-{number}"), job=f"j{number}", target="arrangement", beats=beats, length="3"
            )
            await fake.until("/bridge/placed", count=number)
        about = await live.live()
        assert about["overwritten"] == 0
        assert [track["name"] for track in about["tracks"]] == ["Guitar", "Guitar takes", "Guitar takes", "Bass"]
        assert sorted(clip["track"] for clip in placed(about)) == ["Guitar", "Guitar", "Guitar takes", "Guitar takes"]


async def test_a_take_beside_another_one_overwrites_nothing_though_its_file_is_longer(tmp_path: Path) -> None:
    async with ready(tmp_path, warps_new=False) as (fake, live):
        await live.live(clip={"file": str(take(tmp_path, "own")), "beats": 4, "warping": 0})
        result(fake, take(tmp_path, seconds=6), target="arrangement", beats="0", length="2")
        await fake.until("/bridge/placed")
        about = await live.live()
        assert about["overwritten"] == 0
        assert [(clip["start_time"], clip["length"], clip["lane"]) for clip in placed(about)] == [
            (0, 4, None),
            (4, 8, None),
        ]


async def test_full_slots_are_no_hindrance_for_the_arrangement(tmp_path: Path) -> None:
    async with ready(tmp_path, scenes=1) as (fake, live):
        await live.live(clip={"file": str(take(tmp_path, "own")), "slot": 0})
        result(fake, take(tmp_path), target="arrangement", beats="4")
        await fake.until("/bridge/placed")
        about = await live.live()
        assert about["scenes"] == 1
        assert where(about) == [("Guitar", 0, None, "own"), ("Guitar", None, 4, "rain")]


# Warp and length


async def test_a_warped_take_is_pinned_at_both_ends(tmp_path: Path) -> None:
    async with ready(tmp_path, tempo=90, guessed_tempo=133) as (fake, live):
        result(
            fake, take(tmp_path, seconds=4), target="session", slot=0, length="4", token='{"w":1,"t":0,"n":"Guitar"}'
        )
        await fake.until("/bridge/placed")
        (clip,) = placed(await live.live())
        assert (clip["warping"], clip["looping"], clip["warp_mode"]) == (1, 1, 4)
        assert {"beat_time": 0, "sample_time": 0} in clip["markers"]
        assert {"beat_time": 6, "sample_time": 4} in clip["markers"]
        assert (clip["loop_start"], clip["loop_end"]) == (0, 6)


async def test_where_live_takes_no_markers_the_clip_is_left_unwarped_and_that_is_said(tmp_path: Path) -> None:
    async with ready(tmp_path, refuses_markers=True, silent=False) as (fake, live):
        result(fake, take(tmp_path), target="session", slot=0, length="4", token='{"w":1,"t":0,"n":"Guitar"}')
        await fake.until("/bridge/placed")
        (clip,) = placed(await live.live())
        assert (clip["warping"], clip["loop_end"]) == (0, 4)
        await live.until_status("not warped")


async def test_a_short_take_is_not_stretched_and_says_so(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        result(fake, take(tmp_path, seconds=2), target="arrangement", beats="0", length="4")
        await fake.until("/bridge/placed")
        assert placed(await live.live())[0]["length"] == 4  # beats: 2 s
        await live.until_status("the take is shorter than was asked")


# Paths


@pytest.mark.parametrize("splits", [False, True])
@pytest.mark.parametrize("target", ["session", "arrangement"])
async def test_spaces_in_a_path_whatever_live_makes_of_them(tmp_path: Path, splits: bool, target: str) -> None:
    async with ready(tmp_path, splits_spaces=splits, silent=not splits) as (fake, live):
        result(fake, take(tmp_path / "Big Song Project" / "Samples"), target=target, slot=0, beats="0")
        await fake.until("/bridge/placed")
        assert len(placed(await live.live())) == 1


async def test_accents_in_a_path(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        result(fake, take(tmp_path / "Über älter"), target="session", slot=0)
        await fake.until("/bridge/placed")
        assert len(placed(await live.live())) == 1


# Once


async def test_announced_five_times_placed_once_confirmed_five_times(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        file = take(tmp_path)
        for _ in range(5):
            result(fake, file, target="session", slot=0)
        await fake.until("/bridge/placed", count=5)
        assert len(placed(await live.live())) == 1


async def test_a_take_that_was_thrown_away_since_is_not_placed_again(tmp_path: Path) -> None:
    """The confirmation was lost, and meanwhile its track was deleted: that was meant."""
    async with ready(tmp_path) as (fake, live):
        file = take(tmp_path)
        told = result(fake, file, target="session", slot=0)
        await fake.until("/bridge/placed")
        await live.do("live", remove_track=0)
        assert placed(await live.live()) == []
        fake.tell(told["client"], "/bridge/result", **told)
        await fake.until("/bridge/placed", count=2)
        assert placed(await live.live()) == []


async def test_asked_for_once_more_it_is_placed_once_more(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        file = take(tmp_path)
        for delivery in (1, 2, 2):
            result(fake, file, delivery=delivery, target="session", slot=0)
        assert (await fake.until("/bridge/placed", count=3))["delivery"] == 2
        assert len(placed(await live.live())) == 2


@pytest.mark.fault(27)
async def test_a_take_that_stands_in_a_reopened_set_is_only_confirmed(tmp_path: Path) -> None:
    """It was placed and saved, and the confirmation was lost with Live."""
    async with ready(tmp_path) as (fake, live):
        file = take(tmp_path)
        told = result(fake, file, target="arrangement", beats="4")
        await fake.until("/bridge/placed")
        saved = await live.do("save")
        await live.do("close")
        await live.do("renumber")
        await live.open(saved=saved)
        await live.connected()
        fake.tell(told["client"], "/bridge/result", **told)
        await fake.until("/bridge/placed", count=2)
        assert len(placed(await live.live())) == 1
        await live.until_status("Placed before")
        fake.tell(told["client"], "/bridge/result", **told | {"delivery": 2})
        await fake.until("/bridge/placed", count=3)
        assert len(placed(await live.live())) == 2


# Whose set


async def test_a_take_that_came_while_the_set_was_closed_is_placed_when_it_is_open_again(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        saved = await live.do("save")
        await live.do("close")
        await live.do("renumber")
        await live.open(saved=saved)
        await live.connected()
        result(fake, take(tmp_path), target="arrangement", beats="8")
        await fake.until("/bridge/placed")
        assert placed(await live.live())[0]["start_time"] == 8


async def test_another_set_takes_nothing(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        result(fake, take(tmp_path), project_id="set-00000000-0000-4000-8000-000000000000")
        await live.until_status("A take waits for another set")
        result(fake, take(tmp_path, "other"), client="live-00000000", job="j2")
        result(fake, take(tmp_path, "mine"), job="j3", target="session", slot=0)
        await fake.until("/bridge/placed")
        assert [one["job"] for one in fake.all("/bridge/placed")] == ["j3"]
        assert len(placed(await live.live())) == 1


@pytest.mark.parametrize("original_there", [True, False])
async def test_a_copy_of_a_set_is_another_set_and_a_renamed_one_is_the_same(
    tmp_path: Path, original_there: bool
) -> None:
    original = tmp_path / "Song.als"
    original.write_bytes(b"")
    async with ready(tmp_path, file=str(original)) as (fake, live):
        saved = await live.do("save")
        await live.do("close")
        if not original_there:
            original.unlink()  # renamed, not copied
        await live.live(file=str(tmp_path / "Song copy.als"))
        await live.open(saved=saved)
        await live.connected()
        if original_there:
            assert len(fake.ports) == 2
        else:
            result(fake, take(tmp_path), target="session", slot=0)
            await fake.until("/bridge/placed")
        assert fake.all("/bridge/unplaced") == []  # it goes on waiting


async def test_a_take_waits_while_a_set_is_saved_beside_the_one_that_asked(tmp_path: Path) -> None:
    original = tmp_path / "Song.als"
    original.write_bytes(b"")
    async with ready(tmp_path, file=str(original)) as (fake, live):
        result(fake, take(tmp_path), id="other", project=str(original), target="session", slot=0)
        await fake.until("/bridge/placed")
        await live.live(file=str(tmp_path / "Song copy.als"))
        result(fake, take(tmp_path, "b"), id="other", job="j2", project=str(original), target="session", slot=0)
        await live.until_status("A take waits for the set Song.als")
        assert fake.all("/bridge/unplaced") == []


@pytest.mark.parametrize("file", ["", "/Users/ana/Other.als"], ids=["unsaved", "saved"])
async def test_a_set_made_from_a_template_is_somebody_of_its_own(tmp_path: Path, file: str) -> None:
    template = tmp_path / "Template.als"
    template.write_bytes(b"")
    async with ready(tmp_path, file=str(template)) as (fake, live):
        saved = await live.do("save")
        old = fake.presses("/bridge/generate")[-1]
        await live.do("close")
        await live.live(file=file)
        await live.open("new", saved=saved)
        await live.connected("new")
        await live.click("Generate", "new")
        made = await fake.until("/bridge/generate", count=2)
        assert made["client"] != old["client"]
        assert made["project_id"] != old["project_id"]


async def test_a_preset_of_a_device_elsewhere_changes_nobody(tmp_path: Path) -> None:
    """Live writes its identity over the one of this device: takes of this device go on landing."""
    async with ready(tmp_path, file="/Users/ana/Song.als") as (fake, live):
        asked = fake.presses("/bridge/generate")[-1]
        other = ["live-0a0b0c0d", "set-00000000-0000-4000-8000-000000000000", "-", "0%20Keys"]
        await live.do("preset", values={"Identity": other})
        before = len(fake.all("/bridge/hello"))
        assert (await fake.until("/bridge/hello", count=before + 1))["client"] == asked["client"]
        result(fake, take(tmp_path), target="session", slot=0)
        await fake.until("/bridge/placed")
        await live.set(Prompt="other")
        await live.click("Generate")
        again = await fake.until("/bridge/generate", count=2)
        assert (again["client"], again["project_id"]) == (asked["client"], asked["project_id"])
        assert (await live.do("save"))["Identity"][0] == asked["client"]  # written again


async def test_what_is_not_for_this_device_is_said_with_a_reason(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        asked = fake.presses("/bridge/generate")[-1]
        fake.ports["live-00000000"] = fake.ports[asked["client"]]
        told = result(fake, take(tmp_path), client="live-00000000", job="j2")
        said = await fake.until("/bridge/unplaced")
        assert (said["job"], said["delivery"], said["code"]) == ("j2", told["delivery"], "OTHER-DEVICE")
        assert "live-00000000" in said["message"]
        fake.tell("live-00000000", "/bridge/result", **told | {"client": asked["client"], "job": "j3", "file": ""})
        assert (await fake.until("/bridge/unplaced", count=2))["code"] == "NO-FILE"
        assert placed(await live.live()) == []


async def test_two_copies_in_a_reopened_set_are_told_apart_by_their_tracks(tmp_path: Path) -> None:
    """The copy was never used, so it has the identity of the other one; whichever Live loads first."""
    async with ready(tmp_path, tracks=[{"name": "Guitar"}, {"name": "Guitar"}]) as (fake, live):
        asked = fake.presses("/bridge/generate")[-1]
        saved = await live.do("save")
        await live.do("close")
        await live.open("copy", saved=saved, track=1)
        await live.open("first", saved=saved, track=0)
        await live.connected("copy")
        await live.connected("first")
        await live.click("Generate", "first")
        assert (await fake.until("/bridge/generate", count=2))["client"] == asked["client"]
        assert len(fake.ports) == 2


async def test_a_set_that_was_saved_under_another_name_while_it_waited_takes_its_take(tmp_path: Path) -> None:
    original = tmp_path / "Song.als"
    original.write_bytes(b"")
    async with ready(tmp_path, file=str(original)) as (fake, live):
        await live.live(file=str(tmp_path / "Song 2.als"))
        result(fake, take(tmp_path), target="session", slot=0)
        await fake.until("/bridge/placed")


# Tracks


async def test_the_track_is_found_where_it_went(tmp_path: Path) -> None:
    async with ready(tmp_path, tracks=[{"name": "Guitar"}, {"name": "Bass"}, {"name": "Keys"}]) as (fake, live):
        await live.live(move_track=[0, 2])
        result(fake, take(tmp_path), target="session", slot=0)
        await fake.until("/bridge/placed")
        assert where(await live.live()) == [("Guitar", 0, None, "rain")]


async def test_in_a_reopened_set_the_track_is_found_by_its_name(tmp_path: Path) -> None:
    """The device was moved to another track; so it is known by the set alone."""
    tracks = [{"name": "Guitar"}, {"name": "Bass"}]
    async with ready(tmp_path, file="/Users/ana/Song.als", tracks=tracks) as (fake, live):
        saved = await live.do("save")
        await live.do("close")
        await live.do("renumber")
        await live.live(move_track=[0, 1])
        await live.open(saved=saved, track=0)
        await live.connected()
        result(fake, take(tmp_path), target="session", slot=0)
        await fake.until("/bridge/placed")
        assert where(await live.live()) == [("Guitar", 0, None, "rain")]


@pytest.mark.parametrize("target", ["session", "arrangement"])
async def test_from_a_midi_track_takes_go_to_an_audio_track_of_their_own(tmp_path: Path, target: str) -> None:
    tracks = [{"name": "Keys", "audio": False}, {"name": "Vocals"}]
    async with ready(tmp_path, amxd=MIDI, tracks=tracks) as (fake, live):
        for number in (1, 2):
            result(
                fake, take(tmp_path, f"rain-{number}"), job=f"j{number}", target=target, slot=0, beats=str(number * 16)
            )
            await fake.until("/bridge/placed", count=number)
        about = await live.live()
        assert [track["name"] for track in about["tracks"]] == ["Keys", "Keys takes", "Vocals"]
        assert {clip["track"] for clip in placed(about)} == {"Keys takes"}
        assert len(placed(about)) == 2


async def test_on_the_main_track_takes_go_to_an_audio_track(tmp_path: Path) -> None:
    async with ready(tmp_path, track="master") as (fake, live):
        result(fake, take(tmp_path), target="session", slot=0)
        await fake.until("/bridge/placed")
        assert [track["name"] for track in (await live.live())["tracks"]] == ["Guitar", "Main takes"]


async def test_a_frozen_track_is_left_alone(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        await live.live(frozen=0)
        result(fake, take(tmp_path), target="session", slot=0)
        await fake.until("/bridge/placed")
        assert where(await live.live()) == [("Guitar takes", 0, None, "rain")]


# What cannot be


@pytest.mark.parametrize("version", [[11, 3, 24], [12, 0, 0], [12, 0, 4], [10, 1, 43]])
async def test_an_old_live_says_so_and_shows_the_file(tmp_path: Path, version: list[int]) -> None:
    async with ready(tmp_path, version=version) as (fake, live):
        file = take(tmp_path / "a b")
        result(fake, file)
        told = await fake.until("/bridge/unplaced")
        assert told["code"] == "LIVE-TOO-OLD"
        assert "11.3.25" in told["message"]
        assert placed(await live.live()) == []
        await live.click("Show File")
        assert (await live.logs())["named"] == [
            ["max", "launchbrowser", f"file://{str(file.parent).replace(' ', '%20')}"]
        ]


@pytest.mark.parametrize(
    "version", [[11, 3, 25], [11, 3, 43], [12, 0, 5], [12, 1, 10], [12, 2, 0], [12, 4, 5], [13, 0, 0]]
)
@pytest.mark.parametrize("target", ["session", "arrangement"])
async def test_every_live_that_can_place_does(tmp_path: Path, version: list[int], target: str) -> None:
    async with ready(tmp_path, version=version) as (fake, live):
        result(fake, take(tmp_path), target=target, slot=0, beats="4")
        await fake.until("/bridge/placed")
        assert len(placed(await live.live())) == 1


@pytest.mark.parametrize("target", ["session", "arrangement"])
async def test_a_file_that_live_refuses_is_reported_and_leaves_nothing_behind(tmp_path: Path, target: str) -> None:
    """Its errors are printed and not thrown: only reading back tells."""
    async with ready(tmp_path, silent=False) as (fake, live):
        file = take(tmp_path, subtype="PCM_32")  # 32-bit integers
        before = await live.live()
        result(fake, file, target=target, slot=0, beats="4")
        told = await fake.until("/bridge/unplaced")
        assert told["code"] == "NOT-PLACED"
        assert told["job"] == "k3v9"
        await live.until_status("Not placed: Live made no clip of the file")
        after = await live.live()
        assert after["tracks"] == before["tracks"]
        assert after["scenes"] == before["scenes"]


async def test_a_track_that_is_recorded_into_gets_nothing(tmp_path: Path) -> None:
    async with ready(tmp_path, silent=False, version=[12, 1, 0]) as (fake, live):
        await live.live(recording=0)
        result(fake, take(tmp_path), target="arrangement", beats="4")
        assert (await fake.until("/bridge/unplaced"))["code"] == "NOT-PLACED"
        about = await live.live()
        assert placed(about) == []
        assert len(about["tracks"]) == 1


async def test_a_beat_outside_of_the_arrangement_is_refused_by_the_device(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, _live):
        result(fake, take(tmp_path), target="arrangement", beats="1576801")
        assert (await fake.until("/bridge/unplaced"))["code"] == "NO-PLACE"


async def test_what_was_not_placed_is_answered_the_same_each_time(tmp_path: Path) -> None:
    async with ready(tmp_path, silent=False) as (fake, live):
        file = take(tmp_path, subtype="PCM_32")
        for _ in range(3):
            result(fake, file, target="session", slot=0)
        await fake.until("/bridge/unplaced", count=3)
        undo = [entry for entry in (await live.logs())["undo"] if entry["of"] == "live"]
        assert undo == []


async def test_a_take_of_a_pad_without_a_place_follows_the_panel(tmp_path: Path) -> None:
    """A binding of the bridge itself asks for this client: no set, no token."""
    async with ready(tmp_path, position=6) as (fake, live):
        bare = dict.fromkeys(
            ("project", "project_id", "target", "slot", "position", "beats", "length", "tempo", "token", "track")
        )
        result(fake, take(tmp_path, "one"), job="j1", id="x", **bare)
        await fake.until("/bridge/placed")
        await live.set(Place_In=1)
        result(fake, take(tmp_path, "two"), job="j2", id="y", **bare)
        await fake.until("/bridge/placed", count=2)
        assert where(await live.live()) == [("Guitar", 0, None, "rain"), ("Guitar", None, 6, "rain")]


async def test_junk_from_the_network_does_no_harm(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        client = next(iter(fake.ports))
        for address, pairs in (
            ("/bridge/result", {}),
            ("/bridge/result", {"job": "x"}),
            ("/bridge/nothing", {"a": 1}),
            ("/bridge/progress", {"job": 3, "state": "what", "fraction": "x"}),
            ("/bridge/do", {"action": "format"}),
            ("/bridge/welcome", {"price_usd": "much"}),
            ("/bridge-device/probe", {"word": "x"}),
        ):
            fake.tell(client, address, **pairs)
        result(fake, take(tmp_path), target="session", slot=0, token="not json")
        await fake.until("/bridge/placed")
        await asyncio.sleep(0)
        assert len(placed(await live.live())) == 1


@pytest.mark.parametrize("version", [[12, 0, 5], [12, 2, 0]])
async def test_forty_takes_anywhere_overwrite_nothing(tmp_path: Path, version: list[int]) -> None:
    import random

    dice = random.Random(7)
    async with ready(tmp_path, version=version, tempo=97) as (fake, live):
        wanted = []
        for number in range(40):
            beats, length = dice.choice([0, 4, 5.5, 8, 16, 17.25]), dice.choice([0.5, 1.5, 2, 4])
            file = take(tmp_path, f"take-{number}", seconds=dice.choice([2, 4]), rate=8000, channels=1)
            result(fake, file, job=f"j{number}", target="arrangement", beats=str(beats), length=str(length))
            wanted.append((f"take-{number}.wav", beats))
            await fake.until("/bridge/placed", count=number + 1)
        about = await live.live()
        assert about["overwritten"] == 0
        found = [(clip["file"].rpartition("/")[2], clip["start_time"]) for clip in placed(about)]
        assert sorted(found) == sorted(wanted)


@pytest.mark.parametrize(("beside", "code"), [(None, None), (6, "NOT-PLACED")])
async def test_where_no_more_scenes_can_be_made(tmp_path: Path, beside: int | None, code: str | None) -> None:
    """Live Lite: the clip is made in the arrangement itself where its whole file has room, else nowhere."""
    live_lite = {"scenes": 1, "most_scenes": 1, "version": [12, 1, 0], "warps_new": False}
    async with ready(tmp_path, silent=False, **live_lite) as (fake, live):
        await live.live(clip={"file": str(take(tmp_path, "own")), "slot": 0})
        if beside is not None:
            await live.live(clip={"file": str(take(tmp_path, "own")), "beats": beside, "warping": 0})
        result(fake, take(tmp_path), target="arrangement", beats="2", length="2")
        if code is None:
            await fake.until("/bridge/placed")
            assert [(clip["start_time"], clip["length"]) for clip in placed(await live.live())][1:] == [(2, 4)]
        else:
            assert (await fake.until("/bridge/unplaced"))["code"] == code
        assert (await live.live())["overwritten"] == 0
