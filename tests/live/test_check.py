"""The check device: in the stand-in of Live every fact holds, what does not hold is told, and the set is as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bridge_daemon.home.paths import Home
from max_for_live import check
from tests.live.player import BUILT, Player, player, pretend_running

pytestmark = pytest.mark.needs("node", "nodejs")
CHECK = BUILT / check.KIND.name
FACTS = 21


async def report(live: Player, home: Home, **given: Any) -> dict[str, Any]:
    """Press Run, and return the report."""
    home.sources.mkdir(parents=True, exist_ok=True)
    await live.open(amxd=CHECK, home=home.path, **given)
    await live.until_line("Press Run in an empty set")
    await live.click("Run")
    await live.until_line("Report: ", seconds=60)
    told: dict[str, Any] = json.loads((home.path / "live-check.json").read_text(encoding="ascii"))
    return told


def differing(told: dict[str, Any]) -> dict[int, str]:
    return {one["fact"]: one["why"] for one in told["facts"] if one["result"] == "differs"}


@pytest.mark.parametrize("version", [[11, 3, 25], [12, 2, 0]])
@pytest.mark.parametrize("splits", [False, True])
async def test_every_fact_holds_in_the_stand_in(tmp_path: Path, version: list[int], splits: bool) -> None:
    home = pretend_running(tmp_path / "home", 9130)
    live_ = {"version": version, "undo": True, "splits_spaces": splits, "tempo": 240, "scenes": 3, "start_time": 6}
    async with player(tmp_path, silent=False, **live_) as live:
        told = await report(live, home)
        assert differing(told) == {}
        assert [one["fact"] for one in told["facts"]] == list(range(1, FACTS + 1))
        untried = [one["text"] for one in told["facts"] if one["result"] == "not tried"]
        assert untried == ([] if version == [12, 2, 0] else ["a take lane is made, and takes a clip"])
        assert told["live"] == ".".join(map(str, version))
        beat = next(one for one in told["facts"] if "beat is recorded" in one["text"])
        assert "it would have begun" in beat["why"]
        about = await live.live()
        assert [track["name"] for track in about["tracks"]] == ["Guitar"]  # all is as it was
        assert (about["scenes"], about["start_time"], about["playing"]) == (3, 6, False)


@pytest.mark.parametrize(
    ("set_", "given", "word"),
    [
        ({"refuses_spaces": True}, {}, "a path with spaces"),
        ({"refuses_markers": True}, {}, "warp markers are added"),
        ({"refuses_gain": True}, {}, "the gain of a clip"),
        ({}, {"no_clock": True}, "Live's beat is recorded"),
        ({}, {"files": {"readonly": True}}, "behind the end of a file"),
        ({}, {"loses": 1.0}, "a message to it comes back"),
    ],
)
async def test_what_does_not_hold_is_told(
    tmp_path: Path, set_: dict[str, Any], given: dict[str, Any], word: str
) -> None:
    home = pretend_running(tmp_path / "home", 9130)
    async with player(tmp_path, silent=False, speed=4, undo=True, tempo=240, **set_) as live:
        told = await report(live, home, given=given)
        texts = {one["fact"]: one["text"] for one in told["facts"]}
        wrong = differing(told)
        assert any(word in texts[fact] for fact in wrong), wrong
        assert len(wrong) <= 5
        assert (await live.live())["tracks"][0]["name"] == "Guitar"


async def test_without_a_home_nothing_is_tried(tmp_path: Path) -> None:
    async with player(tmp_path) as live:
        await live.open(amxd=CHECK)
        await live.until_line("Press Run")
        await live.click("Run")
        await live.until_line("There is no home of the bridge")
        assert len((await live.live())["tracks"]) == 1
