"""The structure of audio files, read by ourselves before any decoder sees them.

It answers three questions: is this a format and coding that we let a decoder parse at all; does the file really hold as
many bytes as its header promises (libsndfile shortens silently); and which time stamp and texts lie beside the sound.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

_MOST_CHUNKS = 4096
_FARTHEST = 1 << 40
_MOST_TEXT = 1 << 20  # bytes of a text chunk that are read
_NO_LENGTH = 0xFFFFFFFF
#: Programs that write to a pipe cannot go back; some put a number near the largest 31-bit one instead of a length.
_STREAM_LENGTH = 0x7FFF0000
_W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")  # ends every chunk's GUID but the first
_W64_HEAD = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000")
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_AIFC_CODINGS = {b"NONE", b"twos", b"sowt", b"raw ", b"in24", b"in32", b"fl32", b"FL32", b"fl64", b"FL64"}


class BadStructure(Exception):
    """The file is not, or not wholly, of the format that it begins as. The text ends the sentence "the file …"."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk: where its content starts in the file, and how long its header says that it is (bytes)."""

    offset: int
    size: int


@dataclass(slots=True)
class Structure:
    """What the header of a file says of its sound.

    ``declared`` and ``available`` count bytes of sound: as promised, and as really there. A header written while
    streaming, which holds no length, declares what is there and is ``streamed``.
    """

    kind: str  # "RIFF", "RF64", "AIFF", "W64" or "CAF"
    data: int = 0  # offset of the sound
    declared: int = 0
    available: int = 0
    streamed: bool = False
    chunks: dict[bytes, Chunk] = field(default_factory=dict)  # the first one of each name


def kind_of(file: BinaryIO) -> str | None:
    """Name the format that the file begins as, or None. A file that begins with an ID3 tag counts as MP3."""
    file.seek(0)
    head = file.read(48)
    kinds = {b"RIFF": "RIFF", b"RF64": "RF64", b"FORM": "AIFF", b"fLaC": "FLAC", b"caff": "CAF", b"OggS": "OGG"}
    kind = kinds.get(head[:4])
    if kind in ("RIFF", "RF64"):
        return kind if head[8:12] == b"WAVE" else None
    if kind == "AIFF":
        return kind if head[8:12] in (b"AIFF", b"AIFC") else None
    if kind:
        return kind
    if head[:16] == _W64_HEAD:
        return "W64"
    mpeg = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0
    return "MP3" if head[:3] == b"ID3" or mpeg else None


def what_instead(file: BinaryIO) -> str:
    """Say what a file is that is no audio, as the end of the sentence "it is …", for the messages."""
    file.seek(0)
    head = file.read(512).removeprefix(b"\xef\xbb\xbf").lstrip()
    if not head:
        return "empty"
    if head[:1] == b"<":
        return "a web page or XML"
    if head[:1] in b"{[":
        return "JSON text"
    return "of an unknown format"


def read_structure(file: BinaryIO, kind: str, size: int) -> Structure:
    """Walk the chunks of a RIFF, RF64, AIFF, W64 or CAF file of ``size`` bytes.

    Raises BadStructure where the sound is missing or coded in a way that is not let through to the decoder.
    """
    reader = {"RIFF": _riff, "RF64": _riff, "AIFF": _aiff, "W64": _w64, "CAF": _caf}[kind]
    found = Structure(kind)
    reader(file, size, found)
    if not found.data:
        raise BadStructure("has no sound in it")
    found.available = max(0, size - found.data)
    if found.streamed:
        found.declared = found.available
    return found


def _take(file: BinaryIO, offset: int, count: int) -> bytes:
    if offset > _FARTHEST:  # a length in a damaged header can point to where the system cannot seek
        return b""
    file.seek(offset)
    return file.read(count)


def _walk(file: BinaryIO, start: int, size: int, order: str, pad: int) -> Iterator[tuple[bytes, Chunk]]:
    """Yield chunks with a name of 4 bytes and a length of 4 or (``order`` with q) 8 bytes."""
    wide, at = struct.calcsize(order), start
    for _ in range(_MOST_CHUNKS):
        head = _take(file, at, 4 + wide)
        if len(head) < 4 + wide:
            return
        length = int(struct.unpack(order, head[4:])[0])
        yield head[:4], Chunk(at + 4 + wide, length)
        if length < 0:
            return
        at += 4 + wide + length + (length % 2 if pad else 0)
        if at >= size:
            return


def _check_tag(body: bytes) -> None:
    """Let through PCM and float, the codings whose decoders are simple copies."""
    if len(body) < 16:
        raise BadStructure("has a damaged header")
    tag = struct.unpack("<H", body[:2])[0]
    if tag == _EXTENSIBLE and len(body) >= 26:
        tag = struct.unpack("<H", body[24:26])[0]
    if tag not in (_PCM, _FLOAT):
        raise BadStructure("is compressed in a way that is not supported (only PCM and float are)")


def _riff(file: BinaryIO, size: int, found: Structure) -> None:
    whole = int.from_bytes(_take(file, 4, 4), "little")
    wide_size: int | None = None
    for name, chunk in _walk(file, 12, size, "<I", pad=2):
        found.chunks.setdefault(name, chunk)
        if name == b"fmt ":
            _check_tag(_take(file, chunk.offset, min(chunk.size, 40)))
        elif name == b"ds64":
            wide_size = int.from_bytes(_take(file, chunk.offset + 8, 8), "little")
        elif name == b"data":
            if b"fmt " not in found.chunks:
                raise BadStructure("has a damaged header")
            found.data = chunk.offset
            found.declared = wide_size if wide_size is not None and chunk.size == _NO_LENGTH else chunk.size
            found.streamed = _is_streamed(found.declared, size - chunk.offset, whole, chunk.offset)
            if found.streamed or found.declared >= _NO_LENGTH:
                _after_wide_data(file, size, found)
                return


def _after_wide_data(file: BinaryIO, size: int, found: Structure) -> None:
    """Read what follows sound whose length the chunk itself cannot tell."""
    if found.streamed:
        return
    for name, chunk in _walk(file, found.data + found.declared + found.declared % 2, size, "<I", pad=2):
        found.chunks.setdefault(name, chunk)


def _is_streamed(declared: int, available: int, whole: int, offset: int) -> bool:
    """Tell whether the lengths in a RIFF header are placeholders by a program that could not fill them in."""
    if declared == 0:
        return available > 0 and (whole in (0, _NO_LENGTH) or whole + 8 <= offset)
    return declared > available and _STREAM_LENGTH <= declared <= _NO_LENGTH


def _aiff(file: BinaryIO, size: int, found: Structure) -> None:
    compressed = _take(file, 8, 4) == b"AIFC"
    for name, chunk in _walk(file, 12, size, ">I", pad=2):
        found.chunks.setdefault(name, chunk)
        if name == b"COMM" and compressed and _take(file, chunk.offset + 18, 4) not in _AIFC_CODINGS:
            raise BadStructure("is compressed in a way that is not supported (only PCM and float are)")
        if name == b"SSND":
            found.data, found.declared = chunk.offset + 8, chunk.size - 8
            found.streamed = chunk.size in (0, _NO_LENGTH)


def _w64(file: BinaryIO, size: int, found: Structure) -> None:
    at = 40
    for _ in range(_MOST_CHUNKS):
        head = _take(file, at, 24)
        if len(head) < 24:
            return
        length = int.from_bytes(head[16:], "little")
        if length < 24:
            return
        name = head[:4]
        if head[4:16] == _W64_TAIL:
            found.chunks.setdefault(name, Chunk(at + 24, length - 24))
            if name == b"fmt ":
                _check_tag(_take(file, at + 24, min(length - 24, 40)))
            elif name == b"data":
                found.data, found.declared = at + 24, length - 24
        at += length + -length % 8
        if at >= size:
            return


def _caf(file: BinaryIO, size: int, found: Structure) -> None:
    for name, chunk in _walk(file, 8, size, ">q", pad=0):
        found.chunks.setdefault(name, chunk)
        if name == b"desc" and _take(file, chunk.offset + 8, 4) != b"lpcm":
            raise BadStructure("is compressed in a way that is not supported (only PCM and float are)")
        if name == b"data":
            found.data, found.declared = chunk.offset + 4, chunk.size - 4  # 4 bytes count edits
            found.streamed = chunk.size == -1


def check_ogg(file: BinaryIO, size: int) -> str | None:
    """Let through Ogg with Vorbis or Opus; return what is wrong with its end, or None.

    An Ogg file has no length in its header: what tells a whole one is the end mark on its last page.
    """
    head = _take(file, 0, 512)
    if b"\x01vorbis" not in head and b"OpusHead" not in head:
        raise BadStructure("is an Ogg file without Vorbis or Opus")
    tail = _take(file, max(0, size - 66_000), 66_000)
    at = tail.rfind(b"OggS\x00")
    page = tail[at:] if at >= 0 else b""
    if len(page) < 27 or len(page) < 27 + page[26] + sum(page[27 : 27 + page[26]]):
        return "ends in the middle of a page"
    return None if page[5] & 4 else "lacks the mark that ends it"


def text_chunk(file: BinaryIO, structure: Structure, name: bytes) -> bytes | None:
    """Return the content of a chunk other than the sound, at most 1 MiB of it, or None where there is none."""
    chunk = structure.chunks.get(name)
    return None if chunk is None else _take(file, chunk.offset, min(chunk.size, _MOST_TEXT))


def info_texts(file: BinaryIO, structure: Structure) -> dict[str, str]:
    """Return the texts of LIST/INFO by their names (``INAM``, ``ICMT`` …). UTF-8, else taken as Latin-1."""
    body = text_chunk(file, structure, b"LIST") or b""
    if body[:4] != b"INFO":
        return {}
    texts, at = {}, 4
    while at + 8 <= len(body):
        length = int.from_bytes(body[at + 4 : at + 8], "little")
        raw = body[at + 8 : at + 8 + length].split(b"\0")[0]
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
        texts[body[at : at + 4].decode("latin-1")] = text
        at += 8 + length + length % 2
    return texts
