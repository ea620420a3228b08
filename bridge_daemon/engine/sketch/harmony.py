"""Scales, chords and patterns: which note sounds when. No sound is made here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from bridge_daemon.engine.sketch.words import Feel, Score

_MAJOR: Final = (0, 2, 4, 5, 7, 9, 11)
_MINOR: Final = (0, 2, 3, 5, 7, 8, 10)
#: Degrees of the scale, one a bar. All begin on the tonic, so that the key is heard on beat 1, and none has a
#: diminished chord, so that every chord has a perfect fifth for the bass.
_MAJOR_PROGRESSIONS: Final = ((0, 4, 5, 3), (0, 5, 3, 4), (0, 3, 5, 4), (0, 2, 3, 4), (0, 5, 1, 4), (0, 3, 0, 4))
_MINOR_PROGRESSIONS: Final = ((0, 5, 2, 6), (0, 3, 5, 6), (0, 6, 5, 6), (0, 5, 3, 6), (0, 2, 6, 5), (0, 3, 6, 4))

#: x: a stroke, o: a soft one. Sixteen sixteenth notes; the first of each list is the plainest.
_KICKS: Final[dict[Feel, tuple[str, ...]]] = {
    "four": ("x...x...x...x...", "x...x...x...x..o", "x...x...x..ox..."),
    "backbeat": ("x.......x.......", "x.......x.x.....", "x..o....x.x....."),
    "broken": ("x.........x.....", "x.x.......x.....", "x.....o...x..o.."),
    "half": ("x.............o.", "x.....x.........", "x.....x....o...."),
    "swing": ("x.......x.......", "x......o..x.....", "x.....o.x.x....."),
}
_SNARES: Final[dict[Feel, str]] = {
    "four": "....x.......x...",
    "backbeat": "....x.......x...",
    "broken": "....x.......x...",
    "half": "........x.......",
    "swing": "....x.......x...",
}
_GHOSTS: Final[dict[Feel, str]] = {
    "four": "...............o",
    "backbeat": ".......o.o......",
    "broken": ".......o.o.....o",
    "half": "..............o.",
    "swing": ".......o.......o",
}
_HATS: Final[dict[Feel, tuple[str, ...]]] = {
    "four": ("..x...x...x...x.", "o.x.o.x.o.x.o.x."),
    "backbeat": ("x.o.x.o.x.o.x.o.", "x.x.x.x.x.x.x.x."),
    "broken": ("x.o.x.o.x.o.x.o.", "x.oox.o.xoo.x.o."),
    "half": ("x.o.x.o.x.o.x.o.", "x.o.x.ooxoo.x.oo"),
    "swing": ("x.o.x.o.x.o.x.o.", "x.ooo.o.x.o.x.oo"),
}
_BASSES: Final = ("x.......x.......", "x.....x...x.....", "x..x..x.x..x..x.", "x...x...x...x...", "x.........x...x.")
_OFFBEAT_BASS: Final = "..x...x...x...x."  # only beside drums: alone it would leave beat 1 empty


@dataclass(frozen=True, kw_only=True, slots=True)
class ChordPlan:
    """The seed's share: which chords and patterns are played. Patterns are as long as a bar, in sixteenth notes."""

    chords: tuple[tuple[int, ...], ...]  #: MIDI note numbers of each chord, its root first; one chord a bar
    kick: str
    snare: str
    hat: str
    open_hat: int  #: the sixteenth on which a hat is open, -1 for none
    ghosts: str
    bass: str
    bass_fifths: frozenset[int]  #: sixteenths at which the bass plays the fifth
    arps: tuple[tuple[int, ...], tuple[int, ...]]  #: two bars of steps into the chord's notes; -1 is a rest
    swing: float  #: delay of every second sixteenth, as a share of a sixteenth


def scale(score: Score) -> frozenset[int]:
    """Return the pitch classes of the key."""
    return frozenset((score.root + step) % 12 for step in (_MINOR if score.minor else _MAJOR))


def plan(score: Score, rng: np.random.Generator, *, detail: float) -> ChordPlan:
    """Choose chords and patterns. ``detail``, 0..1, decides how many notes there are."""
    steps = score.steps_per_bar
    kick, snare, hat, ghosts = _drums(score, rng, busy=detail > 0.6)
    basses = (*_BASSES, _OFFBEAT_BASS) if "drums" in score.parts and score.feel == "four" else _BASSES
    bass = _fit(basses[int(rng.integers(len(basses)))], steps)
    strokes = [step for step, mark in enumerate(bass) if mark != "."]
    fifths = frozenset(s for s in strokes[1:] if rng.random() < 0.2)
    open_hat = steps - 2 if rng.random() < 0.5 else -1
    arps = (_arpeggio(steps, rng, detail), _arpeggio(steps, rng, detail))
    return ChordPlan(
        chords=_chords(score, rng, sevenths=detail > 0.4),
        kick=kick,
        snare=snare,
        hat=hat,
        open_hat=open_hat,
        ghosts=ghosts if detail > 0.35 else "." * steps,
        bass=bass,
        bass_fifths=fifths,
        arps=arps,
        swing=0.3 if score.feel == "swing" else 0.0,
    )


def _chords(score: Score, rng: np.random.Generator, *, sevenths: bool) -> tuple[tuple[int, ...], ...]:
    table = _MINOR_PROGRESSIONS if score.minor else _MAJOR_PROGRESSIONS
    steps = _MINOR if score.minor else _MAJOR
    degrees = table[int(rng.integers(len(table)))]
    size = 4 if sevenths and rng.random() < 0.6 else 3

    def note(degree: int) -> int:
        return 48 + score.root + steps[degree % 7] + 12 * (degree // 7)

    return tuple(tuple(note(degree + 2 * i) for i in range(size)) for degree in degrees)


def _drums(score: Score, rng: np.random.Generator, *, busy: bool) -> tuple[str, str, str, str]:
    steps, feel = score.steps_per_bar, score.feel
    kicks = _KICKS[feel]
    kick = kicks[int(rng.integers(len(kicks)))]
    hat = _HATS[feel][int(busy or rng.random() < 0.3)]
    if steps == 16 and score.unit == 4:
        return kick, _SNARES[feel], hat, _GHOSTS[feel]
    # other meters: the bar's first beat is the kick's; the snare answers in the middle, or on 2 and 3 of a waltz
    beat = 16 // score.unit
    if score.beats == 3:
        answers = {beat, 2 * beat}
    elif score.unit >= 8:
        answers = {score.beats // 2 * beat}
    else:
        answers = set(range(beat, steps, 2 * beat))
    soft = "o" if score.beats == 3 else "x"
    snare = "".join(soft if s in answers else "." for s in range(steps))
    return "x" + "." * (steps - 1), snare, _fit("x.o.", steps), "." * steps


def _fit(pattern: str, steps: int) -> str:
    """Repeat or cut a pattern to the length of a bar."""
    return (pattern * (steps // len(pattern) + 1))[:steps]


def _arpeggio(steps: int, rng: np.random.Generator, detail: float) -> tuple[int, ...]:
    """Return for each sixteenth the index into the chord's notes over two octaves, or -1."""
    shapes = ((0, 1, 2, 3, 4, 3, 2, 1), (0, 2, 1, 2, 3, 2, 1, 2), (0, 2, 4, 2, 5, 4, 2, 1), (3, 2, 1, 0, 1, 2, 3, 4))
    shape = shapes[int(rng.integers(len(shapes)))]
    every = 1 if detail > 0.75 and rng.random() < 0.5 else 2
    rests = rng.random(steps) < 0.18
    rests[0] = False  # beat 1 is always played
    return tuple(-1 if step % every or rests[step] else shape[step // every % len(shape)] for step in range(steps))


def close_voicing(chord: tuple[int, ...], lowest: int) -> tuple[int, ...]:
    """Put a chord's notes into the octave from ``lowest`` up: neighbouring chords then move by small steps."""
    return tuple(sorted(lowest + (note - lowest) % 12 for note in chord))


def two_octaves(chord: tuple[int, ...], lowest: int) -> tuple[int, ...]:
    """Return the notes of a chord over two octaves, rising."""
    low = close_voicing(chord, lowest)
    return (*low, *(note + 12 for note in low))


def hertz(note: float) -> float:
    """Return the frequency of a MIDI note, A4 = 440 Hz."""
    return float(440.0 * 2.0 ** ((note - 69.0) / 12.0))
