"""A mix: takes laid over each other, each from its beginning, as one file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from bridge_daemon.audio import convert
from bridge_daemon.audio.decoders import Block
from bridge_daemon.audio.opening import OpenAudio, open_audio
from bridge_daemon.audio.wav import WavWriter
from bridge_daemon.util import files

_FRAMES = 1 << 16


def mix(sources: Sequence[Path], target: Path) -> None:
    """Write the sum of files of one or two channels to ``target``: stereo, 24 bit, at the greatest of their rates.

    It is as long as the longest of them, and turned down if its peaks would clip. Raises SourceRefused for what is no
    audio, OSError.
    """
    rate = _rate(sources)
    gain, _ = convert.gain_for(convert.peak_of(_sum(sources, rate)))
    part = files.part_of(target)
    try:
        with files.create(part, mode=0o600) as file:
            with WavWriter(file, rate=rate, channels=2, reserve=False) as writer:
                for block in convert.scale(_sum(sources, rate), gain):
                    writer.write(block)
            files.flush_to_disk(file)
        files.replace(part, target)
    except BaseException:
        files.discard(part)
        raise


def _rate(sources: Sequence[Path]) -> int:
    found = 0
    for source in sources:
        with open_audio(source) as audio:
            found = max(found, audio.info.rate)
    return found


def _sum(sources: Sequence[Path], rate: int) -> Iterator[Block]:
    """Return the sum block by block: little of it is in memory at one time."""
    with ExitStack() as stack:
        parts = [_Pieces(_stereo(stack.enter_context(open_audio(source)), rate)) for source in sources]
        while True:
            pieces = [part.take(_FRAMES) for part in parts]
            frames = max(len(piece) for piece in pieces)
            if frames == 0:
                return
            total = np.zeros((frames, 2))
            for piece in pieces:
                total[: len(piece)] += piece
            yield total


def _stereo(audio: OpenAudio, rate: int) -> Iterator[Block]:
    info = audio.info
    blocks = convert.to_stereo(audio.blocks(), info.layout)
    for block in convert.resample(blocks, info.rate, rate, info.layout.channels, "HQ"):
        yield np.repeat(block, 2, axis=1) if block.shape[1] == 1 else block


class _Pieces:
    """Blocks of any length, taken in pieces of one length."""

    def __init__(self, blocks: Iterator[Block]) -> None:
        self._blocks = blocks
        self._left: Block = np.zeros((0, 2))

    def take(self, frames: int) -> Block:
        """Return the next frames; fewer at the end."""
        found, count = [self._left], len(self._left)
        while count < frames and (block := next(self._blocks, None)) is not None:
            found.append(block)
            count += len(block)
        whole = np.concatenate(found)
        self._left = whole[frames:]
        return whole[:frames]
