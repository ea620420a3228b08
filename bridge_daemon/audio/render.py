"""What the file of a render tells beside its sound: whether it is whole, its place on the time line, its tempo."""

from __future__ import annotations

import math
import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from bridge_daemon.audio import chunks
from bridge_daemon.audio.opening import SourceInfo, probe
from bridge_daemon.errors import SourceRefused

_CHUNKED: Final = frozenset({"RIFF", "RF64", "AIFF", "W64", "CAF"})
_NO_LENGTH: Final = 0xFFFFFFFF
_ONE_SHOT: Final = 1  # flag of the acid chunk: the file has no tempo
_ACID_TEMPO: Final = struct.Struct("<20xf")
_IXML_TEMPO: Final = re.compile(rb"<TEMPO>\s*([0-9]{1,3}(?:\.[0-9]{1,6})?)\s*</TEMPO>", re.IGNORECASE)
_TEMPI: Final = (10.0, 999.0)  # what is outside of this is a field that nobody filled in
_FARTHEST: Final = 864_000.0  # s; a time stamp beyond ten days is none


@dataclass(frozen=True, slots=True)
class RenderFacts:
    """What is taken over from a render into the request."""

    info: SourceInfo
    position: float | None  # s: TimeReference / rate
    tempo: float | None  # quarter notes a minute


def fault_of(path: Path) -> str | None:
    """Say why a file is not, or not yet, a whole audio file, as the end of the sentence "it …"; None where it is.

    Only the header is read. Formats without a length in it (MP3, Ogg, FLAC) are taken as whole. OSError when it cannot
    be read.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        kind = chunks.kind_of(file)
        if kind is None:
            return f"is {chunks.what_instead(file)}, not audio that can be read"
        if kind not in _CHUNKED:
            return None
        try:
            found = chunks.read_structure(file, kind, size)
        except chunks.BadStructure as error:
            return str(error)
        if found.declared > found.available:
            return f"holds {found.available} of {found.declared} bytes of sound"
        if found.available == 0:
            return "has no sound in it"
        return _riff_fault(file, size) if kind == "RIFF" and not found.streamed else None


def _riff_fault(file: BinaryIO, size: int) -> str | None:
    """Look at the length of the whole: chunks behind the sound may still be on their way."""
    file.seek(4)
    whole = int.from_bytes(file.read(4), "little")
    if whole in (0, _NO_LENGTH) or whole + 8 <= size + 1:  # some writers forget the byte that makes it even
        return None
    return f"holds {size} of {whole + 8} bytes"


def render_facts(path: Path) -> RenderFacts:
    """Return what a whole render tells. Raises SourceRefused where it is no audio that can be read."""
    info = probe(path)
    position = info.time_reference / info.rate if info.time_reference is not None else None
    if position is not None and position > _FARTHEST:
        position = None
    try:
        with path.open("rb") as file:
            tempo = _tempo(file, info)
    except OSError as error:
        raise SourceRefused(f'"{path.name}" cannot be opened: {error.strerror}.') from error
    return RenderFacts(info, position, tempo)


def _tempo(file: BinaryIO, info: SourceInfo) -> float | None:
    """Return the tempo that the file names: in ``acid`` (loops), else in ``iXML``."""
    kind = chunks.kind_of(file)
    if kind not in ("RIFF", "RF64"):
        return None
    try:
        found = chunks.read_structure(file, kind, os.fstat(file.fileno()).st_size)
    except chunks.BadStructure:
        return None
    acid = chunks.text_chunk(file, found, b"acid") or b""
    if len(acid) >= _ACID_TEMPO.size and not acid[0] & _ONE_SHOT:
        tempo = _real(_ACID_TEMPO.unpack_from(acid)[0])
        if tempo is not None:
            return tempo
    match = _IXML_TEMPO.search(chunks.text_chunk(file, found, b"iXML") or b"")
    return _real(float(match[1])) if match else None


def _real(tempo: float) -> float | None:
    if not math.isfinite(tempo) or not _TEMPI[0] <= tempo <= _TEMPI[1]:
        return None
    return round(tempo, 4)  # a float32, told as the decimal that was meant
