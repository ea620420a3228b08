"""What short stories are told with: one press, one step, and a look at what became of it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from bridge_daemon.domain.job import Job, State
from bridge_daemon.journal.tables import jobs
from tests.stories.by_hand import ByHand
from tests.stories.test_small_bounds import body


async def pressed(hand: ByHand, *words: str, number: int = 1, **given: Any) -> Job:
    """Press, and return the job before anything is sent of it; ``words`` say what the service will do."""
    hand.vendor.next_posts.extend(words)
    await hand.press(body(number) | given)
    return (await hand.jobs())[-1]


async def sent(hand: ByHand, *words: str, number: int = 1, **given: Any) -> Job:
    """Press, and return the job after the one step that sends it."""
    return await submit(hand, await pressed(hand, *words, number=number, **given))


async def stored(hand: ByHand, **given: Any) -> Job:
    """Press, and return the job once its take lies in the library, for a client, or is placed without one."""
    job = await sent(hand, **given)
    for _ in range(20):
        job = await again(hand, job)
        if job.state is State.PLACED or (job.state is State.STORED and job.delivery):
            return job
        if not await hand.step():
            hand.clock.offset += 2
    raise AssertionError([*hand.told])


async def submit(hand: ByHand, job: Job) -> Job:
    """Run the submit of a job, whatever would keep the conveyor from it."""
    await hand._step(job)
    return await again(hand, job)


async def again(hand: ByHand, job: Job) -> Job:
    return await hand.journal.read(lambda tx: tx.job(job.id))


async def charge_day(hand: ByHand, job: Job) -> str | None:
    """Return the day on which a job counts as spent."""
    query = select(jobs.c.charge_day).where(jobs.c.job == job.id)
    return await hand.journal.read(lambda tx: tx.connection.execute(query).scalar_one())


def code_of(job: Job) -> str | None:
    return job.problem.code if job.problem is not None else None
