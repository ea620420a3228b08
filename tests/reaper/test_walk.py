"""REAPER dies at moments of a press and of a take's arrival, as by kill -9; what was paid stands once in the end."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import pytest

from tests.reaper.conftest import Start, needed
from tests.reaper.flows import ITEM, answer, song, takes, transform
from tests.reaper.reaper import DiedError, Reaper
from tests.reaper.standin import StandIn

#: Every so many calls of REAPER's functions, and operations with files, it dies once. REAPER_WALK=1 walks through all
#: of them, which takes minutes.
EVERY = int(os.environ.get("REAPER_WALK", "83"))
pytestmark = [pytest.mark.timeout(240 if EVERY > 9 else 7200), pytest.mark.slow]


@pytest.fixture
def lua() -> str:
    """A process of its own: it can die."""
    return needed("lua5.4")


class Bridge:
    """Answers as the bridge does: a word about the newest delivery ends it, ``deliver`` begins the next one."""

    def __init__(self, files: StandIn, sent: dict[str, Any], job: str) -> None:
        self.files, self.sent, self.job = files, sent, job
        self.delivery, self.placed = 1, False
        files.result(sent, job)

    def serve(self) -> None:
        self.files.beat()
        if f"{self.job}.{self.delivery}.placed.json" in self.files.words() and not self.placed:
            self.files.forget(self.job, self.delivery)
            self.placed = True
        if self.files.commands():
            if not self.placed:
                self.files.forget(self.job, self.delivery)
            self.delivery, self.placed = self.delivery + 1, False
            self.files.result(self.sent, self.job, delivery=self.delivery)


def walk(start: Start, folder: Path, files: StandIn, at: int) -> bool:
    """Let REAPER die once while a take arrives; returns whether it came to that."""
    first = start()
    path = song(first, folder)
    sent = transform(first, files)
    first.do("fake.save(song)")
    (job,) = files.status(sent, "stored")
    bridge = Bridge(files, sent, job)
    died = True
    try:
        first.do(f"fake.dies_at = fake.steps + {at}")
        first.seconds(3)
        died = False
    except DiedError:
        pass
    first.kill()
    bridge.serve()

    second = start()
    second.do(f'song = fake.open("{path}")')
    second.press("Watcher (starts by itself)")
    for _ in range(3):
        second.seconds(4)
        bridge.serve()
    where = f"REAPER died at step {at}"
    assert takes(second) == 1, where
    assert second.get(f"{{{ITEM}.info.D_POSITION, {ITEM}.takes[1].info.D_STARTOFFS}}") == [12.25, 0], where
    assert bridge.placed, where
    second.do("fake.save(song)")
    second.seconds(2)
    second.do("fake.crash()")
    second.do(f'song = fake.open("{path}")')
    second.press("Watcher (starts by itself)")
    second.seconds(5)
    bridge.serve()
    assert (takes(second), bridge.placed) == (1, True), where
    assert not list(path.parent.rglob("*.part")) or died
    second.check()
    second.kill()
    return died


def test_a_take_arrives(start: Start, bridge: StandIn, tmp_path: Path) -> None:
    for number in itertools.count(1):
        for left in [*bridge.inbox.glob("*.json"), *bridge.inbox.glob(".unsaved/*"), *bridge.outbox.glob("*.json")]:
            left.unlink()
        bridge.beat()
        if not walk(start, tmp_path / f"song {number}", bridge, number * EVERY):
            assert number * EVERY > 200, "it is a long way"
            return


def test_a_press_is_sent_once_or_not_at_all(start: Start, bridge: StandIn, tmp_path: Path) -> None:
    sent_in_all = 0
    for number in itertools.count(1):
        bridge.beat()
        first = start()
        path = song(first, tmp_path / f"song {number}")
        answer(first, Prompt=f"press {number}", Capture="dry")
        died = True
        try:
            first.do(f"fake.dies_at = fake.steps + {number * EVERY}")
            first.press("Transform selection")
            first.do("fake.save(song)")
            first.seconds(2)
            died = False
        except DiedError:
            pass
        first.kill()
        again = start()
        again.do(f'song = fake.open("{path}")')
        again.press("Watcher (starts by itself)")
        again.seconds(3)
        sent = bridge.requests()
        assert [one["prompt"] for one in sent] in ([], [f"press {number}"])
        sent_in_all += len(sent)
        again.check()
        again.kill()
        if not died:
            assert sent, "nothing died, so it was sent"
            assert number * EVERY > 200
            assert sent_in_all >= 1
            return


def test_what_others_start_with_reaper_is_never_lost(start: Start, bridge: StandIn, tmp_path: Path) -> None:
    """The whole of ``__startup.lua``, ours or theirs, stands there at each moment."""
    for number in itertools.count(1):
        reaper = start()
        path = reaper.resources / "Scripts" / "__startup.lua"
        path.write_text("theirs = 1\n")
        died = True
        try:
            reaper.do(f"fake.answers = {{6}} fake.dies_at = fake.steps + {number}")
            reaper.press("Setup")
            died = False
        except DiedError:
            pass
        reaper.kill()
        assert path.is_file(), f"REAPER died at step {number}"
        assert path.read_text().startswith("theirs = 1\n")
        if not died:
            assert "DAW Bridge" in path.read_text()
            return


def test_dying_is_dying(start: Start) -> None:
    reaper: Reaper = start()
    reaper.do("fake.dies_at = fake.steps + 2")
    with pytest.raises(DiedError):
        reaper.do("reaper.CountTracks(0) reaper.CountTracks(0)")
