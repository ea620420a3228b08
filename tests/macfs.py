"""A disk with a Mac's rules for names, by FUSE: `python -m tests.macfs apfs|hfs BACKING MOUNTPOINT`.

* Names are found whatever their case and their Unicode form, and keep the case that they were made with (APFS as macOS
  formats it, and HFS+: Apple, "File System Programming Guide" and "Apple File System Guide", FAQ).
* APFS keeps the Unicode form that it was given; HFS+ keeps names taken apart (Apple, Technical Note TN1150).
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_PATIENCE = 20.0  # s until it is mounted
_STAT = ("st_atime_ns", "st_ctime_ns", "st_mtime_ns", "st_gid", "st_uid", "st_mode", "st_nlink", "st_size", "st_ino")
_STATVFS = ("f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_favail", "f_ffree", "f_files", "f_frsize", "f_namemax")


def folded(name: str) -> str:
    """Return what the disk takes for one name."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())


@contextmanager
def mac_disk(kind: str, folder: Path) -> Iterator[Path]:
    """Mount such a disk below ``folder``; skip the test where FUSE cannot be had."""
    if shutil.which("fusermount3") is None or not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("needs /dev/fuse and fusermount3: install the package fuse3")
    backing, disk = folder / f"{kind} backing", folder / f"{kind} disk"
    backing.mkdir()
    disk.mkdir()
    command = [sys.executable, "-m", "tests.macfs", kind, str(backing), str(disk)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[1], stderr=subprocess.PIPE) as server:
        end = time.monotonic() + _PATIENCE
        while not disk.is_mount():
            if server.poll() is not None:  # a container may have the device and refuse the mount
                pytest.skip(f"FUSE does not work here: {(server.stderr.read() if server.stderr else b'')[-200:]!r}")
            assert time.monotonic() < end, "the disk was not mounted in time"
            time.sleep(0.02)
        try:
            yield disk
        finally:
            subprocess.run(["fusermount3", "-uz", str(disk)], check=True)
            server.wait(_PATIENCE)


def serve(kind: str, root: str, mountpoint: str) -> None:
    """Serve the disk until it is unmounted."""
    from mfusepy import FUSE, FuseOSError, Operations

    def kept(name: str) -> str:
        return unicodedata.normalize("NFD", name) if kind == "hfs" else name

    def real(path: str) -> str:
        at = root
        for part in path.split("/"):
            if part:
                found = [one for one in os.listdir(at) if folded(one) == folded(part)] if os.path.isdir(at) else []
                at = os.path.join(at, found[0] if found else kept(part))
        return at

    class Mac(Operations):  # type: ignore[misc]
        use_ns = True

        def getattr(self, path: str, fh: Any = None) -> dict[str, int]:
            about = os.lstat(real(path))
            return {key.removesuffix("_ns"): getattr(about, key) for key in _STAT}

        def readdir(self, path: str, fh: Any) -> list[tuple[str, dict[str, int], int]]:
            found = [(entry.name, entry.inode()) for entry in os.scandir(real(path))]
            return [(name, {"st_ino": inode}, 0) for name, inode in [(".", 1), ("..", 1), *found]]

        def rename(self, old: str, new: str, flags: int = 0) -> int:
            source, folder, name = real(old), real(os.path.dirname(new)), os.path.basename(new)
            for there in os.listdir(folder):
                if folded(there) == folded(name) and os.path.join(folder, there) != source:
                    os.unlink(os.path.join(folder, there))
            os.rename(source, os.path.join(folder, kept(name)))
            return 0

        def access(self, path: str, mode: int) -> int:
            if not os.access(real(path), mode):
                raise FuseOSError(errno.EACCES)
            return 0

        def create(self, path: str, mode: int, fi: Any = None) -> int:
            return os.open(real(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)

        def open(self, path: str, flags: int) -> int:
            return os.open(real(path), flags)

        def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
            return os.pread(fh, size, offset)

        def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
            return os.pwrite(fh, data, offset)

        def truncate(self, path: str, length: int, fh: int | None = None) -> int:
            os.truncate(real(path), length)
            return 0

        def release(self, path: str, fh: int) -> int:
            os.close(fh)
            return 0

        def fsync(self, path: str, datasync: int, fh: int) -> int:
            os.fsync(fh)
            return 0

        def mkdir(self, path: str, mode: int) -> int:
            os.mkdir(real(path), mode)
            return 0

        def rmdir(self, path: str) -> int:
            os.rmdir(real(path))
            return 0

        def unlink(self, path: str) -> int:
            os.unlink(real(path))
            return 0

        def link(self, target: str, source: str) -> int:
            os.link(real(source), real(target))
            return 0

        def chmod(self, path: str, mode: int) -> int:
            os.chmod(real(path), mode)
            return 0

        def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
            os.utime(real(path), ns=times)
            return 0

        def statfs(self, path: str) -> dict[str, int]:
            about = os.statvfs(root)
            return {key: getattr(about, key) for key in _STATVFS}

    # nothing is remembered between two looks: one name may have many spellings
    FUSE(Mac(), mountpoint, foreground=True, attr_timeout=0, entry_timeout=0, negative_timeout=0, use_ino=True)


if __name__ == "__main__":
    serve(*sys.argv[1:4])
