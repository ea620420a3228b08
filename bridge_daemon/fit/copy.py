"""A fitted copy of a take: on the grid, looped, as loud as asked. The original is never touched.

The order is fixed: cut, stretch once, loop, fades, gain. All of it is floating point; nothing clips.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import numpy as np

from bridge_daemon.fit import loop as loops
from bridge_daemon.fit import loudness
from bridge_daemon.fit.continued import Before, Entry, join
from bridge_daemon.fit.grid import MOST_OFF, MOST_SHIFT, Grid
from bridge_daemon.fit.onsets import Samples
from bridge_daemon.fit.stretch import stretch

Fit = Literal["off", "start", "grid", "loop"]

#: Less confidence is enough for a DAW, where one can undo it, but not for a file.
LEAST_CONFIDENCE: Final = 1.2
#: A loop of these bars, the most that fit, if no number was asked for.
_BARS: Final = (16, 8, 4, 2, 1)
_LATER: Final = 4  # bars: how much later a loop may begin for a better seam
_CEILING: Final = -1.0  # dBTP
_MOST_GAIN: Final = 12.0  # dB
_LEAST_GAIN: Final = -24.0  # dB
_FADE_IN: Final = 0.002  # s
_FADE_OUT: Final = 0.010  # s
_HEARD: Final = 0.010  # s: the last beat is off by less than this, and a stretch would not be heard


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What a copy is to be."""

    fit: Fit = "off"
    tempo: float | None = None  #: the project's, BPM
    a_bar: int = 4  #: beats
    bars: int | None = None  #: of a loop; None: the most that fit
    seconds: float | None = None  #: length of what is heard from the place on; None: all of it
    loudness: float | None = None  #: LUFS; None leaves it


@dataclass(kw_only=True, slots=True)
class Fitted:
    """A copy, and what was done to it."""

    samples: Samples
    start: float = 0.0  #: s: this moment of the copy belongs on the place that was asked for
    tempo: float | None = None  #: BPM, if it stands on a grid now
    beats: int | None = None  #: of a loop
    gain: float = 0.0  #: dB
    notes: list[str] = field(default_factory=list)  #: what could not be done, and why


def render(
    samples: Samples, rate: int, grid: Grid | None, wish: Wish, *, after: tuple[Before, Entry] | None = None
) -> Fitted:
    """Return a copy of a take (frames × channels) as it was wished for, behind the source that it continues."""
    made = Fitted(samples=samples)
    if after is not None:
        _continue(made, rate, grid, wish, *after)
        return made
    if wish.fit != "off":
        _place(made, rate, grid, wish)
    _set_loudness(made, rate, wish.loudness)
    return made


def _continue(made: Fitted, rate: int, grid: Grid | None, wish: Wish, before: Before, at: Entry) -> None:
    """Put the take behind its source, at the tempo that is wished for."""
    made.notes += [*before.notes, *at.notes]
    if at.on_beat and grid is not None and wish.fit in ("grid", "loop") and wish.tempo is not None:
        factor = _stretch(made, rate, grid, grid.tempo / wish.tempo)
        at = replace(at, enter=at.enter * factor)
        made.tempo = grid.tempo / factor
    elif not at.on_beat:
        why = "the beats of the source and the take are not both certain"
        made.notes.append(f"It begins with its first sound and not on a beat: {why}.")
    _set_loudness(made, rate, wish.loudness)
    _end(made, rate, at.enter, wish)
    made.samples = join(before, made.samples, rate, at)
    made.start = len(before.samples) / rate
    _set_loudness(made, rate, None)


def _end(made: Fitted, rate: int, start: float, wish: Wish) -> None:
    """End a copy with its bars, and fade its end."""
    if wish.seconds is not None:
        frames = round((start + wish.seconds) * rate)
        if (short := (frames - len(made.samples)) / rate) > _HEARD:
            made.notes.append(f"It ends {short:.2f} s before its place does.")
        made.samples = made.samples[:frames].copy()
    _fade(made.samples[::-1][: round(_FADE_OUT * rate)])


def _place(made: Fitted, rate: int, grid: Grid | None, wish: Wish) -> None:
    if grid is None:
        made.notes.append("No sound was found that it could be placed by.")
        return
    steady = grid.confidence >= LEAST_CONFIDENCE and abs(grid.deviation) <= MOST_OFF
    beat = grid.beat if steady else grid.first_sound
    factor = 1.0
    if not steady:
        made.notes.append(f"Its tempo was left alone: {grid.why_not or 'its grid is not certain enough for a file'}.")
    elif wish.fit in ("grid", "loop") and wish.tempo is not None:
        factor = _stretch(made, rate, grid, grid.tempo / wish.tempo)
        made.tempo = grid.tempo / factor
    beat *= factor
    if wish.fit == "loop" and _loop(made, rate, beat, wish, soft=not steady):
        return
    _trim(made, rate, beat, wish)


def _stretch(made: Fitted, rate: int, grid: Grid, factor: float) -> float:
    """Change the tempo if that is heard. Return the factor by which the take is longer now."""
    seconds = len(made.samples) / rate
    certain = 3 * grid.tempo_error * seconds
    if abs(factor - 1) * seconds <= max(_HEARD, certain):
        return 1.0
    stretched = stretch(made.samples, rate, factor)
    if stretched is None:
        made.notes.append("Its tempo was left alone: nothing here can stretch it (pip install daw-bridge[fit]).")
        return 1.0
    made.samples = stretched
    return len(stretched) / rate / seconds


def _loop(made: Fitted, rate: int, beat: float, wish: Wish, *, soft: bool) -> bool:
    """Cut a loop. Return whether there is one."""
    if wish.tempo is None:
        made.notes.append("It was not looped: no tempo is known.")
        return False
    bar = wish.a_bar * 60 / wish.tempo
    left = len(made.samples) / rate - max(0.0, beat - loops.BEFORE)
    bars = wish.bars or next((bars for bars in _BARS if bars * bar <= left), 0)
    if not bars or bars * bar > left + 1 / rate:
        made.notes.append("It was not looped: it is shorter than the bars that were asked for.")
        return False
    beats = bars * wish.a_bar
    best: loops.Loop | None = None
    start = beat
    while (best is None or not best.clean) and start - beat <= _LATER * bar:
        loop = loops.cut(made.samples, rate, start, bars * bar, beats=beats, a_bar=wish.a_bar, soft=soft)
        if loop is not None and (best is None or loop.audible < best.audible):
            best = loop
        start += bar
    if best is None:
        made.notes.append("It was not looped: it ends before its last bar does.")
        return False
    if not best.clean:
        made.notes.append("Its seam may be heard.")
    made.samples, made.start, made.beats = best.samples, min(beat, loops.BEFORE), beats
    return True


def _trim(made: Fitted, rate: int, beat: float, wish: Wish) -> None:
    """Take off the silence before a take's first beat, but nothing that sounds, and fade its edges."""
    if beat > MOST_SHIFT:
        made.notes.append(f"It was not moved: it begins {beat:.1f} s late.")
        return
    made.start = beat
    quiet = np.abs(made.samples).max(axis=1) < np.abs(made.samples).max() * 0.003
    heard = int(np.argmin(quiet)) if not quiet.all() else 0
    first = max(0, min(heard, round(beat * rate)) - round(loops.BEFORE * rate))
    made.samples = made.samples[first:].copy()
    made.start -= first / rate
    _fade(made.samples[: round(_FADE_IN * rate)])
    _end(made, rate, made.start, wish if made.tempo is not None else replace(wish, seconds=None))


def _fade(edge: Samples) -> None:
    edge *= (0.5 - 0.5 * np.cos(np.pi * (np.arange(len(edge), dtype=np.float32) + 0.5) / max(1, len(edge))))[:, None]


def _set_loudness(made: Fitted, rate: int, target: float | None) -> None:
    """Make it as loud as asked by gain alone, and never let its peaks clip."""
    peak = loudness.true_peak(made.samples)
    if peak is None:
        return
    if target is None:
        made.gain = min(0.0, -peak) if peak > 0 else 0.0  # a stretch raises peaks
        if made.gain:
            made.notes.append(f"It was made {-made.gain:.1f} dB quieter, so that its peaks do not clip.")
    elif (heard := loudness.integrated(made.samples, rate)) is None:
        made.notes.append("Its loudness was left alone: it is too short to have one.")
    else:
        wanted = min(_MOST_GAIN, max(_LEAST_GAIN, target - heard))
        made.gain = min(wanted, _CEILING - peak)
        if (short := target - heard - made.gain) > 0.05:
            made.notes.append(f"It is {short:.1f} LU quieter than asked: its peaks leave no room.")
    if made.gain:
        made.samples = made.samples * np.float32(math.pow(10, made.gain / 20))
