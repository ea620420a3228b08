"""Finish: make the take of the original: Broadcast Wave, 24 bit, stamped with its place on the timeline."""

from __future__ import annotations

import asyncio
import errno
import logging
from pathlib import Path

from bridge_daemon.domain.job import Job, Take
from bridge_daemon.errors import DecoderDied, Undecodable
from bridge_daemon.pipeline.context import GO_ON, StepContext, Wait
from bridge_daemon.pipeline.fetch import kept_back
from bridge_daemon.pipeline.making import Made, keep, make, store
from bridge_daemon.util import files

log = logging.getLogger(__name__)
_LONGEST = 600.0  # s between two tries
#: No file lies there, or one that is not plain.
_OTHER = {errno.ENOENT, errno.ELOOP, errno.EMLINK, errno.EINVAL}


async def finish(job: Job, context: StepContext) -> Wait | None:
    """Make the take and put it into the library: of an original that lies there, whose own take was lost."""
    try:
        async with context.making.turn():
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
    await context.journal.write("stored", lambda tx: store(tx, job, take, job.notes + notes))
    return GO_ON


def _make(job: Job, context: StepContext) -> tuple[Take, tuple[str, ...]] | None:
    assert job.original is not None
    original = Path(job.original)
    folder = context.day_folder(job)
    made = _made(job, original, folder, context)
    return None if made is None else keep(job, made, folder)


def _made(job: Job, original: Path, folder: Path, context: StepContext) -> Made | None:
    """Make the take; None if the original is not the one that was downloaded."""
    try:
        before = files.state_of(original.lstat())
        if files.sha256(original) != job.original_sha256:
            return None
    except OSError as error:
        if error.errno in _OTHER:
            return None
        raise
    made = make(job, original, folder, context.times)
    if files.state_of(original.lstat()) == before:
        return made
    files.discard(made.part)  # it was replaced while it was read
    return None
