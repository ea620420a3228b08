"""Audio-to-audio of the sketch engine, with real music as its source."""

from __future__ import annotations

import time

import numpy as np
import pytest
import soxr

from bridge_daemon.engine.sketch import sound, transform
from bridge_daemon.engine.sketch.transform import transform as run
from tests.engine.sketch import ears

RATE = sound.RATE
STRENGTHS = (0.0, 0.2, 0.5, 0.8, 1.0)


@pytest.mark.parametrize(
    ("name", "prompt"),
    [
        ("energetic_electronic_2", "warm pad and piano, slow"),
        ("calm_acoustic_1", "techno 133 bpm"),
        ("happy_acoustic_1", "techno 133 bpm"),
    ],
)
def test_strength_brings_it_closer_to_the_source(music, name: str, prompt: str) -> None:
    audio, rate = music[name]
    source = soxr.resample(audio, rate, RATE)
    source = source[: 4 * RATE]
    beats = ears.onsets(source)
    # a second longer than what is compared: the fade at the end is no part of the rhythm
    takes = [run(audio, rate, prompt, seconds=5, seed=1, strength=s)[: 4 * RATE] for s in STRENGTHS]
    rhythm = [float(np.corrcoef(ears.onsets(take), beats)[0, 1]) for take in takes]
    colour = [ears.distance(take, source) for take in takes]
    assert rhythm == sorted(rhythm), rhythm
    assert colour == sorted(colour, reverse=True), colour
    assert rhythm[-1] > 0.98
    assert colour[-1] < 1.0


def test_strength_1_is_the_source(music) -> None:
    audio, rate = music["happy_acoustic_1"]
    source = soxr.resample(audio, rate, RATE)
    take = run(audio, rate, "techno", seconds=10, seed=1, strength=1)
    take, source = take[: 9 * RATE], source[: 9 * RATE]
    gain = (take * source).sum() / (source * source).sum()
    assert (take - gain * source).std() < 1e-4 * take.std()
    assert gain == pytest.approx(1, abs=0.05), "its level too"


def test_strength_0_is_the_music_of_the_prompt(music) -> None:
    audio, rate = music["happy_acoustic_1"]
    take = run(audio, rate, "techno", seconds=5, seed=1, strength=0)
    assert take.tobytes() == sound.render("techno", seconds=5, seed=1).tobytes()


def test_the_direction_is_one_constant(music, monkeypatch: pytest.MonkeyPatch) -> None:
    audio, rate = music["happy_acoustic_1"]
    one = run(audio, rate, "techno", seconds=3, seed=1, strength=0.25)
    monkeypatch.setattr(transform, "ONE_IS_CLOSE", False)
    assert run(audio, rate, "techno", seconds=3, seed=1, strength=0.75).tobytes() == one.tobytes()


@pytest.mark.parametrize("strength", [0.3, 1.0])
@pytest.mark.parametrize(
    ("shape", "rate"),
    [((44100,), 44100), ((3000, 1), 8000), ((96000 * 4, 2), 96000), ((48000, 6), 48000), ((1, 2), 44100)],
)
def test_any_shape_of_source(shape: tuple[int, ...], rate: int, strength: float) -> None:
    source = (0.3 * np.random.default_rng(1).standard_normal(shape)).astype(np.float32)
    take = run(source, rate, "piano", seconds=2.345, seed=1, strength=strength)
    assert take.shape == (round(2.345 * RATE), 2)
    assert take.dtype == np.float32
    assert np.isfinite(take).all()
    assert 0.05 < np.abs(take).max() <= 1


@pytest.mark.parametrize("source", [np.zeros((44100, 2)), np.full((44100, 2), np.nan), np.zeros((0, 2))])
def test_nothing_to_hold_on_to(source) -> None:
    take = run(source, 44100, "piano", seconds=2, seed=1, strength=0.5)
    assert take.tobytes() == sound.render("piano", seconds=2, seed=1).tobytes()


def test_three_minutes(music) -> None:
    audio, rate = music["energetic_electronic_2"]
    before = time.perf_counter()
    told: list[float] = []
    take = run(audio, rate, "house strings", seconds=190, seed=1, strength=0.5, progress=told.append)
    assert take.shape == (190 * RATE, 2)
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert time.perf_counter() - before < 30, "an order of magnitude more than it takes"
