"""What a client says of a delivery: placed, or not. Only the delivery that is due counts; the rest changes nothing.

Clients repeat themselves, and what they say may be late: a word about an older delivery is answered like any other, so
that nobody goes on saying it.
"""

from __future__ import annotations

from bridge_daemon.domain.job import Job, Problem, State
from bridge_daemon.engine.protocol import clean
from bridge_daemon.errors import NotPlaceable, WrongState
from bridge_daemon.journal import Transaction


def is_due(job: Job) -> bool:
    """Return whether the take of a job waits for its client."""
    unplaced = job.problem is not None and job.problem.code == NotPlaceable.code
    return job.state is State.STORED and job.wanted and job.delivery > 0 and not unplaced


def placed(tx: Transaction, name: str, delivery: int) -> tuple[Job, str]:
    """Write that a take stands where it belongs. Raises WrongState if there was no such delivery."""
    job = _delivered(tx, name, delivery)
    if job.state is State.PLACED:
        return job, "It was placed already."
    if delivery < job.delivery:
        return job, "That was an older delivery of this take; nothing has changed."
    event = {"delivery": delivery}
    return tx.move(job, State.PLACED, event=event, problem=None, text="placed"), "Placed."


def unplaced(tx: Transaction, name: str, delivery: int, code: str, message: str, now: float) -> tuple[Job, str]:
    """Write why a client could not place a take. Raises WrongState if there was no such delivery."""
    job = _delivered(tx, name, delivery)
    if job.state is State.PLACED:
        return job, "It was placed already."
    if delivery < job.delivery:
        return job, "That was an older delivery of this take; nothing has changed."
    why = clean(message) or "it did not say why"
    file = job.take.file if job.take is not None else "in the library"
    coded = f" ({code})" if code else ""
    text = f"{job.client or 'The client'} could not place the take: {why}{coded}. It is safe: {file}"
    said = "The take is kept. It is brought again when somebody asks for that: deliver."
    if job.problem is not None and (job.problem.code, job.problem.text) == (NotPlaceable.code, text):
        return job, said
    problem = Problem(code=NotPlaceable.code, text=text, since=now, next=NotPlaceable.next)
    event = {"delivery": delivery, "code": code, "message": why}
    return tx.note(job, "unplaced", event, problem=problem), said


def _delivered(tx: Transaction, name: str, delivery: int) -> Job:
    job = tx.own_job(name)
    if job.state not in (State.STORED, State.PLACED) or delivery > job.delivery:
        raise WrongState(f"The job is {job.state}, and there was no delivery {delivery} of it.", charge=job.charge)
    return job
