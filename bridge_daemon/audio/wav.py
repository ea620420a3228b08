"""Broadcast Wave: a writer of our own for takes and sources, and a reader of what stands beside the sound.

Our own, because no library on hand streams PCM 24 with ``bext`` and LIST/INFO and adds no lines of its own. The order
is RIFF WAVE, (JUNK), bext, LIST INFO, fmt, data. JUNK keeps room for the 64-bit lengths (``ds64``) that a file beyond
4 GiB needs: it then becomes RF64 in place.
"""

from __future__ import annotations

import os
import struct
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Literal, Self

import numpy as np
import numpy.typing as npt

from bridge_daemon.audio import chunks
from bridge_daemon.audio.kinds import recognise
from bridge_daemon.util import files

_FIXED = struct.Struct("<256s32s32s10s8sQH")  # the fields of bext before UMID
_RESERVED = 64 + 190  # UMID, and bytes of later versions
_MOST_BYTES: Final = 0xFFFFFFFF
_MOST_TIME: Final = (1 << 64) - 1
_SPECIAL = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "ł": "l", "Ł": "L"}
    | {"ı": "i", "þ": "th", "Þ": "Th", "ð": "d", "×": "x", "€": "EUR"}
    | dict.fromkeys("‘’‚‹›′", "'")
    | dict.fromkeys("“”„«»″", '"')
    | dict.fromkeys("–—‐‑−", "-")
)


def to_ascii(text: str) -> str:
    """Return ``text`` in ASCII as well as it can be: letters without accents, line ends as spaces, else ``?``."""
    plain = unicodedata.normalize("NFKD", text.translate(_SPECIAL))
    kept = "".join(c for c in plain if not unicodedata.combining(c))
    printable = "".join(c if c.isprintable() else " " for c in kept)
    return printable.encode("ascii", "replace").decode("ascii")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bext:
    """The broadcast extension chunk, version 1. Text is cut to the size of its field, and stored as ASCII."""

    description: str = ""  # 256 characters
    originator: str = "daw-bridge"  # 32
    originator_reference: str = ""  # 32
    origination_date: str = ""  # YYYY-MM-DD
    origination_time: str = ""  # HH:MM:SS
    time_reference: int = 0  # frames since midnight
    version: int = 1
    coding_history: str = ""

    def to_bytes(self) -> bytes:
        """Return the content of the chunk. Raises ValueError when the time reference does not fit in 64 bits."""
        if not 0 <= self.time_reference <= _MOST_TIME:
            raise ValueError(f"time_reference = {self.time_reference}: must fit in 64 bits and not be negative")
        texts = (self.description, self.originator, self.originator_reference)
        dates = (self.origination_date, self.origination_time)
        fields = [to_ascii(text).encode() for text in (*texts, *dates)]  # struct cuts, and fills up with NUL
        # the history is lines by itself, so its line ends stay
        history = "\r\n".join(to_ascii(line) for line in self.coding_history.splitlines())
        tail = history.encode() + b"\r\n\0" if history else b""
        tail += bytes(len(tail) % 2)  # in RF64, libsndfile does not skip the byte that fills up an odd chunk
        return _FIXED.pack(*fields, self.time_reference, self.version) + bytes(_RESERVED) + tail


@dataclass(frozen=True, slots=True, kw_only=True)
class Acid:
    """The ``acid`` chunk: what samplers and DAWs read the tempo of a file from."""

    tempo: float  # BPM
    beats: int  # quarter notes in the file
    numerator: int = 4  # of the meter, in quarter notes
    loops: bool = False

    def to_bytes(self) -> bytes:
        """Return the content of the chunk: flags, root note and two unknown fields, beats, meter, tempo."""
        flags = 4 if self.loops else 1 | 4  # one shot, may be stretched
        return struct.pack("<IHHfIHHf", flags, 60, 0x8000, 0.0, self.beats, 4, self.numerator, self.tempo)


def parse_bext(body: bytes | None) -> Bext | None:
    """Read the content of a bext chunk of any version; None when there is none or it is too short to be one."""
    if body is None or len(body) < _FIXED.size + _RESERVED:
        return None
    *raw, time_reference, version = _FIXED.unpack_from(body)
    texts = [part.split(b"\0")[0].decode("ascii", "replace") for part in raw]
    history = body[_FIXED.size + _RESERVED :].split(b"\0")[0].decode("ascii", "replace")
    return Bext(
        description=texts[0],
        originator=texts[1],
        originator_reference=texts[2],
        origination_date=texts[3],
        origination_time=texts[4],
        time_reference=time_reference,
        version=version,
        coding_history=history.rstrip("\r\n"),
    )


def read_bext(path: Path) -> Bext | None:
    """Return the broadcast extension of a WAV or RF64 file, or None. OSError when it cannot be read."""
    with files.open_plain(path) as file:
        found = _structure(file)
        return parse_bext(chunks.text_chunk(file, found, b"bext")) if found else None


def read_info(path: Path) -> dict[str, str]:
    """Return the texts of LIST/INFO of a WAV or RF64 file by their names; empty when it has none."""
    with files.open_plain(path) as file:
        found = _structure(file)
        return chunks.info_texts(file, found) if found else {}


def riff_lengths(path: Path) -> tuple[int, int] | None:
    """Return how many bytes of sound a WAV or RF64 declares, and how many are there; None for any other file.

    A header that was written into a pipe, without a length, counts as declaring what is there.
    """
    with files.open_plain(path) as file:
        found = _structure(file)
        return (found.declared, found.available) if found else None


def _structure(file: BinaryIO) -> chunks.Structure | None:
    kind, start = recognise(file)
    if kind not in chunks.WAVE or start:
        return None
    try:
        return chunks.read_structure(file, kind, os.fstat(file.fileno()).st_size)
    except chunks.BadStructure:
        return None


class WavWriter:
    """Writes PCM 16 or 24 to an open binary file, block by block. :meth:`finish` fills in the lengths.

    Used with ``with``, it finishes when the block ends without an error. The file is left open: flushing it to the disk
    is the caller's.
    """

    def __init__(
        self,
        file: BinaryIO,
        *,
        rate: int,
        channels: int,
        bits: Literal[16, 24] = 24,
        bext: Bext | None = None,
        info: Mapping[str, str] | None = None,
        acid: Acid | None = None,
        reserve: bool = True,
        most_bytes: int = _MOST_BYTES,
    ) -> None:
        """Write the header. Without ``reserve`` it has no room to become RF64, and is what the oldest readers know.

        ``most_bytes`` is the length beyond which RIFF cannot count; only tests lower it.
        """
        self._file, self._channels, self._bits = file, channels, bits
        self._reserve, self._most = reserve, most_bytes
        self.frames = 0
        file.write(b"RIFF\0\0\0\0WAVE")
        if reserve:
            file.write(_chunk(b"JUNK", bytes(28)))
        if bext is not None:
            file.write(_chunk(b"bext", bext.to_bytes()))
        if info:
            file.write(_chunk(b"LIST", _info(info)))
        if acid is not None:
            file.write(_chunk(b"acid", acid.to_bytes()))
        file.write(_chunk(b"fmt ", _format(rate, channels, bits)))
        file.write(b"data\0\0\0\0")
        self._data = file.tell()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.finish()

    def write(self, block: npt.NDArray[np.floating]) -> None:
        """Append frames × channels of floating point, full scale ±1.0, rounded to the nearest step; more is clipped."""
        if block.ndim != 2 or block.shape[1] != self._channels:
            raise ValueError(f"a block of {self._channels} channels was expected, its shape is {block.shape}")
        if not len(block):
            return
        full = float(1 << (self._bits - 1))  # one scale for both signs: +1.0 is a step beyond the greatest value
        # 32 bit are exact here, too: a power of two changes no bit of a sample, and 24 bits are what they hold
        exact = np.float32 if block.dtype == np.float32 else np.float64
        with np.errstate(over="ignore"):  # what becomes infinite is clipped like all that is too great
            scaled = np.multiply(block, full, dtype=exact)
        np.rint(scaled, out=scaled)
        np.clip(scaled, -full, full - 1, out=scaled)
        if self._bits == 16:
            self._file.write(scaled.astype("<i2").tobytes())
        else:
            # four bytes at every third one, in their order: each but the last loses its uppermost to the next
            packed = np.empty(3 * scaled.size + 1, np.uint8)
            np.ndarray(scaled.size, "<i4", packed, strides=(3,))[:] = scaled.astype("<i4").reshape(-1)
            self._file.write(packed.data[:-1])
        self.frames += len(block)

    def finish(self) -> None:
        """Pad the sound to an even length and write the lengths into the header.

        Raises OverflowError beyond 4 GiB when no room was reserved for longer lengths.
        """
        file, size = self._file, self.frames * self._channels * self._bits // 8
        if size % 2:
            file.write(b"\0")
        end = file.tell()
        if end - 8 > self._most:
            if not self._reserve:
                raise OverflowError("the file is too long for a plain WAV")
            self._become_rf64(end - 8, size)
        else:
            _patch(file, 4, struct.pack("<I", end - 8))
            _patch(file, self._data - 4, struct.pack("<I", size))
        file.seek(end)

    def _become_rf64(self, riff_size: int, data_size: int) -> None:
        unknown = struct.pack("<I", _MOST_BYTES)
        _patch(self._file, 0, b"RF64" + unknown)
        _patch(self._file, 12, struct.pack("<4sIQQQI", b"ds64", 28, riff_size, data_size, self.frames, 0))
        _patch(self._file, self._data - 4, unknown)


def _patch(file: BinaryIO, offset: int, data: bytes) -> None:
    file.seek(offset)
    file.write(data)


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def _format(rate: int, channels: int, bits: int) -> bytes:
    frame = channels * bits // 8
    if channels <= 2:
        return struct.pack("<HHIIHH", 1, channels, rate, rate * frame, frame, bits)
    # more channels need the extended form; no speakers are assigned, since we do not know them
    guid = bytes.fromhex("0100000000001000800000aa00389b71")
    return struct.pack("<HHIIHHHHI", 0xFFFE, channels, rate, rate * frame, frame, bits, 22, bits, 0) + guid


def _info(texts: Mapping[str, str]) -> bytes:
    """Make LIST/INFO. Its texts are UTF-8, as today's readers expect."""
    parts = [b"INFO"]
    for name, text in texts.items():
        if len(name) != 4 or not name.isascii():
            raise ValueError(f"{name!r} is no name of an INFO text: those have 4 ASCII characters")
        parts.append(_chunk(name.encode(), text.replace("\0", " ").encode("utf-8", "replace") + b"\0"))
    return b"".join(parts)
