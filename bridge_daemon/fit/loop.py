"""Loops: a whole number of bars whose end meets its beginning without a click."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from bridge_daemon.fit.onsets import LEAD, Samples, envelope, mono

#: A loop begins so long before its first beat, s, so that the attack is whole.
BEFORE: Final = 0.003
_CROSSFADE: Final = 0.010  # s
_SOFT_CROSSFADE: Final = 0.300  # s, for takes without attacks
_FADE: Final = 0.003  # s, at both ends if there is nothing to blend with
#: A seam is not heard below these.
MOST_CLICK: Final = 1.5
MOST_FLUX: Final = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Loop:
    """A loop that was cut from a take."""

    samples: Samples
    seam: Literal["before", "after", "fades"]  #: what its end or its beginning was blended with
    click: float  #: jump at the seam, beside the largest nearby; 1: nothing stands out
    flux: float  #: onset at the seam, beside those of its other downbeats

    @property
    def audible(self) -> float:
        """How much of the seam is heard: up to 1, nothing."""
        return max(self.click / MOST_CLICK, self.flux / MOST_FLUX)

    @property
    def clean(self) -> bool:
        """Whether the seam is not heard."""
        return self.audible <= 1


def cut(
    samples: Samples, rate: int, start: float, seconds: float, *, beats: int, a_bar: int, soft: bool
) -> Loop | None:
    """Return the part that begins at ``start``, s, as a loop of ``beats`` beats; None if the take ends before that.

    Its length is exact to the frame. What the end is blended into is, if possible, what was heard before the start.
    """
    first, length = max(0, round((start - BEFORE) * rate)), round(seconds * rate)
    if first + length > len(samples):
        return None
    loop = samples[first : first + length].copy()
    blend = min(round((_SOFT_CROSSFADE if soft else _CROSSFADE) * rate), length // 4)
    rise, fall = halves(blend)
    seam: Literal["before", "after", "fades"]
    if first >= blend:
        loop[-blend:] = loop[-blend:] * fall + samples[first - blend : first] * rise
        seam = "before"
    elif first + length + blend <= len(samples):
        loop[:blend] = loop[:blend] * rise + samples[first + length : first + length + blend] * fall
        seam = "after"
    else:
        rise, fall = halves(round(_FADE * rate))
        loop[: len(rise)] *= rise
        loop[-len(fall) :] *= fall
        seam = "fades"
    return Loop(samples=loop, seam=seam, click=_click(loop, rate), flux=_flux(loop, rate, beats, a_bar))


def halves(frames: int) -> tuple[Samples, Samples]:
    """Return the two halves of a crossfade that keeps the power."""
    angle = (np.arange(frames, dtype=np.float32) + 0.5) / frames * (np.pi / 2)
    return np.sin(angle)[:, None], np.cos(angle)[:, None]


def _click(loop: Samples, rate: int) -> float:
    """Return how far the seam jumps (second difference), beside what the sound does within 50 ms of it."""
    near = round(0.05 * rate)
    around = np.concatenate([mono(loop[-2 * near :]), mono(loop[: 2 * near])]).astype(np.float64)
    jumps = np.abs(np.diff(around, 2))
    seam = min(len(loop), 2 * near)
    beside = np.concatenate([jumps[max(0, seam - near) : seam - 8], jumps[seam + 8 : seam + near]])
    usual = np.sort(beside)[-20:].min() if len(beside) else 0.0
    return float(jumps[seam - 3 : seam + 2].max() / (usual + 1e-9))


def _flux(loop: Samples, rate: int, beats: int, a_bar: int) -> float:
    """Return how strong the onset at the seam is, beside the loop's other downbeats; 0 if there is none."""
    of = envelope(np.concatenate([loop, loop, loop[: rate // 2]]), rate)
    seconds = len(loop) / rate

    def at(time: float) -> float:
        frame = round((time + BEFORE) * of.fps) + LEAD
        return float(of.flux[max(0, frame - 4) : frame + 5].max())

    downbeats = [at(seconds * beat / beats) for beat in range(a_bar, beats, a_bar)]
    return at(seconds) / (float(np.median(downbeats)) + 1e-9) if downbeats else 0.0
