"""A take that was measured stands on the beat, as loud as asked; what is not sure is left alone; one step undoes it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.live.bridge import Bridge
from tests.live.player import Player, placed
from tests.live.test_placing import ready, result, take

pytestmark = pytest.mark.needs("node", "nodejs")
OWN, FIRST = 121.5, 0.31  # BPM of the take, and s in it of its first beat
GRID = {"tempo": f"{OWN}", "tempo_error": "0.01", "first_beat": f"{FIRST}", "first_sound": "0.3", "confidence": "1.6"}
SOUND = {"loudness": "-11.5", "true_peak": "-3.2"}
DOUBT = GRID | {"confidence": "0.4", "why_not": "no clear pulse"}
BARS = {"length": "8", "tempo": "120"}  # four bars of 4/4


def grid(values: dict[str, str]) -> dict[str, str]:
    return {f"grid.{key}": value for key, value in values.items()}


def token(fit: str, warp: int = 0) -> dict[str, str]:
    return {"token": f'{{"w":{warp},"f":"{fit}","t":0,"n":"Guitar"}}'}


def beats_of(clip: dict[str, Any]) -> list[float]:
    """Where in the set each beat of the take is heard, from the place of the clip on."""
    pins = clip["markers"]

    def at(second: float) -> float:
        i = 1
        while i < len(pins) - 1 and pins[i]["sample_time"] < second:
            i += 1
        a, b = pins[i - 1], pins[i]
        share = (second - a["sample_time"]) / (b["sample_time"] - a["sample_time"])
        return float(a["beat_time"] + share * (b["beat_time"] - a["beat_time"]))

    count = round(clip["loop_end"] - clip["loop_start"])
    return [at(FIRST + beat * 60 / OWN) - clip["loop_start"] for beat in range(count)]


def on_the_beat(clip: dict[str, Any], tempo: float = 120) -> bool:
    """Whether each beat is heard within a millisecond of its time."""
    assert clip["warping"] == 1
    return all(abs(heard - beat) * 60 / tempo < 0.001 for beat, heard in enumerate(beats_of(clip)))


async def one(live: Player) -> dict[str, Any]:
    (clip,) = placed(await live.live())
    return clip


async def steps(live: Player) -> int:
    return len([entry for entry in (await live.logs())["undo"] if entry["of"] == "live"])


@pytest.mark.parametrize("tempo", [120, 90])
async def test_a_loop_of_the_session(tmp_path: Path, tempo: float) -> None:
    """Also where the set has another tempo by then."""
    async with ready(tmp_path, tempo=tempo) as (fake, live):
        length = {"length": str(16 * 60 / tempo), "tempo": "120"}
        result(fake, take(tmp_path, seconds=11), target="session", slot=0, **length, **grid(GRID), **token("loop"))
        await fake.until("/bridge/placed")
        clip = await one(live)
        assert (clip["looping"], clip["loop_end"] - clip["loop_start"]) == (1, 16)
        assert clip["loop_start"] % 4 == 0  # its first beat is on a bar line of the clip, too
        assert clip["start_marker"] == clip["loop_start"]
        assert on_the_beat(clip, tempo)
        assert await steps(live) == 1


@pytest.mark.parametrize("lane", [False, True])
async def test_a_take_in_the_arrangement(tmp_path: Path, lane: bool) -> None:
    async with ready(tmp_path, warps_new=False) as (fake, live):
        if lane:
            await live.live(clip={"file": str(take(tmp_path, "own")), "beats": 16, "warping": 0})
        told = grid(GRID) | token("grid") | BARS
        result(fake, take(tmp_path, seconds=9), target="arrangement", beats="16", **told)
        await fake.until("/bridge/placed")
        clip = placed(await live.live())[-1]
        assert (clip["start_time"], clip["length"], clip["lane"]) == (16, 16, 0 if lane else None)
        assert on_the_beat(clip)
        assert clip["start_marker"] == clip["loop_start"]


@pytest.mark.parametrize("way", ["loop", "grid"])
@pytest.mark.parametrize("target", ["session", "arrangement"])
async def test_what_is_not_sure_is_left_alone(tmp_path: Path, way: str, target: str) -> None:
    async with ready(tmp_path) as (fake, live):
        told = grid(DOUBT) | token(way) | BARS
        result(fake, take(tmp_path, seconds=9), target=target, slot=0, beats="0", **told)
        await fake.until("/bridge/placed")
        clip = await one(live)
        assert (clip["warping"], clip["loop_start"], clip["loop_end"]) == (0, 0, 8)
        await live.until_status("not fitted to the beat: no clear pulse")


@pytest.mark.parametrize(("sure", "first"), [(True, FIRST), (False, 0.3)])
async def test_a_one_shot_begins_at_its_beat_or_its_first_sound(tmp_path: Path, sure: bool, first: float) -> None:
    async with ready(tmp_path) as (fake, live):
        told = grid(GRID if sure else DOUBT) | token("start")
        result(fake, take(tmp_path, seconds=4), target="session", slot=0, length="2", **told)
        await fake.until("/bridge/placed")
        clip = await one(live)
        assert (clip["warping"], clip["looping"]) == (0, 0)
        assert (clip["loop_start"], clip["loop_end"]) == pytest.approx((first, first + 2))


async def test_a_take_that_is_hardly_off_is_not_stretched(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        told = grid(GRID | {"tempo": "120.02", "first_beat": "0"}) | token("loop") | BARS
        result(fake, take(tmp_path, seconds=9), target="session", slot=0, **told)
        await fake.until("/bridge/placed")
        clip = await one(live)
        assert [(pin["beat_time"], pin["sample_time"]) for pin in clip["markers"]][:2] == [(0, 0), (16, 8)]


async def test_a_loop_has_the_bars_that_are_there(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        result(fake, take(tmp_path, seconds=7), target="session", slot=0, **BARS, **grid(GRID), **token("loop"))
        await fake.until("/bridge/placed")
        clip = await one(live)
        assert clip["loop_end"] - clip["loop_start"] == 8
        assert on_the_beat(clip)
        await live.until_status("a loop of 2 bars")


@pytest.mark.parametrize("target", ["session", "arrangement", "lane"])
async def test_what_is_measured_later_is_fitted_then_and_once(tmp_path: Path, target: str) -> None:
    async with ready(tmp_path, warps_new=False) as (fake, live):
        if target == "lane":
            await live.live(clip={"file": str(take(tmp_path, "own")), "beats": 16, "warping": 0})
        told = {"target": target.replace("lane", "arrangement"), "slot": 1, "beats": "16"} | BARS
        told = result(fake, take(tmp_path, seconds=9), **told, **token("grid"))
        await fake.until("/bridge/placed")
        assert placed(await live.live())[-1]["warping"] == 0
        before = await steps(live)
        measured = {key: told[key] for key in ("job", "id", "client", "delivery")} | {"fit": "grid"} | grid(GRID)
        for _ in range(3):
            fake.tell(told["client"], "/bridge/measured", **measured)
        await live.until_status("Fitted: rain")
        clips = placed(await live.live())
        assert len(clips) == (2 if target == "lane" else 1)
        clip = clips[-1]
        assert on_the_beat(clip)
        assert (clip["slot"], clip["start_time"]) == ((1, None) if target == "session" else (None, 16))
        await asyncio.sleep(0.3)
        assert await steps(live) == before + 1


async def test_what_somebody_has_changed_meanwhile_is_left(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        told = result(fake, take(tmp_path, seconds=9), target="session", slot=0, **BARS, **token("loop"))
        await fake.until("/bridge/placed")
        await live.live(edit={"loop_end": 3})
        fake.tell(told["client"], "/bridge/measured", **told | {"fit": "grid"} | grid(GRID))
        await live.until_status("rain was changed and is left as it is")
        assert ((await one(live))["warping"], (await one(live))["loop_end"]) == (0, 3)


async def fitted_late(fake: Bridge, folder: Path, *, seconds: float = 9) -> None:
    """A take of the arrangement is placed, and measured afterwards."""
    told = result(fake, take(folder, seconds=seconds), target="arrangement", beats="16", **BARS, **token("grid"))
    await fake.until("/bridge/placed")
    fake.tell(told["client"], "/bridge/measured", **told | {"fit": "grid"} | grid(GRID))


async def test_a_clip_stays_where_live_puts_no_copy_in_its_place(tmp_path: Path) -> None:
    async with ready(tmp_path, warps_new=False, refuses_copies=2, silent=False) as (fake, live):
        await fitted_late(fake, tmp_path)
        await live.until_status("Not fitted: Live put no clip at the beat")
        clip = await one(live)
        assert (clip["start_time"], clip["length"], clip["warping"], clip["slot"]) == (16, 16, 0, None)
        assert (await live.live())["scenes"] == 4


@pytest.mark.parametrize(("refused", "beat"), [(0, 16), (3, 16), (4, 36)])
async def test_where_live_keeps_what_begins_at_the_beat(tmp_path: Path, refused: int, beat: float) -> None:
    """The old one goes only when there is a new one, wherever Live stops."""
    given = {"warps_new": False, "keeps_same_start": True, "refuses_copies": refused}
    async with ready(tmp_path, silent=False, **given) as (fake, live):
        await fitted_late(fake, tmp_path)
        await live.until_status("it stands at beat 36" if refused == 4 else "Not fitted" if refused else "Fitted: rain")
        clip = await one(live)
        assert (clip["start_time"], clip["length"]) == (beat, 16)
        assert on_the_beat(clip) if refused != 3 else clip["warping"] == 0


async def test_a_clip_that_would_grow_into_the_next_one_stays(tmp_path: Path) -> None:
    async with ready(tmp_path, warps_new=False) as (fake, live):
        told = result(fake, take(tmp_path, seconds=7), target="arrangement", beats="16", **BARS, **token("grid"))
        await fake.until("/bridge/placed")
        clip = await one(live)
        beats = clip["start_time"] + clip["length"]
        await live.live(clip={"file": str(take(tmp_path, "own")), "beats": beats, "warping": 0})
        slow = GRID | {"tempo": "150", "first_beat": "0"}
        fake.tell(told["client"], "/bridge/measured", **told | {"fit": "grid"} | grid(slow))
        await live.until_status("Not fitted: a clip stands behind it")
        clips = placed(await live.live())
        assert [(one["start_time"], one["warping"]) for one in clips] == [(16, 0), (beats, 0)]
        assert (await live.live())["overwritten"] == 0


async def test_a_clip_that_becomes_shorter_leaves_nothing_behind(tmp_path: Path) -> None:
    async with ready(tmp_path, warps_new=False) as (fake, live):
        told = result(fake, take(tmp_path, seconds=9), target="arrangement", beats="16", **BARS, **token("grid"))
        await fake.until("/bridge/placed")
        fast = GRID | {"tempo": "100", "first_beat": "1.5"}
        fake.tell(told["client"], "/bridge/measured", **told | {"fit": "grid"} | grid(fast))
        await live.until_status("Fitted: rain")
        clip = await one(live)
        assert clip["start_time"] == 16
        assert clip["length"] < 16


async def test_what_is_measured_later_and_not_sure_is_said(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        told = result(fake, take(tmp_path, seconds=9), target="session", slot=0, **BARS, **token("loop"))
        await fake.until("/bridge/placed")
        before = await steps(live)
        fake.tell(told["client"], "/bridge/measured", **told | {"fit": "grid"} | grid(DOUBT))
        await live.until_status("rain: not fitted to the beat: no clear pulse")
        assert await steps(live) == before


@pytest.mark.parametrize(
    ("asked", "sound", "shown", "said"),
    [
        ("-14", SOUND, -2.5, ""),
        ("-10.3", SOUND, 1.2, ""),
        ("-8", SOUND, 2.2, "1.3 dB quieter than asked"),
        ("source", SOUND | {"source_loudness": "-20"}, -8.5, ""),
        ("off", SOUND, 0, ""),
        ("-14", {}, 0, ""),
    ],
)
async def test_loudness_by_the_gain_of_the_clip(
    tmp_path: Path, asked: str, sound: dict[str, str], shown: float, said: str
) -> None:
    async with ready(tmp_path) as (fake, live):
        told = {"loudness": asked} | grid(GRID | sound) | token("loop") | BARS
        result(fake, take(tmp_path, seconds=9), target="session", slot=0, **told)
        await fake.until("/bridge/placed")
        assert float((await one(live))["gain"].removesuffix(" dB")) == pytest.approx(shown, abs=0.1)
        await live.until_status(said)
        assert await steps(live) == 1


async def test_a_gain_that_live_does_not_take_is_said(tmp_path: Path) -> None:
    async with ready(tmp_path, refuses_gain=True, silent=False) as (fake, live):
        result(fake, take(tmp_path), target="session", slot=0, loudness="-14", **grid(GRID | SOUND), **token("off"))
        await fake.until("/bridge/placed")
        await live.until_status("Live did not take the gain")


async def wanted(fake: Bridge, live: Player, count: int) -> str:
    await live.click("Generate")
    asked = await fake.until("/bridge/generate", count=count)
    return str(asked["token"])


async def test_what_is_asked_for_follows_the_length_and_the_place(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        ways = [(0, 0, "loop"), (0, 1, "grid"), (3, 0, "start"), (4, 1, "off"), (1, 1, "grid")]
        for number, (span, place, way) in enumerate(ways):
            await live.set(Prompt=f"rain {number}", Length_From=span, Place_In=place)
            assert f'"f":"{way}"' in await wanted(fake, live, number + 2)
        await live.set(Prompt="other", Fit=2)
        assert '"f":"start"' in await wanted(fake, live, len(ways) + 2)
        await live.set(Prompt="short", Length_From=4, Length_Bars=3)
        await wanted(fake, live, len(ways) + 3)
        assert fake.presses("/bridge/generate")[-1]["length"] == "3"  # seconds


@pytest.mark.parametrize(
    ("said", "length", "pressed", "way"),
    [
        ("loop", "8", "start", "start"),  # the bridge's own choice for whole bars: the panel's word counts
        ("loop", "8", "loop", "loop"),
        ("off", "7.3", "start", "start"),
        ("off", "8", "loop", "off"),  # named by a preset
        ("start", "8", "loop", "start"),
    ],
)
async def test_a_fit_that_a_preset_names_wins_over_the_panel(
    tmp_path: Path, said: str, length: str, pressed: str, way: str
) -> None:
    async with ready(tmp_path) as (fake, live):
        told = {"target": "session", "slot": 0, "length": length, "tempo": "120", "fit": said}
        result(fake, take(tmp_path, seconds=9), **told, **grid(GRID), **token(pressed))
        await fake.until("/bridge/placed")
        clip = await one(live)
        found = "loop" if clip["warping"] else "start" if clip["loop_start"] > 0 else "off"
        assert found == way


async def test_a_take_that_continues_its_source_goes_on_where_it_is_told(tmp_path: Path) -> None:
    enter = FIRST + 1.5 * 60 / OWN
    async with ready(tmp_path) as (fake, live):
        told = grid(GRID | {"enter": f"{enter:.6f}", "crossfade": "0.03"}) | token("grid") | BARS
        result(fake, take(tmp_path, seconds=12), target="arrangement", beats="16", **told)
        await fake.until("/bridge/placed")
        clip = placed(await live.live())[-1]
        assert clip["start_time"] == 16
        first = clip["markers"][0]
        assert (first["beat_time"], first["sample_time"]) == (clip["loop_start"], pytest.approx(enter, abs=1e-5))
