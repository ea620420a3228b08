"""Another length at the same pitch, by one ratio for a whole take.

python-stretch (Signalsmith, an extra: it has no wheel for Linux on ARM) was better on real music than Rubber Band,
SoundTouch and sox. Without it the program ``rubberband`` does it; without both, a change of at most 0.3 % is made by
resampling, whose change of pitch (5 cents) is not heard.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
import soxr

from bridge_daemon.fit.onsets import Samples
from bridge_daemon.util import programs

#: The largest change that resampling makes.
MOST_VARISPEED: Final = 0.003
_PATIENCE: Final = 300.0  # s for the program


def stretch(samples: Samples, rate: int, factor: float) -> Samples | None:
    """Return frames × channels that last ``factor`` times as long, to the frame; None if nothing here can do it."""
    length = round(len(samples) * factor)
    stretched = _signalsmith(samples, rate, factor) if samples.shape[1] <= 2 else None
    if stretched is None and (program := shutil.which("rubberband")) is not None:
        stretched = _rubberband(program, samples, rate, factor)
    if stretched is None and abs(factor - 1) <= MOST_VARISPEED:
        stretched = soxr.resample(samples, 1.0, factor, quality="VHQ")
    if stretched is None:
        return None
    whole = np.zeros((length, samples.shape[1]), np.float32)
    kept = min(length, len(stretched))
    whole[:kept] = stretched[:kept]
    return whole


def _signalsmith(samples: Samples, rate: int, factor: float) -> Samples | None:
    try:
        from python_stretch import Signalsmith
    except ImportError:
        return None
    stretcher = Signalsmith.Stretch()
    stretcher.preset(samples.shape[1], rate)
    stretcher.setTimeFactor(1 / factor)
    stretched = np.asarray(stretcher.process(np.ascontiguousarray(samples.T)), np.float32)
    return np.ascontiguousarray(stretched.T)


def _rubberband(program: str, samples: Samples, rate: int, factor: float) -> Samples:
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "before.wav", Path(folder) / "after.wav"
        soundfile.write(before, samples, rate, subtype="FLOAT")
        command = [program, "--quiet", "--fast", "--time", repr(factor), str(before), str(after)]
        programs.run(command, _PATIENCE).check_returncode()
        stretched, _ = soundfile.read(after, dtype="float32", always_2d=True)
    return np.asarray(stretched, np.float32)
