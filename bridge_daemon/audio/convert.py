"""Changing sound on its way through, block by block: rate, channels, level, length."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Literal, TypeVar

import numpy as np
import soxr

from bridge_daemon.audio.decoders import Block, Samples
from bridge_daemon.audio.layouts import Layout

S = TypeVar("S", bound=Samples)
#: A peak beyond full scale is brought down to this.
CEILING = 0.999
#: Below this peak no resampling or mixing filter overshoots full scale, so that the level need not be measured twice.
SAFE_PEAK = 0.5
#: -80 dBFS: with its peak below this, a sound counts as silent.
SILENCE = 10 ** (-80 / 20)
_FADE = 0.005  # s


def to_stereo(blocks: Iterable[Block], layout: Layout) -> Iterator[Block]:
    """Mix what its layout says to stereo; mono and stereo pass as they are."""
    if layout.passes:
        yield from blocks
        return
    matrix = np.array(layout.shares)
    for block in blocks:
        yield block @ matrix


def resample(
    blocks: Iterable[S], source: int, target: int, channels: int, quality: Literal["HQ", "VHQ"]
) -> Iterator[S | Block]:
    """Change the rate from ``source`` to ``target`` frames a second; frame 0 stays where it is.

    n frames become round(n × target / source).
    """
    if source == target:
        yield from blocks
        return
    stream = soxr.ResampleStream(source, target, channels, "float64", quality)
    for block in blocks:
        out = stream.resample_chunk(np.ascontiguousarray(block, np.float64))
        if len(out):
            yield out
    last = stream.resample_chunk(np.empty((0, channels)), last=True)
    if len(last):
        yield last


def resampled_length(frames: int, source: int, target: int) -> int:
    """Return how many frames :func:`resample` makes of ``frames``."""
    return (2 * frames * target + source) // (2 * source)


def peak_of(blocks: Iterable[Samples]) -> float:
    """Return the greatest absolute value; 1.0 is full scale. Goes through all blocks."""
    meter = Meter(blocks)
    for _ in meter:
        pass
    return meter.peak


class Meter(Iterator[Samples]):
    """Lets blocks pass, and keeps their greatest absolute value; 1.0 is full scale."""

    def __init__(self, blocks: Iterable[Samples]) -> None:
        self.watch(blocks)

    def watch(self, blocks: Iterable[Samples]) -> None:
        """Begin anew, with other blocks."""
        self._blocks = iter(blocks)
        self.peak = 0.0

    def __next__(self) -> Samples:
        block = next(self._blocks)
        if len(block):
            self.peak = max(self.peak, float(block.max()), -float(block.min()))
        return block


def scale(blocks: Iterable[S], gain: float) -> Iterator[S | Block]:
    """Multiply by ``gain``."""
    for block in blocks:
        yield block if gain == 1.0 else np.multiply(block, gain, dtype=np.float64)


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


def cut(blocks: Iterable[Samples], frames: int, rate: int) -> Iterator[Samples]:
    """Let the first ``frames`` frames pass, with a fade of 5 ms at their end so that the cut does not click."""
    length = min(frames, round(_FADE * rate))
    ramp = 0.5 + 0.5 * np.cos(np.pi * np.arange(1, length + 1) / length)
    at = 0
    for block in blocks:
        part = block[: frames - at]
        fading = at + len(part) - (frames - length)  # frames of this part that lie in the fade, at most
        if fading > 0:
            part = part.astype(np.float64)
            count = min(fading, len(part))
            part[-count:] *= ramp[fading - count : fading, None]
        yield part
        at += len(part)
        if at >= frames:
            return
