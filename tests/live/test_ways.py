"""More than one way: to the home of the bridge, to a path that Live takes, and what is dark where there is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.live.bridge import WELCOME, bridge
from tests.live.player import AUDIO as BUILT
from tests.live.player import placed, player
from tests.live.test_placing import ready as placing
from tests.live.test_placing import result, take

pytestmark = pytest.mark.needs("node", "nodejs")
PROJECT = "/Users/ana/Music/Big Song Project/Presets/Imported/Daw Bridge.amxd"
LIBRARY = "/Users/ana/Music/Ableton/User Library/Presets/Audio Effects/Max Audio Effect/daw-bridge/daw-bridge.json"
USUAL = "/Users/ana/Library/Application Support/daw-bridge"


@pytest.mark.parametrize("way", ["library", "usual", "kept"])
async def test_a_collected_device_finds_its_home(tmp_path: Path, way: str) -> None:
    """Collect All and Save copies the device into the project, without the file beside it."""
    async with bridge(tmp_path) as fake, player(tmp_path) as live:
        home = fake.home.path
        named = tmp_path / "named.json"
        named.write_text(json.dumps({"version": 1, "home": str(home), "installed_by": "0.1.0"}), encoding="utf-8")
        usual = {f"{USUAL}/{name}": str(home / name) for name in ("token", "runtime.json")}
        files = {"library": {LIBRARY: str(named)}, "usual": usual, "kept": {}}[way]
        saved = {
            "Identity": ["live-0a0b0c0d", "set-00000000-0000-4000-8000-000000000000", "-", "0%20Guitar", str(home)]
        }
        await live.do(
            "open", amxd=str(BUILT), path=PROJECT, saved=saved if way == "kept" else {}, given={"files": files}
        )
        shown = await live.connected()
        how = {"library": "in the User Library", "usual": "in its usual place", "kept": "saved with this device"}[way]
        assert how in shown["home"]


async def test_the_home_is_kept_with_the_device_and_shared(tmp_path: Path) -> None:
    async with bridge(tmp_path) as fake, player(tmp_path) as live:
        await live.open("a", home=fake.home.path)
        await live.connected("a")
        await live.set(Prompt="rain")
        await live.click("Generate")
        await fake.until("/bridge/generate")
        assert str(fake.home.path).replace("/", "%2F") in (await live.do("save"))["Identity"][4]
        await live.do("open", device="b", amxd=str(BUILT), path="/Volumes/Ext/Song Project/Daw Bridge.amxd")
        assert "known to another device" in (await live.connected("b"))["home"]


@pytest.mark.parametrize("target", ["session", "arrangement"])
async def test_where_live_takes_no_spaces_the_take_comes_to_the_library(tmp_path: Path, target: str) -> None:
    async with placing(tmp_path, silent=False, refuses_spaces=True) as (fake, live):
        told = result(fake, take(tmp_path / "a b"), target=target, slot=0, beats="4")
        asked = await fake.until("/bridge/deliver")
        assert (asked["job"], asked["library"]) == (told["job"], 1)
        assert (await fake.until("/bridge/unplaced"))["delivery"] == 1
        fake.tell(told["client"], "/bridge/ok", re="deliver", id=asked["id"], job=told["job"], message="Again.")
        result(fake, take(tmp_path / "ab"), target=target, slot=0, beats="4", delivery=2)
        await fake.until("/bridge/placed")
        assert len(placed(await live.live())) == 1
        fake.tell(told["client"], "/bridge/result", **told | {"delivery": 3})
        await fake.until("/bridge/unplaced", count=2)
        assert len(fake.presses("/bridge/deliver")) == 1  # once


async def test_transform_and_capture_are_dark_where_no_source_can_reach_the_engine(tmp_path: Path) -> None:
    why = "No way to publish a source is set up."
    async with bridge(tmp_path) as fake, player(tmp_path) as live:
        fake.welcomes = WELCOME | {"can_transform": 0, "why_not": why}
        await live.open(home=fake.home.path)
        await live.connected()
        shown = await live.until(lambda panel: panel["transform"] == 0)
        assert "Transform and Capture do not work" in shown["status"]
        await live.set(Prompt="rain")
        for button in ("Transform Clip", "Capture"):
            await live.click(button)
            await live.until_status("No way to publish a source is set up")
        assert fake.all("/bridge/transform") == []
        fake.welcomes = WELCOME | {"can_transform": 1}
        await live.until(lambda panel: panel["transform"] == 1)
        await live.click("Generate")
        await fake.until("/bridge/generate")


async def test_a_seed_that_is_drawn_while_locked_is_saved(tmp_path: Path) -> None:
    async with bridge(tmp_path) as fake, player(tmp_path) as live:
        await live.open(home=fake.home.path)
        await live.connected()
        await live.set(Prompt="rain", Seed_Lock=1)
        await live.click("Generate")
        seed = (await fake.until("/bridge/generate"))["seed"]
        saved = await live.do("save")
        assert saved["Seed"] == seed
        await live.do("close")
        await live.open(saved=saved)
        await live.connected()
        await live.click("Generate")
        assert (await fake.until("/bridge/generate", count=2))["seed"] == seed
