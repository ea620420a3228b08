"""A press that can go at once: its first job is admitted and written as being sent in one transaction.

That is one flush to the medium less between the press and the wire. What a job may have to wait for (the key, a pause,
a place and a request at the service) is looked at before, the disk meanwhile; the money is checked in the transaction,
by the same :func:`begin` that every submit goes through. A process that ends behind the commit leaves a job that is
`unknown`, as behind every commit that says `submitting`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from bridge_daemon.domain.job import Job, State
from bridge_daemon.engine import client
from bridge_daemon.engine.budget import Budget
from bridge_daemon.engine.choice import Choice, Endpoint
from bridge_daemon.errors import KeyTrouble, NotFound, StudioAway, WrongState
from bridge_daemon.journal import Transaction
from bridge_daemon.pipeline import submit
from bridge_daemon.pipeline.context import StepContext
from bridge_daemon.pipeline.disk import Look

log = logging.getLogger(__name__)
#: Until it is asked again what became of a press, s.
_AWAY = 1.0


class AtOnce:
    """Leave to send one job without waiting; it counts as a request to the service until it is given back."""

    def __init__(self, budget: Budget, engine: Choice, endpoint: Endpoint, context: StepContext) -> None:
        """:func:`leave` makes them."""
        self._budget = budget
        self._engine = engine
        self._context = context
        self._disk = Look(context)
        self.endpoint = endpoint
        self.body: dict[str, Any] = {}
        #: The job as it is being sent. Known before the commit: without that, it is not.
        self.begun: Job | None = None

    def mark(self, tx: Transaction, job: Job) -> None:
        """Write that a job is being sent, in the transaction that admits it, if it needs nothing before."""
        if job.action != "generate" or not self._engine.made(job) or not self._disk.room():
            return
        try:
            self.body = submit.body_of(job)
        except Exception:
            log.exception("A fault of ours; the job goes the long way, where it is told and tried again")
            return
        try:
            begun = submit.begin(tx, job, self.body, self._context)
        except WrongState:  # another process uses this home in the studio: the job is admitted, and not sent from here
            return
        if begun is not None and begun.state is State.SUBMITTING:
            self._context.marked.add(begun.id)
            self.begun = begun

    def give_back(self) -> None:
        """Give the request back that this counted as: it was not sent."""
        self._disk.end()
        self._budget.give_back()

    def settle(self) -> None:
        """Forget the mark: the job is on the wire, or the transaction failed."""
        self._disk.end()
        if self.begun is not None:
            self._context.marked.discard(self.begun.id)

    async def was_written(self) -> bool:
        """Return whether the job is in the journal after all, as soon as it can be asked."""
        assert self.begun is not None
        name = self.begun.id
        while True:
            try:
                await self._context.journal.read(lambda tx: tx.job(name))
            except StudioAway:
                await asyncio.sleep(_AWAY)
            except NotFound:
                return False
            else:
                return True

    async def take_back(self) -> bool:
        """Let the job wait: it was written as being sent so long ago that others may have written it is unknown."""
        assert self.begun is not None
        try:
            await submit.too_late(self.begun, self._context)
        except (StudioAway, WrongState) as error:
            log.warning("Job %s was not sent, and that could not be written: %s", self.begun.id, error)
        return True


async def leave(context: StepContext) -> AtOnce | None:
    """Return leave to send a job at once; None if there is anything that it has to wait for. Raises StudioAway."""
    if context.pause.current is not None:
        return None
    try:
        engine = await context.engines.current()
        key = await context.engines.key() if engine.paid else None
    except KeyTrouble:
        return None
    if key is None:
        return None
    await client.ready()
    if not await context.budget.take_submit():
        return None
    return AtOnce(context.budget, engine, Endpoint(engine.base_url, key.value, paid=True), context)
