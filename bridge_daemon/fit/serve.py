"""Measuring takes for the daemon: one line of JSON for each take on stdin, one line about it on stdout.

The process ends when its stdin does, so it never outlives its daemon for longer than one take, and a watchdog, which
needs no Python to run, ends it at a take that keeps it too long. Nothing is written but the copies that are asked for.
"""

from __future__ import annotations

import faulthandler
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, TextIO

from bridge_daemon.errors import BridgeError
from bridge_daemon.fit import continued, file, loudness
from bridge_daemon.fit.continued import Before, Entry, Region
from bridge_daemon.fit.copy import Wish
from bridge_daemon.fit.file import Measured
from bridge_daemon.fit.onsets import Samples
from bridge_daemon.util import files

_NICE: Final = 10  # behind everything that somebody waits for
_NAMES: Final = {
    "tempo": "bpm",
    "tempo_error": "bpm_error",
    "first_beat": "first_beat",
    "first_sound": "first_sound",
    "beat_error": "beat_error",
    "half_a_beat_off": "half_a_beat_off",
}


def serve(asked: Iterable[str], answers: TextIO) -> None:
    """Answer each line until there are no more."""
    if hasattr(os, "nice"):
        os.nice(_NICE)
    for line in asked:
        wish = json.loads(line)
        faulthandler.dump_traceback_later(wish["seconds"], exit=True)
        try:
            answer = _answer(wish)
        except (BridgeError, OSError, ArithmeticError, LookupError, MemoryError, ValueError) as error:
            answer = {"error": str(error) or type(error).__name__}
        faulthandler.cancel_dump_traceback_later()
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _answer(asked: dict[str, Any]) -> dict[str, Any]:
    take = Path(asked["take"])
    notes: list[str] = []
    samples, rate = file.read(take)
    measured = file.measure_samples(samples, rate, asked["tempo"])
    answer: dict[str, Any] = {"grid": _grid(measured, asked["tempo"]), "fitted": None, "notes": notes}
    target, fit = asked["loudness"], asked["fit"]
    if fit != "off" and asked["tempo"] is None:
        fit = "off"
        notes.append("It was not made to fit: no tempo is known.")
    if target == "source":
        target, note = _as_loud_as(asked["source"])
        answer["grid"]["source_loudness"] = target
        notes += note
    after = _after(asked, samples, rate, measured, notes) if asked.get("continues") else None
    if after is not None:
        answer["grid"] |= {"enter": round(after[1].enter, 6), "crossfade": round(after[1].crossfade, 6)}
        after = after if asked["continues"]["join"] else None
    if asked["to"] is not None and (fit != "off" or target is not None or after is not None):
        wish = Wish(
            fit=fit,
            tempo=asked["tempo"],
            a_bar=asked["beats"],
            bars=asked["bars"],
            seconds=asked.get("length"),
            loudness=target,
        )
        answer["fitted"] = _copy(take, samples, rate, measured, wish, Path(asked["to"]), notes, after)
    return answer


def _after(
    asked: dict[str, Any], samples: Samples, rate: int, measured: Measured, notes: list[str]
) -> tuple[Before, Entry] | None:
    """Return the source that a take continues, and where it goes on; None if there is none any more."""
    told = asked["continues"]
    region = Region(
        path=Path(told["path"]),
        start=told["start"],
        end=told["end"],
        last=told["last"],
        sound=told["sound"],
        sent=Path(asked["source"]),
    )
    trusted = measured.grid if measured.grid is not None and not measured.why_not else None
    try:
        before = continued.read(region, rate)
    except (BridgeError, OSError):
        notes.append("It was not laid behind its source: that is not kept any more.")
        return None
    beats, a_bar = told["beats"], asked["beats"]
    if asked["fit"] == "off":
        trusted = None
    return before, continued.entry(before, samples, rate, trusted, tempo=asked["tempo"], a_bar=a_bar, beats=beats)


def _grid(measured: Measured, tempo: float | None) -> dict[str, Any]:
    told = measured.as_dict()
    grid = told.get("grid", {})
    unknown = "no tempo is known" if tempo is None else "nothing is heard in it"
    return {
        **{name: grid.get(key) for name, key in _NAMES.items()},
        "confidence": grid.get("confidence", 0.0),
        "why_not": grid.get("why_not", unknown),
        "loudness": told["lufs"],
        "true_peak": told["true_peak_db"],
        **{name: told[name] for name in ("key", "key_confidence") if name in told},
    }


def _as_loud_as(source: str | None) -> tuple[float | None, list[str]]:
    if source is None:
        return None, ["Its loudness was left alone: it has no source."]
    try:
        samples, rate = file.read(Path(source))
    except BridgeError:
        return None, ["Its loudness was left alone: its source is not kept any more."]
    heard = loudness.integrated(samples, rate)
    return (heard, []) if heard is not None else (None, ["Its loudness was left alone: its source is silent."])


def _copy(
    take: Path,
    samples: Samples,
    rate: int,
    measured: Measured,
    wish: Wish,
    to: Path,
    notes: list[str],
    after: tuple[Before, Entry] | None,
) -> dict[str, Any] | None:
    try:
        made = file.copy(samples, rate, measured, wish, to, of=take, after=after)
        notes += made.notes
        return {"file": str(to), "sha256": files.sha256(to), "start": round(made.start, 6)}
    except OSError as error:
        notes.append(f"A copy that fits could not be written: {error.strerror or error}.")
        return None
