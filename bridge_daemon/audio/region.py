"""The source of a transform: checking the region of a file, and cutting it out as the service wants it."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bridge_daemon.audio import convert
from bridge_daemon.audio.opening import Block, OpenAudio, SourceInfo, open_audio, probe
from bridge_daemon.audio.wav import WavWriter
from bridge_daemon.errors import SourceRefused
from bridge_daemon.util import files
from bridge_daemon.util.failpoints import failpoint

__all__ = ["Extracted", "Region", "SourceInfo", "check_region", "extract", "open_audio", "probe"]

#: Shorter than this is no sound to work with.
SHORTEST = 0.05  # s
#: How far the end may lie beyond the file's: DAWs round, and send decimal text.
ROUNDING = 0.001  # s
_BITS: Final = 16


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a file that was decoded from its first to its last frame and found fit to be sent."""

    info: SourceInfo
    start: float  # s
    end: float  # s
    seconds: float  # of the whole frames between them
    first: int  # frame of the file
    frames: int
    peak: float  # of full scale, over all channels
    sound: str  # SHA-256 of the decoded samples: the same for the same sound, whatever file it lies in


@dataclass(frozen=True, slots=True)
class Extracted:
    """The source as it was written for the service."""

    frames: int
    rate: int
    channels: int
    seconds: float  # of the file written, repeats and all
    repeated: bool
    notes: tuple[str, ...] = ()  # what was done to it, for people


def check_region(path: Path, start: float | None, end: float | None, *, longest: float) -> Region:
    """Decode the region from ``start`` to ``end`` (s; None: the file's own) and say whether it can be sent.

    ``longest`` is the greatest length that the model takes, in seconds. Raises SourceRefused with one clear sentence.
    """
    with open_audio(path) as audio:
        info = audio.info
        begin, finish = _limits(info, start, end)
        first, frames = _frames(info, begin, finish, longest)
        digest = hashlib.sha256(f"{info.rate} {info.channels}".encode())
        peak = convert.peak_of(_hashed(audio.blocks(first, frames), digest))
    if peak < convert.SILENCE:
        raise SourceRefused(f"The region {begin:.2f}–{finish:.2f} s of {_quoted(info)} is silent (below -80 dB).")
    return Region(info, begin, finish, frames / info.rate, first, frames, peak, digest.hexdigest())


def _hashed(blocks: Iterator[Block], digest: hashlib._Hash) -> Iterator[Block]:
    for block in blocks:
        digest.update(np.ascontiguousarray(block, dtype="<f4").data)
        yield block


def _quoted(info: SourceInfo) -> str:
    return f'"{info.path.name}"'


def _limits(info: SourceInfo, start: float | None, end: float | None) -> tuple[float, float]:
    """Fill in what was left out, and check both against the file."""
    begin = 0.0 if start is None else start
    finish = info.seconds if end is None else end
    if not (math.isfinite(begin) and math.isfinite(finish)) or begin < 0:
        raise SourceRefused(f"The region {begin}–{finish} s is not one: its limits must be 0 or more.")
    if begin >= info.seconds:
        raise SourceRefused(f"The region starts at {begin:.3f} s, and {_quoted(info)} ends at {info.seconds:.3f} s.")
    if finish <= begin:
        raise SourceRefused(f"The region of {_quoted(info)} ends at {finish:.3f} s, before it starts ({begin:.3f} s).")
    if finish > info.seconds + ROUNDING:
        raise SourceRefused(f"The region ends at {finish:.3f} s, and {_quoted(info)} ends at {info.seconds:.3f} s.")
    return begin, min(finish, info.seconds)


def _frames(info: SourceInfo, begin: float, finish: float, longest: float) -> tuple[int, int]:
    """Turn the limits into the first frame and their number, and check the length."""
    first = math.floor(begin * info.rate + 0.5)
    frames = min(info.frames, math.floor(finish * info.rate + 0.5)) - first
    if frames < SHORTEST * info.rate:
        raise SourceRefused(
            f"The region of {_quoted(info)} is {max(0, frames) / info.rate:.3f} s long; it needs at least {SHORTEST} s."
        )
    if frames > math.floor(longest * info.rate + 0.5):
        raise SourceRefused(
            f"The region of {_quoted(info)} is {frames / info.rate:.2f} s long; the model takes at most {longest:g} s."
        )
    return first, frames


def extract(region: Region, target: Path, *, rate: int = 44_100, least: float = 0.0) -> Extracted:
    """Write the region to ``target`` as WAV, PCM 16 bit at ``rate``, mono or stereo; an older ``target`` is replaced.

    Mono stays mono; more than two channels are mixed to stereo. A region shorter than ``least`` seconds is repeated as
    a whole until that is reached. Raises SourceRefused when the file changed since it was checked, OSError when
    ``target`` cannot be written; either way no part of it is left behind.
    """
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with open_audio(region.info.path) as audio:
            if audio.info.identity != region.info.identity:
                raise SourceRefused(f"{_quoted(region.info)} has changed since it was checked.")
            extracted = _write(audio, region, part, rate, least)
        files.replace(part, target)
    except BaseException:
        files.discard(part)
        raise
    failpoint("file.source.replace")
    files.flush_folder(target.parent)
    return extracted


def _write(audio: OpenAudio, region: Region, part: Path, rate: int, least: float) -> Extracted:
    info, channels = region.info, min(2, region.info.channels)
    untouched = info.channels <= 2 and info.rate == rate
    peak = region.peak
    mixed = info.channels if info.channels > 2 else 1  # at most this many times louder
    if not untouched and peak * mixed > convert.SAFE_PEAK:
        peak = convert.peak_of(_converted(audio, region, rate))  # filters overshoot: what counts is what comes out
    gain, notes = convert.gain_for(peak)
    blocks = convert.scale(_converted(audio, region, rate), gain)
    if not (untouched and gain == 1.0 and info.subtype in ("PCM_16", "PCM_S8", "PCM_U8")):
        blocks = convert.dither(blocks, _BITS)  # what is 16 bit already stays as it is, bit by bit
    repeats = _repeats(region, rate, least)
    if info.channels > 2:
        notes = (f"mixed from {info.channels} channels to stereo", *notes)
    if repeats > 1:
        notes = (*notes, f"repeated {repeats} times, because the model takes no source shorter than {least:g} s")
    with open(part, "wb", opener=files.private) as file:
        with WavWriter(file, rate=rate, channels=channels, bits=_BITS, reserve=False) as writer:
            for block in _repeated(blocks, repeats):
                writer.write(block)
        failpoint("file.source.write")
        files.flush_to_disk(file)
    return Extracted(writer.frames, rate, channels, writer.frames / rate, repeats > 1, notes)


def _converted(audio: OpenAudio, region: Region, rate: int) -> Iterator[Block]:
    stereo = convert.to_stereo(audio.blocks(region.first, region.frames), region.info.channels, region.info.container)
    return convert.resample(stereo, region.info.rate, rate, min(2, region.info.channels), "HQ")


def _repeats(region: Region, rate: int, least: float) -> int:
    """Return how often the region must be written to reach ``least`` seconds."""
    frames = convert.resampled_length(region.frames, region.info.rate, rate)
    return max(1, math.ceil(math.ceil(least * rate) / frames))


def _repeated(blocks: Iterator[Block], repeats: int) -> Iterator[Block]:
    if repeats == 1:
        yield from blocks
        return
    kept = list(blocks)  # less than ``least`` seconds, so little
    for _ in range(repeats):
        yield from kept
