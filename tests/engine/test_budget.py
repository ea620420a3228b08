"""The rate budget: so many requests in any minute, of all jobs together, and never a press that waits for a poll."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge_daemon.engine import budget as budgets
from bridge_daemon.engine.budget import KEPT_FOR_SUBMITS, LONGEST_BLOCK, RateBudget
from bridge_daemon.util.times import Times


class Clock(Times):
    """A clock that only a test moves; sleeping moves it too."""

    def __init__(self) -> None:
        self.at = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(budgets, "asyncio", SimpleNamespace(sleep=clock.sleep, Lock=asyncio.Lock))
    return clock


def polled(budget: RateBudget) -> bool:
    """Ask for a poll, which never waits."""
    try:
        budget.take_poll().send(None)
    except StopIteration as answer:
        return bool(answer.value)
    raise AssertionError("it waited")


def most_in_a_minute(times: Sequence[float]) -> int:
    return max((sum(1 for at in times if start <= at < start + 60.0) for start in times), default=0)


OPS = st.lists(
    st.one_of(
        st.tuples(st.just("poll"), st.integers(1, 60)),
        st.tuples(st.just("submit"), st.integers(1, 20)),
        st.tuples(st.just("pass"), st.floats(0, 90)),
        st.tuples(st.just("429"), st.one_of(st.none(), st.floats(-10, 1e9))),
    ),
    max_size=30,
)


@given(OPS, st.integers(12, 60))
def test_no_minute_ever_has_more_than_is_allowed(ops: list[tuple[str, float]], allowed: int) -> None:
    clock, sent = Clock(), []
    budget = RateBudget(allowed, clock)
    for kind, number in ops:
        if kind == "pass":
            clock.at += number
        elif kind == "429":
            budget.block(number)
        elif kind == "submit":
            for _ in range(int(number)):
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(budgets, "asyncio", SimpleNamespace(sleep=clock.sleep))
                    asyncio.run(budget.submit())
                sent.append(clock.at)
        else:
            for _ in range(int(number)):
                free, wait = budget.spare_polls(), budget.wait_for_poll()
                taken = polled(budget)
                assert taken == (wait == 0)
                assert taken or free == 0 or budget._blocked_until > clock.at
                if taken:
                    sent.append(clock.at)
                else:
                    clock.at += wait  # exactly then
                    assert polled(budget)
                    sent.append(clock.at)
    assert most_in_a_minute(sent) <= allowed


async def test_ten_are_kept_for_submits(clock: Clock) -> None:
    budget = RateBudget(50, clock)
    polls = 0
    while polled(budget):
        polls += 1
    assert polls == 50 - KEPT_FOR_SUBMITS
    for _ in range(KEPT_FOR_SUBMITS):
        await budget.submit()
    assert clock.slept == [], "a press does not wait for polls"
    await budget.submit()
    assert sum(clock.slept) == pytest.approx(60, abs=1)


async def test_a_small_account_may_still_poll(clock: Clock) -> None:
    budget = RateBudget(12, clock)
    assert [polled(budget) for _ in range(3)] == [True, True, False]
    assert 0 < budget.wait_for_poll() <= 61


@pytest.mark.parametrize(
    ("told", "waits"), [(None, 5.0), (30.0, 30.0), (0.0, 1.0), (-5.0, 1.0), (1e9, LONGEST_BLOCK), (float("inf"), 120.0)]
)
async def test_a_429_makes_everything_wait_within_reason(clock: Clock, told: float | None, waits: float) -> None:
    budget = RateBudget(50, clock)
    budget.block(told)
    assert not polled(budget)
    assert budget.wait_for_poll() == waits
    await budget.submit()
    assert sum(clock.slept) == waits


async def test_a_shorter_block_does_not_end_a_longer_one(clock: Clock) -> None:
    budget = RateBudget(50, clock)
    budget.block(60)
    budget.block(1)
    assert budget.wait_for_poll() == 60


async def test_submits_go_in_the_order_in_which_they_came() -> None:
    clock, gate, order = Clock(), asyncio.Event(), []
    budget = RateBudget(12, clock)
    for _ in range(12):
        await budget.submit()

    async def sleep(seconds: float) -> None:
        await gate.wait()
        clock.at += seconds

    async def one(number: int) -> None:
        await budget.submit()
        order.append(number)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(budgets, "asyncio", SimpleNamespace(sleep=sleep))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(number)) for number in range(8)]
            for _ in range(3):
                await asyncio.sleep(0)
            tasks[2].cancel()  # a stop while it waits: the others move up
            await asyncio.sleep(0)
            gate.set()
    assert order == [0, 1, 3, 4, 5, 6, 7]
