"""Loudness, judged by ffmpeg's ebur128 and by the values that EBU Tech 3341 gives for its signals."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bridge_daemon.fit.loudness import integrated, true_peak
from bridge_daemon.fit.onsets import Samples
from tests.fit.music import RATE, clip, clips, drums, loose


def tone(level: float, seconds: float, rate: int = RATE, channels: int = 2) -> Samples:
    """Return a sine of 1 kHz at a level, dB below full scale."""
    one = 10 ** (level / 20) * np.sin(2 * np.pi * 1000 * np.arange(int(seconds * rate)) / rate)
    return np.stack([one] * channels, axis=1).astype(np.float32)


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_a_tone_reads_its_level(rate: int) -> None:
    assert integrated(tone(-23, 20, rate), rate) == pytest.approx(-23, abs=0.1)  # Tech 3341, case 1
    assert integrated(tone(-33, 20, rate), rate) == pytest.approx(-33, abs=0.1)  # case 2


def test_the_gate_leaves_out_what_is_quiet() -> None:
    parts = [tone(level, seconds) for level, seconds in ((-36, 10), (-23, 60), (-36, 10))]
    assert integrated(np.concatenate(parts), RATE) == pytest.approx(-23, abs=0.1)  # case 3
    parts = [tone(level, seconds) for level, seconds in ((-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10))]
    assert integrated(np.concatenate(parts), RATE) == pytest.approx(-23, abs=0.1)  # case 4


def test_what_has_no_loudness() -> None:
    assert integrated(tone(-20, 0.3), RATE) is None
    assert integrated(np.zeros((RATE, 2), np.float32), RATE) is None
    assert true_peak(np.zeros((RATE, 2), np.float32)) is None


def test_the_peak_between_the_samples_counts() -> None:
    quarter = np.sin(2 * np.pi * np.arange(RATE) / 4 + np.pi / 4)  # its samples are all 3 dB below its peak
    quarter *= np.hanning(RATE)
    assert true_peak((0.5 * quarter[:, None]).astype(np.float32)) == pytest.approx(-6.02, abs=0.1)


def material() -> dict[str, Samples]:
    """Return what is judged beside ffmpeg."""
    found = {path.stem: clip(path, 12) for path in clips()[::7]}
    return found | {"drums": drums("breaks", 120), "noise": loose("noise", 8), "mono": drums("house", 120)[:, :1]}


@pytest.mark.needs("ffmpeg", "ffmpeg")
@pytest.mark.parametrize("name", list(material()))
def test_it_agrees_with_ffmpeg(name: str, tmp_path: Path) -> None:
    sound = material()[name]
    file = tmp_path / "sound.wav"
    soundfile.write(file, sound, RATE, subtype="FLOAT")
    command = ["ffmpeg", "-nostats", "-hide_banner", "-i", str(file), "-af", "ebur128=peak=true", "-f", "null", "-"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stderr.rpartition("Summary:")[2]
    loud, peak = (re.search(rf"{key}:\s+(-?[\d.]+) ", told) for key in ("I", "Peak"))
    assert loud is not None and peak is not None
    assert integrated(sound, RATE) == pytest.approx(float(loud[1]), abs=0.1)
    assert true_peak(sound) == pytest.approx(float(peak[1]), abs=0.15)  # it writes tenths
