"""What a producer does beside Generate: hears a take first, asks again, takes another prompt, model or track."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.live.bridge import Bridge, bridge
from tests.live.player import MIDI, Player, placed, player
from tests.live.test_placing import ready, result, take
from tests.live.test_sources import captured, samples_off

pytestmark = pytest.mark.needs("node", "nodejs")


@asynccontextmanager
async def asking(folder: Path, **live: Any) -> AsyncIterator[tuple[Bridge, Player]]:
    """A device that holds takes back, and has asked for one."""
    async with ready(folder, **live) as (fake, made):
        await made.set(Ask_Before_Placing=1)
        yield fake, made


# The prompt


@pytest.mark.parametrize(
    ("prompt", "scale", "version", "sent"),
    [
        ("warm pad", [9, "Minor", True], [12, 2, 0], "warm pad, 92.5 BPM, A minor"),
        ("warm pad", [9, "Minor", False], [12, 2, 0], "warm pad, 92.5 BPM"),
        ("warm pad", [9, "Minor", True], [12, 0, 0], "warm pad, 92.5 BPM"),
        ("warm pad, 120 bpm", [9, "Minor", True], [12, 2, 0], "warm pad, 120 bpm"),
        ("warm pad in F# minor", [9, "Minor", True], [12, 2, 0], "warm pad in F# minor, 92.5 BPM"),
    ],
)
async def test_tempo_and_scale_go_with_the_prompt_once(
    tmp_path: Path, prompt: str, scale: list[Any], version: list[int], sent: str
) -> None:
    async with bridge(tmp_path) as fake, player(tmp_path, tempo=92.5, scale=scale, version=version) as live:
        await live.open(home=fake.home.path)
        await live.connected()
        await live.set(Prompt=prompt)
        await live.click("Generate")
        assert (await fake.until("/bridge/generate"))["prompt"] == sent


async def test_a_one_shot_has_no_tempo_and_a_clip_no_tempo_in_its_name(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        await live.set(Prompt="kick", Length_From=3)
        await live.click("Generate")
        assert (await fake.until("/bridge/generate", count=2))["prompt"] == "kick"
        result(fake, take(tmp_path), name="[sketch] rain, 120 BPM, A minor", target="session", slot=0)
        await fake.until("/bridge/placed")
        assert placed(await live.live())[0]["name"] == "[sketch] rain"


async def test_an_earlier_prompt_is_taken_again(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        client = next(iter(fake.ports))
        for number, prompt in enumerate(("steel drums, far away, 120 BPM", "rain, 120 BPM", "steel drums, far away")):
            told = {"state": "placed", "fraction": 1.0, "usd": "0.58", "prompt": prompt}
            fake.tell(client, "/bridge/job", job=f"j{number}", id="x", **told)
        shown = await live.until(lambda panel: len(panel["history"]) == 3)
        assert shown["history"] == ["Earlier prompts", "1 rain", "2 steel drums - far away"]
        await live.set(History="2 steel drums - far away")
        assert (await live.panel())["prompt"] == "steel drums, far away"
        await live.click("Generate")
        assert (await fake.until("/bridge/generate", count=2))["prompt"] == "steel drums, far away, 120 BPM"
        await live.until(lambda panel: panel["history"][1].startswith("1 steel"))


# Prices and models


async def test_the_button_says_what_the_press_costs(tmp_path: Path) -> None:
    async with bridge(tmp_path) as fake, player(tmp_path) as live:
        assert fake.welcomes is not None
        fake.welcomes |= {"models": "small\nlarge", "models_usd": "0.58\n1.16"}
        await live.open(home=fake.home.path)
        await live.until(lambda panel: "Generate · $0.58" in panel["buttons"])
        await live.set(Takes=4)
        panel = await live.until(lambda panel: "Generate · $2.32" in panel["buttons"])
        assert {"Transform · $2.32", "Capture · $2.32"} <= set(panel["buttons"])
        assert panel["models"] == ["Default model", "small", "large"]
        await live.set(Model="large", Prompt="rain")
        await live.until(lambda panel: "Generate · $4.64" in panel["buttons"])
        fake.accepts = False
        await live.click("Generate")
        asked = await fake.until("/bridge/generate")
        assert asked["model"] == "large"
        saved = await live.do("save")
        assert saved["Model Name"] == ["large"]
        fake.tell(asked["client"], "/bridge/refused", re="generate", id=asked["id"], code="E-CONFIRM", message="Dear.")
        await live.until(lambda panel: "Send · $4.64" in panel["buttons"])


async def test_a_negative_prompt_where_the_model_takes_one(tmp_path: Path) -> None:
    async with bridge(tmp_path) as fake, player(tmp_path) as live:
        assert fake.welcomes is not None
        models = {"models": "small\nlarge", "models_usd": "0.58\n1.16", "negative_prompt": "large"}
        fake.welcomes |= models
        await live.open(home=fake.home.path)
        await live.connected()
        await live.set(Prompt="rain", More=1)
        await live.type("Negative Prompt", "drums")
        await live.click("Generate")
        assert "negative_prompt" not in await fake.until("/bridge/generate")
        assert "Negative Prompt" not in (await live.panel())["shown"]
        await live.set(Model="large")
        panel = await live.until(lambda panel: "Negative Prompt" in panel["shown"])
        assert "Model" not in panel["shown"]
        await live.click("Generate")
        assert (await fake.until("/bridge/generate", count=2))["negative_prompt"] == "drums"


async def test_what_is_free_has_no_price(tmp_path: Path) -> None:
    async with bridge(tmp_path) as fake, player(tmp_path) as live:
        assert fake.welcomes is not None
        fake.welcomes |= {"price_usd": "0", "engine": "sketch"}
        await live.open(home=fake.home.path)
        await live.connected()
        assert {"Generate", "Transform", "Capture"} <= set((await live.panel())["buttons"])


# Again


async def test_again_asks_the_same_with_a_new_seed(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        await live.set(Seed_Lock=1)
        first = fake.presses("/bridge/generate")[0]
        await live.type("Prompt", "something else")  # is not what was asked
        await live.click("Again")
        again = await fake.until("/bridge/generate", count=2)
        assert again["id"] != first["id"]
        assert again["seed"] != first["seed"]
        same = {key: value for key, value in first.items() if key not in ("id", "seed")}
        assert {key: value for key, value in again.items() if key not in ("id", "seed")} == same


async def test_again_needs_something_to_repeat(tmp_path: Path) -> None:
    async with bridge(tmp_path) as fake, player(tmp_path) as live:
        await live.open(home=fake.home.path)
        await live.connected()
        await live.click("Again")
        await live.until_status("Nothing was asked for yet. Nothing was asked or spent")
        assert fake.all("/bridge/generate") == []


# Hear it first


async def test_a_take_is_heard_and_then_kept(tmp_path: Path) -> None:
    async with asking(tmp_path) as (fake, live):
        file = take(tmp_path, seconds=0.5)
        for _ in range(3):  # it is announced again and again meanwhile
            result(fake, file, target="session", slot=0)
        panel = await live.until(lambda panel: {"Keep", "Discard", "Hear"} <= set(panel["shown"]))
        assert "Transform Clip" not in panel["shown"]
        assert "rain: keep it or discard it" in (await live.until_status("keep it"))["status"]
        await live.click("Hear")
        await live.until(lambda panel: "Stop" in panel["buttons"])
        await live.until(lambda panel: "Hear" in panel["buttons"])  # it is over
        assert len((await live.logs())["played"]) == 1
        assert fake.all("/bridge/placed") == fake.all("/bridge/unplaced") == []
        assert placed(await live.live()) == []
        await live.click("Keep")
        await fake.until("/bridge/placed")
        assert len(placed(await live.live())) == 1
        panel = await live.until(lambda panel: "Transform Clip" in panel["shown"])
        assert "Keep" not in panel["shown"]


async def test_a_take_is_discarded(tmp_path: Path) -> None:
    async with asking(tmp_path) as (fake, live):
        told = result(fake, take(tmp_path), target="session", slot=0)
        await live.until_status("keep it")
        await live.click("Discard")
        assert (await fake.until("/bridge/unplaced"))["code"] == "DISCARDED"
        mark = await fake.until("/bridge/mark")
        assert (mark["job"], mark["trashed"]) == ("k3v9", 1)
        fake.tell(told["client"], "/bridge/ok", re="mark", id=mark["id"], job="k3v9")
        assert placed(await live.live()) == []


async def test_of_several_takes_the_favourite_is_marked(tmp_path: Path) -> None:
    async with asking(tmp_path) as (fake, live):
        for number in (1, 2):
            told = result(fake, take(tmp_path, f"t{number}"), job=f"j{number}", name=f"t{number}", slot=0)
        await live.until_status("t1 - and 1 more")
        await live.click("Discard")
        await live.until_status("t2: keep it")
        await live.click("Favourite")
        assert (await fake.until("/bridge/placed"))["job"] == "j2"
        async with asyncio.timeout(20):
            while not any("favourite" in mark for mark in fake.all("/bridge/mark")):
                await asyncio.sleep(0.02)
        assert {mark["job"]: mark.get("favourite") for mark in fake.all("/bridge/mark")} == {"j1": None, "j2": 1}
        for mark in fake.all("/bridge/mark"):
            fake.tell(told["client"], "/bridge/ok", re="mark", id=mark["id"], job=mark["job"])
        assert [clip["name"] for clip in placed(await live.live())] == ["t2"]


async def test_a_device_that_hears_nothing_asks_too(tmp_path: Path) -> None:
    async with asking(tmp_path, amxd=MIDI, tracks=[{"name": "Keys", "audio": False}]) as (fake, live):
        result(fake, take(tmp_path), target="session", slot=0)
        panel = await live.until(lambda panel: "Keep" in panel["shown"])
        assert "Hear" not in panel["shown"]
        await live.click("Keep")
        await fake.until("/bridge/placed")
        assert placed(await live.live())[0]["track"] == "Keys takes"


# Where to


async def test_a_take_goes_to_the_selected_track_or_a_new_one(tmp_path: Path) -> None:
    tracks = [{"name": "Guitar"}, {"name": "Bass"}, {"name": "Keys", "audio": False}]
    async with ready(tmp_path, tracks=tracks) as (fake, live):
        await live.live(select_track=1)
        await live.set(Target_Track=1, Prompt="one")
        await live.click("Generate")
        assert (await fake.until("/bridge/generate", count=2))["track"] == "Bass"
        result(fake, take(tmp_path, "one"), job="j1", name="one", slot=0)
        await fake.until("/bridge/placed")
        await live.live(select_track=2)
        await live.set(Prompt="two")
        await live.click("Generate")
        await live.until_status("The selected track takes no audio clips")
        await live.set(Target_Track=2, Prompt="three")
        await live.click("Generate")
        await fake.until("/bridge/generate", count=3)
        for number in (1, 2):  # the takes of one press stand together
            result(fake, take(tmp_path, f"three{number}"), job=f"k{number}", name="three", variation=number, slot=0)
        await fake.until("/bridge/placed", count=3)
        about = await live.live()
        assert {(clip["track"], clip["name"]) for clip in placed(about)} == {("Bass", "one"), ("Guitar takes", "three")}
        assert [track["name"] for track in about["tracks"]] == ["Guitar", "Guitar takes", "Bass", "Keys"]


# What is seldom changed


async def test_what_is_seldom_changed_is_folded_away(tmp_path: Path) -> None:
    async with bridge(tmp_path) as fake, player(tmp_path) as live:
        await live.open(home=fake.home.path)
        await live.connected()
        shown = set((await live.panel())["shown"])
        assert {"Length Bars", "Takes", "Fit", "More"} <= shown
        assert not {"Strength", "Guidance", "Seed", "Warp", "Keep"} & shown
        await live.set(More=1)
        panel = await live.until(lambda panel: "Strength" in panel["shown"])
        assert "More" in panel["shown"]
        assert "Length Bars" not in panel["shown"]


# What is heard of a track


@pytest.mark.parametrize("playing", [False, True], ids=["stopped", "playing"])
async def test_one_press_captures_a_pass_of_the_loop(tmp_path: Path, playing: bool) -> None:
    loop = {"loop": [8, 8], "loops": True, "tempo": 240, "start_time": 2, "position": 2}
    async with bridge(tmp_path) as fake, player(tmp_path, **loop) as live:
        await live.open(home=fake.home.path)
        await live.connected()
        await live.set(Prompt="strings", Capture_Which=2)
        if playing:
            await live.live(play=9)
        await live.click("Capture")
        asked, recorded = await captured(fake, live)
        assert (asked["beats"], float(asked["length"])) == ("8", pytest.approx(2))
        assert samples_off(asked, recorded, loop=8) <= 1
        about = await live.live()
        assert about["playing"] is playing
        assert about["start_time"] == (9 if playing else 2)


async def test_a_loop_that_is_not_played_cannot_be_captured(tmp_path: Path) -> None:
    async with bridge(tmp_path) as fake, player(tmp_path, loop=[8, 8]) as live:
        await live.open(home=fake.home.path)
        await live.connected()
        await live.set(Prompt="strings", Capture_Which=2)
        await live.live(play=0)
        await live.click("Capture")
        await live.until_status("Stop the set or switch its loop on")
        await asyncio.sleep(0.3)
        assert (await live.logs())["recorded"] == []
