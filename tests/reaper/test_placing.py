"""Takes come to their places: exactly once, wherever their placeholders have gone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.reaper.flows import ITEM, answer, notes, saved, song, takes, transform
from tests.reaper.reaper import Reaper
from tests.reaper.standin import StandIn


@pytest.fixture
def sent(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> dict[str, Any]:
    """A request that was sent from a saved song."""
    song(reaper, tmp_path / "song")
    return transform(reaper, bridge)


def arrive(reaper: Reaper, bridge: StandIn, sent: dict[str, Any], **more: Any) -> str:
    """One take arrives, and REAPER has time for it."""
    bridge.beat()
    (job,) = bridge.status(sent, "stored")
    bridge.result(sent, job, **more)
    reaper.seconds(4)
    return job


def all_takes(reaper: Reaper, project: str = "song") -> list[list[float]]:
    """Return position, length, and the offset of each take, of all items that have some of ours."""
    return reaper.do(f"""
        local told = {{}}
        for _, item in ipairs(fake.all_items({project})) do
          for _, take in ipairs(item.takes) do
            if take.source then
              told[#told + 1] = {{item.info.D_POSITION, item.info.D_LENGTH, take.info.D_STARTOFFS}}
            end
          end
        end
        return told""")


def test_announced_five_times_placed_once(reaper: Reaper, bridge: StandIn, sent: dict[str, Any]) -> None:
    job = arrive(reaper, bridge, sent)
    for _ in range(4):
        bridge.words()
        bridge.result(sent, job)
        reaper.seconds(8)
        assert bridge.words() == [f"{job}.1.placed.json"], "said again, and nothing else done"
    assert takes(reaper) == 1
    assert reaper.get("#song.history") == 4, "one undo step"
    reaper.check()


def test_a_word_that_was_not_read_yet_is_not_said_twice(reaper: Reaper, bridge: StandIn, sent: dict[str, Any]) -> None:
    job = arrive(reaper, bridge, sent)
    reaper.seconds(30)
    assert bridge.words() == [f"{job}.1.placed.json"]
    assert takes(reaper) == 1


def test_a_moved_item_keeps_its_new_place(reaper: Reaper, bridge: StandIn, sent: dict[str, Any]) -> None:
    reaper.do(f"{ITEM}.info.D_POSITION = 40.5 fake.touch(song)")
    reaper.seconds(2)
    arrive(reaper, bridge, sent)
    assert all_takes(reaper) == [[40.5, 8.0, 0.0]]


def test_a_moved_item_while_no_watcher_looked(reaper: Reaper, bridge: StandIn, sent: dict[str, Any]) -> None:
    reaper.do(f"{ITEM}.info.D_POSITION = 40.5 fake.touch(song)")
    arrive(reaper, bridge, sent)
    assert all_takes(reaper) == [[40.5, 8.0, 0.0]]


def test_a_copied_placeholder_gets_it_too(reaper: Reaper, bridge: StandIn, sent: dict[str, Any]) -> None:
    reaper.do(f"fake.copy_item({ITEM}, guitar, 60.0)")
    reaper.seconds(2)
    job = arrive(reaper, bridge, sent)
    bridge.result(sent, job)
    reaper.seconds(8)
    assert sorted(all_takes(reaper)) == [[12.25, 8.0, 0.0], [60.0, 8.0, 0.0]]
    assert set(bridge.words()) == {f"{job}.1.placed.json"}
    reaper.check()


def test_both_halves_of_a_split_show_their_own_part(reaper: Reaper, bridge: StandIn, sent: dict[str, Any]) -> None:
    reaper.do(f"half = fake.split_item({ITEM}, 15.0)")
    reaper.seconds(2)
    reaper.do("half.info.D_POSITION = 50.0 fake.touch(song)")
    reaper.seconds(2)
    arrive(reaper, bridge, sent)
    assert sorted(all_takes(reaper)) == [[12.25, 2.75, 0.0], [50.0, 5.25, 2.75]]


@pytest.mark.parametrize(
    ("edit", "placed"),
    [
        ("D_POSITION = 14.25 {i}.info.D_LENGTH = 6.0", [14.25, 6.0, 2.0]),
        ("D_LENGTH = 3.0", [12.25, 3.0, 0.0]),
        ("D_POSITION = 11.25 {i}.info.D_LENGTH = 9.0", [11.25, 9.0, -1.0]),
    ],
    ids=["left edge", "right edge", "extended"],
)
def test_trimmed_edges(reaper: Reaper, bridge: StandIn, sent: dict[str, Any], edit: str, placed: list[float]) -> None:
    reaper.do(f"{ITEM}.info.{edit.format(i=ITEM)} fake.touch(song)")
    arrive(reaper, bridge, sent)
    assert all_takes(reaper) == [placed]


def test_variations_are_takes_of_one_item_in_the_order_of_arrival(
    reaper: Reaper, bridge: StandIn, tmp_path: Path
) -> None:
    song(reaper, tmp_path / "song")
    sent = transform(reaper, bridge, Variations="3")
    assert sent["variations"] == 3
    jobs = bridge.status(sent, "generating", "generating", "stored")
    bridge.result(sent, jobs[2], variation=3)
    reaper.seconds(4)
    assert "1 of 3 takes are here" in notes(reaper)
    assert "generating" in notes(reaper)
    jobs = bridge.status(
        sent, "stored", "failed", "placed", problem={"code": "E-FAILED", "text": "It went wrong.", "next": "Again."}
    )
    bridge.result(sent, jobs[0], variation=1)
    reaper.seconds(4)
    names = reaper.do(f"local t = {{}} for i, k in ipairs({ITEM}.takes) do t[i] = k.texts.P_NAME end return t")
    assert names == ["rain (3)", "rain (1)"]
    assert reaper.get(f"{ITEM}.active") == 0, "what is listened to stays"
    text = notes(reaper)
    assert "E-FAILED: It went wrong." in text
    assert "Again." in text
    assert text.index("take 1: seed 9") < text.index("take 2: seed 7")


def test_undo_is_the_persons_last_word(reaper: Reaper, bridge: StandIn, sent: dict[str, Any]) -> None:
    job = arrive(reaper, bridge, sent)
    reaper.do("fake.undo(song)")
    reaper.seconds(20)
    assert takes(reaper) == 0
    bridge.result(sent, job)
    reaper.seconds(20)
    assert takes(reaper) == 0, "also when it is announced again"
    assert bridge.commands() == [], "and it is not asked for again"
    reaper.do("fake.redo(song)")
    reaper.seconds(4)
    assert takes(reaper) == 1, "redo is theirs as well"
    reaper.check()


def test_undone_in_a_saved_project_and_opened_again(
    reaper: Reaper, bridge: StandIn, sent: dict[str, Any], tmp_path: Path
) -> None:
    job = arrive(reaper, bridge, sent)
    bridge.forget(job)
    bridge.words()
    reaper.do("fake.undo(song)")
    reaper.seconds(4)
    reaper.do("fake.save(song) fake.close(song) song = fake.open(song.path)")
    reaper.press("Watcher (starts by itself)")
    reaper.seconds(20)
    assert takes(reaper) == 0
    assert bridge.commands() == []


def test_place_unplaced_takes_brings_back_what_was_undone(
    reaper: Reaper, bridge: StandIn, sent: dict[str, Any]
) -> None:
    job = arrive(reaper, bridge, sent)
    bridge.forget(job)
    bridge.words()
    bridge.status(sent, "placed")
    reaper.do("fake.undo(song)")
    reaper.seconds(4)
    assert "Place unplaced takes" in notes(reaper)
    reaper.do("fake.answers = {2}")
    reaper.press("Place unplaced takes")
    assert "undone" in reaper.get("fake.menu")
    (command,) = bridge.commands()
    assert command == {"command": "deliver", "job": job}
    bridge.status(sent, "stored")
    bridge.result(sent, job, delivery=2)
    reaper.seconds(4)
    assert takes(reaper) == 1
    assert bridge.words() == [f"{job}.2.placed.json"]
    reaper.check()


def test_closed_without_saving_it_comes_again(reaper: Reaper, bridge: StandIn, sent: dict[str, Any]) -> None:
    saved(reaper)
    job = arrive(reaper, bridge, sent)
    bridge.forget(job)
    bridge.words()
    reaper.do("path = song.path fake.close(song)")
    reaper.seconds(4)
    assert bridge.commands() == [], "nobody is there"
    reaper.do("song = fake.open(path)")
    reaper.seconds(4)
    assert bridge.commands() == [{"command": "deliver", "job": job}]
    bridge.result(sent, job, delivery=2)
    reaper.seconds(4)
    assert takes(reaper) == 1
    saved(reaper)
    reaper.do("fake.close(song) song = fake.open(path)")
    reaper.seconds(10)
    assert bridge.commands() == []
    assert takes(reaper) == 1
    reaper.check()


@pytest.mark.parametrize("name", ["", "other.rpp"])
def test_saved_it_is_settled(reaper: Reaper, bridge: StandIn, sent: dict[str, Any], tmp_path: Path, name: str) -> None:
    job = arrive(reaper, bridge, sent)
    reaper.do(f'fake.save(song, "{tmp_path / "song" / name}")' if name else "fake.save(song)")
    reaper.seconds(4)
    assert list((bridge.inbox / ".unsaved").iterdir()) == []
    bridge.forget(job)
    bridge.status(sent, "placed")
    reaper.do("fake.undo(song)")
    reaper.seconds(10)
    assert bridge.commands() == []


def test_two_tabs_with_the_same_song(reaper: Reaper, bridge: StandIn, sent: dict[str, Any], tmp_path: Path) -> None:
    copy = tmp_path / "song two" / "copy.rpp"
    copy.parent.mkdir()
    reaper.do(f'local mine = song.path fake.save(song, "{copy}") fake.save(song, mine) other = fake.open("{copy}")')
    job = arrive(reaper, bridge, sent)
    assert all_takes(reaper) == all_takes(reaper, "other") == [[12.25, 8.0, 0.0]]
    assert {path.parent for path in tmp_path.rglob(f"rain-{job}.wav")} >= {
        tmp_path / "song" / "Media",
        tmp_path / "song two" / "Media",
    }
    assert bridge.words() == [f"{job}.1.placed.json"]
    reaper.check()


@pytest.mark.parametrize(
    "what", [f"fake.delete_item({ITEM})", "fake.close(song) fake.new_project('')", "fake.undo(song)"]
)
def test_no_placeholder_no_place(reaper: Reaper, bridge: StandIn, sent: dict[str, Any], what: str) -> None:
    reaper.do(f"fake.new_project('') {what}")
    arrive(reaper, bridge, sent)
    reaper.seconds(20)
    assert bridge.words() == [], "it is not confirmed, and not given up"
    for tab in range(1, reaper.get("#fake.tabs") + 1):
        assert all_takes(reaper, f"fake.tabs[{tab}]") == []


def test_place_unplaced_takes_places_into_the_project_that_is_open(
    reaper: Reaper, bridge: StandIn, sent: dict[str, Any]
) -> None:
    reaper.do(f"fake.delete_item({ITEM})")
    job = arrive(reaper, bridge, sent)
    reaper.do("fake.answers = {1}")
    reaper.press("Place unplaced takes")
    assert "at 0:12.250 from Söng.rpp" in reaper.get("fake.menu")
    reaper.seconds(4)
    assert all_takes(reaper) == [[12.25, 8.0, 0.0]]
    assert bridge.words() == [f"{job}.1.placed.json"]
    reaper.check()


def test_nothing_unplaced(reaper: Reaper, bridge: StandIn) -> None:
    reaper.press("Place unplaced takes")
    assert reaper.get("fake.modals") == ["No take waits to be placed."]


def test_a_take_of_a_project_that_was_never_saved_can_be_brought_back(
    reaper: Reaper, bridge: StandIn, tmp_path: Path
) -> None:
    song(reaper, tmp_path / "song")
    reaper.do("song.path = ''")
    sent = transform(reaper, bridge)
    job = arrive(reaper, bridge, sent)
    assert takes(reaper) == 1
    assert reaper.get(f"{ITEM}.takes[1].source.path") == str(bridge.home / "library" / "2026-11-22" / f"rain-{job}.wav")
    bridge.forget(job)
    bridge.words()
    reaper.do("fake.crash() song = fake.tabs[1]")
    reaper.do("fake.answers = {1}")
    reaper.press("Place unplaced takes")
    assert bridge.commands() == [{"command": "deliver", "job": job}]
    bridge.result(sent, job, delivery=2)
    reaper.seconds(4)
    assert all_takes(reaper) == [[12.25, 8.0, 0.0]]


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("song.play_state = 5", "song.play_state = 0"),
        ("fake.rendering = {project = song, ticks = 1e9}", "fake.rendering = nil"),
    ],
)
def test_not_while_it_records_or_renders(
    reaper: Reaper, bridge: StandIn, sent: dict[str, Any], begin: str, end: str
) -> None:
    reaper.do(begin)
    job = arrive(reaper, bridge, sent)
    assert takes(reaper) == 0
    reaper.do(end)
    reaper.seconds(4)
    assert takes(reaper) == 1
    assert bridge.words() == [f"{job}.1.placed.json"]


def test_a_file_that_is_no_take(reaper: Reaper, bridge: StandIn, sent: dict[str, Any]) -> None:
    bridge.beat()
    (job,) = bridge.status(sent, "stored")
    file = bridge.result(sent, job)
    file.write_bytes(b"no audio" * 1000)
    reaper.seconds(4)
    assert takes(reaper) == 0
    assert bridge.words() == [f"{job}.1.unplaced.json"]
    bridge.result(sent, job)
    reaper.seconds(8)
    assert bridge.words() == [f"{job}.1.unplaced.json"], "what could not be placed is never called placed"
    assert reaper.get("#song.history") == 3, "nothing was done"
    reaper.check()


@pytest.mark.parametrize("trouble", ["frames", "gone", "refused"])
def test_what_cannot_be_read_back_is_not_confirmed(
    reaper: Reaper, bridge: StandIn, sent: dict[str, Any], trouble: str
) -> None:
    bridge.beat()
    (job,) = bridge.status(sent, "stored")
    file = bridge.result(sent, job, **({"frames": 1000} if trouble == "frames" else {}))
    if trouble == "gone":
        file.unlink()
    if trouble == "refused":
        reaper.do("fake.refuse_source = true")
    reaper.seconds(4)
    assert takes(reaper) == 0
    (word,) = (bridge.inbox / f"{job}.1.unplaced.json",)
    told = json.loads(word.read_text())
    assert told["code"] == "E-UNPLACED"
    assert told["message"]
    reaper.check()


def test_an_item_that_is_not_as_it_was_made_is_not_confirmed(
    reaper: Reaper, bridge: StandIn, sent: dict[str, Any]
) -> None:
    """REAPER may take a call and do something else: what counts is what it says when it is asked afterwards."""
    reaper.do("""
        local set = reaper.SetMediaItemTakeInfo_Value
        reaper.SetMediaItemTakeInfo_Value = function(take, name, value)
          return set(take, name, name == "D_STARTOFFS" and value + 1 or value)
        end""")
    bridge.beat()
    (job,) = bridge.status(sent, "stored")
    bridge.result(sent, job)
    reaper.seconds(4)
    assert bridge.words() == [f"{job}.1.unplaced.json"]
    assert takes(reaper) == 0, "and what was begun is taken back"
    reaper.check()


def test_a_full_disk_beside_the_project(reaper: Reaper, bridge: StandIn, sent: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "song" / "Media").write_text("a file where the folder should be")
    job = arrive(reaper, bridge, sent)
    assert reaper.get(f"{ITEM}.takes[1].source.path") == str(bridge.home / "library" / "2026-11-22" / f"rain-{job}.wav")
    assert "lies in the library" in notes(reaper)
    assert bridge.words() == [f"{job}.1.placed.json"]


def test_a_file_of_that_name_is_not_overwritten(
    reaper: Reaper, bridge: StandIn, sent: dict[str, Any], tmp_path: Path
) -> None:
    (job,) = bridge.status(sent, "stored")
    mine = tmp_path / "song" / "Media" / f"rain-{job}.wav"
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    arrive(reaper, bridge, sent)
    assert mine.read_bytes() == b"mine"
    assert reaper.get(f"{ITEM}.takes[1].source.path") == str(mine.with_name(f"rain-{job} (2).wav"))


def test_a_shorter_take_is_neither_looped_nor_stretched(reaper: Reaper, bridge: StandIn, sent: dict[str, Any]) -> None:
    arrive(reaper, bridge, sent, seconds=5.0)
    assert all_takes(reaper) == [[12.25, 8.0, 0.0]]
    assert reaper.get(f"{{{ITEM}.info.B_LOOPSRC, {ITEM}.takes[1].info.D_PLAYRATE}}") == [0, 1]


def test_a_project_that_never_looks_modified(reaper: Reaper, bridge: StandIn, sent: dict[str, Any]) -> None:
    reaper.do("fake.never_dirty = true")
    arrive(reaper, bridge, sent)
    assert takes(reaper) == 1
    assert list((bridge.inbox / ".unsaved").iterdir()) == []


def test_the_persons_own_undo_steps_stay(reaper: Reaper, bridge: StandIn, sent: dict[str, Any]) -> None:
    reaper.do('fake.undo_point(song, "mine")')
    bridge.status(sent, "generating")
    reaper.seconds(5)
    arrive(reaper, bridge, sent)
    titles = reaper.do("local t = {} for i, one in ipairs(song.history) do t[i] = one.title end return t")
    assert titles == ["", "made", "DAW Bridge: ask for a take", "mine", "DAW Bridge: take placed"]


def test_progress_is_no_undo_step_and_is_written_once_a_second(
    reaper: Reaper, bridge: StandIn, sent: dict[str, Any]
) -> None:
    steps, before = reaper.get("#song.history"), reaper.get("fake.writes.P_NOTES")
    for percent in range(40):
        bridge.status(sent, "generating", fraction=percent / 100)
        reaper.tick(8)
    assert reaper.get("#song.history") == steps
    assert reaper.get("fake.writes.P_NOTES") - before <= 12


def test_a_press_while_a_take_arrives(reaper: Reaper, bridge: StandIn, sent: dict[str, Any]) -> None:
    (job,) = bridge.status(sent, "stored")
    bridge.result(sent, job)
    answer(reaper, Prompt="more")
    reaper.press("Transform selection")
    reaper.seconds(6)
    assert len(bridge.requests()) == 1
    assert reaper.get("#fake.all_items(song)") == 3
    assert len(all_takes(reaper)) == 1
    assert reaper.get("#fake.scripts") == 1, "one watcher"
    assert reaper.get("#fake.modals") == 2, "two forms, and REAPER asked nothing"
    reaper.check()


def test_undone_and_saved_and_closed_at_once(reaper: Reaper, bridge: StandIn, sent: dict[str, Any]) -> None:
    job = arrive(reaper, bridge, sent)
    bridge.forget(job)
    bridge.words()
    reaper.do("fake.undo(song)")
    reaper.tick(9)
    reaper.do("fake.save(song) fake.close(song) song = fake.open(song.path)")
    reaper.seconds(10)
    assert bridge.commands() == []
    assert takes(reaper) == 0


@pytest.mark.parametrize("way", ["edit", "redo", "action"])
def test_what_can_be_redone_is_not_lost(
    reaper: Reaper, bridge: StandIn, sent: dict[str, Any], tmp_path: Path, way: str
) -> None:
    reaper.do('fake.undo_point(song, "mine") fake.undo(song)')
    arrive(reaper, bridge, sent)
    assert takes(reaper) == 0
    assert "what you can redo" in notes(reaper)
    assert reaper.get("#song.history") == 4
    if way == "edit":
        reaper.do('fake.undo_point(song, "another")')
    elif way == "redo":
        reaper.do("fake.redo(song)")
    else:
        reaper.do("fake.answers = {1}")
        reaper.press("Place unplaced takes")
        assert "ends what you can redo" in reaper.get("fake.menu")
    reaper.seconds(4)
    assert takes(reaper) == 1
    assert len(bridge.words()) == 1
    reaper.check()


MANY = 10_000


@pytest.mark.parametrize("lua", ["lupa.lua54"], indirect=True)
def test_no_look_goes_through_ten_thousand_items(
    reaper: Reaper, bridge: StandIn, sent: dict[str, Any], tmp_path: Path
) -> None:
    """A take arrives, and its item is copied meanwhile: both get it, and each turn looks at some items only."""
    reaper.do(f"""
        many = fake.new_track(song, "many")
        for number = 1, {MANY} do fake.new_audio_item(many, 100 + number, 1) end""")
    reaper.seconds(8)
    (job,) = bridge.status(sent, "stored")
    bridge.result(sent, job)
    reaper.do(f"fake.copy_item({ITEM}, guitar, 60.0)")
    most = 0
    for _ in range(300):
        before = reaper.get("(fake.calls.GetMediaItem or 0)")
        reaper.tick()
        most = max(most, reaper.get("(fake.calls.GetMediaItem or 0)") - before)
    reaper.do("many.items = {}")
    assert most <= 400, "about 2 ms in a real REAPER, at 5 us an item"
    assert sorted(one[0] for one in all_takes(reaper)) == [12.25, 60.0]
