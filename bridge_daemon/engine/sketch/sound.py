"""The sketch engine's music: from a prompt and a seed to samples, always the same ones.

Every sound is made once (``voices``) and placed on the grid of the tempo as often as it is played, so three minutes
take about a second. The first bar starts on the first frame.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from bridge_daemon.engine.sketch import harmony, voices, words
from bridge_daemon.engine.sketch.voices import Stereo
from bridge_daemon.engine.sketch.words import Part, Score

Progress = Callable[[float], None]

RATE: Final = 44_100  # frames a second
PEAK: Final = 10 ** (-1 / 20)  # -1 dBFS
DEFAULT_STEPS: Final = 50
DEFAULT_CFG: Final = 7.0

_FADE: Final = 0.03  # s at the end
_SECTION: Final = 8  # bars
_BLOCK: Final = 1 << 17  # frames that are worked on at once when all is mixed: stays in the processor's cache


def nothing(_fraction: float) -> None:
    """Ignore a progress report."""


def rng_for(purpose: str, prompt: str, seed: int) -> np.random.Generator:
    """Return the random numbers of one purpose, so that a change in one voice leaves the others as they are."""
    digest = hashlib.sha256(f"{purpose}\0{seed}\0{prompt.strip()}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def render(
    prompt: str,
    *,
    seconds: float,
    seed: int,
    steps: float = DEFAULT_STEPS,
    cfg_scale: float = DEFAULT_CFG,
    rate: int = RATE,
    progress: Progress = nothing,
) -> Stereo:
    """Return float32 of shape (round(seconds × rate), 2) with a peak of -1 dBFS.

    ``steps`` (6..100) is the level of detail: partials, ghost notes, richer chords. ``cfg_scale`` (1..25) below 7 lets
    instruments join that the prompt does not name, and above 7 presses the sound harder. ``progress`` is called with
    0..1 and may raise to stop the rendering.
    """
    frames = round(seconds * rate)
    score = words.read(prompt)
    studio = _Studio(prompt=prompt, seed=seed, score=score, rate=rate, steps=steps, cfg_scale=cfg_scale)
    mix = np.zeros((frames, 2), np.float32)
    studio.play(mix, lambda fraction: progress(0.85 * fraction))
    press = 1.0 + max(0.0, cfg_scale - DEFAULT_CFG) / 12.0
    finish(mix, rate, press=press, progress=lambda fraction: progress(0.85 + 0.15 * fraction))
    return mix


def finish(mix: Stereo, rate: int, *, press: float | None, peak: float = PEAK, progress: Progress = nothing) -> None:
    """Limit (``press``: how hard; None: not at all), bring to ``peak`` and fade the end, in place."""
    loudest = 0.0
    for start in range(0, mix.shape[0], _BLOCK):
        block = mix[start : start + _BLOCK]
        if press is not None:
            block *= np.float32(press)
            block /= np.sqrt(1 + block * block * np.float32(0.35))  # a round knee: kicks lean into it, nothing else
        loudest = max(loudest, float(np.abs(block).max()))
        progress(0.7 * start / mix.shape[0])
    if loudest > 0:
        gain = np.float32(peak / loudest)
        for start in range(0, mix.shape[0], _BLOCK):
            mix[start : start + _BLOCK] *= gain
    fade = min(mix.shape[0], max(1, round(_FADE * rate)))
    mix[mix.shape[0] - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)[:, None]
    progress(1.0)


@dataclass(kw_only=True)
class _Studio:
    """One rendering: what is played, and the sounds made so far."""

    prompt: str
    seed: int
    score: Score
    rate: int
    steps: float
    cfg_scale: float
    _sounds: dict[tuple[object, ...], Stereo] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.detail = min(1.0, max(0.0, (self.steps - 6) / 94))
        self.partials = 3 + round(9 * self.detail)
        self.plan = harmony.plan(self.score, self._rng("plan"), detail=self.detail)
        taste = float(self._rng("taste").uniform(-0.12, 0.12))
        self.brightness = min(1.0, max(0.0, self.score.brightness + taste))
        self.levels = self._levels()
        self.room = voices.room(0.7 + 0.9 * self.detail, self.rate, self._rng("room"))

    def _rng(self, purpose: str) -> np.random.Generator:
        return rng_for(purpose, self.prompt, self.seed)

    def _levels(self) -> dict[Part, float]:
        """How loud each instrument is. A loosely followed prompt lets others in."""
        levels: dict[Part, float] = dict.fromkeys(self.score.parts, 1.0)
        loose = min(1.0, max(0.0, (DEFAULT_CFG - self.cfg_scale) / (DEFAULT_CFG - 1)))
        for place, part in enumerate(self.score.companions[:2]):
            if loose > 0.5 * place:
                levels[part] = 0.75 * loose / (1 + place)
        return levels

    def _sound(self, key: tuple[object, ...], make: Callable[[], Stereo]) -> Stereo:
        if key not in self._sounds:
            self._sounds[key] = make()
        return self._sounds[key]

    def _frame(self, bar: int, step: float) -> int:
        # from the beginning each time: adding up lengths would drift against the DAW's grid
        position = bar * self.score.steps_per_bar + step
        if step % 2 == 1:
            position += self.plan.swing
        return round(position * self.score.step_seconds * self.rate)

    def play(self, mix: Stereo, progress: Progress) -> None:
        """Add everything to ``mix``."""
        bar = 0
        while (start := self._frame(bar, 0)) < mix.shape[0]:
            if "drums" in self.levels:
                self._drums(mix, bar)
            if "bass" in self.levels:
                self._bass(mix, bar)
            if "pad" in self.levels:
                self._pad(mix, bar)
            if "pluck" in self.levels:
                self._pluck(mix, bar)
            progress(start / mix.shape[0])
            bar += 1
        if "ambience" in self.levels:
            self._ambience(mix)
        progress(1.0)

    def _quiet(self, bar: int) -> bool:
        """Return whether this is a section in which the drums rest, so that minutes have a shape."""
        return bar // _SECTION % 4 == 2 and len(self.score.parts) > 2

    def _stroke(self, mix: Stereo, at: int, sound: str, level: float) -> None:
        rng = self._rng(sound)
        makers: dict[str, Callable[[], Stereo]] = {
            "kick": lambda: voices.kick(self.score.root, self.rate, rng),
            "snare": lambda: voices.in_room(voices.snare(self.rate, rng, brightness=self.brightness), self.room, 0.12),
            "hat": lambda: voices.hat(self.rate, rng, seconds=0.05, brightness=self.brightness),
            "open": lambda: voices.hat(self.rate, rng, seconds=0.22, brightness=self.brightness),
        }
        raw = self._sound((sound,), makers[sound])
        place(mix, self._sound((sound, level), lambda: raw * np.float32(level)), at)

    def _drums(self, mix: Stereo, bar: int) -> None:
        plan, level = self.plan, self.levels["drums"]
        last = bar % _SECTION == _SECTION - 1
        quiet = self._quiet(bar)
        rows = [("hat", plan.hat, 0.16)]
        if not quiet:
            rows += [("kick", plan.kick, 0.8), ("snare", plan.snare, 0.45), ("snare", plan.ghosts, 0.16)]
        for sound, pattern, loud in rows:
            for step, mark in enumerate(pattern):
                if mark == ".":
                    continue
                name = "open" if sound == "hat" and step == plan.open_hat else sound
                soft = 0.5 if mark == "o" and pattern is not plan.ghosts else 1.0
                self._stroke(mix, self._frame(bar, step), name, loud * soft * level)
        if last and not quiet:  # a short fill leads into the next section
            for count, step in enumerate(range(self.score.steps_per_bar - 3, self.score.steps_per_bar)):
                self._stroke(mix, self._frame(bar, step), "snare", (0.14 + 0.07 * count) * level)

    def _bass(self, mix: Stereo, bar: int) -> None:
        steps, pattern = self.score.steps_per_bar, self.plan.bass
        root = 28 + (self._chord(bar)[0] - 28) % 12  # E1 .. D#2
        strokes = [step for step, mark in enumerate(pattern) if mark != "."]
        for step, end in zip(strokes, [*strokes[1:], steps], strict=True):
            note = root + 7 if step in self.plan.bass_fifths else root
            seconds = min(4.0, 0.92 * (end - step) * self.score.step_seconds)
            place(mix, self._bass_note(note, seconds), self._frame(bar, step))

    def _bass_note(self, note: int, seconds: float) -> Stereo:
        def make() -> Stereo:
            tone = voices.bass(note, seconds, self.rate, partials=self.partials, brightness=self.brightness)
            return tone * np.float32(0.36 * self.levels["bass"])

        return self._sound(("bass", note, seconds), make)

    def _chord(self, bar: int) -> tuple[int, ...]:
        return self.plan.chords[bar % len(self.plan.chords)]

    def _pad(self, mix: Stereo, bar: int) -> None:
        ducked = "drums" in self.score.parts and self.score.feel == "four" and not self._quiet(bar)
        chord = self._chord(bar)
        sound = self._sound(("pad", chord, ducked), lambda: self._pad_bar(chord, ducked=ducked))
        place(mix, sound, self._frame(bar, 0))

    def _pad_bar(self, chord: tuple[int, ...], *, ducked: bool) -> Stereo:
        """Make one bar of a chord, and a tail that crosses into the next bar."""
        bar = self.score.steps_per_bar * self.score.step_seconds
        attack = round(min(0.45, bar / 3) * self.rate)
        frames = round(bar * self.rate)
        notes = (*harmony.close_voicing(chord, 53), 36 + chord[0] % 12)
        loop = voices.chord_texture(
            notes, self.rate, self._rng(f"pad {chord}"), partials=self.partials, brightness=self.brightness
        )
        sound = np.take(loop, np.arange(frames + attack), axis=0, mode="wrap")
        ramp = np.sin(np.linspace(0, np.pi / 2, attack)).astype(np.float32)[:, None]
        sound[:attack] *= ramp
        sound[frames:] *= ramp[::-1]
        if ducked:  # gives way to each kick, as a compressor would make it
            beat = np.arange(frames + attack) / (4 * self.score.step_seconds * self.rate) % 1.0
            sound *= (1 - 0.55 * np.exp(-beat * 5)).astype(np.float32)[:, None]
        sound *= np.float32(0.11 * self.levels["pad"])
        return sound

    def _pluck(self, mix: Stereo, bar: int) -> None:
        section = bar // _SECTION
        arp = self.plan.arps[(bar // 2 + section) % 2]
        notes = harmony.two_octaves(self._chord(bar), 60)
        for step, index in enumerate(arp):
            if index < 0:
                continue
            note = notes[index % len(notes)]
            level = 1.0 if step % 4 == 0 else 0.75
            place(mix, self._plucked(note, level), self._frame(bar, step))

    def _plucked(self, note: int, level: float) -> Stereo:
        def make() -> Stereo:
            pan = 0.5 + 0.22 * np.sin(note * 2.4)  # each note has its place, as on a keyboard seen from aside
            dry = voices.pluck(note, self.rate, partials=self.partials, brightness=self.brightness, pan=float(pan))
            return voices.in_room(dry, self.room, 0.3) * np.float32(0.3 * self.levels["pluck"])

        raw = self._sound(("pluck", note), make)
        return raw if level == 1.0 else self._sound(("pluck", note, level), lambda: raw * np.float32(level))

    def _ambience(self, mix: Stereo) -> None:
        loop = voices.ambience_texture(self.rate, self._rng("ambience"), brightness=self.brightness, detail=self.detail)
        loop *= np.float32(0.05 * self.levels["ambience"])
        for start in range(0, mix.shape[0], loop.shape[0]):
            place(mix, loop, start)


def place(mix: Stereo, sound: Stereo, at: int) -> None:
    """Add ``sound`` to ``mix`` from frame ``at`` on; what reaches over the end is cut."""
    frames = min(sound.shape[0], mix.shape[0] - at)
    if frames > 0:
        mix[at : at + frames] += sound[:frames]
