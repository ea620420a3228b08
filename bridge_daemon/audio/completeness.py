"""Whether an audio file is whole, told from its structure alone. No decoder is loaded for that."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from bridge_daemon.audio import mp3, ogg
from bridge_daemon.audio.chunks import CHUNKED, BadStructure, Structure, read_structure
from bridge_daemon.audio.kinds import what_instead
from bridge_daemon.audio.view import ByteFile, View
from bridge_daemon.util import files

_MOST_ATOMS: Final = 10_000


def fault_of(path: Path) -> str | None:
    """Say why a file is not, or not yet, a whole audio file, as the end of the sentence "it …"; None if it may be.

    A file whose format has no length in its header is taken as whole here; see :func:`proves_its_end`. OSError when it
    cannot be read.
    """
    with files.open_plain(path) as file:
        size = os.fstat(file.fileno()).st_size
        kind, start = mp3.recognise(file, size)
        if kind is None:
            return f"is {what_instead(file)}, not audio that can be read"
        view = View(file, [(start, size)])
        try:
            if kind in CHUNKED:
                return _chunks_fault(read_structure(view, kind, view.size))
            return _atoms(view)[0] if kind == "MP4" else None
        except BadStructure as error:
            return str(error)


def proves_its_end(path: Path) -> bool:
    """Return whether the file itself says where it ends, and ends there: else only time tells. OSError."""
    with files.open_plain(path) as file:
        size = os.fstat(file.fileno()).st_size
        kind, start = mp3.recognise(file, size)
        view = View(file, [(start, size)])
        try:
            if kind in CHUNKED:
                found = read_structure(view, kind, view.size)
                is_whole = (
                    found.whole is None or found.whole <= view.size + 1
                )  # some forget the byte that makes it even
                return is_whole and not found.streamed and found.declared <= found.available
            if kind == "FLAC":  # one that is cut off cannot be decoded to the length that it promises
                view.seek(18)
                return int.from_bytes(view.read(8), "big") & (1 << 36) - 1 > 0
            if kind == "OGG":
                return ogg.scan(view, view.size).doubt is None
            if kind == "MP3":
                return mp3.scan(file, size, start).is_proved
            return kind == "MP4" and _atoms(view) == (None, False)
        except (BadStructure, mp3.NotMp3):
            return False


def _chunks_fault(found: Structure) -> str | None:
    return "has no sound in it" if found.available == 0 else found.missing


def _atoms(view: View) -> tuple[str | None, bool]:
    """Return what is wrong with an MP4 file, and whether it is one of fragments, which may always go on."""
    at, has_index, is_fragmented = 0, False, False
    for _ in range(_MOST_ATOMS):
        head = _bytes(view, at, 16)
        if len(head) < 8:
            break
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        has_index = has_index or head[4:8] == b"moov"
        is_fragmented = is_fragmented or head[4:8] == b"moof"
        if length == 0:  # to the end
            at = view.size
            break
        if length < 8:
            return "has a damaged header", False
        at += length
    if at > view.size:
        return f"holds {view.size} of {at} bytes", False
    return (None if has_index else "has no index (moov) in it"), is_fragmented


def _bytes(file: ByteFile, at: int, count: int) -> bytes:
    if at > 1 << 40:  # a damaged length can point to where the system cannot seek
        return b""
    file.seek(at)
    return file.read(count)
