"""The sketch engine's music: the same each time, in time, in key, whole."""

from __future__ import annotations

import logging
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge_daemon.engine.sketch import harmony, sound, words
from tests.engine.sketch import ears

RATE = sound.RATE
PROMPTS = (
    "techno 128 bpm in A minor",
    "lofi hip hop, rhodes, warm pad, vinyl crackle",
    "ambient drone, very slow",
    "solo piano in C major",
    "drums only, rock",
    "rain",
    "sub bass 90 bpm",
    "drum and bass with strings",
    "a waltz for harp",
    "qwertz",
)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_is_whole(prompt: str) -> None:
    audio = sound.render(prompt, seconds=9.7, seed=5)
    assert audio.dtype == np.float32
    assert audio.shape == (round(9.7 * RATE), 2)
    assert np.isfinite(audio).all()
    assert 0.85 < np.abs(audio).max() <= sound.PEAK + 1e-6
    assert np.abs(audio[-1]).max() < 1e-4, "it ends with a fade"
    assert abs(audio.mean()) < 0.01
    assert audio[: RATE // 2].std() > 0.005, "it starts with beat 1"


@pytest.mark.parametrize("prompt", PROMPTS)
def test_is_not_harsh(prompt: str) -> None:
    audio = sound.render(prompt, seconds=10, seed=2, steps=100)
    power = np.abs(np.fft.rfft(audio.mean(axis=1))) ** 2
    bins = np.fft.rfftfreq(audio.shape[0], 1 / RATE)
    crest = 20 * np.log10(np.abs(audio).max() / audio.std())
    # recorded music has 0.1 to 0.5 % of its power above 6 kHz and a crest of 11 to 16 dB; one bass alone has less
    assert power[bins > 6000].sum() / power.sum() < 0.03
    assert power[bins < 25].sum() / power.sum() < 0.01
    assert 4 < crest < 20
    assert np.corrcoef(audio[:, 0], audio[:, 1])[0, 1] > -0.1, "a mono sum keeps it"


def test_same_bytes_each_time() -> None:
    def make(**other: float) -> bytes:
        return sound.render("house piano", **{"seconds": 4, "seed": 1, "steps": 50, "cfg_scale": 7, **other}).tobytes()

    assert make() == make()
    different = [make(seed=2), make(steps=90), make(steps=30), make(cfg_scale=2), make(cfg_scale=15)]
    assert len({make(), *different}) == 6


def test_the_beginning_does_not_depend_on_the_length() -> None:
    short, long = (sound.render("techno 128 bpm", seconds=seconds, seed=1) for seconds in (4, 12))
    short, long = short[: 3 * RATE], long[: 3 * RATE]
    gain = (short * long).sum() / (long * long).sum()
    assert np.abs(short - gain * long).max() < 1e-4


@settings(max_examples=15)
@given(
    prompt=st.sampled_from(PROMPTS),
    seconds=st.floats(1, 4),
    seed=st.integers(0, 2**32 - 2),
    steps=st.floats(6, 100),
    cfg_scale=st.floats(1, 25),
    rate=st.sampled_from([8000, 22050, 44100, 48000]),
)
def test_every_parameter_gives_music(
    prompt: str, seconds: float, seed: int, steps: float, cfg_scale: float, rate: int
) -> None:
    audio = sound.render(prompt, seconds=seconds, seed=seed, steps=steps, cfg_scale=cfg_scale, rate=rate)
    assert audio.shape == (round(seconds * rate), 2)
    assert np.isfinite(audio).all()
    assert 0.5 < np.abs(audio).max() <= 1


def test_three_minutes(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    before = time.perf_counter()
    audio = sound.render("house piano strings rain 124 bpm", seconds=190, seed=1)
    logging.getLogger(__name__).info("190 s took %.2f s", time.perf_counter() - before)
    assert audio.shape == (190 * RATE, 2)
    assert np.isfinite(audio[:: RATE // 7]).all()
    assert time.perf_counter() - before < 20, "an order of magnitude more than it takes"


@pytest.mark.parametrize("seconds", [1, 1.00001, 13.37])
def test_exact_length(seconds: float) -> None:
    assert sound.render("techno", seconds=seconds, seed=1).shape[0] == round(seconds * RATE)


@pytest.mark.parametrize(
    ("prompt", "asked"),
    [
        ("techno 128 bpm", 128),
        ("drums only, rock beat 97 bpm", 97),
        ("drums 113.5 bpm", 113.5),
        ("house piano 121 bpm", 121),
        ("hip hop beat 86 bpm", 86),
        ("harp arpeggio 105 bpm", 105),
        ("guitar waltz 150 bpm", 150),
    ],
)
def test_tempo_is_heard(prompt: str, asked: float) -> None:
    heard = ears.tempo(sound.render(prompt, seconds=16, seed=2), RATE)
    # eighths may be heard as beats and a half bar as a beat, in a waltz a bar of three
    ratios = [heard / (asked * factor) for factor in (1 / 3, 0.5, 2 / 3, 1, 4 / 3, 1.5, 2)]
    assert min(abs(ratio - 1) for ratio in ratios) < 0.01, heard


def test_strokes_lie_on_the_grid_to_the_frame() -> None:
    audio = np.abs(sound.render("techno kick drum 128 bpm", seconds=60, seed=1, steps=30).mean(axis=1))
    beats = [round(beat * 60 / 128 * RATE) for beat in range(120)]
    assert audio[0] < 0.05
    for at in beats:
        assert audio[at : at + 90].max() > 2 * audio[max(0, at - 90) : at].max(initial=0.02), at / RATE


@pytest.mark.parametrize("key", ["C major", "A minor", "F# major", "Eb minor"])
@pytest.mark.parametrize("parts", ["pad", "piano, bass"])
def test_key_is_heard(key: str, parts: str) -> None:
    prompt = f"{parts} in {key} 100 bpm"
    shares = ears.pitch_classes(sound.render(prompt, seconds=12, seed=4), RATE)
    scale = harmony.scale(words.read(prompt))
    assert sum(shares[list(scale)]) > 0.9
    assert {int(pitch) for pitch in np.argsort(shares)[-4:]} <= scale


def test_cfg_scale_is_how_strictly_the_prompt_is_followed() -> None:
    def added(cfg_scale: float) -> float:
        asked = sound.render("piano 100 bpm in C major", seconds=5, seed=3, cfg_scale=7)
        other = sound.render("piano 100 bpm in C major", seconds=5, seed=3, cfg_scale=cfg_scale)
        gain = (asked * other).sum() / (asked * asked).sum()
        return float((other - gain * asked).std())

    loosely = [added(cfg_scale) for cfg_scale in (7, 4, 1)]
    assert loosely == sorted(loosely)
    assert loosely[0] == 0
    assert loosely[-1] > 0.03

    def crest(cfg_scale: float) -> float:
        audio = sound.render("techno", seconds=8, seed=3, cfg_scale=cfg_scale)
        return float(np.abs(audio).max() / audio.std())

    assert crest(7) > crest(15) > crest(25), "pressed harder"


def test_steps_are_the_level_of_detail() -> None:
    def bright(steps: float) -> float:
        power = np.abs(np.fft.rfft(sound.render("pad in C", seconds=8, seed=3, steps=steps).mean(axis=1))) ** 2
        bins = np.fft.rfftfreq(8 * RATE, 1 / RATE)
        return float(power[bins > 1500].sum() / power.sum())

    assert bright(6) < bright(30) < bright(100)


def test_progress_goes_up_and_can_stop_it() -> None:
    told: list[float] = []
    sound.render("techno", seconds=20, seed=1, progress=told.append)
    assert told == sorted(told)
    assert told[0] < 0.1
    assert told[-1] == 1.0
    assert len(told) > 15

    class Enough(Exception):
        pass

    def stop(fraction: float) -> None:
        if fraction > 0.2:
            raise Enough

    with pytest.raises(Enough):
        sound.render("techno", seconds=20, seed=1, progress=stop)
