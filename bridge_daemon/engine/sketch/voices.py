"""Single sounds: one stroke, one note, one chord. Each is made once and placed many times by ``sound``.

Every function returns float32 of shape (frames, 2), starts at its first frame, and ends at (nearly) zero.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from bridge_daemon.engine.sketch.harmony import hertz

Stereo = npt.NDArray[np.float32]
Mono = npt.NDArray[np.float32]

_TAU: Final = 2.0 * np.pi
_TEXTURE: Final = 1 << 18  # frames of a pad's loop: 5.9 s at 44.1 kHz, long enough not to be heard as a loop
_AMBIENCE: Final = 1 << 19


def _times(seconds: float, rate: int) -> npt.NDArray[np.float64]:
    return np.arange(max(1, round(seconds * rate))) / rate


def _centre(mono: npt.NDArray[np.floating]) -> Stereo:
    return np.repeat(mono.astype(np.float32)[:, None], 2, axis=1)


def _soft_end(mono: npt.NDArray[np.floating], rate: int, seconds: float = 0.01) -> None:
    """Fade the end in place: a cut would click."""
    frames = min(mono.shape[0], max(1, round(seconds * rate)))
    mono[-frames:] *= np.linspace(1.0, 0.0, frames, dtype=mono.dtype).reshape(-1, *[1] * (mono.ndim - 1))


def band_noise(frames: int, low: float, high: float, rate: int, rng: np.random.Generator) -> Mono:
    """Return noise between two frequencies in Hz, with soft edges, of peak 1."""
    spectrum = np.fft.rfft(rng.standard_normal(frames).astype(np.float32))
    bins = np.fft.rfftfreq(frames, 1 / rate)
    # fourth-order edges: steep enough to keep a hat out of the snare, soft enough not to ring
    shape = 1 / (1 + (low / np.maximum(bins, 1.0)) ** 4) / (1 + (bins / high) ** 4)
    noise = np.fft.irfft(spectrum * shape, frames).astype(np.float32)
    return np.asarray(noise / max(float(np.abs(noise).max()), 1e-9), dtype=np.float32)


def kick(root: int, rate: int, rng: np.random.Generator) -> Stereo:
    """Return a bass drum of peak near 1 whose body is tuned to the key's root (a pitch class)."""
    t = _times(0.4, rate)
    body = hertz(24 + (root - 4) % 12 + 4)  # 41..78 Hz, from E1 up
    phase = _TAU * (body * t + 130.0 * 0.028 * (1 - np.exp(-t / 0.028)))
    # falls so fast at first that its peak comes 1.5 ms after the beat; the click marks the first frame
    tone = np.sin(phase) * np.exp(-t / 0.13)
    click = band_noise(t.size, 1200, 5000, rate, rng) * np.exp(-t / 0.004)
    drum = 0.92 * tone + 0.12 * click
    _soft_end(drum, rate, 0.05)
    return _centre(drum)


def snare(rate: int, rng: np.random.Generator, *, brightness: float) -> Stereo:
    """Return a snare drum of peak near 1."""
    t = _times(0.32, rate)
    noise = band_noise(t.size, 900, 5000 + 4000 * brightness, rate, rng) * np.exp(-t / 0.075)
    tone = (np.sin(_TAU * 186 * t) + 0.5 * np.sin(_TAU * 331 * t)) * np.exp(-t / 0.06)
    drum = 0.75 * noise + 0.4 * tone
    _soft_end(drum, rate)
    stereo = _centre(drum)
    stereo[:, 1] += np.float32(0.2) * (band_noise(t.size, 1500, 7000, rate, rng) * np.exp(-t / 0.09)).astype(np.float32)
    return stereo


def hat(rate: int, rng: np.random.Generator, *, seconds: float, brightness: float) -> Stereo:
    """Return a hi-hat that dies away in about ``seconds``, a little to the right."""
    t = _times(seconds * 3, rate)
    # no energy near the top of the band: it is what makes a cheap hat harsh
    noise = band_noise(t.size, 5500, 9000 + 2500 * brightness, rate, rng) * np.exp(-t / (seconds * 0.45))
    _soft_end(noise, rate, 0.004)
    return np.asarray(_centre(noise) * np.array([0.8, 1.0], np.float32), dtype=np.float32)


def bass(note: int, seconds: float, rate: int, *, partials: int, brightness: float) -> Stereo:
    """Return a bass note: few partials, the high ones die away first, as on a string."""
    t = _times(seconds, rate)
    frequency = hertz(note)
    tone = np.zeros(t.size)
    for k in range(1, min(partials, 8) + 1):
        level = k ** -(1.9 - 0.7 * brightness)
        tone += level * np.sin(_TAU * frequency * k * t) * np.exp(-t * (0.5 + 1.6 * (k - 1)))
    tone *= np.minimum(1.0, t / 0.004)
    _soft_end(tone, rate, min(0.04, seconds / 3))
    return _centre(tone * 0.8)


def pluck(note: int, rate: int, *, partials: int, brightness: float, pan: float) -> Stereo:
    """Return a plucked note of about 1 s; ``pan`` is 0 left .. 1 right."""
    t = _times(1.1, rate)
    frequency = hertz(note)
    tone = np.zeros(t.size)
    for k in range(1, partials + 1):
        # a string is a little stiff: its upper partials lie higher, which the ear takes for wood and metal
        stretched = frequency * k * (1 + 0.00012 * k * k)
        if stretched > min(9000.0, 0.4 * rate):
            break
        level = k ** -(2.0 - 1.0 * brightness) * (0.6 if k % 2 == 0 else 1.0)
        tone += level * np.sin(_TAU * stretched * t) * np.exp(-t * (2.6 + 1.5 * k))
    tone *= np.minimum(1.0, t / 0.002)
    _soft_end(tone, rate, 0.1)
    angle = np.pi / 2 * pan
    return np.asarray(tone[:, None] * np.array([np.cos(angle), np.sin(angle)]), dtype=np.float32)


def room(seconds: float, rate: int, rng: np.random.Generator) -> Stereo:
    """Return the impulse response of a soft room: two different noises that die away, without the direct sound."""
    t = _times(seconds, rate)
    tails = [band_noise(t.size, 250, 3800, rate, rng) * np.exp(-t * 5.0 / seconds) for _ in range(2)]
    response = np.stack(tails, axis=1).astype(np.float32)
    response[: round(0.012 * rate)] *= np.float32(0.2)  # the walls answer after the sound itself
    return np.asarray(response / np.sqrt((response**2).sum(axis=0)), dtype=np.float32)


def in_room(dry: Stereo, response: Stereo, amount: float) -> Stereo:
    """Return ``dry`` with its echo behind it, as long as both together."""
    frames = dry.shape[0] + response.shape[0] - 1
    size = 1 << (frames - 1).bit_length()
    wet = np.fft.irfft(np.fft.rfft(dry, size, axis=0) * np.fft.rfft(response, size, axis=0), size, axis=0)
    result: Stereo = (np.float32(amount) * wet[:frames]).astype(np.float32)
    result[: dry.shape[0]] += dry
    return result


def chord_texture(
    notes: tuple[int, ...], rate: int, rng: np.random.Generator, *, partials: int, brightness: float
) -> Stereo:
    """Return a loop of a chord without seam, of RMS 1.

    Each partial is a narrow hill in the spectrum with random phases, which sounds like many players at once; one
    inverse transform makes all of them. The two sides have other phases, which makes it wide.
    """
    spectrum = np.zeros(_TEXTURE // 2 + 1)
    resolution = rate / _TEXTURE  # Hz a bin
    for note in notes:
        for k in range(1, partials + 1):
            frequency = hertz(note) * k
            if frequency > min(7000.0, 0.4 * rate):
                break
            width = max(frequency * 0.006, 2 * resolution) / resolution  # bins; about 10 cents
            first, last = int(frequency / resolution - 4 * width), int(frequency / resolution + 4 * width) + 1
            bins = np.arange(max(first, 1), min(last, spectrum.size))
            hill = np.exp(-(((bins - frequency / resolution) / width) ** 2)) / np.sqrt(width)
            spectrum[bins] += hill * k ** -(2.0 - 1.1 * brightness)
    return _loop(spectrum, _TEXTURE, rng, width=0.65)


def ambience_texture(rate: int, rng: np.random.Generator, *, brightness: float, detail: float) -> Stereo:
    """Return a loop of air and drops without seam, of RMS 1."""
    bins = np.fft.rfftfreq(_AMBIENCE, 1 / rate)
    high = 1500 + 4000 * brightness
    # falls by 3 dB an octave, as wind and rain do
    air = 1 / np.sqrt(np.maximum(bins, 60)) / (1 + (150 / np.maximum(bins, 1)) ** 4) / (1 + (bins / high) ** 2)
    bed = _loop(air, _AMBIENCE, rng, width=1.0)
    swell = 1 + 0.45 * np.sin(_TAU * np.arange(_AMBIENCE) / _AMBIENCE)[:, None]
    drops = np.zeros((_AMBIENCE, 2), np.float32)
    count = round(120 + 500 * detail)
    where, side = rng.integers(0, _AMBIENCE, count), rng.integers(0, 2, count)
    drops[where, side] = rng.random(count).astype(np.float32) ** 3
    t = _times(0.02, rate)
    drop = (np.sin(_TAU * (1800 + 900 * brightness) * t) * np.exp(-t / 0.004)).astype(np.float32)
    wet = np.fft.irfft(
        np.fft.rfft(drops, axis=0) * np.fft.rfft(drop, _AMBIENCE)[:, None], _AMBIENCE, axis=0
    )  # circular: drops near the end fall into the beginning
    return np.asarray(bed * swell + 3.0 * wet, dtype=np.float32)


def _loop(spectrum: npt.NDArray[np.float64], size: int, rng: np.random.Generator, *, width: float) -> Stereo:
    """Return a loop of that spectrum; ``width`` 0 is the same on both sides, 1 has nothing in common."""
    sides = []
    for _ in range(2):
        phases = np.exp(1j * rng.uniform(0, _TAU, spectrum.size))
        side = np.fft.irfft(spectrum * phases, size)
        sides.append(side / max(float(np.sqrt(np.mean(side**2))), 1e-12))
    # the left side is in the right one as far as width leaves room: a mono sum keeps its body
    right = width * sides[1] + np.sqrt(1 - width * width) * sides[0]
    return np.stack((sides[0], right), axis=1).astype(np.float32)
