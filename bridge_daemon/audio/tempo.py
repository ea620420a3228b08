"""The tempo that a file names: in the chunk ``acid`` (loops), else in ``iXML``."""

from __future__ import annotations

import math
import re
import struct
from typing import Final

_ONE_SHOT: Final = 1  # flag of the acid chunk: the file has no tempo
_ACID_TEMPO: Final = struct.Struct("<20xf")
_IXML_TEMPO: Final = re.compile(rb"<TEMPO>\s*([0-9]{1,3}(?:\.[0-9]{1,6})?)\s*</TEMPO>", re.IGNORECASE)
_TEMPI: Final = (10.0, 999.0)  # what is outside of this is a field that nobody filled in


def tempo_of(acid: bytes | None, ixml: bytes | None) -> float | None:
    """Return the tempo (quarter notes a minute) that the content of these chunks tells."""
    if acid is not None and len(acid) >= _ACID_TEMPO.size and not acid[0] & _ONE_SHOT:
        tempo = _real(_ACID_TEMPO.unpack_from(acid)[0])
        if tempo is not None:
            return tempo
    match = _IXML_TEMPO.search(ixml or b"")
    return _real(float(match[1])) if match else None


def _real(tempo: float) -> float | None:
    if not math.isfinite(tempo) or not _TEMPI[0] <= tempo <= _TEMPI[1]:
        return None
    return round(tempo, 4)  # a float32, told as the decimal that was meant
