"""Where sounds begin in a take: how much louder each band becomes from one frame to the next (log spectral flux).

librosa and madmom compute the same; the first brings numba and 400 MB, the weights of the second may not be used for
money. The numbers below were set on takes whose beats are known (docs/fit.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

Samples = NDArray[np.float32]  #: frames × channels, full scale is 1
Curve = NDArray[np.float64]  #: one number for each frame of an envelope

#: Frames of the envelope in a second, about: each is a whole number of samples long.
_FRAMES_A_SECOND: Final = 200
#: Frames of silence that are put before the take, so that a sound at its very start is an onset, too.
LEAD: Final = 20
_WINDOW: Final = 0.0213  # s
_LAG: Final = 2  # frames between the spectra that are compared
_BANDS: Final = 32
_FLOOR: Final = 60.0  # dB below the loud parts; what is quieter does not count
_BASS_RATE: Final = 2000  # Hz
_BASS_WINDOW: Final = 128  # samples at that rate
_BASS_BINS: Final = slice(2, 10)  # 31 to 150 Hz
_BASS_FLOOR: Final = -26.0  # dB
_AUDIBLE: Final = -40.0  # dB below the loud parts: the quietest that counts as sound
_BLOCK: Final = 64  # frames whose spectra are in memory at once: as much as a processor keeps near


@dataclass(frozen=True, kw_only=True, slots=True)
class Envelope:
    """Where a take becomes louder. Frame :data:`LEAD` is its first sample."""

    flux: Curve  #: mean rise of all bands, dB
    bass: Curve  #: rise below 150 Hz, dB
    level: Curve  #: level of the frame, dB below the loud parts
    fps: float  #: frames a second

    @property
    def seconds(self) -> float:
        """The length of the take, s."""
        return (len(self.flux) - LEAD) / self.fps

    @property
    def times(self) -> Curve:
        """The time of each frame in the take, s."""
        return (np.arange(len(self.flux)) - LEAD) / self.fps


def mono(samples: Samples) -> Samples:
    """Return the mean of all channels, or the first one if they cancel each other out."""
    if samples.shape[1] == 1:
        return samples[:, 0]
    mean: Samples = samples @ np.full(samples.shape[1], 1 / samples.shape[1], np.float32)
    together = float(np.vdot(mean, mean)) / len(mean) if len(mean) else 0.0
    apart = float(np.vdot(samples, samples)) / max(1, samples.size)
    return mean if together > 0.2 * apart else np.ascontiguousarray(samples[:, 0])


def envelope(samples: Samples, rate: int) -> Envelope:
    """Return where a take becomes louder. About 0.3 s for three minutes."""
    sound = mono(samples)
    hop = rate // _FRAMES_A_SECOND
    count = 1 + len(sound) // hop + LEAD
    bands = _bands(sound, rate, hop, count)
    loud = float(np.percentile(bands.max(axis=1), 99)) + 1e-12
    levels = 10 * np.log10(bands / loud + 10 ** (-_FLOOR / 10))
    rise = np.zeros(count)
    rise[_LAG:] = np.maximum(levels[_LAG:] - levels[:-_LAG], 0).mean(axis=1)
    total = bands.sum(axis=1)
    level = 10 * np.log10(total / (float(np.percentile(total, 99)) + 1e-12) + 1e-9)
    fps = rate / hop
    return Envelope(flux=rise, bass=_bass(sound, rate, count, fps), level=level, fps=fps)


def _bands(sound: Samples, rate: int, hop: int, count: int) -> NDArray[np.float32]:
    """Return the power of each band in each frame."""
    size = 1 << round(math.log2(_WINDOW * rate))
    window = np.hanning(size + 1)[:-1].astype(np.float32)
    padded = np.concatenate([np.zeros(size // 2 + LEAD * hop, np.float32), sound, np.zeros(size + hop, np.float32)])
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop][:count]
    edges = np.geomspace(30, min(16_000, rate / 2.1), _BANDS + 1)
    bins = np.unique(np.clip(np.searchsorted(np.fft.rfftfreq(size, 1 / rate), edges), 1, size // 2))
    of_band = np.zeros((bins[-1], len(bins) - 1), np.float32)
    for band, (low, high) in enumerate(pairwise(bins)):
        of_band[low:high, band] = 1
    power = np.empty((count, len(bins) - 1), np.float32)
    for first in range(0, count, _BLOCK):
        spectrum = np.fft.rfft(frames[first : first + _BLOCK] * window, axis=1)[:, : bins[-1]]
        power[first : first + _BLOCK] = (spectrum.real**2 + spectrum.imag**2) @ of_band
    return power


def _bass(sound: Samples, rate: int, count: int, fps: float) -> Curve:
    """Return the rise below 150 Hz, from windows of 64 ms: short ones take the attack of a guitar for a bass."""
    slow = soxr.resample(sound, rate, _BASS_RATE, quality="MQ")
    hop = _BASS_RATE / fps
    before = np.zeros(_BASS_WINDOW // 2 + int(LEAD * hop), np.float32)
    padded = np.concatenate([before, slow, np.zeros(2 * _BASS_WINDOW, np.float32)])
    starts = np.minimum((np.arange(count) * hop).astype(int), len(padded) - _BASS_WINDOW)
    window = np.hanning(_BASS_WINDOW + 1)[:-1].astype(np.float32)
    frames = padded[starts[:, None] + np.arange(_BASS_WINDOW)] * window
    power = (np.abs(np.fft.rfft(frames, axis=1))[:, _BASS_BINS] ** 2).sum(axis=1)
    level = 10 * np.log10(power / (float(np.percentile(power, 99)) + 1e-12) + 1e-4)
    rise = np.zeros(count)
    rise[3:-1] = np.maximum(level[4:] - level[:-4], 0)  # the long window sees a bass a frame late
    return np.where(level > _BASS_FLOOR, rise, 0.0)


def peaks(curve: Curve, least: float) -> tuple[Curve, Curve]:
    """Return where a curve has its peaks, in fractions of a frame, and how high they are."""
    inner = curve[1:-1]
    found = np.flatnonzero((inner > curve[:-2]) & (inner >= curve[2:]) & (inner > least)) + 1
    before, top, after = curve[found - 1], curve[found], curve[found + 1]
    bend = before - 2 * top + after
    shift = 0.5 * (before - after) / np.where(bend == 0, -1e-9, bend)
    return np.asarray(found + np.clip(shift, -0.5, 0.5), np.float64), top


def first_sound(of: Envelope) -> float | None:
    """Return when the take becomes audible, s; None for silence."""
    audible = of.level > _AUDIBLE
    at, _ = peaks(of.flux, 0.15 * float(np.percentile(of.flux, 99.5)))
    last = len(audible) - 1
    begun = [one for one in at if audible[min(last, int(one) + 3)]]
    if begun:
        return float((begun[0] - LEAD) / of.fps)
    anywhere = np.flatnonzero(audible)
    return float((anywhere[0] - LEAD) / of.fps) if len(anywhere) else None
