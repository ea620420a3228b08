"""Submit: the one step that spends. At most once for each approval, and never again if the answer is not certain.

    check limit, pause and state, write `submitting`  →  POST  →  write the raw answer  →  write what it means

Whatever ends the process between two of these leaves a job that is either certainly not sent, or `unknown`; where the
raw answer was written, the next start reads its meaning from there.
"""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import dataclass
from typing import Any

from bridge_daemon.domain.job import MICRO, RESERVED, Charge, Job, Problem, Publication, State
from bridge_daemon.engine import client
from bridge_daemon.engine.choice import Endpoint
from bridge_daemon.engine.protocol import Outcome, SubmitOutcome, payload
from bridge_daemon.errors import (
    BridgeError,
    Duplicate,
    JournalUnusable,
    KeyTrouble,
    LimitReached,
    NotSent,
    OtherEngine,
    PriceChanged,
    RefusedByService,
    Stale,
    SubmitUnknown,
    WrongState,
)
from bridge_daemon.journal import NotRecorded, Transaction
from bridge_daemon.pipeline.context import GO_ON, StepContext, Wait, until_written
from bridge_daemon.pipeline.disk import disk_trouble, hold_back, no_room
from bridge_daemon.spending.limits import check_limits, check_price
from bridge_daemon.spending.pause import close_in

log = logging.getLogger(__name__)

#: Pause between two tries to reach a service that cannot be reached, s.
_OFFLINE_PAUSE = (1.0, 60.0)
#: Until a job is looked at again whose journal is not the one that was opened, s.
_LOST_PAUSE = 60.0
#: Until a job is looked at again whose room is paused, s.
_ROOM_PAUSED = 5.0
#: By so much a clock may be corrected without being set back, s.
_CLOCKS_DIFFER = 5.0


async def submit(job: Job, context: StepContext) -> Wait | None:
    """Send a job that was admitted and, if it has a source, prepared."""
    try:
        engine = await context.engines.current()
        if not engine.made(job):
            raise OtherEngine(f"The job was admitted for {job.engine} at {job.base_url}, and {engine.name} is set now.")
        endpoint = await context.engines.endpoint(job)
    except (KeyTrouble, OtherEngine) as error:
        await context.hold(job, error)
        return None
    full = await no_room(context)
    if full is not None:
        return await hold_back(job, full, context)
    await client.ready()
    if endpoint.paid:
        await context.budget.submit()
    if job.publication is not None and not await _holds(job.publication, context):
        return await _publish_again(job, job.publication, context)
    return await context.on_wire.run(_send(job, endpoint, context), wire_name(job.id))


async def _holds(publication: Publication, context: StepContext) -> bool:
    """Return whether the service could fetch a source now; another bridge that published it may have ended since."""
    return publication.by == context.ownership.name and await context.publishers.holds(publication)


async def _publish_again(job: Job, publication: Publication, context: StepContext) -> Wait:
    """Take back what the service could not fetch any more: the generation would be paid for nothing."""
    context.publishers.of(publication).withdraw(publication)
    event = {"published": publication.method}
    await context.journal.write("republish", lambda tx: tx.note(job, "republish", event, publication=None))
    return GO_ON


def wire_name(job: str) -> str:
    """Return the name of the task that sends a job."""
    return f"submit {job}"


async def _send(job: Job, endpoint: Endpoint, context: StepContext) -> Wait | None:
    """From the check of the money to the meaning of the answer; runs to its end whoever is cancelled."""
    body = body_of(job)
    since = context.ownership.now()
    begun = await _begin(job, body, context)
    if isinstance(begun, Wait):
        return begun
    if context.ownership.late(since):
        return await too_late(begun, context)
    return await post(begun, body, endpoint, context)


def body_of(job: Job) -> dict[str, Any]:
    """Return what is sent of a job."""
    return payload(job, job.publication.url if job.publication else None)


async def post(job: Job, body: dict[str, Any], endpoint: Endpoint, context: StepContext) -> Wait:
    """Send a job that is written as being sent, once, and write what the answer means."""
    if job.publication is not None:
        context.publishers.of(job.publication).restore(job.publication)  # its time runs from now
    try:
        sent = await client.submit(endpoint.url, endpoint.key, body, idempotency_key=job.id)
    except asyncio.CancelledError:
        lost = Outcome(kind=SubmitOutcome.UNKNOWN, text="the bridge was stopped while the request was on the wire")
        await context.journal.write("outcome", lambda tx: apply(tx, job, lost, context.times.now()))
        raise
    if endpoint.paid:
        context.budget.answered()
    await until_written(
        lambda: context.journal.write("answered", lambda tx: tx.add_event(job.id, "answer", sent.as_event())),
        f"the answer to job {job.id}: {sent.outcome().text} {sent.outcome().remote_id or ''}",
    )
    outcome = sent.outcome()
    if outcome.kind is SubmitOutcome.RATE_LIMITED:
        context.budget.block(outcome.retry_after)
    if outcome.pause == "401":
        context.engines.reload_key()
    done = await _written(job, outcome, context)
    if outcome.pause is not None:
        await context.pause.close(outcome.pause, outcome.text)  # written already; this tells those who wait
    log.info("Submitted: %s (%s)", done.state, outcome.text, extra=done.log_context())
    return _next(done, context)


async def _written(begun: Job, outcome: Outcome, context: StepContext) -> Job:
    """Write the outcome of a submit until that succeeds, also if somebody took this bridge for dead meanwhile."""
    what = f"the outcome of job {begun.id}: {outcome.text} {outcome.remote_id or ''}"
    now = context.times.now
    try:
        return await until_written(
            lambda: context.journal.write("outcome", lambda tx: apply(tx, begun, outcome, now())), what
        )
    except WrongState:
        log.warning("Another bridge wrote that job %s is unknown before its answer came", begun.id)
        return await until_written(
            lambda: context.journal.write("late_answer", lambda tx: late_answer(tx, begun.id, outcome)), what
        )


def late_answer(tx: Transaction, job: str, outcome: Outcome) -> Job:
    """Attach a job of the service to ours that became unknown before its answer came: that is the evidence for it."""
    found = tx.job(job)
    if found.state is not State.UNKNOWN or outcome.kind is not SubmitOutcome.ACCEPTED:
        return found
    if tx.remote_id_taken(found.base_url, outcome.remote_id or ""):
        return found
    return tx.move(
        found,
        State.GENERATING,
        event={"means": outcome.text, "late": True},
        charge=Charge.CONFIRMED,
        remote_id=outcome.remote_id,
        problem=None,
        text=_MEANINGS[SubmitOutcome.ACCEPTED].text,
    )


async def too_late(job: Job, context: StepContext) -> Wait:
    """Take back that a job is being sent: by now others may have written that it is unknown."""
    kept = Outcome(kind=SubmitOutcome.NOT_SENT, text="the journal of the studio answered too late")
    await context.journal.write("outcome", lambda tx: apply(tx, job, kept, context.times.now()))
    return GO_ON


async def _begin(job: Job, body: dict[str, Any], context: StepContext) -> Job | Wait:
    """Write that a job is being sent, into the journal and the record; a Wait if it may not be."""
    try:
        begun = await context.journal.write("submitting", lambda tx: begin(tx, job, body, context))
    except WrongState:  # cancelled in the last moment: nothing was sent
        return GO_ON
    except JournalUnusable as error:
        await context.set_problem(job, error)
        return Wait(_LOST_PAUSE)
    except NotRecorded as error:
        return await not_recorded(job, error, context)
    if begun is None:
        await context.pause.load()
        if context.pause.current is None:
            return Wait(_ROOM_PAUSED)
    return begun if begun is not None and begun.state is State.SUBMITTING else GO_ON


async def not_recorded(job: Job, error: NotRecorded, context: StepContext) -> Wait:
    """Take back that a job is being sent: nothing was, for the record of what is sent cannot be written."""
    kept = Outcome(kind=SubmitOutcome.NOT_SENT, text="the record of what is sent cannot be written")
    await context.journal.write("outcome", lambda tx: apply(tx, tx.job(job.id), kept, context.times.now()))
    return await disk_trouble(await context.journal.read(lambda tx: tx.job(job.id)), error, context)


def _next(job: Job, context: StepContext) -> Wait:
    """Return when to go on: at once, or after a pause where the service could not be reached."""
    if job.state is not State.QUEUED:
        context.watch(job).errors = 0
        return GO_ON
    watch = context.watch(job)
    watch.errors += 1
    least, most = _OFFLINE_PAUSE
    return Wait(min(most, least * 2 ** min(watch.errors - 1, 10)) * random.uniform(0.5, 1.0))


def begin(tx: Transaction, job: Job, body: dict[str, Any], context: StepContext) -> Job | None:
    """Check pause, age, price and limits once more and write that the job is being sent. None: it has to wait.

    From this commit on the job counts as perhaps charged, whatever happens to the process.
    """
    if tx.paused(job):
        return None
    now = context.times.now()
    fresh = tx.job(job.id)
    if fresh.state not in RESERVED:
        raise WrongState(f"The job {job.id} is {fresh.state} now.", charge=fresh.charge)
    if not context.ownership.holds(tx, fresh):
        raise WrongState(f"Another bridge works on the job {job.id}.", charge=fresh.charge)
    try:
        check_age(fresh, context.now(fresh))
        check_price(tx, fresh)
        check_limits(tx, fresh.price, context.settings(), client=fresh.client, reserved_too=False, room=fresh.room)
    except (Stale, PriceChanged, LimitReached) as error:
        return tx.move(fresh, State.HELD, problem=_problem(error, now), text="waits for you")
    return tx.move(
        fresh,
        State.SUBMITTING,
        event={"body": body},
        charge=Charge.POSSIBLE,
        charge_day=context.times.day(),
        submitted_at=now,
        problem=None,
        text="is being sent",
    )


def check_age(job: Job, now: float) -> None:
    """Raise Stale for a job that waited longer than its request is valid: it is not sent by itself any more.

    How long one waited that seems to come from the future cannot be known: the clock was set back since.
    """
    if now < job.created_at - _CLOCKS_DIFFER:
        raise Stale("The clock was set back since it was asked for. Nothing was spent.")
    if now > job.valid_until:
        waited = (now - job.created_at) / 60
        raise Stale(f"It was asked for {waited:.0f} min ago and not sent while it was valid. Nothing was spent.")


@dataclass(frozen=True, slots=True)
class _Meaning:
    """Where an outcome brings a job."""

    state: State
    charge: Charge
    text: str
    error: type[BridgeError] | None


_MEANINGS = {
    SubmitOutcome.ACCEPTED: _Meaning(State.GENERATING, Charge.CONFIRMED, "the service makes it", None),
    SubmitOutcome.NOT_SENT: _Meaning(State.QUEUED, Charge.NONE, "waits for the service to be reached", NotSent),
    SubmitOutcome.RATE_LIMITED: _Meaning(State.QUEUED, Charge.NONE, "waits: the service has too many requests", None),
    SubmitOutcome.REFUSED: _Meaning(State.REFUSED, Charge.NONE, "refused by the service", RefusedByService),
    SubmitOutcome.UNKNOWN: _Meaning(State.UNKNOWN, Charge.POSSIBLE, "perhaps sent; waits for you", SubmitUnknown),
}


def apply(tx: Transaction, job: Job, outcome: Outcome, now: float) -> Job:
    """Write what the outcome of a submit means for the job, the money and the pause."""
    meaning = _MEANINGS[outcome.kind]
    if outcome.kind is SubmitOutcome.ACCEPTED and tx.remote_id_taken(job.base_url, outcome.remote_id or ""):
        return _duplicate(tx, job, outcome, now)
    error = meaning.error(_sentence(job, outcome), charge=meaning.charge) if meaning.error else None
    if outcome.pause is not None:
        close_in(tx, outcome.pause, outcome.text, now)
    if meaning.state is State.QUEUED and not tx.job(job.id).wanted:  # cancelled while it was on the wire
        return tx.move(
            job, State.CANCELLED, event={"means": outcome.text}, charge=Charge.NONE, charge_day=None, text="cancelled"
        )
    if meaning.state is State.QUEUED and now > job.valid_until:
        stale = Stale(f"It could not be sent while it was valid ({outcome.text}). Nothing was spent.")
        return tx.move(
            job, State.HELD, charge=Charge.NONE, charge_day=None, problem=_problem(stale, now), text="waits for you"
        )
    return tx.move(
        job,
        meaning.state,
        event={"means": outcome.text},
        charge=meaning.charge,
        problem=_problem(error, now) if error else None,
        text=meaning.text,
        **({"charge_day": None} if meaning.charge is Charge.NONE else {}),
        **({"remote_id": outcome.remote_id} if outcome.kind is SubmitOutcome.ACCEPTED else {}),
    )


def _duplicate(tx: Transaction, job: Job, outcome: Outcome, now: float) -> Job:
    error = Duplicate(
        f"The service answered with the job id {outcome.remote_id}, which it gave to another job before. "
        f"${job.price / MICRO:.2f} may have been charged."
    )
    event = {"means": outcome.text, "remote_id": outcome.remote_id}
    text, problem = _MEANINGS[SubmitOutcome.UNKNOWN].text, _problem(error, now)
    return tx.move(job, State.UNKNOWN, event=event, charge=Charge.POSSIBLE, problem=problem, text=text)


def _sentence(job: Job, outcome: Outcome) -> str:
    cost = {
        SubmitOutcome.UNKNOWN: f"${job.price / MICRO:.2f} may have been charged; it will not be sent again by itself.",
        SubmitOutcome.REFUSED: "Nothing was charged.",
        SubmitOutcome.NOT_SENT: "Nothing was sent and nothing was charged.",
    }.get(outcome.kind, "")
    text = outcome.text[:1].upper() + outcome.text[1:]
    return f"{text}. {cost}".replace("..", ".")


def _problem(error: BridgeError, now: float) -> Problem:
    return Problem(code=error.code, text=error.message, since=now, next=error.next_step)
