"""Measuring a take, and writing a fitted copy beside it: what ``daw-bridge fit`` does, in a process of its own."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from bridge_daemon.audio.wav import Acid, WavWriter, read_bext, read_info
from bridge_daemon.errors import SourceRefused
from bridge_daemon.fit import key as keys
from bridge_daemon.fit import loudness
from bridge_daemon.fit.continued import Before, Entry
from bridge_daemon.fit.copy import Fitted, Wish, render
from bridge_daemon.fit.grid import Grid, doubt, measure
from bridge_daemon.fit.key import Key
from bridge_daemon.fit.onsets import Samples, mono
from bridge_daemon.util import files


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """What was found out about a take."""

    seconds: float
    lufs: float | None  #: integrated loudness; None for silence and less than 0.4 s
    peak: float | None  #: true peak, dBTP; None for silence
    grid: Grid | None  #: None if no tempo was asked for, or nothing is heard
    key: Key | None = None  #: None if no notes are heard

    @property
    def why_not(self) -> str:
        """Why the grid is not to be trusted; empty if it is, or if there is none."""
        return doubt(self.grid, self.seconds) if self.grid is not None else ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON has it, rounded to what was measured."""
        told: dict[str, Any] = {
            "seconds": round(self.seconds, 6),
            "lufs": _rounded(self.lufs, 2),
            "true_peak_db": _rounded(self.peak, 2),
        }
        if self.key is not None and self.key.confidence >= 1:
            told |= {"key": self.key.name, "key_confidence": round(self.key.confidence, 2)}
        if self.grid is None:
            return told
        grid = self.grid
        return told | {
            "grid": {
                "asked_bpm": grid.asked,
                "bpm": round(grid.tempo, 4),
                "bpm_error": round(grid.tempo * grid.tempo_error, 5),
                "first_beat": round(grid.beat, 5),
                "beat_error": round(grid.beat_error, 5),
                "first_sound": round(grid.first_sound, 5),
                "half_a_beat_off": round(grid.offbeat, 2),
                "confidence": round(grid.confidence if not self.why_not else min(grid.confidence, 0.99), 2),
                "why_not": self.why_not,
            }
        }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def read(path: Path) -> tuple[Samples, int]:
    """Return a file's frames × channels, and its sample rate, Hz. Raises SourceRefused."""
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise SourceRefused(f"{path.name} cannot be read: {error}") from error
    return np.asarray(samples, np.float32), int(rate)


def measure_samples(samples: Samples, rate: int, tempo: float | None) -> Measured:
    """Measure a take; its grid only if the tempo, BPM, is known that it was asked for."""
    heard = mono(samples)[:, None]
    return Measured(
        seconds=len(samples) / rate,
        lufs=loudness.integrated(samples, rate),
        peak=loudness.true_peak(samples),
        grid=measure(heard, rate, tempo) if tempo is not None else None,
        key=keys.measure(heard, rate),
    )


def copy(
    samples: Samples,
    rate: int,
    measured: Measured,
    wish: Wish,
    to: Path,
    *,
    of: Path,
    after: tuple[Before, Entry] | None = None,
) -> Fitted:
    """Write a fitted copy of a take as a 24-bit WAV file, in place of a file of that name.

    It says what the file ``of`` says of itself; its time stamp is earlier by what stands before the place in the copy.
    """
    grid = measured.grid
    if grid is not None and measured.why_not:  # only its first sound counts
        grid = replace(grid, confidence=0.0, why_not=measured.why_not)
    made = render(samples, rate, grid, wish, after=after)
    whole = io.BytesIO()
    bext, info = read_bext(of), read_info(of)
    if bext is not None:
        bext = replace(bext, time_reference=max(0, bext.time_reference - round(made.start * rate)))
    channels, acid = made.samples.shape[1], _acid(made, rate, wish)
    with WavWriter(whole, rate=rate, channels=channels, bext=bext, info=info, acid=acid, reserve=False) as writer:
        writer.write(made.samples)
    files.write_whole(to, whole.getvalue(), point="fit", mode=0o666)
    return made


def _acid(made: Fitted, rate: int, wish: Wish) -> Acid | None:
    """Return what is told of the tempo of a copy that stands on one."""
    tempo = wish.tempo if made.beats is not None else made.tempo
    if tempo is None:
        return None
    beats = made.beats if made.beats is not None else round(len(made.samples) / rate * tempo / 60)
    return Acid(tempo=tempo, beats=beats, numerator=wish.a_bar, loops=made.beats is not None)
