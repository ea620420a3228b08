"""Prepare: cut and convert the source of a transform, and publish it. Nothing is spent in here."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from weakref import WeakValueDictionary

from bridge_daemon.audio.region import SOURCE_RATE, Extracted, check_region, extract
from bridge_daemon.domain.job import Job, State, Take
from bridge_daemon.domain.models import known
from bridge_daemon.engine.choice import SKETCH
from bridge_daemon.errors import NotPublished, OtherEngine, Refusal, SourceRefused, Stale, StoreAway
from bridge_daemon.journal import Transaction
from bridge_daemon.pipeline.context import GO_ON, StepContext, Wait
from bridge_daemon.pipeline.disk import disk_trouble
from bridge_daemon.pipeline.made_from import LOOK, file_of, takes_of
from bridge_daemon.pipeline.submit import check_age

_AGAIN: Final = (2.0, 60.0)  # s between two tries to publish a source
_OF_OTHERS: Final = 60.0  # s until it is looked again at the job of another room that cannot be published here
#: Writes what there is to write of a source, and returns what changes in its job.
_Made = Callable[[Transaction], dict[str, Any]]
#: The variations of a request share one source file; one of them makes it.
_making: WeakValueDictionary[Path, asyncio.Lock] = WeakValueDictionary()


async def prepare(job: Job, context: StepContext) -> Wait | None:
    """Bring a queued transform to where it can be submitted, or hold it with the reason why not."""
    here = context.ownership.asked_here(job)
    try:
        takes = await _takes(job, context) if here else []
    except (SourceRefused, Stale) as error:
        await context.hold(job, error)
        return None
    if takes is None:
        return Wait(LOOK, free=True)
    if job.state is State.QUEUED:  # else a try before this one broke off
        job = await context.journal.write(
            "preparing", lambda tx: tx.move(job, State.PREPARING, text="prepares the source")
        )
    try:
        engine = await context.engines.current()
        if not engine.made(job):
            raise OtherEngine(f"The job was admitted for {job.engine} at {job.base_url}, and {engine.name} is set now.")
        publisher = context.publishers.choose(engine)
        file, made = await (_own_source(job, takes, context) if here else _source_of_others(job, context))
        publication = replace(await publisher.publish(job, file), by=context.ownership.name)
    except (NotPublished, StoreAway) as error:
        return await _not_published(job, error, context)
    except Refusal as error:
        return await _refused(job, error, context)
    except OSError as error:
        return await disk_trouble(job, error, context)
    event = {"file": str(file), "published": publication.method}
    try:
        await context.journal.write(
            "prepared",
            lambda tx: tx.note(job, "prepared", event, problem=None, publication=publication, **made(tx)),
        )
    except BaseException:  # cancelled meanwhile: nobody would withdraw it later
        publisher.withdraw(publication)
        raise
    context.watch(job).errors = 0
    return GO_ON


async def _takes(job: Job, context: StepContext) -> list[Take] | None:
    """Return the takes that a job is made from, none for a file; None if they are not there yet.

    Raises SourceRefused if one will not come, Stale if it was waited for too long.
    """
    source = job.source
    if source is None or source.take is None:
        return []
    takes = await context.journal.read(lambda tx: takes_of(tx, source))
    if takes is None:
        check_age(job, context.now(job))
    return takes


async def _refused(job: Job, error: Refusal, context: StepContext) -> Wait | None:
    """Let a person decide; about the job of another room, in that room."""
    if context.ownership.asked_here(job):
        await context.hold(job, error)
        return None
    await context.set_problem(job, error)
    return Wait(_OF_OTHERS, free=True)


async def _not_published(job: Job, error: NotPublished | StoreAway, context: StepContext) -> Wait | None:
    """Try again while the request is valid, where that may help; else let a person decide. Nothing was spent.

    Meanwhile others have its place at the service: a dead tunnel must not hold up text-to-audio.
    """
    if context.times.now() > job.valid_until:
        await context.hold(job, error)
        return None
    if not error.passing:
        return await _refused(job, error, context)
    await context.set_problem(job, error)
    watch = context.watch(job)
    watch.errors += 1
    least, most = _AGAIN
    pause = min(most, least * 2 ** min(watch.errors - 1, 10)) * random.uniform(0.5, 1.0)
    return Wait(min(pause, max(0.1, job.valid_until - context.times.now())), free=True)


async def _own_source(job: Job, takes: list[Take], context: StepContext) -> tuple[Path, _Made]:
    """Return the source of a job, and what is written of it. In a studio it lies in the store first.

    Raises SourceRefused, StoreAway, OSError.
    """
    file, notes = await _source_file(job, takes, context)
    store = context.store

    def made(tx: Transaction) -> dict[str, Any]:
        return _of_source(tx, job, file, notes, takes)

    def shared(tx: Transaction) -> None:
        assert store is not None
        store.source_lies(tx, job)
        tx.note(job, "shared", {"file": str(file)}, **made(tx))

    if store is not None and job.engine != SKETCH and await store.put_source(job, file):
        await context.journal.write("shared", shared)
    return file, made


async def _source_of_others(job: Job, context: StepContext) -> tuple[Path, _Made]:
    """Return the source of another room's job, from the store. Raises StoreAway, SourceRefused."""
    assert context.store is not None
    file = await context.store.source(job, context.home.sources)
    if file is None:
        raise SourceRefused("Its source does not lie in the store. It waits for its room; nothing was sent.")
    return file, lambda _: {}


def _of_source(tx: Transaction, job: Job, file: Path, notes: tuple[str, ...], takes: list[Take]) -> dict[str, Any]:
    """Return what is known once there is a source; what was done to it is true, and written, of every variation."""
    for other in tx.jobs_of(job.request_id) if notes else ():
        if other.source != job.source:
            continue
        tx.touch(other, notes=tuple(dict.fromkeys(other.notes + notes)))
    parameters = job.parameters
    if takes and parameters.after is not None and job.source is not None and job.source.end is None:
        whole = max(take.frames / take.rate for take in takes)  # a take that was to come may be longer than was asked
        parameters = replace(parameters, after=whole - (job.source.start or 0.0))
    return {"parameters": parameters, "source_file": str(file)}


async def _source_file(job: Job, takes: list[Take], context: StepContext) -> tuple[Path, tuple[str, ...]]:
    """Return the prepared source of a job and what was done to it, for people."""
    assert job.source is not None
    file = context.home.sources / f"{job.id if takes else job.request_id}.wav"
    async with _making.setdefault(file, asyncio.Lock()):
        if file.exists():  # made for another variation, or before a restart: it is what was pressed
            return file, ()
        extracted = await asyncio.to_thread(_extract, job, file, takes, context)
    return file, extracted.notes


def _extract(job: Job, file: Path, takes: list[Take], context: StepContext) -> Extracted:
    """Cut the source out. Raises SourceRefused if something else lies there than at the press."""
    assert job.source is not None
    source, model = job.source, known(job.model)
    given = file_of(job, takes, file.parent) if takes else Path(source.path or "")
    path = context.roots().check(str(given))
    last = job.parameters.continue_from
    region = check_region(path, source.start, source.end, longest=model.source_longest, last=last)
    if job.sound is not None and source.mix is None and region.sound != job.sound:
        raise SourceRefused(
            f'"{path.name}" has changed since the press. Nothing was sent and nothing was spent.',
            next="Press again to send what lies there now, or cancel this job.",
        )
    return extract(region, file, rate=SOURCE_RATE, least=model.source_least)
