"""Facts about sound files that several rooms share. Nothing here loads a decoder."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Final

#: Endings of audio that can be read; everything else in a folder is left alone.
ENDINGS: Final = frozenset(
    {*(".wav", ".wave", ".bwf", ".rf64", ".w64", ".aif", ".aiff", ".aifc"), *(".flac", ".caf", ".ogg", ".oga")}
    | {".opus", ".mp3"}
)
#: Into how many parts a waveform can be divided.
MOST_BUCKETS: Final = 10_000
#: Names that programs give to what is not finished, before the ending: "drums.wav.tmp" has no ending of audio anyway.
_UNFINISHED: Final = re.compile(r"(?s).*[.~_-](tmp|temp|part|partial|crdownload|download)", re.IGNORECASE)


def is_render(name: str) -> bool:
    """Tell whether a file of this name is taken: an ending of audio, not hidden, not a temporary name."""
    path = PurePath(name)
    if name.startswith((".", "~", "$")) or path.suffix.lower() not in ENDINGS:
        return False
    return not _UNFINISHED.fullmatch(path.stem)
