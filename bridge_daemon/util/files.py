"""Files that are either whole or not there: temporary name, flush to the disk, rename.

Every write that the promise depends on goes through here, so that each has its failpoint. Every rename and removal
goes through here too, so that each has its retry: on Windows a virus scanner, an indexer, a DAW or a script that polls
may hold a file open for a moment, and both fail meanwhile.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import random
import shutil
import stat
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

from bridge_daemon.util import access
from bridge_daemon.util.failpoints import failpoint

T = TypeVar("T")
log = logging.getLogger(__name__)

#: How long a file that another program holds is waited for, s: longer than a scanner holds a fresh file.
PATIENCE: Final = 1.0
_LONGEST_PAUSE: Final = 0.01  # s; short, for the gaps of who opens the file again and again are short
#: Codes of Windows: access denied (also: a removal is pending), sharing violation, lock violation.
_HELD: Final = {5, 32, 33}
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT} if hasattr(errno, "EDQUOT") else {errno.ENOSPC}


def private(path: str, flags: int) -> int:
    """Open for :func:`open` (``opener=private``): what is made is its owner's alone, whatever the umask says."""
    return os.open(path, flags, 0o600)


def close_to_others(path: Path) -> None:
    """Take a file in the home from other users to whom an earlier version left it open; make it if it is missing.

    By name, and never by opening it: to close a descriptor of a SQLite file gives up the locks of the whole process.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        if sys.platform != "win32" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            path.chmod(0o600)


def is_disk_full(error: OSError) -> bool:
    """Tell whether the disk (or the person's quota on it) is full, which ends by itself once there is room."""
    return error.errno in _NO_SPACE or getattr(error, "winerror", None) == 112


def flush_to_disk(file: BinaryIO) -> None:
    """Return only when the bytes of ``file`` lie on the medium, also on macOS, where ``fsync`` does not do that."""
    file.flush()
    if sys.platform == "darwin":
        import fcntl

        try:
            fcntl.fcntl(file.fileno(), fcntl.F_FULLFSYNC)
            return
        except OSError:
            pass  # network volumes do not know it; fsync is the best there is
    os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Make a rename inside of ``folder`` durable. Windows has no such call and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems refuse; nothing more to do
            raise
    finally:
        os.close(descriptor)


def is_held(error: OSError) -> bool:
    """Tell whether Windows says that another program holds the file, which ends by itself."""
    code = getattr(error, "winerror", None)
    return code in _HELD or (code is None and error.errno == errno.EACCES and os.name == "nt")  # the latter of open()


def patiently(act: Callable[[], T], patience: float = PATIENCE) -> T:
    """Do something with a file, again and again for ``patience`` seconds while another program holds it."""
    end = time.monotonic() + patience
    pause = 0.001
    while True:
        try:
            return act()
        except OSError as error:
            if not is_held(error) or time.monotonic() >= end:
                raise
        # of no fixed length: who polls the file at a steady pace would be met again and again
        time.sleep(pause * random.uniform(0.5, 1.0))
        pause = min(_LONGEST_PAUSE, pause * 2)


def replace(source: Path, target: Path, *, patience: float = PATIENCE) -> None:
    """Rename ``source`` over ``target``. Waits for ``patience`` seconds while another program holds either."""
    patiently(lambda: os.replace(source, target), patience)


def remove(path: Path, *, missing_ok: bool = False) -> None:
    """Remove a file. Waits for :data:`PATIENCE` while another program holds it."""
    patiently(lambda: path.unlink(missing_ok=missing_ok))


def discard(path: Path) -> None:
    """Remove a file that is of no use and does no harm, such as a part of one. What cannot be removed stays."""
    try:
        remove(path, missing_ok=True)
    except OSError as error:
        log.warning("%s could not be removed: %s", path, error.strerror or error)


def read_shared(path: Path) -> bytes:
    """Return the bytes of a file that its writer may replace at this very moment."""
    return patiently(path.read_bytes)


def open_unheld(path: Path) -> BufferedReader:
    """Open a file for reading so that others may rename and remove it meanwhile, also on Windows. Raises OSError."""
    if sys.platform == "win32":
        import ctypes
        import msvcrt

        create = ctypes.WinDLL("kernel32", use_last_error=True).CreateFileW
        create.restype = ctypes.c_void_p
        read, share_all, existing = 0x80000000, 7, 3
        handle = create(str(path), read, share_all, None, existing, 0, None)
        if handle == ctypes.c_void_p(-1).value:
            raise ctypes.WinError(ctypes.get_last_error())
        return os.fdopen(msvcrt.open_osfhandle(handle, os.O_RDONLY), "rb")
    return path.open("rb")


def write_whole(path: Path, data: bytes, *, point: str, mode: int = 0o600, durable: bool = True) -> None:
    """Write ``data`` to ``path`` so that a reader, or a crash, sees the old content or the new, never a part.

    ``point`` names the failpoints ``file.<point>.write`` and ``file.<point>.replace``. What is not ``durable`` may be
    gone or empty after a power cut: for what is made anew from the journal at the next start.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if not mode & 0o077:
                access.close(temporary)
            file.write(data)
            failpoint(f"file.{point}.write")
            if durable:
                flush_to_disk(file)
        replace(temporary, path)
    except BaseException:
        discard(temporary)
        raise
    failpoint(f"file.{point}.replace")
    if durable:
        flush_folder(path.parent)


def overwrite(path: Path, data: bytes) -> None:
    """Write a file in place, for one that another program holds for long: it sees a part for a moment.

    Only for what is made anew at each start and holds no truth.
    """
    path.write_bytes(data)


def settle(part: Path, target: Path, *, point: str) -> Path:
    """Give the finished, flushed file ``part`` its name ``target`` without ever overwriting, and return the name given.

    Where ``target`` is there already with the same bytes (the process died between rename and commit), that file is the
    result and ``part`` is removed; with other bytes, the new file gets ``-2``, ``-3`` … before its ending.
    """
    failpoint(f"file.{point}.settle")
    candidate, number = target, 1
    while candidate.exists():
        if same_bytes(part, candidate):
            discard(part)
            return candidate
        number += 1
        candidate = target.with_name(f"{target.stem}-{number}{target.suffix}")
    replace(part, candidate)
    failpoint(f"file.{point}.settled")
    flush_folder(candidate.parent)
    return candidate


def same_bytes(one: Path, other: Path) -> bool:
    """Compare two files by their content."""
    return one.stat().st_size == other.stat().st_size and sha256(one) == sha256(other)


def open_plain(path: Path) -> BufferedReader:
    """Open a plain file for reading: no link to another file, no pipe, no device. Raises OSError."""
    # not blocking: to open a pipe that nobody writes to would otherwise never return
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    try:
        opened, named = os.fstat(descriptor), path.lstat()
        # Windows follows a link when it opens; there the name itself is looked at
        if not stat.S_ISREG(opened.st_mode) or not os.path.samestat(opened, named):
            raise OSError(errno.EINVAL, "not a plain file", str(path))
    except BaseException:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hex, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush_and_hash(file: BinaryIO, path: Path) -> str:
    """As :func:`flush_to_disk`; return the SHA-256 of the file, which is read while the medium writes."""
    file.flush()
    with ThreadPoolExecutor(1, thread_name_prefix="flush") as beside:
        flushed = beside.submit(flush_to_disk, file)
        digest = sha256(path)
        flushed.result()
    return digest


def copy_whole(source: Path, target: Path, *, point: str, opener: Callable[[str, int], int] | None = None) -> Path:
    """Copy ``source`` to ``target`` as :func:`settle` does: whole or not at all, never over another file."""
    with source.open("rb") as reader:
        return copy_open(reader, target, point=point, opener=opener)


def copy_open(reader: BinaryIO, target: Path, *, point: str, opener: Callable[[str, int], int] | None = None) -> Path:
    """Copy the rest of an open file as :func:`copy_whole` does."""
    part = target.with_name(f".{target.name}.part")
    try:
        with open(part, "wb", opener=opener) as writer:
            shutil.copyfileobj(reader, writer, 1 << 20)
            failpoint(f"file.{point}.copy")
            flush_to_disk(writer)
        return settle(part, target, point=point)
    except BaseException:
        discard(part)
        raise


def free_bytes(folder: Path) -> int:
    """Return the free space, in bytes, of the volume that holds ``folder``."""
    return shutil.disk_usage(folder).free
