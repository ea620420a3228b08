"""Where a daemon is reached: what it tells of itself in a file of its home."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path

from bridge_daemon.util.files import is_held, overwrite, read_shared, remove, write_whole

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Runtime:
    """What a daemon tells of itself."""

    pid: int
    http_url: str
    osc_port: int | None  # None: OSC is switched off
    version: str
    started_at: float  # UTC, seconds since the epoch

    def write(self, file: Path) -> None:
        """Write it whole; it holds no secret."""
        data = (json.dumps(asdict(self), indent=2) + "\n").encode("utf-8")
        try:
            write_whole(file, data, point="runtime")
        except OSError as error:
            if not is_held(error):
                raise
            overwrite(file, data)

    @classmethod
    def read(cls, file: Path) -> Runtime | None:
        """Return what a file tells; None when it is missing or damaged."""
        try:
            data = json.loads(read_shared(file))
            port = data["osc_port"]
            return cls(
                pid=int(data["pid"]),
                http_url=str(data["http_url"]),
                osc_port=None if port is None else int(port),
                version=str(data["version"]),
                started_at=float(data["started_at"]),
            )
        except (OSError, ValueError, TypeError, LookupError, OverflowError, RecursionError):
            return None

    @staticmethod
    def remove(file: Path) -> None:
        """Take a file away, unless a program holds it open."""
        try:
            remove(file, missing_ok=True)
        except OSError as error:
            if not is_held(error):
                raise
            log.warning("Another program holds %s open, so it stays", file)
