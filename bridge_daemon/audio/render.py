"""What the file of a render tells beside its sound: its place on the time line, and its tempo."""

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
