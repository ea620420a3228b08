"""Audio-to-audio of the sketch engine: the prompt's music, played with the rhythm and the colour of a source.

Both are cut into short overlapping windows. In each, the rendered music gets the loudness of the source in every band
of hearing, which carries over rhythm and colour, and the source itself is mixed in. How much of both is ``strength``.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import soxr

from bridge_daemon.engine.sketch import sound
from bridge_daemon.engine.sketch.sound import Progress, nothing
from bridge_daemon.engine.sketch.voices import Stereo

#: The service's page: 0 ignores the reference, 1 stays close to it. The model's maker says the reverse of its own API.
ONE_IS_CLOSE: Final = True

_WINDOW: Final = 2048  # frames: 46 ms, short enough for drums and long enough for a bass
_HOP: Final = _WINDOW // 2
_BANDS: Final = 48
_TOGETHER: Final = 64  # windows worked on at once: 1.5 s, which stays in the processor's cache
_LIMIT: Final = 12.0  # the most that a band is raised (21 dB), so that silence of the music is not torn up to noise
_SILENT: Final = 1e-5

_Spans = npt.NDArray[np.float32]
_Spectra = npt.NDArray[np.complex64]


def transform(
    source: npt.NDArray[np.floating],
    source_rate: int,
    prompt: str,
    *,
    seconds: float,
    seed: int,
    steps: float = sound.DEFAULT_STEPS,
    cfg_scale: float = sound.DEFAULT_CFG,
    strength: float = 1.0,
    rate: int = sound.RATE,
    progress: Progress = nothing,
) -> Stereo:
    """Return float32 of shape (round(seconds × rate), 2).

    ``source`` is (frames,) or (frames, channels) at ``source_rate``; one shorter than ``seconds`` is repeated. Strength
    1 gives the source, 0 the music of the prompt alone, byte for byte; see ``ONE_IS_CLOSE``.
    """
    closeness = strength if ONE_IS_CLOSE else 1.0 - strength
    music = sound.render(
        prompt,
        seconds=seconds,
        seed=seed,
        steps=steps,
        cfg_scale=cfg_scale,
        rate=rate,
        progress=lambda fraction: progress(0.5 * fraction),
    )
    reference = prepared(source, source_rate, music.shape[0], rate)
    loudest = float(np.abs(reference).max(initial=0.0))
    if closeness <= 0 or loudest < _SILENT:
        progress(1.0)
        return music  # nothing to hold on to
    # both at one loudness, so that the mix means what it says; the peak of the result lies between those of the two
    reference *= np.float32(rms(music) / rms(reference))
    mixed = _blend(music, reference, closeness, rate, lambda fraction: progress(0.5 + 0.45 * fraction))
    peak = float(sound.PEAK ** (1 - closeness) * min(loudest, 1.0) ** closeness)
    sound.finish(mixed, rate, press=None, peak=peak)
    progress(1.0)
    return mixed


def rms(audio: Stereo) -> float:
    """Return the level of a sound; never 0."""
    return float(np.sqrt(np.mean(np.square(audio), dtype=np.float64))) + 1e-12


def prepared(source: npt.NDArray[np.floating], source_rate: int, frames: int, rate: int) -> Stereo:
    """Return the source in stereo, at ``rate``, ``frames`` long."""
    audio = np.asarray(source, dtype=np.float32)
    audio = audio[:, None] if audio.ndim == 1 else audio
    needed = round(frames * source_rate / rate) + source_rate  # a second more: resampling needs some room at its end
    # of more than two channels the first two count
    audio = np.nan_to_num(audio[:needed, :2], posinf=0.0, neginf=0.0)
    if source_rate != rate:
        audio = np.asarray(soxr.resample(audio, source_rate, rate, quality="HQ"), dtype=np.float32)
    # np.tile and np.repeat would hold the interpreter for half a second; assignments let the event loop run on
    result = np.zeros((frames, 2), np.float32)
    filled = min(frames, audio.shape[0])
    result[:filled] = audio[:filled]  # a mono source sounds on both sides
    while 0 < filled < frames:
        more = min(filled, frames - filled)
        result[filled : filled + more] = result[:more]
        filled += more
    return result


def _blend(music: Stereo, reference: Stereo, closeness: float, rate: int, progress: Progress) -> Stereo:
    """Give the music the source's loudness in every band, and mix the source in; equal power at every strength."""
    frames = music.shape[0]
    windows = -(-frames // _HOP) + 1
    padded = _padded(music, windows), _padded(reference, windows)
    out = np.zeros((2, windows + 1, _HOP), np.float32)
    # applied before and after, its squares add up to 1 from window to window
    window = np.sin(np.pi * (np.arange(_WINDOW) + 0.5) / _WINDOW).astype(np.float32)
    edges = _edges(rate)
    keep, take = np.float32(np.cos(closeness * np.pi / 2)), np.float32(np.sin(closeness * np.pi / 2))
    for first in range(0, windows, _TOGETHER):
        last = min(first + _TOGETHER, windows)
        played, heard = (_spectra(side[:, first : last + 1], window) for side in padded)
        played *= keep * _gains(played, heard, closeness, edges)
        heard *= take
        played += heard
        cut = np.fft.irfft(played, _WINDOW) * window
        out[:, first:last] += cut[:, :, :_HOP]
        out[:, first + 1 : last + 1] += cut[:, :, _HOP:]
        progress(first / windows)
    return np.ascontiguousarray(out.reshape(2, -1)[:, _HOP : _HOP + frames].T)


def _padded(audio: Stereo, windows: int) -> _Spans:
    """Return (2, hops, frames of a hop), with a hop of silence before: each frame is then covered by two windows."""
    result = np.zeros((2, (windows + 1) * _HOP), np.float32)
    result[:, _HOP : _HOP + audio.shape[0]] = audio.T
    return result.reshape(2, windows + 1, _HOP)


def _spectra(hops: _Spans, window: _Spans) -> _Spectra:
    """Return the spectrum of every two neighbouring hops: (2, windows, bins)."""
    spectra = np.fft.rfft(np.concatenate((hops[:, :-1], hops[:, 1:]), axis=2) * window)
    return np.asarray(spectra, dtype=np.complex64)


def _edges(rate: int) -> npt.NDArray[np.intp]:
    """Return the first bin of each band: nearly even in pitch, no band without a bin."""
    bins = np.fft.rfftfreq(_WINDOW, 1 / rate)
    place = np.log2(1 + bins / 200) / np.log2(1 + bins[-1] / 200) * _BANDS
    return np.unique(np.searchsorted(place, np.arange(_BANDS)))


def _gains(played: _Spectra, heard: _Spectra, closeness: float, edges: npt.NDArray[np.intp]) -> _Spans:
    """Return (windows, bins): what brings the music's bands to those of the source, in the measure of closeness."""

    def power(spectra: _Spectra) -> _Spans:
        # both sides of the stereo together, and later one gain for both: else the picture would wander
        bins = (spectra.real**2 + spectra.imag**2).sum(axis=0)
        return np.asarray(np.add.reduceat(bins, edges, axis=1), dtype=np.float32)

    floor = np.float32(1e-7)
    # half of the power's ratio is the amplitude's
    ratio = ((power(heard) + floor) / (power(played) + floor)) ** np.float32(0.5 * closeness)
    gains = np.minimum(ratio, np.float32(_LIMIT))
    # a straight line from the middle of one band to that of the next. No matrix product: its result may depend on the
    # number of threads, which wait for each other by spinning while a DAW needs the processor
    bins = played.shape[-1]
    middles = (edges + np.append(edges[1:], bins) - 1) / 2
    position = np.interp(np.arange(bins), middles, np.arange(edges.size))
    lower = np.minimum(position.astype(np.intp), edges.size - 2)
    share = (position - lower).astype(np.float32)
    low, high = gains.take(lower, axis=1), gains.take(lower + 1, axis=1)
    return np.asarray(low + (high - low) * share, dtype=np.float32)
