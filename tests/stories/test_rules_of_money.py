"""Rules of money, each in a short story of its own: quick, so that a broken one is told within a second."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from typing import Any
from unittest.mock import AsyncMock

import pytest
from sqlalchemy.exc import OperationalError

from bridge_daemon.domain.job import Charge, Job, State
from bridge_daemon.engine.choice import Choice
from bridge_daemon.errors import JournalUnusable, OtherEngine, Stale
from bridge_daemon.journal import Transaction
from bridge_daemon.journal.record import Record
from bridge_daemon.pipeline import disk
from bridge_daemon.pipeline import submit as module
from tests.stories.by_hand import ByHand, Shelf
from tests.stories.short import again, charge_day, code_of, pressed, sent, submit
from tests.stories.test_small_bounds import PRICE, body

CHAIN = {"id": body(90)["id"], "preset": "bass", "duration": 6}


def wait_of(hand: ByHand, job: Job) -> float:
    return hand._due[job.id] - hand.clock.monotonic()


# What an answer means

MEANS = {
    "ok": (State.GENERATING, Charge.CONFIRMED, None),
    "lost": (State.UNKNOWN, Charge.POSSIBLE, "E-UNKNOWN"),
    "lost before it was read": (State.UNKNOWN, Charge.POSSIBLE, "E-UNKNOWN"),
    "502": (State.UNKNOWN, Charge.POSSIBLE, "E-UNKNOWN"),
    "broken off": (State.UNKNOWN, Charge.POSSIBLE, "E-UNKNOWN"),
    "no id": (State.UNKNOWN, Charge.POSSIBLE, "E-UNKNOWN"),
    "429": (State.QUEUED, Charge.NONE, None),
    "422": (State.REFUSED, Charge.NONE, "E-REFUSED"),
    "402": (State.REFUSED, Charge.NONE, "E-REFUSED"),
    "offline": (State.QUEUED, Charge.NONE, "E-NOT-SENT"),
}
SAID = {State.UNKNOWN: "may have been charged", State.REFUSED: "Nothing was charged", State.QUEUED: "Nothing was sent"}


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("word", MEANS)
async def test_what_an_answer_means(hand: ByHand, word: str, at_once: bool) -> None:
    state, charge, code = MEANS[word]
    hand.vendor.next_posts.append(word)
    await hand.press(body(1), at_once=at_once)
    [job] = await hand.jobs() if at_once else [await submit(hand, (await hand.jobs())[0])]
    assert (job.state, job.charge) == (state, charge)
    assert (await charge_day(hand, job) is None) is (charge is Charge.NONE)
    assert code_of(job) == code
    assert job.problem is None or SAID[state] in job.problem.text
    assert (job.remote_id is not None) is (state is State.GENERATING)
    assert len(hand.vendor.posts) == (word != "offline")
    written = await hand.journal.read(lambda tx: tx.fact("pause"))
    for pause in (written, hand.context.pause.current):
        assert (pause["reason"] if pause else None) == ("402" if word == "402" else None)
    assert (hand.context.budget.wait_for_poll() > 0) is (word == "429")


async def test_an_id_that_the_service_gave_before_is_no_other_take(hand: ByHand) -> None:
    first = await sent(hand)
    second = await sent(hand, "old id", number=2)
    assert (second.state, second.charge, second.remote_id) == (State.UNKNOWN, Charge.POSSIBLE, None)
    assert (second.text, code_of(second)) == ("perhaps sent; waits for you", "E-DUPLICATE")
    assert await charge_day(hand, second) == await charge_day(hand, first)


@pytest.mark.parametrize(
    ("word", "state"), [("ok", State.GENERATING), ("502 and made", State.UNKNOWN), ("old id", State.UNKNOWN)]
)
async def test_an_answer_that_comes_after_others_took_it_for_lost(hand: ByHand, word: str, state: State) -> None:
    await sent(hand)
    job = await pressed(hand, word, number=2)
    trouble = hand.context.problem(OtherEngine("lost"))

    async def lost(name: str) -> None:
        await hand.journal.write(
            "test", lambda tx: tx.move(tx.job(name), State.UNKNOWN, charge=Charge.POSSIBLE, problem=trouble)
        )

    hand.vendor.seen = lost
    job = await submit(hand, job)
    assert job.state is state
    attached = state is State.GENERATING
    assert (job.remote_id is not None, job.problem is None) == (attached, attached)
    assert job.charge is (Charge.CONFIRMED if attached else Charge.POSSIBLE)
    assert (job.text == "the service makes it") is attached


async def test_an_answer_after_a_person_has_closed_it_changes_nothing(hand: ByHand) -> None:
    job = await pressed(hand)

    async def closed(name: str) -> None:
        await hand.journal.write("test", lambda tx: tx.move(tx.job(name), State.UNKNOWN, charge=Charge.POSSIBLE))
        await hand.journal.write("test", lambda tx: tx.move(tx.job(name), State.DISMISSED, charge=Charge.CONFIRMED))

    hand.vendor.seen = closed
    assert (await submit(hand, job)).state is State.DISMISSED


async def test_an_answer_is_written_once_the_journal_can_be_written_again(
    hand: ByHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, fails = hand.journal.write, ["answered", "outcome", "late_answer"]

    async def lost(name: str) -> None:
        await write("test", lambda tx: tx.move(tx.job(name), State.UNKNOWN, charge=Charge.POSSIBLE))

    async def failing(name: str, work: Callable[[Transaction], Any]) -> Any:
        if name in fails:
            fails.remove(name)
            raise OperationalError("", {}, Exception("disk I/O error"))
        return await write(name, work)

    monkeypatch.setattr(hand.journal, "write", failing)
    hand.vendor.seen = lost
    assert (await sent(hand)).state is State.GENERATING
    assert fails == []


async def test_who_is_stopped_on_the_wire_does_not_know(hand: ByHand) -> None:
    job, arrived = await pressed(hand), asyncio.Event()

    async def never(_: str) -> None:
        arrived.set()
        await asyncio.Event().wait()

    hand.vendor.seen = never
    sending = asyncio.create_task(hand._step(job))
    await arrived.wait()
    await hand.context.on_wire.finish(0)
    await asyncio.gather(sending, return_exceptions=True)
    job = await again(hand, job)
    assert (job.state, job.charge) == (State.UNKNOWN, Charge.POSSIBLE)


# What is looked at before anything is sent


async def test_what_is_being_sent_says_since_when_and_has_no_problem(hand: ByHand) -> None:
    job = await sent(hand, "offline")
    assert job.problem is not None
    hand.clock.offset += 60
    began: list[tuple[Job, str | None]] = []

    async def look(_: str) -> None:
        began.append((await again(hand, job), await charge_day(hand, job)))

    hand.vendor.seen = look
    await submit(hand, job)
    [(job, day)] = began
    assert (job.state, job.charge, job.problem) == (State.SUBMITTING, Charge.POSSIBLE, None)
    assert (job.submitted_at, day) == (hand.clock.now(), hand.clock.day())


async def test_nothing_is_sent_without_room_for_the_take(hand: ByHand, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(disk, "_no_room", lambda *_: "it is full")
        job = await sent(hand)
    assert hand.vendor.posts == []
    assert (job.state, job.charge) == (State.QUEUED, Charge.NONE)
    assert job.problem is not None
    assert job.problem.code == "E-DISK"


async def test_nothing_is_sent_while_it_is_paused(hand: ByHand) -> None:
    job = await pressed(hand)
    await hand.actions.pause()
    assert await submit(hand, job) == job
    assert hand.vendor.posts == []
    await hand.actions.resume()


async def test_nothing_is_sent_while_the_room_that_asked_is_paused(
    hand: ByHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await pressed(hand)
    with monkeypatch.context() as patch:
        patch.setattr(Transaction, "paused", lambda *_: True)
        await hand.step()
        assert wait_of(hand, job) > 1
        assert hand.vendor.posts == []


async def test_what_was_cancelled_meanwhile_is_not_sent(hand: ByHand) -> None:
    job = await pressed(hand)
    await hand.cancel(job)
    assert (await submit(hand, job)).state is State.CANCELLED
    assert hand.vendor.posts == []


async def test_what_was_held_meanwhile_is_not_sent(hand: ByHand) -> None:
    job = await pressed(hand)
    await hand.context.hold(job, OtherEngine("no"))
    assert (await submit(hand, job)).state is State.HELD
    assert hand.vendor.posts == []


@pytest.mark.parametrize("word", ["offline", "429"])
async def test_what_was_cancelled_on_the_wire_is_not_sent_again(hand: ByHand, word: str) -> None:
    job = await pressed(hand, word)
    await hand.journal.write("test", lambda tx: tx.touch(tx.job(job.id), wanted=False))
    job = await submit(hand, job)
    assert (job.state, job.charge, await charge_day(hand, job)) == (State.CANCELLED, Charge.NONE, None)


async def test_what_was_cancelled_on_the_wire_and_refused_is_refused(hand: ByHand) -> None:
    job = await pressed(hand, "422")
    await hand.journal.write("test", lambda tx: tx.touch(tx.job(job.id), wanted=False))
    assert (await submit(hand, job)).state is State.REFUSED


async def test_another_bridge_has_it(hand: ByHand, monkeypatch: pytest.MonkeyPatch) -> None:
    job = await pressed(hand)
    with monkeypatch.context() as patch:
        patch.setattr(hand.context.ownership, "holds", lambda *_: False)
        assert await submit(hand, job) == job
        await hand.press(body(2), at_once=True)
        assert hand.vendor.posts == []
        assert [job.state for job in await hand.jobs()] == [State.QUEUED] * 2


async def test_what_took_too_long_to_be_written_is_not_sent_by_then(
    hand: ByHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others of the studio may have written meanwhile that it is unknown, and somebody may have sent it again."""
    job, late = await pressed(hand), [True]
    monkeypatch.setattr(hand.context.ownership, "late", lambda _: bool(late and late.pop()))
    job = await submit(hand, job)
    assert (job.state, job.charge, await charge_day(hand, job)) == (State.QUEUED, Charge.NONE, None)
    assert hand.vendor.posts == []
    assert (await submit(hand, job)).state is State.GENERATING


async def test_nothing_is_sent_by_a_journal_that_is_not_the_one_that_was_opened(
    hand: ByHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await pressed(hand)
    with monkeypatch.context() as patch:
        patch.setattr(hand.journal._database, "check", _gone)
        job = await submit(hand, job)
    assert (job.state, code_of(job)) == (State.QUEUED, "E-JOURNAL")
    assert hand.vendor.posts == []


def _gone() -> None:
    raise JournalUnusable("It is another file.")


@pytest.mark.parametrize("at_once", [False, True])
async def test_nothing_is_sent_without_its_line_in_the_record(
    hand: ByHand, monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    def full(self: Record, lines: Any) -> None:
        if any("row" in line for line in lines):
            raise OSError(errno.EIO, "it does not take it")

    with monkeypatch.context() as patch:
        patch.setattr(Record, "add", full)
        await hand.press(body(1), at_once=at_once)
        await hand.step()
        [job] = await hand.jobs()
        assert (job.state, job.charge, await charge_day(hand, job)) == (State.QUEUED, Charge.NONE, None)
        assert hand.vendor.posts == []


async def test_the_engine_that_it_was_admitted_for_is_the_one_that_it_is_sent_to(
    hand: ByHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await pressed(hand)
    with monkeypatch.context() as patch:
        patch.setattr(hand.context.engines, "current", _another_engine)
        job = await submit(hand, job)
    assert (job.state, code_of(job)) == (State.HELD, OtherEngine.code)
    assert hand.vendor.posts == []


async def _another_engine() -> Choice:
    return Choice("empiriolabs", "https://another.example")


async def test_it_is_sent_to_the_very_end_of_its_time_and_not_later(hand: ByHand) -> None:
    job = await pressed(hand, valid_for=600)
    late = await pressed(hand, number=2, valid_for=599)
    hand.clock.offset += 600
    assert (await submit(hand, job)).state is State.GENERATING
    held = await submit(hand, late)
    assert (held.state, code_of(held)) == (State.HELD, "E-STALE")
    assert len(hand.vendor.posts) == 1


async def test_a_clock_that_stood_while_the_machine_slept_makes_no_job_younger(hand: ByHand) -> None:
    job = await pressed(hand, valid_for=600)
    hand.clock.offset += 700
    hand.clock.shift -= 700
    job = await submit(hand, job)
    assert (job.state, code_of(job)) == (State.HELD, "E-STALE")


async def test_a_clock_that_was_set_back_sends_nothing_by_itself(hand: ByHand) -> None:
    job = await pressed(hand)
    await hand.restart()  # else it is known how long it waited
    hand.clock.shift -= 5
    assert (await sent(hand, "offline", number=2)).state is State.QUEUED
    assert (await submit(hand, job)).state is State.GENERATING
    job = await pressed(hand, number=3)
    hand.clock.shift -= 5.5
    await hand.restart()
    assert (await again(hand, job)).state is State.HELD


@pytest.mark.parametrize(
    ("word", "seconds", "state"), [("429", 600, State.QUEUED), ("429", 601, State.HELD), ("422", 601, State.REFUSED)]
)
async def test_what_comes_back_unsent_waits_within_its_time(
    hand: ByHand, word: str, seconds: int, state: State
) -> None:
    job = await pressed(hand, word, valid_for=600)

    async def pass_time(_: str) -> None:
        hand.clock.offset += seconds

    hand.vendor.seen = pass_time
    job = await submit(hand, job)
    assert (job.state, job.charge, await charge_day(hand, job)) == (state, Charge.NONE, None)
    assert (job.problem is not None) is (state is not State.QUEUED)


async def test_the_price_is_looked_at_again(hand: ByHand) -> None:
    job = await pressed(hand)
    await hand.ask(PRICE + 0.1)
    job = await submit(hand, job)
    assert (job.state, code_of(job)) == (State.HELD, "E-PRICE")
    assert hand.vendor.posts == []


async def test_the_limit_is_looked_at_again(hand: ByHand) -> None:
    job = await pressed(hand)
    hand.set_limit(PRICE - 0.01)
    job = await submit(hand, job)
    assert (job.state, code_of(job)) == (State.HELD, "E-LIMIT")
    assert hand.vendor.posts == []


async def test_tries_to_reach_the_service_become_rarer(hand: ByHand) -> None:
    job, waits = await pressed(hand, valid_for=90_000), []
    for _ in range(12):
        if len(waits) == 11:
            hand.context.watch(job).errors = 5000  # of two days
        hand.vendor.next_posts.append("offline")
        await hand.step()
        waits.append(wait_of(hand, job))
        hand.clock.offset += 60
    assert 0.5 <= waits[0] <= 1.0
    assert 1.0 <= waits[1] <= 2.0
    assert 30.0 <= waits[-1] <= 60.0
    await hand.step()
    assert wait_of(hand, job) == 0.0


async def test_a_refused_key_is_read_again(hand: ByHand, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bool] = []
    monkeypatch.setattr(hand.context.engines, "reload_key", lambda: read.append(True))
    job = await sent(hand, "401")
    assert (job.state, read) == (State.REFUSED, [True])


# What is not sent at once, with its press


async def long_way(hand: ByHand, **given: Any) -> Job:
    """Press so that it would be sent at once, and see that it is admitted and not sent."""
    seen = len(hand.vendor.posts)
    await hand.press(body(9) | given, at_once=True)
    job = (await hand.jobs())[-1]
    assert len(hand.vendor.posts) == seen, hand.told
    assert job.charge is Charge.NONE
    assert hand.context.marked == set()
    return job


async def test_a_press_that_is_paused_takes_no_request_from_others(
    hand: ByHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a studio they would have to wait for it, though it is given back."""
    taken = AsyncMock(return_value=True)
    monkeypatch.setattr(hand.context.budget, "take_submit", taken)
    await hand.actions.pause()
    await hand.press(body(1), at_once=True)
    assert await hand.jobs() == []
    assert not taken.called


async def test_what_has_a_source_is_not_sent_at_once(hand: ByHand) -> None:
    """It would be paid for, and the service could not fetch the source."""
    await sent(hand)
    await hand.pass_time(5, 3)
    [take] = await hand.jobs()
    assert (await long_way(hand, action="transform", source={"take": take.id})).state is State.QUEUED


async def test_what_was_admitted_for_another_engine_is_not_sent_at_once(
    hand: ByHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The setting was changed between the look at the key and the transaction."""
    with monkeypatch.context() as patch:
        found = [await hand.context.engines.current(), await _another_engine()]
        patch.setattr(hand.context.engines, "current", AsyncMock(side_effect=lambda: found.pop()))
        assert (await long_way(hand)).state is State.QUEUED


async def test_a_sketch_is_not_sent_at_once(hand: ByHand) -> None:
    """There is no key for it, and its engine may have to be started."""
    hand.change("engine", name="sketch")
    assert (await long_way(hand)).engine == "sketch"
    hand.change("engine", name="empiriolabs")
    await hand.cancel((await hand.jobs())[-1])


async def test_what_is_paused_in_the_last_moment_is_not_sent_at_once(
    hand: ByHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Transaction, "paused", lambda *_: True)
        assert (await long_way(hand)).state is State.QUEUED


async def test_what_is_held_in_the_last_moment_is_not_sent_at_once(
    hand: ByHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stale(*_: object) -> None:
        raise Stale("It was slow.")

    monkeypatch.setattr(module, "check_age", stale)
    assert (await long_way(hand)).state is State.HELD


# Chains, and what is sent with a source


async def chain(hand: ByHand) -> tuple[Job, Job]:
    """Press a chain, and return its jobs once the second is ready to be sent."""
    await hand.press(CHAIN)
    for _ in range(100):
        drums, bass = await hand.jobs()
        if bass.publication is not None:
            return drums, bass
        if not await hand.step():
            hand.clock.offset += 1
    raise AssertionError([*hand.told])


async def test_a_chain_sends_each_once_and_in_order(hand: ByHand) -> None:
    await hand.press(CHAIN)
    await hand.pass_time(5, 12)
    drums, bass = await hand.jobs()
    assert [post.job for post in hand.vendor.posts] == [drums.id, bass.id]
    assert bass.source is not None
    assert bass.source.takes == (drums.id,)


async def test_what_is_made_of_a_take_that_never_comes_is_held(hand: ByHand) -> None:
    hand.vendor.next_posts.append("422")
    await hand.press(CHAIN)
    await hand.pass_time(5, 4)
    drums, bass = await hand.jobs()
    assert (drums.state, bass.state) == (State.REFUSED, State.HELD)
    assert [post.job for post in hand.vendor.posts] == [drums.id]


async def test_a_source_that_cannot_be_fetched_any_more_is_published_again(hand: ByHand) -> None:
    _, bass = await chain(hand)
    hand.vendor.shelf.end()
    bass = await submit(hand, bass)
    assert (bass.state, bass.publication) == (State.PREPARING, None)
    assert len(hand.vendor.posts) == 1
    await hand.work()
    assert len(hand.vendor.posts) == 2


async def test_a_source_that_another_bridge_published_is_published_again(hand: ByHand) -> None:
    _, bass = await chain(hand)
    assert bass.publication is not None
    withdrawn: list[str] = []
    hand.vendor.shelf.withdrawn = withdrawn
    other = Shelf().publication_of(bass, by="another")
    await hand.journal.write("test", lambda tx: tx.touch(bass, publication=other))
    bass = await submit(hand, await again(hand, bass))
    assert bass.publication is None
    assert withdrawn == [other.url]
    assert len(hand.vendor.posts) == 1


async def test_the_time_of_a_source_runs_from_when_it_is_sent(hand: ByHand) -> None:
    _, bass = await chain(hand)
    del hand.vendor.shelf.restored[:]
    await submit(hand, bass)
    assert bass.publication is not None
    assert hand.vendor.shelf.restored == [bass.publication.url]
