"""Copies that fit: read back, and measured again."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bridge_daemon.audio.wav import Bext, WavWriter
from bridge_daemon.fit.copy import Wish, render
from bridge_daemon.fit.file import copy, measure_samples
from bridge_daemon.fit.grid import measure
from bridge_daemon.fit.loudness import integrated, true_peak
from tests.fit.music import RATE, asked_for, clip, clips, drums, loose


@pytest.mark.parametrize("lead", [0.0, 0.4])
def test_a_loop_is_exact_and_stands_on_the_tempo(lead: float) -> None:
    sound = drums("rock", 118.2, lead=lead, seconds=20)
    made = render(sound, RATE, measure(sound, RATE, 120), Wish(fit="loop", tempo=120, bars=4))
    assert (made.notes, made.beats) == ([], 16)
    assert len(made.samples) == 4 * 4 * RATE // 2  # 16 beats of half a second
    again = measure(np.concatenate([made.samples] * 3), RATE, 120)
    assert again is not None and again.confidence >= 1
    assert again.tempo == pytest.approx(120, rel=2e-4)
    assert abs((again.beat - made.start + 0.25) % 0.5 - 0.25) < 0.010


def test_loops_of_real_music_have_no_click() -> None:
    heard = []
    for path in clips()[::5]:
        sound = clip(path)
        grid = measure(sound, RATE, asked_for(path))
        made = render(sound, RATE, grid, Wish(fit="loop", tempo=asked_for(path), bars=2))
        assert made.beats == 8
        seam = np.concatenate([made.samples[-RATE // 20 :], made.samples[: RATE // 20]]).mean(axis=1)
        jumps = np.abs(np.diff(seam, 2))
        middle = RATE // 20
        heard.append(
            jumps[middle - 3 : middle + 2].max() / np.sort(np.delete(jumps, slice(middle - 8, middle + 8)))[-20]
        )
    assert np.median(heard) <= 1.5
    assert sum(one > 1.5 for one in heard) <= 1


def test_a_grid_moves_the_last_beat_to_its_place() -> None:
    sound = drums("house", 121.7, lead=0.25, seconds=24)
    made = render(sound, RATE, measure(sound, RATE, 120), Wish(fit="grid", tempo=120))
    assert made.tempo == pytest.approx(120, abs=0.02) and not made.notes
    again = measure(made.samples, RATE, 120)
    assert again is not None
    assert again.beat == pytest.approx(made.start, abs=0.005)
    assert abs(40 * (again.period - 0.5)) < 0.010
    assert made.start < 0.03, "the silence before the first beat is cut"


def test_music_before_the_first_beat_stays() -> None:
    sound = drums("house", 120, lead=0.3)
    before = round(0.3 * RATE)
    sound[:before] += 0.1 * np.sin(2 * np.pi * 300 * np.arange(before) / RATE)[:, None].astype(np.float32)
    made = render(sound, RATE, measure(sound, RATE, 120), Wish(fit="start", tempo=120))
    assert made.start == pytest.approx(0.3, abs=0.01)
    assert np.abs(made.samples[RATE // 10 : RATE // 4]).max() > 0.05


@pytest.mark.parametrize("kind", ["pad", "random", "faster"])
def test_what_has_no_clear_tempo_keeps_its_own(kind: str) -> None:
    sound = loose(kind)
    made = render(sound, RATE, measure(sound, RATE, 120), Wish(fit="grid", tempo=100))
    assert made.tempo is None
    assert abs(len(made.samples) - len(sound)) < 1.6 * RATE
    assert any("left alone" in note for note in made.notes)


def test_loudness_by_gain_alone_and_never_above_its_ceiling() -> None:
    quiet = (0.3 * drums("house", 120)).astype(np.float32)
    made = render(quiet, RATE, None, Wish(loudness=-30))
    assert integrated(made.samples, RATE) == pytest.approx(-30, abs=0.05)
    loud = render(quiet, RATE, None, Wish(loudness=-8))
    peak = true_peak(loud.samples)
    assert peak is not None and peak <= -0.99
    assert any("leave no room" in note for note in loud.notes) or loud.gain == pytest.approx(12)


def test_a_loop_longer_than_the_take_is_told() -> None:
    sound = drums("rock", 120, seconds=8)
    made = render(sound, RATE, measure(sound, RATE, 120), Wish(fit="loop", tempo=120, bars=8))
    assert made.beats is None and any("shorter than the bars" in note for note in made.notes)


def test_a_copy_is_a_file_of_its_own(tmp_path: Path) -> None:
    sound = drums("rock", 121)
    take, to = tmp_path / "täke.wav", tmp_path / "copy.wav"
    soundfile.write(take, sound, RATE, subtype="PCM_24")
    before = take.read_bytes()
    made = copy(sound, RATE, measure_samples(sound, RATE, 120), Wish(fit="loop", tempo=120), to, of=take)
    assert take.read_bytes() == before
    read = soundfile.info(to)
    assert (read.frames, read.subtype) == (len(made.samples), "PCM_24")


def _loop_info(path: Path) -> tuple[int, int, int, float]:
    """Return what libsndfile reads of a file's tempo: numerator, denominator, beats, BPM."""
    with soundfile.SoundFile(path) as file:
        told = soundfile._ffi.new("char[]", 48)
        assert soundfile._snd.sf_command(file._file, 0x10E0, told, 44) == 1
        raw = bytes(soundfile._ffi.buffer(told, 44))
    numerator, denominator, _, beats, bpm = struct.unpack_from("=hhiif", raw)
    return numerator, denominator, beats, bpm


def test_a_copy_says_its_tempo_and_when_it_begins(tmp_path: Path) -> None:
    """By libsndfile and ffprobe: DAWs read the acid chunk and the time stamp."""
    sound = drums("house", 121.7, lead=0.25, seconds=24)
    take = tmp_path / "take.wav"
    with take.open("wb") as file:
        bext = Bext(description="house", originator_reference="abc", time_reference=10 * RATE)
        with WavWriter(file, rate=RATE, channels=sound.shape[1], bext=bext, info={"INAM": "house"}) as writer:
            writer.write(sound)
    measured = measure_samples(sound, RATE, 120)
    for fit, beats in (("grid", None), ("loop", 32)):
        to = tmp_path / f"{fit}.wav"
        made = copy(sound, RATE, measured, Wish(fit=fit, tempo=120), to, of=take)  # type: ignore[arg-type]
        numerator, _, told, bpm = _loop_info(to)
        assert (numerator, round(bpm, 1)) == (4, 120.0)
        assert told == (beats or round(len(made.samples) / RATE * 2))
        command = ["ffprobe", "-v", "error", "-show_entries", "format_tags", "-of", "json", str(to)]
        tags = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["format"]["tags"]
        assert int(tags["time_reference"]) == 10 * RATE - round(made.start * RATE)
        assert (tags["title"], tags["originator_reference"]) == ("house", "abc")
    to = tmp_path / "start.wav"
    copy(sound, RATE, measured, Wish(fit="start", tempo=120), to, of=take)
    with pytest.raises(AssertionError):  # its tempo is its own
        _loop_info(to)


def test_the_command_measures_and_writes_beside_the_take(tmp_path: Path) -> None:
    take = tmp_path / "täke 1.wav"
    soundfile.write(take, drums("house", 122), RATE, subtype="PCM_16")
    command = [sys.executable, "-m", "bridge_daemon", "fit", str(take), "--tempo", "120", "--fit", "loop", "--json"]
    files = []
    for _ in range(2):
        told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        assert told["grid"]["bpm"] == pytest.approx(122, abs=0.05)
        assert told["copy"]["beats"] == 32
        files.append(told["copy"]["file"])
    assert files[0] != files[1], "a copy is never overwritten by itself"
    refused = subprocess.run([*command[:5], "--fit", "loop"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2 and "tempo" in refused.stderr


@pytest.mark.parametrize("tempo", [118.0, 121.5])
def test_a_copy_on_the_grid_has_exactly_its_bars_and_faded_edges(tempo: float) -> None:
    sound = drums("house", tempo, lead=0.2, seconds=17)
    made = render(sound, RATE, measure(sound, RATE, 120), Wish(fit="grid", tempo=120, seconds=16.0))
    assert len(made.samples) == round((16.0 + made.start) * RATE)
    assert not made.notes
    assert np.abs(made.samples[0]).max() < 1e-3
    assert np.abs(made.samples[-1]).max() < 1e-3


def test_a_copy_that_is_shorter_than_its_bars_says_so() -> None:
    sound = drums("house", 120, lead=0.2, seconds=16)
    made = render(sound, RATE, measure(sound, RATE, 120), Wish(fit="grid", tempo=120, seconds=16.0))
    assert made.notes == ["It ends 0.20 s before its place does."]
