"""The outline of a sound, for drawing a waveform."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bridge_daemon.audio.apart import open_audio
from bridge_daemon.domain.sound_files import MOST_BUCKETS

_DECIMALS = 4


@dataclass(frozen=True, slots=True)
class Peaks:
    """Least and greatest value of each bucket, over all channels; 1.0 is full scale."""

    rate: int
    frames: int
    channels: int
    minimum: list[float]
    maximum: list[float]

    def as_dict(self) -> dict[str, Any]:
        """Return it as the HTTP API sends it."""
        return {
            "rate": self.rate,
            "frames": self.frames,
            "channels": self.channels,
            "min": self.minimum,
            "max": self.maximum,
        }


def peaks(path: Path, buckets: int = 800) -> Peaks:
    """Divide the sound at ``path`` into ``buckets`` parts of equal length, fewer when it has fewer frames.

    Raises ValueError for a number of buckets outside of 1..MOST_BUCKETS, SourceRefused when the file cannot be decoded.
    """
    if not 1 <= buckets <= MOST_BUCKETS:
        raise ValueError(f"buckets = {buckets}: must be 1 to {MOST_BUCKETS}")
    with open_audio(path, cut_delay=True) as audio:
        info = audio.info
        count = min(buckets, info.frames)
        edges = np.arange(count, dtype=np.int64) * info.frames // count  # first frame of each bucket
        low, high = np.full(count, np.inf), np.full(count, -np.inf)
        at = 0
        for block in audio.blocks():
            first = int(np.searchsorted(edges, at, side="right")) - 1
            behind = int(np.searchsorted(edges, at + len(block), side="left"))
            starts = np.maximum(edges[first:behind] - at, 0)
            part = slice(first, behind)
            low[part] = np.minimum(low[part], np.minimum.reduceat(block, starts, axis=0).min(axis=1))
            high[part] = np.maximum(high[part], np.maximum.reduceat(block, starts, axis=0).max(axis=1))
            at += len(block)
    return Peaks(info.rate, info.frames, info.channels, _rounded(low), _rounded(high))


def _rounded(values: np.ndarray[Any, np.dtype[np.float64]]) -> list[float]:
    return [float(value) for value in np.round(values, _DECIMALS) + 0.0]  # + 0.0: no "-0.0" in the JSON
