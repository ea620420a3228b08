"""Opening an audio file that somebody named: once, checked, and decoded in blocks.

libsndfile is a C parser, so it sees only what passed our own look at the structure: an allow-list of formats and
codings, and a regular file of sensible size. All its errors, whose texts mislead, become one clear sentence.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import soundfile

from bridge_daemon.audio import chunks, mp3
from bridge_daemon.audio.wav import parse_bext
from bridge_daemon.errors import SourceRefused

Block = npt.NDArray[np.float64]  # frames × channels, full scale is ±1.0

#: Frames decoded at a time: small enough for the processor's cache.
BLOCK = 16_384
#: Codings whose frames overlap: after a seek, libsndfile's first 1000 frames or so are often not those that decoding
#: from the start gives (measured). So it starts this much earlier, and the lead is dropped.
_LAPPING = frozenset({"OGG", "MP3"})
_LEAD = 16_384
MAX_BYTES = 8 << 30
MAX_CHANNELS = 64
RATES = range(4_000, 768_001)
#: An upper bound for what a header may claim; some write 2^63-1 for "unknown".
_MOST_FRAMES = 1 << 40
CONTAINERS = frozenset({"WAV", "WAVEX", "RF64", "W64", "AIFF", "FLAC", "OGG", "MP3", "CAF"})
_PCM = {"PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"}
SUBTYPES = frozenset(_PCM | {"VORBIS", "OPUS", "MPEG_LAYER_III"})
_FLOATS = frozenset({"FLOAT", "DOUBLE"})  # only these can hold what is no number


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What the header of an audio file says, corrected by what the file really holds."""

    path: Path
    container: str  # one of CONTAINERS
    subtype: str  # one of SUBTYPES
    rate: int  # frames a second
    channels: int
    frames: int
    seconds: float
    time_reference: int | None = None  # frames since midnight (bext of WAV, WAVEX and RF64)
    #: Device, inode, size and time of change: tells whether the file at ``path`` is still the same one.
    identity: tuple[int, int, int, int] = field(default=(0, 0, 0, 0), repr=False)


class OpenAudio:
    """An open, checked audio file. It decodes any part of itself in blocks, sample-exactly."""

    def __init__(self, info: SourceInfo, sound: soundfile.SoundFile, view: _View) -> None:
        self.info = info
        self.missing = view.missing  # what the header promises and the file does not hold, as "holds …"
        self.doubt = view.doubt  # why the file may be cut off though nothing tells how long it should be
        self.delay_known = view.delay_known  # whether the MP3 itself told its encoder delay
        self.delay_cut = view.delay_cut  # frames of MP3 encoder delay that are left out before frame 0
        self._sound = sound

    def blocks(self, first: int = 0, frames: int | None = None) -> Iterator[Block]:
        """Decode ``frames`` frames (None: all that follow) from the frame ``first``, at most BLOCK at a time.

        Raises SourceRefused where the file cannot be decoded or ends before that, or holds what is no number.
        """
        name, rate = self.info.path.name, self.info.rate
        left = self.info.frames - first if frames is None else frames
        lead = min(first, _LEAD) if self.info.container in _LAPPING else 0
        at = first - lead
        left += lead
        try:
            self._sound.seek(at)
            while left > 0:
                block: Block = self._sound.read(min(BLOCK, left), dtype="float64", always_2d=True)
                if len(block) == 0:
                    raise SourceRefused(f'"{name}" breaks off at {at / rate:.2f} s of {self.info.seconds:.2f} s.')
                if self.info.subtype in _FLOATS and not np.isfinite(block).all():
                    raise SourceRefused(
                        f'"{name}" has values that are no numbers (NaN, infinite) at {at / rate:.2f} s.'
                    )
                at, left = at + len(block), left - len(block)
                if at > first:
                    yield block[max(0, len(block) - (at - first)) :]
        except soundfile.SoundFileError as error:
            raise SourceRefused(f'"{name}" is damaged: it cannot be decoded at {at / rate:.2f} s.') from error


@contextmanager
def open_audio(path: Path, *, cut_delay: bool = False) -> Iterator[OpenAudio]:
    """Open the file at ``path``, which is already resolved and allowed, exactly once, for decoding.

    ``cut_delay`` leaves out the encoder delay also of an MP3 that has no tag to tell it (see ``mp3.py``): right for
    takes, whose sample 0 must be the first of the sound. A source is read as it stands.

    Raises SourceRefused for all that is not audio that can be read.
    """
    with _open_file(path) as (file, status):
        view = _look(file, path, status.st_size, cut_delay=cut_delay)
        try:
            sound = soundfile.SoundFile(view)
        except (soundfile.SoundFileError, ValueError, TypeError) as error:
            raise _not_audio(path, "its header cannot be read") from error
        with sound:
            identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
            yield OpenAudio(_describe(path, sound, view.time_reference, identity), sound, view)


def probe(path: Path) -> SourceInfo:
    """Return what the header of the file says, without decoding. Raises SourceRefused."""
    with open_audio(path) as audio:
        return audio.info


class _View(io.RawIOBase):
    """A part of a file with other bytes in front of it, which is how the decoder gets a corrected header."""

    def __init__(self, file: BinaryIO, start: int, end: int, prefix: bytes = b"") -> None:
        self._file, self._start, self._end, self._prefix = file, start, end, prefix
        self._at = 0
        self.missing: str | None = None
        self.doubt: str | None = None
        self.delay_cut = 0
        self.delay_known = True
        self.time_reference: int | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at}.get(whence, len(self._prefix) + self._end - self._start)
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # the decoder passes a buffer of its own
        if self._at < len(self._prefix):
            part = self._prefix[self._at : self._at + len(buffer)]
        else:
            at = self._start + self._at - len(self._prefix)
            part = b""
            if at < self._end:
                self._file.seek(at)
                part = self._file.read(min(len(buffer), self._end - at))
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)


@contextmanager
def _open_file(path: Path) -> Iterator[tuple[BinaryIO, os.stat_result]]:
    # no link in the last place (the path is resolved, so one there is new), no waiting for the writer of a FIFO
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_BINARY", "O_NONBLOCK", "O_CLOEXEC"):
        flags |= getattr(os, name, 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        raise SourceRefused(f'"{path.name}" cannot be opened: {error.strerror}.') from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _not_audio(path, "it is not a file")
        if status.st_size > MAX_BYTES:
            raise SourceRefused(f'"{path.name}" is larger than {MAX_BYTES >> 30} GiB.')
    except BaseException:
        os.close(descriptor)
        raise
    with os.fdopen(descriptor, "rb") as file:
        yield file, status


def _not_audio(path: Path, why: str) -> SourceRefused:
    return SourceRefused(f'"{path.name}" is not audio that can be read: {why}.')


def _look(file: BinaryIO, path: Path, size: int, *, cut_delay: bool) -> _View:
    """Read the structure by ourselves, and return what the decoder may see of the file."""
    kind = chunks.kind_of(file)
    view = _View(file, 0, size)
    try:
        if kind is None:
            raise _not_audio(path, f"it is {chunks.what_instead(file)}")
        if kind == "MP3":
            return _look_at_mp3(file, size, cut_delay=cut_delay)
        if kind == "OGG":
            view.doubt = chunks.check_ogg(file, size)
        elif kind != "FLAC":
            view = _look_at_chunks(file, size, kind)
    except (chunks.BadStructure, mp3.NotMp3) as error:
        raise _not_audio(path, f"it {error}") from error
    return view


def _look_at_mp3(file: BinaryIO, size: int, *, cut_delay: bool) -> _View:
    found = mp3.scan(file, size)
    view = _View(file, found.first, found.end, found.prefix(cut_delay=cut_delay))
    view.missing, view.doubt = found.missing, found.doubt
    view.delay_cut, view.delay_known = found.delay_cut(cut_delay=cut_delay), found.delay is not None
    return view


def _look_at_chunks(file: BinaryIO, size: int, kind: str) -> _View:
    found = chunks.read_structure(file, kind, size)
    view = _View(file, 0, size)
    if found.streamed and kind == "RIFF":
        # some decoders take a length of 0 at its word; the true one is what follows
        file.seek(0)
        header = file.read(found.data - 4) + min(found.available, 0xFFFFFFFF).to_bytes(4, "little")
        view = _View(file, found.data, size, header)
    if found.declared > found.available:
        view.missing = f"holds {found.available} of {found.declared} bytes of sound"
    if kind in ("RIFF", "RF64"):
        stamp = parse_bext(chunks.text_chunk(file, found, b"bext"))
        view.time_reference = stamp.time_reference if stamp else None
    return view


def _describe(
    path: Path, sound: soundfile.SoundFile, time_reference: int | None, identity: tuple[int, int, int, int]
) -> SourceInfo:
    """Check what the decoder made of the header."""
    container, subtype = sound.format, sound.subtype
    if container not in CONTAINERS or subtype not in SUBTYPES:
        raise _not_audio(path, f"it is {container} with {subtype}, which is not supported")
    if sound.samplerate not in RATES:
        raise _not_audio(path, f"its header claims {sound.samplerate} frames a second")
    if not 1 <= sound.channels <= MAX_CHANNELS:
        raise _not_audio(path, f"its header claims {sound.channels} channels")
    if sound.frames <= 0:
        raise SourceRefused(f'"{path.name}" has no sound in it: its length is 0.')
    if sound.frames > _MOST_FRAMES:
        raise _not_audio(path, "its header does not tell its length")
    seconds = sound.frames / sound.samplerate
    return SourceInfo(
        path, container, subtype, sound.samplerate, sound.channels, sound.frames, seconds, time_reference, identity
    )
