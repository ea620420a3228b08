"""Follow: ask the service for a job until it is done. Nothing that the network or the service does fails a job here.

Only the service's own word `failed` does. A 404, hours of errors, nonsense: the job stays, with a problem that says so.
"""

from __future__ import annotations

import logging
import random

from bridge_daemon.domain.job import MICRO, Job, State
from bridge_daemon.engine.choice import SKETCH, Endpoint
from bridge_daemon.engine.protocol import Answer, Polled, clean, error_text, names_another, read_poll, seconds
from bridge_daemon.errors import BridgeError, FailedAtService, GoneAtService, KeyTrouble, PollTrouble
from bridge_daemon.journal import Transaction
from bridge_daemon.pipeline.context import GO_ON, JobRuntime, StepContext, Wait
from bridge_daemon.pipeline.pace import Past, Seen, Share, next_poll, usual

log = logging.getLogger(__name__)

#: Answers in a row that are trouble before a person is told. One bad poll is nothing.
_PATIENCE = 3
#: The built-in engine is on this machine and knows no rate limit, s.
_SKETCH_PACE = 0.15
#: So many answers without a progress say that there is none; far below 0: there is.
_SILENT = 3
_TOLD = -1_000_000
_NEWEST = 50  # jobs that say what is usual for the model, whatever was asked


async def follow(job: Job, context: StepContext) -> Wait | None:
    """Ask once, and say when to ask again."""
    watch = context.watch(job)
    if job.output_url is not None and context.store is not None and await context.store.has_original(job):
        await _old_url(job, context)  # another bridge had fetched it
        return GO_ON
    if not watch.polls and context.age(job) < 1:
        watch.polls = 1
        context.expect_a_take()
        return await _pace(job, watch, context)
    try:
        endpoint = await context.engines.endpoint(job)
    except KeyTrouble as error:
        await context.set_problem(job, error)
        return Wait(30.0)
    if endpoint.paid and not await context.budget.take_poll():
        return Wait(context.budget.wait_for_poll() + random.uniform(0.0, 0.2))
    watch.polls += 1
    return await _ask(job, endpoint, watch, context)


async def _ask(job: Job, endpoint: Endpoint, watch: JobRuntime, context: StepContext) -> Wait | None:
    assert job.remote_id is not None, "a generating job has the service's id"
    answer = await context.polls.job(endpoint.url, job.remote_id, endpoint.key)
    if endpoint.paid:
        context.budget.answered()
    polled = _read(job, answer)
    if polled is None:
        await _trouble(job, answer, watch, context)
        if watch.missing >= _PATIENCE and job.output_url is not None:
            await _old_url(job, context)
            return GO_ON
        return await _pace(job, watch, context)
    watch.missing = 0
    if polled.failed:
        await _failed(job, polled, context)
        return GO_ON
    if polled.done and polled.output is not None:
        watch.errors = 0
        await _done(job, polled, context)
        return GO_ON
    if polled.done:
        watch.errors += 1
        await context.set_problem(job, PollTrouble("The service says that the job is done and names no audio."))
    else:
        watch.errors = 0
        await _going(job, polled, watch, context)
    return await _pace(job, watch, context)


def _read(job: Job, answer: Answer | Exception) -> Polled | None:
    """Return what an answer says of a job; None if it says nothing, or speaks of another job."""
    if isinstance(answer, Exception) or answer.status != 200 or names_another(answer.body, job.remote_id or ""):
        return None
    return read_poll(answer.body, source_url=job.publication.url if job.publication else None)


async def another_url(job: Job, context: StepContext) -> Job | None:
    """Ask the service once whether it names another URL now, for a job whose URL leads to no take."""
    try:
        endpoint = await context.engines.endpoint(job)
    except KeyTrouble:
        return None
    if job.remote_id is None or (endpoint.paid and not await context.budget.take_poll()):
        return None
    answer = await context.polls.job(endpoint.url, job.remote_id, endpoint.key)
    if endpoint.paid:
        context.budget.answered()
    if isinstance(answer, Answer) and answer.status == 429:
        context.budget.block(seconds(answer.retry_after))
    polled = _read(job, answer)
    output = polled.output if polled is not None else None
    if output is None or output.url == job.output_url:
        return None
    event = {"url": output.url, "seconds": output.seconds}
    return await context.journal.write(
        "fresh_url", lambda tx: tx.note(tx.job(job.id), "fresh_url", event, output_url=output.url)
    )


async def _old_url(job: Job, context: StepContext) -> None:
    """Go back to a URL that was refused: the service forgets a job after an hour, its URLs live for days."""
    await context.journal.write(
        "old_url",
        lambda tx: tx.move(
            job,
            State.FETCHING,
            event={"status": "gone", "url": job.output_url},
            text="is being downloaded from where it was before",
        ),
    )


async def _going(job: Job, polled: Polled, watch: JobRuntime, context: StepContext) -> None:
    if job.problem is not None and job.problem.code in (PollTrouble.code, GoneAtService.code, KeyTrouble.code):
        job = await context.set_problem(job, None)
    key = (job.base_url, job.model)
    if polled.fraction is None:
        context.silence[key] = context.silence.get(key, 0) + 1
        return
    context.silence[key] = _TOLD
    watch.samples.append((context.age(job), polled.fraction))
    del watch.samples[:-50]
    if polled.fraction > job.fraction:  # it never goes back, whatever the service says
        await context.journal.write("progress", lambda tx: tx.touch(job, fraction=polled.fraction))


async def _done(job: Job, polled: Polled, context: StepContext) -> None:
    output = polled.output
    assert output is not None

    def write(tx: Transaction) -> Job:
        return tx.move(
            job,
            State.FETCHING,
            event={"status": polled.status, "url": output.url, "seconds": output.seconds},
            output_url=output.url,
            notes=with_twins(job.notes, tx.same_result(job, url=output.url) if job.price else []),
            finished_at=job.finished_at or context.times.now(),
            fraction=1.0,
            problem=None,
            text="is being downloaded",
        )

    await context.journal.write("fetching", write)


def with_twins(notes: tuple[str, ...], twins: list[Job]) -> tuple[str, ...]:
    """Return notes that also tell which other paid jobs the service gave the same result."""
    if not twins:
        return notes
    names = ", ".join(twin.id for twin in twins[:5])
    told = f"the service gave the same audio to the job {names} too; each of them was charged"
    log.warning("One result for several paid jobs: %s", told)
    return tuple(dict.fromkeys((*notes, told)))


async def _failed(job: Job, polled: Polled, context: StepContext) -> None:
    said = f": {polled.error}" if polled.error else ", without saying why"
    error = FailedAtService(
        f"The service could not make it{said}. It counts as charged (${job.price / MICRO:.2f}) unless the service "
        "gives it back.",
        charge=job.charge,
    )
    problem = context.problem(error)
    await context.journal.write(
        "failed",
        lambda tx: tx.move(
            job,
            State.FAILED,
            event={"error": polled.error},
            problem=problem,
            finished_at=context.times.now(),
            text="failed at the service",
        ),
    )
    log.warning("Failed at the service: %s", polled.error, extra=job.log_context())


async def _trouble(job: Job, answer: Answer | Exception, watch: JobRuntime, context: StepContext) -> None:
    """Count an answer that says nothing of the job, and tell the person once it lasts."""
    watch.errors += 1
    error: BridgeError
    if isinstance(answer, Exception):
        error = PollTrouble(f"The service does not answer ({type(answer).__name__}). The job is safe there.")
    else:
        said = error_text(answer.body)
        if answer.status == 200 and not said:
            other = names_another(answer.body, job.remote_id or "")
            said = f"it speaks of another job, {other}" if other else "what it sends is not the state of a job"
        error = PollTrouble(
            f"The service answers HTTP {answer.status}" + (f": {said}" if said else "") + ". The job is safe there."
        )
        watch.missing = watch.missing + 1 if answer.status == 404 else 0
        if answer.status == 429:
            context.budget.block(seconds(answer.retry_after))
        if answer.status == 401:
            context.engines.reload_key()
            await context.pause.close("401", "the service does not accept the API key")
    if watch.missing >= _PATIENCE:
        error = GoneAtService(
            f"The service does not know the job {clean(job.remote_id or '')} any more. It was charged "
            f"(${job.price / MICRO:.2f}); the bridge goes on asking.",
            charge=job.charge,
        )
    if watch.errors >= _PATIENCE:
        await context.set_problem(job, error)
    log.info("Poll: %s", error.message, extra=job.log_context())


async def _pace(job: Job, watch: JobRuntime, context: StepContext) -> Wait:
    if job.engine == SKETCH and not watch.errors:
        return Wait(_SKETCH_PACE)
    told, open_jobs = await context.journal.read(
        lambda tx: (tx.durations(job.base_url, job.model), tx.count().get(State.GENERATING, 1))
    )
    past = [Past(seconds=took, length=length, steps=steps) for took, length, steps in told]
    seen = Seen(
        age=context.age(job),
        samples=tuple(watch.samples),
        errors=watch.errors,
        usual=usual(past, job.parameters.duration, job.parameters.steps),
    )
    share = Share(
        spare=context.budget.spare_polls(),
        jobs=open_jobs,
        per_minute=context.budget.polls_per_minute,
        silent=context.silence.get((job.base_url, job.model), 0) >= _SILENT,
    )
    return Wait(next_poll(seen, [one.seconds for one in past[:_NEWEST]], share, random.random()))
