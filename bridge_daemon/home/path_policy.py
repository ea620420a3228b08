"""Which files may be read, and into which folders may be written. Paths come from outside: HTTP, OSC, scripts.

The rules, in this order:

* The text is an absolute path of this machine (``~`` is the home): no network share, no device, no NTFS stream.
* It is followed through all links to the real file, which must lie in a folder that is allowed, in whatever case and
  Unicode form the disk finds it.
* In a folder that is always readable (the bridge's home, the library, watched folders) nothing else matters.
* Below a read root no part of the way may be hidden (begin with a dot) or be a system folder. Who means such a folder
  names it, or one inside of it, as a read root.
* It is a regular file.

Missing and not allowed sound alike, so that nobody learns from a refusal which files there are.
"""

from __future__ import annotations

import os
import stat
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath, PureWindowsPath

from bridge_daemon.errors import PathRefused
from bridge_daemon.util import long_paths
from bridge_daemon.util.same_place import is_inside, steps_below

_MAC: bool = sys.platform == "darwin"
_POSIX_SYSTEM = (
    "bin",
    "boot",
    "dev",
    "etc",
    "lib",
    "lib32",
    "lib64",
    "proc",
    "root",
    "run",
    "sbin",
    "sys",
    "usr",
    "var",
)
_MAC_SYSTEM = ("/System", "/Library", "/private/etc", "/private/var/db", "/private/var/root", "/cores")
_WINDOWS_SYSTEM = ("Windows", "Program Files", "Program Files (x86)", "ProgramData", "$Recycle.Bin", "Recovery")
#: Inside of macOS's ~/Library, but people's own files: iCloud Drive, and Dropbox and its like.
_MAC_OWN = ("Mobile Documents", "CloudStorage")
_WINDOWS_DEVICES = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"} | {
    f"{name}{digit}" for name in ("COM", "LPT") for digit in "0123456789¹²³"
}
_PROJECTS = (".rpp", ".als")
_SHOWN = 300  # characters of a path in a message


class PathPolicy:
    """The folders that the bridge may read and write. Frozen; settings that change make a new one."""

    def __init__(self, read: Iterable[Path], *, always: Iterable[Path] = (), writable: Iterable[Path] = ()) -> None:
        """Keep the read roots, the folders that are always readable, and those that may be written (library, results).

        None has to be there yet.
        """
        self._read = tuple(read)
        self._always = tuple(always)
        self._writable = tuple(writable)

    def check(self, path_text: str) -> Path:
        """Return the real path of a file that may be read. Raises PathRefused."""
        _check_length(path_text, "file")
        path = _real(path_text)
        if path is None or not self._may_read(path) or not _is_regular(path):
            raise PathRefused(
                f'The bridge may not read "{_shown(path_text)}", or there is no such file. '
                "daw-bridge config allow FOLDER lets it read the files of a folder."
            )
        return path

    def check_folder_for_writing(self, path_text: str) -> Path:
        """Return the real path of a folder that may be written. Raises PathRefused.

        It exists, and lies in the library or a results folder, or is one of a DAW's project: an .rpp or .als file is in
        it or in the folder above.
        """
        _check_length(path_text, "folder", long_paths.FOR_A_TAKE)
        path = _real(path_text)
        if path is None or not path.is_dir() or not self._may_write(path):
            raise PathRefused(
                f'The bridge may not write to "{_shown(path_text)}", or there is no such folder. '
                "It writes to folders with a project (.rpp, .als) in them or in the folder above, and to its library.",
                next="Save the project first, or leave the folder out: the take lies in the library.",
            )
        return path

    def _may_read(self, path: Path) -> bool:
        if any(is_inside(path, root) for root in _resolved(self._always)):
            return True
        return any(
            (steps := steps_below(path, root)) is not None
            and not any(name.startswith(".") for name in steps)
            and not _is_system(path, root)
            for root in _resolved(self._read)
        )

    def _may_write(self, path: Path) -> bool:
        if any(is_inside(path, root) for root in _resolved(self._writable)):
            return True
        return _has_project(path) or _has_project(path.parent)


def _check_length(path_text: str, what: str, room: int = 0) -> None:
    """Say of a path that it is too long, which tells nothing of what is there: Windows says that nothing is."""
    if long_paths.is_limited() and len(path_text) + room > long_paths.MOST:
        raise PathRefused(
            f'The bridge cannot use the {what} "{_shown(path_text)}": {long_paths.WHAT}'
            + (f", with the name of a take in it ({room})." if room else "."),
            next="Move it to a folder with a shorter path.",
        )


def _shown(path_text: str) -> str:
    """Return what was given, fit for a message: no control characters, not endless."""
    text = "".join(c if c.isprintable() else "?" for c in path_text)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _real(path_text: str) -> Path | None:
    """Follow the text to what it names on this machine, or None if it names nothing that could be allowed."""
    if not text_is_plain(path_text, windows=os.name == "nt"):
        return None
    try:
        path = Path(path_text).expanduser()
        return path.resolve(strict=True) if path.is_absolute() else None
    except (OSError, RuntimeError, ValueError):
        # missing, no access, a loop of links, an unknown user after ~, not a text for paths: all of them are "no"
        return None


def text_is_plain(path_text: str, *, windows: bool) -> bool:
    """Return whether the text can name a file of this machine, without asking the system about it.

    Asking is already harmful for some: on Windows, a share sends the person's credentials to its host.
    """
    if not path_text or "\0" in path_text or path_text.startswith(("//", "\\\\", "/\\", "\\/")):
        return False
    if not windows:
        return True
    path = PureWindowsPath(path_text)
    if path_text.startswith("~"):
        names: Sequence[str] = path.parts
    elif not path.is_absolute() or len(path.drive) != 2:  # "C:take.wav" and "\take.wav" depend on a current folder
        return False
    else:
        names = path.parts[1:]
    return not any(":" in name or is_device(name) for name in names)


def is_device(name: str) -> bool:
    """Return whether Windows takes a file name for a device: with any ending, and spaces and dots behind."""
    return name.split(".")[0].rstrip(" ").upper() in _WINDOWS_DEVICES


def _resolved(folders: Iterable[Path]) -> list[Path]:
    # at each check, since a folder can become a link, or its drive be plugged in, while the daemon runs
    found = []
    for folder in folders:
        try:
            found.append(folder.expanduser().resolve())
        except (OSError, RuntimeError):
            continue  # a root that leads nowhere allows nothing
    return found


def _is_system(path: Path, root: Path) -> bool:
    """Return whether the path lies in a system folder that the root itself does not lie in."""
    return any(_inside(path, folder) and not _inside(root, folder) for folder in _system_folders(path)) and not any(
        _inside(path, folder) for folder in _own_folders()
    )


def _inside(path: Path, folder: PurePath) -> bool:
    # without regard to case: on macOS and Windows "~/library" is the same folder as "~/Library"
    names, start = [_folded(p) for p in path.parts], [_folded(p) for p in folder.parts]
    return names[: len(start)] == start


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold())


def _system_folders(path: Path) -> list[Path]:
    if os.name == "nt":
        drive = Path(path.anchor)
        return [drive / name for name in (*_WINDOWS_SYSTEM, "System Volume Information")] + [Path.home() / "AppData"]
    if _MAC:
        return [Path(name) for name in _MAC_SYSTEM] + [Path.home().resolve() / "Library"]
    return [Path("/") / name for name in _POSIX_SYSTEM]


def _own_folders() -> list[Path]:
    return [Path.home().resolve() / "Library" / name for name in _MAC_OWN] if _MAC else []


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False  # gone since it was resolved


def _has_project(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(entry.name.lower().endswith(_PROJECTS) and entry.is_file() for entry in entries)
    except OSError:
        return False  # what cannot be looked into is not announced as a project's
