"""``daw-bridge fit``: the tempo, first beat, key and loudness of a take, and a copy of it that fits."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge_daemon.cli import options as o
from bridge_daemon.cli import terminal
from bridge_daemon.domain.parameters import by_name
from bridge_daemon.errors import Fault, InvalidRequest

if TYPE_CHECKING:
    from bridge_daemon.fit.copy import Fitted, Wish
    from bridge_daemon.fit.file import Measured


class Way(StrEnum):
    """How a copy is to fit."""

    OFF = "off"
    START = "start"
    GRID = "grid"
    LOOP = "loop"


_TAKE = typer.Argument(metavar="TAKE", exists=True, dir_okay=False, help="The audio file of a take.")
_TEMPO = typer.Option("--tempo", min=20, max=400, help="The tempo that the take was asked for, in BPM.")
_PROJECT = typer.Option("--project-tempo", min=20, max=400, help="The tempo of the copy; left out: --tempo.")
_WAY = typer.Option("--fit", help="start: the first beat at the start; grid: at the tempo, too; loop: whole bars.")
_BARS = typer.Option("--bars", min=1, max=64, help="Length of the loop; left out: the most of 16, 8, 4, 2, 1 that fit.")
_BEATS = typer.Option("--beats", min=1, max=16, help="Beats of a bar.")
_LOUDNESS = by_name()["loudness"]
_LUFS = typer.Option("--loudness", min=_LOUDNESS.low, max=_LOUDNESS.high, help="How loud the copy is to be, in LUFS.")
_SERVE = typer.Option("--serve", hidden=True, help="Answer lines of JSON on stdin, as the daemon asks them.")
_TO = typer.Option("--to", dir_okay=False, help="Where the copy goes; left out: beside the take.")


def fit(
    take: Annotated[Path | None, _TAKE] = None,
    tempo: Annotated[float | None, _TEMPO] = None,
    project_tempo: Annotated[float | None, _PROJECT] = None,
    way: Annotated[Way, _WAY] = Way.OFF,
    bars: Annotated[int | None, _BARS] = None,
    beats: Annotated[int, _BEATS] = 4,
    loudness: Annotated[float | None, _LUFS] = None,
    to: Annotated[Path | None, _TO] = None,
    serve: Annotated[bool, _SERVE] = False,
    json: o.Json = False,
) -> None:
    """Measure a take, and make a copy of it that fits: on the beat, at a tempo, as a loop, as loud as asked.

    The take itself is never changed. Needs no running bridge, and costs nothing.
    """
    if serve:
        from bridge_daemon.fit.serve import serve as answer

        answer(sys.stdin, sys.stdout)
        return
    if take is None:
        raise InvalidRequest([Fault("take", None, "is needed: the audio file of a take")])
    from bridge_daemon.fit import file
    from bridge_daemon.fit.copy import Wish

    if way is not Way.OFF and tempo is None:
        raise InvalidRequest([Fault("tempo", None, "is needed to find the beats: give the one that was asked for")])
    samples, rate = file.read(take)
    measured = file.measure_samples(samples, rate, tempo)
    told: dict[str, Any] = {"take": str(take.absolute())} | measured.as_dict()
    made = None
    if way is not Way.OFF or loudness is not None:
        wish = Wish(fit=way.value, tempo=project_tempo or tempo, a_bar=beats, bars=bars, loudness=loudness)
        to = to or _beside(take, wish)
        made = file.copy(samples, rate, measured, wish, to, of=take)
        told["copy"] = {
            "file": str(to.absolute()),
            "seconds": round(len(made.samples) / rate, 6),
            "start": round(made.start, 6),
            "bpm": made.tempo,
            "beats": made.beats,
            "gain_db": round(made.gain, 2),
            "notes": made.notes,
        }
    if json:
        terminal.dump(told)
    else:
        _tell(measured, made, to)


def _beside(take: Path, wish: Wish) -> Path:
    """Return a free name beside a take that says what the copy is."""
    words: list[str] = [wish.fit] if wish.fit != "off" else []
    words += [f"{wish.tempo:g} bpm"] if wish.fit in ("grid", "loop") and wish.tempo else []
    words += [f"{wish.loudness:g} LUFS"] if wish.loudness is not None else []
    name = f"{take.stem} ({', '.join(words)})"
    found, number = take.with_name(f"{name}.wav"), 2
    while found.exists():
        found, number = take.with_name(f"{name} {number}.wav"), number + 1
    return found


def _tell(measured: Measured, made: Fitted | None, to: Path | None) -> None:
    pairs = [("length", f"{measured.seconds:.2f} s")]
    if measured.lufs is not None:
        pairs.append(("loudness", f"{measured.lufs:.1f} LUFS"))
    if measured.peak is not None:
        pairs.append(("true peak", f"{measured.peak:.1f} dBTP"))
    if (grid := measured.grid) is not None:
        pairs.append(("tempo", f"{grid.tempo:.2f} BPM, asked for {grid.asked:g} ({grid.deviation:+.2%})"))
        pairs.append(("first beat", f"{grid.beat:.3f} s"))
        pairs.append(("trust", f"no: {measured.why_not}" if measured.why_not else f"yes ({grid.confidence:.1f})"))
    if (key := measured.key) is not None and key.confidence >= 1:
        pairs.append(("key", f"{key.name} ({key.confidence:.1f})"))
    terminal.fields(pairs, err=made is not None)
    if made is not None and to is not None:
        for note in made.notes:
            terminal.note(note, "yellow")
        terminal.path(to)
