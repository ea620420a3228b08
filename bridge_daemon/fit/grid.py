"""The beat grid of a take whose tempo was asked for: its true tempo, where its beats stand, and whether to trust that.

A generated take keeps one tempo, near the one that was asked for, so one ratio for the whole take is the right model.
The pulse is looked for within 6 % of the asked tempo; a line through the onsets near its beats gives tempo and beat.
Five numbers say whether the take has such a pulse at all: pads, rubato and random hits must be left alone.

librosa, aubio, essentia and madmom were measured on the same takes: none is as exact, none says when not to trust it,
and the last three may not be used here by their licences (docs/fit.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bridge_daemon.fit.onsets import LEAD, Curve, Envelope, Samples, envelope, first_sound, peaks

#: How far from the asked tempo the pulse is looked for.
SPAN: Final = 0.06
#: A take is changed only within this part of the asked tempo.
MOST_OFF: Final = 0.04
#: Less than this says too little about a tempo.
LEAST_BEATS: Final = 8
LEAST_SECONDS: Final = 6.0
#: A take is moved at most so far, s.
MOST_SHIFT: Final = 1.5

_NEARBY: Final = 0.13  # other tempi, which the pulse is compared with
_HARMONICS: Final = ((1, 1.0), (2, 1.0), (4, 0.7))  # of the beat, and their weights
_RIVALS: Final = (2 / 3, 3 / 4, 4 / 5, 5 / 6, 6 / 5, 5 / 4, 4 / 3, 3 / 2)
_IN_THE_BAR: Final = (7 / 8, 15 / 16, 17 / 16, 9 / 8)  # a pattern that repeats each bar has a pulse there, too
_WEAKER: Final = 1.5  # which the pulse is at least so much stronger than
_BINS: Final = 96  # of a beat, when all beats are folded into one
_NEAR: Final = 0.025  # s: a bass and a first sound so near belong to the beat
_PEAK_LATE: Final = -0.0025  # s: the peak of the flux minus the attack of a click
_TOLERANCES: Final = (0.16, 0.10, 0.08)  # parts of a beat: how near an onset is to be, closer each time
_MOST_NEAR: Final = 0.07  # s

# What each of the five numbers must be at least, or at most. Measured: docs/fit.md.
_ATTACK: Final = 4.1  # dB, median rise at the beats
_CONTRAST: Final = 2.25  # strength of the pulse, beside the best other tempo nearby
_COHERENCE: Final = 0.935  # of the beat's phase over the parts of the take
_SPREAD: Final = 0.0195  # s, of the onsets round the grid
_RIVAL: Final = 0.85  # strength of the pulse, beside tempi at simple ratios

_WORDS: Final = {
    "attack": "its sounds begin too softly",
    "contrast": "it has no clear pulse near the tempo that was asked for",
    "coherence": "its tempo changes",
    "spread": "its beats are too loose",
    "rival": "it seems to have another tempo",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Grid:
    """Where the beats of a take stand."""

    asked: float  #: BPM
    tempo: float  #: BPM
    beat: float  #: s in the take: the first beat that sounds
    first_sound: float  #: s in the take
    tempo_error: float  #: standard error, as a part of the tempo
    beat_error: float  #: standard error, s
    offbeat: float  #: 0 to 1: how likely the grid stands half a beat off
    confidence: float  #: 1 and more: it may be trusted
    why_not: str  #: why it is not to be trusted; empty if it is

    @property
    def deviation(self) -> float:
        """How far the take is from the asked tempo, as a part of it."""
        return self.tempo / self.asked - 1

    @property
    def period(self) -> float:
        """The length of a beat, s."""
        return 60 / self.tempo


@dataclass(frozen=True, kw_only=True, slots=True)
class _Line:
    """A line through the onsets near the beats."""

    beat: float  # s, of beat 0
    period: float  # s
    spread: float  # s
    attack: float  # dB
    beat_error: float
    tempo_error: float


def doubt(grid: Grid, seconds: float) -> str:
    """Return why a grid that was found in a sound of a length, s, is not to be trusted; empty if it is."""
    if seconds < LEAST_SECONDS or seconds / grid.period < LEAST_BEATS:
        return "it is too short to tell"
    if not grid.why_not and abs(grid.deviation) > MOST_OFF:
        return "it is further from the tempo that was asked for than a stretch sounds good"
    return grid.why_not


def measure(samples: Samples, rate: int, asked: float) -> Grid | None:
    """Return the grid of a take (frames × channels) whose tempo, BPM, was asked for. None for silence and scraps."""
    of = envelope(samples, rate)
    sound = first_sound(of)
    if sound is None or of.seconds < 3:
        return None
    full, bass = _even(of.flux, of.fps), _even(of.bass, of.fps)
    pulse = _Pulse(full + 0.5 * bass, of)
    tempo, contrast, rival = pulse.tempo(asked)
    phase, offbeat = _phase(full, bass, of, 60 / tempo, sound + _PEAK_LATE)
    line = _line(pulse.curve, of, phase, 60 / tempo)
    if line is None:
        return None
    margins = {
        "attack": line.attack / _ATTACK,
        "contrast": contrast / _CONTRAST,
        "coherence": (1 - _COHERENCE) / max(1 - pulse.coherence(line.period), 1e-4),
        "spread": _SPREAD / max(line.spread, 1e-4),
        "rival": rival / _RIVAL,
    }
    worst = min(margins, key=lambda name: margins[name])
    return Grid(
        asked=asked,
        tempo=60 / line.period,
        beat=_first_beat(line, sound),
        first_sound=max(0.0, sound - _PEAK_LATE),
        tempo_error=line.tempo_error,
        beat_error=line.beat_error,
        offbeat=min(1.0, offbeat),
        confidence=margins[worst],
        why_not=_WORDS[worst] if margins[worst] < 1 else "",
    )


def _even(curve: Curve, fps: float) -> Curve:
    """Return a curve with its local mean taken off, evened out so that a quiet part counts, too, and limited."""
    rise = np.maximum(curve - _smooth(curve, int(0.6 * fps) | 1), 0)
    whole = math.sqrt(float(np.mean(rise * rise)))
    local = np.sqrt(_smooth(rise * rise, int(4 * fps) | 1)) if len(rise) > 4 * fps else whole
    even: Curve = np.minimum(rise / (local + 0.25 * whole + 1e-9), 6.0)
    return even


def _smooth(curve: Curve, width: int) -> Curve:
    padded = np.pad(curve, (width // 2, width - 1 - width // 2), mode="reflect")
    total = np.concatenate([[0.0], np.cumsum(padded)])
    smooth: Curve = np.maximum(total[width:] - total[:-width], 0.0) / width
    return smooth


class _Pulse:
    """How strong a pulse of each tempo is in a curve of onsets."""

    def __init__(self, curve: Curve, of: Envelope) -> None:
        self.curve = curve
        self._fps = of.fps
        self._times = of.times
        self._seconds = of.seconds
        self._swing = curve - curve.mean()
        self._norm = math.sqrt(float(np.sum(self._swing**2)) * math.pi / 4) + 1e-9  # noise has a strength of about 1
        self._size = 1 << int(len(curve) * 12).bit_length()
        self._spectrum = np.abs(np.fft.rfft(self._swing, self._size))

    def tempo(self, asked: float) -> tuple[float, float, float]:
        """Return the tempo near the asked one, and its strength beside other tempi nearby and at simple ratios."""
        step = 0.12 / (4 * self._seconds) * 60  # an eighth of the peak of the fourth harmonic
        tempi = np.arange(asked * (1 - _NEARBY), asked * (1 + _NEARBY), step)
        strengths = self._strengths(tempi)
        inside = np.flatnonzero(np.abs(tempi / asked - 1) <= SPAN)
        coarse = tempi[inside[np.argmax(strengths[inside])]]
        fine = np.linspace(coarse - step, coarse + step, 41)
        exact = self._exact(fine)
        tempo, strength = float(fine[np.argmax(exact)]), float(exact.max())
        others = np.abs(tempi - tempo) > 1.2 / self._seconds * 60
        of_bar = np.any([np.abs(tempi / tempo - ratio) < 0.3 / self._seconds for ratio in _IN_THE_BAR], axis=0)
        free = strengths[others & ~of_bar].max(initial=0.0)
        bar = strengths[others & of_bar].max(initial=0.0)
        width = 0.075 / self._seconds / (tempo / 60)
        ratios = np.concatenate([tempo * ratio * np.linspace(1 - width, 1 + width, 5) for ratio in _RIVALS])
        contrast = strength / max(float(free), float(bar) * _WEAKER / _CONTRAST, 1e-9)
        return tempo, contrast, strength / (float(self._strengths(ratios).max()) + 1e-9)

    def _strengths(self, tempi: Curve) -> Curve:
        """Return the strength of many tempi, read from one long spectrum."""
        total = np.zeros(len(tempi))
        for harmonic, weight in _HARMONICS:
            at = harmonic * tempi / 60 * self._size / self._fps
            low = at.astype(int)
            here, above = self._spectrum[low], self._spectrum[low + 1]
            total += weight * (here + (above - here) * (at - low)) / self._norm
        return total / sum(weight for _, weight in _HARMONICS)

    def _exact(self, tempi: Curve) -> Curve:
        """Return the strength of a few tempi, each as far from the one before, each summed by itself."""
        total = np.zeros(len(tempi))
        for harmonic, weight in _HARMONICS:
            turning = -2j * np.pi * harmonic / 60 * self._times
            turns = self._swing * np.exp(turning * tempi[0])
            step = np.exp(turning * (tempi[1] - tempi[0]))
            for index in range(len(tempi)):
                total[index] += weight * abs(turns.sum()) / self._norm
                turns *= step
        return total / sum(weight for _, weight in _HARMONICS)

    def coherence(self, period: float) -> float:
        """Return how far the parts of the take agree about where the beat is, 0 to 1."""

        def turning(harmonic: int) -> NDArray[np.complex128]:
            return np.asarray(np.exp(-2j * np.pi * harmonic * self._times / period))

        best = max(_HARMONICS, key=lambda one: one[1] * abs(np.sum(self._swing * turning(one[0]))))[0]
        turns = turning(best)
        parts = int(np.clip(self._seconds / (4 * period), 3, 12))
        edges = np.linspace(0, len(self.curve), parts + 1).astype(int)
        sums = []
        for first, last in pairwise(edges):
            part = self.curve[first:last]
            sums.append(np.sum((part - part.mean()) * turns[first:last]))
        return float(abs(np.sum(sums)) / (np.sum(np.abs(sums)) + 1e-9))


def _fold(curve: Curve, of: Envelope, period: float) -> Curve:
    """Return the mean of all beats."""
    bins = ((of.times / period % 1) * _BINS).astype(int) % _BINS
    mean = np.bincount(bins, curve, _BINS) / np.maximum(np.bincount(bins, minlength=_BINS), 1)
    folded: Curve = np.convolve(np.concatenate([mean[-1:], mean, mean[:1]]), [0.25, 0.5, 0.25], "valid")
    return folded


def _phase(full: Curve, bass: Curve, of: Envelope, period: float, sound: float) -> tuple[float, float]:
    """Return where in its period the beat stands, s, and how strong the place half a beat away is beside it.

    The beat is where most begins, bass counts more, and music begins with a beat.
    """
    all_bands, low = _fold(full, of, period), _fold(bass, of, period)
    pulsing = min(1.0, float(low.max() / (low.mean() + 1e-9)) / 4)
    all_bands, low = all_bands / (all_bands.max() + 1e-9), low / (low.max() + 1e-9)
    near = max(1, round(_NEAR / period * _BINS))  # the window of the bass blurs it
    low = np.max([np.roll(low, shift) for shift in range(-near, near + 1)], axis=0)
    start = sound / period % 1 * _BINS
    distance = np.abs((np.arange(_BINS) + 0.5 - start + _BINS / 2) % _BINS - _BINS / 2) / _BINS * period
    begins = np.exp(-0.5 * (distance / _NEAR) ** 2)
    # a bass that is never heard between the beats tells where they are, even if music begins off the beat, as in reggae
    alone = pulsing * np.clip((low - np.roll(low, _BINS // 2) - 0.85) / 0.1, 0, 1)
    begins *= 1.2 * (1 - alone.max())
    score = all_bands + (0.8 * pulsing * low + begins + 2 * alone) * (0.3 + 0.7 * all_bands)
    best = int(np.argmax(score))
    opposite = score[(best + _BINS // 2 + np.arange(-3, 4)) % _BINS].max()
    return (best + 0.5) / _BINS * period, float(opposite / (score[best] + 1e-9))


def _line(curve: Curve, of: Envelope, beat: float, period: float) -> _Line | None:
    """Return the line through the onsets nearest to the beats, which single ones that are off do not bend."""
    at, height = peaks(curve, 0.3 * float(np.percentile(curve, 99)))
    times = (at - LEAD) / of.fps
    line = None
    for tolerance in _TOLERANCES:
        numbers = np.arange(0 if beat < 0.5 * period else -1, int((of.seconds - beat) / period) + 1)
        near = min(tolerance * period, _MOST_NEAR)
        found = [(k, one) for k in numbers if (one := _nearest(times, height, beat + k * period, near)) is not None]
        if len(found) < 4:
            break
        which = np.array([one for _, one in found])
        number = np.array([k for k, _ in found], float)
        fitted = _robust(number, times[which], np.minimum(height[which], 4.0))
        if abs(fitted.period / period - 1) > 0.01:
            break
        frames = at[which].astype(int)
        rises = [of.flux[max(0, frame - 1) : frame + 3].max() for frame in frames]
        line = replace(fitted, attack=float(np.median(rises)))
        beat, period = line.beat, line.period
    return line


def _nearest(times: Curve, height: Curve, wanted: float, near: float) -> int | None:
    """Return which onset belongs to a beat: a high one is preferred, and a near one."""
    first, last = np.searchsorted(times, (wanted - near, wanted + near))
    if first == last:
        return None
    merit = height[first:last] * (1 - 0.5 * np.abs(times[first:last] - wanted) / near)
    return int(first + np.argmax(merit))


def _robust(number: Curve, time: Curve, weight: Curve) -> _Line:
    """Return the line of beat number to time by least squares, in which those far off count for nothing."""
    trust = weight.copy()
    for _ in range(6):
        mean_number = np.average(number, weights=trust)
        mean_time = np.average(time, weights=trust)
        centred = number - mean_number
        variance = np.average(centred * centred, weights=trust) + 1e-9
        period = np.average(centred * (time - mean_time), weights=trust) / variance
        beat = mean_time - period * mean_number
        off = time - (beat + period * number)
        spread = float(np.median(np.abs(off))) * 1.4826 + 5e-4
        used = trust
        trust = weight * np.clip(1 - (off / (4 * spread)) ** 2, 1e-9, None) ** 2
    count = max(2.0, float(used.sum() ** 2 / np.sum(used * used)))
    error = math.sqrt(float(np.average(off * off, weights=used)) / count)
    tempo_error = error / math.sqrt(variance) / period
    return _Line(
        beat=float(beat),
        period=float(period),
        spread=spread,
        attack=0.0,
        beat_error=error,
        tempo_error=float(tempo_error),
    )


def _first_beat(line: _Line, sound: float) -> float:
    """Return the first beat that sounds: the one nearest to the first sound, before which a pickup may stand."""
    origin = (line.beat - _PEAK_LATE) % line.period
    number = math.ceil((sound - _PEAK_LATE - 0.12 * line.period - origin) / line.period - 1e-9)
    first = origin + number * line.period
    return first if first >= -0.04 else first + line.period
