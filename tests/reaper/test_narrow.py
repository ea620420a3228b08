"""A Windows on which nothing below a folder with accents can be renamed or removed: every way goes in place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.reaper.conftest import Start
from tests.reaper.flows import ITEM, notes, song, takes, transform
from tests.reaper.reaper import SCRIPTS, Reaper
from tests.reaper.standin import StandIn


@pytest.fixture(params=["Setup was run", "Setup was never run"])
def reaper(start: Start, bridge: StandIn, request: pytest.FixtureRequest) -> Reaper:
    made = start(narrow=True)
    if request.param == "Setup was run":
        made.do("fake.answers = {7}")
        made.press("Setup")
        made.seconds(1)
    return made


def test_from_press_to_placed(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    folder = tmp_path / "söng"
    song(reaper, folder)
    sent = transform(reaper, bridge)
    assert list(sent)[-1] == "end"
    assert sent["end"] is True
    (job,) = bridge.status(sent, "stored")
    file = bridge.result(sent, job)
    reaper.seconds(4)
    assert takes(reaper) == 1
    assert (folder / "Media" / file.name).read_bytes() == file.read_bytes()
    word = json.loads((bridge.inbox / f"{job}.1.placed.json").read_text())
    assert list(word)[-1] == "end"
    bridge.words()
    bridge.forget(job)
    bridge.status(sent, "placed")
    reaper.do("fake.save(song)")
    reaper.seconds(10)
    assert reaper.get("#fake.scripts") == 0
    reaper.check()


def test_a_take_that_was_not_saved_is_brought_again_once(
    start: Start, reaper: Reaper, bridge: StandIn, tmp_path: Path
) -> None:
    path = song(reaper, tmp_path / "söng")
    sent = transform(reaper, bridge)
    reaper.do("fake.save(song)")
    (job,) = bridge.status(sent, "stored")
    bridge.result(sent, job)
    reaper.seconds(4)
    bridge.words()
    bridge.forget(job)
    reaper.kill()
    second = start(narrow=True)
    second.do(f'song = fake.open("{path}")')
    second.press("Watcher (starts by itself)")
    second.seconds(8)
    commands = bridge.commands()
    assert [(one["command"], one["job"]) for one in commands] == [("deliver", job)]
    bridge.result(sent, job, delivery=2)
    second.seconds(4)
    assert takes(second) == 1
    bridge.words()
    second.do("fake.save(song)")
    second.seconds(10)
    assert bridge.commands() == []


def test_a_request_is_taken_back_by_making_it_unreadable(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "söng")
    sent = transform(reaper, bridge)
    path = bridge.inbox / f"{sent['id']}.json"
    path.write_text(json.dumps(sent))  # it lies there still
    reaper.press("Cancel newest")
    assert path.read_text().startswith("-")
    assert "nothing was spent" in notes(reaper, ITEM)
    path.unlink()  # the bridge has set it aside
    reaper.press("Cancel newest")
    assert not path.exists()


def test_nothing_but_one_module_renames_or_removes() -> None:
    for path in SCRIPTS.glob("lib/*.lua"):
        text = path.read_text(encoding="utf-8")
        if path.name not in ("files.lua", "startup.lua", "copy.lua"):
            assert "os.rename" not in text, path.name
            assert "os.remove" not in text, path.name
