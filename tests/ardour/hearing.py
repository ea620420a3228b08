"""A foreign ear: sox reads the files, and cross-correlation tells where one is heard in another."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np

Samples = np.ndarray[Any, np.dtype[np.float32]]


def read(path: Path) -> Samples:
    """Return a file as sox hears it, both sides in one, at its own rate."""
    done = subprocess.run(["sox", str(path), "-t", "f32", "-c", "1", "-"], capture_output=True, check=True)
    return np.frombuffer(done.stdout, dtype="<f4")


def heard_at(mix: Path, sound: Path) -> int:
    """Return the sample of a mix at which a sound is heard best."""
    whole, part = read(mix), read(sound)
    size = 1 << (len(whole) + len(part)).bit_length()
    product = np.fft.rfft(whole, size) * np.conj(np.fft.rfft(part, size))
    return int(np.argmax(np.abs(np.fft.irfft(product, size)[: len(whole)])))


def time_stamp(path: Path) -> int:
    """Return the time stamp of a Broadcast Wave, as ffprobe reads it."""
    ask = ["ffprobe", "-v", "error", "-show_entries", "format_tags=time_reference", "-of", "csv=p=0", str(path)]
    return int(subprocess.run(ask, capture_output=True, text=True, check=True).stdout)
