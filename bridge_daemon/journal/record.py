"""The record of what was sent: a second, append-only list beside the journal, one line of JSON for each step of money.

A line is on the medium before the request that it tells of is on the wire. It names the event in the journal that it
was written after, so a journal that lost something (a damaged log, a copy that was put back) is known by the events
that are not in it, and what it lost is made again from here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from io import FileIO
from pathlib import Path
from typing import Any, Final

from bridge_daemon.errors import JournalUnusable
from bridge_daemon.util import files
from bridge_daemon.util.failpoints import failpoint
from bridge_daemon.util.files import flush_to_disk
from bridge_daemon.util.secret_file import check_own

Line = dict[str, Any]
NAME: Final = "sent.jsonl"
#: A larger file becomes the older one at the next start, bytes: some thousand jobs. There is one older one.
LARGEST: Final = 8 << 20
#: So much of the end is held against the journal at each start, bytes: a journal that lost something lost its newest.
_TAIL: Final = 256 << 10
#: The kind of a line that says: all before it is in the journal.
COMPARED: Final = "compared"
_REBUILD: Final = "Stop the bridge, and then: daw-bridge jobs rebuild --dry-run"


def beside(journal: Path) -> Path:
    """Return where the record of a journal lies."""
    return journal.with_name(NAME)


def _older(path: Path) -> Path:
    return path.with_name(f"{path.stem}.old{path.suffix}")


class Known:
    """Files as they were opened: by device, inode and size. None of them may be replaced or become smaller."""

    def __init__(self, *paths: Path) -> None:
        """Look at the files, which are there."""
        self._seen = {path: path.stat() for path in paths}

    def check(self) -> None:
        """Raise JournalUnusable if a file is not the one that was opened any more: one look at each."""
        for path, before in self._seen.items():
            try:
                now = os.stat(path)
            except OSError:
                raise _lost(path, "is gone") from None
            if not os.path.samestat(now, before):
                raise _lost(path, "was replaced")
            if now.st_size < before.st_size:
                raise _lost(path, "was cut off")
            self._seen[path] = now


def _lost(path: Path, how: str) -> JournalUnusable:
    return JournalUnusable(
        f"{path} {how} while the bridge runs, so what is spent would not be known. Nothing was sent.", next=_REBUILD
    )


class Record:
    """The record, opened to be added to."""

    def __init__(self, path: Path) -> None:
        """:meth:`open` does the work."""
        self.path = path
        self._file: FileIO | None = None

    def open(self) -> None:
        """Open the file, or make it. Raises HomeUnsafe if it is another user's."""
        if self.path.exists() and self.path.stat().st_size > LARGEST:
            files.replace(self.path, _older(self.path))
        files.close_to_others(self.path)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | files.UNHINDERED
        self._file = FileIO(os.open(self.path, flags, 0o600), "r+")
        about = os.fstat(self._file.fileno())
        check_own(self.path, about)
        if about.st_size:
            self._file.seek(-1, os.SEEK_END)
            if self._file.read(1) != b"\n":  # the process died in the middle of a line
                self._file.write(b"\n")
        else:
            self.add([{"kind": COMPARED}])
            files.flush_folder(self.path.parent)

    def add(self, lines: Sequence[Line]) -> None:
        """Append lines, and return when they are on the medium. Raises OSError."""
        assert self._file is not None, "open() comes first"
        failpoint("record.add")
        data = "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines)
        rest = memoryview(data.encode("utf-8", "surrogatepass"))
        while rest:
            rest = rest[self._file.write(rest) :]
        flush_to_disk(self._file)
        failpoint("record.added")

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._file is not None:
            self._file.close()
            self._file = None


def to_compare(path: Path) -> list[Line]:
    """Return the newest lines, those that no start has compared with the journal yet. Missing: none."""
    lines = _read(path, _TAIL)
    if path.exists() and path.stat().st_size < _TAIL:
        lines = _read(_older(path), _TAIL) + lines
    last = max((number for number, line in enumerate(lines) if line["kind"] == COMPARED), default=-1)
    return lines[last + 1 :]


def everything(path: Path) -> list[Line]:
    """Return all lines that there are."""
    return _read(_older(path)) + _read(path)


def _read(path: Path, tail: int | None = None) -> list[Line]:
    try:
        with files.open_plain(path) as file:
            size = os.fstat(file.fileno()).st_size
            if tail is not None and size > tail:
                file.seek(size - tail)
                file.readline()  # half a line
            data = file.read()
    except FileNotFoundError:
        return []
    return [line for text in data.split(b"\n") if (line := _parsed(text)) is not None]


def _parsed(text: bytes) -> Line | None:
    try:
        line = json.loads(text.decode("utf-8", "surrogatepass"))
    except ValueError:
        return None  # torn by a crash: what it told of was not sent
    return line if isinstance(line, dict) and isinstance(line.get("kind"), str) else None
