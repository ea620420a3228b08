"""Finish: make the take of the original: Broadcast Wave, 24 bit, stamped with its place on the timeline."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
from pathlib import Path

from bridge_daemon.audio.take import Verified, make_take, time_reference, verify
from bridge_daemon.audio.wav import Bext
from bridge_daemon.domain.job import Job, State, Take
from bridge_daemon.domain.parameters import values_of
from bridge_daemon.errors import DecoderDied, Undecodable
from bridge_daemon.pipeline.context import GO_ON, Proved, StepContext, Wait
from bridge_daemon.pipeline.fetch import kept_back, stem
from bridge_daemon.util import files

log = logging.getLogger(__name__)
_LONGEST = 600.0  # s between two tries
#: No file lies there, or one that is not plain.
_OTHER = {errno.ENOENT, errno.ELOOP, errno.EMLINK, errno.EINVAL}
_SHORT = 0.05  # s; less than this is no shorter take, it is rounding


async def finish(job: Job, context: StepContext) -> Wait | None:
    """Make the take and put it into the library."""
    try:
        made = await asyncio.to_thread(_make, job, context)
    except (DecoderDied, OSError) as error:  # the original lies there
        return await kept_back(job, error, context)
    except Undecodable as error:
        made = None
        log.warning("%s", error.message, extra=job.log_context())
    if made is None:  # the original is gone or was changed: it is fetched again, it is paid for
        watch = context.watch(job)
        watch.lost += 1
        await context.journal.write(
            "original_lost",
            lambda tx: tx.note(job, "original_lost", {"file": job.original}, original=None, original_sha256=None),
        )
        return Wait(0.0 if watch.lost == 1 else min(_LONGEST, 2.0 ** min(watch.lost, 10)))
    take, notes = made
    await context.journal.write(
        "stored",
        lambda tx: tx.move(
            job,
            State.STORED,
            event={"file": take.file, "sha256": take.sha256},
            take=take,
            notes=tuple(dict.fromkeys(job.notes + notes)),
            problem=None,
            text="lies in the library",
        ),
    )
    return GO_ON


def _make(job: Job, context: StepContext) -> tuple[Take, tuple[str, ...]] | None:
    assert job.original is not None
    original = Path(job.original)
    verified = _verified(job, original, context)
    if verified is None:
        return None
    before = Proved.identity_of(original)
    folder = context.day_folder(job)
    files.sweep(folder / f"{job.id}.take")
    part = files.part_of(folder / f"{job.id}.take")
    rate = job.place.sample_rate or verified.rate
    stamp, stamp_note = time_reference(job.place.position, job.place.time_offset, rate)
    parameters = job.parameters
    made = make_take(
        original,
        part,
        verified=verified,
        rate=rate,
        cut_seconds=parameters.cut,
        bext=_bext(job, stamp, context),
        info=_info(job),
    )
    if Proved.identity_of(original) != before:  # it was replaced while it was read
        files.discard(part)
        return None
    file = files.settle(part, folder / f"{stem(job)}.wav", point="take")
    notes = [*made.notes, *([stamp_note] if stamp_note else [])]
    wanted = parameters.cut or parameters.duration
    if made.frames / made.rate < wanted - _SHORT:
        notes.append(f"the take is shorter than was asked: {made.frames / made.rate:.2f} of {wanted:g} s")
    take = Take(
        file=str(file),
        sha256=made.sha256,
        rate=made.rate,
        frames=made.frames,
        channels=made.channels,
        time_reference=stamp,
    )
    return take, tuple(notes)


def _verified(job: Job, original: Path, context: StepContext) -> Verified | None:
    """Return what the original holds, None if it is gone or is not the one that came."""
    proved = context.watch(job).proved
    try:
        if proved is not None and proved.identity == Proved.identity_of(original):
            return proved.verified  # it came a moment ago
        if files.sha256(original) != job.original_sha256:
            return None
    except OSError as error:
        if error.errno in _OTHER:
            return None
        raise
    return verify(original)


def _bext(job: Job, stamp: int, context: StepContext) -> Bext:
    # the time of the press, not of this run: the same take made twice, around a crash, is the same file
    when = context.times.local(job.created_at)
    sketch = "[sketch] " if job.engine == "sketch" else ""
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
        "model": job.model if job.engine != "sketch" else "sketch (built in, not the model)",
        "job": job.id,
        **values_of(parameters),
    }
    comment = json.dumps({key: value for key, value in made_of.items() if value is not None}, ensure_ascii=False)
    return {"INAM": parameters.prompt[:120], "ISFT": "daw-bridge", "ICMT": comment}
