"""Cancel, retry, deliver, resolve, pause: what each does in every state, and what becomes of the money.

Every state is reached as in use: by what the service answers, what the settings say, or when the daemon ends.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from bridge_daemon.app.daemon import Daemon
from bridge_daemon.domain.job import TERMINAL, Charge, Job, State
from bridge_daemon.engine.protocol import Answer
from bridge_daemon.errors import BridgeError, WrongState
from bridge_daemon.journal import Transaction
from tests.fakes.service import Service
from tests.support import Clock, change, events, job_of, press, request, running, tone, until, until_event, until_seen

PRICE = 0.58


def fresh(**given: Any) -> dict[str, Any]:
    """Return the data of an action that may cost: with an id of its own."""
    return {"id": str(uuid.uuid4())} | given


async def refused(code: str, action: Awaitable[Any]) -> BridgeError:
    with pytest.raises(BridgeError) as caught:
        await action
    assert caught.value.code == code, caught.value.message
    return caught.value


async def spent(daemon: Daemon) -> float:
    return float((await daemon.actions.spend())["spent_today_usd"])


def close_gate(daemon: Daemon) -> None:
    """Let nothing be sent, without a pause that anybody knows of: jobs are admitted, and stay queued."""
    gate = daemon.parts.pause
    gate.current = {"reason": "test", "text": "test", "since": 0.0}
    gate._open.clear()


def open_gate(daemon: Daemon) -> None:
    gate = daemon.parts.pause
    gate.current = None
    gate._open.set()


class Stage:
    """A running daemon, the service, and a job that was brought into a state."""

    def __init__(self, daemon: Daemon, service: Service, job: str, body: dict[str, Any]) -> None:
        self.daemon, self.service, self.name, self.body = daemon, service, job, body
        self.actions = daemon.actions

    async def job(self) -> Job:
        return await job_of(self.daemon, self.name)

    async def others(self) -> list[Job]:
        return [job for job in await self.daemon.journal.read(lambda tx: tx.find()) if job.id != self.name]


#: How a job gets into each state: words for POST, poll and download, and what else has to be there.
SCRIPTS: dict[State, dict[str, list[str]]] = {
    State.SUBMITTING: {"post": ["silence"]},
    State.GENERATING: {"poll": ["status:busy*1000"]},
    State.FETCHING: {"download": ["silence"]},
    State.REFUSED: {"post": ["422"]},
    State.FAILED: {"poll": ["failed"]},
    State.UNKNOWN: {"post": ["accept_then_drop"]},
    State.DISMISSED: {"post": ["accept_then_drop"]},
}


@asynccontextmanager
async def stage(path: Path, state: State, **given: Any) -> AsyncIterator[Stage]:
    """Bring a job into a state."""
    given |= {"client": "reaper"} if state is State.STORED else {}
    if state is State.PREPARING:
        given |= {"action": "transform", "source": {"path": str(tone(path / "source.wav"))}}
    body = request(**given)
    async with Service() as service:
        if state is State.HELD:
            async with running(path / "home", service) as daemon:
                await hold(daemon, service, body)
        service.control(SCRIPTS.get(state, {}))
        async with running(path / "home", service) as daemon:
            if state in (State.QUEUED, State.CANCELLED):
                close_gate(daemon)
            if state is State.PREPARING:
                daemon.parts.budget.block(60)  # prepared, and it is not its turn yet
            answer, _ = await daemon.actions.admit(body)
            name = answer["jobs"][0]
            if state is State.CANCELLED:
                await daemon.actions.cancel(name)
            if state is State.DISMISSED:
                await until(daemon, name, {State.UNKNOWN})
                await daemon.actions.resolve(name, {"action": "dismiss", "charged": True})
            await until(daemon, name, {state})
            if state is State.STORED:
                await until_event(daemon, name, "delivery")
            try:
                yield Stage(daemon, service, name, body)
            finally:
                await daemon.cut()


async def hold(daemon: Daemon, service: Service, body: dict[str, Any]) -> None:
    """Leave a job that did not fit the limit any more when it was its turn."""
    close_gate(daemon)
    answer, _ = await daemon.actions.admit(body)
    change(daemon, spend={"per_day_usd": 0.0})
    open_gate(daemon)
    await until(daemon, answer["jobs"][0], {State.HELD})


BEFORE_THE_MONEY = [State.QUEUED, State.PREPARING, State.HELD]
AFTER_THE_MONEY = [State.SUBMITTING, State.GENERATING, State.FETCHING, State.UNKNOWN, State.STORED]


class TestCancel:
    @pytest.mark.parametrize("state", BEFORE_THE_MONEY)
    async def test_before_the_submit_costs_nothing(self, tmp_path: Path, state: State) -> None:
        async with stage(tmp_path, state) as on:
            said = await on.actions.cancel(on.name)
            assert (said["state"], said["charge"]) == ("cancelled", "none")
            assert "Nothing was spent" in said["message"]
            assert await on.actions.spend() | {"spent_today_usd": 0, "reserved_usd": 0} == await on.actions.spend()
            assert on.service.posts == []

    @pytest.mark.parametrize("state", AFTER_THE_MONEY)
    async def test_after_it_means_do_not_place(self, tmp_path: Path, state: State) -> None:
        async with stage(tmp_path, state) as on:
            before = await on.job()
            said = await on.actions.cancel(on.name)
            assert said["state"] == state
            assert said["charge"] == before.charge
            assert said["wanted"] is False
            maybe = state in (State.SUBMITTING, State.UNKNOWN)
            assert ("$0.58 may be spent" if maybe else "$0.58 is spent") in said["message"]
            assert await spent(on.daemon) == PRICE

    async def test_the_take_is_still_fetched_and_kept_and_not_placed(self, tmp_path: Path) -> None:
        async with Service() as service, running(tmp_path / "home", service) as daemon:
            service.script_poll("status:busy*3")
            name = await press(daemon)
            await until(daemon, name, {State.GENERATING})
            await daemon.actions.cancel(name)
            job = await until(daemon, name, {State.STORED})
            assert job.take is not None
            assert Path(job.take.file).is_file()
            await asyncio.sleep(0.2)
            assert (await job_of(daemon, name)).state is State.STORED
            await daemon.actions.deliver(name)  # wanted after all
            assert (await until(daemon, name)).state is State.PLACED

    @pytest.mark.parametrize("state", sorted(TERMINAL))
    async def test_at_the_end_there_is_nothing_to_cancel(self, tmp_path: Path, state: State) -> None:
        async with stage(tmp_path, state) as on:
            before = await on.job()
            error = await refused("E-STATE", on.actions.cancel(on.name))
            assert error.charge == before.charge
            assert await on.job() == before

    @pytest.mark.parametrize("word", ["429:1", "not sent"])
    async def test_a_cancelled_job_that_was_not_sent_after_all_is_never_sent(self, tmp_path: Path, word: str) -> None:
        """Cancelled while its POST was on the wire, and then the service said "later": later is never."""
        async with Service() as service, running(tmp_path / "home", service) as daemon:
            answered = asyncio.Event()
            held_back(daemon, answered)
            service.script_post("429:1" if word == "429:1" else "ok")
            if word == "not sent":
                await service.__aexit__(None, None, None)
            name = await press(daemon)
            await until(daemon, name, {State.SUBMITTING})
            assert (await daemon.actions.cancel(name))["wanted"] is False
            answered.set()
            job = await until(daemon, name)
            assert (job.state, job.charge) == (State.CANCELLED, Charge.NONE)
            assert await spent(daemon) == 0
            assert service.charges == []

    @pytest.mark.fault(34)
    async def test_racing_with_the_submit_one_of_the_two_happens(self, tmp_path: Path) -> None:
        """At forty different moments around the submit: cancelled and free, or sent and kept, and never both."""
        dice = random.Random(4)
        async with (
            Service(job_seconds=1000) as service,
            running(tmp_path / "home", service, engine={"max_open_jobs": 64}, spend={"per_day_usd": 100.0}) as daemon,
        ):
            names = await asyncio.gather(*(press_and_cancel(daemon, n, dice.uniform(0, 0.06)) for n in range(40)))
            for name in names:
                await until(daemon, name, {State.CANCELLED, State.GENERATING})
            jobs = [await job_of(daemon, name) for name in names]
            cancelled = [job for job in jobs if job.state is State.CANCELLED]
            assert all((job.charge, job.submitted_at) == (Charge.NONE, None) for job in cancelled)
            kept = [job for job in jobs if job.state is State.GENERATING]
            assert all((job.charge, job.wanted) == (Charge.CONFIRMED, False) for job in kept)
            assert len(service.charges) == len(service.posts) == len(kept)
            assert {charge.remote_id for charge in service.charges} == {job.remote_id for job in kept}


async def press_and_cancel(daemon: Daemon, number: int, seconds: float) -> str:
    name = await press(daemon, prompt=f"press {number}")
    await asyncio.sleep(seconds)
    await daemon.actions.cancel(name)
    return name


def held_back(daemon: Daemon, answered: asyncio.Event) -> None:
    """Let answers of the service reach the journal only once ``answered`` is set."""
    write = daemon.journal.write

    async def late(name: str, work: Callable[[Any], Any]) -> Any:
        if name == "answered":
            await answered.wait()
        return await write(name, work)

    daemon.journal.write = late  # type: ignore[method-assign]


class TestRetry:
    async def test_a_held_job_is_sent_itself(self, tmp_path: Path) -> None:
        async with stage(tmp_path, State.HELD) as on:
            data = fresh()
            said = await on.actions.retry(on.name, data)
            assert (said["job"], said["state"]) == (on.name, "queued")
            assert "$0.58" in said["message"]
            assert (await until(on.daemon, on.name)).state is State.PLACED
            assert await on.others() == []
            assert len(on.service.charges) == 1

    async def test_the_same_retry_again_does_nothing_more_whatever_became_of_it(self, tmp_path: Path) -> None:
        async with stage(tmp_path, State.HELD) as on:
            data = fresh()
            answers = await asyncio.gather(*(on.actions.retry(on.name, dict(data)) for _ in range(10)))
            assert {answer["job"] for answer in answers} == {on.name}
            placed = await until(on.daemon, on.name)
            again = await on.actions.retry(on.name, data)
            assert (again["state"], again["delivery"]) == ("placed", placed.delivery), "not even delivered once more"
            await refused("E-ID-REUSED", on.actions.admit(on.body | data))
            assert len(on.service.posts) == 1

    async def test_two_retries_of_a_held_job_at_once_are_one(self, tmp_path: Path) -> None:
        async with stage(tmp_path, State.HELD) as on:
            answers = await asyncio.gather(
                *(on.actions.retry(on.name, fresh()) for _ in range(5)), return_exceptions=True
            )
            # one that comes late finds the job on its way, and looks at it: that costs nothing
            sent = [one for one in answers if isinstance(one, dict) and "It is sent now" in one["message"]]
            assert len(sent) == 1
            await until(on.daemon, on.name)
            assert len(on.service.charges) == 1

    async def test_a_retry_that_saw_it_held_does_not_touch_what_another_has_on_the_wire(self, tmp_path: Path) -> None:
        """Both looked while it was held; the second comes when the request of the first is out and not answered."""
        async with stage(tmp_path, State.HELD) as on:
            held = await on.job()
            on.service.control({"post": ["slow_ok:0.5"]})
            await on.actions.retry(on.name, fresh())
            await until(on.daemon, on.name, {State.SUBMITTING})
            await refused("E-STATE", on.actions._retry_held(held, fresh()))
            assert (await on.job()).state is State.SUBMITTING
            assert (await until(on.daemon, on.name)).state is State.PLACED
            assert len(on.service.posts) == len(on.service.charges) == 1

    async def test_a_held_job_goes_through_admit_again(self, tmp_path: Path) -> None:
        async with stage(tmp_path, State.HELD) as on:
            before = await on.job()

            async def still(code: str, **given: Any) -> None:
                await refused(code, on.actions.retry(on.name, fresh(**given)))
                assert await on.job() == before

            await refused("E-INVALID", on.actions.retry(on.name, {}))
            await refused("E-INVALID", on.actions.retry(on.name, {"id": "x"}))
            change(on.daemon, spend={"confirm_above_usd": 0.0})
            await still("E-CONFIRM")
            await still("E-CONFIRM", confirm_usd=0.57)
            for wrong in (True, "0.58", float("nan"), -1):
                await still("E-INVALID", confirm_usd=wrong)
            change(on.daemon, spend={"per_day_usd": 0.5})
            await still("E-LIMIT", confirm_usd=0.58)
            change(on.daemon, spend={"per_day_usd": 10.0}, engine={"name": "sketch"})
            await still("E-ENGINE", confirm_usd=0.58)
            change(on.daemon, engine={"name": "empiriolabs", "base_url": "http://127.0.0.1:1"})
            await still("E-ENGINE", confirm_usd=0.58)
            change(on.daemon, engine={"base_url": on.service.url})
            await on.actions.pause()
            await still("E-PAUSED", confirm_usd=0.58)
            await on.actions.resume()
            on.service.prices("$0.59")
            await on.actions._catalogue.refresh()
            await still("E-PRICE", confirm_usd=0.58)
            await on.actions.agree_price({"usd": 0.59})
            await still("E-PRICE", confirm_usd=0.59)  # its price was written when it was admitted
            on.service.prices("$0.58")
            await on.actions._catalogue.refresh()
            await on.actions.retry(on.name, fresh(confirm_usd=0.58))
            assert (await until(on.daemon, on.name)).state is State.PLACED

    @pytest.mark.parametrize("state", [State.FAILED, State.REFUSED, State.UNKNOWN, State.CANCELLED, State.DISMISSED])
    @pytest.mark.fault(21)
    async def test_one_that_ended_is_asked_for_anew(self, tmp_path: Path, state: State) -> None:
        async with stage(tmp_path, state, seed=11, duration=2, place={"position": 4.0, "length": 2.0}) as on:
            posts = len(on.service.posts)
            open_gate(on.daemon)
            said = await on.actions.retry(on.name, data := fresh())
            assert said["job"] != on.name
            assert said["retry_of"] == on.name
            assert (said["seed"], said["duration"], said["place"]) == (11, 2.0, {"position": 4.0, "length": 2.0})
            assert (await until(on.daemon, said["job"])).state is State.PLACED
            old = await on.job()
            assert old.state is (State.DISMISSED if state is State.UNKNOWN else state)
            again = await on.actions.retry(on.name, data)
            assert again["job"] == said["job"], "the same id again: the first answer"
            assert len(await on.others()) == 1
            assert len(on.service.posts) == posts + 1

    @pytest.mark.parametrize("state", [State.FAILED, State.REFUSED, State.UNKNOWN])
    async def test_a_double_press_on_retry_is_noticed(self, tmp_path: Path, state: State) -> None:
        async with stage(tmp_path, state) as on:
            answers = await asyncio.gather(
                *(on.actions.retry(on.name, fresh()) for _ in range(5)), return_exceptions=True
            )
            assert sum(isinstance(answer, dict) for answer in answers) == 1
            codes = {answer.code for answer in answers if isinstance(answer, BridgeError)}
            assert codes <= {"E-DOUBLE-PRESS", "E-STATE"}
            await refused("E-DOUBLE-PRESS", on.actions.retry(on.name, fresh()))
            assert len(await on.others()) == 1
            await on.actions.retry(on.name, fresh(again=True))
            assert len(await on.others()) == 2

    async def test_a_new_one_is_admitted_like_any_request(self, tmp_path: Path) -> None:
        async with stage(tmp_path, State.FAILED) as on:
            change(on.daemon, spend={"per_day_usd": 1.0})
            await refused("E-LIMIT", on.actions.retry(on.name, fresh()))
            change(on.daemon, spend={"per_day_usd": 5.0, "confirm_above_usd": 0.1})
            await refused("E-CONFIRM", on.actions.retry(on.name, fresh()))
            await refused("E-INVALID", on.actions.retry(on.name, fresh(confirm_usd="all")))
            await on.actions.pause()
            await refused("E-PAUSED", on.actions.retry(on.name, fresh(confirm_usd=1)))
            await refused("E-INVALID", on.actions.retry(on.name, {"confirm_usd": 1}))
            assert await on.others() == []

    @pytest.mark.parametrize("state", [State.GENERATING, State.FETCHING])
    async def test_one_that_is_charged_is_only_fetched_and_free(self, tmp_path: Path, state: State) -> None:
        async with stage(tmp_path, state) as on:
            said = await on.actions.retry(on.name, {})
            assert said["job"] == on.name
            assert "costs nothing" in said["message"]
            assert len(on.service.posts) == 1
            assert await on.others() == []

    @pytest.mark.parametrize("state", [State.SUBMITTING, State.GENERATING])
    async def test_a_free_retry_that_comes_again_never_becomes_one_that_costs(
        self, tmp_path: Path, state: State
    ) -> None:
        async with stage(tmp_path, state) as on:
            await on.actions.retry(on.name, data := fresh())
            if state is State.SUBMITTING:
                await on.daemon.cut()  # the answer to the POST is lost
            else:
                on.service.control({"clear": True, "poll": ["failed"]})
                with suppress(WrongState):  # the poll that the first one hurried may have heard of the failure already
                    await on.actions.retry(on.name, {})
            ended = await until(on.daemon, on.name)
            assert ended.state is (State.UNKNOWN if state is State.SUBMITTING else State.FAILED)
            posts = len(on.service.posts)
            again = await on.actions.retry(on.name, data)
            assert (again["job"], again["state"]) == (on.name, ended.state)
            assert await on.others() == []
            assert len(on.service.posts) == posts

    @pytest.mark.parametrize("state", [State.STORED, State.PLACED])
    async def test_one_that_is_there_is_only_delivered_and_free(self, tmp_path: Path, state: State) -> None:
        async with stage(tmp_path, state) as on:
            said = await on.actions.retry(on.name, {})
            assert said["delivery"] == 2
            assert len(on.service.posts) == 1

    @pytest.mark.parametrize("state", [State.QUEUED, State.PREPARING])
    async def test_one_that_waits_is_on_its_way(self, tmp_path: Path, state: State) -> None:
        async with stage(tmp_path, state) as on:
            await refused("E-STATE", on.actions.retry(on.name, fresh()))

    async def test_the_last_variation_of_the_largest_seed(self, tmp_path: Path) -> None:
        async with Service() as service, running(tmp_path / "home", service) as daemon:
            service.script_post("422*2")
            answer, _ = await daemon.actions.admit(request(seed=4_294_967_293, variations=2))
            for name in answer["jobs"]:
                await until(daemon, name)
            said = await daemon.actions.retry(answer["jobs"][1], fresh())
            assert said["seed"] == 4_294_967_294


class TestDeliver:
    @pytest.mark.parametrize("state", [State.STORED, State.PLACED])
    async def test_raises_the_number_of_the_delivery_and_costs_nothing(self, tmp_path: Path, state: State) -> None:
        async with stage(tmp_path, state) as on:
            for number in (2, 3):
                said = await on.actions.deliver(on.name)
                assert (said["state"], said["delivery"]) == ("stored", number)
                if state is State.PLACED:
                    assert (await until(on.daemon, on.name)).delivery == number
            assert len(on.service.posts) == 1

    @pytest.mark.parametrize("state", [s for s in State if s not in (State.STORED, State.PLACED)])
    async def test_needs_a_take(self, tmp_path: Path, state: State) -> None:
        async with stage(tmp_path, state) as on:
            before = await on.job()
            error = await refused("E-STATE", on.actions.deliver(on.name))
            assert error.charge == before.charge
            assert (await on.job()).delivery == 0


class TestResolve:
    async def test_submit_again_is_a_new_job_and_both_count(self, tmp_path: Path) -> None:
        async with stage(tmp_path, State.UNKNOWN) as on:
            data = fresh(action="submit_again")
            said = await on.actions.resolve(on.name, data)
            assert said["retry_of"] == on.name
            assert (await until(on.daemon, said["job"])).state is State.PLACED
            old = await on.job()
            assert (old.state, old.charge) == (State.DISMISSED, Charge.POSSIBLE)
            assert await spent(on.daemon) == 2 * PRICE
            assert (await on.actions.resolve(on.name, data))["job"] == said["job"], "the same id: the first answer"
            await refused("E-STATE", on.actions.resolve(on.name, fresh(action="submit_again")))
            assert len(on.service.posts) == 2

    async def test_submit_again_needs_an_id_because_it_may_cost(self, tmp_path: Path) -> None:
        async with stage(tmp_path, State.UNKNOWN) as on:
            await refused("E-INVALID", on.actions.resolve(on.name, {"action": "submit_again"}))
            change(on.daemon, spend={"per_day_usd": 1.0})
            await refused("E-LIMIT", on.actions.resolve(on.name, fresh(action="submit_again")))
            assert (await on.job()).state is State.UNKNOWN, "refused: nothing is closed either"

    @pytest.mark.fault(4, 14)
    async def test_attach_fetches_what_was_paid(self, tmp_path: Path) -> None:
        async with stage(tmp_path, State.UNKNOWN) as on:
            said = await on.actions.resolve(
                on.name, {"action": "attach", "remote_id": f" {on.service.charges[0].remote_id} "}
            )
            assert (said["state"], said["charge"]) == ("generating", "confirmed")
            assert (await until(on.daemon, on.name)).state is State.PLACED
            assert await spent(on.daemon) == PRICE
            assert len(on.service.posts) == 1

    async def test_attach_takes_no_job_that_belongs_to_another(self, tmp_path: Path) -> None:
        async with stage(tmp_path, State.UNKNOWN) as on:
            other = await until(on.daemon, await press(on.daemon, prompt="another"))
            assert other.remote_id is not None
            await refused("E-STATE", on.actions.resolve(on.name, {"action": "attach", "remote_id": other.remote_id}))
            for wrong in (None, "", "  ", 7, "x" * 401):
                await refused("E-INVALID", on.actions.resolve(on.name, {"action": "attach", "remote_id": wrong}))
            assert (await on.job()).state is State.UNKNOWN

    @pytest.mark.parametrize(("charged", "counts"), [(True, PRICE), (False, 0.0)])
    async def test_dismiss_frees_the_sum_only_where_it_was_not_charged(
        self, tmp_path: Path, charged: bool, counts: float
    ) -> None:
        async with stage(tmp_path, State.UNKNOWN) as on:
            assert await spent(on.daemon) == PRICE
            for wrong in (None, "false", 0):
                await refused("E-INVALID", on.actions.resolve(on.name, {"action": "dismiss", "charged": wrong}))
            said = await on.actions.resolve(on.name, {"action": "dismiss", "charged": charged})
            assert said["state"] == "dismissed"
            assert said["charge"] == ("confirmed" if charged else "none")
            assert await spent(on.daemon) == counts
            assert len(on.service.posts) == 1

    @pytest.mark.parametrize("state", [s for s in State if s is not State.UNKNOWN])
    async def test_there_is_nothing_to_resolve_anywhere_else(self, tmp_path: Path, state: State) -> None:
        async with stage(tmp_path, state) as on:
            before = await on.job()
            for data in (
                {"action": "attach", "remote_id": "x"},
                {"action": "dismiss", "charged": False},
                fresh(action="submit_again"),
            ):
                await refused("E-STATE", on.actions.resolve(on.name, data))
            await refused("E-INVALID", on.actions.resolve(on.name, {"action": "forget"}))
            after = await on.job()
            assert (after.state, after.charge, after.remote_id) == (before.state, before.charge, before.remote_id)

    async def test_a_job_that_the_service_lost_can_be_closed(self, tmp_path: Path) -> None:
        async with stage(tmp_path, State.GENERATING) as on:
            on.service.control({"clear": True})
            on.service.forget(on.service.charges[0].remote_id)
            await until_event(on.daemon, on.name, "problem", seconds=30)
            await refused("E-STATE", on.actions.resolve(on.name, fresh(action="submit_again")))
            said = await on.actions.resolve(on.name, {"action": "dismiss", "charged": True})
            assert (said["state"], said["charge"]) == ("dismissed", "confirmed")

    async def test_deciding_twice_at_once_decides_once(self, tmp_path: Path) -> None:
        """Attach and submit_again at the same moment: never a job that is paid for, followed, and then thrown away."""
        for attempt in range(6):
            async with stage(tmp_path / str(attempt), State.UNKNOWN) as on:
                remote = on.service.charges[0].remote_id
                both = [
                    on.actions.resolve(on.name, {"action": "attach", "remote_id": remote}),
                    on.actions.resolve(on.name, fresh(action="submit_again")),
                ]
                if attempt % 2:
                    both.reverse()
                answers = await asyncio.gather(*both, return_exceptions=True)
                assert sum(isinstance(answer, dict) for answer in answers) == 1
                old = await until(on.daemon, on.name, {State.PLACED, State.DISMISSED})
                attached = old.state is State.PLACED
                assert len(await on.others()) == (0 if attached else 1)
                assert len(on.service.posts) == (1 if attached else 2)


class TestPause:
    async def test_nothing_is_sent_until_it_ends(self, tmp_path: Path) -> None:
        async with Service(job_seconds=1000) as service:
            async with running(tmp_path / "home", service, engine={"max_open_jobs": 1}) as daemon:
                first = await press(daemon, prompt="1")
                await until(daemon, first, {State.GENERATING})
                second = await press(daemon, prompt="2")
                assert (await daemon.actions.pause())["paused"]["reason"] == "person"
                service.advance(2000)
                assert (await until(daemon, first)).state is State.PLACED, "what is charged goes on"
                await asyncio.sleep(0.2)
                assert (await job_of(daemon, second)).state is State.QUEUED
            async with running(tmp_path / "home", service) as daemon:
                assert (await daemon.actions.status())["paused"]["reason"] == "person", "also after a restart"
                await asyncio.sleep(0.2)
                assert (await job_of(daemon, second)).state is State.QUEUED
                assert (await daemon.actions.resume())["was_paused"] is True
                assert (await daemon.actions.resume())["was_paused"] is False
                await until(daemon, second, {State.GENERATING})
        assert len(service.posts) == 2

    @pytest.mark.parametrize("reason", ["person", "panic", "disk", "401", "lunch"])
    async def test_what_a_person_paused_never_ends_by_itself(self, tmp_path: Path, reason: str) -> None:
        async with Service() as service, running(tmp_path / "home", service) as daemon:
            gate = daemon.parts.pause
            for trouble in ("disk", "401"):
                await gate.close(trouble, "trouble")
            fact = (await daemon.actions.pause(reason))["paused"]
            assert fact["reason"] == ("panic" if reason == "panic" else "person")
            assert await gate.open(only="disk") is False, "there is room again: but a person said stop"
            await daemon.actions.reload_key()
            assert (await daemon.actions.status())["paused"] == fact
            await gate.close("402", "no credits")
            assert (await daemon.actions.status())["paused"] == fact

    async def test_a_new_key_ends_the_pause_for_the_key_only(self, tmp_path: Path) -> None:
        async with Service() as service, running(tmp_path / "home", service) as daemon:
            service.script_post("401")
            await until(daemon, await press(daemon))
            assert (await daemon.actions.status())["paused"]["reason"] == "401"
            assert (await daemon.actions.reload_key())["resumed"] is True
            service.script_post("402")
            await until(daemon, await press(daemon, prompt="2"))
            assert (await daemon.actions.reload_key())["resumed"] is False
            assert (await daemon.actions.status())["paused"]["reason"] == "402"

    @pytest.mark.fault(5)
    async def test_an_answer_that_is_only_read_after_a_restart_pauses_too(self, tmp_path: Path) -> None:
        """The process ended between the raw answer 401 and its meaning."""
        async with Service() as service:
            async with running(tmp_path / "home", service) as daemon:
                close_gate(daemon)
                first, second = await press(daemon, prompt="1"), await press(daemon, prompt="2")
                await daemon.journal.write("test", lambda tx: answered(tx, first, 401))
            async with running(tmp_path / "home", service) as daemon:
                assert (await daemon.actions.status())["paused"]["reason"] == "401"
                assert (await job_of(daemon, first)).state is State.REFUSED
                await asyncio.sleep(0.2)
                assert (await job_of(daemon, second)).state is State.QUEUED
                assert service.posts == []
                await daemon.actions.resume()
                assert (await until(daemon, second)).state is State.PLACED


def answered(tx: Transaction, name: str, status: int) -> None:
    """Write what a process that died leaves: a submit, and the raw answer to it."""
    tx.move(tx.job(name), State.SUBMITTING, charge=Charge.POSSIBLE, charge_day="2026-01-01")
    tx.add_event(name, "answer", Answer(status=status, body=b"{}").as_event())


class TestWhenItIsItsTurn:
    """Between admit and submit things change; what was allowed then is looked at again before it is sent."""

    @asynccontextmanager
    async def waiting(self, path: Path, **given: Any) -> AsyncIterator[tuple[Daemon, Service, str]]:
        """Let a job wait behind another one, and go when the block says ``open_gate``."""
        async with Service() as service, running(path / "home", service) as daemon:
            close_gate(daemon)
            yield daemon, service, await press(daemon, **given)

    async def held(self, daemon: Daemon, service: Service, name: str, code: str) -> None:
        open_gate(daemon)
        job = await until(daemon, name)
        assert (job.state, job.charge) == (State.HELD, Charge.NONE)
        assert job.problem is not None
        assert job.problem.code == code
        assert service.posts == []
        assert (await daemon.actions.spend())["reserved_usd"] == 0

    async def test_the_limit_was_lowered(self, tmp_path: Path) -> None:
        async with self.waiting(tmp_path) as (daemon, service, name):
            change(daemon, spend={"per_day_usd": 0.5})
            await self.held(daemon, service, name, "E-LIMIT")

    async def test_the_engine_was_changed(self, tmp_path: Path) -> None:
        async with self.waiting(tmp_path) as (daemon, service, name):
            change(daemon, engine={"name": "sketch"})
            await self.held(daemon, service, name, "E-ENGINE")

    async def test_the_engine_was_changed_before_a_source_was_published(self, tmp_path: Path) -> None:
        source = {"path": str(tone(tmp_path / "source.wav"))}
        async with self.waiting(tmp_path, action="transform", source=source) as (daemon, service, name):
            change(daemon, engine={"base_url": "http://127.0.0.1:1"})
            await self.held(daemon, service, name, "E-ENGINE")
            assert "prepared" not in await events(daemon, name)
            assert service.fetches == []

    async def test_sending_was_paused_in_the_last_moment(self, tmp_path: Path) -> None:
        """The journal counts, also where whoever waits has not heard of the pause yet."""
        async with self.waiting(tmp_path) as (daemon, service, name):
            await daemon.actions.pause()
            open_gate(daemon)
            await asyncio.sleep(0.3)
            assert daemon.parts.pause.current is not None, "heard of by now"
            assert (await job_of(daemon, name)).state is State.QUEUED
            assert service.posts == []

    async def test_the_service_became_dearer(self, tmp_path: Path) -> None:
        async with self.waiting(tmp_path) as (daemon, service, name):
            service.prices("$0.99")
            await daemon.actions._catalogue.refresh()
            await self.held(daemon, service, name, "E-PRICE")

    async def test_it_waited_too_long(self, tmp_path: Path) -> None:
        clock = Clock()
        async with Service() as service, running(tmp_path / "home", service, times=clock) as daemon:
            close_gate(daemon)
            name = await press(daemon, valid_for=60)
            clock.offset = 61
            await self.held(daemon, service, name, "E-STALE")

    @pytest.mark.parametrize(("later", "state"), [(50, State.PLACED), (61, State.HELD)])
    async def test_a_restart_sends_only_what_is_still_valid(self, tmp_path: Path, later: float, state: State) -> None:
        clock = Clock()
        async with Service() as service:
            async with running(tmp_path / "home", service, times=clock) as daemon:
                close_gate(daemon)
                name = await press(daemon, valid_for=60)
            clock.offset = later
            async with running(tmp_path / "home", service, times=clock) as daemon:
                job = await until(daemon, name)
                assert job.state is state
                if state is State.HELD:
                    assert job.problem is not None
                    assert job.problem.code == "E-STALE"
                    assert service.posts == []

    async def test_a_restart_with_another_engine_holds(self, tmp_path: Path) -> None:
        async with Service() as service:
            async with running(tmp_path / "home", service) as daemon:
                close_gate(daemon)
                name = await press(daemon)
            async with running(tmp_path / "home", None) as daemon:
                job = await until(daemon, name)
                assert job.problem is not None
                assert (job.state, job.problem.code) == (State.HELD, "E-ENGINE")
        assert service.posts == []

    async def test_a_source_is_published_anew_after_a_restart(self, tmp_path: Path) -> None:
        """Never sent for want of a network, and started again: the service must not be given the old, dead address."""
        source = tone(tmp_path / "a.wav")
        async with Service() as service:
            port = service.port
        async with running(tmp_path / "home", service) as daemon:
            name = await press(daemon, action="transform", source={"path": str(source)})
            await until_event(daemon, name, "prepared")
            await until_event(daemon, name, "queued")
            async with asyncio.timeout(10):
                while (await events(daemon, name)).count("queued") < 2:  # admitted, and back again
                    await asyncio.sleep(0.02)
        async with Service(port=port) as service, running(tmp_path / "home", service) as daemon:
            assert (await until(daemon, name)).state is State.PLACED
            assert [fetch["status"] for fetch in service.fetches] == [200]


class TestAgreeing:
    async def test_agreeing_to_what_was_never_told(self, tmp_path: Path) -> None:
        async with Service() as service, running(tmp_path / "home", service) as daemon:
            service.script_catalogue("500*9")
            await refused("E-NOT-FOUND", daemon.actions.agree_price({"model": "stable-audio-2-5", "usd": 1}))
            for wrong in ("other", ["stable-audio-2-0"], None, 3):
                await refused("E-INVALID", daemon.actions.agree_price({"model": wrong, "usd": 1}))

    async def test_a_key_that_is_set_later_makes_the_catalogue_be_read(self, tmp_path: Path) -> None:
        async with Service() as service:
            service.prices("$0.99")
            async with running(tmp_path / "home", service, key=None, engine={"name": "auto"}) as daemon:
                daemon.home.key_file.write_text(service.key)
                daemon.home.key_file.chmod(0o600)
                await daemon.actions.reload_key()
                async with asyncio.timeout(10):
                    while not (await daemon.actions.prices())[0]["dearer"]:
                        await asyncio.sleep(0.02)
                await refused("E-PRICE", press(daemon))
                await until_seen(service, posts=0)
