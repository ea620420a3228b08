"""Looking at files of a watched folder, off the event loop: is it there, is it ours, is it whole, has it a sidecar."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from bridge_daemon.audio.completeness import fault_of, proves_its_end
from bridge_daemon.frontends.folders import names as names
from bridge_daemon.util import access
from bridge_daemon.util.held import is_held_for_writing
from bridge_daemon.util.same_place import Spelling

Stamp = tuple[int, int]  # bytes, and time of change in ns


class EntryKind(Enum):
    """What stands under a name."""

    MISSING = auto()
    #: A link, a folder, a hidden file, a pipe: never followed, never opened.
    OTHER = auto()
    FILE = auto()
    #: It is there, and the system does not say more of it now.
    UNSEEN = auto()


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a file was at one moment."""

    name: str
    kind: EntryKind
    stamp: Stamp = (0, 0)
    fault: str | None = None  # why it is not whole; None if it is, or if it did not change
    sidecar: bool = False
    #: There is no such name; the disk found a file by it whose name it spells like this.
    spelled: str | None = None


@dataclass(frozen=True, slots=True)
class Sweep:
    """What differs between a folder and what is known of it."""

    changed: list[str]  # new, or with another stamp
    missing: list[str]
    sidecars: frozenset[str]  # keys of all sidecars
    odd: int  # renders whose names are no Unicode


def stamp(path: Path) -> Stamp:
    """Return the stamp of a file. OSError when it is not there."""
    status = path.lstat()
    return status.st_size, status.st_mtime_ns


def look(root: Path, wanted: Iterable[str], known: Mapping[str, Stamp]) -> list[FileFacts]:
    """Look at files by their names. Of one that has its known stamp, the content is not read."""
    spelling = Spelling(root)
    return [_look(root, name, known.get(name), spelling) for name in wanted]


def _look(root: Path, name: str, known: Stamp | None, spelling: Spelling) -> FileFacts:
    path = root / name
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or _is_hidden(status):
            return FileFacts(name, EntryKind.OTHER)
        if (spelled := spelling.of(name, status)) != name:
            return FileFacts(name, EntryKind.MISSING, spelled=spelled)
    except FileNotFoundError:
        return FileFacts(name, EntryKind.MISSING)
    except OSError:
        return FileFacts(name, EntryKind.UNSEEN)
    seen = (status.st_size, status.st_mtime_ns)
    try:
        fault = fault_of(path) if seen != known else None
    except FileNotFoundError:
        return FileFacts(name, EntryKind.MISSING)
    except OSError as error:
        fault = f"cannot be opened: {error.strerror}"
    sidecar = any(os.path.lexists(root / other) for other in names.sidecars(name))
    return FileFacts(name, EntryKind.FILE, seen, fault, sidecar)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for the end of a file that has no fault."""

    proved: bool  # the file itself says where it ends
    held: bool | None  # a program holds it open for writing; None: the system does not say


def evidence(root: Path, wanted: Iterable[str]) -> dict[str, Evidence]:
    """Return what speaks for the end of files. Those that cannot be read are left out."""
    found = {}
    for name in wanted:
        try:
            found[name] = Evidence(proves_its_end(root / name), is_held_for_writing(root / name))
        except OSError:  # gone meanwhile: the next look tells
            continue
    return found


def _is_hidden(status: os.stat_result) -> bool:
    """Return whether Windows hides the file; on other systems the name tells."""
    return bool(getattr(status, "st_file_attributes", 0) & 2)


def sweep(root: Path, known: Mapping[str, Stamp]) -> Sweep:
    """Compare a folder with what is known of it. OSError when it cannot be read."""
    changed, sidecars, found, odd = [], set(), set(), 0
    with os.scandir(root) as entries:
        for entry in entries:
            name = entry.name
            if not names.is_render(name):
                if (key := names.sidecar_of(name)) is not None:
                    sidecars.add(key)
                continue
            if not names.is_text(name):
                odd += 1
                continue
            try:
                if entry.is_symlink() or not entry.is_file(follow_symlinks=False):
                    continue
                seen = _stamp(entry)
            except FileNotFoundError:  # gone since it was listed
                continue
            except OSError:  # it is there, and will be looked at until it can be seen
                seen = None
            found.add(name)
            if seen is None or known.get(name) != seen:
                changed.append(name)
    return Sweep(changed, [name for name in known if name not in found], frozenset(sidecars), odd)


def _stamp(entry: os.DirEntry[str]) -> Stamp:
    status = entry.stat(follow_symlinks=False)
    return status.st_size, status.st_mtime_ns


def is_empty(root: Path) -> bool:
    """Return whether there is nothing at all in a folder. OSError when it cannot be read."""
    with os.scandir(root) as entries:
        return next(entries, None) is None


def identity(root: Path) -> tuple[int, int]:
    """Return what tells one folder from another one under the same path. OSError when it is not there."""
    status = root.stat()
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(20, "is not a folder")
    return status.st_dev, status.st_ino


def who_else_writes(root: Path) -> str | None:
    """Return in words that others may write to the folder, and so could spend; None if they may not. Raises OSError."""
    if access.is_shared(root):
        return "it lies on a shared drive, which other machines may write to"
    if access.is_open_to_all(root) if os.name == "nt" else root.stat().st_mode & stat.S_IWOTH:
        return "every user of this machine may write to it"
    return None
