"""Opening a file once, and showing the decoder a corrected view of it. Nothing here knows of audio."""

from __future__ import annotations

import io
import os
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Protocol

Piece = bytes | tuple[int, int]  # bytes of our own, or those of the file from one offset to another


class ByteFile(Protocol):
    """What is read here: a file, or a view of one."""

    def seek(self, offset: int, whence: int = ..., /) -> int:
        """Go to a place."""
        ...

    def read(self, size: int = ..., /) -> bytes:
        """Return so many bytes, fewer at the end."""
        ...


class View(io.RawIOBase):
    """Pieces of a file and bytes of our own, one behind the other, as one file."""

    def __init__(self, file: ByteFile, pieces: Sequence[Piece]) -> None:
        self._file = file
        self._pieces = [piece for piece in pieces if _length(piece)]
        self._starts = [0, *accumulate(_length(piece) for piece in self._pieces)]
        self.size = self._starts.pop()
        self._at = 0

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it can be sought."""
        return True

    def tell(self) -> int:
        """Return where it is read next."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to another place."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at}.get(whence, self.size)
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # the decoder passes a buffer of its own
        """Fill a buffer, less of it only at the end: libsndfile takes a short answer for the end."""
        done = 0
        while done < len(buffer) and (part := self._part(len(buffer) - done)):
            buffer[done : done + len(part)] = part
            done += len(part)
            self._at += len(part)
        return done

    def _part(self, most: int) -> bytes:
        if self._at >= self.size:
            return b""
        number = bisect_right(self._starts, self._at) - 1
        piece, inside = self._pieces[number], self._at - self._starts[number]
        if isinstance(piece, bytes):
            return piece[inside : inside + most]
        self._file.seek(piece[0] + inside)
        return self._file.read(min(most, piece[1] - piece[0] - inside))


def _length(piece: Piece) -> int:
    return len(piece) if isinstance(piece, bytes) else piece[1] - piece[0]


def patched(file: ByteFile, size: int, patches: Mapping[int, bytes]) -> View:
    """Return the file with some of its bytes replaced, by their offsets."""
    pieces: list[Piece] = []
    at = 0
    for offset, data in sorted(patches.items()):
        pieces += [(at, offset), data]
        at = offset + len(data)
    return View(file, [*pieces, (at, size)])
