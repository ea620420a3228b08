"""A take that continues its source: where in the take it goes on, and both as one sound.

Where source and take both have a beat that can be trusted, the take goes on with the bars of the source. Else it begins
with its first sound, blended in slowly.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bridge_daemon.audio.region import check_region, samples_of
from bridge_daemon.errors import SourceRefused
from bridge_daemon.fit.grid import MOST_SHIFT, Grid, doubt, measure
from bridge_daemon.fit.loop import halves
from bridge_daemon.fit.onsets import Samples, envelope, first_sound

#: The longest crossfade on a beat, and between sounds without one, s.
_CROSSFADE: Final = 0.030
_SOFT_CROSSFADE: Final = 0.300
_SHORTEST: Final = 0.003  # s: where nothing of the take lies before its first beat
_LISTENED: Final = 40.0  # s of the end of a source, whose beats are looked for
_MOST: Final = 600.0  # s of a source that are in a copy


@dataclass(frozen=True, kw_only=True, slots=True)
class Region:
    """What was pressed: the region of a file, the end of which was sent."""

    path: Path
    start: float | None  #: s
    end: float | None  #: s
    last: float  #: s that were sent
    sound: str | None  #: of what was sent; None: it is not known
    sent: Path  #: the file that was sent


@dataclass(frozen=True, kw_only=True, slots=True)
class Before:
    """A source, as it is heard before the take."""

    samples: Samples  #: at the rate of the take
    skipped: float  #: s of it that are not among them
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """Where a take goes on."""

    enter: float  #: s in the take: this moment stands where the source ends
    crossfade: float  #: s: so much earlier the take fades in
    on_beat: bool
    notes: tuple[str, ...] = ()


def read(region: Region, rate: int) -> Before:
    """Return the source of a take, or what was sent of it if it has changed since. Raises SourceRefused."""
    try:
        found = check_region(region.path, region.start, region.end, longest=region.last + 1, last=region.last)
        if region.sound in (None, found.sound):
            kept = min(found.whole, _MOST)
            notes = (f"Only the last {_MOST:g} s of the source are in the copy.",) if kept < found.whole else ()
            samples = samples_of(region.path, found.end - kept, found.end, rate)
            return Before(samples=samples, skipped=found.whole - kept, notes=notes)
    except SourceRefused:
        pass
    note = "The source was changed or is gone: the copy has only what was sent of it."
    return Before(samples=samples_of(region.sent, 0.0, region.last, rate), skipped=0.0, notes=(note,))


def entry(
    before: Before, take: Samples, rate: int, grid: Grid | None, *, tempo: float | None, a_bar: int, beats: float | None
) -> Entry:
    """Return where a take goes on. ``grid`` is that of the take, if it may be trusted.

    ``beats`` is where the source begins in the project, in quarter notes; None: it begins with a bar.
    """
    tail = before.samples[-round(_LISTENED * rate) :]
    heard = measure(tail, rate, tempo) if tempo is not None and grid is not None else None
    if grid is None or heard is None or doubt(heard, len(tail) / rate):
        return _slowly(before, take, rate)
    end = len(tail) / rate
    begin = end - len(before.samples) / rate - before.skipped
    number = round((beats or 0.0) + (heard.beat - begin) / heard.period) + (end - heard.beat) / heard.period
    ahead = -number % a_bar  # beats from the end of the source to its next downbeat
    enter = grid.beat - ahead * grid.period
    while enter < -_SHORTEST:
        enter += a_bar * grid.period
    enter = max(0.0, enter)
    return Entry(enter=enter, crossfade=min(_CROSSFADE, max(enter, _SHORTEST)), on_beat=True)


def _slowly(before: Before, take: Samples, rate: int) -> Entry:
    sound, notes = max(0.0, first_sound(envelope(take, rate)) or 0.0), []
    if sound > MOST_SHIFT:
        notes.append(f"It begins {sound:.1f} s late; that was left as it is.")
        sound = 0.0
    room = min(len(before.samples) / rate, len(take) / rate - sound) / 4
    crossfade = max(0.0, min(_SOFT_CROSSFADE, room))
    return Entry(enter=sound + crossfade, crossfade=crossfade, on_beat=False, notes=tuple(notes))


def join(before: Before, take: Samples, rate: int, at: Entry) -> Samples:
    """Return the source and the take as one sound: its end blends into the take."""
    channels = max(before.samples.shape[1], take.shape[1])
    first, second = _widened(before.samples, channels), _widened(take, channels)
    blend = min(round(at.crossfade * rate), len(first))
    rise, fall = halves(blend)
    enter = round(at.enter * rate)
    lead = second[max(0, enter - blend) : enter]
    joined = np.concatenate([first, second[enter:]])
    edge = joined[len(first) - blend : len(first)]
    edge *= fall
    edge[blend - len(lead) :] += lead * rise[blend - len(lead) :]
    return joined


def _widened(samples: Samples, channels: int) -> Samples:
    return np.repeat(samples, channels, axis=1) if samples.shape[1] < channels else samples
