"""The frames of an MP3, counted by ourselves, and a header frame that tells the decoder what we found.

Why not leave it to a decoder (measured, on files that ffprobe and sox read): without a length tag libsndfile guesses
the length from the first bit rate and stops there, which cuts a variable-rate file to half; it gives up at foreign
bytes; it does not notice a truncated file. ffmpeg reads through all of that, but says nothing of it, and guesses
lengths too. Neither cuts the silence that every encoder puts before the sound (its delay) if no tag gives its
length. So we walk the frames, and give the decoder a tag frame of our own in front of them, with the true length and
delay, and nothing that is no frame.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from bridge_daemon.audio import kinds
from bridge_daemon.audio.view import ByteFile, Piece

_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_KILOBITS = {
    True: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
#: Bytes that may lie before the first frame, and between two frames.
_SEARCH: Final = 1 << 24
_BLOCK: Final = 1 << 20
_JUNK_FRONT: Final = 1 << 16  # bytes of nothing known before the first frame of what is an MP3 all the same
_SYNC: Final = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb][\x10-\xef]", re.DOTALL)
_MOST_TRIES: Final = 200_000  # of what looks like a frame
_MOST_GAPS: Final = 1000
_TRAILERS = (b"TAG", b"APETAGEX", b"LYRICS", b"ID3", b"3DI", b"\0\0\0\0")
_OWN = _TRAILERS[:-1]  # tags, which belong to the file
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
    def kind(self) -> tuple[int, int, bool]:
        """What all frames of one sound have in common."""
        return self.version, self.rate, self.mono

    @property
    def samples(self) -> int:
        return 1152 if self.version == 3 else 576

    @property
    def side(self) -> int:
        """Bytes of side information, behind which a tag stands."""
        if self.version == 3:
            return 17 if self.mono else 32
        return 9 if self.mono else 17


@dataclass(slots=True)
class Mp3:
    """What a walk through all frames found. Lengths in the file are bytes, delays are samples."""

    header: _Header
    spans: list[tuple[int, int]] = field(default_factory=list)  # of the file: whole frames with sound, and nothing else
    frames: int = 0
    promised: int | None = None  # frames that the tags speak of
    delay: int | None = None  # of the encoder, from the tag
    padding: int = 0
    foreign: list[tuple[int, int]] = field(default_factory=list)  # frames before something foreign, and its bytes
    files: int = 1  # joined end to end, as their tags tell
    broken_end: bool = False  # the last frame is cut off, or something else than a tag follows it
    other_kind: bool = False  # frames of another rate, or another number of channels, follow

    @property
    def end(self) -> int:
        """Offset behind the last whole frame."""
        return self.spans[-1][1] if self.spans else 0

    @property
    def missing(self) -> str | None:
        """Say what cannot be had of it. One frame more or less than promised is a matter of counting."""
        if self.other_kind:
            return f"changes its sample rate or its channels at {self._seconds(self.frames)}"
        if self.promised is None or self.promised <= self.frames + self.files:
            return None
        return f"holds {self.frames} of {self.promised} MPEG frames"

    @property
    def doubt(self) -> str | None:
        """Say why the file may be cut off though it promises no length."""
        return "ends in the middle of an MPEG frame" if not self.promised and self.broken_end else None

    @property
    def is_proved(self) -> bool:
        """Return whether its tag, which encoders fill in at the end, speaks of all that is there."""
        return bool(self.promised) and not self.missing and not self.broken_end

    @property
    def notes(self) -> tuple[str, ...]:
        """Say what else was found in it, and left out."""
        notes = []
        if self.files > 1:
            notes.append(f"{self.files} MP3 files, joined end to end")
        if self.foreign:
            where = ", ".join(self._seconds(frames) for frames, _ in self.foreign[:3])
            amount = sum(count for _, count in self.foreign)
            notes.append(f"{amount} bytes that are no MPEG frames were left out, at {where}")
        return tuple(notes)

    def _seconds(self, frames: int) -> str:
        return f"{frames * self.header.samples / self.header.rate:.2f} s"

    def pieces(self, *, cut_delay: bool) -> list[Piece]:
        """Return what the decoder is to see: frames of our own, and those of the file.

        With ``cut_delay`` sample 0 is the first sample of the sound also if no tag gives the delay. Without it, such
        a file is decoded as it stands: the decoder would cut its own delay by itself, so a silent frame and a delay are
        put there that cancel each other out.
        """
        if self.delay is not None:
            padding = 0 if self.missing else self.padding  # it lies at the end, which then is not there
            return [_tag_frame(self.header, self.frames, self.delay, padding), *self.spans]
        if cut_delay:
            return [_tag_frame(self.header, self.frames, LAME_DELAY, 0), *self.spans]
        silent = _tag_frame(self.header, None, 0, 0)
        tag = _tag_frame(self.header, self.frames + 1, self.header.samples - DECODER_DELAY, 0)
        return [tag, silent, *self.spans]

    def delay_cut(self, *, cut_delay: bool) -> int:
        """Return how many samples before the sound :meth:`pieces` makes the decoder leave out."""
        if self.delay is not None:
            return self.delay + DECODER_DELAY
        return LAME_DELAY + DECODER_DELAY if cut_delay else 0


def recognise(file: ByteFile, size: int) -> tuple[str | None, int]:
    """Return what a file is, as :func:`kinds.recognise`, or "MP3" where frames begin behind bytes of nothing known."""
    kind, start = kinds.recognise(file)
    if kind is None and (found := next(_found(file, 0, size, None, _JUNK_FRONT), None)) is not None:
        return "MP3", found[0]
    return kind, start


def scan(file: ByteFile, size: int, start: int = 0) -> Mp3:
    """Walk all MPEG frames of a file of ``size`` bytes, from ``start`` on. Raises NotMp3 when there are none."""
    begin = next(_found(file, start, size, None), None)
    if begin is None:
        raise NotMp3("holds no MPEG frames")
    at, header = begin
    walk = Mp3(header)
    if at > start and any(_bytes(file, start, min(at - start, 4096))):
        walk.foreign.append((0, at - start))
    while True:
        at = _read_tag(file, at, walk)
        at, last = _run(file, at, size, walk)
        following = _after_gap(file, at, last, size, walk)
        if following is None:
            break
        at = following
    if not walk.frames:
        raise NotMp3("holds no MPEG frames")
    return walk


def _run(file: ByteFile, at: int, size: int, walk: Mp3) -> tuple[int, int]:
    """Take the frames that follow one another from ``at`` on; return where they end, and where the last one begins."""
    first = last = at
    kind = walk.header.kind
    while True:
        raw = _bytes(file, at, 40)
        found = _parse(raw)
        if found is None or found.kind != kind or at + found.length > size or (at > first and _is_tag(raw, found)):
            break
        last, at = at, at + found.length
        walk.frames += 1
    if at > first:
        walk.spans.append((first, at))
    return at, last


def _after_gap(file: ByteFile, at: int, last: int, size: int, walk: Mp3) -> int | None:
    """Return where the frames go on after something that is none, or None if the file ends."""
    rest = _bytes(file, at, 40)
    header = _parse(rest)
    if header is not None and header.kind == walk.header.kind and _is_tag(rest, header):
        return at  # the next file, joined end to end
    walk.broken_end = bool(rest) and not rest.startswith(_TRAILERS)
    if not rest or len(walk.foreign) >= _MOST_GAPS:
        return None
    behind = at + kinds.tag_length(rest)
    # where something foreign begins, it may begin in the middle of the last frame
    cut = behind == at and not rest.startswith(_TRAILERS) and walk.spans and walk.spans[-1][1] == at
    search = last + 4 if cut else behind
    here = next(_found(file, search, size, walk.header.kind), None)
    if here is None:
        other = next(_found(file, behind, size, None), None)
        walk.other_kind = other is not None and other[1].kind != walk.header.kind
        return None
    if cut:
        walk.frames -= 1
        start, _ = walk.spans.pop()
        if last > start:
            walk.spans.append((start, last))
    gap = here[0] - (last if cut else at)
    if not rest.startswith(_OWN):
        walk.foreign.append((walk.frames, gap))
    return here[0]


def _bytes(file: ByteFile, at: int, count: int) -> bytes:
    file.seek(at)
    return file.read(count)


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


def _found(
    file: ByteFile, start: int, size: int, kind: tuple[int, int, bool] | None, search: int = _SEARCH
) -> Iterator[tuple[int, _Header]]:
    """Find frames (of a kind) that two more of their kind, or the end of the file, follow."""
    tries = 0
    for at in range(start, min(size, start + search), _BLOCK):
        for match in _SYNC.finditer(_bytes(file, at, _BLOCK + 2)):
            header = _parse(_bytes(file, at + match.start(), 4))
            tries += 1
            if tries > _MOST_TRIES:
                return
            if header is None or (kind is not None and header.kind != kind):
                continue
            if _is_followed(file, at + match.start(), header, size):
                yield at + match.start(), header


def _is_followed(file: ByteFile, at: int, header: _Header, size: int) -> bool:
    at += header.length
    for _ in range(2):
        if at >= size:
            return at == size
        rest = _bytes(file, at, 10)
        following = _parse(rest)
        if following is None or following.kind != header.kind:
            return rest.startswith(_OWN)
        at += following.length
    return True


def _is_tag(raw: bytes, header: _Header) -> bool:
    """Return whether a frame is the tag that begins a file, and no sound."""
    mark = 4 + header.side
    return raw[mark : mark + 4] in (b"Xing", b"Info") or raw[36:40] == b"VBRI"


def _read_tag(file: ByteFile, at: int, walk: Mp3) -> int:
    """Read the Xing or Info tag of the frame at ``at``, which may be the first of a file; return where sound begins."""
    header = _parse(_bytes(file, at, 4))
    if header is None:
        return at
    frame = _bytes(file, at, header.length)
    mark = 4 + header.side
    joined = walk.frames > 0
    if frame[36:40] == b"VBRI":
        walk.files += joined
        return at + header.length
    if frame[mark : mark + 4] not in (b"Xing", b"Info"):
        return at
    walk.files += joined
    flags = int.from_bytes(frame[mark + 4 : mark + 8], "big")
    rest = mark + 8
    # a tag without a count is a tag all the same: its frame is no sound
    promised = int.from_bytes(frame[rest : rest + 4], "big") if flags & 1 else 0
    walk.promised = promised if not joined else walk.promised + promised if walk.promised else None
    rest += 4 * (flags & 1) + 4 * (flags >> 1 & 1) + 100 * (flags >> 2 & 1) + 4 * (flags >> 3 & 1)
    lame = frame[rest : rest + 24]
    if len(lame) == 24 and lame[:4] in (b"LAME", b"Lavf", b"Lavc", b"GOGO", b"L3.9"):
        both = int.from_bytes(lame[21:24], "big")
        if both:  # all zero: the field was never filled in
            walk.delay = walk.delay if joined else both >> 12
            walk.padding = both & 0xFFF
    return at + header.length


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
