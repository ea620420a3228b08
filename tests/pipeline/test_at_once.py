"""A press that can go at once is admitted and written as being sent in one transaction, and loses nothing by that."""

from __future__ import annotations

import asyncio
import errno
import time
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest

from bridge_daemon.domain.job import Charge, State
from bridge_daemon.errors import BridgeError
from bridge_daemon.journal.record import Record
from bridge_daemon.pipeline import conveyor, disk, submit
from bridge_daemon.util import foreign
from bridge_daemon.util.failpoints import EXIT_CODE
from tests.fakes.service import Service
from tests.faults.victim import run
from tests.support import RESTING, events, job_of, press, request, running, settings, until


async def test_a_press_that_can_go_is_one_transaction(tmp_path: Path, written: list[str]) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        await daemon.warm.wait()
        del written[:]
        job = await until(daemon, await press(daemon))
        assert (job.state, job.charge) == (State.PLACED, Charge.CONFIRMED)
        ours = [name for name in written if name != "price_seen"]  # of the catalogue, which comes when it comes
        assert ours[:3] == ["admit", "answered", "outcome"]
        assert (await events(daemon, job.id))[:4] == ["queued", "submitting", "answer", "generating"]
        assert len(service.posts) == len(service.charges) == 1
        assert not daemon.parts.context.marked


async def test_the_first_of_three_goes_at_once_and_the_others_follow(tmp_path: Path, written: list[str]) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        answer, _ = await daemon.actions.admit(request(variations=3))
        for name in answer["jobs"]:
            assert (await until(daemon, name)).state is State.PLACED
        assert written.count("submitting") == 2
        assert len(service.posts) == len(service.charges) == 3


@pytest.mark.parametrize("why", ["paused", "disk", "slots", "requests", "key"])
async def test_what_has_to_wait_goes_the_long_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: list[str], why: str
) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        context = daemon.parts.context
        if why == "paused":
            await daemon.actions.pause()
            with pytest.raises(BridgeError):
                await press(daemon)
            assert service.posts == []
            return
        if why == "disk":
            monkeypatch.setattr(disk, "_no_room", lambda *_: "it is full")
            monkeypatch.setattr(disk, "LOOK", 0.05)
        taken = daemon.parts.conveyor._slots
        if why == "slots":
            for _ in range(daemon.settings.engine.max_open_jobs):
                await taken.acquire()
        if why == "requests":
            monkeypatch.setattr(context.budget, "take_submit", AsyncMock(return_value=False))
        if why == "key":
            monkeypatch.setattr(conveyor, "leave", _nobody)
        name = await press(daemon)
        if why in ("disk", "slots"):
            await asyncio.sleep(0.1)
            assert service.posts == []
            assert (await job_of(daemon, name)).charge is Charge.NONE
        if why == "slots":
            taken.release()
        if why in ("slots", "requests", "key"):
            assert (await until(daemon, name)).state is State.PLACED
            assert written.count("submitting") == 1
            assert len(service.posts) == 1


@pytest.mark.parametrize(("seconds", "why", "posts"), [(0.002, None, 1), (0.2, None, 1), (0.2, "it is full", 0)])
async def test_nothing_is_written_as_sent_before_the_disk_has_said_that_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: list[str], seconds: float, why: str | None, posts: int
) -> None:
    """The look at it goes on beside the admission. One that comes too late makes it a job that waits."""
    said: list[str] = []

    def look(*_: Any) -> str | None:
        time.sleep(seconds)
        said.append(why or "room")
        return why

    async with Service() as service, running(tmp_path / "home", service) as daemon:
        await daemon.warm.wait()
        monkeypatch.setattr(disk, "_no_room", look)
        begin = submit.begin

        def begun(*args: Any) -> Any:
            assert "room" in said
            return begin(*args)

        monkeypatch.setattr(submit, "begin", begun)
        name = await press(daemon)
        if posts:
            assert (await until(daemon, name)).state is State.PLACED
            assert daemon.parts.conveyor._slots._value == daemon.settings.engine.max_open_jobs
        else:
            while (job := await job_of(daemon, name)).problem is None:
                await asyncio.sleep(0.01)
            assert (job.state, job.charge, job.problem.code) == (State.QUEUED, Charge.NONE, "E-DISK")
            assert "submitting" not in await events(daemon, name)
        assert len(service.posts) == len(service.charges) == posts
        if seconds > 0.1:
            assert written.count("submitting") == posts, "not in the transaction that admits it"


async def test_a_look_at_the_disk_that_fails_keeps_a_press_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: list[str]
) -> None:
    """The first look of a press fails, in whatever way; the one before its submit does not."""
    inner, left = disk._no_room, list[Exception]()

    def look(*given: Any) -> str | None:
        if left:
            raise left.pop()
        return inner(*given)

    async with Service() as service, running(tmp_path / "home", service) as daemon:
        await daemon.warm.wait()
        monkeypatch.setattr(disk, "_no_room", look)
        for number, error in enumerate((RuntimeError("a fault"), foreign.NoAnswer(tmp_path)), 1):
            left.append(error)
            job = await until(daemon, await press(daemon, prompt=f"press {number}"))
            assert job.state is State.PLACED
            assert written.count("submitting") == number
            assert len(service.posts) == number


async def _nobody(*_: Any) -> None:
    return None


async def test_a_limit_that_is_reached_gives_back_what_was_taken(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path / "home", service, spend={"per_day_usd": 0.0}) as daemon:
        free, spare = daemon.parts.conveyor._slots._value, daemon.parts.budget.spare_polls()
        for _ in range(10):
            with pytest.raises(BridgeError):
                await press(daemon)
        assert daemon.parts.conveyor._slots._value == free
        assert daemon.parts.budget.spare_polls() >= spare - 2, "but for those of the catalogue"
        assert service.posts == []


async def test_who_presses_and_leaves_has_pressed_once(tmp_path: Path) -> None:
    """The caller may be cut off at any moment between the press and the answer."""
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        await daemon.warm.wait()
        bodies = [request(prompt=f"press {number}") for number in range(12)]
        for number, body in enumerate(bodies):
            caller = asyncio.create_task(daemon.actions.admit(body))
            for _ in range(number):
                await asyncio.sleep(0)
            await asyncio.sleep(0.0004 * (number // 4))
            caller.cancel()
            await asyncio.gather(caller, return_exceptions=True)
        for body in bodies:  # and says it again
            answer, _ = await daemon.actions.admit(body)
            assert (await until(daemon, answer["jobs"][0])).state is State.PLACED
        assert len(service.posts) == len(service.charges) == len(bodies)
        assert daemon.parts.conveyor._slots._value == daemon.settings.engine.max_open_jobs


async def test_the_same_press_five_times_at_once_is_sent_once(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        body = request()
        answers = await asyncio.gather(*(daemon.actions.admit(body) for _ in range(5)))
        assert len({str(answer) for answer, _ in answers}) == 1
        assert sorted(again for _, again in answers) == [False, True, True, True, True]
        job = await until(daemon, answers[0][0]["jobs"][0])
        assert job.state is State.PLACED
        assert len(service.posts) == len(service.charges) == 1


async def test_a_look_at_a_job_between_its_commit_and_its_post_makes_no_doubt_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To find it `submitting`, and not on the wire, means a fault of ours: but for a press that is just going."""
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        admit = daemon.parts.actions._admit
        inner = admit.admit

        async def slowly(*args: Any, **given: Any) -> Any:
            answer = await inner(*args, **given)
            daemon.parts.conveyor.drive(answer[0]["jobs"][0])
            await asyncio.sleep(0.1)
            return answer

        monkeypatch.setattr(admit, "admit", slowly)
        job = await until(daemon, await press(daemon))
        assert job.state is State.PLACED
        assert len(service.posts) == 1


async def test_without_a_record_nothing_is_sent_and_the_press_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transaction is durable, and the line that has to be on the medium before the POST is not."""
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        await daemon.warm.wait()
        add, left = Record.add, 1

        def full(self: Record, lines: Any) -> None:
            nonlocal left
            if left and any("row" in line for line in lines):
                left -= 1
                assert service.posts == []
                raise OSError(errno.EIO, "it does not take it")
            add(self, lines)

        monkeypatch.setattr(Record, "add", full)
        body = request()
        answer, again = await daemon.actions.admit(body)
        assert not again
        name = answer["jobs"][0]
        assert left == 0
        job = await until(daemon, name)
        assert job.state is State.PLACED
        assert len(service.posts) == len(service.charges) == 1
        kinds = await events(daemon, name)
        assert kinds.index("submitting") < kinds.index("queued", 1) < len(kinds)


async def test_the_end_waits_for_a_press_that_is_just_going(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Service() as service:
        async with running(tmp_path / "home", service) as daemon:
            await daemon.warm.wait()
            body = request()
            pressing = asyncio.create_task(daemon.actions.admit(body))
            while not daemon.parts.context.on_wire._presses:
                await asyncio.sleep(0)
        await asyncio.gather(pressing, return_exceptions=True)
        async with running(tmp_path / "home", service) as daemon:
            answer, again = await daemon.actions.admit(body)
            assert again
            assert (await until(daemon, answer["jobs"][0])).state is State.PLACED
        assert len(service.posts) == len(service.charges) == 1


async def test_a_cut_cuts_off_no_press(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second signal gives up the wire. A press whose transaction is being written has its answer all the same."""
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        await daemon.warm.wait()
        pressing = asyncio.create_task(daemon.actions.admit(request()))
        while not daemon.parts.context.on_wire._presses:
            await asyncio.sleep(0)
        await daemon.cut()
        answer, again = await pressing
        assert not again
        job = await until(daemon, answer["jobs"][0])
        assert job.state in (State.UNKNOWN, State.PLACED)
        assert len(service.posts) <= 1


#: Where the process dies → what the next start makes of the job, and how many POSTs the service saw in all.
DEATHS = {
    "journal.admit.begin": (None, 0),
    "journal.admit.commit": (None, 0),
    "journal.admit.committed": (State.UNKNOWN, 0),
    "record.add": (State.UNKNOWN, 0),
    "record.added": (State.UNKNOWN, 0),
    "socket.submit.headers": (State.UNKNOWN, 0),
    "socket.submit.answered": (State.UNKNOWN, 1),
    "journal.answered.commit": (State.UNKNOWN, 1),
    "journal.answered.committed": (State.PLACED, 1),
    "journal.outcome.begin": (State.PLACED, 1),
    "journal.outcome.committed": (State.PLACED, 1),
}


@pytest.mark.parametrize("point", DEATHS)
async def test_dying_anywhere_pays_nothing_twice_and_loses_nothing(tmp_path: Path, point: str) -> None:
    state, posts = DEATHS[point]
    home, body = tmp_path / "home", request()
    async with Service() as service:
        given = {
            "home": str(home),
            "key": service.key,
            "settings": settings(service).model_dump(mode="json"),
            "ops": [["admit", body], ["rest", 60.0]],
            "told": str(tmp_path / "told.txt"),
        }
        # the first line of the record says that it was made
        assert await run(given, failpoint=f"{point}:{2 if point.startswith('record') else 1}") == EXIT_CODE
        assert len(service.posts) in (posts, 1 if point == "socket.submit.headers" else posts)
        sent = len(service.charges)
        for _ in range(2):
            async with running(home, service) as daemon:
                found = await daemon.journal.read(lambda tx: tx.accepted(body["id"]))
                if state is None:
                    assert found is None
                    continue
                assert found is not None
                job = await until(daemon, found.answer["jobs"][0])
                assert job.state is state
                assert len(service.charges) == sent, "nothing is sent a second time by itself"
                assert (await daemon.actions.spend())["spent_today_usd"] > 0, "what may be charged counts"
                # the press is said again, for its answer was lost
                answer, again = await daemon.actions.admit(body)
                assert (answer, again) == (found.answer, True)
                assert len(service.charges) == sent
        assert job.state in RESTING if state is not None else True
