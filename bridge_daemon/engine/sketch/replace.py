"""Replacing a region of a source: the prompt's music inside of it, the source itself around it."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from bridge_daemon.engine.sketch import sound
from bridge_daemon.engine.sketch.sound import Progress, nothing
from bridge_daemon.engine.sketch.transform import prepared, rms
from bridge_daemon.engine.sketch.voices import Stereo

#: How long the one goes over into the other, s; inside of the region, so that nothing around it changes.
_FADE: Final = 0.02


def replace(
    source: npt.NDArray[np.floating],
    source_rate: int,
    prompt: str,
    *,
    region: tuple[float, float],
    seconds: float,
    seed: int,
    steps: float = sound.DEFAULT_STEPS,
    cfg_scale: float = sound.DEFAULT_CFG,
    rate: int = sound.RATE,
    progress: Progress = nothing,
) -> Stereo:
    """Return float32 of shape (round(seconds × rate), 2): the source, with other sound in the region (s)."""
    music = sound.render(
        prompt, seconds=seconds, seed=seed, steps=steps, cfg_scale=cfg_scale, rate=rate, progress=progress
    )
    whole = prepared(source, source_rate, music.shape[0], rate)
    start, end = (min(max(round(edge * rate), 0), whole.shape[0]) for edge in region)
    if start >= end:
        return whole
    inside = music[start:end] * np.float32(min(rms(whole) / rms(music), 1.0))  # as loud as what is around it
    fade = min(round(_FADE * rate), (end - start) // 2)
    up = np.sin(np.linspace(0, np.pi / 2, fade, dtype=np.float32))[:, None]
    if start > 0:
        inside[:fade] = inside[:fade] * up + whole[start : start + fade] * up[::-1]
    if end < whole.shape[0] and fade:
        inside[-fade:] = inside[-fade:] * up[::-1] + whole[end - fade : end] * up
    whole[start:end] = np.clip(inside, -1.0, 1.0)
    return whole
