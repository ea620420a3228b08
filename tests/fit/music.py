"""Takes whose beats are known: drums made here, and real clips."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import soundfile

from bridge_daemon.fit.onsets import Samples

RATE = 48_000


def _hit(kind: str, random: np.random.Generator) -> Samples:
    seconds = np.arange(int(0.25 * RATE)) / RATE
    noise = random.standard_normal(len(seconds))
    if kind == "kick":
        return np.sin(2 * np.pi * np.cumsum(45 + 110 * np.exp(-seconds * 38)) / RATE) * np.exp(-seconds * 13)
    if kind == "snare":
        return 0.6 * noise * np.exp(-seconds * 24)
    return 0.25 * np.diff(noise, prepend=0) * np.exp(-seconds * 70)


#: Four beats: where in the bar each drum is hit.
PATTERNS = {
    "house": {"kick": (0, 1, 2, 3), "snare": (1, 3), "hat": (0.5, 1.5, 2.5, 3.5)},
    "rock": {"kick": (0, 2, 2.5), "snare": (1, 3), "hat": tuple(i / 2 for i in range(8))},
    "breaks": {"kick": (0, 0.5, 2.5), "snare": (1, 1.75, 2.25, 3), "hat": tuple(i / 2 for i in range(8))},
    "reggae": {"kick": (2,), "snare": (2,), "hat": (0.5, 1.5, 2.5, 3.5)},
}


def drums(
    pattern: str, tempo: float, *, lead: float = 0.0, seconds: float = 16.0, jitter: float = 0.0, seed: int = 1
) -> Samples:
    """Return frames × 2; beat 0 stands at ``lead``, s, and every hit is off by ``jitter``, s."""
    random = np.random.default_rng(seed)
    sound = np.zeros(int(seconds * RATE))
    for bar in range(int(seconds * tempo / 240) + 1):
        for kind, beats in PATTERNS[pattern].items():
            for beat in beats:
                at = round((lead + (bar * 4 + beat) * 60 / tempo + jitter * random.standard_normal()) * RATE)
                hit = _hit(kind, random) * (0.85 + 0.3 * random.random())
                if 0 <= at < len(sound):
                    sound[at : at + len(hit)] += hit[: len(sound) - at]
    sound = 0.8 * sound / np.abs(sound).max() + 1e-4 * random.standard_normal(len(sound))
    return np.stack([sound, sound], axis=1).astype(np.float32)


def loose(kind: str, seconds: float = 20.0, seed: int = 3) -> Samples:
    """Return a take without one tempo: ``pad``, ``noise``, ``random`` hits, or drums that become ``faster``."""
    random = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    sound = np.zeros(len(time))
    if kind == "pad":
        for pitch in (45, 52, 57, 60):
            sound += np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * time) * (1 + 0.2 * np.sin(1.4 * time))
    elif kind == "noise":
        sound = random.standard_normal(len(time))
    else:
        at, period = 0.0, 0.6
        while at < seconds - 0.5:
            hit = _hit(("kick", "snare")[random.integers(2)], random)
            sound[int(at * RATE) : int(at * RATE) + len(hit)] += hit
            period *= 0.995
            at += 0.05 + random.exponential(0.3) if kind == "random" else period
    sound = 0.5 * sound / np.abs(sound).max()
    return np.stack([sound, sound], axis=1).astype(np.float32)


#: What the real clips were asked for, BPM, by the start of their names; what came is up to 3 % off.
ASKED = {
    "calm_acoustic": 68,
    "calm_electronic": 72,
    "energetic_acoustic": 132,
    "energetic_electronic": 150,
    "happy_acoustic": 110,
    "happy_electronic": 123,
    "nostalgic_acoustic": 78,
    "nostalgic_electronic": 84,
    "tender_acoustic": 90,
    "tender_electronic": 99,
}


def asked_for(clip: Path) -> float:
    """Return the tempo that a clip was asked for, BPM."""
    return ASKED[clip.stem.rpartition("_")[0]]


def clips() -> list[Path]:
    """Return real clips of music, generated, free, half a minute and more."""
    return sorted(Path(str(files("immich_memories_music") / "tracks")).rglob("*.opus"))


def clip(path: Path, seconds: float = 30.0) -> Samples:
    """Return the start of a clip, at :data:`RATE`."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True, frames=int(seconds * RATE))
    assert rate == RATE
    return np.asarray(samples, np.float32)
