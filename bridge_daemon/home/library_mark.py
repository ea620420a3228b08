"""Whether the library is the folder that takes were put into before, or the bare place where its disk is missing.

A disk that is not mounted leaves an empty folder, or none, at its place. A take that is put there is hidden as soon as
the disk is back. So each library has a mark in it, and the home remembers which libraries have one.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Final

from bridge_daemon.util import files
from bridge_daemon.util.same_place import is_inside

log = logging.getLogger(__name__)
MARK: Final = ".daw-bridge-library"
_RECORD: Final = "libraries.json"


def is_there(library: Path, home: Path) -> bool:
    """Return whether takes may be put into a library; make and mark one that is new. Raises OSError.

    A library without its mark counts as there if anything else lies in it: somebody copied it by hand.
    """
    if is_inside(library, home):
        library.mkdir(parents=True, exist_ok=True)
        return True
    known = _known(home)
    name = str(library)
    if name not in known:
        library.mkdir(parents=True, exist_ok=True)
        _mark(library)
        files.write_whole(home / _RECORD, json.dumps([*known, name]).encode(), point="libraries")
        return True
    if (library / MARK).is_file():
        return True
    if library.is_dir() and any(library.iterdir()):
        _mark(library)
        return True
    return False


def _mark(library: Path) -> None:
    files.sweep(library / MARK)
    files.write_whole(library / MARK, b"daw-bridge keeps takes here.\n", point="library_mark", mode=0o644)


def _known(home: Path) -> list[str]:
    """Return the libraries that were marked. A record that cannot be read is made anew: it only sharpens a check."""
    try:
        known = json.loads((home / _RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (ValueError, UnicodeDecodeError) as error:
        log.warning("%s is not whole (%s), and is made anew.", home / _RECORD, error)
        return []
    return [one for one in known if isinstance(one, str)] if isinstance(known, list) else []
