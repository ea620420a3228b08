"""The take of a job, as it is to be, and the one pass over its original that proves that and writes the take."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bridge_daemon.audio.take import TakeFile, Verified, make_take, time_reference
from bridge_daemon.audio.wav import Bext
from bridge_daemon.domain.job import Job, State, Take
from bridge_daemon.domain.parameters import values_of
from bridge_daemon.engine.choice import SKETCH
from bridge_daemon.journal import Transaction
from bridge_daemon.util import files
from bridge_daemon.util.times import Times

_SHORT: Final = 0.05  # s; less than this is no shorter take, it is rounding


@dataclass(frozen=True, slots=True)
class Made:
    """A take that is written and has no name yet."""

    part: Path
    verified: Verified  #: the original
    file: TakeFile
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
    return Made(part, verified, made, stamp, (*made.notes, *([note] if note else [])))


def keep(job: Job, made: Made, folder: Path) -> tuple[Take, tuple[str, ...]]:
    """Give a take its name in the library; return it, with notes for people. Raises OSError."""
    file = files.settle(made.part, folder / f"{stem(job)}.wav", point="take")
    notes, wanted, seconds = made.notes, job.parameters.seconds, made.file.frames / made.file.rate
    if seconds < wanted - _SHORT:
        notes = (*notes, f"the take is shorter than was asked: {seconds:.2f} of {wanted:g} s")
    take = Take(
        file=str(file),
        sha256=made.file.sha256,
        rate=made.file.rate,
        frames=made.file.frames,
        channels=made.file.channels,
        time_reference=made.stamp,
    )
    return take, notes


def store(tx: Transaction, job: Job, take: Take, notes: tuple[str, ...], **changes: Any) -> Job:
    """Write that the take of a job lies in the library, and that it is delivered if it is still wanted."""
    fresh = tx.job(job.id)
    is_due = fresh.wanted and fresh.delivery == 0
    stored = tx.move(
        job,
        State.STORED,
        event={"file": take.file, "sha256": take.sha256},
        take=take,
        notes=tuple(dict.fromkeys(notes)),
        delivery=1 if is_due else fresh.delivery,
        problem=None,
        text="lies in the library",
        **changes,
    )
    if is_due:
        tx.add_event(job.id, "delivery", {"number": 1})
    return stored


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
