"""What the file of a render tells beside its sound: its place on the time line, and its tempo."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bridge_daemon.audio.apart import probe
from bridge_daemon.audio.opening import SourceInfo

_FARTHEST: Final = 864_000.0  # s; a time stamp beyond ten days is none


@dataclass(frozen=True, slots=True)
class RenderFacts:
    """What is taken over from a render into the request."""

    info: SourceInfo
    position: float | None  # s: TimeReference / rate

    @property
    def tempo(self) -> float | None:
        """Quarter notes a minute."""
        return self.info.tempo


def render_facts(path: Path, *, name: str | None = None) -> RenderFacts:
    """Return what a whole render tells; ``name`` is what it is called in messages.

    Raises SourceRefused if it is no audio that can be read.
    """
    info = probe(path, name=name)
    position = info.time_reference / info.rate if info.time_reference is not None else None
    return RenderFacts(info, position if position is not None and position <= _FARTHEST else None)
