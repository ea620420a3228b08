"""One budget for all rooms: no minute has more than the account allows, presses come first, and rooms in turn."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import make_url

from bridge_daemon.studio.budget import Call, SharedBudget, Waiting, seconds_until
from bridge_daemon.studio.database import Postgres

ALLOWED = 50
WINDOW = 4.0  # s


class Counting:
    """A service that counts when requests arrive, and refuses what is too much."""

    def __init__(self, allowed: int = ALLOWED, window: float = WINDOW) -> None:
        self.allowed, self.window = allowed, window
        self.arrived: list[tuple[float, str, str]] = []
        self.refused = 0

    def __call__(self, room: str, kind: str) -> None:
        now = time.monotonic()
        if sum(at > now - self.window for at, _, _ in self.arrived) >= self.allowed:
            self.refused += 1
        self.arrived.append((now, room, kind))

    def per_window(self, since: float, until: float) -> float:
        """Return how many came in a window between two moments."""
        count = sum(since <= at < until for at, _, _ in self.arrived)
        return count * self.window / (until - since)


@asynccontextmanager
async def rooms(url: str, folder: Path, number: int) -> AsyncIterator[list[SharedBudget]]:
    """Budgets of rooms, each with connections of its own."""
    made = []
    for index in range(number):
        database = Postgres(make_url(url), room=f"room-{index}", home=folder)
        database.open()
        made.append((SharedBudget(database, f"worker-{index}", ALLOWED, window=WINDOW), database))
    try:
        yield [budget for budget, _ in made]
    finally:
        for budget, database in made:
            await budget.close()
            database.close()


async def call(budget: SharedBudget, service: Counting, kind: str) -> None:
    """Send what was granted: it takes its time until it arrives, and until it is answered."""
    await asyncio.sleep(random.choice([0.0, 0.01, 0.3]))
    service(budget._worker, kind)
    await asyncio.sleep(0.02)
    budget.answered()


async def presses(budget: SharedBudget, service: Counting, until: float) -> None:
    calls = set()
    while time.monotonic() < until:
        await budget.submit()
        calls.add(asyncio.create_task(call(budget, service, "submit")))
    await asyncio.gather(*calls)


async def polls(budget: SharedBudget, service: Counting, until: float) -> None:
    while time.monotonic() < until:
        if await budget.take_poll():
            await call(budget, service, "poll")
        else:
            await asyncio.sleep(min(1.0, budget.wait_for_poll()))


class TestManyRooms:
    @pytest.mark.slow
    async def test_none_is_refused_the_minute_is_used_and_all_have_their_part(
        self, studio: str, tmp_path: Path
    ) -> None:
        service, begun = Counting(), time.monotonic()
        async with rooms(studio, tmp_path, 8) as budgets:
            await asyncio.gather(*(presses(one, service, begun + 4 * WINDOW) for one in budgets))
        assert service.refused == 0
        # of each window, the time between the grant of a call and its answer is lost
        assert service.per_window(begun + WINDOW, begun + 4 * WINDOW) > 0.7 * ALLOWED
        each = Counter(room for _, room, _ in service.arrived)
        assert len(each) == 8
        assert max(each.values()) - min(each.values()) <= 6, each

    @pytest.mark.slow
    async def test_presses_come_before_polls(self, studio: str, tmp_path: Path) -> None:
        service, begun = Counting(), time.monotonic()
        until = begun + 3 * WINDOW
        waited = []
        async with rooms(studio, tmp_path, 4) as budgets:

            async def press_now_and_then(budget: SharedBudget) -> None:
                while time.monotonic() < until:
                    asked = time.monotonic()
                    await budget.submit()
                    waited.append(time.monotonic() - asked)
                    await call(budget, service, "submit")
                    await asyncio.sleep(1.0)

            await asyncio.gather(
                *(polls(one, service, until) for one in budgets for _ in range(5)), press_now_and_then(budgets[0])
            )
        assert service.refused == 0
        assert max(waited) < 1.5, "ten of the window are kept for presses"
        assert Counter(kind for _, _, kind in service.arrived)["poll"] > 40

    async def test_a_429_stops_all_of_them(self, studio: str, tmp_path: Path) -> None:
        async with rooms(studio, tmp_path, 2) as [one, other]:
            assert await other.take_poll()
            one.block(60.0)
            async with asyncio.timeout(10):
                while await other.take_poll():
                    await asyncio.sleep(0.05)
            assert 50 < other.wait_for_poll() <= 60

    async def test_a_room_that_dies_with_a_grant_gives_it_back_by_itself(self, studio: str, tmp_path: Path) -> None:
        async with rooms(studio, tmp_path, 2) as [one, other]:
            for _ in range(ALLOWED - 10):
                assert await one.take_poll()
            assert not await other.take_poll(), "what was not answered counts"
            assert other.wait_for_poll() > 0


workers = st.sampled_from("abc")
kinds = st.sampled_from(["submit", "poll"])
calls = st.lists(st.builds(Call, st.floats(0, 200), workers, kinds), max_size=60)
waits = st.lists(st.builds(Waiting, workers, kinds, st.floats(0, 100)), max_size=6)


@given(workers, kinds, calls, waits)
@settings(max_examples=300)
def test_nothing_is_granted_that_is_too_much(
    me: str, kind: str, calls: Sequence[Call], waiting: Sequence[Waiting]
) -> None:
    wait = seconds_until(me, kind, 100.0, calls, waiting, ALLOWED, 60.0)  # type: ignore[arg-type]
    assert 0.0 <= wait <= 60.0
    if wait == 0.0:
        assert len(calls) < (ALLOWED if kind == "submit" else ALLOWED - 10)


@given(calls, waits)
@settings(max_examples=300)
def test_of_those_who_wait_for_a_free_place_somebody_gets_it(calls: Sequence[Call], waiting: Sequence[Waiting]) -> None:
    """Else all would wait for each other for ever."""
    if len(calls) >= ALLOWED - 10 or not any(one.kind == "submit" for one in waiting):
        return
    asked = [seconds_until(one.worker, one.kind, 100.0, calls, waiting, ALLOWED, 60.0) for one in waiting]
    assert 0.0 in asked
