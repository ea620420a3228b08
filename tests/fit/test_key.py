"""The key of a take: told where it is certain, in whatever key and tuning it stands, and not told of what has none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bridge_daemon.fit import key
from bridge_daemon.fit.file import measure_samples
from bridge_daemon.fit.onsets import Samples
from tests.fit.music import RATE, clip, clips, drums, loose

NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
#: Cadences, as semitones above the tonic: I IV V I with a seventh, i iv V i.
CHORDS = {
    "major": ((0, 4, 7), (5, 9, 12), (7, 11, 14, 17), (0, 4, 7)),
    "minor": ((0, 3, 7), (5, 8, 12), (7, 11, 14), (0, 3, 7)),
}


def cadence(tonic: int, kind: str, *, a4: float = 440.0, seconds: float = 12.0) -> Samples:
    """Return the chords of a key, each note with overtones."""
    time = np.arange(int(seconds / 4 * RATE)) / RATE
    parts = []
    for chord in CHORDS[kind]:
        sound = np.zeros(len(time))
        for semitone in chord:
            pitch = a4 * 2 ** ((48 + tonic + semitone - 69) / 12)
            sound += sum(np.sin(2 * np.pi * pitch * overtone * time) / overtone**1.5 for overtone in range(1, 7))
        parts.append(sound * np.exp(-0.8 * time))
    whole = np.concatenate(parts)
    return np.stack([whole, whole], axis=1).astype(np.float32) * np.float32(0.5 / np.abs(whole).max())


@pytest.mark.parametrize("kind", ["major", "minor"])
@pytest.mark.parametrize("a4", [440.0, 448.0])
def test_every_key_is_told(kind: str, a4: float) -> None:
    for tonic in range(12):
        found = key.measure(cadence(tonic, kind, a4=a4), RATE)
        assert found is not None
        assert found.name == f"{NAMES[tonic]} {kind}"
        assert found.confidence >= 1


@pytest.mark.parametrize("kind", ["noise", "random", "faster"])
def test_what_has_no_notes_has_no_key(kind: str) -> None:
    found = key.measure(loose(kind), RATE)
    assert found is None or found.confidence < 1


def test_drums_and_silence_and_scraps_have_none() -> None:
    assert "key" not in measure_samples(drums("rock", 120), RATE, 120).as_dict()
    assert key.measure(np.zeros((RATE, 2), np.float32), RATE) is None
    assert key.measure(np.full((100, 2), 0.1, np.float32), RATE) is None


@pytest.mark.parametrize("path", clips()[::9], ids=lambda path: path.stem)
def test_a_real_clip_and_each_half_of_it_agree_where_they_are_certain(path: Path) -> None:
    sound = clip(path)
    half = len(sound) // 2
    found = [one for one in (key.measure(part, RATE) for part in (sound, sound[:half], sound[half:])) if one]
    assert len({one.name for one in found if one.confidence >= 1}) <= 1
