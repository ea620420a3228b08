"""The frozen form of a Max for Live device: written and read.

A file is a flat list of chunks with little-endian sizes; the last one, ``ptch``, holds what Max calls a collective, and
everything inside of that is big-endian: a header, the files one after the other, and a directory at the end.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

#: What stands in the header for each kind of device.
AUDIO_EFFECT: Final = "aaaa"
MIDI_EFFECT: Final = "mmmm"
#: 2017-10-05, in seconds since 1904: the date of Live's own template. A fixed date makes each build the same bytes.
FIXED_DATE: Final = 3_590_052_493
_FROZEN: Final = 7
_DEVICE_ITSELF: Final = 0x11
_COLLECTIVE_HEADER: Final = 16  # bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a frozen device."""

    name: str
    kind: str  # four letters: JSON, TEXT
    data: bytes
    flag: int = 0


@dataclass(frozen=True, slots=True)
class Device:
    """What a frozen device holds."""

    kind: str
    patcher: dict[str, Any]
    files: tuple[Entry, ...]  # without the patcher


class Malformed(ValueError):
    """What was read is no frozen device."""


def amxdtype(kind: str) -> int:
    """Return the number that stands in the patcher's project for a kind of device."""
    return int.from_bytes(kind.encode("ascii"), "big")


def write(name: str, kind: str, document: dict[str, Any], files: Sequence[Entry]) -> bytes:
    """Return a frozen device. ``name`` is its file name, ``document`` its JSON, ``files`` what it brings along."""
    text = json.dumps(document, indent=4, ensure_ascii=False).encode("utf-8") + b"\n\0"
    collective = _collective([Entry(name, "JSON", text, _DEVICE_ITSELF), *files])
    return b"".join(
        (
            _chunk(b"ampf", kind.encode("ascii")),
            _chunk(b"meta", struct.pack("<I", _FROZEN)),
            _chunk(b"ptch", collective),
        )
    )


def _chunk(tag: bytes, data: bytes) -> bytes:
    return tag + struct.pack("<I", len(data)) + data


def _collective(entries: Sequence[Entry]) -> bytes:
    region, directory, offset = b"", b"", _COLLECTIVE_HEADER
    for entry in entries:
        fields = b"".join(
            (
                _field(b"type", entry.kind.encode("ascii").ljust(4)),
                _field(b"fnam", _name(entry.name)),
                _field(b"sz32", struct.pack(">I", len(entry.data))),
                _field(b"of32", struct.pack(">I", offset)),
                _field(b"vers", struct.pack(">I", 0)),
                _field(b"flag", struct.pack(">I", entry.flag)),
                _field(b"mdat", struct.pack(">I", FIXED_DATE)),
            )
        )
        directory += _field(b"dire", fields)
        region += entry.data
        offset += len(entry.data)
    return b"mx@c" + struct.pack(">IQ", _COLLECTIVE_HEADER, offset) + region + _field(b"dlst", directory)


def _field(tag: bytes, data: bytes) -> bytes:
    return tag + struct.pack(">I", len(data) + 8) + data


def _name(name: str) -> bytes:
    data = name.encode("utf-8") + b"\0"
    return data + b"\0" * (-len(data) % 4)


def read(data: bytes) -> Device:
    """Read a frozen device, strictly. Raises Malformed."""
    kind, body = _envelope(data)
    if body[:4] != b"mx@c" or len(body) < _COLLECTIVE_HEADER:
        raise Malformed("no collective: the device is not frozen")
    size, footer = struct.unpack_from(">IQ", body, 4)
    if size != _COLLECTIVE_HEADER or footer > len(body):
        raise Malformed("the collective's header is wrong")
    entries, end = _directory(body, footer), _COLLECTIVE_HEADER
    for entry_offset, entry in entries:
        if entry_offset != end:
            raise Malformed(f"{entry.name} does not follow the file before it")
        end += len(entry.data)
    if end != footer or not entries or entries[0][1].flag != _DEVICE_ITSELF:
        raise Malformed("the files do not fill the collective, or the device itself is not the first")
    own = entries[0][1].data
    if not own.endswith(b"\n\0"):
        raise Malformed("the patcher does not end as Max ends it")
    try:
        patcher = json.loads(own[:-2].decode("utf-8"))["patcher"]
    except (ValueError, KeyError) as error:
        raise Malformed(f"the patcher is no JSON: {error}") from error
    return Device(kind, patcher, tuple(entry for _, entry in entries[1:]))


def _envelope(data: bytes) -> tuple[str, bytes]:
    chunks, index = [], 0
    while index < len(data):
        if len(data) - index < 8:
            raise Malformed("a chunk that is cut off")
        tag, size = data[index : index + 4], struct.unpack_from("<I", data, index + 4)[0]
        index += 8
        if size > len(data) - index:
            raise Malformed(f"{tag!r} is longer than the file")
        chunks.append((tag, data[index : index + size]))
        index += size
    if [tag for tag, _ in chunks] != [b"ampf", b"meta", b"ptch"]:
        raise Malformed("the chunks are not ampf, meta, ptch")
    if chunks[1][1] != struct.pack("<I", _FROZEN):
        raise Malformed("the flags do not say that it is frozen")
    return chunks[0][1].decode("ascii"), chunks[2][1]


def _directory(body: bytes, footer: int) -> list[tuple[int, Entry]]:
    if body[footer : footer + 4] != b"dlst" or struct.unpack_from(">I", body, footer + 4)[0] != len(body) - footer:
        raise Malformed("the directory does not end with the file")
    found, index = [], footer + 8
    while index < len(body):
        size = struct.unpack_from(">I", body, index + 4)[0]
        if body[index : index + 4] != b"dire" or size < 8 or index + size > len(body):
            raise Malformed("an entry of the directory is wrong")
        found.append(_entry(body, body[index + 8 : index + size]))
        index += size
    return found


def _entry(body: bytes, fields: bytes) -> tuple[int, Entry]:
    values: dict[str, bytes] = {}
    index = 0
    while index < len(fields):
        size = struct.unpack_from(">I", fields, index + 4)[0]
        values[fields[index : index + 4].decode("ascii")] = fields[index + 8 : index + size]
        index += size
    if list(values) != ["type", "fnam", "sz32", "of32", "vers", "flag", "mdat"] or len(values["fnam"]) % 4:
        raise Malformed("the fields of a directory entry are not those that Max writes")
    length, offset, flag = (int.from_bytes(values[name], "big") for name in ("sz32", "of32", "flag"))
    name = values["fnam"].rstrip(b"\0").decode("utf-8")
    return offset, Entry(name, values["type"].decode("ascii"), body[offset : offset + length], flag)
