"""Capture: what is rendered, and that the person finds everything as it was, whatever happens."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
import soundfile

from tests.reaper.flows import ITEM, answer, notes, render_settings, song, transform
from tests.reaper.reaper import Reaper
from tests.reaper.standin import StandIn


def press(reaper: Reaper, **fields: str) -> None:
    answer(reaper, **({"Prompt": "strings"} | fields))
    reaper.press("Transform selection")


@pytest.mark.parametrize("mode", ["blocking", "background"])
@pytest.mark.parametrize("capture", ["heard", "no fx"])
def test_the_settings_are_put_back(reaper: Reaper, bridge: StandIn, tmp_path: Path, mode: str, capture: str) -> None:
    song(reaper, tmp_path / "song")
    before, selection = render_settings(reaper), reaper.get("song.time_selection")
    reaper.do(f'fake.render = "{mode}" fake.sidecars = true')
    sent = transform(reaper, bridge, Capture=capture)
    told = [line for line in render_settings(reaper) if not line.startswith("{")] + ["-"]
    assert set(told) - {"-"} <= set(before)
    assert reaper.get("guitar.info.I_FXEN") == 1
    assert reaper.get("song.master.info.I_FXEN") == 1
    assert reaper.get("song.time_selection") == selection
    assert reaper.get("guitar.selected") is True
    numbers = reaper.get("fake.renders[1].settings.numbers")
    assert (numbers["RENDER_BOUNDSFLAG"], numbers["RENDER_STARTPOS"], numbers["RENDER_ENDPOS"]) == (0, 12.25, 20.25)
    assert (numbers["RENDER_NORMALIZE"], numbers["RENDER_ADDTOPROJ"], numbers["RENDER_TAILFLAG"]) == (0, 0, 0)
    assert numbers["RENDER_SETTINGS"] == 128
    assert reaper.get("fake.renders[1].settings.effects[1]") == (1 if capture == "heard" else 0)
    folder = Path(sent["source"]["path"]).parent
    assert [one.name for one in folder.iterdir()] == [Path(sent["source"]["path"]).name], "no file beside it"
    reaper.check()


def test_the_settings_stay_until_a_render_in_the_background_has_ended(
    reaper: Reaper, bridge: StandIn, tmp_path: Path
) -> None:
    song(reaper, tmp_path / "song")
    before = render_settings(reaper)
    reaper.do('fake.render = "background"')
    press(reaper)
    reaper.tick(5)
    assert reaper.get("fake.rendering.touched") is None
    assert reaper.get("song.numbers.RENDER_STARTPOS") == 12.25
    reaper.seconds(3)
    assert reaper.get("song.numbers.RENDER_STARTPOS") == 1.5
    assert len(bridge.requests()) == 1
    assert {line for line in before if line.startswith("RENDER")} <= set(render_settings(reaper))


@pytest.mark.parametrize("mode", ["cancel", "background"])
def test_a_render_that_is_cancelled_sends_nothing(reaper: Reaper, bridge: StandIn, tmp_path: Path, mode: str) -> None:
    song(reaper, tmp_path / "song")
    before = render_settings(reaper)
    reaper.do(f'fake.render = "{mode}" fake.cancel_rendering = true')
    press(reaper)
    assert reaper.get("#fake.all_items(song)") == 2, "it stands there at once"
    reaper.seconds(6)
    assert bridge.requests() == []
    assert reaper.get("{#fake.all_items(song), #song.tracks}") == [1, 1], "the placeholder and its track are gone"
    assert render_settings(reaper) == before
    assert reaper.get("song.history[song.at].title") == "DAW Bridge: nothing was sent"
    reaper.check()


@pytest.mark.parametrize(
    ("state", "word"),
    [("fake.rendering = {project = song, ticks = 1e9}", "renders something else"), ("song.play_state = 5", "records")],
)
def test_nothing_is_touched_while_reaper_is_busy(
    reaper: Reaper, bridge: StandIn, tmp_path: Path, state: str, word: str
) -> None:
    song(reaper, tmp_path / "song")
    before = render_settings(reaper)
    reaper.do(state)
    reaper.press("Transform selection")
    assert word in reaper.get("fake.modals[1]")
    assert render_settings(reaper) == before
    assert reaper.get("#fake.all_items(song)") == 1
    assert reaper.get("#song.history") == 2, "no undo step for nothing"
    assert bridge.requests() == []


def test_an_error_while_rendering_puts_everything_back(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    before = {line for line in render_settings(reaper) if line.startswith(("RENDER", "master"))}
    reaper.do('fake.actions[42230] = function() error("no such thing") end')
    press(reaper, Capture="no fx")
    reaper.seconds(2)
    assert before <= set(render_settings(reaper))
    assert reaper.get("guitar.info.I_FXEN") == 1
    assert "no such thing" in notes(reaper)
    assert "nothing was spent" in notes(reaper)
    assert bridge.requests() == []


def test_ending_the_script_puts_everything_back(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    before = {line for line in render_settings(reaper) if line.startswith(("RENDER", "master"))}
    reaper.do('fake.render = "background"')
    press(reaper, Capture="no fx")
    reaper.tick(3)
    reaper.do("fake.terminate_all()")
    assert before <= set(render_settings(reaper))
    assert reaper.get("guitar.info.I_FXEN") == 1
    assert bridge.requests() == []


@pytest.mark.parametrize("what", ["fake.close(song)", f"fake.delete_item({ITEM})", "fake.undo(song)"])
def test_who_goes_away_while_it_renders_pays_nothing(
    reaper: Reaper, bridge: StandIn, tmp_path: Path, what: str
) -> None:
    song(reaper, tmp_path / "song")
    reaper.do('fake.render = "background"')
    press(reaper)
    reaper.tick(3)
    reaper.do(what)
    reaper.seconds(4)
    assert bridge.requests() == []
    assert list((bridge.inbox / ".sources").iterdir()) == []
    reaper.check()


@pytest.mark.parametrize(
    ("selection", "settings", "region"),
    [
        ("fake.new_track(song, 'two').selected = true", 0, (12.25, 20.25)),
        ("guitar.selected = false fake.answers[1] = 6", 0, (12.25, 20.25)),
        ("song.time_selection = {0, 0} riff.selected = true", 64, (10.0, 30.0)),
        (
            "song.time_selection = {0, 0} riff.selected = true fake.new_audio_item(guitar, 31, 4).selected = true",
            128,
            (10.0, 35.0),
        ),
        ("riff.selected = true fake.cursor_context = 1", 64, (10.0, 30.0)),
        ("riff.selected = true fake.cursor_context = 0", 128, (12.25, 20.25)),
        ("riff.selected = true guitar.selected = false", 64, (10.0, 30.0)),
        (
            """riff.selected = true fake.cursor_context = 1 guitar.razor = '11.0 13.5 "" 15.0 16.25 ""'""",
            128,
            (11.0, 16.25),
        ),
        ("""guitar.razor = '1.0 2.0 "{AB-C}"'""", 128, (12.25, 20.25)),
    ],
    ids=[
        *("tracks", "master", "item", "items", "items beside an old time selection", "tracks clicked after items"),
        *("items and no track", "razor edits", "razor edits of an envelope only"),
    ],
)
def test_what_is_selected_is_what_is_rendered(
    reaper: Reaper, bridge: StandIn, tmp_path: Path, selection: str, settings: int, region: tuple[float, float]
) -> None:
    song(reaper, tmp_path / "song")
    reaper.do(selection)
    sent = transform(reaper, bridge)
    numbers = reaper.get("fake.renders[1].settings.numbers")
    assert numbers["RENDER_SETTINGS"] == settings
    assert (numbers["RENDER_STARTPOS"], numbers["RENDER_ENDPOS"]) == region
    assert (sent["place"]["position"], sent["place"]["length"]) == (region[0], region[1] - region[0])


def test_the_whole_mix_is_never_sent_unasked(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    reaper.do("guitar.selected = false fake.answers[1] = 7")
    for action in ("Transform selection", "Transform again with the last settings"):
        reaper.do("fake.answers[1] = 7")
        reaper.press(action)
        assert "Send the whole mix, 12.25–20.25 s = 8.00 s?" in reaper.get("fake.modals[#fake.modals]")
        reaper.seconds(3)
    assert bridge.requests() == []
    assert reaper.get("{#fake.all_items(song), #song.tracks}") == [1, 1]
    reaper.check()


def test_nothing_selected(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    reaper.do("song.time_selection = {0, 0}")
    reaper.press("Transform selection")
    assert "Nothing is selected" in reaper.get("fake.modals[1]")
    reaper.tick()
    reaper.do("song.time_selection = {0, 500}")
    reaper.press("Transform selection")
    assert "at most 190 s" in reaper.get("fake.modals[2]")
    assert bridge.requests() == []


def test_a_dry_capture_has_what_the_items_play_and_silence_else(
    reaper: Reaper, bridge: StandIn, tmp_path: Path
) -> None:
    song(reaper, tmp_path / "song")
    before = render_settings(reaper)
    reaper.do("song.time_selection = {28.5, 31.5}")
    sent = transform(reaper, bridge, Capture="dry")
    assert {line for line in before if line.startswith(("RENDER", "master"))} <= set(render_settings(reaper))
    assert reaper.get("#fake.renders") == 0
    data, rate = soundfile.read(sent["source"]["path"])
    assert (rate, data.shape) == (48_000, (3 * 48_000, 2))
    assert (data[: round(1.5 * rate)] == 0.25).all()
    assert (data[round(1.5 * rate) :] == 0.0).all(), "what REAPER leaves in the buffer is no sound"
    reaper.check()


def test_tracks_are_summed(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    reaper.do('local two = fake.new_track(song, "two") two.selected = true fake.new_audio_item(two, 12.25, 4.0)')
    sent = transform(reaper, bridge, Capture="dry")
    data, rate = soundfile.read(sent["source"]["path"])
    assert (data[: 4 * rate] == 0.5).all()
    assert (data[4 * rate :] == 0.25).all()


def test_a_dry_capture_of_nothing(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    reaper.do("song.time_selection = {100, 101}")
    press(reaper, Capture="dry")
    reaper.seconds(2)
    assert "no audio in the selection" in notes(reaper)
    assert bridge.requests() == []
    assert list((bridge.inbox / ".sources").iterdir()) == []
    reaper.check()


def test_a_long_dry_capture_never_blocks(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    press(reaper, Capture="dry")
    for turn in range(3):
        blocks = reaper.get("fake.calls.GetAudioAccessorSamples") or 0
        assert blocks * 2048 * 15e-9 <= turn * 0.005, "at most 5 ms of work in a turn"
        reaper.tick()
    reaper.seconds(2)
    assert reaper.get("fake.calls.GetAudioAccessorSamples") == -(-8 * 48_000 // 2048)
    header = Path(bridge.request()["source"]["path"]).read_bytes()[:58]
    assert struct.unpack_from("<I", header, 4)[0] == 50 + 8 * 48_000 * 8
    reaper.check()


EIGHT = """
    song.time_selection = {10.0, 70.0}
    riff.info.D_LENGTH = 60.0
    for number = 2, 8 do
      local track = fake.new_track(song, "track " .. number)
      track.selected = true
      fake.new_audio_item(track, 10.0, 60.0)
    end
    fake.new_track(song, "silent").selected = true
"""


@pytest.mark.parametrize("lua", ["lupa.lua54"], indirect=True)
def test_eight_tracks_of_a_minute_are_captured_within_three_seconds(
    reaper: Reaper, bridge: StandIn, tmp_path: Path
) -> None:
    song(reaper, tmp_path / "song")
    reaper.do(EIGHT)
    press(reaper, Capture="dry")
    reaper.do("""
        began, longest = fake.now, 0
        repeat
          local before = fake.now + 1 / 30
          fake.tick()
          longest = math.max(longest, fake.now - before)
        until fake.accessors == 0 and fake.calls.GetAudioAccessorSamples
        took = fake.now - began""")
    assert reaper.get("took") <= 3.0
    assert reaper.get("longest") <= 0.005
    assert reaper.get("fake.calls.CreateTrackAudioAccessor") == 8, "a track that plays nothing is not read"
    reaper.seconds(1)
    samples = Path(bridge.request()["source"]["path"]).read_bytes()[58:]
    assert len(samples) == 60 * 48_000 * 8
    assert set(struct.iter_unpack("<f", samples[:4096])) == {(2.0,)}, "the sum of eight"
    reaper.check()


def test_old_captures_are_removed(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    folder = bridge.inbox / ".sources"
    folder.mkdir(parents=True)
    for name in ("20200101-old.wav", "notes.txt"):
        (folder / name).write_text("x")
    sent = transform(reaper, bridge)
    assert sorted(one.name for one in folder.iterdir()) == sorted([Path(sent["source"]["path"]).name, "notes.txt"])


def test_what_is_selected_meanwhile_stays_selected(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    reaper.do('fake.render = "background" two = fake.new_track(song, "two")')
    press(reaper)
    reaper.tick(3)
    reaper.do("guitar.selected = false two.selected = true")
    reaper.seconds(3)
    assert reaper.get("{guitar.selected, two.selected}") == [False, True]
    assert len(bridge.requests()) == 1


def test_a_press_is_rendered_as_it_was_selected(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    """Two presses: the second waits for the first, and the selection has changed until it is rendered."""
    song(reaper, tmp_path / "song")
    reaper.do('two = fake.new_track(song, "two") fake.new_audio_item(two, 12, 9)')
    press(reaper, Capture="dry")
    reaper.tick()
    reaper.do("guitar.selected = false two.selected = true")
    press(reaper, Prompt="second", Capture="heard")
    reaper.tick()
    reaper.do("guitar.selected = true two.selected = false")
    reaper.seconds(5)
    assert reaper.get("{#fake.renders, fake.renders[1].settings.tracks, fake.renders[1].selected}") == [1, 1, "two"]
    assert reaper.get("{guitar.selected, two.selected}") == [True, False]
    assert {sent["prompt"] for sent in bridge.requests()} == {"strings", "second"}
    reaper.check()


@pytest.mark.parametrize("capture", ["heard", "dry"])
def test_a_capture_can_be_cancelled(reaper: Reaper, bridge: StandIn, tmp_path: Path, capture: str) -> None:
    song(reaper, tmp_path / "song")
    before = {line for line in render_settings(reaper) if line.startswith(("RENDER", "master"))}
    if capture == "dry":
        reaper.do("song.time_selection = {10.0, 40.0} riff.info.D_LENGTH = 30.0")
    reaper.do('fake.render = "background"')
    press(reaper, Capture=capture)
    reaper.tick(2)
    reaper.press("Cancel newest")
    if capture == "heard":
        assert reaper.get("song.numbers.RENDER_STARTPOS") == 12.25, "the render goes on with its settings"
    reaper.seconds(4)
    assert bridge.requests() == []
    assert bridge.commands() == []
    assert "cancelled before it was sent. Nothing was sent, nothing was spent." in notes(reaper)
    assert before <= set(render_settings(reaper))
    assert list((bridge.inbox / ".sources").iterdir()) == []
    reaper.check()


def test_a_second_press_leaves_the_first_render_alone(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    reaper.do('fake.render = "background"')
    press(reaper)
    reaper.tick(3)
    reaper.press("Transform selection")
    assert "renders something else" in reaper.get("fake.modals[2]")
    reaper.seconds(4)
    assert len(bridge.requests()) == 1
    assert reaper.get("#fake.modals") == 2


def test_several_tracks_are_soloed_in_a_render_of_the_mix(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    reaper.do("fake.new_track(song, 'two').selected = true fake.new_track(song, 'three').info.I_SOLO = 1")
    reaper.do("fake.new_track(song, 'return').info.I_SOLO = 5 fake.render = 'background'")
    before = [line for line in render_settings(reaper) if "solo" in line]
    press(reaper)
    reaper.tick(3)
    assert reaper.get("fake.rendering.settings.heard") == ["Guitar é", "two", "return"]
    assert reaper.get("fake.rendering.settings.numbers.RENDER_SETTINGS") == 0
    reaper.seconds(4)
    assert set(before) <= set(render_settings(reaper))
    assert len(bridge.requests()) == 1
    reaper.check()


def test_solos_are_put_back_after_a_crash(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    path = song(reaper, tmp_path / "song")
    reaper.do("fake.new_track(song, 'two').selected = true fake.new_track(song, 'three').info.I_SOLO = 1")
    reaper.do("fake.render = 'background'")
    press(reaper)
    reaper.tick(3)
    reaper.do(f'fake.save(song) fake.crash() song = fake.open("{path}")')
    assert reaper.get("{song.tracks[1].info.I_SOLO, song.tracks[2].info.I_SOLO}") == [2, 2]
    reaper.press("Watcher (starts by itself)")
    reaper.seconds(5)
    assert reaper.do(
        "local t = {} for i, one in ipairs(song.tracks) do t[i] = one.info.I_SOLO end return {t[1], t[2]}"
    ) == [0, 0]
    reaper.check()


def test_no_fx_has_no_effects_of_items_either(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    reaper.do("riff.takes[1].fx = {{enabled = true}} fake.render = 'background'")
    press(reaper, Capture="no fx")
    reaper.tick(3)
    assert reaper.get("riff.takes[1].fx[1].enabled") is False
    reaper.seconds(4)
    assert reaper.get("riff.takes[1].fx[1].enabled") is True
    reaper.check()
