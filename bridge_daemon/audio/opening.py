"""Opening an audio file that somebody named: once, checked, and decoded in blocks.

The decoders are C parsers, so they see only what passed our own look at the structure: an allow-list of formats and
codings, and a regular file of sensible size. All their errors, whose texts mislead, become one clear sentence.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from bridge_daemon.audio import chunks, layouts, mp3, ogg
from bridge_daemon.audio.chunks import CHUNKED, BadStructure
from bridge_daemon.audio.decoders import (
    Block,
    Decoder,
    FirstChannels,
    Joined,
    Samples,
    SoundFile,
    Undecoded,
    channel_names,
    decode_all,
)
from bridge_daemon.audio.kinds import what_instead
from bridge_daemon.audio.layouts import Layout
from bridge_daemon.audio.tempo import tempo_of
from bridge_daemon.audio.view import ByteFile, View, patched
from bridge_daemon.audio.wav import parse_bext
from bridge_daemon.errors import SourceRefused
from bridge_daemon.util import files

MAX_BYTES = 8 << 30
MAX_CHANNELS: Final = 64
RATES: Final = range(4_000, 768_001)
#: An upper bound for what a header may claim; some write 2^63-1 for "unknown".
_MOST_FRAMES: Final = 1 << 40
_FLOATS: Final = frozenset({"FLOAT", "DOUBLE"})  # only these can hold what is no number
#: What a capture of the Live device says of its third channel, in the coding history of its time stamp.
_LIVES_BEAT: Final = "channel 3 is the beat of Live"
#: What ffmpeg's demuxers are called.
_DEMUXERS: Final = {
    "MP4": "mov",
    "AAC": "aac",
    "WV": "wv",
    "MKV": "matroska",
    "MP2": "mp3",
    "OGG": "ogg",
    "FLAC": "flac",
    "CAF": "caf",
    "AIFF": "aiff",
}


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What the header of an audio file says, corrected by what the file really holds."""

    path: Path
    container: str  # as in sound_files.py, or "WAVEX" or "RF64"
    subtype: str  # the coding: "PCM_16", "FLOAT", "VORBIS", "AAC" …
    rate: int  # frames a second
    channels: int
    frames: int
    seconds: float
    time_reference: int | None = None  # frames since midnight (bext of WAV, WAVEX and RF64)
    tempo: float | None = None  # quarter notes a minute (acid or iXML of the same)
    layout: Layout = field(default_factory=lambda: layouts.as_it_is(2), repr=False)
    #: Device, inode, size and time of change: tells whether the file at ``path`` is still the same one.
    identity: tuple[int, int, int, int] = field(default=(0, 0, 0, 0), repr=False)


@dataclass(slots=True)
class Found:
    """What our own look at a file found, before and beside its decoder."""

    decoder: Decoder
    layout: Layout
    missing: str | None = None
    doubt: str | None = None
    notes: tuple[str, ...] = ()
    delay_cut: int = 0
    delay_known: bool = True
    time_reference: int | None = None
    tempo: float | None = None


class OpenAudio:
    """An open, checked audio file. It decodes any part of itself in blocks, sample-exactly."""

    def __init__(self, info: SourceInfo, found: Found) -> None:
        self.info = info
        self.missing = found.missing  # what the header promises and the file does not hold, as "holds …"
        self.doubt = found.doubt  # why the file may be cut off though nothing tells how long it should be
        self.notes = found.notes  # what was found in it and left out, for people
        self.delay_known = found.delay_known  # whether the MP3 itself told its encoder delay
        self.delay_cut = found.delay_cut  # frames of MP3 encoder delay that are left out before frame 0
        self.decoder = found.decoder

    def blocks(self, first: int = 0, frames: int | None = None) -> Iterator[Block]:
        """As :meth:`samples`, in 64 bit, for what is calculated with them."""
        for samples in self.samples(first, frames):
            yield samples.astype(np.float64, copy=False)

    def samples(self, first: int = 0, frames: int | None = None) -> Iterator[Samples]:
        """Decode ``frames`` frames (None: all that follow) from the frame ``first``, at most BLOCK at a time.

        Raises SourceRefused if the file cannot be decoded or ends before that, or holds what is no number.
        """
        name, rate = self.info.path.name, self.info.rate
        left = self.info.frames - first if frames is None else frames
        at = first
        try:
            for whole in self.decoder.read(first) if left > 0 else ():
                block = whole[:left]
                if self.info.subtype in _FLOATS and not np.isfinite(block).all():
                    raise SourceRefused(
                        f'"{name}" has values that are no numbers (NaN, infinite) at {at / rate:.2f} s.'
                    )
                at, left = at + len(block), left - len(block)
                yield block
                if left <= 0:
                    return
        except Undecoded as error:
            raise SourceRefused(f'"{name}" {error}.') from error
        if left > 0:
            raise SourceRefused(f'"{name}" breaks off at {at / rate:.2f} s of {self.info.seconds:.2f} s.')


@contextmanager
def open_audio(path: Path, *, cut_delay: bool = False) -> Iterator[OpenAudio]:
    """Open the file at ``path``, which is already resolved and allowed, exactly once, for decoding.

    ``cut_delay`` leaves out the encoder delay also of an MP3 that has no tag to tell it (see ``mp3.py``): right for
    takes, whose sample 0 must be the first of the sound. A source is read as it stands.

    Raises SourceRefused for all that is not audio that can be read.
    """
    with _open_file(path) as (file, status):
        try:
            found = _look(file, status.st_size, cut_delay=cut_delay)
        except (BadStructure, mp3.NotMp3) as error:
            raise _not_audio(path, f"it {error}") from error
        try:
            identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
            yield OpenAudio(_describe(path, found, identity), found)
        finally:
            found.decoder.close()


@contextmanager
def _open_file(path: Path) -> Iterator[tuple[BinaryIO, os.stat_result]]:
    try:
        file = files.open_plain(path)
    except files.NotPlain as error:
        raise _not_audio(path, "it is not a file") from error
    except OSError as error:
        raise SourceRefused(f'"{path.name}" cannot be opened: {error.strerror}.') from error
    with file:
        status = os.fstat(file.fileno())
        if status.st_size > MAX_BYTES:
            raise SourceRefused(f'"{path.name}" is larger than {MAX_BYTES >> 30} GiB.')
        yield file, status


def _not_audio(path: Path, why: str) -> SourceRefused:
    return SourceRefused(f'"{path.name}" is not audio that can be read: {why}.')


def _look(file: BinaryIO, size: int, *, cut_delay: bool) -> Found:
    """Read the structure by ourselves, and open the decoder on what it may see of the file."""
    kind, start = mp3.recognise(file, size)
    if kind is None:
        raise BadStructure(f"is {what_instead(file)}")
    if kind == "MP3":
        return _look_at_mp3(file, size, start, cut_delay=cut_delay)
    view = View(file, [(start, size)])
    if kind == "OGG":
        return _look_at_ogg(view)
    if kind in CHUNKED:
        return _look_at_chunks(view, kind, cut_delay=cut_delay)
    if kind == "FLAC":
        return _look_at_flac(view)
    return _by_ffmpeg(view, kind)


def _look_at_mp3(file: ByteFile, size: int, start: int, *, cut_delay: bool) -> Found:
    found = mp3.scan(file, size, start)
    decoder = SoundFile(View(file, found.pieces(cut_delay=cut_delay)))
    return Found(
        decoder,
        layouts.as_it_is(decoder.channels),
        found.missing,
        found.doubt,
        found.notes,
        found.delay_cut(cut_delay=cut_delay),
        found.delay is not None,
    )


def _look_at_ogg(view: View) -> Found:
    found = ogg.scan(view, view.size)
    if found.coding not in ("VORBIS", "OPUS"):
        result = _by_ffmpeg(view, "OGG")
        result.doubt = found.doubt
        return result
    parts: list[SoundFile] = []
    try:
        parts.extend(SoundFile(View(view, [(link.start, link.end)])) for link in found.links)
    except BadStructure:
        for part in parts:
            part.close()
        raise
    decoder = Joined(parts) if len(parts) > 1 else parts[0]
    notes = [f"{len(parts)} streams of it, one behind the other, were joined"] if len(parts) > 1 else []
    if found.foreign:
        notes.append(f"{found.foreign} bytes between its pages were left out")
    layout = layouts.of_xiph(decoder.channels, found.links[0].family)
    return Found(decoder, layout, doubt=found.doubt, notes=tuple(notes))


def _look_at_flac(view: View) -> Found:
    view.seek(18)
    if int.from_bytes(view.read(8), "big") & (1 << 36) - 1 == 0:  # of frames; libsndfile does not read it then
        return _by_ffmpeg(view, "FLAC")
    decoder = SoundFile(view)
    names = channel_names(View(view, [(0, view.size)]), "flac") if decoder.channels > 2 else None
    return Found(decoder, layouts.of_names(names, decoder.channels))


def _by_ffmpeg(view: View, kind: str) -> Found:
    decoder = decode_all(view, kind, _DEMUXERS[kind])
    names = decoder.names
    if decoder.subtype == "AAC" and names is not None and "NONE" in names:
        names = None  # a table of the file's own, which ffmpeg does not name: the usual ones, in nearly all of them
    return Found(decoder, layouts.of_names(names, decoder.channels), decoder.missing, notes=decoder.notes)


def _look_at_chunks(view: View, kind: str, *, cut_delay: bool) -> Found:
    found = chunks.read_structure(view, kind, view.size)
    if found.coding == "MP3":
        inside = View(view, [(found.data, found.data + min(found.declared, found.available))])
        return _look_at_mp3(inside, inside.size, 0, cut_delay=cut_delay)
    if found.coding in ("ALAC", "AAC"):
        return _by_ffmpeg(view, kind)
    shown = patched(view, view.size, found.patches) if found.patches else view
    decoder = SoundFile(shown)
    result = Found(decoder, _layout_of_chunks(view, found, decoder.channels), found.missing)
    if kind in chunks.WAVE:
        stamp = parse_bext(chunks.text_chunk(view, found, b"bext"))
        result.time_reference = stamp.time_reference if stamp else None
        if stamp and decoder.channels > 2 and f"T={_LIVES_BEAT}" in stamp.coding_history:
            result.decoder, result.layout = FirstChannels(decoder, 2), layouts.as_it_is(2)
        result.tempo = tempo_of(chunks.text_chunk(view, found, b"acid"), chunks.text_chunk(view, found, b"iXML"))
    return result


def _layout_of_chunks(view: View, found: chunks.Structure, channels: int) -> Layout:
    if found.kind in (*chunks.WAVE, "W64"):
        fmt = chunks.text_chunk(view, found, b"fmt ") or b""
        return layouts.of_wave(fmt, channels, is_ambisonic=chunks.is_ambisonic(fmt))
    if found.kind == "AU" or channels <= 2:
        return layouts.usual(channels)
    chunk = chunks.text_chunk(view, found, b"chan" if found.kind == "CAF" else b"CHAN")
    names = channel_names(View(view, [(0, view.size)]), _DEMUXERS[found.kind]) if chunk else None
    return layouts.of_apple(chunk, names, channels)


def _describe(path: Path, found: Found, identity: tuple[int, int, int, int]) -> SourceInfo:
    """Check what the decoder made of the header."""
    sound = found.decoder
    if sound.rate not in RATES:
        raise _not_audio(path, f"its header claims {sound.rate} frames a second")
    if not 1 <= sound.channels <= MAX_CHANNELS:
        raise _not_audio(path, f"its header claims {sound.channels} channels")
    if sound.frames <= 0:
        raise SourceRefused(f'"{path.name}" has no sound in it: its length is 0.')
    if sound.frames > _MOST_FRAMES:
        raise _not_audio(path, "its header does not tell its length")
    return SourceInfo(
        path,
        sound.container,
        sound.subtype,
        sound.rate,
        sound.channels,
        sound.frames,
        sound.frames / sound.rate,
        found.time_reference,
        found.tempo,
        found.layout,
        identity,
    )
