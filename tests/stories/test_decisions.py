"""What people, clients and a start decide about money, each in a short story of its own."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from bridge_daemon.domain.job import Charge, Job, Problem, State
from bridge_daemon.errors import BridgeError, IdReused, LimitReached, NotPlaceable, OtherEngine, WrongState
from bridge_daemon.journal import Journal
from bridge_daemon.pipeline import confirm
from tests.stories.by_hand import ByHand
from tests.stories.short import again, charge_day, code_of, pressed, sent, stored, submit
from tests.stories.test_small_bounds import PRICE, body

CHAIN = {"id": body(90)["id"], "preset": "bass", "duration": 6, "valid_for": 600}


def uuid(number: int) -> str:
    return str(body(number)["id"])


async def placed(hand: ByHand, job: Job, delivery: int) -> tuple[Job, str]:
    hand.confirmed.add((job.id, delivery))
    return await hand.journal.write("placed", lambda tx: confirm.placed(tx, job.id, delivery))


async def unplaced(hand: ByHand, job: Job, delivery: int, code: str = "", message: str = "") -> tuple[Job, str]:
    now = hand.clock.now()
    return await hand.journal.write("unplaced", lambda tx: confirm.unplaced(tx, job.id, delivery, code, message, now))


async def events(journal: Journal, job: Job) -> list[str]:
    return [event["kind"] for event in await journal.read(lambda tx: tx.events_of(job.id))]


# What a client says of a delivery


async def test_only_the_delivery_that_is_due_is_placed_and_once(hand: ByHand) -> None:
    job = await stored(hand, client="reaper")
    with pytest.raises(WrongState):
        await placed(hand, job, 2)
    await unplaced(hand, job, 1)
    job, said = await placed(hand, job, 1)
    assert (job.state, job.problem, said) == (State.PLACED, None, "Placed.")
    assert await placed(hand, job, 1) == (job, "It was placed already.")
    assert await unplaced(hand, job, 1) == (job, "It was placed already.")
    await hand.actions.deliver(job.id)
    job = await again(hand, job)
    assert (job.state, job.delivery) == (State.STORED, 2)
    older = "That was an older delivery of this take; nothing has changed."
    assert await placed(hand, job, 1) == (job, older)
    assert await unplaced(hand, job, 1) == (job, older)
    assert (await placed(hand, job, 2))[1] == "Placed."


async def test_why_it_could_not_be_placed_is_told_once(hand: ByHand) -> None:
    job = await stored(hand, client="reaper")
    job, _ = await unplaced(hand, job, 1, "NO-TRACK", "the track is gone")
    assert job.problem is not None
    assert job.problem.text.startswith("reaper could not place the take: the track is gone (NO-TRACK). It is safe: ")
    assert not confirm.is_due(job)
    assert await unplaced(hand, job, 1, "NO-TRACK", "the track is gone") == (job, (await unplaced(hand, job, 1))[1])
    assert (await events(hand.journal, job)).count("unplaced") == 2
    job = await again(hand, job)
    assert job.problem is not None
    assert "it did not say why. It is safe" in job.problem.text


async def test_a_client_without_a_name_could_not_place_it(hand: ByHand) -> None:
    job = await stored(hand)
    await hand.actions.deliver(job.id)
    job, _ = await unplaced(hand, job, 2, message="no")
    assert job.problem is not None
    assert job.problem.text.startswith("The client could not")
    hand.confirmed.add((job.id, 2))


async def test_nothing_is_placed_of_what_was_never_delivered(hand: ByHand) -> None:
    job = await sent(hand)
    for say in (placed, unplaced):
        with pytest.raises(WrongState):
            await say(hand, job, 0)


OTHER = Problem(code="E-POLL", text="x", since=0.0, next="x")
UNPLACED = Problem(code=NotPlaceable.code, text="x", since=0.0, next="x")


@pytest.mark.parametrize(
    ("changes", "due"),
    [
        ({}, True),
        ({"problem": OTHER}, True),
        ({"problem": UNPLACED}, False),
        ({"state": State.PLACED}, False),
        ({"wanted": False}, False),
        ({"delivery": 0}, False),
    ],
)
async def test_which_takes_wait_for_their_client(hand: ByHand, changes: dict[str, Any], due: bool) -> None:
    job = await pressed(hand)
    assert confirm.is_due(job.evolve(**{"state": State.STORED, "delivery": 1} | changes)) is due


# A start


async def started(hand: ByHand, job: Job) -> Job:
    await hand.restart()
    return await again(hand, job)


async def test_what_is_paid_for_is_no_matter_of_age(hand: ByHand) -> None:
    job = await sent(hand, valid_for=600)
    hand.clock.offset += 700
    assert (await started(hand, job)).state is State.GENERATING


@pytest.mark.parametrize(("seconds", "state"), [(600, State.QUEUED), (601, State.HELD)])
async def test_what_was_not_sent_goes_on_within_its_time(hand: ByHand, seconds: int, state: State) -> None:
    job = await pressed(hand, valid_for=600)
    hand.clock.offset += seconds
    job = await started(hand, job)
    assert (job.state, code_of(job)) == (state, "E-STALE" if state is State.HELD else None)


@pytest.mark.parametrize("refused", [False, True])
async def test_a_source_is_published_anew_by_the_next_process(hand: ByHand, refused: bool) -> None:
    await hand.press(CHAIN)
    while (bass := (await hand.jobs())[1]).publication is None:
        if not await hand.step():
            hand.clock.offset += 1
    if refused:
        hand.vendor.next_posts.append("429")
        bass = await submit(hand, bass)
        assert (bass.state, bass.publication is None) == (State.QUEUED, False)
    bass = await started(hand, bass)
    assert (bass.state, bass.publication) == (State.QUEUED, None)


SUBMITS = {
    ("ok", "journal.submitting.committed:1"): (State.UNKNOWN, Charge.POSSIBLE),
    ("ok", "socket.submit.answered:1"): (State.UNKNOWN, Charge.POSSIBLE),
    ("ok", "journal.answered.committed:1"): (State.GENERATING, Charge.CONFIRMED),
    ("502", "journal.answered.committed:1"): (State.UNKNOWN, Charge.POSSIBLE),
    ("lost", "journal.answered.committed:1"): (State.UNKNOWN, Charge.POSSIBLE),
    ("offline", "journal.answered.committed:1"): (State.QUEUED, Charge.NONE),
    ("429", "journal.answered.committed:1"): (State.QUEUED, Charge.NONE),
    ("422", "journal.answered.committed:1"): (State.REFUSED, Charge.NONE),
}


@pytest.mark.parametrize(("word", "point"), SUBMITS)
async def test_what_the_last_process_was_sending(hand: ByHand, word: str, point: str) -> None:
    job = await pressed(hand, word)
    hand.plan(point)
    await hand.step()
    assert hand.crashes == 1
    job = await again(hand, job)
    assert (job.state, job.charge) == SUBMITS[word, point]


async def test_the_answer_to_an_earlier_try_says_nothing_of_this_one(hand: ByHand) -> None:
    job = await pressed(hand, "429", "ok")
    hand.plan("socket.submit.answered:2")
    await hand.step()
    await hand.pass_time(10)
    assert hand.crashes == 1
    assert (await again(hand, job)).state is State.UNKNOWN


async def test_what_another_bridge_sends_is_not_read_here(hand: ByHand, monkeypatch: pytest.MonkeyPatch) -> None:
    job = await pressed(hand)
    day = hand.clock.day()
    job = await hand.journal.write(
        "test", lambda tx: tx.move(job, State.SUBMITTING, charge=Charge.POSSIBLE, charge_day=day)
    )
    assert hand.daemon is not None
    with monkeypatch.context() as patch:
        patch.setattr(hand.context.ownership, "holds", lambda *_: False)
        with pytest.raises(WrongState):
            await hand.daemon.parts.conveyor._recover(job)
    assert (await again(hand, job)).state is State.SUBMITTING


# What a person decides


async def test_cancelling_ends_what_was_not_sent(hand: ByHand) -> None:
    waiting = await pressed(hand)
    held = await pressed(hand, number=2)
    await hand.context.hold(held, OtherEngine("no"))
    for job in (waiting, held):
        await hand.actions.cancel(job.id)
        job = await again(hand, job)
        assert (job.state, job.charge, job.problem) == (State.CANCELLED, Charge.NONE, None)
    with pytest.raises(WrongState):
        await hand.actions.cancel(held.id)


async def test_cancelling_what_was_sent_only_keeps_it_from_being_placed(hand: ByHand) -> None:
    job = await sent(hand)
    said = await hand.actions.cancel(job.id)
    assert "$0.58 is spent" in said["message"]
    job = await again(hand, job)
    assert (job.state, job.wanted) == (State.GENERATING, False)


async def test_a_held_job_is_sent_once_for_its_retry(hand: ByHand) -> None:
    job = await pressed(hand)
    await hand.context.hold(job, OtherEngine("no"))
    hand.clock.offset += 300
    asked = {"id": uuid(2)}
    await hand.actions.retry(job.id, asked)
    job = await again(hand, job)
    assert (job.state, job.problem, job.publication) == (State.QUEUED, None, None)
    assert job.valid_until == hand.clock.now() + 600
    await hand.context.hold(job, OtherEngine("again"))
    assert (await hand.actions.retry(job.id, asked))["message"] == "This retry was accepted before."
    assert (await again(hand, job)).state is State.HELD


async def test_two_of_the_same_retry_at_once_are_one(hand: ByHand) -> None:
    job = await pressed(hand)
    await hand.context.hold(job, OtherEngine("no"))
    asked = {"id": uuid(2)}
    said = await asyncio.gather(*(hand.actions.retry(job.id, asked) for _ in range(2)))
    assert sorted(one["message"] for one in said) == [
        "It is sent now; it costs $0.58.",
        "This retry was accepted before.",
    ]


@pytest.mark.parametrize("why", ["pause", "limit", "price", "question", "engine"])
async def test_a_held_job_goes_through_the_checks_of_money(hand: ByHand, why: str) -> None:
    job = await pressed(hand)
    await hand.context.hold(job, OtherEngine("no"))
    if why == "pause":
        await hand.actions.pause()
    elif why == "limit":
        hand.set_limit(PRICE - 0.1)
    elif why == "price":
        await hand.ask(PRICE + 0.1)
    elif why == "question":
        hand.change("spend", confirm_above_usd=0.1)
    else:
        hand.change("engine", base_url="https://another.example")
    with pytest.raises(BridgeError):
        await hand.actions.retry(job.id, {"id": uuid(2)})
    assert (await again(hand, job)).state is State.HELD
    if why == "question":
        with pytest.raises(BridgeError, match="confirm_usd"):
            await hand.actions.retry(job.id, {"id": uuid(2), "confirm_usd": "all"})
        await hand.actions.retry(job.id, {"id": uuid(2), "confirm_usd": PRICE})
        assert (await again(hand, job)).state is State.QUEUED


async def test_a_retry_has_an_id(hand: ByHand) -> None:
    job = await pressed(hand)
    await hand.context.hold(job, OtherEngine("no"))
    with pytest.raises(BridgeError, match="id"):
        await hand.actions.retry(job.id, {})


async def test_a_retry_that_was_free_never_becomes_one_that_costs(hand: ByHand) -> None:
    job = await sent(hand)
    asked = {"id": uuid(2)}
    await hand.actions.retry(job.id, asked)
    hand.vendor.always = "failed"
    await hand.pass_time(5, 3)
    assert (await again(hand, job)).state is State.FAILED
    assert (await hand.actions.retry(job.id, asked))["message"] == "This retry was accepted before."
    assert len(await hand.jobs()) == 1


async def test_an_unknown_job_is_sent_again_once_and_both_count(hand: ByHand) -> None:
    job = await sent(hand, "lost")
    ids = [uuid(2), uuid(3)]
    tries = [hand.actions.resolve(job.id, {"action": "submit_again", "id": one}) for one in ids]
    said = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(one, WrongState) for one in said) == 1
    old, new = await hand.jobs()
    assert (old.state, old.charge, old.problem, new.retry_of) == (State.DISMISSED, Charge.POSSIBLE, None, job.id)
    assert await charge_day(hand, old) is not None
    with pytest.raises(WrongState):
        await hand.actions.resolve(new.id, {"action": "submit_again", "id": uuid(4)})


async def test_submitting_again_goes_through_the_limit_and_leaves_it_unknown(hand: ByHand) -> None:
    hand.set_limit(PRICE + 0.1)
    job = await sent(hand, "lost")
    with pytest.raises(LimitReached):
        await hand.actions.resolve(job.id, {"action": "submit_again", "id": uuid(2)})
    assert (await again(hand, job)).state is State.UNKNOWN


@pytest.mark.parametrize(("charged", "charge"), [(True, Charge.CONFIRMED), (False, Charge.NONE)])
async def test_closing_an_unknown_job_counts_what_the_person_says(hand: ByHand, charged: bool, charge: Charge) -> None:
    job = await sent(hand, "lost" if charged else "lost before it was read")
    with pytest.raises(BridgeError, match="charged"):
        await hand.actions.resolve(job.id, {"action": "dismiss", "charged": "no"})
    await hand.actions.resolve(job.id, {"action": "dismiss", "charged": charged})
    job = await again(hand, job)
    assert (job.state, job.charge, job.problem) == (State.DISMISSED, charge, None)
    assert (await charge_day(hand, job) is None) is not charged
    with pytest.raises(WrongState):
        await hand.actions.resolve(job.id, {"action": "dismiss", "charged": False})


async def test_the_evidence_for_an_unknown_job_is_its_own_id(hand: ByHand) -> None:
    first = await sent(hand)
    job = await sent(hand, "lost", number=2)
    for name in ("", " ", 7, "x" * 5000):
        with pytest.raises(BridgeError, match="remote_id"):
            await hand.actions.resolve(job.id, {"action": "attach", "remote_id": name})
    with pytest.raises(WrongState):
        await hand.actions.resolve(job.id, {"action": "attach", "remote_id": first.remote_id})
    await hand.actions.resolve(job.id, {"action": "attach", "remote_id": f" {hand.vendor.charged(job.id)[0]} "})
    job = await again(hand, job)
    assert (job.state, job.charge, job.problem) == (State.GENERATING, Charge.CONFIRMED, None)
    with pytest.raises(WrongState):
        await hand.actions.resolve(job.id, {"action": "attach", "remote_id": "another"})
    with pytest.raises(BridgeError, match="action"):
        await hand.actions.resolve(job.id, {"action": "forget"})


async def test_a_job_that_the_service_lost_may_be_closed_or_given_another_id(hand: ByHand) -> None:
    job = await sent(hand)
    lost = hand.context.problem(OtherEngine("lost"))
    await hand.journal.write("test", lambda tx: tx.set_problem(tx.job(job.id), lost))
    await hand.actions.resolve(job.id, {"action": "attach", "remote_id": "remote-9"})
    job = await again(hand, job)
    assert (job.state, job.remote_id, job.problem) == (State.GENERATING, "remote-9", None)
    await hand.journal.write("test", lambda tx: tx.set_problem(tx.job(job.id), lost))
    await hand.actions.resolve(job.id, {"action": "dismiss", "charged": True})
    assert (await again(hand, job)).state is State.DISMISSED


async def test_a_command_is_done_once_for_its_id(hand: ByHand) -> None:
    job = await stored(hand, client="reaper")
    for _ in range(3):
        await hand.actions.deliver(job.id, once=uuid(2))
    assert (await again(hand, job)).delivery == 2
    await hand.actions.retry(job.id, {"id": uuid(3)})
    await hand.actions.retry(job.id, {"id": uuid(3)})
    assert (await again(hand, job)).delivery == 3
    with pytest.raises(IdReused):
        await hand.actions.cancel(job.id, once=uuid(2))


async def test_only_a_take_that_is_there_is_delivered(hand: ByHand) -> None:
    job = await sent(hand)
    with pytest.raises(WrongState, match="no take to deliver"):
        await hand.actions.deliver(job.id)


async def test_a_take_that_was_not_wanted_is_wanted_once_it_is_delivered(hand: ByHand) -> None:
    job = await sent(hand)
    await hand.actions.cancel(job.id)
    await hand.pass_time(5, 3)
    await hand.actions.deliver(job.id, {"track": "Bass"})
    job = await again(hand, job)
    assert (job.wanted, job.delivery, job.place.track) == (True, 1, "Bass")


async def test_what_is_on_its_way_is_not_retried(hand: ByHand) -> None:
    job = await pressed(hand)
    with pytest.raises(WrongState, match="on its way already"):
        await hand.actions.retry(job.id, {"id": uuid(2)})


async def test_a_retry_of_what_is_on_the_wire_only_says_so(hand: ByHand) -> None:
    job = await pressed(hand)
    said: list[str] = []

    async def retry(name: str) -> None:
        said.append((await hand.actions.retry(name, {}))["message"])

    hand.vendor.seen = retry
    await submit(hand, job)
    assert said == ["It is on the wire; its answer is awaited."]


async def test_what_ended_without_a_take_is_asked_for_anew_once_for_its_id(hand: ByHand) -> None:
    job = await sent(hand, "422")
    for _ in range(2):
        said = await hand.actions.retry(job.id, {"id": uuid(2)})
        assert said["retry_of"] == job.id
    assert len(await hand.jobs()) == 2


async def test_submitting_again_said_twice_is_one_new_job(hand: ByHand) -> None:
    job = await sent(hand, "lost")
    said = [await hand.actions.resolve(job.id, {"action": "submit_again", "id": uuid(2)}) for _ in range(2)]
    assert said[0]["id"] == said[1]["id"]
    assert len(await hand.jobs()) == 2


async def test_an_id_of_something_else_sends_no_held_job(hand: ByHand) -> None:
    job = await pressed(hand)
    await hand.context.hold(job, OtherEngine("no"))
    with pytest.raises(IdReused):
        await hand.actions.retry(job.id, {"id": uuid(1)})
    assert (await again(hand, job)).state is State.HELD


async def test_a_held_job_publishes_its_source_anew(hand: ByHand) -> None:
    await hand.press(CHAIN)
    while (bass := (await hand.jobs())[1]).publication is None:
        if not await hand.step():
            hand.clock.offset += 1
    await hand.context.hold(bass, OtherEngine("no"))
    await hand.actions.retry(bass.id, {"id": uuid(2)})
    assert (await again(hand, bass)).publication is None


async def test_what_is_being_fetched_is_given_no_other_id(hand: ByHand) -> None:
    job = await sent(hand)
    while (job := await again(hand, job)).state is not State.FETCHING:
        if not await hand.step():
            hand.clock.offset += 2
    lost = hand.context.problem(OtherEngine("lost"))
    await hand.journal.write("test", lambda tx: tx.set_problem(tx.job(job.id), lost))
    with pytest.raises(WrongState):
        await hand.actions.resolve(job.id, {"action": "attach", "remote_id": "another"})


async def test_only_what_is_paid_for_is_tried_at_once(hand: ByHand) -> None:
    job = await pressed(hand)
    assert hand.daemon is not None
    with pytest.raises(WrongState):
        await hand.daemon.parts.actions._nudge(job.id, {})


@pytest.mark.parametrize("expected", [False, True])
async def test_what_watches_over_a_pad_is_asked(hand: ByHand, expected: bool) -> None:
    def guard(_: object, total: int) -> None:
        raise LimitReached(f"{total} are too much.")

    assert hand.daemon is not None
    actions = hand.daemon.parts.actions
    if expected:  # a client was asked to make the request
        actions.expected[uuid(1)] = guard
    with pytest.raises(LimitReached, match="580000 are too much"):
        await actions.admit(body(1), guard=None if expected else guard)
    assert await hand.jobs() == []


async def test_a_take_that_continues_another_is_moved_by_where_it_begins(hand: ByHand) -> None:
    job = await stored(hand)
    parameters = replace(job.parameters, after=2.0)
    await hand.journal.write("test", lambda tx: tx.touch(tx.job(job.id), parameters=parameters))
    await hand.actions.deliver(job.id, {"position": 10.0})
    job = await again(hand, job)
    assert (job.place.position, job.stands.position) == (8.0, 10.0)
    hand.confirmed.add((job.id, 2))
