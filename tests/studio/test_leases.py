"""Who may work on a job: one bridge at a time, alive, and not while the room that asked is there. Without daemons."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from bridge_daemon.domain.job import Charge, Job, State
from bridge_daemon.errors import SettingsInvalid
from bridge_daemon.journal import Journal
from bridge_daemon.studio import leases
from bridge_daemon.studio.database import Postgres
from bridge_daemon.studio.membership import Membership
from tests.journal.conftest import add
from tests.studio.pressing import room

ENGINE, URL = "empiriolabs", "https://service.example"


class Party:
    """One bridge: its journal and its membership, of which nothing runs by itself."""

    def __init__(self, journal: Journal, kind: str, token: str) -> None:
        database = journal._database
        assert isinstance(database, Postgres)
        self.journal, self.database = journal, database
        self.member = Membership(database, journal, token=token, kind=kind)

    async def add(self, state: State = State.QUEUED, **given: Any) -> Job:
        return await self.journal.write("add", lambda tx: add(tx, state=state, engine=ENGINE, base_url=URL, **given))

    async def holds(self, job: Job) -> bool:
        return await self.journal.write("lease", lambda tx: self.member.holds(tx, job))

    async def beat(self) -> None:
        await self.member._off(self.member._beat)

    async def silent(self, seconds: float = 2 * leases.DEAD) -> None:
        """Have the others not have heard of it for so long."""
        await self.run("UPDATE workers SET seen_at = seen_at - :by WHERE id = :id", by=seconds, id=self.member.name)

    async def free(self, engine: str = ENGINE, *, sources: bool = False) -> Sequence[str]:
        def look() -> Sequence[str]:
            with self.database.plain() as connection:
                return leases.free(connection, self.member.worker, engine, URL, sources=sources)

        return await self.member._off(look)

    async def run(self, statement: str, **given: Any) -> None:
        def write() -> None:
            with self.database.plain() as connection:
                connection.execute(text(statement), given)

        await self.member._off(write)


@pytest.fixture
async def parties(studio: str, tmp_path: Path) -> AsyncIterator[dict[str, Party]]:
    """Two rooms and a keeper, and the left room once more, in a process that was started before."""
    made = {}
    names = {"before": "left", "left": "left", "right": "right", "keeper": "keeper"}
    for name, its in names.items():
        journal = room(studio, tmp_path / name, its)
        await journal.open()
        made[name] = Party(journal, leases.KEEPER if its == "keeper" else leases.ROOM, its)
        await made[name].member.join()
    yield made
    for party in made.values():
        party.member._pool.shutdown()
        await party.journal.close()


async def test_a_job_is_one_bridges_at_a_time(parties: dict[str, Party]) -> None:
    left, keeper = parties["left"], parties["keeper"]
    job = await left.add()
    assert await left.holds(job)
    assert await left.holds(job), "it stays its own"
    assert not await keeper.holds(job)
    await left.silent()
    assert await keeper.holds(job), "nobody alive has it"
    assert not await left.holds(job), "who was taken for dead takes nothing"
    await left.beat()
    assert not await left.holds(job)
    await keeper.member.leave(job)
    assert await left.holds(job)


async def test_who_was_silent_for_too_long_takes_nothing(parties: dict[str, Party]) -> None:
    left = parties["left"]
    job = await left.add()
    await left.silent()
    assert not await left.holds(job)
    await left.beat()
    assert await left.holds(job)


async def test_a_room_takes_nothing_of_one_that_is_there(parties: dict[str, Party]) -> None:
    left, right = parties["left"], parties["right"]
    job = await left.add()
    assert not await right.holds(job)
    await left.silent()
    assert await right.holds(job)


async def test_of_two_processes_of_a_home_only_the_later_one_takes_jobs(parties: dict[str, Party]) -> None:
    before, left = parties["before"], parties["left"]
    job = await left.add()
    assert not await before.holds(job)
    await before.beat()
    assert before.member._replaced
    assert not await before.member.take(job)
    assert not left.member._replaced
    assert await left.member.take(job)


async def test_two_homes_are_not_one_room(parties: dict[str, Party]) -> None:
    left = parties["left"]
    other = Party(left.journal, leases.ROOM, "another home")
    with pytest.raises(SettingsInvalid, match="is the room left already"):
        await other.member.join()
    await left.silent()
    await other.member.join()
    other.member._pool.shutdown()


async def test_a_start_has_no_job_yet(parties: dict[str, Party]) -> None:
    left, keeper = parties["left"], parties["keeper"]
    job = await left.add()
    assert await left.holds(job)
    await left.member.join()
    assert await keeper.holds(job)


async def test_a_beat_forgets_what_is_over_and_learns_what_it_has(parties: dict[str, Party]) -> None:
    left = parties["left"]
    job, over = await left.add(), await left.add(State.PLACED, charge=Charge.CONFIRMED)
    for one in (job, over):
        assert await left.holds(one)
    await left.beat()
    assert left.member._held == {job.id}
    assert left.member._rooms == {"left", "right"}


async def test_what_a_bridge_works_on(parties: dict[str, Party]) -> None:
    left, keeper = parties["left"], parties["keeper"]
    for party in (left, keeper):
        await party.beat()
    mine = await left.add()
    assert await left.member.take(mine), "who sends it is decided in the transaction of its submit"
    assert not await keeper.member.take(mine), "its room is there"
    paid = await left.add(State.GENERATING, charge=Charge.CONFIRMED)
    assert await keeper.holds(paid)
    assert not await left.member.take(paid), "another one follows it"
    assert paid.id in left.member._others
    await keeper.member.leave(paid)
    assert await left.member.take(paid)
    for state in (State.STORED, State.UNKNOWN, State.HELD):
        assert not await keeper.member.take(await left.add(state, charge=Charge.CONFIRMED)), "that is for its room"
    await left.silent()
    await keeper.beat()
    assert await keeper.member.take(mine)
    assert keeper.member._held >= {mine.id}
    assert await keeper.member.take(mine)


async def test_what_a_dead_room_was_sending_is_taken_while_another_of_its_name_is_back(
    parties: dict[str, Party],
) -> None:
    left, keeper = parties["left"], parties["keeper"]
    await keeper.beat()
    job = await left.add(State.SUBMITTING, charge=Charge.POSSIBLE)
    assert await keeper.member.take(job)


async def test_a_keeper_goes_on_with_what_a_dead_room_left(parties: dict[str, Party]) -> None:
    left, right, keeper = parties["left"], parties["right"], parties["keeper"]
    far, past = 4e9, 1.0
    waiting = await left.add(valid_until=far)
    paid = await left.add(State.GENERATING, charge=Charge.CONFIRMED)
    await left.add(valid_until=past)
    await left.add(State.FETCHING, charge=Charge.CONFIRMED, original="/there.wav")
    transform = await left.add(action="transform", valid_until=far)
    assert await keeper.free() == []
    assert set(await left.free()) >= {waiting.id, paid.id, transform.id}
    await left.silent()
    assert set(await keeper.free(sources=True)) == {waiting.id, paid.id}, "no source lies in the store"
    assert set(await right.free()) == {paid.id}
    assert await keeper.free("sketch") == []
    await keeper.run(
        "INSERT INTO stored (job, kind, worker, name, sha256, file, there, gone) "
        "VALUES (:job, 'source', 'w', 'n', 's', 'f', true, false)",
        job=transform.id,
    )
    assert set(await keeper.free()) == {waiting.id, paid.id}
    assert set(await keeper.free(sources=True)) == {waiting.id, paid.id, transform.id}
    assert await keeper.holds(paid)
    assert set(await right.free()) == set()
    await left.journal.write("pause", lambda tx: tx.set_fact("pause", {"reason": "person", "text": "x", "since": 0}))
    assert set(await keeper.free(sources=True)) == set()


async def test_so_late_that_others_may_take_it_for_dead(
    parties: dict[str, Party], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By either clock: one stands still while a machine sleeps, and one may be set."""
    member = parties["left"].member
    half = leases.DEAD / 2
    for passed, late in (((0, 0), False), ((half, half), False), ((half + 1, 0), True), ((0, half + 1), True)):
        monkeypatch.setattr(member, "now", lambda passed=passed: (100.0 + passed[0], 7.0 + passed[1]))
        assert member.late((100.0, 7.0)) is late


async def test_whose_a_job_is(parties: dict[str, Party]) -> None:
    job = await parties["left"].add()
    assert parties["left"].member.asked_here(job)
    assert not parties["right"].member.asked_here(job)
    assert not parties["keeper"].member.asked_here(replace(job, room="keeper")), "a keeper is no room"
