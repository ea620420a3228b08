"""The grid of a take: exact if there is one, and none where there is none."""

from __future__ import annotations

import numpy as np
import pytest
import soxr

from bridge_daemon.fit.grid import Grid, measure
from bridge_daemon.fit.onsets import Samples
from tests.fit.music import PATTERNS, RATE, asked_for, clip, clips, drums, loose


def beat_off(grid: Grid, tempo: float, beat: float) -> float:
    """Return how far the grid's beat is from a true one, s."""
    period = 60 / tempo
    return (grid.beat - beat + period / 2) % period - period / 2


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize(("asked", "off", "lead"), [(120, 0.013, 0.0), (84, -0.031, 0.42), (150, 0.0, 0.18)])
def test_drums(pattern: str, asked: float, off: float, lead: float) -> None:
    tempo = asked * (1 + off)
    grid = measure(drums(pattern, tempo, lead=lead, jitter=0.003), RATE, asked)
    assert grid is not None and grid.confidence >= 1, grid
    assert grid.tempo == pytest.approx(tempo, rel=1e-3)
    assert abs(beat_off(grid, tempo, lead)) < 0.010, "half a beat off, or late"
    assert grid.deviation == pytest.approx(off, abs=1e-3)


def test_its_own_errors_are_true() -> None:
    """Six times of seven the tempo is within three of the standard errors that it names."""
    within = 0
    for seed in range(7):
        grid = measure(drums("rock", 121.5, jitter=0.008, seed=seed), RATE, 120)
        assert grid is not None
        within += abs(grid.tempo / 121.5 - 1) <= 3 * grid.tempo_error + 5e-5
    assert within >= 6


@pytest.mark.parametrize("rate", [22_050, 44_100, 96_000])
def test_every_sample_rate(rate: int) -> None:
    sound = np.asarray(soxr.resample(drums("house", 122, lead=0.2), RATE, rate), np.float32)
    grid = measure(sound, rate, 120)
    assert grid is not None and grid.confidence >= 1
    assert grid.tempo == pytest.approx(122, rel=5e-4)
    assert abs(beat_off(grid, 122, 0.2)) < 0.010


@pytest.mark.parametrize("kind", ["pad", "noise", "random", "faster"])
@pytest.mark.parametrize("asked", [90, 120])
def test_what_has_no_one_tempo_is_not_to_be_trusted(kind: str, asked: float) -> None:
    grid = measure(loose(kind), RATE, asked)
    assert grid is None or (grid.confidence < 1 and grid.why_not)


@pytest.mark.parametrize("ratio", [2 / 3, 4 / 5, 1.25, 4 / 3, 1.16])
def test_another_tempo_is_not_taken_for_the_one_that_was_asked_for(ratio: float) -> None:
    grid = measure(drums("rock", 120 * ratio), RATE, 120)
    assert grid is None or grid.confidence < 1


def test_silence_and_scraps_have_none() -> None:
    assert measure(np.zeros((RATE * 8, 2), np.float32), RATE, 120) is None
    assert measure(drums("rock", 120, seconds=2), RATE, 120) is None


def test_channels_that_cancel_each_other_out_are_heard() -> None:
    sound = drums("house", 120)
    sound[:, 1] *= -1
    grid = measure(sound, RATE, 120)
    assert grid is not None and grid.confidence >= 1


def changed(sound: Samples, off: float, lead: float) -> Samples:
    """Return a clip played ``1 + off`` times as fast, after some silence."""
    faster = soxr.resample(sound, 1.0, 1 / (1 + off), quality="HQ")
    return np.concatenate([np.zeros((round(lead * RATE), 2), np.float32), faster]).astype(np.float32)


@pytest.mark.parametrize("number", range(0, 28, 4))
def test_real_music_that_was_changed_by_a_known_ratio(number: int) -> None:
    path = clips()[number]
    sound = clip(path)
    before = measure(sound, RATE, asked_for(path))
    assert before is not None and before.confidence >= 1
    off, lead = 0.021, 0.3
    after = measure(changed(sound, off, lead), RATE, before.tempo)
    assert after is not None and after.confidence >= 1
    tempo = before.tempo * (1 + off)
    assert after.tempo == pytest.approx(tempo, rel=3e-4)
    beat = lead + before.beat / (1 + off)
    last = round((lead + len(sound) / RATE / (1 + off) - beat) * tempo / 60)
    period = 60 / tempo
    error = (after.beat - beat + last * (after.period - period) + period / 4) % (period / 2) - period / 4
    assert abs(error) < 0.010, "the last beat"
