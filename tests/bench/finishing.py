"""How fast a take of 190 s is finished, beside ffmpeg and sox in the same run: decode, resample, Broadcast Wave 24 bit.

    python -m tests.bench.finishing

Ours is the real function, which also proves the original, limits what resampling overshoots, hashes the file and
flushes it to the disk; theirs are whole processes with their best resamplers, which do none of that.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from bridge_daemon.audio.take import make_take
from bridge_daemon.audio.wav import Bext
from tests.bench.figures import Row

SECONDS, RATE = 190, 44_100


def _best(work: Callable[[], object], times: int = 3) -> float:
    best = float("inf")
    for _ in range(times):
        begun = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begun)
    return best


def _original(folder: Path) -> Path:
    file = folder / "original.mp3"
    at = np.arange(SECONDS * RATE) / RATE
    left = 0.3 * np.sin(2 * np.pi * 220 * at) + np.random.default_rng(1).normal(0, 0.05, len(at))
    with soundfile.SoundFile(file, "w", RATE, 2, format="MP3") as out:
        out.write(np.column_stack([left, left[::-1]]))
    return file


def _ours(original: Path, part: Path, rate: int) -> None:
    when = {"origination_date": "2026-01-01", "origination_time": "00:00:00"}
    bext = Bext(description="x", originator="daw-bridge", originator_reference="x", time_reference=1, **when)
    part.unlink(missing_ok=True)
    make_take(original, part, rate=rate, cut_seconds=None, bext=lambda _: bext, info={})


def rows() -> list[Row]:
    """Return the figures for the table."""
    with tempfile.TemporaryDirectory() as name:
        original, out = _original(Path(name)), Path(name) / "out.wav"
        return [_row(original, out, rate) for rate in (RATE, 48_000, 96_000)]


def _row(original: Path, out: Path, rate: int) -> Row:
    bwf = ["-c:a", "pcm_s24le", "-write_bext", "1", out]
    theirs = {
        "ffmpeg": ["ffmpeg", "-y", "-v", "error", "-i", original, "-af", _soxr(rate), *bwf],
        "sox": ["sox", original, "-b", "24", out, "rate", "-v", str(rate)],
    }
    ours = _best(lambda: _ours(original, out, rate))
    told, ratio = [f"ours {ours:.2f} s"], None
    for program, command in theirs.items():
        if shutil.which(program) is None:
            told.append(f"{program} is not installed")
            continue
        taken = _best(lambda command=command: subprocess.run(command, check=True, capture_output=True))  # type: ignore[misc]
        told.append(f"{program} {taken:.2f} s ({ours / taken:.2f} ×)")
        ratio = ours / taken if program == "ffmpeg" else ratio
    met = None if ratio is None else ratio <= 1.2
    return Row(
        f"190 s stereo MP3 → Broadcast Wave, 24 bit, {rate / 1000:g} kHz", ", ".join(told), "≤ 1.2 × ffmpeg", met
    )


def _soxr(rate: int) -> str:
    return f"aresample={rate}:resampler=soxr:precision=28"  # the quality that ours has, too


def main() -> None:
    for row in rows():
        sys.stdout.write(f"{row.what}: {row.figure}\n")


if __name__ == "__main__":
    main()
