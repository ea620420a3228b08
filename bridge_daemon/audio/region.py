"""The source of a transform: checking the region of a file, and cutting it out as the service wants it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bridge_daemon.audio import convert
from bridge_daemon.audio.apart import open_audio, probe
from bridge_daemon.audio.decoders import Block
from bridge_daemon.audio.opening import OpenAudio, SourceInfo
from bridge_daemon.audio.wav import WavWriter
from bridge_daemon.errors import SourceRefused
from bridge_daemon.util import files
from bridge_daemon.util.failpoints import failpoint

__all__ = ["Extracted", "Region", "SourceInfo", "check_region", "extract", "open_audio", "probe", "samples_of"]

#: What the service takes from everybody: WAV, 16 bit, 44.1 kHz.
SOURCE_RATE: Final = 44_100
#: Samples of all channels that one region may have: what is beyond would keep a decoder busy for minutes.
MOST_SAMPLES: Final = 1 << 30
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
    whole: float  # s from the start that was asked for to the end: more than is sent of a source that is continued
    notes: tuple[str, ...] = ()  # what was found in the file and read through, for people


@dataclass(frozen=True, slots=True)
class Extracted:
    """The source as it was written for the service."""

    frames: int
    rate: int
    channels: int
    seconds: float  # of the file written, repeats and all
    repeated: bool
    notes: tuple[str, ...] = ()  # what was done to it, for people


def check_region(
    path: Path,
    start: float | None,
    end: float | None,
    *,
    longest: float,
    last: float | None = None,
    rate: int = SOURCE_RATE,
) -> Region:
    """Decode the region from ``start`` to ``end`` (s; None: the file's own) and say whether it can be sent.

    ``longest`` is the greatest length that the model takes, in seconds, ``rate`` what is sent. Of a source that is
    continued only the ``last`` seconds are sent: they are the region then. Raises SourceRefused in one clear sentence.
    """
    with open_audio(path) as audio:
        info = audio.info
        _check_whole(audio, end)
        begin, finish = _limits(info, start, end)
        whole = finish - begin
        if last is not None:
            begin = _begin_of_last(info, begin, finish, last)
        first, frames = _frames(info, begin, finish, longest)
        digest = hashlib.sha256(f"{info.rate} {info.channels}".encode())
        peak, is_silent = _listen(audio, _hashed(audio.blocks(first, frames), digest), rate)
        notes = tuple(f"{_quoted(info)}: {note}" for note in audio.notes)
    if is_silent:
        where = f"The region {begin:.2f}–{finish:.2f} s of {_quoted(info)}"
        if peak < convert.SILENCE:
            raise SourceRefused(f"{where} is silent (below -80 dB).")
        raise SourceRefused(f"{where} is silent (below -80 dB) as it would be sent: {_as_sent(info, rate)}.")
    return Region(info, begin, finish, frames / info.rate, first, frames, peak, digest.hexdigest(), whole, notes)


def _hashed(blocks: Iterator[Block], digest: hashlib._Hash) -> Iterator[Block]:
    for block in blocks:
        with np.errstate(over="ignore"):  # a damaged float64 may be beyond float32: it counts as infinite here
            digest.update(np.ascontiguousarray(block, dtype="<f4").data)
        yield block


def _check_whole(audio: OpenAudio, end: float | None) -> None:
    """Refuse to send all of a file that is cut off: nobody pays for a part in the belief that it is the whole."""
    fault = audio.missing or (audio.doubt if audio.info.container == "MP3" else None)
    if end is None and fault:
        raise SourceRefused(
            f"{_quoted(audio.info)} is cut off, or is still being written: it {fault}. "
            f"To send what is there, say where it ends: at most {audio.info.seconds:.3f} s."
        )


def _listen(audio: OpenAudio, sound: Iterator[Block], rate: int) -> tuple[float, bool]:
    """Decode a region to its end; return its peak, and whether nothing of it would be heard in what is sent.

    It is mixed and resampled up to its first sound only: that is all that has to be known of it.
    """
    info, peak = audio.info, 0.0

    def measured() -> Iterator[Block]:
        nonlocal peak
        for block in sound:
            peak = max(peak, convert.peak_of([block]))
            yield block

    blocks = measured()
    sent = convert.resample(convert.to_stereo(blocks, info.layout), info.rate, rate, info.layout.channels, "HQ")
    is_silent = not any(convert.peak_of([block]) >= convert.SILENCE for block in sent)
    for _ in blocks:
        pass  # decoded to its end all the same
    return peak, is_silent


def _as_sent(info: SourceInfo, rate: int) -> str:
    if info.layout.passes:
        return f"at {rate} frames a second"
    return f"mixed from {info.channels} channels ({info.layout.what}) to stereo"


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


def _begin_of_last(info: SourceInfo, begin: float, finish: float, last: float) -> float:
    """Return where the last seconds of a region begin. Raises SourceRefused if it has fewer."""
    if last > finish - begin + ROUNDING:
        raise SourceRefused(
            f"The region of {_quoted(info)} is {finish - begin:.2f} s long; its last {last:g} s cannot be continued.",
            next=f"Ask for fewer seconds (continue_from), or for a source of {last:g} s at least.",
        )
    return max(begin, finish - last)


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
    if frames * info.channels > MOST_SAMPLES:
        raise SourceRefused(
            f"The region of {_quoted(info)} has {info.channels} channels of {info.rate} frames a second for "
            f"{frames / info.rate:.0f} s: too much to decode. Send a shorter one, or fewer channels."
        )
    return first, frames


def extract(region: Region, target: Path, *, rate: int = SOURCE_RATE, least: float = 0.0) -> Extracted:
    """Write the region to ``target`` as WAV, PCM 16 bit at ``rate``, mono or stereo; an older ``target`` is replaced.

    Mono stays mono; more than two channels are mixed to stereo. A region shorter than ``least`` seconds is repeated as
    a whole until that is reached. Raises SourceRefused when the file changed since it was checked, OSError when
    ``target`` cannot be written; either way no part of it is left behind.
    """
    part = files.part_of(target)
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


def samples_of(path: Path, start: float, end: float, rate: int) -> NDArray[np.float32]:
    """Return what lies between two moments of a file, s, as frames × channels (one or two) at a rate.

    Raises SourceRefused.
    """
    with open_audio(path) as audio:
        info = audio.info
        first, last = round(start * info.rate), min(info.frames, round(end * info.rate))
        blocks = convert.to_stereo(audio.blocks(first, last - first), info.layout)
        found = list(convert.resample(blocks, info.rate, rate, info.layout.channels, "HQ"))
    return np.concatenate(found).astype(np.float32)


def _write(audio: OpenAudio, region: Region, part: Path, rate: int, least: float) -> Extracted:
    info, layout = region.info, region.info.layout
    untouched = layout.passes and info.rate == rate
    peak = region.peak
    if not untouched and peak * layout.loudest > convert.SAFE_PEAK:
        peak = convert.peak_of(_converted(audio, region, rate))  # filters overshoot: what counts is what comes out
    gain, notes = convert.gain_for(peak)
    blocks = convert.scale(_converted(audio, region, rate), gain)
    if not (untouched and gain == 1.0 and info.subtype in ("PCM_16", "PCM_S8", "PCM_U8")):
        blocks = convert.dither(blocks, _BITS)  # what is 16 bit already stays as it is, bit by bit
    repeats = _repeats(region, rate, least)
    if not layout.passes:
        notes = (f"mixed from {info.channels} channels to stereo ({layout.what})", *notes)
    if repeats > 1:
        notes = (*notes, f"repeated {repeats} times, because the model takes no source shorter than {least:g} s")
    notes = (*notes, *region.notes)
    with files.create(part, mode=0o600) as file:
        with WavWriter(file, rate=rate, channels=layout.channels, bits=_BITS, reserve=False) as writer:
            for block in _repeated(blocks, repeats):
                writer.write(block)
        failpoint("file.source.write")
        files.flush_to_disk(file)
    return Extracted(writer.frames, rate, layout.channels, writer.frames / rate, repeats > 1, notes)


def _converted(audio: OpenAudio, region: Region, rate: int) -> Iterator[Block]:
    layout = region.info.layout
    stereo = convert.to_stereo(audio.blocks(region.first, region.frames), layout)
    return convert.resample(stereo, region.info.rate, rate, layout.channels, "HQ")


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
