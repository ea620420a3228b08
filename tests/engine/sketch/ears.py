"""Measures that stand for listening."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.floating]


def spectrogram(audio: Numbers, window: int, hop: int) -> Numbers:
    """Return magnitudes (windows, bins) of the sum of both sides."""
    mono = audio.mean(axis=1)
    views = np.lib.stride_tricks.sliding_window_view(np.pad(mono, (window // 2, window)), window)[::hop]
    return np.abs(np.fft.rfft(views * np.hanning(window).astype(np.float32)))


def onsets(audio: Numbers, hop: int = 256) -> Numbers:
    """Return how much louder it becomes, over all frequencies, for each hop."""
    loud = np.log1p(100 * spectrogram(audio, 1024, hop))
    return np.maximum(np.diff(loud, axis=0), 0).sum(axis=1)


def tempo(audio: Numbers, rate: int) -> float:
    """Return the tempo, between 60 and 200, whose beats the onsets repeat at best over many beats."""
    hop = 256
    envelope = onsets(audio, hop)
    envelope = envelope - envelope.mean()
    size = 2 * envelope.size
    repeats = np.fft.irfft(np.abs(np.fft.rfft(envelope, size)) ** 2)[: envelope.size]
    candidates = np.arange(60, 200, 0.1)
    beats = 60 / candidates * rate / hop

    def score(lag: float) -> float:
        return float(np.interp(lag * np.arange(1, 17), np.arange(repeats.size), repeats).sum())

    return float(candidates[int(np.argmax([score(lag) for lag in beats]))])


def pitch_classes(audio: Numbers, rate: int) -> Numbers:
    """Return the share of each pitch class in the power between 100 and 2000 Hz."""
    window = 1 << 15
    power = (spectrogram(audio, window, window // 2) ** 2).sum(axis=0)
    bins = np.fft.rfftfreq(window, 1 / rate)
    heard = (bins > 100) & (bins < 2000)
    classes = np.round(69 + 12 * np.log2(bins[heard] / 440)).astype(int) % 12
    shares = np.bincount(classes, weights=power[heard], minlength=12)
    return np.asarray(shares / shares.sum())


def distance(one: Numbers, other: Numbers) -> float:
    """Return how far two sounds' spectra are apart, in dB, band by band over time."""

    def bands(audio: Numbers) -> Numbers:
        power = spectrogram(audio / np.sqrt(np.mean(audio**2)), 2048, 1024) ** 2
        edges = np.unique(np.geomspace(2, power.shape[1] - 1, 32).astype(int))
        return 10 * np.log10(np.add.reduceat(power, edges, axis=1) + 1e-3)

    return float(np.mean(np.abs(bands(one) - bands(other))))
