"""The one place that changes a job: every move of the table, none beside it, one event for each, and one winner."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from bridge_daemon.domain.job import MOVES, OPEN, RESERVED, TERMINAL, Charge, Job, Parameters, Problem, State
from bridge_daemon.domain.request import Place
from bridge_daemon.engine.protocol import Answer
from bridge_daemon.errors import NotFound, WrongState
from bridge_daemon.journal import Journal, Transaction
from bridge_daemon.journal import statements as sql
from bridge_daemon.journal.rows import from_row
from tests.fakes.service import Service
from tests.journal.conftest import add, journal_at, new_job
from tests.support import press, running, tone, until

pytestmark = pytest.mark.both
PAIRS = list(itertools.product(State, State))


def kinds(tx: Transaction, job: Job) -> list[str]:
    return [event["kind"] for event in tx.events_of(job.id)]


class TestTheTable:
    def test_every_state_has_its_moves(self) -> None:
        assert set(MOVES) == set(State)

    def test_nothing_that_may_be_charged_goes_back_to_where_it_would_be_sent_again(self) -> None:
        """But from submitting, where the outcome is certain: never sent, or 429."""
        for state in State:
            if state not in RESERVED | {State.HELD, State.SUBMITTING}:
                assert not MOVES[state] & (RESERVED | {State.HELD, State.SUBMITTING}), state

    def test_only_what_is_reserved_is_submitted(self) -> None:
        assert {state for state in State if State.SUBMITTING in MOVES[state]} == RESERVED

    def test_only_what_was_certainly_not_sent_is_cancelled(self) -> None:
        assert {state for state in State if State.CANCELLED in MOVES[state]} == RESERVED | {
            State.HELD,
            State.SUBMITTING,
        }

    def test_the_end_is_the_end_but_for_one_more_delivery(self) -> None:
        for state in TERMINAL:
            assert MOVES[state] == ({State.STORED} if state is State.PLACED else frozenset())

    def test_every_other_state_leads_on(self) -> None:
        for state in set(State) - TERMINAL:
            assert MOVES[state], state
        assert not OPEN & TERMINAL


@pytest.mark.parametrize(("before", "after"), PAIRS, ids=[f"{a}-{b}" for a, b in PAIRS])
async def test_a_move_is_one_of_the_table_or_changes_nothing(journal: Journal, before: State, after: State) -> None:
    job = await journal.write("test", lambda tx: add(tx, state=before))
    if after in MOVES[before]:
        moved = await journal.write("test", lambda tx: tx.move(job, after, event={"why": "test"}, text="moved"))
        assert (moved.state, moved.text) == (after, "moved")
        assert await journal.read(lambda tx: tx.job(job.id)) == moved
        [_, event] = await journal.read(lambda tx: tx.events_of(job.id))
        assert (event["kind"], event["data"]) == (str(after), {"from": str(before), "why": "test"})
    else:
        with pytest.raises(WrongState):
            await journal.write("test", lambda tx: tx.move(job, after))
        assert await journal.read(lambda tx: tx.job(job.id)) == job
        assert len(await journal.read(lambda tx: tx.events_of(job.id))) == 1


class TestTheGuard:
    """A change counts only if the job still is in the state that its caller saw."""

    async def test_a_caller_who_saw_another_state_changes_nothing(self, journal: Journal) -> None:
        seen = await journal.write("test", add)
        now = await journal.write("test", lambda tx: tx.move(seen, State.CANCELLED))
        problem = Problem(code="E-X", text="x", since=0.0, next="")
        for late in (
            lambda tx: tx.move(seen, State.SUBMITTING, charge=Charge.POSSIBLE),
            lambda tx: tx.note(seen, "late", {}, wanted=False),
            lambda tx: tx.touch(seen, fraction=0.5),
            lambda tx: tx.set_problem(seen, problem),
        ):
            with pytest.raises(WrongState, match="not queued any more"):
                await journal.write("test", late)
        assert await journal.read(lambda tx: tx.job(seen.id)) == now
        assert await journal.read(lambda tx: kinds(tx, seen)) == ["queued", "cancelled"]

    async def test_of_many_moves_at_once_one_wins(self, journal: Journal) -> None:
        seen = await journal.write("test", add)
        targets = [State.SUBMITTING, State.CANCELLED, State.HELD, State.PREPARING] * 5
        results = await asyncio.gather(
            *(journal.write("test", lambda tx, to=to: tx.move(seen, to)) for to in targets), return_exceptions=True
        )
        won = [result for result in results if isinstance(result, Job)]
        assert len(won) == 1
        assert all(isinstance(result, Job | WrongState) for result in results)
        assert await journal.read(lambda tx: kinds(tx, seen)) == ["queued", str(won[0].state)]

    async def test_two_journals_on_one_file_still_have_one_winner(self, journal: Journal) -> None:
        other = journal_at(journal.path.parent)
        await other.open()
        try:
            for _ in range(10):
                seen = await journal.write("test", add)
                results = await asyncio.gather(
                    *(
                        each.write("test", lambda tx, job=seen: tx.move(job, State.SUBMITTING))
                        for each in (journal, other)
                    ),
                    return_exceptions=True,
                )
                assert sorted(type(result).__name__ for result in results) == ["Job", "WrongState"]
        finally:
            await other.close()

    async def test_nobody_writes_between_what_a_transaction_reads_and_what_it_writes(self, journal: Journal) -> None:
        """A limit that is looked at and passed is one deed: the lock is taken before the first look."""
        other = Journal(journal.path, journal.times)
        await other.open()
        order: list[str] = []
        looked, go_on = threading.Event(), threading.Event()

        def look_and_write(tx: Transaction) -> None:
            tx.spent()
            looked.set()
            go_on.wait(1)  # long enough for the other one to come between
            add(tx)
            order.append("first")

        def write(tx: Transaction) -> None:
            order.append("second")
            add(tx)

        try:
            first = asyncio.create_task(journal.write("test", look_and_write))
            await asyncio.to_thread(looked.wait)
            second = asyncio.create_task(other.write("test", write))
            await asyncio.wait([second], timeout=0.3)
            go_on.set()
            await asyncio.gather(first, second)
        finally:
            await other.close()
        assert order == ["first", "second"]

    async def test_a_transaction_that_fails_leaves_nothing(self, journal: Journal) -> None:
        told: list[Job] = []
        journal.listen(told.append)

        def half(tx: Transaction) -> None:
            job = add(tx)
            tx.move(job, State.SUBMITTING)
            raise RuntimeError("in the middle")

        with pytest.raises(RuntimeError, match="in the middle"):
            await journal.write("test", half)
        assert await journal.read(lambda tx: tx.find()) == []
        assert told == []
        assert (await journal.write("test", add)).state is State.QUEUED, "and the next one finds the journal as it was"

    async def test_listeners_hear_of_each_job_once_and_after_the_commit(self, journal: Journal) -> None:
        told: list[Job] = []
        journal.listen(told.append)

        def twice(tx: Transaction) -> Job:
            job = tx.move(add(tx), State.PREPARING)
            assert told == []
            return tx.touch(job, fraction=0.25)

        last = await journal.write("test", twice)
        assert told == [last]


class TestOneRemoteId:
    async def test_belongs_to_one_job(self, journal: Journal) -> None:
        def attach(tx: Transaction, **given: Any) -> Job:
            return tx.note(add(tx, state=State.GENERATING, **given), "attached", {}, remote_id="remote-1")

        await journal.write("test", attach)
        assert await journal.read(lambda tx: tx.remote_id_taken("https://service.example", "remote-1"))
        with pytest.raises(IntegrityError):
            await journal.write("test", attach)
        await journal.write("test", lambda tx: attach(tx, base_url="https://other.example"))
        assert len(await journal.read(lambda tx: tx.find())) == 2

    async def test_many_jobs_have_none_yet(self, journal: Journal) -> None:
        await journal.write("test", lambda tx: [add(tx) for _ in range(3)])
        assert not await journal.read(lambda tx: tx.remote_id_taken("https://service.example", "remote-1"))


class TestWhatIsKept:
    async def test_a_job_comes_back_as_it_was_written(self, journal: Journal) -> None:
        job = new_job(notes=("a", "b"), client="reaper", retry_of="job000000", valid_until=5.5)

        def write(tx: Transaction) -> Job:
            tx.add_request(
                job.request_id, kind="request", client=None, body_hash="b", fingerprint="f", body={}, answer={}
            )
            tx.add_jobs([job])
            return tx.job(job.id)

        kept = await journal.write("test", write)
        same = {"seq": kept.seq, "room": journal.room, "created_at": kept.created_at, "updated_at": kept.updated_at}
        assert kept == job.evolve(**same)

    async def test_an_accepted_id_is_known_with_its_press(self, journal: Journal) -> None:
        body = {"prompt": "Größe %s 🎹", "place": {"position": 1.5}, "none": None}

        def write(tx: Transaction) -> None:
            given: dict[str, Any] = {"kind": "request", "client": None, "body_hash": "h", "fingerprint": "p"}
            tx.add_request("one", **given, body=body, answer={"usd": 0.58})
            tx.set_fact("some", {"key": [1, None]})

        await journal.write("test", write)
        before = await journal.read(lambda tx: tx.accepted("one"))
        assert before is not None
        assert (before.body_hash, before.body, before.answer) == ("h", body, {"usd": 0.58})
        pressed = await journal.read(lambda tx: tx.pressed_at("p", since=before.created_at - 1))
        assert pressed == before.created_at
        assert await journal.read(lambda tx: tx.pressed_at("p", since=before.created_at + 1)) is None
        assert await journal.read(lambda tx: tx.accepted("two")) is None
        assert await journal.read(lambda tx: tx.facts("some", "other")) == [{"key": [1, None]}, None]

    async def test_any_text_that_a_request_may_hold_is_kept_and_found(self, journal: Journal) -> None:
        place = Place(project="Größe\0 %_\\", token="a\0b")
        parameters = Parameters(prompt="rain\0 🎹 'x'", duration=1.0, seed=1)
        job = await journal.write("test", lambda tx: add(tx, place=place, parameters=parameters, tags=("é\0",)))
        found = await journal.read(lambda tx: tx.job(job.id))
        assert (found.parameters, found.place.token, found.tags) == (parameters, "a\0b", ("é\0",))
        for search in ({"project": "Größe %_\\"}, {"q": "🎹 'X"}, {"q": "é"}, {"tag": "é\0"}):
            assert await journal.read(lambda tx, search=search: tx.find(**search)) == [found], search

    async def test_the_raw_answer_is_cut_at_64_kib(self, journal: Journal) -> None:
        job = await journal.write("test", add)
        for body in (b"x" * 100_000, "é".encode() * 50_000, bytes([255]) * 70_000):
            event = Answer(status=200, body=body).as_event()
            await journal.write("test", lambda tx, event=event: tx.add_event(job.id, "answer", event))
            [*_, kept] = await journal.read(lambda tx: tx.events_of(job.id))
            assert kept["data"] == event
            assert len(kept["data"]["body"].encode("utf-8").decode("utf-8")) <= 4 * 65_536
            if body[:1] == b"x":
                assert kept["data"]["body"] == "x" * 65_536

    async def test_events_are_in_order_and_only_added(self, journal: Journal) -> None:
        job = await journal.write("test", add)
        for state in (State.PREPARING, State.QUEUED, State.SUBMITTING, State.UNKNOWN, State.DISMISSED):
            job = await journal.write("test", lambda tx, job=job, state=state: tx.move(job, state))
        assert await journal.read(lambda tx: kinds(tx, job)) == [
            "queued", "preparing", "queued", "submitting", "unknown", "dismissed",
        ]  # fmt: skip

    async def test_the_same_problem_keeps_the_time_since_when_it_is_there(self, journal: Journal) -> None:
        job = await journal.write("test", add)

        def say(code: str, text: str, since: float) -> Any:
            problem = Problem(code=code, text=text, since=since, next="wait")
            return journal.write("test", lambda tx: tx.set_problem(tx.job(job.id), problem))

        assert (await say("E-POLL", "500", 1.0)).problem.since == 1.0
        assert (await say("E-POLL", "502", 2.0)).problem.since == 1.0
        assert (await say("E-GONE", "404", 3.0)).problem.since == 3.0
        cleared = await journal.write("test", lambda tx: tx.set_problem(tx.job(job.id), None))
        assert cleared.problem is None

    async def test_what_is_not_there(self, journal: Journal) -> None:
        with pytest.raises(NotFound):
            await journal.read(lambda tx: tx.job("nothing"))
        assert await journal.read(lambda tx: tx.accepted("nothing")) is None


class TestMoney:
    async def test_what_counts(self, journal: Journal) -> None:
        today = journal.times.day()
        for state, charge, day, price in (
            (State.QUEUED, Charge.NONE, None, 1),
            (State.PREPARING, Charge.NONE, None, 10),
            (State.HELD, Charge.NONE, None, 100),
            (State.UNKNOWN, Charge.POSSIBLE, today, 1_000),
            (State.FAILED, Charge.CONFIRMED, today, 10_000),
            (State.PLACED, Charge.CONFIRMED, "2001-01-01", 100_000),
            (State.PLACED, Charge.CONFIRMED, "2999-01-01", 1_000_000),  # the clock was set back since
            (State.REFUSED, Charge.NONE, None, 10_000_000),
        ):

            def write(
                tx: Transaction,
                state: State = state,
                charge: Charge = charge,
                day: str | None = day,
                price: int = price,
            ) -> None:
                tx.touch(add(tx, state=state, charge=charge, price=price), charge_day=day)

            await journal.write("test", write)
        spent = await journal.read(lambda tx: tx.spent())
        assert spent.reserved == 11
        assert spent.day == 1_011_000
        assert spent.month == 1_011_000


async def test_what_listeners_are_told_is_what_is_written(tmp_path: Path) -> None:
    """A transaction knows the job that it wrote without reading it again; this holds it to that."""
    sound = tone(tmp_path / "Gespräch 1.wav", seconds=7.3)
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        told: list[tuple[Job, Job]] = []

        def compare(tx: Transaction) -> None:
            told.extend((job, from_row(_row(tx, job))) for job in tx.changed.values())

        inner = daemon.journal._write

        def write(name: str, work: Callable[[Transaction], Any]) -> Any:
            def and_compare(tx: Transaction) -> Any:
                result = work(tx)
                compare(tx)
                return result

            return inner(name, and_compare)

        daemon.journal._write = write  # type: ignore[method-assign]
        place = {"track": "Bass", "position": 4, "length": 7.25, "token": "Größe"}
        source = {"path": str(sound), "start": 0.1, "end": 7}
        job = await press(daemon, action="transform", source=source, place=place, variations=2, duration=7)
        await until(daemon, job)
    assert len(told) > 10
    for known, written in told:
        assert known == written


def _row(tx: Transaction, job: Job) -> Any:
    return tx._connection.execute(sql.JOB, {"job": job.id}).mappings().one()


@pytest.mark.parametrize("to", sorted(RESERVED & MOVES[State.SUBMITTING] | {State.HELD, State.CANCELLED}))
async def test_what_may_be_charged_goes_back_only_with_the_certainty_that_it_is_not(
    journal: Journal, to: State
) -> None:
    job = await journal.write("test", add)
    job = await journal.write("test", lambda tx: tx.move(job, State.SUBMITTING, charge=Charge.POSSIBLE))
    with pytest.raises(WrongState):
        await journal.write("test", lambda tx: tx.move(job, to))
    assert await journal.read(lambda tx: tx.job(job.id)) == job
    back = await journal.write("test", lambda tx: tx.move(job, to, charge=Charge.NONE))
    assert (back.state, back.charge) == (to, Charge.NONE)


class TestSumsOfATransaction:
    """They are counted once, and go with what the transaction changes."""

    async def test_they_are_what_another_look_would_find(self, journal: Journal) -> None:
        def work(tx: Transaction) -> list[Job]:
            def look() -> None:
                known = tx.spent(), tx.spent_by_client("one"), tx.spent_by_client("two"), tx.spent_by_all()
                tx._sums.clear()
                assert known == (tx.spent(), tx.spent_by_client("one"), tx.spent_by_client("two"), tx.spent_by_all())
                sums.append(known[0])

            sums: list[Any] = []
            look()
            first = add(tx, client="one", price=1)
            look()
            second = add(tx, client="two", price=10)
            add(tx, client="two", price=100, state=State.HELD)
            look()
            today = tx._times.day()
            first = tx.move(first, State.SUBMITTING, charge=Charge.POSSIBLE, charge_day=today)
            look()
            tx.move(second, State.CANCELLED)
            tx.move(first, State.QUEUED, charge=Charge.NONE, charge_day=None)
            look()
            assert [(one.day, one.reserved) for one in sums] == [(0, 0), (0, 1), (0, 11), (1, 10), (0, 1)]
            return [first]

        assert await journal.write("test", work)


async def test_an_error_of_the_database_means_the_same_on_the_short_way(journal: Journal) -> None:
    """Whoever waits for a disk or a network knows it by its class, and what was begun is rolled back."""
    job = new_job()

    def work(tx: Transaction) -> None:
        add(tx, price=7)
        tx.add_request("x", kind="request", client=None, body_hash="b", fingerprint="f", body={}, answer={})
        tx.add_request("x", kind="request", client=None, body_hash="b", fingerprint="f", body={}, answer={})

    with pytest.raises(IntegrityError) as caught:
        await journal.write("test", work)
    assert "fingerprint" in str(caught.value)
    assert "'f'" not in str(caught.value), "parameters are hidden"
    assert (await journal.read(lambda tx: tx.spent())).reserved == 0
    assert (await journal.write("test", lambda tx: add(tx, price=job.price))).price == job.price
