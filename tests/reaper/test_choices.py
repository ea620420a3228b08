"""The dead ends: what can be done about a held, failed, refused or unknown job, from the menu of its item."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.reaper.flows import ITEM, answer, notes, saved, song, takes, transform
from tests.reaper.reaper import Reaper
from tests.reaper.standin import StandIn

MENU = "Menu of the selected item"
YES, NO = 6, 7


def prepared(
    reaper: Reaper, bridge: StandIn, path: Path, *states: str, **more: Any
) -> tuple[dict[str, Any], list[str]]:
    """A placeholder, selected, whose jobs are in some states."""
    song(reaper, path / "song")
    sent = transform(reaper, bridge, Variations=str(len(states)))
    jobs = bridge.status(sent, *states, **more)
    reaper.seconds(3)
    reaper.do(f"riff.selected = false {ITEM}.selected = true")
    return sent, jobs


def choose(reaper: Reaper, beginning: str, *answers: Any) -> list[str]:
    """Open the menu twice: to read it, and to choose the line that has some words in it."""
    reaper.do("fake.answers = {0}")
    reaper.press(MENU)
    lines: list[str] = reaper.get("fake.menu").split("|")
    (index,) = [number for number, line in enumerate(lines, 1) if beginning in line]
    given = ", ".join(one if isinstance(one, str) else str(one) for one in (index, *answers))
    reaper.do(f"fake.answers = {{{given}}}")
    reaper.press(MENU)
    return lines


@pytest.mark.parametrize(
    ("state", "line", "answers", "command"),
    [
        ("held", "send it now, for $0.58", [YES], {"command": "retry", "again": True, "confirm_usd": 0.58}),
        ("held", "cancel it; nothing was spent", [], {"command": "cancel"}),
        ("queued", "cancel it; nothing was spent", [], {"command": "cancel"}),
        ("generating", "the money is spent", [], {"command": "cancel"}),
        ("failed", "ask for it anew, for $0.58", [YES], {"command": "retry", "again": True, "confirm_usd": 0.58}),
        ("refused", "ask for it anew, for $0.58", [YES], {"command": "retry", "again": True, "confirm_usd": 0.58}),
        ("cancelled", "ask for it anew", [YES], {"command": "retry", "again": True, "confirm_usd": 0.58}),
        ("placed", "place the take again, free", [], {"command": "deliver"}),
        (
            "unknown",
            "send it again; it may cost $0.58 a second time",
            [YES],
            {"command": "resolve", "action": "submit_again", "again": True, "confirm_usd": 0.58},
        ),
        (
            "unknown",
            "follow it, free",
            ['{" sa_77 "}'],
            {"command": "resolve", "action": "attach", "remote_id": "sa_77"},
        ),
        ("unknown", "it was charged", [], {"command": "resolve", "action": "dismiss", "charged": True}),
        ("unknown", "not charged", [YES], {"command": "resolve", "action": "dismiss", "charged": False}),
    ],
)
def test_each_choice_tells_the_bridge(
    reaper: Reaper,
    bridge: StandIn,
    tmp_path: Path,
    state: str,
    line: str,
    answers: list[Any],
    command: dict[str, Any],
) -> None:
    _, (job,) = prepared(reaper, bridge, tmp_path, state)
    choose(reaper, line, *answers)
    assert bridge.commands() == [command | {"job": job}]
    reaper.check()


@pytest.mark.parametrize(("state", "line"), [("held", "send it now"), ("failed", "anew"), ("unknown", "a second time")])
def test_what_may_cost_is_asked_with_its_price_and_no_means_no(
    reaper: Reaper, bridge: StandIn, tmp_path: Path, state: str, line: str
) -> None:
    prepared(reaper, bridge, tmp_path, state)
    choose(reaper, line, NO)
    assert "$0.58" in reaper.get("fake.modals[#fake.modals]")
    assert bridge.commands() == []


def test_several_jobs_in_one_state_are_one_line_with_the_sum(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    _, jobs = prepared(reaper, bridge, tmp_path, "held", "held", "generating")
    lines = choose(reaper, "send it now", YES)
    assert any("(2 times, $1.16 together)" in line for line in lines)
    assert "$1.16" in reaper.get("fake.modals[#fake.modals]")
    assert {one["job"] for one in bridge.commands()} == set(jobs[:2])


def test_a_failed_job_that_is_asked_for_anew_comes_into_its_item(
    reaper: Reaper, bridge: StandIn, tmp_path: Path
) -> None:
    sent, _ = prepared(reaper, bridge, tmp_path, "failed")
    choose(reaper, "anew", YES)
    new = next(bridge.inbox.glob("*.command.json")).name.split(".")[0]
    bridge.commands()
    retried = {"id": new, "place": sent["place"]}
    (job,) = bridge.status(retried, "generating")
    reaper.seconds(3)
    assert "generating" in notes(reaper)
    bridge.status(retried, "stored")
    bridge.result(retried, job)
    reaper.seconds(4)
    assert takes(reaper) == 1


def test_a_choice_that_is_refused_is_told_and_the_item_stays(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    prepared(reaper, bridge, tmp_path, "failed")
    choose(reaper, "anew", YES)
    name = next(bridge.inbox.glob("*.command.json")).name.split(".")[0]
    bridge.commands()
    bridge.refuse({"id": name}, "E-LIMIT", "The day's limit is reached. Nothing was spent.")
    reaper.seconds(3)
    assert "Not done. E-LIMIT" in reaper.get("fake.modals[#fake.modals]")
    assert reaper.get("#fake.all_items(song)") == 2


def test_a_bridge_that_does_not_answer_is_told(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    prepared(reaper, bridge, tmp_path, "held")
    choose(reaper, "send it now", YES)
    reaper.do("fake.late = 100")
    reaper.seconds(2)
    assert "has not answered" in reaper.get("fake.modals[#fake.modals]")


def test_a_paid_job_that_the_service_does_not_find(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    problem = {"code": "E-GONE", "text": "The service does not know it any more."}
    _, (job,) = prepared(reaper, bridge, tmp_path, "generating", problem=problem)
    lines = choose(reaper, "look for it again now, free")
    assert bridge.commands() == [{"command": "retry", "job": job}]
    assert not any("second time" in line for line in lines)
    assert sum("close it" in line for line in lines) == 2


@pytest.mark.parametrize("state", ["held", "failed", "refused", "unknown"])
def test_the_item_says_where_its_way_out_is(reaper: Reaper, bridge: StandIn, tmp_path: Path, state: str) -> None:
    prepared(reaper, bridge, tmp_path, state)
    assert "the action Menu of the selected item" in notes(reaper)


def test_pause_and_resume(reaper: Reaper, bridge: StandIn) -> None:
    choose(reaper, "pause the bridge")
    bridge.beat(paused={"reason": "person", "text": "paused by you"})
    choose(reaper, "send again")
    assert [one["command"] for one in bridge.commands()] in (["pause", "resume"], ["resume", "pause"])


@pytest.mark.parametrize(
    ("system", "line"),
    [
        ("Win64", 'explorer.exe /select,"{file}"'),
        ("macOS-arm64", '/usr/bin/open -R "{file}"'),
        ("Other", '/usr/bin/xdg-open "{folder}"'),
    ],
)
def test_the_file_is_shown(reaper: Reaper, bridge: StandIn, tmp_path: Path, system: str, line: str) -> None:
    _, (job,) = prepared(reaper, bridge, tmp_path, "placed")
    bridge.beat(jobs=[{"job": job, "state": "placed", "file": "/library/Zoë/a take.wav", "usd": 0.58}])
    reaper.do(f'fake.system = "{system}"')
    choose(reaper, "show the file")
    assert reaper.get("fake.executed") == line.format(file="/library/Zoë/a take.wav", folder="/library/Zoë")


def test_empty_placeholders_are_cleaned_up_in_one_step(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    for state in ("failed", "cancelled", "stored", "held", "unknown", "generating"):
        bridge.status(transform(reaper, bridge), state)
    arrived = transform(reaper, bridge)
    (job,) = bridge.status(arrived, "placed")
    bridge.result(arrived, job)
    reaper.seconds(8)
    before = reaper.get("{#fake.all_items(song), #song.tracks, #song.history}")
    lines = choose(reaper, "empty items", YES)
    assert any("(2)" in line for line in lines)
    after = reaper.get("{#fake.all_items(song), #song.tracks, #song.history}")
    assert [one - other for one, other in zip(before, after, strict=True)] == [2, 2, -1]
    saved(reaper)
    answer(reaper)
    reaper.do("fake.answers = {0}")
    reaper.press(MENU)
    assert "empty items" not in reaper.get("fake.menu")
