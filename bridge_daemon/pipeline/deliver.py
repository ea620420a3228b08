"""Deliver: bring the take to its client; without a client it is placed once it lies where it was wanted."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from bridge_daemon.domain.job import Job, State
from bridge_daemon.errors import NotPlaceable
from bridge_daemon.pipeline import copies
from bridge_daemon.pipeline.context import GO_ON, StepContext, Wait
from bridge_daemon.util import foreign

log = logging.getLogger(__name__)
_AGAIN: Final = 30.0  # s, until a folder that did not answer is tried again


async def deliver(job: Job, context: StepContext) -> Wait | None:
    """Bring a stored take to its folder, and say that it is placed if nobody else has to."""
    if not job.wanted:
        return None
    if context.pause.panic:
        await context.pause.calm()
        return GO_ON  # whatever was decided about it meanwhile counts
    if job.delivery == 0:
        job = await context.journal.write("delivery", lambda tx: tx.note(job, "delivery", {"number": 1}, delivery=1))
    if job.grid is None and await context.measuring.settled(job):
        job = await context.journal.read(lambda tx: tx.job(job.id))
        if job.state is not State.STORED or not job.wanted:
            return GO_ON
    try:
        copy = await foreign.off(job.place.folder or context.library(), copies.bring, job, context.roots())
    except foreign.NoAnswer as error:
        trouble = NotPlaceable(f"{error.filename} does not answer. The take is safe in the library.", charge=job.charge)
        await context.set_problem(job, trouble)
        return Wait(_AGAIN)
    except NotPlaceable as error:
        await context.set_problem(job, error)
        log.warning("%s", error.message, extra=job.log_context())
        return None
    if job.client is not None:
        await _announce(job, copy, context)
        return None  # its client confirms; the result is repeated until then
    where = str(copy) if copy is not None else job.take.file if job.take else ""
    await context.journal.write(
        "placed",
        lambda tx: tx.move(job, State.PLACED, event={"file": where}, problem=None, text="placed"),
    )
    return None


async def _announce(job: Job, copy: Path | None, context: StepContext) -> None:
    """Say that a take is there for its client, if it still is: somebody may have cancelled it during the copy."""
    fresh = await context.arrivals.settle(await context.journal.read(lambda tx: tx.job(job.id)))
    if fresh is None:
        return  # at the next hello of its client
    if fresh.state is State.STORED and fresh.delivery == job.delivery and fresh.take is not None:
        for listener in context.ready:
            listener(fresh, copy if copy is not None else Path(fresh.take.file))
