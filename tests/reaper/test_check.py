"""The check of a real REAPER: the same file runs in the fake, where every fact holds."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.reaper.conftest import Start
from tests.reaper.reaper import HERE, Reaper, to_lua
from tests.reaper.standin import StandIn
from tests.reaper.test_fit import GRID


def begin(reaper: Reaper, *, take: bool) -> None:
    (reaper.resources / "daw_bridge_check.json").write_text(json.dumps({"version": 1, "take": take}))
    reaper.do(f"fake.run({to_lua(reaper.scripts / 'check' / 'check.lua')})")


def report(reaper: Reaper) -> dict[str, Any] | None:
    path = reaper.resources / "daw_bridge_report.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def test_every_fact_that_needs_no_person_holds_in_the_fake(reaper: Reaper, bridge: StandIn) -> None:
    begin(reaper, take=False)
    reaper.seconds(20)
    told = report(reaper)
    assert told is not None
    assert [one for one in told["facts"] if one["result"] == "differs"] == []
    assert all(one["why"] for one in told["facts"] if one["result"] == "not tried")
    assert {one["result"] for one in told["take"]} == {"not tried"}
    assert "problem" not in told
    assert told["audio_off"] is told["end"] is True
    assert (told["reaper"], told["system"]) == ("7.08/linux-x86_64", "Other")
    reaper.check()


def test_it_has_every_line_of_the_list(reaper: Reaper, bridge: StandIn) -> None:
    begin(reaper, take=False)
    reaper.seconds(20)
    lines = re.findall(r"^\| (\d+) \|", (HERE / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    told = report(reaper)
    assert told is not None
    assert [one["fact"] for one in told["facts"]] == [int(number) for number in lines]


BROKEN = (
    *("unknown", "stale_delete", "stale_undo", "stale_close", "undo_guid", "reopened", "enum_current", "enum_end"),
    *("ext_absent", "proj_ext_absent", "save_keeps_nothing", "listing_cache", "exists_folder", "defer_inline"),
    *("automatic_undo", "render_blocking", "render_settings", "accessor_tail", "version", "types", "rollback"),
    *("copy_loses", "loop_default", "own_state", "identity", "zero_based", "project_zero", "track_in_front"),
)


@pytest.mark.parametrize("broken", BROKEN)
def test_a_reaper_that_differs_is_told(start: Start, bridge: StandIn, broken: str) -> None:
    reaper = start(broken=broken)
    begin(reaper, take=False)
    reaper.seconds(60)
    told = report(reaper)
    assert told is not None
    lines = re.findall(r"^\| (\d+) \|.*`(\w+)` \|$", (HERE / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    mine = {int(fact) for fact, name in lines if name == broken}
    differs = {one["fact"]: one["why"] for one in told["facts"] if one["result"] == "differs"}
    assert mine & set(differs), differs


def test_it_does_not_run_among_somebody_s_own_settings(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    reaper.do(f"fake.run({to_lua(reaper.scripts / 'check' / 'check.lua')})")
    reaper.seconds(5)
    assert "resource folder of its own" in reaper.get("fake.modals[1]")
    assert reaper.get("#fake.tabs") == 1
    assert report(reaper) is None


@pytest.mark.parametrize("measured", [False, True])
def test_one_take_from_press_to_placed(reaper: Reaper, bridge: StandIn, measured: bool) -> None:
    bridge.beat(engine="sketch", price_usd=0.0)
    begin(reaper, take=True)
    for _ in range(60):
        reaper.seconds(1)
        for sent in bridge.requests():
            (job,) = bridge.status(sent, "stored")
            bridge.result(sent, job, seconds=1.0, **({"fit": "grid", "grid": GRID} if measured else {}))
        if told := report(reaper):
            break
    assert told is not None
    notes = [None, None, "its fit was a step of its own" if measured else None, None]
    assert [(one["result"], one.get("why")) for one in told["take"]] == [("holds", note) for note in notes]
    reaper.check()
