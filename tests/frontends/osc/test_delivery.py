"""Delivery by OSC: said until it is confirmed, placed once, and nothing is lost between two lives of the daemon."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

import pytest

from bridge_daemon.domain.job import State
from bridge_daemon.frontends.osc import announcer, clients
from tests.fakes.service import Service
from tests.frontends.osc.caller import OscCaller, caller
from tests.support import events, job_of, running, until


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcer, "REPEATS", (0.1, 0.2))


async def delivered(client: OscCaller, **pairs: object) -> tuple[str, dict[str, object]]:
    job = await client.press(**pairs)
    return job, await client.until("/bridge/result", job=job)


async def test_a_result_is_said_again_and_then_at_each_hello_until_it_is_placed(tmp_path: Path) -> None:
    async with running(tmp_path / "home", None) as daemon, caller(daemon, "a") as client:
        await client.hello()
        job, first = await delivered(client)
        assert first["delivery"] == 1
        await client.until("/bridge/result", count=3)
        await client.quiet(0.4)
        results = client.all("/bridge/result")
        assert len(results) == 3
        assert all(result == first for result in results)
        for count in (4, 5):
            await client.hello()
            await client.until("/bridge/result", count=count)
        for _ in range(5):
            client.send("/bridge/placed", job=job, delivery=1)
        assert (await client.until("/bridge/ok", job=job))["message"] == "Placed."
        assert (await job_of(daemon, job)).state is State.PLACED
        assert (await client.ask("/bridge/placed", job=job, delivery="1"))[0] == "/bridge/ok"
        seen = len(client.all("/bridge/result"))
        await client.hello()
        await client.quiet(0.4)
        assert len(client.all("/bridge/result")) == seen
        assert (await events(daemon, job)).count("placed") == 1


def test_the_times_of_the_contract() -> None:
    """REPEATS itself is shortened by the fixture; the source says what holds."""
    assert "REPEATS: Final = (1.0, 2.0, 4.0, 8.0)" in Path(announcer.__file__).read_text("utf-8")
    assert (announcer.MOST_A_SECOND, clients.EXPIRES) == (4, 15.0)


@pytest.mark.fault(27)
async def test_a_take_waits_for_a_client_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path / "home", None) as daemon, caller(daemon, "a") as client:
        job = await client.press()  # without a hello: it is answered, and not connected
        await until(daemon, job, {State.STORED})
        await client.quiet(0.4)
        assert client.all("/bridge/result") == []
        await client.hello()
        await client.until("/bridge/result")
        monkeypatch.setattr(clients, "EXPIRES", 0.0)
        again = await client.press(prompt="wind")
        await until(daemon, again, {State.STORED})
        await client.quiet(0.4)
        assert client.all("/bridge/result", job=again) == []
        monkeypatch.setattr(clients, "EXPIRES", 15.0)
        await client.hello()
        await client.until("/bridge/result", job=again)


async def test_failures_are_told_once_also_to_a_client_that_was_away(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon, caller(daemon, "a") as client:
        service.script_post("502_after_accept")
        job = await client.press()
        await until(daemon, job, {State.UNKNOWN})
        assert client.all("/bridge/failed") == []
        await client.hello()
        told = await client.until("/bridge/failed")
        assert (told["job"], told["code"], told["charge"]) == (job, "E-UNKNOWN", "possible")
        assert "may have been charged" in told["message"]
        await client.hello()
        await client.quiet()
        assert len(client.all("/bridge/failed")) == 1


async def test_unplaced_becomes_a_problem_with_a_next_step(tmp_path: Path) -> None:
    async with running(tmp_path / "home", None) as daemon, caller(daemon, "a") as client:
        await client.hello()
        job, _ = await delivered(client)
        why = {"job": job, "delivery": 1, "code": "E-NO-TRACK", "message": "There is no\ntrack Drums."}
        for _ in range(3):
            assert (await client.ask("/bridge/unplaced", **why))[0] == "/bridge/ok"
        found = await job_of(daemon, job)
        assert found.state is State.STORED
        assert found.problem is not None
        assert found.problem.code == "E-UNPLACED"
        assert "There is no track Drums. (E-NO-TRACK)" in found.problem.text
        assert "jobs deliver JOB" in found.problem.next
        assert (await events(daemon, job)).count("unplaced") == 1
        told = await client.until("/bridge/failed")
        assert (told["code"], told["charge"], told["state"]) == ("E-UNPLACED", "confirmed", "stored")
        seen = len(client.all("/bridge/result"))
        await client.hello()
        await client.quiet(0.4)
        assert len(client.all("/bridge/result")) == seen  # it stops saying it
        assert [each["job"] for each in (await daemon.actions.status())["problems"]] == [job]

        assert (await client.ask("/bridge/deliver", job=job))[0] == "/bridge/ok"
        await client.until("/bridge/result", delivery=2)
        assert (await job_of(daemon, job)).problem is None
        # late words about the first delivery: answered, and nothing changes
        assert (await client.ask("/bridge/unplaced", **why))[0] == "/bridge/ok"
        assert (await client.ask("/bridge/placed", job=job, delivery=1))[0] == "/bridge/ok"
        assert (await job_of(daemon, job)).state is State.STORED
        assert (await client.ask("/bridge/placed", job=job, delivery=3))[1]["code"] == "E-STATE"
        assert (await client.ask("/bridge/placed", job=job, delivery=2))[0] == "/bridge/ok"
        assert (await client.ask("/bridge/unplaced", **(why | {"delivery": 2})))[0] == "/bridge/ok"
        found = await job_of(daemon, job)
        assert (found.state, found.problem) == (State.PLACED, None)


async def test_placed_too_early_is_refused(tmp_path: Path) -> None:
    async with (
        Service(job_seconds=60) as service,
        running(tmp_path / "home", service) as daemon,
        caller(daemon, "a") as client,
    ):
        job = await client.press()
        assert (await client.ask("/bridge/placed", job=job, delivery=1))[1]["code"] == "E-STATE"
        for delivery in (0, -1, 1.5, "x", True):
            assert (await client.ask("/bridge/placed", job=job, delivery=delivery))[1]["code"] == "E-INVALID"


async def test_what_is_cancelled_after_the_money_is_not_delivered(tmp_path: Path) -> None:
    async with (
        Service(job_seconds=0.6) as service,
        running(tmp_path / "home", service) as daemon,
        caller(daemon, "a") as client,
    ):
        await client.hello()
        job = await client.press()
        await until(daemon, job, {State.GENERATING})
        assert (await client.ask("/bridge/cancel", job=job))[0] == "/bridge/ok"
        found = await until(daemon, job, {State.STORED})
        await client.hello()
        await client.quiet(0.5)
        assert client.all("/bridge/result") == []
        assert found.take is not None
        assert Path(found.take.file).is_file()
        await client.ask("/bridge/deliver", job=job)  # changed one's mind
        await client.until("/bridge/result", job=job)
        await client.ask("/bridge/cancel", job=job)
        seen = len(client.all("/bridge/result"))
        await client.hello()
        await client.quiet(0.5)
        assert len(client.all("/bridge/result")) == seen


async def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    project = tmp_path / "song"
    project.mkdir()
    (project / "song.als").touch()
    async with running(tmp_path / "home", None) as daemon, caller(daemon, "a") as client:
        await client.hello()
        job = await client.press(folder=str(project))
        (project / "song.als").unlink()
        told = await client.until("/bridge/failed")
        assert (told["job"], told["code"]) == (job, "E-UNPLACED")
        assert client.all("/bridge/result") == []
        (project / "song.als").touch()
        assert (await client.ask("/bridge/deliver", job=job))[0] == "/bridge/ok"
        result = await client.until("/bridge/result", delivery=2)
        assert Path(str(result["file"])).parent == project


async def test_two_clients_at_once(tmp_path: Path) -> None:
    async with running(tmp_path / "home", None) as daemon, caller(daemon, "a") as one, caller(daemon, "b") as two:
        await asyncio.gather(one.hello(), two.hello())
        mine, yours = await asyncio.gather(one.press(prompt="rain"), two.press(prompt="wind"))
        await asyncio.gather(one.until("/bridge/result"), two.until("/bridge/result"))
        for client, job in ((one, mine), (two, yours)):
            told = [pairs for name, pairs in client.got if "job" in pairs]
            assert {pairs["job"] for pairs in told} == {job}
            await client.ask("/bridge/placed", job=job, delivery=1)
        assert {(await job_of(daemon, job)).state for job in (mine, yours)} == {State.PLACED}


async def test_progress_comes_at_most_four_times_a_second(tmp_path: Path) -> None:
    async with (
        Service(job_seconds=60) as service,
        running(tmp_path / "home", service) as daemon,
        caller(daemon, "a") as client,
    ):
        await client.hello()
        job = await client.press()
        await until(daemon, job, {State.GENERATING})
        for step in range(1, 150):
            fraction = step / 150
            await daemon.journal.write("progress", lambda tx, f=fraction: tx.touch(tx.job(job), fraction=f))
            await asyncio.sleep(0.01)
        last = await client.until("/bridge/progress", job=job, seconds=3, fraction=pytest.approx(149 / 150))
        assert last["state"] == "generating"
        times = [t for t, (name, _) in zip(client.times, client.got, strict=True) if name == "/bridge/progress"]
        assert len(times) >= 6
        assert all(
            later - earlier > 0.9 for earlier, later in zip(times, times[announcer.MOST_A_SECOND :], strict=False)
        )
        fractions = [told["fraction"] for told in client.all("/bridge/progress")]
        assert fractions == sorted(fractions)


@pytest.mark.fault(28)
async def test_one_press_said_five_times_and_out_of_order_is_one_job(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon, caller(daemon, "a") as client:
        pairs = [{"id": str(uuid.uuid4()), "prompt": f"p{number}", "duration": 1} for number in range(3)]
        for number in (0, 1, 2, 2, 0, 1, 1, 2, 0, 0, 1, 2, 2, 1, 0):
            client.send("/bridge/generate", **pairs[number])
            await asyncio.sleep(0.001 * number)
        jobs = [(await client.until("/bridge/accepted", id=each["id"]))["jobs"] for each in pairs]
        for job in jobs:
            await until(daemon, job, {State.STORED})
        told = await client.ask("/bridge/generate", **pairs[0])  # the answer was lost: the same again
        assert told == ("/bridge/accepted", {"id": pairs[0]["id"], "jobs": jobs[0], "usd": "0.58"})
        assert len({told["jobs"] for told in client.all("/bridge/accepted")}) == 3
        assert len(service.charges) == 3


@pytest.mark.fault(27)
async def test_a_restart_in_the_middle(tmp_path: Path) -> None:
    """Killed with one take announced and one on its way; the next life brings both to a client that says hello."""
    home, pair = tmp_path / "home", {"id": str(uuid.uuid4()), "prompt": "wind", "duration": 1}
    async with Service() as service:
        async with running(home, service) as daemon, caller(daemon, "a") as client:
            await client.hello()
            first, _ = await delivered(client)
            service.job_seconds = 1.0
            second = (await client.ask("/bridge/generate", **pair))[1]["jobs"]
            await until(daemon, second, {State.GENERATING})
        async with running(home, service) as daemon, caller(daemon, "a") as client:
            assert (await client.ask("/bridge/generate", **pair))[1]["jobs"] == second  # it never got its answer
            await client.quiet(0.3)
            assert client.all("/bridge/result") == []
            await client.hello()
            result = await client.until("/bridge/result", job=first)
            assert result["delivery"] == 1
            await client.until("/bridge/result", job=second)
            for job in (first, second):
                assert (await client.ask("/bridge/placed", job=job, delivery=1))[0] == "/bridge/ok"
        async with running(home, service) as daemon, caller(daemon, "a") as client:
            await client.hello()
            await client.quiet(0.3)
            assert client.all("/bridge/result") == []
        assert len(service.charges) == 2


@pytest.mark.parametrize("given", ["5f0c8a3e-2b1d-4c6f-9e7a-0d1c2b3a4f5e", "my press 7"])
async def test_a_command_is_done_once_for_its_id_also_after_a_restart(tmp_path: Path, given: str) -> None:
    home = tmp_path / "home"
    async with running(home, None) as daemon, caller(daemon, "a") as client:
        await client.hello()
        job, _ = await delivered(client)
        assert (await client.ask("/bridge/placed", job=job, delivery=1))[0] == "/bridge/ok"
        assert (await client.ask("/bridge/deliver", job=job, id=given))[0] == "/bridge/ok"
        await client.until("/bridge/result", delivery=2)
        assert (await client.ask("/bridge/placed", job=job, delivery=2))[0] == "/bridge/ok"
    async with running(home, None) as daemon, caller(daemon, "a") as client:
        await client.hello()
        assert (await client.ask("/bridge/deliver", job=job, id=given))[0] == "/bridge/ok"
        await client.quiet(0.3)
        assert (await job_of(daemon, job)).state is State.PLACED
        assert client.all("/bridge/result") == []
        assert (await client.ask("/bridge/deliver", job=job, id=f"{given} again"))[0] == "/bridge/ok"
        await client.until("/bridge/result", delivery=3)


async def test_many_takes_that_wait_come_in_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcer, "REPEATS", ())
    monkeypatch.setattr(announcer, "MOST_A_HELLO", 3)
    async with running(tmp_path / "home", None) as daemon, caller(daemon, "a") as client:
        jobs = [await client.press(prompt=f"p{number}") for number in range(7)]
        for job in jobs:
            await until(daemon, job, {State.STORED})
        for _ in range(6):
            await client.hello()
            await client.quiet(0.1)
        assert {told["job"] for told in client.all("/bridge/result")} == set(jobs)
