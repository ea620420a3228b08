"""When pads may spend and how much: the moment at which their time ends, and the last micro-dollar of their sum."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from bridge_daemon.errors import Disarmed
from bridge_daemon.frontends.midi.arming import Arming, OverBudget
from bridge_daemon.settings.sections import MidiSettings
from tests.support import Clock

SUM = 2_000_000  # micro-dollars


def transaction(spent: int = 0) -> Any:
    return SimpleNamespace(spent_by=lambda _, since: spent if since == 7 else 0)


@pytest.fixture
def clock() -> Clock:
    made = Clock()
    made.stop()
    return made


@pytest.fixture
async def stage(clock: Clock) -> AsyncIterator[Arming]:
    """Pads that are armed for a minute and two dollars."""

    async def read(_: object) -> int:
        return 7

    journal: Any = SimpleNamespace(read=read)
    made = Arming(journal, lambda: MidiSettings(arm_minutes=1, arm_budget_usd=2), clock, lambda _: None)
    assert not made.armed
    await made.arm()
    yield made
    made.disarm("the end")


@pytest.mark.parametrize(("seconds", "armed"), [(0.0, True), (59.5, True), (60.0, False), (61.0, False)])
async def test_they_are_armed_until_their_time_is_over(
    stage: Arming, clock: Clock, seconds: float, armed: bool
) -> None:
    check = stage.guard()
    clock.offset = seconds
    assert stage.armed is armed
    if armed:
        check(transaction(), 1)
    else:
        with pytest.raises(Disarmed):
            check(transaction(), 1)


async def test_a_press_counts_for_the_arming_that_it_was_made_in(stage: Arming) -> None:
    check = stage.guard()
    await stage.arm()
    with pytest.raises(Disarmed):
        check(transaction(), 1)
    stage.disarm("somebody said so")
    assert not stage.armed
    with pytest.raises(Disarmed):
        stage.guard()(transaction(), 1)


@pytest.mark.parametrize(
    ("spent", "total", "taken"),
    [(0, SUM, True), (0, SUM + 1, False), (SUM - 1, 1, True), (SUM, 1, False), (SUM + 1, 0, True)],
)
async def test_they_spend_their_sum_to_the_last(stage: Arming, spent: int, total: int, taken: bool) -> None:
    if taken:
        stage.guard()(transaction(spent), total)
    else:
        with pytest.raises(OverBudget):
            stage.guard()(transaction(spent), total)
