"""The real scripts in a Lua of their own, the real daemon in another process, files between them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.processes import Bridge, bridge, fake_service
from tests.reaper.conftest import Start, needed
from tests.reaper.flows import answer, song
from tests.reaper.reaper import Reaper
from tests.waiting import at_last

pytestmark = [pytest.mark.timeout(240), pytest.mark.slow]
POSITION = 12.25
#: What the watcher still waits for, when a test waits in vain.
WHY = """
local told = {notes = {}, errors = fake.errors, modals = fake.modals, scripts = #fake.scripts}
for _, item in ipairs(fake.all_items(fake.tabs[fake.active])) do told.notes[#told.notes + 1] = item.texts.P_NOTES end
for _, one in ipairs(fake.deferred) do
  for index = 1, 9 do
    local name, self = debug.getupvalue(one.run, index)
    if name == "self" and self.follow then
      told.open, told.results, told.placing = self.follow.order, self.results.names, self.placing ~= nil
      told.bridge, told.unsaved, told.peaks = self.bridge_has_open, self.unsaved:count(), #self.peaks.waiting
      told.walk, told.complete = #self.walk.queue, self.results.complete
    end
  end
end
return told
"""


@pytest.fixture(params=["lua5.4", "lua5.3"])
def lua(request: pytest.FixtureRequest) -> str:
    """Processes of their own: they can be killed."""
    return needed(str(request.param))


@pytest.fixture
def daemon(home: Path) -> Iterator[Bridge]:
    """A daemon with the sketch engine, which costs nothing."""
    with bridge(home, "https://not.used", DAW_BRIDGE_ENGINE__NAME="sketch") as made:
        made.start()
        yield made


def eventually(reaper: Reaper, look: Callable[[], Any], *, seconds: float = 60.0) -> Any:
    """Let REAPER go on until ``look`` returns something."""
    return at_last(look, lambda: json.dumps(reaper.do(WHY)), seconds=seconds, meanwhile=lambda: reaper.tick(4))


def jobs(daemon: Bridge) -> list[dict[str, Any]]:
    return [job for job in daemon.jobs() if job["client"] == "reaper"]


def placeholder(reaper: Reaper) -> str:
    """Return how the item of the last press is found in a project that may have been opened again."""
    return "fake.all_items(fake.tabs[fake.active])[2]"


def press(reaper: Reaper, daemon: Bridge, variations: int) -> None:
    """Transform; REAPER stands still from the moment in which the request lies in the inbox."""
    answer(reaper, Prompt="strings, slow, 90 bpm", Variations=str(variations))
    reaper.press("Transform selection")
    asked = 'reaper.GetExtState("DAW Bridge", "last_request")'
    at_last(lambda: reaper.get(asked), lambda: json.dumps(reaper.do(WHY)), meanwhile=reaper.tick)
    at_last(lambda: len(jobs(daemon)) == variations)


def takes(reaper: Reaper) -> list[str]:
    look = "local list = {} for index, take in ipairs(%s.takes) do list[index] = take.source.path end return list"
    return list(reaper.do(look % placeholder(reaper)))


def all_placed(daemon: Bridge) -> bool:
    return all(job["state"] == "placed" for job in jobs(daemon))


def check_takes(reaper: Reaper, daemon: Bridge, variations: int, media: Path) -> None:
    item = placeholder(reaper)
    assert reaper.get(f"{{{item}.info.D_POSITION, {item}.info.D_LENGTH}}") == [POSITION, 8.0], "exact to the sample"
    files = takes(reaper)
    assert len(files) == len(set(files)) == variations, "each once"
    assert {Path(file).name for file in files} == {Path(job["file"]).name for job in jobs(daemon)}
    assert all(Path(file).parent == media for file in files), "in the project's own folder"
    for number in range(1, variations + 1):
        assert reaper.get(f"{item}.takes[{number}].info.D_STARTOFFS") == 0
        assert abs(reaper.get(f"{item}.takes[{number}].source.length") - 8.0) < 1 / 48_000


def test_three_variations_come_back_to_a_project_that_was_closed_meanwhile(
    start: Start, daemon: Bridge, tmp_path: Path
) -> None:
    reaper = start()
    path = song(reaper, tmp_path / "song")
    press(reaper, daemon, 3)
    reaper.do("fake.save(song) fake.close(song) fake.new_project('')")
    at_last(lambda: all(job["state"] == "stored" for job in jobs(daemon)))
    reaper.seconds(3)
    assert not any(job["state"] == "placed" for job in jobs(daemon)), "never into a wrong project"
    assert reaper.get("#fake.all_items(fake.tabs[fake.active])") == 0

    reaper.do(f'song = fake.open("{path}")')
    eventually(reaper, lambda: all_placed(daemon))
    check_takes(reaper, daemon, 3, path.parent / "Media")
    reaper.do("fake.save(song)")
    eventually(reaper, lambda: reaper.get("#fake.scripts") == 0)
    assert not list((daemon.home / "outbox" / "reaper").glob("*.result.json"))
    assert not list((daemon.home / "outbox" / "reaper").glob("rejected/*"))
    assert not list((daemon.home / "inbox" / "reaper" / ".unsaved").iterdir())
    reaper.check()


def settled(daemon: Bridge) -> bool:
    """Tell whether each job is placed, or was killed on the wire, while it served the source, or in the download."""
    return all(job["state"] in ("placed", "unknown", "failed") or job["problem"] for job in jobs(daemon))


def test_the_daemon_is_killed_in_the_middle(start: Start, daemon: Bridge, tmp_path: Path) -> None:
    reaper = start()
    song(reaper, tmp_path / "song")
    press(reaper, daemon, 2)
    daemon.kill()
    eventually(reaper, lambda: "daw-bridge start" in reaper.get(f"{placeholder(reaper)}.texts.P_NOTES"))
    daemon.start()
    eventually(reaper, lambda: takes(reaper) or settled(daemon))
    daemon.kill()  # perhaps before it has read the word that the take stands
    reaper.seconds(5)
    daemon.start()
    eventually(reaper, lambda: settled(daemon))
    here = [Path(file).name for file in takes(reaper)]
    told = jobs(daemon)
    assert len(here) == len(set(here)), "each once"
    assert {Path(job["file"]).name for job in told if job["state"] == "placed"} <= set(here)
    assert set(here) <= {Path(job["file"]).name for job in told if job["file"]}
    reaper.check()


def test_announced_five_times_placed_once(start: Start, daemon: Bridge, tmp_path: Path) -> None:
    """The daemon is gone while the take is placed, and says it again whenever it is back."""
    reaper = start()
    path = song(reaper, tmp_path / "song")
    press(reaper, daemon, 1)
    outbox, inbox = daemon.home / "outbox" / "reaper", daemon.home / "inbox" / "reaper"
    (result,) = at_last(lambda: list(outbox.glob("*.result.json")))
    announced = result.read_bytes()
    daemon.kill()
    for _ in range(5):
        eventually(reaper, lambda: takes(reaper))
        result.unlink(missing_ok=True)
        reaper.seconds(3)
        result.write_bytes(announced)
        for word in inbox.glob("*.placed.json"):
            word.unlink()  # as if it had been lost
        eventually(reaper, lambda: list(inbox.glob("*.placed.json")))
    daemon.start()
    eventually(reaper, lambda: all_placed(daemon))
    eventually(reaper, lambda: not list(outbox.glob("*.result.json")))
    check_takes(reaper, daemon, 1, path.parent / "Media")
    assert [job["delivery"] for job in jobs(daemon)] == [1]
    reaper.check()


def test_reaper_dies_in_the_middle(start: Start, daemon: Bridge, tmp_path: Path) -> None:
    reaper = start()
    path = song(reaper, tmp_path / "song")
    press(reaper, daemon, 2)
    reaper.do("fake.save(song)")
    reaper.kill()
    again = start()
    eventually(again, lambda: all(job["state"] == "stored" for job in jobs(daemon)))
    again.do(f'song = fake.open("{path}")')
    again.press("Watcher (starts by itself)")
    eventually(again, lambda: all_placed(daemon))
    check_takes(again, daemon, 2, path.parent / "Media")

    again.kill()  # the takes stand, they are confirmed, and nothing was saved
    third = start()
    third.do(f'song = fake.open("{path}")')
    assert takes(third) == []
    third.press("Watcher (starts by itself)")
    eventually(third, lambda: len(takes(third)) == 2)
    # they were placed before, too: it is the second delivery that has to be
    eventually(third, lambda: {job["delivery"] for job in jobs(daemon)} == {2} and all_placed(daemon))
    check_takes(third, daemon, 2, path.parent / "Media")
    third.do("fake.save(song)")
    third.seconds(3)
    third.kill()

    last = start()
    last.do(f'song = fake.open("{path}")')
    last.press("Watcher (starts by itself)")
    last.seconds(10)
    check_takes(last, daemon, 2, path.parent / "Media")
    assert len(jobs(daemon)) == 2, "nothing was asked for twice"
    last.check()


def test_a_refusal_of_the_daemon_is_told_and_leaves_nothing(start: Start, daemon: Bridge, tmp_path: Path) -> None:
    reaper = start()
    song(reaper, tmp_path / "song")
    answer(reaper, Prompt="x", CFG="24", Steps="5")
    reaper.press("Transform selection")
    eventually(reaper, lambda: reaper.get("#fake.modals") == 2)
    told = reaper.get("fake.modals[2]")
    assert "E-INVALID" in told
    assert "steps" in told
    assert jobs(daemon) == []
    assert reaper.get("{#fake.all_items(song), #song.tracks}") == [1, 1]
    eventually(reaper, lambda: reaper.get("#fake.scripts") == 0)
    assert reaper.get("#fake.modals") == 2


def test_generate_and_cancel_after_it_was_charged(start: Start, home: Path, tmp_path: Path) -> None:
    with fake_service(job_seconds=600) as service, bridge(home, service.url) as daemon:
        daemon.start()
        reaper = start()
        song(reaper, tmp_path / "song")
        reaper.do("song.time_selection = {0, 0} song.cursor = 33.125")
        answer(reaper, Prompt="rain", Length="4")
        reaper.press("Generate at cursor or time selection")
        eventually(reaper, lambda: [job["state"] for job in jobs(daemon)] == ["generating"])
        sent = jobs(daemon)[0]
        assert (sent["place"]["position"], sent["place"]["length"]) == (33.125, 4.0)
        assert "$0.58 a take" in reaper.get("fake.shown.title")
        beat = home / "outbox" / "reaper" / "daemon.json"
        eventually(reaper, lambda: json.loads(beat.read_bytes())["jobs"])
        reaper.press("Cancel newest")
        eventually(reaper, lambda: "the money is spent" in reaper.get(f"{placeholder(reaper)}.texts.P_NOTES"))
        assert len(service.charges("rain")) == 1
        assert takes(reaper) == []
        reaper.check()


@pytest.mark.parametrize("narrow", [False, True])
def test_a_double_press_is_paid_once_and_twice_only_after_a_yes(
    start: Start, home: Path, tmp_path: Path, narrow: bool
) -> None:
    with fake_service() as service, bridge(home, service.url) as daemon:
        daemon.start()
        reaper = start(narrow=narrow)
        song(reaper, tmp_path / "söng")
        reaper.do("song.time_selection = {0, 0} song.cursor = 33.125")
        for count, answers in ((1, ""), (1, "7"), (2, "6")):
            reaper.do(f'fake.thinking = 0 fake.answers = {{{{Prompt = "rain", Length = "4"}}, {answers}}}')
            reaper.press("Generate at cursor or time selection")
            eventually(reaper, lambda: reaper.get("#fake.answers") == 0)
            eventually(reaper, lambda count=count: len(jobs(daemon)) == count)
            assert len(service.charges("rain")) <= count
        eventually(reaper, lambda: all_placed(daemon))
        assert len(service.charges("rain")) == 2
        assert reaper.get("#fake.all_items(song)") == 3, "the refused presses have left nothing"
        assert any("Send it again for $0.58?" in text for text in reaper.get("fake.modals"))
        reaper.check()
