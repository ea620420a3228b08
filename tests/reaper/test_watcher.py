"""The watcher: one of it, never in the way, never deaf, at its end when nothing is open."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reaper.conftest import Start
from tests.reaper.flows import ITEM, answer, notes, song, takes, transform
from tests.reaper.reaper import Reaper
from tests.reaper.standin import StandIn

WATCHER = "Watcher (starts by itself)"


def test_without_anything_open_it_ends(reaper: Reaper, bridge: StandIn) -> None:
    reaper.press(WATCHER)
    assert reaper.get("#fake.scripts") == 1
    reaper.seconds(8)
    assert reaper.get("#fake.scripts") == 0
    assert reaper.get('reaper.GetExtState("DAW Bridge", "watcher")') == ""
    reaper.check()


def test_there_is_one(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    for _ in range(3):
        transform(reaper, bridge)
    assert reaper.get("#fake.scripts") == 1
    assert reaper.get("#fake.modals") == 3


def test_two_at_once_become_one(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    """As when one was held by a dialog for so long that another was started."""
    song(reaper, tmp_path / "song")
    transform(reaper, bridge)
    second = reaper.scripts / "DAW Bridge_Another.lua"
    second.write_text((reaper.scripts / f"DAW Bridge_{WATCHER}.lua").read_text())
    reaper.press("Another")
    assert reaper.get("#fake.scripts") == 2
    reaper.seconds(1)
    assert reaper.get("{#fake.scripts, #fake.modals}") == [1, 1]


def test_a_long_dialog_of_somebody_else_does_no_harm(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    sent = transform(reaper, bridge)
    (job,) = bridge.status(sent, "stored")
    bridge.result(sent, job)
    reaper.do('fake.thinking = 3600 reaper.MB("of another script", "title", 0)')
    assert takes(reaper) == 0
    reaper.seconds(4)
    assert takes(reaper) == 1
    assert reaper.get("#fake.scripts") == 1


def test_it_starts_again_with_reaper(start: Start, bridge: StandIn, tmp_path: Path) -> None:
    first = start()
    path = song(first, tmp_path / "song")
    sent = transform(first, bridge)
    first.do("fake.save(song)")
    (job,) = bridge.status(sent, "stored")
    first.kill()
    bridge.result(sent, job)

    second = start()
    second.press(WATCHER)
    second.seconds(20)
    assert second.get("#fake.scripts") == 1, "a take waits: it goes on, whatever is open"
    second.do(f'song = fake.open("{path}")')
    second.seconds(4)
    assert takes(second) == 1
    assert bridge.words() == [f"{job}.1.placed.json"]


def test_it_waits_for_jobs_whose_project_is_not_open_yet(reaper: Reaper, bridge: StandIn) -> None:
    bridge.beat(jobs=[{"job": "a", "id": "b", "state": "generating"}])
    reaper.press(WATCHER)
    reaper.seconds(20)
    assert reaper.get("#fake.scripts") == 1
    bridge.beat(jobs=[{"job": "a", "id": "b", "state": "placed"}])
    reaper.seconds(5)
    assert reaper.get("#fake.scripts") == 0


@pytest.mark.parametrize("lua", ["lupa.lua54", "lua5.3"], indirect=True)
def test_request_number_5000_is_seen(start: Start, bridge: StandIn, tmp_path: Path) -> None:
    """A known bridge of this kind goes deaf after a thousand."""
    reaper = start()
    song(reaper, tmp_path / "song")
    for number in range(4999):
        (bridge.outbox / f"{number:08x}-0000-4000-8000-000000000000.status.json").write_text(
            '{"accepted":true,"jobs":[{"job":"j","state":"placed"}]}'
        )
    answer(reaper, Prompt="number five thousand")
    reaper.press("Transform selection")
    reaper.seconds(3)
    sent = bridge.request()
    (job,) = bridge.status(sent, "stored")
    bridge.result(sent, job)
    reaper.seconds(60)
    assert takes(reaper) == 1
    assert bridge.words() == [f"{job}.1.placed.json"]


@pytest.mark.parametrize("lua", ["lupa.lua54", "lua5.3"], indirect=True)
def test_so_is_a_result_after_5000_others_that_nobody_here_waits_for(
    start: Start, bridge: StandIn, tmp_path: Path
) -> None:
    reaper = start()
    song(reaper, tmp_path / "song")
    sent = transform(reaper, bridge)
    file = bridge.result(sent, "zzzz")
    (bridge.outbox / "zzzz.1.result.json").unlink()
    for number in range(4999):
        (bridge.outbox / f"a{number}.1.result.json").write_text(
            f'{{"job":"a{number}","id":"other","delivery":1,"file":"{file}","place":{{"token":"{{}}"}}}}'
        )
    bridge.result(sent, "zzzz")
    reaper.seconds(120)
    assert takes(reaper) == 1
    assert bridge.words() == ["zzzz.1.placed.json"]


def test_a_refusal_of_an_earlier_life_stands_in_the_item_with_its_code_and_what_to_do(
    start: Start, bridge: StandIn, tmp_path: Path
) -> None:
    first = start()
    path = song(first, tmp_path / "song")
    sent = transform(first, bridge)
    first.do("fake.save(song)")
    first.kill()
    reaper = start()
    reaper.do(f'song = fake.open("{path}")')
    reaper.press(WATCHER)
    bridge.refuse(sent, "E-LIMIT", "The day's limit is reached. Nothing was spent.")
    reaper.seconds(3)
    text = notes(reaper)
    assert "Not sent. E-LIMIT: The day's limit is reached. Nothing was spent.\nDo something else." in text
    reaper.seconds(16)
    assert reaper.get("{#fake.scripts, #fake.modals}") == [0, 0]


def test_a_request_that_the_bridge_does_not_know(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    transform(reaper, bridge)
    reaper.do("fake.late = 100")
    reaper.seconds(3)
    assert "the bridge does not know of this request. Look: daw-bridge jobs list" in notes(reaper)


def test_the_bridge_stops_and_comes_back(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    sent = transform(reaper, bridge)
    bridge.status(sent, "generating")
    bridge.beat(running=False)
    reaper.seconds(5)
    assert "the bridge is not running: daw-bridge start" in notes(reaper)
    bridge.beat()
    reaper.seconds(5)
    assert "not running" not in notes(reaper)


def test_cancel_takes_back_what_the_bridge_has_not_seen(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    answer(reaper, Prompt="x")
    reaper.press("Transform selection")
    reaper.seconds(3)
    reaper.press("Cancel newest")
    assert bridge.requests() == []
    assert bridge.commands() == []
    assert "nothing was spent" in notes(reaper)


def test_cancel_tells_the_bridge_of_each_job_of_the_newest_request(reaper: Reaper, bridge: StandIn) -> None:
    job = {"state": "generating", "charge": "confirmed"}
    bridge.beat(
        jobs=[
            {"job": "z", "id": "3", "state": "placed"},
            {"job": "a", "id": "2"} | job,
            {"job": "b", "id": "2"} | job,
            {"job": "c", "id": "1"} | job,
        ]
    )
    bridge.inbox.mkdir(parents=True)
    reaper.press("Cancel newest")
    assert sorted(one["job"] for one in bridge.commands()) == ["a", "b"]


def test_nothing_to_cancel(reaper: Reaper, bridge: StandIn) -> None:
    reaper.press("Cancel newest")
    assert reaper.get("fake.modals") == ["Nothing is open."]


@pytest.mark.parametrize("junk", [b"", b"{", b"[1]", b'{"file": 3}', b"\xff\xfe", b'{"file":"/x","place":{"token":7}}'])
def test_what_is_no_result_is_passed_over(reaper: Reaper, bridge: StandIn, tmp_path: Path, junk: bytes) -> None:
    song(reaper, tmp_path / "song")
    sent = transform(reaper, bridge)
    (bridge.outbox / "aaaa.1.result.json").write_bytes(junk)
    (bridge.outbox / f"{sent['id']}.status.json").write_bytes(junk)
    (bridge.outbox / "daemon.json").write_bytes(junk)
    reaper.seconds(3)
    bridge.beat()
    (job,) = bridge.status(sent, "stored")
    bridge.result(sent, job)
    reaper.seconds(5)
    assert takes(reaper) == 1


def test_a_tag_that_somebody_else_wrote_is_passed_over(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    sent = transform(reaper, bridge)
    for text in ("x", "[]", "3", '{"mark":1}', '{"mark":"x"}', '{"mark":"x","id":"y"}', ""):
        reaper.do(f"fake.copy_item({ITEM}, nil, 80).ext.daw_bridge = '{text}'")
    reaper.do("fake.touch(song)")
    (job,) = bridge.status(sent, "stored")
    bridge.result(sent, job)
    reaper.seconds(4)
    assert takes(reaper) == 1
