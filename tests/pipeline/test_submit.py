"""Submit: each thing that a service can do to a POST, what becomes of the job, and how often it was charged.

The service that answers counts what it charges. The rule: at most one POST that may cost for each approval, and
whatever is not certain is `unknown`, never sent again by itself.
"""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from bridge_daemon.domain.job import Charge, State
from tests.fakes.service import Service
from tests.support import events, job_of, press, running, until, until_event, until_seen

#: word of the fake → state, charge, charges at the service
CERTAIN = {
    "ok": (State.PLACED, Charge.CONFIRMED, 1),
    "201": (State.PLACED, Charge.CONFIRMED, 1),
    "202": (State.PLACED, Charge.CONFIRMED, 1),
    "id_field_named_id": (State.PLACED, Charge.CONFIRMED, 1),
    "id_number": (State.PLACED, Charge.CONFIRMED, 1),
    "poll_url_elsewhere": (State.PLACED, Charge.CONFIRMED, 1),
    "400": (State.REFUSED, Charge.NONE, 0),
    "401": (State.REFUSED, Charge.NONE, 0),
    "402": (State.REFUSED, Charge.NONE, 0),
    "403": (State.REFUSED, Charge.NONE, 0),
    "404": (State.REFUSED, Charge.NONE, 0),
    "413": (State.REFUSED, Charge.NONE, 0),
    "422": (State.REFUSED, Charge.NONE, 0),
    "503_model_unavailable": (State.REFUSED, Charge.NONE, 0),
    "301": (State.REFUSED, Charge.NONE, 0),
    "302": (State.REFUSED, Charge.NONE, 0),
    "303:self": (State.REFUSED, Charge.NONE, 0),
    "307": (State.REFUSED, Charge.NONE, 0),
    "307:self": (State.REFUSED, Charge.NONE, 0),
    "308": (State.REFUSED, Charge.NONE, 0),
}
NOT_CERTAIN = [
    "accept_then_drop",
    "accept_then_reset",
    "drop_after_headers",
    "truncated_body",
    "truncated_chunked",
    "huge_body",
    "html_200",
    "empty_200",
    "204",
    "json_no_id",
    "id_empty",
    "array_json",
    "bad_utf8",
    "deep_json",
    "408_after_accept",
    "409_after_accept",
    "425_after_accept",
    "500_after_accept",
    "502_after_accept",
    "503_plain_after_accept",
    "504_after_accept",
]


@pytest.mark.parametrize("word", CERTAIN)
@pytest.mark.fault(15)
async def test_a_certain_answer_is_what_it_says(tmp_path: Path, word: str) -> None:
    state, charge, charges = CERTAIN[word]
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        service.script_post(word)
        job = await until(daemon, await press(daemon))
        assert (job.state, job.charge) == (state, charge)
        assert len(service.charges) == charges
        assert len(service.posts) == 1
        assert service.violations == []
        if state is State.REFUSED:
            assert job.problem is not None
            assert job.problem.code == "E-REFUSED"
            assert "othing was charged" in job.problem.text


@pytest.mark.parametrize("word", NOT_CERTAIN)
@pytest.mark.fault(11, 12, 13)
async def test_an_answer_that_leaves_a_doubt_is_never_sent_again(tmp_path: Path, word: str) -> None:
    async with Service() as service:
        async with running(tmp_path / "home", service) as daemon:
            service.script_post(word)
            name = await press(daemon)
            job = await until(daemon, name)
            assert (job.state, job.charge) == (State.UNKNOWN, Charge.POSSIBLE)
            assert job.problem is not None
            assert job.problem.code == "E-UNKNOWN"
            assert "$0.58" in job.problem.text
            assert "answer" in await events(daemon, name), "the raw answer is evidence"
        for _ in range(3):  # nor by three restarts
            async with running(tmp_path / "home", service) as daemon:
                assert (await job_of(daemon, name)).state is State.UNKNOWN
                assert (await daemon.actions.spend())["spent_today_usd"] == 0.58
        assert len(service.posts) == 1
        assert len(service.charges) == 1


@pytest.mark.fault(10)
async def test_a_service_that_cannot_be_reached_costs_nothing_and_is_tried_again(tmp_path: Path) -> None:
    async with Service() as service:
        port = service.port
    with socket.socket() as taken:  # bound and not listening: nobody else takes the port meanwhile
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        async with running(tmp_path / "home", service) as daemon:
            name = await press(daemon)
            async with asyncio.timeout(20):
                while (job := await job_of(daemon, name)).problem is None:
                    await asyncio.sleep(0.02)
            assert (job.state, job.charge) == (State.QUEUED, Charge.NONE)
            assert job.problem is not None
            assert job.problem.code == "E-NOT-SENT"
            assert (await daemon.actions.spend())["spent_today_usd"] == 0
            taken.close()
            async with Service(port=port) as service:
                job = await until(daemon, name)
                assert job.state is State.PLACED
                assert job.problem is None
                assert len(service.charges) == 1


@pytest.mark.parametrize("retry_after", ["", ":1", ":-5", ":nonsense", ":Wed, 21 Oct 2015 07:28:00 GMT"])
@pytest.mark.fault(16)
async def test_too_many_requests_waits_and_sends_once(tmp_path: Path, retry_after: str) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        service.script_post(f"429{retry_after}")
        job = await until(daemon, await press(daemon), seconds=20)
        assert job.state is State.PLACED
        assert len(service.charges) == 1
        assert [post.word for post in service.posts] == [f"429{retry_after}", "ok"]


@pytest.mark.fault(16)
async def test_an_absurd_retry_after_is_not_believed(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        service.script_post("429:1e9")
        name = await press(daemon)
        await until_event(daemon, name, "answer")
        job = await until(daemon, name, {State.QUEUED})
        assert job.charge is Charge.NONE
        assert daemon.parts.budget.wait_for_poll() < 125, "nothing waits for 30 years"
        assert len(service.charges) == 0


@pytest.mark.parametrize(("word", "reason"), [("401", "401"), ("402", "402")])
@pytest.mark.fault(17)
async def test_a_refused_key_or_an_empty_account_pauses_everything_once(tmp_path: Path, word: str, reason: str) -> None:
    async with Service() as service, running(tmp_path / "home", service, engine={"max_open_jobs": 1}) as daemon:
        service.script_post(word)
        answer, _ = await daemon.actions.admit(
            {
                "id": "6b6a3bd0-8a0c-4ea9-9c1b-3a4c2b0e9d11",
                "action": "generate",
                "prompt": "a",
                "duration": 1,
                "variations": 3,
            }
        )
        await until_seen(service)
        await asyncio.sleep(0.3)
        assert (await daemon.actions.status())["paused"]["reason"] == reason
        states = {job: (await job_of(daemon, job)).state for job in answer["jobs"]}
        rest = [job for job, state in states.items() if state is State.QUEUED]
        assert sorted(states.values()) == [State.QUEUED, State.QUEUED, State.REFUSED]
        assert len(service.posts) == 1
        await daemon.actions.resume()
        for job in rest:
            assert (await until(daemon, job)).state is State.PLACED
        assert len(service.charges) == 2


@pytest.mark.fault(33)
async def test_the_second_job_under_one_remote_id_is_flagged(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        assert (await until(daemon, await press(daemon))).state is State.PLACED
        service.script_post("same_remote_id")
        job = await until(daemon, await press(daemon, prompt="another"))
        assert (job.state, job.charge) == (State.UNKNOWN, Charge.POSSIBLE)
        assert job.problem is not None
        assert job.problem.code == "E-DUPLICATE"


async def test_every_parameter_arrives_once_and_as_documented(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        given = {"prompt": 'Größe 🎹 "x"', "duration": 12.5, "steps": 40, "cfg_scale": 7.5, "seed": 42, "variations": 2}
        answer, _ = await daemon.actions.admit(
            {"id": "6b6a3bd0-8a0c-4ea9-9c1b-3a4c2b0e9d12", "action": "generate"} | given
        )
        for job in answer["jobs"]:
            await until(daemon, job)
        bodies = sorted((charge.body for charge in service.charges), key=lambda body: body["seed"])
        assert bodies[0] == {
            "model": "stable-audio-2-0",
            "prompt": 'Größe 🎹 "x"',
            "mode": "text-to-audio",
            "output_format": "wav",
            "duration": 12.5,
            "steps": 40,
            "cfg_scale": 7.5,
            "random_seed": False,
            "seed": 42,
        }
        assert bodies[1] == bodies[0] | {"seed": 43}
        assert all(post.fresh for post in service.posts), "each submit has a connection of its own"


@pytest.mark.fault(7)
async def test_stopping_while_the_answer_is_awaited_waits_for_it(tmp_path: Path) -> None:
    async with Service() as service:
        service.script_post("slow_ok:1")
        async with running(tmp_path / "home", service) as daemon:
            name = await press(daemon)
            await until_seen(service)
        async with running(tmp_path / "home", service) as daemon:
            assert (await until(daemon, name)).state is State.PLACED
        assert len(service.posts) == len(service.charges) == 1


@pytest.mark.fault(7)
async def test_a_second_signal_leaves_it_unknown(tmp_path: Path) -> None:
    async with Service() as service:
        service.script_post("silence")
        async with running(tmp_path / "home", service) as daemon:
            name = await press(daemon)
            await until_seen(service)
            await daemon.cut()
            job = await job_of(daemon, name)
            assert (job.state, job.charge) == (State.UNKNOWN, Charge.POSSIBLE)
        assert len(service.posts) == 1
