"""Whether an audio file is whole, told from its header alone. No decoder is loaded for that."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, Final

from bridge_daemon.audio import chunks

_CHUNKED: Final = frozenset({"RIFF", "RF64", "AIFF", "W64", "CAF"})
_NO_LENGTH: Final = 0xFFFFFFFF


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
