"""Sounds with properties that a test can check: every sample known, or one clear moment in time."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import soundfile

#: Format, subtype, ending: every container and depth that is let through.
LOSSLESS = [
    *[("WAV", subtype, "wav") for subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")],
    *[("WAVEX", subtype, "wav") for subtype in ("PCM_16", "PCM_24", "FLOAT")],
    *[("RF64", subtype, "wav") for subtype in ("PCM_16", "PCM_24", "FLOAT")],
    *[("W64", subtype, "w64") for subtype in ("PCM_16", "PCM_24", "FLOAT")],
    *[("AIFF", subtype, "aif") for subtype in ("PCM_S8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")],
    *[("CAF", subtype, "caf") for subtype in ("PCM_S8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")],
    *[("FLAC", subtype, "flac") for subtype in ("PCM_16", "PCM_24")],
]
LOSSY = [("MP3", "MPEG_LAYER_III", "mp3"), ("OGG", "VORBIS", "ogg"), ("OGG", "OPUS", "opus")]


def write(path: Path, sound: np.ndarray, rate: int, form: str = "WAV", subtype: str = "PCM_16") -> Path:
    with soundfile.SoundFile(path, "w", rate, sound.shape[1], subtype=subtype, format=form) as file:
        for at in range(0, len(sound), 8192):  # libsndfile's Vorbis encoder overflows its stack on long writes
            file.write(sound[at : at + 8192])
    return path


def bursts(rate: int, seconds: float, *moments: float, channels: int = 1) -> np.ndarray:
    """Silence, with 40 ms of noise from each of the moments (s) on."""
    random = np.random.default_rng(7)
    sound = np.zeros((round(seconds * rate), channels))
    for moment in moments:
        at, length = round(moment * rate), round(0.04 * rate)
        noise = np.convolve(random.normal(0, 0.3, length), np.ones(6) / 6, "same")
        sound[at : at + length] += noise[: len(sound) - at, None]
    return sound


def noise(frames: int, channels: int = 2, level: float = 0.1) -> np.ndarray:
    return np.clip(np.random.default_rng(3).normal(0, level, (frames, channels)), -0.95, 0.95)


def integers(path: Path, dtype: str = "int16") -> np.ndarray:
    with soundfile.SoundFile(path) as file:
        return file.read(dtype=dtype, always_2d=True)


def lag(reference: np.ndarray, sound: np.ndarray) -> int:
    """How many frames later ``sound`` is than ``reference`` (both one channel)."""
    size = 1 << (len(reference) + len(sound)).bit_length()
    product = np.fft.rfft(sound, size) * np.conj(np.fft.rfft(reference, size))
    at = int(np.argmax(np.abs(np.fft.irfft(product, size))))
    return at if at < size // 2 else at - size


def run(*command: object) -> bytes:
    return subprocess.run([str(c) for c in command], check=True, capture_output=True, stdin=subprocess.DEVNULL).stdout
