"""The take of a job, as it is to be, and the one pass over its original that proves that and writes the take."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from bridge_daemon.audio.take import TakeFile, Verified, make_take, time_reference
from bridge_daemon.audio.wav import Bext
from bridge_daemon.domain.job import Job
from bridge_daemon.domain.parameters import values_of
from bridge_daemon.domain.request import Place
from bridge_daemon.engine.choice import SKETCH
from bridge_daemon.util import files
from bridge_daemon.util.times import Times


@dataclass(frozen=True, slots=True)
class Made:
    """A take that is written and has no name yet."""

    part: Path
    verified: Verified  #: the original
    file: TakeFile
    place: Place  #: for which it was made
    stamp: int  #: its time reference
    notes: tuple[str, ...]  #: for people


def make(job: Job, original: Path, folder: Path, times: Times, declared: float | None = None) -> Made:
    """Prove an original and write its take into ``folder``; ``declared`` is the length that the service told, in s.

    Raises Undecodable, OSError; then no part is left.
    """
    files.sweep(folder / f"{job.id}.take")
    part = files.part_of(folder / f"{job.id}.take")
    verified, made = make_take(
        original,
        part,
        declared_seconds=declared,
        rate=job.place.sample_rate,
        cut_seconds=job.parameters.cut,
        bext=lambda rate: _bext(job, _stamp(job, rate)[0], times),
        info=_info(job),
    )
    stamp, note = _stamp(job, made.rate)
    return Made(part, verified, made, job.stands, stamp, (*made.notes, *([note] if note else [])))


def stem(job: Job) -> str:
    """Return the start of the names of a job's files: words of the prompt, and the job."""
    words = re.sub(r"[^A-Za-z0-9]+", "-", job.parameters.prompt).strip("-").lower()[:40].strip("-")
    kind = "sketch-" if job.engine == SKETCH else ""
    return f"{kind}{words or 'take'}-{job.id}"


def _stamp(job: Job, rate: int) -> tuple[int, str | None]:
    return time_reference(job.stands.position, job.place.time_offset, rate)


def _bext(job: Job, stamp: int, times: Times) -> Bext:
    # the time of the press, not of this run: the same take made twice, around a crash, is the same file
    when = times.local(job.created_at)
    sketch = "[sketch] " if job.engine == SKETCH else ""
    return Bext(
        description=sketch + job.parameters.prompt,
        originator="daw-bridge",
        originator_reference=job.id,
        origination_date=when.strftime("%Y-%m-%d"),
        origination_time=when.strftime("%H:%M:%S"),
        time_reference=stamp,
    )


def _info(job: Job) -> dict[str, str]:
    parameters = job.parameters
    made_of = {
        "prompt": parameters.prompt,
        "negative_prompt": parameters.negative_prompt,
        "model": job.model if job.engine != SKETCH else "sketch (built in, not the model)",
        "job": job.id,
        **values_of(parameters),
    }
    comment = json.dumps({key: value for key, value in made_of.items() if value is not None}, ensure_ascii=False)
    return {"INAM": parameters.prompt[:120], "ISFT": "daw-bridge", "ICMT": comment}
