"""What may not stand in the way of something else: busy projects, old notes, our own undo, another cancel."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.reaper.flows import ITEM, answer, notes, render_settings, song, takes, transform
from tests.reaper.reaper import Reaper
from tests.reaper.standin import StandIn


def two_songs(reaper: Reaper, bridge: StandIn, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Send from two projects: ``first``, and ``song``, which is in front."""
    song(reaper, folder / "one")
    first = transform(reaper, bridge)
    reaper.do("first = song")
    song(reaper, folder / "two")
    return first, transform(reaper, bridge)


def test_a_project_that_records_holds_up_no_other(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    first, second = two_songs(reaper, bridge, tmp_path)
    reaper.do("first.play_state = 5")
    for number in range(6):
        bridge.result(first, f"a{number}")
    bridge.result(second, "zz")
    reaper.seconds(6)
    assert takes(reaper) == 1
    reaper.do("first.play_state = 0")
    reaper.seconds(20)
    assert reaper.get("#fake.all_items(first)[2].takes") == 6
    reaper.check()


def test_a_recording_that_begins_while_a_take_is_copied(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    first, second = two_songs(reaper, bridge, tmp_path)
    bridge.result(first, "aa")
    for _ in range(90):
        reaper.tick()
        if list(tmp_path.rglob("*.part")):
            break
    reaper.do("first.play_state = 5")
    bridge.result(second, "zz")
    reaper.seconds(6)
    assert takes(reaper) == 1, "the other project gets its take"
    before = reaper.get("fake.calls.CountMediaItems")
    reaper.seconds(10)
    assert reaper.get("fake.calls.CountMediaItems") - before < 60, "it looks again now and then, not in each turn"
    assert reaper.get("#fake.all_items(first)[2].takes") == 0
    reaper.do("first.play_state = 0")
    reaper.seconds(4)
    assert reaper.get("#fake.all_items(first)[2].takes") == 1
    assert len(list((tmp_path / "one").rglob("*.wav*"))) == 1, "it was copied once"
    assert bridge.words() == ["aa.1.placed.json", "zz.1.placed.json"]
    reaper.check()


def test_old_notes_of_takes_cost_no_search(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    folder = bridge.inbox / ".unsaved"
    folder.mkdir(parents=True)
    for number in range(40):
        told = {"mark": f"m{number}", "job": f"j{number}", "delivery": 1, "project": "", "time": time.time()}
        (folder / f"j{number}.1.x.json").write_text(json.dumps(told))
    reaper.press("Watcher (starts by itself)")
    reaper.seconds(10)
    assert reaper.get("fake.calls.CountMediaItems") < 20
    assert len(list(folder.iterdir())) == 40


def test_what_the_person_has_asked_for_is_not_asked_for_again(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    reaper.do("song.path = ''")
    sent = transform(reaper, bridge)
    (job,) = bridge.status(sent, "stored")
    bridge.result(sent, job)
    reaper.seconds(4)
    assert takes(reaper) == 1
    bridge.forget(job)
    bridge.words()
    reaper.do("fake.close(song) song = fake.tabs[1]")
    reaper.seconds(3)
    reaper.do("fake.answers = {1}")
    reaper.press("Place unplaced takes")
    reaper.seconds(5)
    assert bridge.commands() == [{"command": "deliver", "job": job}]


def test_a_render_that_was_cancelled_holds_up_no_take(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    """Our own undo of the placeholder leaves something to redo, which is nobody's."""
    song(reaper, tmp_path / "song")
    sent = transform(reaper, bridge)
    reaper.do('fake.render = "background" fake.cancel_rendering = true')
    answer(reaper, Prompt="no")
    reaper.press("Transform selection")
    reaper.seconds(6)
    assert reaper.get("#fake.all_items(song)") == 2
    (job,) = bridge.status(sent, "stored")
    bridge.result(sent, job)
    reaper.seconds(4)
    assert takes(reaper) == 1
    reaper.do("fake.undo(song)")
    bridge.result(sent, "another")
    reaper.seconds(4)
    assert takes(reaper) == 0, "what the person has undone is theirs"
    assert "what you can redo" in notes(reaper)
    reaper.check()


# Cancel


def job(name: str, request: str, state: str, **more: Any) -> dict[str, Any]:
    return {"job": name, "id": request, "state": state, "charge": "confirmed"} | more


@pytest.mark.parametrize(
    "newest",
    [job("a", "2", "stored"), job("a", "2", "unknown"), job("a", "2", "generating", wanted=False)],
    ids=["paid", "unknown", "cancelled"],
)
def test_cancel_leaves_alone_what_it_cannot_cancel(reaper: Reaper, bridge: StandIn, newest: dict[str, Any]) -> None:
    bridge.beat(jobs=[newest, job("c", "1", "generating")])
    bridge.inbox.mkdir(parents=True)
    reaper.press("Cancel newest")
    assert [one["job"] for one in bridge.commands()] == ["c"]


def test_a_take_that_is_paid_and_there_is_never_cancelled(reaper: Reaper, bridge: StandIn) -> None:
    bridge.beat(jobs=[job("a", "2", "stored")])
    bridge.inbox.mkdir(parents=True)
    reaper.press("Cancel newest")
    assert bridge.commands() == []
    assert "Nothing is open" in reaper.get("fake.modals[1]")


def test_cancel_never_takes_an_older_request_for_the_newest(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    sent = transform(reaper, bridge)
    bridge.beat(jobs=[job("old", "1", "generating")])
    reaper.press("Cancel newest")
    assert bridge.commands() == [], "the bridge has not said yet which jobs the newest request has"
    assert "a moment" in reaper.get("fake.modals[#fake.modals]")
    reaper.tick()
    jobs = bridge.status(sent, "generating", "stored")
    reaper.press("Cancel newest")
    assert [one["job"] for one in bridge.commands()] == [jobs[0]]


def test_two_captures_can_be_cancelled(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    for prompt in ("one", "two"):
        answer(reaper, Prompt=prompt, Capture="dry")
        reaper.press("Transform selection")
        reaper.tick()
    reaper.press("Cancel newest")
    reaper.tick()
    reaper.press("Cancel newest")
    reaper.seconds(5)
    assert bridge.requests() == []
    assert bridge.commands() == []
    assert reaper.get("#fake.modals") == 2, "two forms, and nothing else was said"


# What a preset says


def test_a_preset_says_length_and_variations(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    reaper.do("song.time_selection = {0, 0} song.cursor = 5")
    bridge.beat(presets={"rain": {"prompt": "rain", "duration": 12.5, "variations": 2}})
    answer(reaper, Preset="rain")
    reaper.press("Generate at cursor or time selection")
    sent = bridge.request()
    assert sent["place"]["length"] == 12.5
    assert "variations" not in sent, "the bridge takes the preset's"
    assert reaper.get(f"{ITEM}.info.D_LENGTH") == 12.5
    reaper.do("song.time_selection = {40, 44}")
    answer(reaper, Preset="rain", Variations="1")
    reaper.press("Generate at cursor or time selection")
    sent = bridge.request()
    assert (sent["place"]["length"], sent["variations"]) == (4.0, 1)
    reaper.do("song.time_selection = {0, 0}")
    answer(reaper, Preset="rain", Length="20", Variations="")
    reaper.press("Generate at cursor or time selection")
    assert bridge.request()["place"]["length"] == 20.0


def test_the_variations_of_a_preset_are_asked_about(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    bridge.beat(presets={"rain": {"prompt": "rain", "variations": 8}})
    answer(reaper, Preset="rain")
    reaper.do("fake.answers[#fake.answers + 1] = 6")
    reaper.press("Generate at cursor or time selection")
    assert "$4.64" in reaper.get("fake.modals[2]")
    assert bridge.request()["confirm_usd"] == pytest.approx(4.64)


# The person's session


def test_a_new_track_has_nothing_that_colours_the_take(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    transform(reaper, bridge, Track="new")
    assert reaper.get("#song.tracks") == 2
    assert reaper.get("song.tracks[2].info.I_RECARM or 0") == 0


def test_no_effect_is_switched_off_while_somebody_listens(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    reaper.do("song.play_state = 1")
    answer(reaper, Prompt="strings", Capture="no fx")
    reaper.press("Transform selection")
    reaper.seconds(3)
    assert reaper.get("#fake.renders") == 0
    assert "Stop the playback" in notes(reaper)
    assert "nothing was spent" in notes(reaper)
    assert bridge.requests() == []
    assert len(transform(reaper, bridge, Capture="heard")) > 3, "what is heard is rendered as before"
    reaper.check()


def test_a_project_that_was_saved_while_reaper_rendered_and_died(
    reaper: Reaper, bridge: StandIn, tmp_path: Path
) -> None:
    path = song(reaper, tmp_path / "song")
    before = render_settings(reaper)
    reaper.do(
        "riff.takes[1].fx = {{enabled = false}, {enabled = true}} riff.selected = true song.time_selection = {0, 0}"
    )
    reaper.do('fake.render = "background"')
    answer(reaper, Prompt="strings", Capture="no fx", Track="same")
    reaper.press("Transform selection")
    reaper.tick(3)
    assert reaper.get("{guitar.info.I_FXEN, song.master.info.I_FXEN, riff.takes[1].fx[2].enabled}") == [0, 0, False]
    reaper.do(f'fake.save(song) fake.crash() song = fake.open("{path}") guitar = song.tracks[1]')
    assert set(render_settings(reaper)) != set(before), "it was saved so"
    reaper.press("Watcher (starts by itself)")
    reaper.seconds(5)
    assert render_settings(reaper) == before
    assert (
        reaper.do('local _, text = reaper.GetProjExtState(song.pointer, "DAW Bridge", "before_capture") return text')
        == ""
    )
    reaper.check()


def test_an_edit_costs_no_search_through_10000_items(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    """At 5 µs a call, 2 ms are 400 calls; a look has 200 items of the walk, two calls each, among them."""
    song(reaper, tmp_path / "song")
    sent = transform(reaper, bridge)
    bridge.result(sent, bridge.status(sent, "placing")[0])
    reaper.seconds(4)
    assert reaper.get("#fake.all_items(song)[2].takes") == 1
    reaper.do("for n = 1, 10000 do fake.new_audio_item(guitar, n, 0.5) end")
    reaper.seconds(1)
    most = reaper.do("""
        local most = 0
        for n = 1, 16 do
          fake.touch(song)
          local before = fake.calls.GetMediaItem or 0
          for _ = 1, 8 do fake.tick() end
          most = math.max(most, (fake.calls.GetMediaItem or 0) - before)
        end
        return most""")
    assert most <= 200
    reaper.check()


def test_eight_tracks_of_a_minute_are_one_render(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    """REAPER sums them; nothing is read or mixed by the scripts, which take a few turns whatever the length."""
    song(reaper, tmp_path / "song")
    reaper.do("song.time_selection = {12.0, 72.0} for n = 2, 8 do fake.new_track(song, 't' .. n).selected = true end")
    transform(reaper, bridge)
    assert reaper.get("{#fake.renders, #fake.renders[1].settings.heard}") == [1, 8]
    assert reaper.get("fake.calls.GetAudioAccessorSamples") is None
    reaper.check()
