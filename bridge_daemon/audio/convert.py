"""Changing sound on its way through, block by block: rate, channels, level, length."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np
import soxr

from bridge_daemon.audio.opening import Block

#: A peak beyond full scale is brought down to this.
CEILING = 0.999
#: Below this peak no resampling or mixing filter overshoots full scale, so that the level need not be measured twice.
SAFE_PEAK = 0.5
#: -80 dBFS: with its peak below this, a sound counts as silent.
SILENCE = 10 ** (-80 / 20)
_FADE = 0.005  # s
_HALF = math.sqrt(0.5)  # -3 dB: one channel heard from both speakers at the level it had

_LEFT, _RIGHT, _BOTH, _DROP = (1.0, 0.0), (0.0, 1.0), (_HALF, _HALF), (0.0, 0.0)
_SIDE_LEFT, _SIDE_RIGHT = (_HALF, 0.0), (0.0, _HALF)
#: What each channel adds to (left, right), after ITU-R BS.775: centre and surround at -3 dB, the bass channel left out.
_WAVE_ORDER = {
    3: (_LEFT, _RIGHT, _BOTH),
    4: (_LEFT, _RIGHT, _SIDE_LEFT, _SIDE_RIGHT),
    5: (_LEFT, _RIGHT, _BOTH, _SIDE_LEFT, _SIDE_RIGHT),
    6: (_LEFT, _RIGHT, _BOTH, _DROP, _SIDE_LEFT, _SIDE_RIGHT),
    8: (_LEFT, _RIGHT, _BOTH, _DROP, _SIDE_LEFT, _SIDE_RIGHT, _SIDE_LEFT, _SIDE_RIGHT),
}
#: Vorbis and Opus have an order of their own, and libsndfile leaves it so: the centre is second, the bass last.
_OGG_ORDER = {
    3: (_LEFT, _BOTH, _RIGHT),
    4: _WAVE_ORDER[4],
    5: (_LEFT, _BOTH, _RIGHT, _SIDE_LEFT, _SIDE_RIGHT),
    6: (_LEFT, _BOTH, _RIGHT, _SIDE_LEFT, _SIDE_RIGHT, _DROP),
    8: (_LEFT, _BOTH, _RIGHT, _SIDE_LEFT, _SIDE_RIGHT, _SIDE_LEFT, _SIDE_RIGHT, _DROP),
}


def to_stereo(blocks: Iterable[Block], channels: int, container: str) -> Iterator[Block]:
    """Mix more than two channels to stereo; mono and stereo pass as they are.

    3, 4 (quadro), 5, 6 (5.1) and 8 (7.1) channels are taken as the speakers of the format's usual order. Any other
    number has no such order (tracks of a DAW, say): odd ones go to the left, even ones to the right, at equal level.
    """
    if channels <= 2:
        yield from blocks
        return
    order = (_OGG_ORDER if container == "OGG" else _WAVE_ORDER).get(channels)
    if order is None:
        level = 1 / math.sqrt(math.ceil(channels / 2))
        order = tuple((level, 0.0) if k % 2 == 0 else (0.0, level) for k in range(channels))
    matrix = np.array(order)
    for block in blocks:
        yield block @ matrix


def resample(
    blocks: Iterable[Block], source: int, target: int, channels: int, quality: Literal["HQ", "VHQ"]
) -> Iterator[Block]:
    """Change the rate from ``source`` to ``target`` frames a second; frame 0 stays where it is.

    n frames become round(n × target / source).
    """
    if source == target:
        yield from blocks
        return
    stream = soxr.ResampleStream(source, target, channels, "float64", quality)
    for block in blocks:
        out = stream.resample_chunk(np.ascontiguousarray(block))
        if len(out):
            yield out
    last = stream.resample_chunk(np.empty((0, channels)), last=True)
    if len(last):
        yield last


def resampled_length(frames: int, source: int, target: int) -> int:
    """Return how many frames :func:`resample` makes of ``frames``."""
    return (2 * frames * target + source) // (2 * source)


def peak_of(blocks: Iterable[Block]) -> float:
    """Return the greatest absolute value; 1.0 is full scale. Goes through all blocks."""
    peak = 0.0
    for block in blocks:
        peak = max(peak, float(block.max()), -float(block.min()))
    return peak


def scale(blocks: Iterable[Block], gain: float) -> Iterator[Block]:
    """Multiply by ``gain``."""
    for block in blocks:
        yield block if gain == 1.0 else block * gain


def gain_for(peak: float) -> tuple[float, tuple[str, ...]]:
    """Return the gain that keeps ``peak`` from clipping, and the sentence that tells a person of it."""
    if peak <= 1.0:
        return 1.0, ()
    gain = CEILING / peak
    return gain, (f"turned down by {-20 * math.log10(gain):.1f} dB, because its peaks were beyond full scale",)


def dither(blocks: Iterable[Block], bits: int) -> Iterator[Block]:
    """Add noise of ± one step with a triangular distribution, the same each time, before rounding to ``bits``."""
    random = np.random.default_rng(20_000)
    step = 2.0 ** (1 - bits)
    for block in blocks:
        noise = random.random(block.shape, dtype=np.float32) - random.random(block.shape, dtype=np.float32)
        yield block + noise * step


def cut(blocks: Iterable[Block], frames: int, rate: int) -> Iterator[Block]:
    """Let the first ``frames`` frames pass, with a fade of 5 ms at their end so that the cut does not click."""
    length = min(frames, round(_FADE * rate))
    ramp = 0.5 + 0.5 * np.cos(np.pi * np.arange(1, length + 1) / length)
    at = 0
    for block in blocks:
        part = block[: frames - at]
        fading = at + len(part) - (frames - length)  # frames of this part that lie in the fade, at most
        if fading > 0:
            part = part.copy()
            count = min(fading, len(part))
            part[-count:] *= ramp[fading - count : fading, None]
        yield part
        at += len(part)
        if at >= frames:
            return
