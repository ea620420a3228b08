"""The rule by which rooms share a minute, by examples; ``test_budget.py`` has it with a database, and at random."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import AsyncMock

import pytest

from bridge_daemon.studio.budget import Call, SharedBudget, Waiting, seconds_until

NOW, WINDOW = 100.0, 60.0


def calls(count: int, worker: str = "x", kind: Any = "submit", at: float = 90.0) -> list[Call]:
    return [Call(at, worker, kind)] * count


def wait(kind: Any, counting: list[Call], waiting: list[Waiting] | None = None, *, me: str = "me") -> float:
    return seconds_until(me, kind, NOW, counting, waiting or [], 50, WINDOW)


@pytest.mark.parametrize(("kind", "most"), [("submit", 50), ("poll", 40)])
def test_as_many_as_are_allowed(kind: str, most: int) -> None:
    assert wait(kind, calls(most - 1)) == 0.0
    assert wait(kind, calls(most)) == pytest.approx(90.0 + 60.0 + 0.2 - 100.0)


def test_one_that_is_too_much_waits_for_those_that_leave() -> None:
    leaving = [Call(at, "x", "submit") for at in (60.0, 50.0, 45.0)]
    assert wait("poll", [*leaving, *calls(38)]) == pytest.approx(45.0 + 60.2 - 100.0 + 5.0), "the second that leaves"
    assert wait("submit", [Call(39.0, "x", "submit"), *calls(49)]) == 0.05, "it leaves now"
    assert wait("submit", calls(50, at=130.0)) == 60.0, "no longer than the window"


def test_submits_come_before_polls() -> None:
    waiting = [Waiting("other", "submit", 1.0)]
    assert wait("poll", calls(38), waiting) == 0.0
    assert wait("poll", calls(39), waiting) > 0.0
    assert wait("submit", calls(49), [Waiting("other", "poll", 1.0)]) == 0.0
    assert wait("poll", calls(39), [Waiting("me", "submit", 1.0)]) > 0.0, "its own, too"
    assert wait("submit", calls(25, "me", "poll"), [Waiting("other", "poll", 1.0)]) == 0.0, "polls are no presses"


def test_of_those_that_wait_who_was_granted_least_is_the_next() -> None:
    counting = [*calls(1, "me"), *calls(48)]
    assert wait("submit", counting, [Waiting("other", "submit", 99.0)]) > 0.0
    assert wait("submit", [*calls(1, "other"), *calls(48)], [Waiting("other", "submit", 1.0)]) == 0.0


def test_polls_that_were_granted_do_not_count_for_presses() -> None:
    counting = [*calls(5, "me", "poll"), *calls(1, "other"), *calls(43)]
    assert wait("submit", counting, [Waiting("other", "submit", 1.0)]) == 0.0


def test_where_all_places_go_to_others_it_is_asked_again() -> None:
    assert wait("submit", [], [Waiting(f"w{number}", "submit", 1.0) for number in range(50)]) == 1.0
    many = [Waiting(f"w{number}", "submit", 1.0) for number in range(60)]
    assert wait("submit", calls(1), many) == pytest.approx(90.0 + 60.2 - 100.0), "once the last has left"


def test_of_those_that_were_granted_as_much_who_waits_longer_is_the_next() -> None:
    for mine, free in ((1.0, True), (3.0, False)):
        waiting = [Waiting("me", "submit", mine), Waiting("other", "submit", 2.0)]
        assert (wait("submit", calls(49), waiting) == 0.0) is free
    assert wait("submit", calls(49), [Waiting("other", "submit", 2.0)]) > 0.0, "who did not wait comes last"


def test_of_those_that_came_together_one_is_the_next() -> None:
    waiting = [Waiting("me", "submit", 1.0), Waiting("other", "submit", 1.0)]
    assert [wait("submit", calls(49), waiting, me=me) == 0.0 for me in ("me", "other")] == [True, False]


def test_polls_are_divided_by_those_who_want_to() -> None:
    waiting = [Waiting("other", "poll", 1.0)]
    assert wait("poll", calls(19, "me", "poll"), waiting) == 0.0
    assert wait("poll", calls(20, "me", "poll"), waiting) == 1.0
    assert wait("poll", calls(20, "me", "poll")) == 0.0, "nobody else wants to"
    assert wait("poll", calls(20, "me", "submit"), waiting) == 0.0, "its presses are no polls"
    assert wait("poll", calls(20, "other", "poll"), waiting) == 0.0
    many = [Waiting(f"w{number}", "poll", 1.0) for number in range(60)]
    assert wait("poll", [], many) == 0.0, "one is everybody's"


async def test_submits_of_a_room_go_in_order_and_what_was_not_sent_goes_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    budget = SharedBudget(AsyncMock(), "me", 50)
    asked: list[str] = []
    told: list[int] = []
    answers = [0.0, 0.5]

    def ask(kind: str) -> float:
        asked.append(kind)
        if not (wait := answers.pop(0)):
            budget._sent.append(len(asked))
        return wait

    monkeypatch.setattr(budget, "_ask", ask)
    monkeypatch.setattr(budget, "_told", told.append)
    assert await budget.take_submit()
    budget.give_back()
    assert await budget.take_submit(), "in its place"
    assert asked == ["submit"]
    budget.answered()
    assert told == [1]
    assert not await budget.take_submit()
    async with budget._order:
        asked.clear()
        async with asyncio.timeout(5):
            assert not await budget.take_submit(), "others of this room wait already"
        assert asked == []
    await asyncio.to_thread(budget._pool.shutdown)
