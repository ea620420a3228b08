"""From a request to a finished audio file. Runs in a worker thread of the server."""

from __future__ import annotations

from pathlib import Path
from typing import Final, TypedDict

import soundfile as sf

from bridge_daemon.domain.models import AUDIO, INPAINT
from bridge_daemon.engine.sketch import replace, sound, source, transform
from bridge_daemon.engine.sketch.contract import SketchRequest
from bridge_daemon.engine.sketch.sound import Progress
from bridge_daemon.engine.sketch.voices import Stereo

NOTICE: Final = "A sketch by daw-bridge's built-in engine: made by rules on this machine, not by Stable Audio."
_BLOCK: Final = 1 << 16  # frames written at once: between two blocks a shutdown is noticed
#: Share of the whole time that goes to the music; an MP3 takes far longer to write than to compose.
_COMPOSING: Final = {"wav": 0.85, "mp3": 0.2}


def make(asked: SketchRequest, reference: bytes | None, path: Path, progress: Progress) -> float:
    """Write the audio to ``path`` and return its length in s.

    ``reference`` is the file that ``audio_url`` named. ``progress`` gets 0..1 and may raise to stop the work.
    """
    share = _COMPOSING[asked.output_format]
    audio = _audio(asked, reference, lambda fraction: progress(share * fraction))
    kind, subtype = ("WAV", "PCM_16") if asked.output_format == "wav" else ("MP3", "MPEG_LAYER_III")
    with sf.SoundFile(path, "w", sound.RATE, 2, format=kind, subtype=subtype) as file:
        file.title = asked.prompt[:200]
        file.comment = f"{NOTICE} Seed {asked.seed}."
        for start in range(0, audio.shape[0], _BLOCK):
            file.write(audio[start : start + _BLOCK])
            progress(share + (1 - share) * start / audio.shape[0])
    return float(audio.shape[0] / sound.RATE)


class _Given(TypedDict):
    """What every way to make a sound is told."""

    seconds: float
    seed: int
    steps: float
    cfg_scale: float
    progress: Progress


def _audio(asked: SketchRequest, reference: bytes | None, progress: Progress) -> Stereo:
    given: _Given = {
        "seconds": asked.duration,
        "seed": asked.seed,
        "steps": asked.steps,
        "cfg_scale": asked.cfg_scale,
        "progress": progress,
    }
    if reference is None or asked.mode not in (AUDIO, INPAINT):
        return sound.render(asked.prompt, **given)
    heard, rate = source.decode(reference, asked.duration)
    if asked.mode == AUDIO:
        return transform.transform(heard, rate, asked.prompt, strength=asked.strength, **given)
    region = (asked.mask_start or 0.0, asked.mask_end or asked.duration)
    return replace.replace(heard, rate, asked.prompt, region=region, **given)
