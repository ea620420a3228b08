"""Takes that fit: on the beats of the project, as loud as asked, looped; taken back by one undo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.reaper.flows import ITEM, notes, saved, song, takes, transform
from tests.reaper.reaper import Reaper
from tests.reaper.standin import StandIn

PLACE = 12.25
#: A take of 8 s that is 2 % slow, begins 120 ms late, and is quiet enough to be made louder.
GRID: dict[str, Any] = {
    "tempo": 117.6, "tempo_error": 0.002, "first_beat": 0.12, "first_sound": 0.118, "beat_error": 0.001,
    "half_a_beat_off": 0.1, "confidence": 1.4, "why_not": "", "loudness": -20.0, "true_peak": -6.0,
}  # fmt: skip
TAKE = f"{ITEM}.takes[1]"


@pytest.fixture
def sent(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> dict[str, Any]:
    """A press."""
    song(reaper, tmp_path / "song")
    return transform(reaper, bridge)


def arrive(reaper: Reaper, bridge: StandIn, sent: dict[str, Any], *, seconds: float = 8.0, **more: Any) -> str:
    (job,) = bridge.status(sent, "stored")
    saved(reaper)
    reaper.do("before = song.at")
    bridge.result(sent, job, seconds=seconds, **({"fit": "grid", "loudness": "off", "grid": GRID} | more))
    reaper.seconds(3)
    return job


def info(reaper: Reaper, *keys: str) -> list[float]:
    return [float(reaper.get(f"{TAKE}.info.{key}")) for key in keys]


def heard(reaper: Reaper, beats: int, grid: dict[str, Any] = GRID, tempo: float = 120.0) -> float:
    """Return how far the worst beat of the take is from the project's, s."""
    worst = 0.0
    for number in range(beats):
        source = float(reaper.get(f"fake.source_at({TAKE}, {PLACE} + {number} * 60 / {tempo})"))
        worst = max(worst, abs(source - (grid["first_beat"] + number * 60 / grid["tempo"])))
    return worst


def untouched(reaper: Reaper) -> None:
    assert takes(reaper) == 1
    assert info(reaper, "D_PLAYRATE", "D_STARTOFFS", "D_VOL") == [1, 0, 1]
    assert reaper.get(f"#{TAKE}.markers") == 0
    assert reaper.get("song.at - before") == 1


def test_every_beat_stands_on_a_beat_of_the_project(reaper: Reaper, bridge: StandIn, sent: dict[str, Any]) -> None:
    arrive(reaper, bridge, sent)
    assert heard(reaper, 15) < 1e-6
    assert info(reaper, "D_PLAYRATE", "B_PPITCH", "D_VOL") == [pytest.approx(120 / 117.6), 1, 1]
    assert reaper.get(f"{{{ITEM}.info.D_POSITION, {ITEM}.info.D_LENGTH}}") == [PLACE, 8.0]
    assert reaper.get(f"{{{ITEM}.info.D_FADEINLEN, {ITEM}.info.D_FADEOUTLEN}}") == [0.002, 0.010]
    assert "Fitted: its first beat, 120 ms late, on the place, 117.60 to 120.00 BPM." in notes(reaper)
    assert "It ends 0.28 s before its item does." in notes(reaper)
    reaper.check()


def test_one_undo_takes_the_fit_back_and_leaves_the_take(
    reaper: Reaper, bridge: StandIn, sent: dict[str, Any], tmp_path: Path
) -> None:
    arrive(reaper, bridge, sent, loudness=-16)
    assert reaper.get("song.at - before") == 2
    reaper.do("fake.undo(song)")
    reaper.seconds(30)
    assert takes(reaper) == 1
    assert info(reaper, "D_PLAYRATE", "D_STARTOFFS", "D_VOL") == [1, 0, 1]
    assert reaper.get(f"{ITEM}.info.D_FADEINLEN") == 0.005
    reaper.do("fake.redo(song)")
    reaper.seconds(3)
    assert heard(reaper, 15) < 1e-6
    reaper.check()


@pytest.mark.parametrize("fit", ["start", "grid", "loop"])
@pytest.mark.parametrize(
    "grid",
    [
        {"confidence": 0.8, "why_not": "its tempo changes"},
        {"confidence": 0.0, "tempo": None, "first_beat": None, "why_not": "nothing is heard in it"},
    ],
)
def test_low_confidence_touches_nothing_and_says_so(
    reaper: Reaper, bridge: StandIn, sent: dict[str, Any], fit: str, grid: dict[str, Any]
) -> None:
    told = {key: value for key, value in (GRID | grid).items() if value is not None}
    arrive(reaper, bridge, sent, fit=fit, grid=told)
    untouched(reaper)
    assert f"Not fitted: {grid['why_not']}." in notes(reaper)
    reaper.check()


def test_a_one_shot_begins_with_its_first_sound(reaper: Reaper, bridge: StandIn, sent: dict[str, Any]) -> None:
    grid = GRID | {"confidence": 0.9, "why_not": "it is too short to tell"}
    arrive(reaper, bridge, sent, seconds=2.0, fit="start", grid=grid)
    assert info(reaper, "D_PLAYRATE", "D_STARTOFFS") == [1, 0.118]


def test_start_moves_and_does_not_stretch(reaper: Reaper, bridge: StandIn, sent: dict[str, Any]) -> None:
    arrive(reaper, bridge, sent, fit="start")
    assert info(reaper, "D_PLAYRATE", "D_STARTOFFS") == [1, 0.12]


def test_a_stretch_that_is_not_heard_is_not_made(reaper: Reaper, bridge: StandIn, sent: dict[str, Any]) -> None:
    arrive(reaper, bridge, sent, grid=GRID | {"tempo": 119.9})
    assert info(reaper, "D_PLAYRATE", "D_STARTOFFS") == [1, 0.12]
    assert heard(reaper, 15, GRID | {"tempo": 119.9}) < 0.010


def test_a_first_beat_that_comes_very_late_is_left_alone(reaper: Reaper, bridge: StandIn, sent: dict[str, Any]) -> None:
    arrive(reaper, bridge, sent, grid=GRID | {"first_beat": 1.7})
    untouched(reaper)
    assert "Not fitted: its first beat comes 1.7 s late." in notes(reaper)


def test_another_tempo_at_the_place_is_told(reaper: Reaper, bridge: StandIn, sent: dict[str, Any]) -> None:
    reaper.do("song.tempo = 100")
    arrive(reaper, bridge, sent)
    assert info(reaper, "D_PLAYRATE", "D_STARTOFFS") == [1, 0.12]
    assert "Not stretched: the project has 100.00 BPM here, the take 117.60." in notes(reaper)


def test_where_the_tempo_changes_markers_hold_the_beats(reaper: Reaper, bridge: StandIn, sent: dict[str, Any]) -> None:
    reaper.do("song.tempo_changes = {{at = 14.25, tempo = 126}, {at = 18.0, tempo = 114}}")
    arrive(reaper, bridge, sent)
    assert info(reaper, "D_PLAYRATE") == [1]
    assert reaper.get(f"#{TAKE}.markers") > 10
    for number in range(15):
        time = reaper.do(
            f"return reaper.TimeMap2_QNToTime(song.pointer, reaper.TimeMap2_timeToQN(song.pointer, {PLACE}) + {number})"
        )
        source = reaper.get(f"fake.source_at({TAKE}, {time!r})")
        assert source == pytest.approx(0.12 + number * 60 / 117.6, abs=1e-6)
    assert "its beats follow the project's tempo" in notes(reaper)
    reaper.do("fake.undo(song)")
    assert reaper.get(f"#{TAKE}.markers") == 0
    reaper.check()


@pytest.mark.parametrize(
    ("loudness", "peak", "gain", "said"),
    [
        (-16, -6.0, 4.0, "+4.0 dB"),
        (-16, -3.0, 2.0, "2.0 LU quieter than asked: its peaks leave no room."),
        (-30, -6.0, -10.0, "-10.0 dB"),
        ("source", -6.0, -3.0, "-3.0 dB"),
        (-8, -30.0, 12.0, "LU quieter than asked"),
    ],
)
def test_it_is_as_loud_as_asked_and_never_clips(
    reaper: Reaper, bridge: StandIn, sent: dict[str, Any], loudness: Any, peak: float, gain: float, said: str
) -> None:
    grid = GRID | {"true_peak": peak, "source_loudness": -23.0} | ({"loudness": -22.0} if loudness == -8 else {})
    arrive(reaper, bridge, sent, fit="off", loudness=loudness, grid=grid)
    assert info(reaper, "D_VOL", "D_PLAYRATE", "D_STARTOFFS") == [pytest.approx(10 ** (gain / 20)), 1, 0]
    assert peak + gain <= -1.0
    assert said in notes(reaper)


def test_what_is_measured_later_fits_then_once(reaper: Reaper, bridge: StandIn, sent: dict[str, Any]) -> None:
    job = arrive(reaper, bridge, sent, grid=None)
    untouched(reaper)
    bridge.forget(job)
    bridge.words()
    bridge.status(sent, "placed")
    reaper.seconds(20)
    untouched(reaper)
    bridge.status(sent, "placed", grid=GRID)
    reaper.seconds(3)
    assert heard(reaper, 15) < 1e-6
    assert reaper.get("song.at - before") == 2
    reaper.do("fake.undo(song)")
    reaper.seconds(20)
    assert info(reaper, "D_PLAYRATE", "D_STARTOFFS") == [1, 0], "undone, and not done again"
    saved(reaper)
    reaper.seconds(10)
    assert reaper.get("#fake.scripts") == 0, "and nobody waits for it any more"
    reaper.check()


def test_undone_and_opened_again_after_a_restart_it_is_not_fitted_again(
    start: Any, bridge: StandIn, tmp_path: Path
) -> None:
    reaper = start()
    path = song(reaper, tmp_path / "song")
    sent = transform(reaper, bridge)
    job = arrive(reaper, bridge, sent, grid=None)
    bridge.forget(job)
    bridge.status(sent, "placed", grid=GRID)
    reaper.seconds(3)
    reaper.do("fake.undo(song) fake.save(song)")
    reaper.kill()
    again = start()
    again.do(f"song = fake.open('{path}')")
    again.press("Watcher (starts by itself)")
    again.seconds(10)
    assert info(again, "D_PLAYRATE", "D_STARTOFFS") == [1, 0]
    assert again.get("fake.errors") == []


def test_what_somebody_has_changed_is_theirs(reaper: Reaper, bridge: StandIn, sent: dict[str, Any]) -> None:
    arrive(reaper, bridge, sent, grid=None)
    reaper.do(f"{TAKE}.info.D_PLAYRATE = 0.5 fake.undo_point(song, 'theirs')")
    bridge.status(sent, "placed", grid=GRID)
    reaper.seconds(4)
    assert info(reaper, "D_PLAYRATE", "D_STARTOFFS") == [0.5, 0]
    assert "it was changed by hand" in notes(reaper)


def test_both_halves_of_a_split_and_a_moved_item_fit(reaper: Reaper, bridge: StandIn, sent: dict[str, Any]) -> None:
    reaper.do(f"half = fake.split_item({ITEM}, 15.0)")
    reaper.seconds(2)
    arrive(reaper, bridge, sent)
    told = reaper.do("""
        local told = {}
        for _, item in ipairs(fake.all_items(song)) do
          local take = item.takes[1]
          if take and take.source then told[#told + 1] = fake.source_at(take, 15.25) end
        end
        return told""")
    assert told == [pytest.approx(0.12 + 3.0 * 120 / 117.6)] * 2, "each plays its part of the same sound"
    reaper.check()


def test_nothing_is_fitted_while_somebody_records(reaper: Reaper, bridge: StandIn, sent: dict[str, Any]) -> None:
    arrive(reaper, bridge, sent, grid=None)
    reaper.do("song.play_state = 5")
    bridge.status(sent, "placed", grid=GRID)
    reaper.seconds(5)
    untouched(reaper)
    reaper.do("song.play_state = 0")
    reaper.seconds(3)
    assert heard(reaper, 15) < 1e-6


def test_a_loop_is_the_copy_whose_end_meets_its_beginning(
    reaper: Reaper, bridge: StandIn, sent: dict[str, Any], tmp_path: Path
) -> None:
    loop, _ = bridge.take(tmp_path / "library", "loop", seconds=4.0)
    arrive(reaper, bridge, sent, fit="loop", loudness=-16, fitted=str(loop))
    assert reaper.get(f"{TAKE}.source.path") == str(tmp_path / "song" / "Media" / loop.name)
    assert reaper.get(f"{{{ITEM}.info.B_LOOPSRC, {ITEM}.info.D_LENGTH}}") == [1, 8.0]
    assert info(reaper, "D_PLAYRATE", "D_STARTOFFS", "D_VOL") == [1, pytest.approx(0.003), 1]
    reaper.do("fake.undo(song)")
    assert reaper.get(f"{TAKE}.source.path") != str(tmp_path / "song" / "Media" / loop.name)
    assert reaper.get(f"{ITEM}.info.B_LOOPSRC") == 0
    reaper.check()


def test_fit_and_loudness_are_asked_for_in_the_form(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    sent = transform(reaper, bridge, Fit="loop", Loudness="-14,5")
    assert (sent["fit"], sent["loudness"]) == ("loop", -14.5)
    reaper.do("song.time_selection = {30.0, 36.0}")
    sent = transform(reaper, bridge, Prompt="another", Fit="", Loudness="Source")
    assert "fit" not in sent
    assert sent["loudness"] == "source"


@pytest.mark.parametrize(("field", "value"), [("Fit", "sideways"), ("Loudness", "-50"), ("Loudness", "loud")])
def test_what_is_no_choice_is_told_and_nothing_is_sent(
    reaper: Reaper, bridge: StandIn, tmp_path: Path, field: str, value: str
) -> None:
    song(reaper, tmp_path / "song")
    reaper.do(f'fake.answers = {{{{Prompt = "rain", {field} = "{value}"}}, "cancel"}}')
    reaper.press("Transform selection")
    reaper.seconds(2)
    assert f"{field}: " in " ".join(reaper.get("fake.modals"))
    assert bridge.requests() == []


def test_a_take_that_continues_its_source_stands_behind_it(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    bridge.beat(presets={"on": {"prompt": "on", "action": "transform", "continue_from": 6.0, "duration": 8.0}})
    sent = transform(reaper, bridge, Preset="on", Prompt="")
    assert (sent["place"]["position"], sent["place"]["length"]) == (PLACE, 8.0), "where the source begins"
    (job,) = bridge.status(sent, "stored")
    grid = GRID | {"first_beat": 0.02, "enter": 1.6, "crossfade": 0.03}
    bridge.result(sent, job, seconds=12.0, fit="grid", loudness="off", grid=grid)
    reaper.seconds(3)
    assert float(reaper.get(f"{ITEM}.info.D_POSITION")) == PLACE + 8
    assert info(reaper, "D_STARTOFFS") == [1.6]
    assert info(reaper, "D_PLAYRATE") == [pytest.approx(120 / 117.6)]
    assert float(reaper.get("riff.info.B_MUTE")) == 0
