"""The frames of an MP3, counted by ourselves, and a header frame that tells the decoder what we found.

Why not leave it to the decoder: without a length tag (an MP3 that was encoded into a pipe has none) libsndfile guesses
the length from the first bit rate and stops there, which cuts a variable-rate file to a part; a truncated file is not
noticed; and the silence that every encoder puts before the sound (its delay) is cut only where a tag gives its length.
So we walk the frames, and give the decoder our own tag frame in front of them, with the true length and the delay.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_KILOBITS = {
    True: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_SEARCH = 1 << 17  # bytes that may lie before the first frame
_TRAILERS = (b"TAG", b"APETAGEX", b"LYRICS", b"ID3", b"3DI", b"\0\0\0\0")
#: What every decoder adds before the sound; the decoder in use cuts it together with the delay in a tag.
DECODER_DELAY = 529
#: Delay of LAME, which encodes nearly all MP3s (measured: those of ffmpeg and sox without a tag are 576 + 529 late).
LAME_DELAY = 576


class NotMp3(Exception):
    """No MPEG layer III frames were found."""


@dataclass(frozen=True, slots=True)
class _Header:
    raw: bytes
    version: int  # the two bits: 3 is MPEG 1, 2 is MPEG 2, 0 is MPEG 2.5
    rate: int
    length: int  # bytes of the whole frame
    mono: bool

    @property
    def samples(self) -> int:
        return 1152 if self.version == 3 else 576

    @property
    def side(self) -> int:
        """Bytes of side information, behind which a tag stands."""
        if self.version == 3:
            return 17 if self.mono else 32
        return 9 if self.mono else 17


@dataclass(frozen=True, slots=True)
class Mp3:
    """What a walk through all frames found. Lengths in the file are bytes, delays are samples."""

    first: int  # offset of the first frame with sound
    end: int  # offset behind the last whole frame
    frames: int
    header: _Header
    promised: int | None  # frames that the tag speaks of
    delay: int | None  # of the encoder, from the tag
    padding: int
    broken_end: bool  # the last frame is cut off, or something else than a tag follows it

    @property
    def missing(self) -> str | None:
        """Say what the tag promises and the file does not hold. One frame more or less is a matter of counting."""
        if self.promised is None or self.promised <= self.frames + 1:
            return None
        return f"holds {self.frames} of {self.promised} MPEG frames"

    @property
    def doubt(self) -> str | None:
        """Say why the file may be cut off though it promises no length."""
        return "ends in the middle of an MPEG frame" if not self.promised and self.broken_end else None

    def prefix(self, *, cut_delay: bool) -> bytes:
        """Return the frames to put before the sound for the decoder.

        With ``cut_delay`` sample 0 is the first sample of the sound also where no tag gives the delay. Without it, such
        a file is decoded as it stands: the decoder would cut its own delay by itself, so a silent frame and a delay are
        put there that cancel each other out.
        """
        if self.delay is not None:
            return _tag_frame(self.header, self.frames, self.delay, self.padding)
        if cut_delay:
            return _tag_frame(self.header, self.frames, LAME_DELAY, 0)
        silent = _tag_frame(self.header, None, 0, 0)
        return _tag_frame(self.header, self.frames + 1, self.header.samples - DECODER_DELAY, 0) + silent

    def delay_cut(self, *, cut_delay: bool) -> int:
        """Return how many samples before the sound :meth:`prefix` makes the decoder leave out."""
        if self.delay is not None:
            return self.delay + DECODER_DELAY
        return LAME_DELAY + DECODER_DELAY if cut_delay else 0


def scan(file: BinaryIO, size: int) -> Mp3:
    """Walk all MPEG frames of a file of ``size`` bytes. Raises NotMp3 when there are none."""
    at, header = _find_first(file, _skip_id3(file, 0), size)
    promised, delay, padding = _read_tag(file, at, header)
    first = at if promised is None and not _is_vbri(file, at) else at + header.length
    at, frames = first, 0
    while True:
        file.seek(at)
        raw = file.read(10)
        found = _parse(raw)
        if found is None or (found.version, found.rate) != (header.version, header.rate) or at + found.length > size:
            break
        at, frames = at + found.length, frames + 1
    if not frames:
        raise NotMp3("holds no MPEG frames")
    broken = bool(raw) and not raw.startswith(_TRAILERS)
    return Mp3(first, at, frames, header, promised, delay, padding, broken)


def _parse(raw: bytes) -> _Header | None:
    """Read the 4 bytes of a frame header; None when they are none of layer III with a fixed length."""
    if len(raw) < 4 or raw[0] != 0xFF or raw[1] & 0xE6 != 0xE2:  # 11 bits of sync, layer III
        return None
    version, speed, rate = raw[1] >> 3 & 3, raw[2] >> 4, raw[2] >> 2 & 3
    if version == 1 or rate == 3 or not 1 <= speed <= 14:
        return None
    hertz = _RATES[version][rate]
    kilobits = _KILOBITS[version == 3][speed - 1]
    length = (144 if version == 3 else 72) * kilobits * 1000 // hertz + (raw[2] >> 1 & 1)
    return _Header(raw[:4], version, hertz, length, raw[3] >> 6 == 3)


def _skip_id3(file: BinaryIO, at: int) -> int:
    """Return where the sound may begin behind ID3 version 2 tags."""
    while True:
        file.seek(at)
        head = file.read(10)
        if len(head) < 10 or head[:3] != b"ID3":
            return at
        at += 10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9])
        if head[5] & 0x10:
            at += 10  # a footer


def _find_first(file: BinaryIO, start: int, size: int) -> tuple[int, _Header]:
    """Find the first frame that another one of its kind, or the end of the file, follows."""
    file.seek(start)
    window = file.read(_SEARCH)
    at = window.find(b"\xff")
    while at >= 0:
        header = _parse(window[at : at + 4])
        if header is not None:
            behind = start + at + header.length
            file.seek(behind)
            following = _parse(file.read(4))
            alike = following is not None and (following.version, following.rate) == (header.version, header.rate)
            if alike or behind == size:
                return start + at, header
        at = window.find(b"\xff", at + 1)
    raise NotMp3("holds no MPEG frames")


def _read_tag(file: BinaryIO, at: int, header: _Header) -> tuple[int | None, int | None, int]:
    """Read the Xing or Info tag of the first frame: frames, encoder delay and padding. None where not given."""
    file.seek(at)
    frame = file.read(header.length)
    mark = 4 + header.side
    if frame[mark : mark + 4] not in (b"Xing", b"Info"):
        return None, None, 0
    flags = int.from_bytes(frame[mark + 4 : mark + 8], "big")
    rest = mark + 8
    # a tag without a count is a tag all the same: its frame is no sound
    promised = int.from_bytes(frame[rest : rest + 4], "big") if flags & 1 else 0
    rest += 4 * (flags & 1) + 4 * (flags >> 1 & 1) + 100 * (flags >> 2 & 1) + 4 * (flags >> 3 & 1)
    lame = frame[rest : rest + 24]
    if len(lame) < 24 or lame[:4] not in (b"LAME", b"Lavf", b"Lavc", b"GOGO", b"L3.9"):
        return promised, None, 0
    both = int.from_bytes(lame[21:24], "big")
    return promised, (both >> 12 if both else None), both & 0xFFF  # all zero: the field was never filled in


def _is_vbri(file: BinaryIO, at: int) -> bool:
    file.seek(at + 36)
    return file.read(4) == b"VBRI"


def _tag_frame(like: _Header, frames: int | None, delay: int, padding: int) -> bytes:
    """Make a silent frame of the kind of ``like``; with ``frames`` it is a tag of that many, which is not played."""
    speed = 9 if like.version == 3 else 8  # 128 or 64 kbit/s: room enough for the tag
    raw = bytes((0xFF, like.raw[1] | 1, like.raw[2] & 0x0D | speed << 4, like.raw[3]))
    header = _parse(raw)
    assert header is not None
    body = bytes(header.side)
    if frames is not None:
        body += b"Info" + struct.pack(">II", 1, frames)
        body += b"LAME3.100" + bytes(12) + (delay << 12 | padding).to_bytes(3, "big")
    return raw + body + bytes(header.length - 4 - len(body))
