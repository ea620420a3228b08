"""Files that are either whole or not there: temporary name, flush to the disk, rename.

Folders may be open to others. So what is made is made new (never through a name that is there), under a name that
nobody can guess, and gets its own name only if that is free; what is read is opened once, and is a plain file.

Every write that the promise depends on goes through here, so that each has its failpoint. Every rename and removal
goes through here too, so that each has its retry: on Windows a virus scanner, an indexer, a DAW or a script that polls
may hold a file open for a moment, and both fail meanwhile.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import logging
import os
import random
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BufferedReader, BufferedWriter
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

from bridge_daemon.util import access, long_paths
from bridge_daemon.util.failpoints import failpoint

T = TypeVar("T")
log = logging.getLogger(__name__)

#: How long a file that another program holds is waited for, s: longer than a scanner holds a fresh file.
PATIENCE: Final = 1.0
_LONGEST_PAUSE: Final = 0.01  # s; short, for the gaps of who opens the file again and again are short
#: Codes of Windows: access denied (also: a removal is pending), sharing violation, lock violation.
_HELD: Final = {5, 32, 33}
#: Of a file that is made: it is not there yet, under no name of any kind.
NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
#: Of a file of somebody else that is opened: no link to another one, no waiting for the writer of a pipe.
UNHINDERED: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_LONGEST_NAME: Final = 200  # bytes of the name of a target in that of its part
_MOST_PROVED: Final = 256
_proved: Final[dict[tuple[int, ...], str]] = {}  # state of a file → its hash
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT} if hasattr(errno, "EDQUOT") else {errno.ENOSPC}


class NotPlain(OSError):
    """What lies under a name is no plain file."""


class Changed(OSError):
    """A file holds other bytes than were written."""


def private(path: str, flags: int) -> int:
    """Open for :func:`open` (``opener=private``): what is made is its owner's alone, whatever the umask says."""
    return os.open(path, flags, 0o600)


def close_to_others(path: Path) -> None:
    """Close a file in the home to other users to whom an earlier version left it open; make it if it is missing.

    By name, and never by opening it: to close a descriptor of a SQLite file gives up the locks of the whole process.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        if sys.platform != "win32" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            path.chmod(0o600)


def is_disk_full(error: OSError) -> bool:
    """Return whether the disk (or the person's quota on it) is full, which ends by itself once there is room."""
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


def open_to_flush(path: Path) -> BinaryIO:
    """Open a file of ours again to flush and hash it, and follow no link. Windows flushes only what may be written."""
    return path.open("r+b") if os.name == "nt" else open_plain(path)


def flush_folder(folder: Path) -> None:
    """Make a rename inside of ``folder`` durable. Windows has no such call and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        flush_descriptor(descriptor)
    finally:
        os.close(descriptor)


def flush_descriptor(folder: int) -> None:
    """As :func:`flush_folder`, of a folder that is open."""
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems refuse; nothing more to do
            raise


def is_held(error: OSError) -> bool:
    """Return whether Windows says that another program holds the file, which ends by itself."""
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
    long_paths.check(target)
    patiently(lambda: _despite_mark(target, lambda: os.replace(source, target)), patience)


def remove(path: Path, *, missing_ok: bool = False) -> None:
    """Remove a file. Waits for :data:`PATIENCE` while another program holds it."""
    patiently(lambda: _despite_mark(path, lambda: path.unlink(missing_ok=missing_ok)))


def _despite_mark(path: Path, act: Callable[[], None]) -> None:
    """Replace or remove a file that is marked as read-only: only Windows refuses that, so the mark is taken off."""
    try:
        act()
    except PermissionError:
        if not _is_marked(path):
            raise
        path.chmod(stat.S_IREAD | stat.S_IWRITE)
        act()


def _is_marked(path: Path) -> bool:
    try:
        return bool(getattr(path.lstat(), "st_file_attributes", 0) & stat.FILE_ATTRIBUTE_READONLY)
    except OSError:  # nothing is there yet
        return False


def discard(path: Path) -> None:
    """Remove a file that is of no use and does no harm, such as a part of one. What cannot be removed stays."""
    try:
        remove(path, missing_ok=True)
    except OSError as error:
        log.warning("%s could not be removed: %s", path, error.strerror or error)


def read_shared(path: Path) -> bytes:
    """Return the bytes of a file that its writer may replace at this very moment."""
    return patiently(path.read_bytes)


def part_of(target: Path) -> Path:
    """Return a name beside ``target``, hidden and not to be guessed, for what becomes it once it is whole."""
    name = target.name.encode("utf-8", "surrogateescape")[:_LONGEST_NAME].decode("utf-8", "ignore")
    return target.with_name(f".{name}.{secrets.token_hex(8)}.part")


def create(path: Path, *, mode: int = 0o666) -> BufferedWriter:
    """Make a new file for writing. Raises FileExistsError if the name is taken: by a file, a link, a pipe."""
    long_paths.check(path)
    return os.fdopen(os.open(path, NEW, mode), "wb")


def sweep(target: Path) -> None:
    """Remove the parts of ``target`` that a process left when it died. Nobody else may be writing it."""
    for part in target.parent.glob(f".{glob.escape(target.name)}.*.part"):
        if not part.is_dir():
            discard(part)


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
    temporary = part_of(path)
    try:
        with create(temporary, mode=mode) as file:
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
    result and ``part`` is removed; with other bytes, or no plain file, the new file gets ``-2``, ``-3`` … before its
    ending.
    """
    failpoint(f"file.{point}.settle")
    before = state_of(part.lstat())
    candidate, number = target, 1
    while not name_once(part, candidate):
        if same_bytes(part, candidate):
            discard(part)
            return candidate
        number += 1
        candidate = target.with_name(f"{target.stem}-{number}{target.suffix}")
    failpoint(f"file.{point}.settled")
    flush_folder(candidate.parent)
    after = state_of(candidate.lstat())
    if after[:-1] == before[:-1] and before in _proved:  # a name changes no byte
        _remember(after, _proved[before])
    return candidate


def name_once(part: Path, target: Path) -> bool:
    """Give a file the name ``target``. False, and nothing is changed, if that is taken, whatever lies there."""
    long_paths.check(target)
    if os.path.lexists(target):
        return False
    if sys.platform == "win32":
        try:
            patiently(lambda: os.rename(part, target))  # noqa: PTH104 - this call, on this platform, refuses to overwrite
        except FileExistsError:
            return False
        return True
    try:
        os.link(part, target, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError:  # exFAT and some network disks know no links
        replace(part, target)
        return True
    remove(part)
    return True


def same_bytes(one: Path, other: Path) -> bool:
    """Compare two files by their content. What is no plain file is never the same."""
    try:
        return one.lstat().st_size == other.lstat().st_size and sha256(one) == sha256(other)
    except OSError:
        return False


def open_plain(path: Path) -> BufferedReader:
    """Open a plain file for reading: no link to another file, no pipe, no device. Raises OSError, NotPlain."""
    descriptor = os.open(path, os.O_RDONLY | UNHINDERED)
    try:
        opened, named = os.fstat(descriptor), path.lstat()
        # Windows follows a link when it opens; there the name itself is looked at
        if not stat.S_ISREG(opened.st_mode) or not os.path.samestat(opened, named):
            raise NotPlain(errno.EINVAL, "not a plain file", str(path))
    except BaseException:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def state_of(about: os.stat_result) -> tuple[int, ...]:
    """Return what is another one once a file was replaced or written to."""
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns


def open_proved(path: Path, sha256: str) -> BufferedReader:
    """Open a plain file that holds the bytes that ``sha256`` is of. Raises Changed, or OSError.

    The bytes are read once for each state of a file: a player asks for many ranges of it.
    """
    file = open_plain(path)
    try:
        state = state_of(os.fstat(file.fileno()))
        if _proved.get(state) != sha256:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                raise Changed(errno.EINVAL, "it holds other bytes than were stored", str(path))
            _remember(state, sha256)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def _remember(state: tuple[int, ...], sha256: str) -> None:
    """Keep the hash of a file in a state, for :func:`open_proved`."""
    if len(_proved) >= _MOST_PROVED:
        _proved.clear()
    _proved[state] = sha256


def sha256(path: Path) -> str:
    """Return the SHA-256 of a plain file in hex, read in blocks."""
    with open_plain(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush_and_hash(file: BinaryIO, path: Path) -> str:
    """As :func:`flush_to_disk`; return the SHA-256 of the file, which is read while the medium writes."""
    file.flush()
    with open_plain(path) as reader, ThreadPoolExecutor(1, thread_name_prefix="flush") as beside:
        if not os.path.samestat(os.fstat(reader.fileno()), os.fstat(file.fileno())):
            raise OSError(errno.EINVAL, "another file lies there than was written", str(path))
        flushed = beside.submit(flush_to_disk, file)
        before = state_of(os.fstat(file.fileno()))
        digest = hashlib.file_digest(reader, "sha256").hexdigest()
        flushed.result()
        if state_of(os.fstat(file.fileno())) == before:
            _remember(before, digest)
    return digest


def copy_whole(source: Path, target: Path, *, point: str, mode: int = 0o666) -> Path:
    """Copy ``source`` to ``target`` as :func:`settle` does: whole or not at all, never over another file."""
    with open_plain(source) as reader:
        return copy_open(reader, target, point=point, mode=mode)


def copy_open(reader: BinaryIO, target: Path, *, point: str, mode: int = 0o666) -> Path:
    """Copy the rest of an open file as :func:`copy_whole` does."""
    sweep(target)
    part = part_of(target)
    try:
        with create(part, mode=mode) as writer:
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
