"""Whether two paths lead to the same place, whatever letters they are written with.

Macs and Windows find a file whatever the case of its name, and Macs whatever its Unicode form. So letters alone do not
tell whether a path lies in a folder: where they differ, the disk is asked which folder each part of the way is.
"""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path


def steps_below(path: Path, folder: Path) -> tuple[str, ...] | None:
    """Return the names on the way from ``folder`` down to ``path``; None if that does not lie in it."""
    if path.is_relative_to(folder):
        return path.relative_to(folder).parts
    try:
        wanted = folder.stat()
    except OSError:
        return None
    for above in (path, *path.parents):
        try:
            found = above.stat()
        except OSError:  # the rest of the way need not be there yet
            continue
        if found.st_ino and os.path.samestat(found, wanted):  # 0: a disk without numbers tells nothing
            return path.relative_to(above).parts
    return None


def is_inside(path: Path, folder: Path) -> bool:
    """Return whether ``path`` is ``folder`` or lies in it."""
    return steps_below(path, folder) is not None


class Spelling:
    """How names of one folder are spelled on the disk. Looks into the folder once, and only if it has to."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._listed: dict[str, list[str]] | None = None

    def of(self, name: str, about: os.stat_result) -> str:
        """Return how the disk spells a name that it found; ``about`` is what it said of the file."""
        if not any(self._is_same(other, about) for other in _others(name)):
            return name
        if self._listed is None:
            self._listed = {}
            for entry in os.listdir(self._root):  # noqa: PTH208 - names, of ten thousand files
                self._listed.setdefault(_folded(entry), []).append(entry)
        found = self._listed.get(_folded(name), [])
        return name if name in found or not found else found[0]

    def _is_same(self, name: str, about: os.stat_result) -> bool:
        try:
            return os.path.samestat((self._root / name).lstat(), about)
        except OSError:
            return False


def _others(name: str) -> set[str]:
    forms = {name.swapcase(), *(unicodedata.normalize(form, name) for form in ("NFC", "NFD"))}
    return forms - {name}


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())
