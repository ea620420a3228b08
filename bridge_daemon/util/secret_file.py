"""Small files that only their owner may read: written closed from birth, and refused when they are open to others."""

from __future__ import annotations

import os
import stat
import sys
import time
from contextlib import suppress
from pathlib import Path

from bridge_daemon.errors import HomeUnsafe
from bridge_daemon.util import access
from bridge_daemon.util.failpoints import failpoint
from bridge_daemon.util.files import UNHINDERED, create, discard, flush_folder, flush_to_disk, part_of, patiently

_LARGEST = 4096  # bytes; whatever is larger is no token and no key
_PATIENCE = 2.0  # s; a process that writes 64 bytes at this moment is done long before


def read_secret(path: Path) -> str:
    """Return the text of a file that only its owner may read, without white space around it.

    The file that was checked is the file that is read, whatever happens to its name meanwhile.

    Raises:
        HomeUnsafe: it is missing, no plain file, not ours, readable by others, or not text.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | UNHINDERED)
    except OSError as error:
        if path.is_symlink():
            raise HomeUnsafe(f"{path} is a link; a secret must be a plain file.", next="Remove the link.") from error
        raise HomeUnsafe(f"{path} cannot be read: {error.strerror or error}.") from error
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise HomeUnsafe(f"{path} is not a plain file.", next="Remove it and start the bridge again.")
        check_own(path, about)
        data = os.read(descriptor, _LARGEST + 1)  # a plain file gives all of so little at once
    finally:
        os.close(descriptor)
    try:
        if len(data) > _LARGEST:
            raise ValueError
        return data.decode("utf-8-sig").strip()
    except ValueError:  # not chained: the error of the decoder carries the content
        raise HomeUnsafe(f"{path} does not hold a short text.", next=f"Remove {path}") from None


def check_own(path: Path, about: os.stat_result) -> None:
    """Raise HomeUnsafe for a file that is not its owner's alone: another user's, or open to others."""
    if sys.platform != "win32":
        if about.st_uid != os.geteuid():
            raise HomeUnsafe(
                f"{path} belongs to another user (uid {about.st_uid}, you are {os.geteuid()}).",
                next="Start the bridge as the user whose home it is, without sudo.",
            )
        if mode := stat.S_IMODE(about.st_mode) & 0o077:
            verb = "read" if mode & 0o044 else "change"
            raise HomeUnsafe(
                f"Other users of this machine can {verb} {path} (mode {stat.S_IMODE(about.st_mode):04o}), so it is no "
                "secret any more.",
                next=f"Remove {path.name} and make a new one, or, if only you use this machine: chmod 600 '{path}'",
            )
    _check_list(path)


def _check_list(path: Path) -> None:
    try:
        open_to_others = access.is_open_to_others(path)
    except OSError as error:
        raise HomeUnsafe(f"Who may read {path} cannot be told: {error.strerror or error}.") from error
    if open_to_others:
        raise HomeUnsafe(
            f"Other users of this machine can read or change {path}, so it is no secret any more.",
            next=f"Remove {path.name} and make a new one, or take the others off its list: "
            "Properties, Security, Advanced.",
        )


def create_secret(path: Path, data: bytes, *, point: str) -> None:
    """Write a secret that must never change: whichever of two processes comes first wins, and no reader sees a part.

    ``point`` names the failpoints ``file.<point>.write`` and ``file.<point>.replace``.

    Raises:
        FileExistsError: another process was first; its secret is whole when this is raised.
        OSError: it cannot be written.
    """
    aside = part_of(path)
    write_new(aside, data)
    failpoint(f"file.{point}.write")
    try:
        _name_once(aside, path, data)
    except FileExistsError:
        _await_whole(path, len(data))
        raise
    finally:
        discard(aside)
    failpoint(f"file.{point}.replace")
    flush_folder(path.parent)


def _await_whole(path: Path, size: int) -> None:
    # only if the disk knows no links can the other's file be seen while it is being written
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        with suppress(OSError):
            if path.stat().st_size >= size:
                return
        time.sleep(0.02)


def write_new(path: Path, data: bytes) -> None:
    """Write a new file, closed to others from birth. Raises FileExistsError when the name is taken, also by a link."""
    with create(path, mode=0o600) as file:
        access.close(path)  # the mode says nothing on Windows
        file.write(data)
        flush_to_disk(file)


def _name_once(aside: Path, target: Path, data: bytes) -> None:
    """Give ``aside`` the name ``target`` unless that is taken. Raises FileExistsError when it is."""
    if sys.platform == "win32":
        patiently(lambda: os.rename(aside, target))  # noqa: PTH104 - this call, on this platform, refuses to overwrite
    else:
        try:
            os.link(aside, target)
        except FileExistsError:
            raise
        except OSError:  # exFAT and some network disks know no links
            write_new(target, data)
