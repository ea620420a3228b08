"""What a transform starts from: the selected clip, the loop of the arrangement, or what the device has recorded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import soundfile

from bridge_daemon.audio.region import probe
from bridge_daemon.audio.wav import read_bext
from tests.live.bridge import Bridge, bridge
from tests.live.player import MIDI, Player, player
from tests.support import tone

pytestmark = pytest.mark.needs("node", "nodejs")
#: Two speeds: 1 s a beat up to beat 4, then 0.25 s a beat.
BENT = [{"beat_time": 0, "sample_time": 0}, {"beat_time": 4, "sample_time": 4}, {"beat_time": 12, "sample_time": 6}]


@asynccontextmanager
async def ready(
    folder: Path, *, device: dict[str, Any] | None = None, **live: Any
) -> AsyncIterator[tuple[Bridge, Player]]:
    async with bridge(folder) as fake, player(folder, **live) as made:
        await made.open(home=fake.home.path, **(device or {}))
        await made.connected()
        await made.set(Prompt="strings")
        yield fake, made


def region(asked: dict[str, Any]) -> tuple[float, float]:
    return float(asked["start"]), float(asked["end"])


# The selected clip


@pytest.mark.parametrize(
    ("clip", "start", "end", "length"),
    [
        ({"warping": 0, "edges": [1.25, 5]}, 1.25, 5, 3.75),
        ({"warping": 1, "edges": [2, 8], "markers": BENT}, 2, 5, 3),
        ({"warping": 1, "edges": [4, 8], "markers": BENT, "looping": 1}, 4, 5, 2),
        ({"warping": 1, "edges": [8, 20], "markers": BENT}, 5, 8, 6),
        ({"warping": 1, "edges": [-2, 4], "markers": BENT}, 0, 4, 3),
        ({"warping": 0, "edges": [6, 11]}, 6, 8, 2),
    ],
    ids=["unwarped", "over a marker", "its loop", "beyond the last marker", "before the file", "past its end"],
)
@pytest.mark.parametrize("where", [{"slot": 1}, {"beats": 16}])
async def test_what_plays_of_the_selected_clip(
    tmp_path: Path, clip: dict[str, Any], start: float, end: float, length: float, where: dict[str, Any]
) -> None:
    async with ready(tmp_path, tempo=120) as (fake, live):
        file = tone(tmp_path / "a b.wav", seconds=8)
        await live.live(clip={"file": str(file), "select": True} | clip | where)
        await live.set(Place_In=0 if "slot" in where else 1, Strength=0.75)
        await live.click("Transform Clip")
        asked = await fake.until("/bridge/transform")
        assert asked["file"] == str(file)
        assert region(asked) == (pytest.approx(start), pytest.approx(end))
        assert float(asked["length"]) == pytest.approx(length)  # as long as it plays in the set
        assert asked["strength"] == "0.75"
        assert asked["target"] == ("session" if "slot" in where else "arrangement")
        assert asked["slot"] == 1 if "slot" in where else asked["beats"] == "16"


async def test_a_transform_goes_to_the_track_of_its_clip(tmp_path: Path) -> None:
    async with ready(tmp_path, tracks=[{"name": "Keys"}, {"name": "Vocals"}]) as (fake, live):
        await live.live(clip={"track": 1, "file": str(tone(tmp_path / "v.wav")), "slot": 2, "select": True})
        await live.click("Transform Clip")
        assert (await fake.until("/bridge/transform"))["track"] == "Vocals"


async def test_without_a_selected_clip_nothing_is_asked(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        await live.click("Transform Clip")
        await live.until_status("No clip is selected")
        assert fake.presses("/bridge/transform") == []


async def test_a_take_as_long_as_the_selected_clip(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        file = str(tone(tmp_path / "v.wav"))
        await live.live(clip={"file": file, "beats": 24, "warping": 0, "edges": [0, 3], "select": True})
        await live.set(Length_From=2, Place_In=1)
        await live.click("Generate")
        asked = await fake.until("/bridge/generate")
        assert (asked["beats"], asked["length"]) == ("24", "3")


# The loop of the arrangement


@pytest.mark.parametrize(
    ("clips", "loop", "start", "end", "beats"),
    [
        ([{"beats": 8, "warping": 0, "edges": [1, 7]}], [10, 4], 2, 4, "10"),
        ([{"beats": 12, "warping": 0, "edges": [1, 7]}], [8, 8], 1, 3, "12"),
        ([{"beats": 8, "warping": 1, "edges": [0, 12], "markers": BENT}], [10, 4], 2, 4.5, "10"),
        (
            [{"beats": 0, "warping": 0, "edges": [0, 1]}, {"beats": 4, "warping": 0, "edges": [0, 5]}],
            [0, 16],
            0,
            5,
            "4",
        ),
    ],
    ids=["inside", "a clip that begins in it", "warped", "the longer one"],
)
async def test_the_loop_of_the_arrangement_on_this_track(
    tmp_path: Path, clips: list[dict[str, Any]], loop: list[float], start: float, end: float, beats: str
) -> None:
    async with ready(tmp_path, loop=loop) as (fake, live):
        file = str(tone(tmp_path / "v.wav", seconds=8))
        for clip in clips:
            await live.live(clip={"file": file} | clip)
        await live.set(Transform_Source=1, Place_In=1)
        await live.click("Transform Clip")
        asked = await fake.until("/bridge/transform")
        assert region(asked) == (pytest.approx(start), pytest.approx(end))
        assert asked["beats"] == beats


async def test_an_empty_loop_asks_nothing(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        await live.set(Transform_Source=1)
        await live.click("Transform Clip")
        await live.until_status("No clip of this track lies in the loop")
        assert fake.presses("/bridge/transform") == []


# Capture


async def captured(fake: Bridge, live: Player) -> tuple[dict[str, Any], dict[str, Any]]:
    """Wait for the request of a capture; return it and what the recorder did."""
    asked = await fake.until("/bridge/transform", seconds=30)
    return asked, (await live.logs())["recorded"][-1]


def samples_off(asked: dict[str, Any], recorded: dict[str, Any], at: str = "start", *, loop: float = 0) -> float:
    """How far an end of the region of a capture lies from the sample in which its beat was heard."""
    heard = recorded["since"] + float(asked[at]) * 1000  # ms
    since, beats, speed = [part for part in recorded["past"] if part[0] <= heard + 1][-1]
    bars = 0 if at == "start" else float(asked["length"]) * float(asked["tempo"]) / 60
    beat = beats + (heard - since) * speed
    off = beat - float(asked["beats"]) - bars
    off -= loop * round(off / loop) if loop else 0  # it may have gone around
    return float(abs(off) / speed / 1000 * recorded["rate"])


async def test_the_next_bars_are_captured_from_a_bar_line(tmp_path: Path) -> None:
    async with ready(tmp_path, tempo=240, signature=[3, 4]) as (fake, live):
        await live.live(play=1.2)
        await live.set(Length_Bars=2)
        await live.click("Capture")
        await live.until_status("Recording")
        asked, recorded = await captured(fake, live)
        start = float(asked["beats"])
        assert start % 3 == 0
        assert start > 1.2
        assert samples_off(asked, recorded) <= 1
        assert float(asked["end"]) - float(asked["start"]) == pytest.approx(1.5)
        assert float(asked["length"]) == pytest.approx(1.5)
        file = Path(asked["file"])
        assert file.parent == fake.home.path / "sources"
        assert soundfile.info(str(file)).duration >= float(asked["end"])
        assert recorded["delay"] < 0.002


@pytest.mark.parametrize("which", [0, 1], ids=["next", "last"])
async def test_bars_behind_a_change_of_the_time_signature_are_captured(tmp_path: Path, which: int) -> None:
    async with ready(tmp_path, tempo=240, signature=[3, 4], later_signatures=[[6, 4, 4]]) as (fake, live):
        await live.set(Length_Bars=1, Capture_Which=which)
        await live.live(play=6)
        while (await live.live())["song_time"] < (11 if which else 6.5):
            await asyncio.sleep(0.02)
        await live.click("Capture")
        asked, recorded = await captured(fake, live)
        assert (float(asked["beats"]) - 6) % 4 == 0
        assert samples_off(asked, recorded) <= 1


@pytest.mark.parametrize("which", [0, 1], ids=["next", "last"])
async def test_a_capture_says_where_it_stands_in_its_file_too(tmp_path: Path, which: int) -> None:
    """The time stamp is that of its first sample; the bridge leaves the beat beside the sound out."""
    async with ready(tmp_path, tempo=240, signature=[6, 8], position=30) as (fake, live):
        await live.live(play=30)
        await live.set(Length_Bars=1, Capture_Which=which)
        while (await live.live())["song_time"] < 34:
            await asyncio.sleep(0.02)
        await live.click("Capture")
        asked, recorded = await captured(fake, live)
        assert samples_off(asked, recorded) <= 1
        assert samples_off(asked, recorded, "end") <= 1
        stamp, about = read_bext(Path(asked["file"])), probe(Path(asked["file"]))
        assert stamp is not None
        first = stamp.time_reference + float(asked["start"]) * recorded["rate"]
        assert first == pytest.approx(float(asked["position"]) * recorded["rate"], abs=0.6)
        assert (stamp.originator, about.channels, about.time_reference) == ("daw-bridge", 2, stamp.time_reference)


async def test_a_tempo_that_changes_before_the_bars_moves_nothing(tmp_path: Path) -> None:
    async with ready(tmp_path, tempo=240) as (fake, live):
        await live.live(play=0)
        await live.set(Length_Bars=2)
        await live.click("Capture")
        await live.until_status("Recording")
        await live.live(tempo=220)
        asked, recorded = await captured(fake, live)
        assert samples_off(asked, recorded) <= 1
        assert float(asked["end"]) - float(asked["start"]) == pytest.approx(8 * 60 / 220, abs=1e-4)


async def test_without_a_beat_a_capture_says_that_it_may_be_off(tmp_path: Path) -> None:
    async with ready(tmp_path, tempo=480, device={"given": {"no_clock": True}}) as (fake, live):
        await live.live(play=0)
        await live.set(Length_Bars=1)
        await live.click("Capture")
        await live.until_status("The capture may begin some milliseconds off")
        asked, recorded = await captured(fake, live)
        assert samples_off(asked, recorded) < 0.1 * recorded["rate"]


async def test_a_capture_that_cannot_be_stamped_is_not_sent(tmp_path: Path) -> None:
    """Its beat would be taken for sound."""
    async with ready(tmp_path, tempo=480, device={"given": {"files": {"readonly": True}}}) as (fake, live):
        await live.live(play=0)
        await live.set(Length_Bars=1)
        await live.click("Capture")
        await live.until_status("its file cannot be written to")
        assert fake.presses("/bridge/transform") == []


async def test_a_capture_waits_for_the_set_to_play(tmp_path: Path) -> None:
    async with ready(tmp_path, tempo=240, position=4) as (fake, live):
        await live.set(Length_Bars=1)
        await live.click("Capture")
        await live.until_status("Press play")
        assert fake.presses("/bridge/transform") == []
        await live.live(play=4)
        asked, _ = await captured(fake, live)
        assert asked["beats"] == "8"


async def test_the_last_bars_are_captured_from_what_was_heard(tmp_path: Path) -> None:
    async with ready(tmp_path, tempo=240, position=8) as (fake, live):
        await live.set(Length_Bars=1, Capture_Which=1)
        await live.live(play=8)
        while (await live.live())["song_time"] < 13.5:
            await asyncio.sleep(0.02)
        await live.click("Capture")
        asked, recorded = await captured(fake, live)
        assert float(asked["beats"]) % 4 == 0
        assert 8 <= float(asked["beats"]) <= 12
        assert recorded["delay"] > 1
        assert samples_off(asked, recorded) <= 1


async def test_bars_that_were_not_played_cannot_be_captured(tmp_path: Path) -> None:
    async with ready(tmp_path, tempo=240) as (_fake, live):
        await live.set(Length_Bars=16, Capture_Which=1)
        await live.click("Capture")
        await live.until_status("So many bars were not played yet. Nothing was recorded or spent")
        await live.live(play=8)
        while (await live.live())["song_time"] < 10:
            await asyncio.sleep(0.02)
        await live.click("Capture")
        await live.until_status("not played yet")
        assert (await live.logs())["recorded"] == []


async def test_a_capture_is_given_up_by_cancel(tmp_path: Path) -> None:
    async with ready(tmp_path, tempo=60) as (fake, live):
        await live.live(play=0.5)
        await live.click("Capture")
        await live.until_status("Recording")
        await live.click("Capture")
        await live.until_status("A capture is going on already")
        await live.click("Cancel")
        await live.until_status("The capture was given up. Nothing was spent")
        assert fake.presses("/bridge/transform") == []


async def test_a_capture_without_sound_is_noticed(tmp_path: Path) -> None:
    async with ready(tmp_path, tempo=480, device={"given": {"audio_off": True}}) as (fake, live):
        await live.set(Length_Bars=1)
        await live.live(play=0)
        await live.click("Capture")
        await live.until_status("Nothing was recorded: is Live's audio on?")
        assert fake.presses("/bridge/transform") == []


async def test_a_capture_beside_no_bridge_records_nothing(tmp_path: Path) -> None:
    async with player(tmp_path) as live:
        await live.open()
        await live.set(Prompt="x")
        await live.click("Capture")
        await live.until_status("Nothing was recorded or spent")
        assert (await live.logs())["recorded"] == []


async def test_a_pad_asks_a_device_to_capture(tmp_path: Path) -> None:
    async with ready(tmp_path, tempo=480) as (fake, live):
        await live.live(play=0)
        pad = {"action": "capture", "id": "0d4cbb52-3f6c-4f0e-9c60-1b6d1a8d7e12", "bars": 2, "launch": "quantized"}
        fake.tell(next(iter(fake.ports)), "/bridge/do", **pad)
        asked, _ = await captured(fake, live)
        assert asked["id"] == pad["id"]
        assert asked["launch"] == "quantized"
        assert float(asked["length"]) == pytest.approx(1)


async def test_a_midi_device_says_that_it_hears_nothing(tmp_path: Path) -> None:
    device = {"amxd": MIDI}
    async with ready(tmp_path, device=device, tracks=[{"name": "Keys", "audio": False}]) as (fake, live):
        fake.tell(next(iter(fake.ports)), "/bridge/do", action="capture", bars=1)
        await live.until_status("This device hears no audio")
