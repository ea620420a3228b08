"""A folder that is held open while files are made in it, so that nobody can put another one, or a link, in its place.

Linux and macOS name files relative to a descriptor. Windows offers Python no such call: there the path is used, and a
folder in which a file is open cannot be replaced anyway.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Final

from bridge_daemon.util import files, long_paths
from bridge_daemon.util.failpoints import failpoint

_BY_DESCRIPTOR: Final = {os.open, os.stat, os.unlink, os.link} <= os.supports_dir_fd and os.listdir in os.supports_fd
_BLOCK: Final = 1 << 20


@contextmanager
def hold(folder: Path) -> Iterator[HeldFolder]:
    """Hold a folder whose path leads through no link: it was resolved before. Raises OSError if it does now."""
    if not _BY_DESCRIPTOR:
        yield HeldFolder(folder, None)
        return
    try:
        descriptor = _walk(folder)
    except PermissionError:  # a folder on the way may not be listed, and this system has no other way through it
        descriptor = os.open(folder, os.O_DIRECTORY | os.O_NOFOLLOW | os.O_RDONLY)
    try:
        if not os.path.samestat(os.fstat(descriptor), folder.lstat()):
            raise OSError(errno.ELOOP, "it was replaced meanwhile", str(folder))
        yield HeldFolder(folder, descriptor)
    finally:
        os.close(descriptor)


def _walk(folder: Path) -> int:
    """Open a folder step by step, and follow no link on the way."""
    flags = os.O_DIRECTORY | os.O_NOFOLLOW
    # to pass through a folder, the right to list it is not needed
    through = flags | getattr(os, "O_PATH", getattr(os, "O_SEARCH", os.O_RDONLY))
    descriptor = os.open(folder.anchor, through)
    names = folder.parts[1:]
    for number, name in enumerate(names, 1):
        try:
            opened = os.open(name, flags | os.O_RDONLY if number == len(names) else through, dir_fd=descriptor)
        finally:
            os.close(descriptor)
        descriptor = opened
    return descriptor


class HeldFolder:
    """Makes files in one folder. Made by :func:`hold`."""

    def __init__(self, path: Path, descriptor: int | None) -> None:
        self._path = path
        self._at = descriptor

    def copy(self, source: BufferedReader, name: str, *, sha256: str, point: str) -> Path:
        """Copy an open file, whole or not at all, under ``name``, and return the path.

        As :func:`files.settle`: never over another file, and the same bytes under the name are the copy. Raises
        files.Changed where what was copied is not what ``sha256`` is of; then nothing is left.
        """
        self._sweep(name)
        part = files.part_of(Path(name)).name
        digest = hashlib.sha256()
        try:
            with os.fdopen(self._open(part, files.NEW), "wb") as writer:
                while block := source.read(_BLOCK):
                    digest.update(block)
                    writer.write(block)
                failpoint(f"file.{point}.copy")
                files.flush_to_disk(writer)
            if digest.hexdigest() != sha256:
                raise files.Changed(errno.EINVAL, "it holds other bytes than were stored", source.name)
            return self._path / self._settle(part, name, sha256, point)
        except BaseException:
            self._discard(part)
            raise

    def _settle(self, part: str, name: str, sha256: str, point: str) -> str:
        failpoint(f"file.{point}.settle")
        target = Path(name)
        candidate, number = name, 1
        while not self._name_once(part, candidate):
            if self._holds(candidate, sha256):
                self._discard(part)
                return candidate
            number += 1
            candidate = f"{target.stem}-{number}{target.suffix}"
        failpoint(f"file.{point}.settled")
        self._flush()
        return candidate

    def _name_once(self, part: str, name: str) -> bool:
        if self._at is None:
            return files.name_once(self._path / part, self._path / name)
        try:
            os.link(part, name, src_dir_fd=self._at, dst_dir_fd=self._at, follow_symlinks=False)
        except FileExistsError:
            return False
        except OSError:  # exFAT and some network disks know no links
            if name in os.listdir(self._at):  # noqa: PTH208 - of a descriptor
                return False
            os.rename(part, name, src_dir_fd=self._at, dst_dir_fd=self._at)
            return True
        self._discard(part)
        return True

    def _holds(self, name: str, sha256: str) -> bool:
        """Return whether a plain file with the same bytes lies under a name."""
        try:
            descriptor = self._open(name, os.O_RDONLY | files.UNHINDERED)
        except OSError:
            return False
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            return False
        with os.fdopen(descriptor, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256

    def _sweep(self, name: str) -> None:
        """Remove the parts of a file that a process left when it died."""
        for other in os.listdir(self._path if self._at is None else self._at):  # noqa: PTH208 - of a descriptor
            if other.startswith(f".{name}.") and other.endswith(".part"):
                self._discard(other)

    def _open(self, name: str, flags: int) -> int:
        if self._at is None:
            long_paths.check(self._path / name)
            return os.open(self._path / name, flags, 0o666)
        return os.open(name, flags, 0o666, dir_fd=self._at)

    def _discard(self, name: str) -> None:
        if self._at is None:
            files.discard(self._path / name)
            return
        try:
            os.unlink(name, dir_fd=self._at)
        except OSError:
            return  # gone, or a folder of somebody else; a part does no harm

    def _flush(self) -> None:
        if self._at is None:
            files.flush_folder(self._path)
        else:
            files.flush_descriptor(self._at)
