"""Finish: make the take of the original: Broadcast Wave, 24 bit, stamped with its place on the timeline."""

from __future__ import annotations

import asyncio
import errno
import logging
from contextlib import nullcontext
from pathlib import Path

from bridge_daemon.domain.job import Job, State, Take
from bridge_daemon.errors import DecoderDied, Undecodable
from bridge_daemon.pipeline.context import GO_ON, Proved, StepContext, Wait
from bridge_daemon.pipeline.fetch import kept_back
from bridge_daemon.pipeline.making import Made, make, stem
from bridge_daemon.util import files

log = logging.getLogger(__name__)
_LONGEST = 600.0  # s between two tries
#: No file lies there, or one that is not plain.
_OTHER = {errno.ENOENT, errno.ELOOP, errno.EMLINK, errno.EINVAL}
_SHORT = 0.05  # s; less than this is no shorter take, it is rounding


async def finish(job: Job, context: StepContext) -> Wait | None:
    """Make the take and put it into the library."""
    try:
        # a take that was made when its original came only gets its name
        async with context.making.turn() if context.watch(job).proved is None else nullcontext():
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
    folder = context.day_folder(job)
    made = _made(job, original, folder, context)
    if made is None:
        return None
    file = files.settle(made.part, folder / f"{stem(job)}.wav", point="take")
    notes, parameters = made.notes, job.parameters
    wanted, seconds = parameters.seconds, made.file.frames / made.file.rate
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


def _made(job: Job, original: Path, folder: Path, context: StepContext) -> Made | None:
    """Return the take that was made when the original came, or make it; None if the original is not the one."""
    proved = context.watch(job).proved
    try:
        before = Proved.identity_of(original)
        if proved is not None and (proved.identity, proved.made.place) == (before, job.stands):
            if proved.made.part.exists():
                return proved.made
        elif files.sha256(original) != job.original_sha256:
            return None
    except OSError as error:
        if error.errno in _OTHER:
            return None
        raise
    made = make(job, original, folder, context.times)
    if Proved.identity_of(original) == before:
        return made
    files.discard(made.part)  # it was replaced while it was read
    return None
