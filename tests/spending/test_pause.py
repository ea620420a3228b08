"""Which reason of a pause counts if there are several: one that a person has to end is hidden by no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge_daemon.journal import Journal
from bridge_daemon.journal.restore import LOST
from bridge_daemon.spending.pause import PANIC, PauseGate, close_in
from bridge_daemon.util.times import Times

BY_ITSELF = ("401", "402", "certificate", "disk")
BY_A_PERSON = ("person", LOST)


async def paused_by(path: Path, *reasons: str) -> str:
    journal = Journal(path / "journal.sqlite3", Times())
    await journal.open()
    try:
        for reason in reasons:
            fact = await journal.write("pause", lambda tx, reason=reason: close_in(tx, reason, reason, 1.0))
        assert fact == await journal.read(lambda tx: tx.fact("pause"))
        return str(fact["reason"])
    finally:
        await journal.close()


@pytest.mark.parametrize("first", BY_ITSELF)
@pytest.mark.parametrize("then", BY_A_PERSON)
async def test_a_reason_that_only_a_person_ends_takes_the_place_of_one_that_ends_by_itself(
    tmp_path: Path, first: str, then: str
) -> None:
    assert await paused_by(tmp_path, first, then) == then
    assert await paused_by(tmp_path, then, first) == then


@pytest.mark.parametrize("other", [*BY_ITSELF, *BY_A_PERSON])
async def test_a_panic_stands_above_all(tmp_path: Path, other: str) -> None:
    assert await paused_by(tmp_path, other, PANIC) == PANIC
    assert await paused_by(tmp_path, PANIC, other) == PANIC


async def test_of_two_alike_the_first_stays(tmp_path: Path) -> None:
    assert await paused_by(tmp_path, "401", "402") == "401"
    assert await paused_by(tmp_path, "401", "person", LOST) == "person"


async def test_only_the_reason_that_is_meant_ends(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite3", Times())
    await journal.open()
    try:
        gate = PauseGate(journal, Times())
        assert not await gate.open(), "there is none"
        await gate.close("402", "no credits")
        assert not await gate.open(only="401")
        assert gate.current is not None
        assert await gate.open(only="402")
        assert gate.current is None
    finally:
        await journal.close()
