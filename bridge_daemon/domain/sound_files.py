"""Facts about sound files that several rooms share. Nothing here loads a decoder."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Final

#: Container, as in ``SourceInfo.container`` → the endings that its files have; a new file gets the first one.
_OF_CONTAINER: Final = {
    "WAV": (".wav", ".wave", ".bwf", ".rf64", ".bw64", ".amb"),
    "W64": (".w64",),
    "AIFF": (".aiff", ".aif", ".aifc"),
    "CAF": (".caf",),
    "AU": (".au", ".snd"),
    "FLAC": (".flac",),
    "OGG": (".ogg", ".oga", ".opus"),
    "MP3": (".mp3", ".mp2"),
    "MP4": (".m4a", ".m4b", ".mp4", ".mov"),
    "AAC": (".aac",),
    "MKV": (".mka", ".webm"),
    "WV": (".wv",),
}
#: Endings of audio that can be read; everything else in a folder is left alone.
ENDINGS: Final = frozenset(ending for endings in _OF_CONTAINER.values() for ending in endings)
#: Into how many parts a waveform can be divided.
MOST_BUCKETS: Final = 10_000
#: Names that programs give to what is not finished, before the ending: "drums.wav.tmp" has no ending of audio anyway.
_UNFINISHED: Final = re.compile(r"(?s).*[.~_-](tmp|temp|part|partial|crdownload|download)", re.IGNORECASE)


def ending_of(container: str) -> str:
    """Return the ending for a new file of a container, with its dot."""
    return _OF_CONTAINER.get(container, _OF_CONTAINER["WAV"])[0]


def is_render(name: str) -> bool:
    """Return whether a file of this name is taken: an ending of audio, not hidden, not a temporary name."""
    path = PurePath(name)
    if name.startswith((".", "~", "$")) or path.suffix.lower() not in ENDINGS:
        return False
    return not _UNFINISHED.fullmatch(path.stem)
