"""Sets of a hundred tracks and two hundred scenes: bounded work in one turn, and none while nothing goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.live.bridge import Bridge, bridge
from tests.live.player import Player, placed, player
from tests.live.test_placing import result, take
from tests.support import tone

pytestmark = pytest.mark.needs("node", "nodejs")
#: 5 ms of Live's main thread, at some 10 microseconds a get; an object costs a multiple of it.
GETS, OBJECTS = 400, 40


@asynccontextmanager
async def big(folder: Path, **live: Any) -> AsyncIterator[tuple[Bridge, Player]]:
    tracks = [{"name": f"Track {number}"} for number in range(100)]
    async with bridge(folder) as fake, player(folder, scenes=200, tracks=tracks, **live) as made:
        await made.open(home=fake.home.path, track=50)
        await made.connected()
        await made.set(Prompt="rain")
        await made.do("uncount")
        yield fake, made


async def within(live: Player) -> None:
    most = (await live.logs())["most"]
    assert most.get("gets", 0) <= GETS, most
    assert most.get("objects", 0) <= OBJECTS, most


@pytest.mark.parametrize("target", ["session", "arrangement"])
async def test_a_press_and_its_take(tmp_path: Path, target: str) -> None:
    async with big(tmp_path) as (fake, live):
        filled = [{"track": 50, "slot": slot, "file": str(tone(tmp_path / "a.wav", seconds=1))} for slot in range(199)]
        await live.live(clips=filled)
        await live.click("Generate")
        await fake.until("/bridge/generate")
        await live.until_status("Accepted")
        result(fake, take(tmp_path), target=target, slot=0, beats="4")
        await fake.until("/bridge/placed")
        assert len(placed(await live.live())) == 200
        await within(live)


@pytest.mark.parametrize("there", [True, False])
async def test_a_take_of_an_earlier_life_is_looked_for_bit_by_bit(tmp_path: Path, there: bool) -> None:
    async with big(tmp_path, speed=10) as (fake, live):
        await live.click("Generate")
        await fake.until("/bridge/generate")
        await live.until_status("Accepted")
        saved = await live.do("save")
        await live.do("close")
        await live.do("renumber")
        file = take(tmp_path)
        if there:
            await live.live(clip={"track": 99, "slot": 199, "file": str(file), "select": False})
        await live.open(saved=saved, track=50)
        await live.connected()
        await live.do("uncount")
        told = result(fake, file, target="session", slot=0)
        for _ in range(3):  # it is announced again meanwhile
            fake.tell(told["client"], "/bridge/result", **told)
        await fake.until("/bridge/placed", seconds=40)
        assert len(placed(await live.live())) == 1
        await within(live)


async def test_an_arrangement_of_thousands_of_clips(tmp_path: Path) -> None:
    async with big(tmp_path, warps_new=False) as (fake, live):
        file = str(tone(tmp_path / "a.wav", seconds=0.5))
        await live.live(clips=[{"track": 50, "beats": beat, "file": file} for beat in range(1, 2001)])
        await live.set(Place_In=1, Transform_Source=1, Length_From=1)
        await live.click("Transform Clip")
        await fake.until("/bridge/transform")
        await live.click("Generate")
        await fake.until("/bridge/generate")
        await live.until_status("Accepted")
        result(fake, take(tmp_path), target="arrangement", beats="2001", job="j1")
        await fake.until("/bridge/placed")
        result(fake, take(tmp_path, "other"), target="arrangement", beats="1000", job="j2")
        await fake.until("/bridge/placed", count=2)
        about = await live.live()
        assert about["overwritten"] == 0
        assert sorted((clip["start_time"], clip["lane"]) for clip in placed(about) if clip["length"] > 2) == [
            (1000, 0),
            (2001, None),
        ]
        await within(live)


async def test_nothing_is_asked_while_nothing_goes_on(tmp_path: Path) -> None:
    async with big(tmp_path) as (fake, live):
        before = len(fake.all("/bridge/transport"))
        await fake.until("/bridge/transport", count=before + 1)
        await live.do("uncount")
        await fake.until("/bridge/transport", count=before + 4)  # it is told once a second all the same
        assert (await live.logs())["all"] == {}
        await live.live(start_time=12)
        await asyncio.sleep(1)
        told = fake.all("/bridge/transport")[-1]
        assert (told["playing"], told["beats"], told["position"]) == (0, 12, 6)
        await live.live(tempo=60)
        await asyncio.sleep(1)
        assert fake.all("/bridge/transport")[-1]["position"] == 12


async def test_nothing_is_asked_without_a_bridge(tmp_path: Path) -> None:
    async with player(tmp_path) as live:
        await live.open(home=tmp_path / "away")
        await live.until_status("Start it: daw-bridge start")
        await live.do("uncount")
        await live.live(play=0)
        await asyncio.sleep(1)
        assert (await live.logs())["all"].get("gets", 0) <= 12  # that it plays now
        await live.do("uncount")
        await asyncio.sleep(1)
        assert (await live.logs())["all"] == {}
