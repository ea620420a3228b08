"""What ``setup`` need not ask for, and how one of its steps is left out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Given:
    """What the command line answers already."""

    yes: bool = False
    key: str | None = None
    per_day: float | None = None
    per_month: float | None = None
    confirm_above: float | None = None
    sources: str | None = None
    folder: Path | None = None
    folder_preset: str | None = None
    clock_port: str | None = None


class SkippedError(Exception):
    """The step is not done, and that is fine; the text says why or what it needs."""
