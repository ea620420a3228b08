"""The sketch engine's memory on disk: accepted jobs, finished audio, and the secret that signs its URLs.

::

    folder/secret          32 bytes, 0600
    folder/jobs/<id>.json  one a job, until an hour after its end
    folder/outputs/        audio, for seven days

All of this blocks and is called from worker threads.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bridge_daemon.engine.sketch.contract import MODEL, SketchRequest, error_body
from bridge_daemon.util import files

logger = logging.getLogger(__name__)

HOUR: Final = 3600.0  # s: how long a finished job is known
WEEK: Final = 7 * 86_400.0  # s: how long its audio is served
_ID: Final = re.compile(r"sk_[0-9a-f]{24}")
_OUTPUT: Final = re.compile(r"sketch-(sk_[0-9a-f]{24})\.(mp3|wav)")


def new_id() -> str:
    """Return the id of a new job."""
    return f"sk_{secrets.token_hex(12)}"


def is_id(text: str) -> bool:
    """Return whether a text can be an id of ours; nothing else ever becomes part of a path."""
    return _ID.fullmatch(text) is not None


def is_output(text: str) -> bool:
    """Return whether a text can be the name of one of our audio files."""
    return _OUTPUT.fullmatch(text) is not None


def timestamp(seconds: float | None) -> str | None:
    """Return a time as the answers write it: ISO 8601, UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


@dataclass(kw_only=True, slots=True)
class Record:
    """One job. ``progress`` is written by the thread that renders, everything else by the event loop."""

    job_id: str
    asked: SketchRequest
    created_at: float  #: UTC, seconds since the epoch
    status: str = "queued"  #: queued, processing, completed or failed
    progress: float = 0.0  #: 0..1, never goes back
    completed_at: float | None = None
    seconds: float | None = None  #: length of the audio
    error: dict[str, str] | None = None

    @property
    def output(self) -> str:
        """Name of the audio file. It says what it is wherever it is saved."""
        return f"sketch-{self.job_id}.{self.asked.output_format}"

    @property
    def finished(self) -> bool:
        """Whether nothing more happens to it."""
        return self.status in {"completed", "failed"}

    def complete(self, now: float, seconds: float) -> None:
        """The audio lies in its place."""
        self.status, self.progress, self.completed_at, self.seconds = "completed", 1.0, now, seconds

    def fail(self, now: float, code: str, message: str) -> None:
        """There will be no audio."""
        self.status, self.completed_at, self.error = "failed", now, error_body(code, message)

    def as_json(self) -> bytes:
        """Return what is kept. How far an unfinished job has come is not: it begins again."""
        kept = {
            "version": 1,
            "job_id": self.job_id,
            "asked": self.asked.as_dict(),
            "created_at": self.created_at,
            "status": self.status if self.finished else "queued",
            "completed_at": self.completed_at,
            "seconds": self.seconds,
            "error": self.error,
        }
        return json.dumps(kept, ensure_ascii=False, indent=1).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Record:
        """Read what :meth:`as_json` wrote; ValueError, KeyError or TypeError for anything else."""
        kept: dict[str, Any] = json.loads(data)
        if kept.pop("version") != 1:
            raise ValueError("written by another version")
        record = cls(**{**kept, "asked": SketchRequest(**kept["asked"])})
        record.progress = 1.0 if record.status == "completed" else 0.0
        return record

    def public(self, url: Callable[[Record], str]) -> dict[str, Any]:
        """Return the answer of ``GET /v1/jobs/{id}``; ``url`` signs the address of the audio."""
        result = None
        if self.status == "completed":
            kind = "audio/wav" if self.asked.output_format == "wav" else "audio/mpeg"
            item = {"url": url(self), "content_type": kind, "duration_seconds": self.seconds}
            result = {"data": [item], "usage": {"billable_units": 0}}
        return {
            "job_id": self.job_id,
            "status": self.status,
            "model": MODEL,
            "progress": round(self.progress, 3),
            "created_at": timestamp(self.created_at),
            "completed_at": timestamp(self.completed_at),
            "result": result,
            "error": self.error,
        }


class Store:
    """The folder. A job is in it before its acceptance is told to anybody."""

    def __init__(self, folder: Path) -> None:
        self._jobs = folder / "jobs"
        self._outputs = folder / "outputs"
        self._secret_file = folder / "secret"
        self._secret = b""

    def open(self) -> list[Record]:
        """Make what is missing, and return the jobs of earlier runs, oldest first."""
        for folder in (self._jobs, self._outputs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._secret_file.exists():
            files.write_whole(self._secret_file, secrets.token_bytes(32), point="sketch")
        self._secret = self._secret_file.read_bytes()
        for part in (*self._outputs.glob(".*.part"), *self._jobs.glob(".*.part")):
            files.discard(part)  # of a process that ended while it wrote
        found = []
        for path in self._jobs.glob("sk_*.json"):
            try:
                found.append(self._load(path))
            except (ValueError, KeyError, TypeError) as error:
                # only kept for a person to look at: what it asked for cannot be known
                logger.warning("sketch: %s is damaged (%s) and is set aside", path.name, error)
                files.replace(path, path.with_suffix(".damaged"))
        return sorted(found, key=lambda record: record.created_at)

    @staticmethod
    def _load(path: Path) -> Record:
        record = Record.from_json(path.read_bytes())
        if not is_id(record.job_id) or record.job_id != path.stem:
            raise ValueError("it is not the job that its name says")
        return record

    def save(self, record: Record) -> None:
        """Write a job down."""
        files.write_whole(self._jobs / f"{record.job_id}.json", record.as_json(), point="sketch")

    def forget(self, record: Record) -> None:
        """Remove a job; its audio stays for its week."""
        files.remove(self._jobs / f"{record.job_id}.json", missing_ok=True)

    def part(self, record: Record) -> Path:
        """Return a new, empty file in which a job's audio is written."""
        part = files.part_of(self._outputs / record.output)
        files.create(part, mode=0o600).close()
        return part

    def settle(self, record: Record, part: Path) -> None:
        """Give a job's finished audio its name. After a crash the same audio may lie there already."""
        with part.open("rb+") as file:
            files.flush_to_disk(file)
        files.replace(part, self._outputs / record.output)
        files.flush_folder(self._outputs)

    def audio(self, name: str) -> Path:
        """Return the path of an audio file; the name must have passed :func:`is_output`."""
        return self._outputs / name

    def remove_old_audio(self, now: float) -> None:
        """Remove audio whose week is over."""
        for path in self._outputs.iterdir():
            if is_output(path.name) and now - path.stat().st_mtime > WEEK:
                files.discard(path)

    def make_room(self, most: int, now: float) -> bool:
        """Remove the oldest audio, but none of the last hour; tell if less than ``most`` bytes are left."""
        found = [(path.stat(), path) for path in self._outputs.iterdir() if is_output(path.name)]
        total = sum(status.st_size for status, _ in found)
        for status, path in sorted(found, key=lambda one: one[0].st_mtime):
            if total < most or now - status.st_mtime < HOUR:
                break
            files.discard(path)
            total -= status.st_size
        return total < most

    def signature(self, name: str, expires: int) -> str:
        """Sign the right to download a file until ``expires`` (UTC, seconds since the epoch)."""
        return hmac.new(self._secret, f"{name}\n{expires}".encode(), hashlib.sha256).hexdigest()
