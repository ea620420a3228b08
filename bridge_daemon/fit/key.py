"""The key of a take: which of the 24 major and minor keys its notes agree with, and whether to trust that.

The notes are the peaks of the spectrum, folded into twelve pitch classes; profiles of how often each pitch class is
heard in a key say which one it is. essentia may not be used here, and librosa is too large (fit/grid.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

from bridge_daemon.fit.onsets import Samples, mono

_NAMES: Final = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_RATE: Final = 8000  # Hz
_WINDOW: Final = 4096  # samples at that rate: 2 Hz, so that two low notes stand apart
_HOP: Final = 2048
_LOW: Final = 55.0  # Hz
_HIGH: Final = 1800.0  # Hz: above, there are more overtones than notes
_FLOOR: Final = 40.0  # dB below the loudest peak of a frame
_OVERTONES: Final = 4
_FALL: Final = 0.6  # of the strength of a note's overtones, each beside the one before

# How often each pitch class is heard in music in C major and C minor (Temperley's, from the Kostka-Payne corpus).
_MAJOR: Final = (0.748, 0.060, 0.488, 0.082, 0.670, 0.460, 0.096, 0.715, 0.104, 0.366, 0.057, 0.400)
_MINOR: Final = (0.712, 0.084, 0.474, 0.618, 0.049, 0.460, 0.105, 0.747, 0.404, 0.067, 0.133, 0.330)

# What is needed to tell a key. Measured: docs/fit.md.
_LEAST_FIT: Final = 0.8  # correlation of the notes with the profile
_LEAST_LEAD: Final = 0.15  # by which it is better than the second


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """The key that fits best."""

    name: str  #: "A minor"
    confidence: float  #: 1 and more: it may be trusted


def measure(samples: Samples, rate: int) -> Key | None:
    """Return the key of a take (frames × channels); None where no notes are heard."""
    notes = chroma(samples, rate)
    if notes is None:
        return None
    centred = notes - notes.mean()
    strength = float(np.sqrt(np.sum(centred**2)))
    if strength < 1e-9:
        return None
    fits = {}
    for kind, profile in (("major", _MAJOR), ("minor", _MINOR)):
        shape = np.array(profile) - np.mean(profile)
        shape /= np.sqrt(np.sum(shape**2))
        for tonic, name in enumerate(_NAMES):
            fits[f"{name} {kind}"] = float(np.roll(shape, tonic) @ centred) / strength
    first, second = sorted(fits, key=lambda name: -fits[name])[:2]
    lead = fits[first] - fits[second]
    return Key(name=first, confidence=min(fits[first] / _LEAST_FIT, lead / _LEAST_LEAD))


def chroma(samples: Samples, rate: int) -> NDArray[np.float64] | None:
    """Return how much of each pitch class is heard, C first; None for what has no notes."""
    sound = soxr.resample(mono(samples), rate, _RATE, quality="MQ")
    if len(sound) < _WINDOW:
        return None
    frames = np.lib.stride_tricks.sliding_window_view(sound, _WINDOW)[::_HOP]
    window = np.hanning(_WINDOW).astype(np.float32)
    total = np.zeros(12)
    pitches, strengths = [], []
    for first in range(0, len(frames), 256):
        spectra = np.abs(np.fft.rfft(frames[first : first + 256] * window, axis=1))
        pitch, strength = _peaks(spectra)
        pitches.append(pitch)
        strengths.append(strength)
    pitch, strength = np.concatenate(pitches), np.concatenate(strengths)
    if not len(pitch):
        return None
    tuning = _tuning(pitch, strength)
    for overtone in range(1, _OVERTONES + 1):  # a peak may be an overtone: it counts a little for the lower note, too
        shifted = pitch - 12 * np.log2(overtone) - tuning
        near = np.round(shifted)
        weight = strength * _FALL ** (overtone - 1) * np.clip(1 - (np.abs(shifted - near) / 0.5) ** 2, 0, 1)
        total += np.bincount(near.astype(int) % 12, weight, 12)
    return total


def _peaks(spectra: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the pitch (MIDI) and the strength of the peaks of each frame; quiet frames count like loud ones."""
    low, high = int(_LOW * _WINDOW / _RATE), int(_HIGH * _WINDOW / _RATE)
    part = spectra[:, low - 1 : high + 1]
    inner = part[:, 1:-1]
    loudest = inner.max(axis=1, keepdims=True)
    heard = (inner > loudest * 10 ** (-_FLOOR / 20)) & (loudest > 1e-3)
    found = (inner > part[:, :-2]) & (inner >= part[:, 2:]) & heard
    row, column = np.nonzero(found)
    logs = np.log(part[row[:, None], column[:, None] + np.arange(3)] + 1e-12)
    bend = logs[:, 0] - 2 * logs[:, 1] + logs[:, 2]
    shift = np.clip(0.5 * (logs[:, 0] - logs[:, 2]) / np.where(bend == 0, -1e-9, bend), -0.5, 0.5)
    pitch = 69 + 12 * np.log2((column + low + shift) * _RATE / _WINDOW / 440)
    strength = np.sqrt(part[row, column + 1] / loudest[row, 0])
    return pitch, np.asarray(strength, np.float64)


def _tuning(pitch: NDArray[np.float64], strength: NDArray[np.float64]) -> float:
    """Return how far the notes are from 440 Hz, semitones: -0.5 to 0.5."""
    turn = np.sum(strength * np.exp(2j * np.pi * pitch))
    return float(np.angle(turn) / (2 * np.pi))
