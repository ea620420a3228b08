"""Who has a place at the service, who waits for one, and what is loaded meanwhile: one look of the conveyor each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from unittest.mock import AsyncMock

import pytest

from bridge_daemon.domain.job import Charge, Job, State
from bridge_daemon.pipeline import conveyor as module
from bridge_daemon.pipeline.context import Wait
from bridge_daemon.pipeline.conveyor import Conveyor, _Slot
from bridge_daemon.pipeline.submit import wire_name
from tests.stories.by_hand import ByHand
from tests.stories.short import again, pressed, sent


@pytest.fixture
def conveyor(hand: ByHand) -> Conveyor:
    """The conveyor of the bridge, with two places at the service."""
    assert hand.daemon is not None
    made = hand.daemon.parts.conveyor
    made._slots = asyncio.Semaphore(2)
    return made


def looked_at(conveyor: Conveyor, job: Job) -> _Slot:
    """Let the conveyor know of a job, and return its place, which it has not taken."""
    conveyor._nudges[job.id] = asyncio.Event()
    return _Slot(conveyor._slots)


async def in_state(hand: ByHand, state: State, **given: Any) -> Job:
    """Return a job in a state, though nothing was done for it."""
    job = await (pressed if state is State.QUEUED else sent)(hand, **given)
    if state not in (State.QUEUED, State.GENERATING):
        job = await hand.journal.write("test", lambda tx: tx.move(job, State.FETCHING))
    if state is State.STORED:
        job = await hand.journal.write("test", lambda tx: tx.move(job, State.STORED))
    return job


def answering(wait: Wait | None) -> Callable[[Job], Callable[..., Awaitable[Wait | None]]]:
    """Stand in for the choice of a step: one that answers so."""
    return lambda _: AsyncMock(return_value=wait)


async def waits(doing: Awaitable[Any]) -> bool:
    """Tell whether something does not come to its end by itself."""
    task = asyncio.ensure_future(doing)
    done, _ = await asyncio.wait({task}, timeout=0.2)
    task.cancel()
    await asyncio.wait({task})
    return not done


@pytest.mark.parametrize(
    ("state", "wait", "kept"),
    [
        (State.QUEUED, Wait(60), True),
        (State.GENERATING, Wait(9), True),
        (State.GENERATING, Wait(10), False),
        (State.GENERATING, Wait(free=True), False),
        (State.FETCHING, None, True),
        (State.FETCHING, Wait(10), False),
        (State.STORED, Wait(1), False),
    ],
)
async def test_who_keeps_its_place(
    hand: ByHand,
    conveyor: Conveyor,
    monkeypatch: pytest.MonkeyPatch,
    state: State,
    wait: Wait | None,
    kept: bool,
) -> None:
    job = await in_state(hand, state)
    slot = looked_at(conveyor, job)
    monkeypatch.setattr(module, "step_for", answering(wait))
    assert await conveyor._once(job.id, slot) == (wait.seconds if wait is not None else None)
    assert slot._taken is kept


async def test_what_another_bridge_works_on_is_left_to_it(
    hand: ByHand, conveyor: Conveyor, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await pressed(hand)
    monkeypatch.setattr(hand.context.ownership, "take", AsyncMock(return_value=False))
    assert await conveyor._once(job.id, looked_at(conveyor, job)) is None
    assert hand.vendor.posts == []


@pytest.mark.parametrize("where", ["on the wire", "marked", "nowhere"])
async def test_only_what_is_not_on_its_way_here_became_lost(hand: ByHand, conveyor: Conveyor, where: str) -> None:
    job = await pressed(hand)
    day = hand.clock.day()
    await hand.journal.write("test", lambda tx: tx.move(job, State.SUBMITTING, charge=Charge.POSSIBLE, charge_day=day))
    context = hand.context
    if where == "on the wire":
        context.on_wire.start(asyncio.Event().wait(), wire_name(job.id))
    elif where == "marked":
        context.marked.add(job.id)
    assert await conveyor._once(job.id, looked_at(conveyor, job)) is None
    assert (await again(hand, job)).state is (State.UNKNOWN if where == "nowhere" else State.SUBMITTING)
    await context.on_wire.finish(0)


@pytest.mark.parametrize("adopted", [False, True])
async def test_what_is_adopted_begins_as_after_a_start(
    hand: ByHand, conveyor: Conveyor, monkeypatch: pytest.MonkeyPatch, adopted: bool
) -> None:
    job = await pressed(hand, valid_for=600)
    conveyor._known.clear()
    hand.clock.offset += 601
    slot = looked_at(conveyor, job)
    if adopted:
        conveyor._adopted.add(job.id)
    monkeypatch.setattr(module, "step_for", answering(None))
    await conveyor._once(job.id, slot)
    assert (await again(hand, job)).state is (State.HELD if adopted else State.QUEUED)
    assert not conveyor._adopted


async def test_what_is_paid_for_waits_for_no_place(
    hand: ByHand, conveyor: Conveyor, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, queued = await in_state(hand, State.GENERATING), await in_state(hand, State.QUEUED, number=2)
    conveyor._slots = asyncio.Semaphore(0)
    monkeypatch.setattr(module, "step_for", answering(Wait(1)))
    assert not await waits(conveyor._once(job.id, looked_at(conveyor, job)))
    assert await waits(conveyor._once(queued.id, looked_at(conveyor, queued)))


@pytest.mark.parametrize("why", ["place", "pause"])
async def test_who_waits_for_its_turn_is_looked_at_again_when_somebody_asks(
    hand: ByHand, conveyor: Conveyor, why: str
) -> None:
    job = await pressed(hand)
    slot = looked_at(conveyor, job)
    if why == "pause":
        await hand.actions.pause()
    else:
        conveyor._slots = slot._slots = asyncio.Semaphore(0)
    assert await waits(conveyor._turn(job.id, slot))
    turn = asyncio.ensure_future(conveyor._turn(job.id, slot))
    await asyncio.sleep(0)
    conveyor._nudges[job.id].set()
    assert not await turn
    conveyor._nudges[job.id].clear()
    if why == "pause":
        await hand.actions.resume()
    else:
        slot._slots.release()
    assert await conveyor._turn(job.id, slot)


async def test_who_is_asked_for_as_its_turn_comes_is_looked_at_again(hand: ByHand, conveyor: Conveyor) -> None:
    job = await pressed(hand)
    slot = looked_at(conveyor, job)
    slot._slots = asyncio.Semaphore(0)
    turn = asyncio.ensure_future(conveyor._turn(job.id, slot))
    await asyncio.sleep(0.1)
    slot._slots.release()
    conveyor._nudges[job.id].set()
    assert not await turn
    assert slot._taken, "both at the same moment"


@pytest.mark.parametrize(
    ("state", "action", "loads"),
    [
        (State.QUEUED, "generate", False),
        (State.QUEUED, "transform", True),
        (State.GENERATING, "transform", False),
        (State.FETCHING, "generate", True),
        (State.STORED, "transform", False),
    ],
)
async def test_what_reads_audio_is_loaded_before_it_is_needed_and_not_for_a_press(
    hand: ByHand, conveyor: Conveyor, monkeypatch: pytest.MonkeyPatch, state: State, action: str, loads: bool
) -> None:
    job = await in_state(hand, state)
    conveyor._known[job.id] = job.evolve(action=action)
    loaded = AsyncMock()
    monkeypatch.setattr(module, "load_audio", loaded)
    monkeypatch.setattr(module, "step_for", answering(None))
    await conveyor._once(job.id, looked_at(conveyor, job))
    assert bool(loaded.await_count) is loads


async def test_a_clock_that_is_set_back_makes_no_job_younger(hand: ByHand) -> None:
    job = await pressed(hand)
    begun = hand.context.now(job)
    hand.clock.offset += 10
    hand.clock.shift -= 100
    assert hand.context.now(job) == begun + 10
    hand.clock.shift += 1000
    assert hand.context.now(job) == begun + 910
