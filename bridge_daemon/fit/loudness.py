"""Loudness as ITU-R BS.1770-4 defines it: integrated, in LUFS, and the true peak, in dBTP.

Both agree with ffmpeg's ebur128 within its rounding. `loudness` (libloudness) was tried: it has no wheel for Macs with
Intel processors and no true peak; pyebur128 has none from Python 3.13; pyloudnorm needs scipy.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bridge_daemon.fit.onsets import Samples

#: Quieter than this, LUFS, does not count (BS.1770, absolute gate).
_GATE: Final = -70.0
_RELATIVE_GATE: Final = -10.0  # LU below the mean of what passes the absolute gate
_OFFSET: Final = -0.691  # BS.1770: makes 0 dB of a 997 Hz sine at full scale read -3.01 LUFS
_SURROUND: Final = 1.41  # weight of the surround channels; the LFE has none
_TRANSFORM: Final = 1 << 17  # samples filtered at once
_RINGING: Final = 0.35  # s: the filters' answer is shorter
_OVERSAMPLED: Final = 4
_SINC: Final = 32  # taps of each phase
_KAISER: Final = 9.0  # shape of their window: the interpolation of ffmpeg's ebur128, whose readings others compare with
_NEAR_PEAK: Final = 0.5  # a sample beside the true peak is within 6 dB of the loudest sample
_PEAKS: Final = 1 << 14  # looked at together

#: The weights of channels, by their number: mono, stereo, … 5.1 and 7.1 in the order of a WAV file.
_WEIGHTS: Final = {6: (1, 1, 1, 0, _SURROUND, _SURROUND), 8: (1, 1, 1, 0, _SURROUND, _SURROUND, _SURROUND, _SURROUND)}


def integrated(samples: Samples, rate: int) -> float | None:
    """Return the integrated loudness of frames × channels, LUFS; None for silence and for less than 0.4 s."""
    power = _power(samples, rate)
    if len(power) < 4:
        return None
    blocks = (power[:-3] + power[1:-2] + power[2:-1] + power[3:]) / 4  # 400 ms, one each 100 ms
    heard = blocks[_lufs(blocks) > _GATE]
    if not len(heard):
        return None
    gate = _OFFSET + 10 * math.log10(heard.mean()) + _RELATIVE_GATE
    return _OFFSET + 10 * math.log10(heard[_lufs(heard) > gate].mean())


def true_peak(samples: Samples) -> float | None:
    """Return the highest level between the samples, too, dB below full scale; None for silence.

    soxr is not used for it: it cuts below half the sample rate and misses up to 0.5 dB of hiss.
    """
    loudest = float(max(samples.max(initial=0.0), -samples.min(initial=0.0)))
    if loudest == 0:
        return None
    sinc = _sinc()
    for channel in range(samples.shape[1]):
        sound = np.pad(samples[:, channel], _SINC)
        high = np.abs(sound) > _NEAR_PEAK * loudest
        between = np.flatnonzero(high[:-1] | high[1:])  # the samples after which a peak may stand
        windows = np.lib.stride_tricks.sliding_window_view(sound, _SINC)
        for first in range(0, len(between), _PEAKS):
            starts = between[first : first + _PEAKS] - (_SINC // 2 - 1)
            loudest = max(loudest, float(np.abs(np.ascontiguousarray(windows[starts]) @ sinc).max()))
    return 20 * math.log10(loudest)


def _lufs(power: NDArray[np.float64]) -> NDArray[np.float64]:
    return _OFFSET + 10 * np.log10(power + 1e-15)


def _power(samples: Samples, rate: int) -> NDArray[np.float64]:
    """Return the weighted mean square of each 100 ms, summed over the channels."""
    step = rate // 10
    count = len(samples) // step
    weights = _WEIGHTS.get(samples.shape[1], (1,) * samples.shape[1])
    answer = _weighting(rate).astype(np.complex64)
    before = int(rate * _RINGING)
    hop = (_TRANSFORM - before) // step * step
    power = np.zeros(count)
    for channel, weight in enumerate(weights):
        if not weight:
            continue
        for first in range(0, count * step, hop):
            start = max(0, first - before)
            block = np.ascontiguousarray(samples[start : first + hop, channel])
            filtered = np.fft.irfft(np.fft.rfft(block, _TRANSFORM) * answer, _TRANSFORM)[first - start :]
            whole = min(hop, count * step - first) // step
            steps = filtered[: whole * step].reshape(whole, step)
            power[first // step : first // step + whole] += weight / step * np.einsum("ij,ij->i", steps, steps)
    return power


def _weighting(rate: int) -> NDArray[np.complex128]:
    """Return the K weighting: BS.1770's two filters for 48 kHz, moved to another rate by the bilinear transform."""
    delay = np.exp(-2j * np.pi * np.arange(_TRANSFORM // 2 + 1) / _TRANSFORM)

    def filtered(b: tuple[float, float, float], a: tuple[float, float]) -> NDArray[np.complex128]:
        answer: NDArray[np.complex128] = (b[0] + b[1] * delay + b[2] * delay**2) / (1 + a[0] * delay + a[1] * delay**2)
        return answer

    # the head: a shelf of +4 dB
    quality, warped = 0.7071752369554196, math.tan(math.pi * 1681.974450955533 / rate)
    high = 10 ** (3.999843853973347 / 20)
    band = high**0.4996667741545416
    total = 1 + warped / quality + warped**2
    head = (
        (high + band * warped / quality + warped**2) / total,
        2 * (warped**2 - high) / total,
        (high - band * warped / quality + warped**2) / total,
    )
    head_back = (2 * (warped**2 - 1) / total, (1 - warped / quality + warped**2) / total)
    # the low cut
    quality, warped = 0.5003270373238773, math.tan(math.pi * 38.13547087602444 / rate)
    total = 1 + warped / quality + warped**2
    cut_back = (2 * (warped**2 - 1) / total, (1 - warped / quality + warped**2) / total)
    return filtered(head, head_back) * filtered((1.0, -2.0, 1.0), cut_back)


def _sinc() -> NDArray[np.float32]:
    """Return a windowed sinc for each of the points between two samples, taps × points."""
    taps = np.arange(_SINC) - (_SINC // 2 - 1)
    points = np.arange(1, _OVERSAMPLED) / _OVERSAMPLED
    distance = taps[:, None] - points[None, :]
    window = np.i0(_KAISER * np.sqrt(np.clip(1 - (distance / (_SINC / 2)) ** 2, 0, 1))) / np.i0(_KAISER)
    return np.asarray(np.sinc(distance) * window, np.float32)
