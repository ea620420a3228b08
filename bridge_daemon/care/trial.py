"""Takes made for a trial, through the whole way: a press, the sketch engine, the file read back from the disk.

The daemon is a real one, on a throw-away home, whose engine is set to sketch by its environment and which has no key:
nothing that it does can cost.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bridge_daemon.care.trial_daemon import TrialDaemon
from bridge_daemon.home.paths import Home

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from bridge_daemon.client.client import BridgeClient

_SOURCE_SECONDS: Final = 30.0
_REGION: Final = (8.0, 16.0)
_RATE: Final = 48_000
_POSITIONS: Final = (4.0, 8.0)  # s on the timeline

Data = dict[str, Any]
#: Given the jobs and what each is, it returns what is told of each change.
Follow = Callable[[dict[str, str]], "AbstractContextManager[Callable[[Data], None]]"]


async def two_takes(daemon: TrialDaemon, follow: Follow) -> list[Data]:
    """Make one take from text and one from a region of a recording; return both jobs at their end.

    Raises:
        NotRunning: the daemon of the trial could not start.
    """
    from bridge_daemon.client.client import BridgeClient

    source = daemon.home / "source.wav"
    _write_source(source)
    async with BridgeClient(Home(daemon.home)) as client:
        await daemon.ready(client)
        generate = await _press(
            client, "generate", "tight drums and deep bass, 120 bpm", {"duration": 8.0}, position=_POSITIONS[0]
        )
        region = {"path": str(source), "start": _REGION[0], "end": _REGION[1]}
        transform = await _press(
            client, "transform", "warm strings, slow, 120 bpm", {"source": region}, position=_POSITIONS[1]
        )
        with follow({generate: "text to audio ", transform: "audio to audio"}) as told:
            return await client.wait([generate, transform], told)


async def _press(client: BridgeClient, action: str, prompt: str, more: dict[str, Any], *, position: float) -> str:
    place = {"position": position, "sample_rate": _RATE, "tempo": 120.0}
    body = {"version": 1, "id": str(uuid.uuid4()), "action": action, "prompt": prompt, "seed": 7, "place": place}
    answer = await client.submit(body | more)
    return str(answer["jobs"][0])


def _write_source(path: Path) -> None:
    """Synthesise a recording to transform: 30 s of a four-chord arpeggio at 120 bpm."""
    import numpy as np
    import soundfile

    step = int(_RATE * 0.25)  # an eighth note at 120 bpm
    time_line = np.arange(step) / _RATE
    chords = ((57, 60, 64, 69), (53, 57, 60, 65), (48, 55, 60, 64), (55, 59, 62, 67))
    notes = []
    for number in range(int(_SOURCE_SECONDS * _RATE) // step):
        pitch = chords[number // 8 % 4][number % 4]
        tone = 2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * time_line
        notes.append((np.sin(tone) + 0.4 * np.sin(2 * tone)) * np.exp(-6 * time_line) * 0.3)
    soundfile.write(path, np.repeat(np.concatenate(notes)[:, None], 2, axis=1), _RATE, subtype="PCM_24")


def read_back(job: dict[str, Any]) -> dict[str, Any]:
    """Return what a take is, by its file and not by what the daemon says."""
    import soundfile

    from bridge_daemon.audio.wav import read_bext
    from bridge_daemon.domain.models import models

    path = Path(job["file"])
    about, bext = soundfile.info(str(path)), read_bext(path)
    stamp = bext.time_reference if bext else None
    return {
        "action": job["action"],
        "job": job["job"],
        "file": str(path),
        "seconds": about.frames / about.samplerate,
        "rate": about.samplerate,
        "bits": int(about.subtype.removeprefix("PCM_")),
        "channels": about.channels,
        "time_reference": stamp,
        "position": stamp / about.samplerate if stamp is not None else None,
        "prompt": job["prompt"],
        "cloud_usd": models()[job["model"]].price(None) / 1_000_000,
    }
