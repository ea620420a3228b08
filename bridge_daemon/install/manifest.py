"""What we wrote into folders of another program: each file with its SHA-256, so that we touch nothing else again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from bridge_daemon.util.files import sha256, write_whole

NAME: Final = "daw-bridge-installed.json"
_FORMAT: Final = 1
MODE: Final = 0o644  # of what we write: other programs of the person read it
#: Stands for something that cannot be ours: a folder, a link to nowhere, a file that we may not read.
FOREIGN: Final = "foreign"


@dataclass(frozen=True, slots=True)
class Manifest:
    """The files of ours in a folder. While an update is under way a file may be the old one or the new one."""

    version: str  #: of the bridge that wrote them
    files: Mapping[str, tuple[str, ...]]  #: path from the base, and the hashes under which it is ours
    made: tuple[str, ...] = ()  #: folders above ours that were not there before; an uninstall removes them if empty

    @classmethod
    def read(cls, base: Path, own: Sequence[str]) -> Manifest | None:
        """Return the manifest of our folders ``own`` below ``base``; None if there is none that can be read."""
        try:
            data = json.loads((base / own[0] / NAME).read_text(encoding="utf-8"))
            files = {str(path): tuple(str(one) for one in hashes) for path, hashes in data["files"].items()}
            known = data["format"] == _FORMAT and all(_stays_inside(path, own) for path in files)
            made = tuple(folder for folder in folders_above(own) if folder in data.get("made", ()))
            return cls(str(data["version"]), files, made) if known else None
        except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
            return None

    def write(self, folder: Path) -> None:
        """Write it into the first of our folders, whole or not at all."""
        data = {
            "about": "Written by daw-bridge, for its updates and its uninstall.",
            "format": _FORMAT,
            "version": self.version,
            "files": {path: list(hashes) for path, hashes in sorted(self.files.items())},
            "made": list(self.made),
        }
        text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
        write_whole(folder / NAME, text.encode("utf-8"), point="manifest", mode=MODE)

    def owns(self, path: str, found: str) -> bool:
        """Return whether a file with this hash is one that we wrote."""
        return found in self.files.get(path, ())


def folders_above(own: Sequence[str]) -> list[str]:
    """Return the folders between the base and our folders."""
    return list(dict.fromkeys(str(one) for folder in own for one in PurePosixPath(folder).parents if one.name))


def _stays_inside(path: str, own: Sequence[str]) -> bool:
    """Return whether a path leads into one of our folders; anybody can write a manifest."""
    pure = PurePosixPath(path)
    inside = any(PurePosixPath(folder) in pure.parents for folder in own)
    return inside and ".." not in pure.parts and not set(path) & set("\\:\0")


def hash_of(data: bytes) -> str:
    """Return the hash of content that is to be written."""
    return hashlib.sha256(data).hexdigest()


def hash_on_disk(path: Path) -> str | None:
    """Return the hash of what lies there; None: nothing does."""
    if path.is_file() and not path.is_symlink():
        return sha256(path)
    return FOREIGN if path.exists() or path.is_symlink() else None
