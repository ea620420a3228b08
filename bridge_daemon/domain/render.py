"""A render: an audio file in a watched folder, as the journal knows it, by its place and by its content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from bridge_daemon.domain.job import Job
from bridge_daemon.domain.views import OF_A_RENDER, chosen


class RenderState(StrEnum):
    """What has become of a render."""

    #: Listed; nothing was sent. ``code`` and ``text`` say what it waits for.
    WAITING = "waiting"
    #: A request for it was accepted.
    SENT = "sent"
    #: Its content was sent before, from another file or under another name (``same_as``).
    KNOWN = "known"
    #: Taken off the list by a person. The file was not touched.
    FORGOTTEN = "forgotten"


#: Why a render waits, if that is no error of the list in errors.py.
BEFORE = "before"
ASKS = "asks"
BATCH = "batch"
UNSAFE = "unsafe"
CHANGED = "changed"
EARLY = "early"


@dataclass(frozen=True, kw_only=True, slots=True)
class Render:
    """One content at one place. Frozen: the journal returns a new one for each change."""

    id: int
    folder: str  #: name of the watched folder
    root: str  #: its path
    name: str  #: of the file in it
    size: int  #: bytes
    mtime_ns: int
    sha256: str | None = None  #: None: not read yet, which nothing that was sent is
    state: RenderState = RenderState.WAITING
    code: str | None = None
    text: str = ""
    same_as: int | None = None  #: the render with the same content that was sent before
    request: str | None = None  #: the newest request for it that was accepted
    try_id: str | None = None  #: a request that is being made of it; kept until its answer is written down
    try_body: dict[str, Any] | None = None  #: {request, fields}: exactly what is asked, also after a crash
    tries: int = 0
    present: bool = True  #: False: the file is not there any more
    seen_at: float = 0.0  #: UTC, seconds since the epoch
    updated_at: float = 0.0

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.root) / self.name

    @property
    def stamp(self) -> tuple[int, int]:
        """Size and time of change: what tells, without reading it, that a file is still the same."""
        return self.size, self.mtime_ns

    def evolve(self, **changes: Any) -> Render:
        """Return a copy with some fields changed."""
        return replace(self, **changes)

    def as_dict(self, jobs: Sequence[Job] = ()) -> dict[str, Any]:
        """Return it as the HTTP API and ``--json`` see it; ``jobs`` are those of its request."""
        return {
            "entry": self.id,
            "folder": self.folder,
            "name": self.name,
            "path": str(self.path),
            "state": "sending" if self.try_id else str(self.state),
            "code": self.code,
            "text": self.text,
            "same_as": self.same_as,
            "request": self.request,
            "jobs": [chosen(job, OF_A_RENDER) for job in jobs],
            "tries": self.tries,
            "present": self.present,
            "seen_at": self.seen_at,
            "next": self._next(),
        }

    def _next(self) -> str:
        if self.try_id:
            return "It is being sent."
        if self.state is RenderState.WAITING:
            return f"daw-bridge folders send {self.id}"
        if self.state is RenderState.FORGOTTEN:
            return ""
        return f"daw-bridge folders send {self.id} --again   (again, new seed: costs again)"
