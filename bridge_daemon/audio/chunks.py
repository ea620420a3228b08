"""The structure of audio files made of chunks, read by ourselves before any decoder sees them.

It answers three questions: is this a coding that we let a decoder parse; does the file really hold as many bytes as its
header promises (libsndfile and ffmpeg shorten silently); and which time stamp and texts lie beside the sound. Where the
header is one that libsndfile does not read, ``patches`` says which bytes of it to replace; no sound is touched.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from bridge_daemon.audio.view import ByteFile

#: The formats of :func:`read_structure`.
CHUNKED: Final = frozenset({"RIFF", "RIFX", "RF64", "BW64", "AIFF", "W64", "CAF", "AU"})
WAVE: Final = frozenset({"RIFF", "RIFX", "RF64", "BW64"})
_MOST_CHUNKS = 4096
_FARTHEST = 1 << 40
_MOST_TEXT = 1 << 20  # bytes of a text chunk that are read
_NO_LENGTH = 0xFFFFFFFF
#: Programs that write to a pipe cannot go back; some put a number near the largest 31-bit one instead of a length.
_STREAM_LENGTH = 0x7FFF0000
#: So many bytes more or fewer than promised are a matter of counting: some writers count the header, or forget to.
SLACK: Final = 64
_W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")  # ends every chunk's GUID but the first
_EXTENSIBLE = 0xFFFE
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")  # behind a format tag: the sub-format of that tag
#: Sub-formats of ambisonic sound (PCM and float), with channels in the order of Furse and Malham.
_AMBISONIC_TAIL = bytes.fromhex("00002107d3118644c8c1ca000000")
_WAVE_CODINGS = {1: "PCM", 3: "PCM", 6: "PCM", 7: "PCM", 2: "ADPCM", 0x11: "ADPCM", 0x50: "MP3", 0x55: "MP3"}
_WAVE_NAMES = {0x31: "GSM 6.10", 0x161: "Windows Media", 0x162: "Windows Media", 0xFF: "AAC", 0x2000: "AC-3"}
_AIFC_CODINGS = frozenset(
    {b"NONE", b"twos", b"sowt", b"raw ", b"in24", b"in32", b"fl32", b"FL32", b"fl64", b"FL64"}
    | {b"alaw", b"ALAW", b"ulaw", b"ULAW"}
)
#: Names of PCM that libsndfile does not know, and what it calls the same: the bit depth stands beside the name.
_AIFC_SAME = {b"42ni": b"sowt", b"23ni": b"sowt", b"in16": b"twos", b"61ni": b"sowt", b"lpcm": b"twos"}
_CAF_CODINGS = {b"lpcm": "PCM", b"ulaw": "PCM", b"alaw": "PCM", b"alac": "ALAC", b"aac ": "AAC"}
_AU_CODINGS = frozenset({1, 2, 3, 4, 5, 6, 7, 27})


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

    ``declared`` and ``available`` count bytes of sound: as promised, and as really there. A header that holds no
    length, or a wrong one, declares what is there and is ``streamed``.
    """

    kind: str  # one of CHUNKED
    data: int = 0  # offset of the sound
    declared: int = 0
    available: int = 0
    streamed: bool = False
    coding: str = "PCM"  # what libsndfile copies or looks up; "ADPCM", "MP3", "ALAC", "AAC"
    whole: int | None = None  # bytes of the file, as its header says; None if that is no length
    chunks: dict[bytes, Chunk] = field(default_factory=dict)  # the first one of each name
    patches: dict[int, bytes] = field(default_factory=dict)

    @property
    def missing(self) -> str | None:
        """Say how much of the sound is not there, as the end of "it …"; None if a few bytes at most are."""
        if self.declared <= self.available + SLACK:
            return None
        return f"holds {self.available} of {self.declared} bytes of sound"


def read_structure(file: ByteFile, kind: str, size: int) -> Structure:
    """Walk the chunks of a file of ``size`` bytes and one of the CHUNKED kinds.

    Raises BadStructure if the sound is missing or coded in a way that is not let through to a decoder.
    """
    found = Structure(kind)
    {"AIFF": _aiff, "W64": _w64, "CAF": _caf, "AU": _au}.get(kind, _riff)(file, size, found)
    if not found.data:
        raise BadStructure("has no sound in it")
    found.available = max(0, size - found.data)
    if found.streamed:
        found.declared = found.available
    return found


def _take(file: ByteFile, offset: int, count: int) -> bytes:
    if offset > _FARTHEST:  # a length in a damaged header can point to where the system cannot seek
        return b""
    file.seek(offset)
    return file.read(count)


def _walk(file: ByteFile, start: int, size: int, order: str, pad: int) -> Iterator[tuple[bytes, Chunk]]:
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


def _not_read(name: str) -> BadStructure:
    return BadStructure(f"is coded as {name}, which is not read; make a WAV or FLAC of it")


def _wave_coding(body: bytes, order: str) -> str:
    """Return the coding that a fmt chunk tells."""
    if len(body) < 16:
        raise BadStructure("has a damaged header")
    tag = struct.unpack(f"{order}H", body[:2])[0]
    if tag == _EXTENSIBLE and len(body) >= 40:
        tag = struct.unpack("<H", body[24:26])[0]
        if body[26:40] not in (_GUID_TAIL, _AMBISONIC_TAIL):
            raise _not_read(f"sub-format {body[24:40].hex()}")
    if tag not in _WAVE_CODINGS:
        raise _not_read(_WAVE_NAMES.get(tag, f"format {tag:#06x} of WAV"))
    return _WAVE_CODINGS[tag]


def is_ambisonic(body: bytes) -> bool:
    """Return whether the sub-format of a fmt chunk is that of ambisonic sound."""
    return len(body) >= 40 and body[:2] == b"\xfe\xff" and body[26:40] == _AMBISONIC_TAIL


def _riff(file: ByteFile, size: int, found: Structure) -> None:
    order = ">" if found.kind == "RIFX" else "<"
    whole = struct.unpack(f"{order}I", _take(file, 4, 4))[0]
    found.whole = whole + 8 if found.kind in ("RIFF", "RIFX") and whole not in (0, _NO_LENGTH) else None
    if found.kind == "BW64":
        found.patches[0] = b"RF64"  # the same but for chunks that say more
    wide_at, wide = 0, None
    for name, chunk in _walk(file, 12, size, f"{order}I", pad=2):
        first = name not in found.chunks
        found.chunks.setdefault(name, chunk)
        if name == b"fmt " and first:
            found.coding = _wave_coding(_take(file, chunk.offset, min(chunk.size, 40)), order)
        elif name == b"ds64" and first:
            wide_at, wide = chunk.offset + 8, int.from_bytes(_take(file, chunk.offset + 8, 8), "little")
        elif name == b"data":
            _riff_data(file, size, found, chunk, wide)
            if found.streamed or found.declared >= _NO_LENGTH:
                break
    _riff_end(file, size, found, wide_at, order)


def _riff_end(file: ByteFile, size: int, found: Structure, wide_at: int, order: str) -> None:
    """Give sound without a length the length that is there; read what follows sound beyond 4 GiB."""
    left = size - found.data
    if found.streamed and wide_at:
        found.patches[wide_at] = struct.pack("<Q", left)
    elif found.streamed:
        found.patches[found.data - 4] = struct.pack(f"{order}I", min(left, _NO_LENGTH))
    elif found.declared >= _NO_LENGTH:  # the chunk itself cannot tell the length; what follows is read by the true one
        for name, chunk in _walk(file, found.data + found.declared + found.declared % 2, size, "<I", pad=2):
            found.chunks.setdefault(name, chunk)


def _riff_data(file: ByteFile, size: int, found: Structure, chunk: Chunk, wide: int | None) -> None:
    if b"fmt " not in found.chunks:
        raise BadStructure("has a damaged header")
    if found.data:
        if found.declared or not chunk.size:
            return  # the first sound counts
        found.patches[found.data - 8] = b"JUNK"  # an empty one in front, which decoders take for the sound
    found.data = chunk.offset
    found.declared = wide if wide is not None and chunk.size == _NO_LENGTH else chunk.size
    found.streamed = _is_streamed(file, size, found)


def _is_streamed(file: ByteFile, size: int, found: Structure) -> bool:
    """Return whether a RIFF header has no real length of the sound, mostly since its writer could not fill it in."""
    available = size - found.data
    if found.declared == 0:
        unfilled = found.kind in ("RIFF", "RIFX") and (found.whole is None or found.whole <= found.data)
        return available > 0 and (unfilled or not _are_chunks(file, found.data, size))
    if found.declared <= available:
        return False
    return _STREAM_LENGTH <= found.declared <= _NO_LENGTH or found.whole == size


def _are_chunks(file: ByteFile, start: int, size: int) -> bool:
    """Return whether what lies from ``start`` to the end is a row of chunks, and so no sound."""
    end = start
    for name, chunk in _walk(file, start, size, "<I", pad=2):
        if not (name.isascii() and name.decode("ascii").isprintable()):
            return False
        end = chunk.offset + chunk.size
    return abs(end - size) <= 1


def _aiff(file: ByteFile, size: int, found: Structure) -> None:
    whole = int.from_bytes(_take(file, 4, 4), "big")
    found.whole = whole + 8 if whole not in (0, _NO_LENGTH) else None
    compressed = _take(file, 8, 4) == b"AIFC"
    for name, chunk in _walk(file, 12, size, ">I", pad=2):
        found.chunks.setdefault(name, chunk)
        if name == b"COMM" and compressed:
            coding = _take(file, chunk.offset + 18, 4)
            if coding in _AIFC_SAME:
                found.patches[chunk.offset + 18] = _AIFC_SAME[coding]
            elif coding not in _AIFC_CODINGS:
                raise _not_read(f'"{coding.decode("latin-1")}" of AIFF-C')
        if name == b"SSND":
            found.data, found.declared = chunk.offset + 8, chunk.size - 8
            found.streamed = chunk.size in (0, _NO_LENGTH) or (
                found.declared > size - found.data and found.whole == size
            )
            if found.streamed:
                return


def _w64(file: ByteFile, size: int, found: Structure) -> None:
    at = 40
    for _ in range(_MOST_CHUNKS):
        head = _take(file, at, 24)
        length = int.from_bytes(head[16:], "little")
        if len(head) < 24 or head[4:16] != _W64_TAIL:
            return
        name = head[:4]
        found.chunks.setdefault(name, Chunk(at + 24, max(0, length - 24)))
        if name == b"fmt ":
            found.coding = _wave_coding(_take(file, at + 24, min(max(0, length - 24), 40)), "<")
        elif name == b"data":
            found.data, found.declared = at + 24, length - 24
            left = size - found.data
            found.streamed = left > 0 and (length in (0, 24) or length > 1 << 62)
            if found.streamed:
                found.patches[at + 16] = struct.pack("<Q", left + 24)
                return
        if length < 24:
            return
        at += length + -length % 8
        if at >= size:
            return


def _caf(file: ByteFile, size: int, found: Structure) -> None:
    for name, chunk in _walk(file, 8, size, ">q", pad=0):
        found.chunks.setdefault(name, chunk)
        if name == b"desc":
            coding = _take(file, chunk.offset + 8, 4)
            if coding not in _CAF_CODINGS:
                raise _not_read(f'"{coding.decode("latin-1").strip()}" of CAF')
            found.coding = _CAF_CODINGS[coding]
        if name == b"data":
            found.data, found.declared = chunk.offset + 4, chunk.size - 4  # 4 bytes count edits
            found.streamed = chunk.size == -1
            if found.streamed:
                found.patches[chunk.offset - 8] = struct.pack(">q", size - chunk.offset)


def _au(file: ByteFile, size: int, found: Structure) -> None:
    head = _take(file, 0, 24)
    if len(head) < 24:
        return
    start, length, coding = struct.unpack("<III" if head[:1] == b"d" else ">III", head[4:16])
    if coding not in _AU_CODINGS:
        raise _not_read(f"number {coding} of AU")
    found.data, found.declared = start, length
    found.streamed = length == _NO_LENGTH or (length == 0 and size > start)


def text_chunk(file: ByteFile, structure: Structure, name: bytes) -> bytes | None:
    """Return the content of a chunk other than the sound, at most 1 MiB of it, or None if there is none."""
    chunk = structure.chunks.get(name)
    return None if chunk is None else _take(file, chunk.offset, min(max(0, chunk.size), _MOST_TEXT))


def info_texts(file: ByteFile, structure: Structure) -> dict[str, str]:
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
