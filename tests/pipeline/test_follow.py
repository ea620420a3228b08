"""Follow: nothing that the network or the service does to a poll fails a job that is paid for."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bridge_daemon.domain.job import Charge, State
from tests.fakes.service import Service
from tests.support import Clock, events, job_of, press, running, until, until_event

TROUBLE = [
    "500",
    "502",
    "503",
    "504",
    "429:1",
    "drop*2",
    "html_200",
    "truncated",
    "404",
    "unknown_status",
    "status:cancelled",
    "status:weird état",
    "missing_status",
    "progress_back",
    "progress_nonsense*3",
    "completed_no_url",
]
SHAPES = [
    "data_url",
    "result_url",
    "result_audio_url",
    "result_audio_object",
    "result_output_string",
    "result_outputs_list",
    "result_urls",
    "top_level_data",
    "output_url",
    "result_string",
]


@pytest.mark.parametrize("word", TROUBLE)
@pytest.mark.fault(18, 19)
async def test_a_bad_poll_is_only_a_bad_poll(tmp_path: Path, word: str) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        service.script_poll(word)
        job = await until(daemon, await press(daemon))
        assert (job.state, job.charge, job.problem) == (State.PLACED, Charge.CONFIRMED, None)
        assert len(service.charges) == 1


@pytest.mark.parametrize("shape", SHAPES)
async def test_the_audio_is_found_wherever_it_was_seen(tmp_path: Path, shape: str) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        service.result_shape = shape
        assert (await until(daemon, await press(daemon))).state is State.PLACED


async def test_trouble_that_lasts_is_told_and_the_job_stays(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        service.script_poll("500*1000")
        name = await press(daemon)
        await until_event(daemon, name, "problem")
        job = await job_of(daemon, name)
        assert (job.state, job.charge) == (State.GENERATING, Charge.CONFIRMED)
        assert job.problem is not None
        assert job.problem.code == "E-POLL"


@pytest.mark.fault(18)
async def test_hours_of_trouble_and_a_restart_lose_nothing(tmp_path: Path) -> None:
    clock = Clock()
    async with Service() as service:
        service.script_poll("502*1000")
        async with running(tmp_path / "home", service, times=clock) as daemon:
            name = await press(daemon)
            await until_event(daemon, name, "problem")
        clock.offset = 8 * 3600
        async with running(tmp_path / "home", service, times=clock) as daemon:
            await asyncio.sleep(0.5)
            assert (await job_of(daemon, name)).state is State.GENERATING
            service.control({"clear": True})
            await daemon.actions.retry(name, {})
            assert (await until(daemon, name)).state is State.PLACED
        assert len(service.charges) == 1


@pytest.mark.fault(20)
async def test_a_forgotten_job_is_told_and_not_failed(tmp_path: Path) -> None:
    async with Service(job_seconds=1000) as service, running(tmp_path / "home", service) as daemon:
        name = await press(daemon)
        await until(daemon, name, {State.GENERATING})
        service.forget(service.charges[0].remote_id)
        await until_event(daemon, name, "problem", seconds=30)
        for _ in range(8):
            await daemon.actions.retry(name, {})
            await asyncio.sleep(0.1)
        job = await job_of(daemon, name)
        assert (job.state, job.charge) == (State.GENERATING, Charge.CONFIRMED)
        assert job.problem is not None
        assert job.problem.code == "E-GONE"
        await daemon.actions.resolve(name, {"action": "dismiss", "charged": True})
        assert (await until(daemon, name)).state is State.DISMISSED


@pytest.mark.parametrize("word", ["failed", "failed_no_error", "error_as_string"])
@pytest.mark.fault(21)
async def test_only_the_word_of_the_service_fails_a_job(tmp_path: Path, word: str) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        service.script_poll(word)
        job = await until(daemon, await press(daemon))
        assert (job.state, job.charge) == (State.FAILED, Charge.CONFIRMED)
        assert job.problem is not None
        assert job.problem.code == "E-FAILED"
        assert (await daemon.actions.spend())["spent_today_usd"] == 0.58


@pytest.mark.fault(19)
async def test_progress_never_goes_back(tmp_path: Path) -> None:
    async with Service(job_seconds=6) as service, running(tmp_path / "home", service) as daemon:
        seen: list[float] = []
        daemon.journal.listen(lambda job: seen.append(job.fraction))
        service.script_poll("ok", "ok", "progress_back", "ok")
        job = await until(daemon, await press(daemon))
        assert job.state is State.PLACED
        assert seen == sorted(seen)


@pytest.mark.fault(19)
async def test_a_status_that_goes_back_after_completion_costs_nothing(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        service.script_download("403")
        service.script_poll("ok", "backwards", "backwards")
        name = await press(daemon)
        job = await until(daemon, name)
        assert job.state is State.PLACED
        assert "fetching" in await events(daemon, name)
        assert len(service.charges) == 1


async def test_all_requests_together_stay_within_the_rate(tmp_path: Path) -> None:
    async with (
        Service(enforce_rate=True, job_seconds=4) as service,
        running(tmp_path / "home", service, spend={"confirm_above_usd": 10}) as daemon,
    ):
        names = [await press(daemon, prompt=f"take {number}") for number in range(8)]
        for name in names:
            assert (await until(daemon, name, seconds=60)).state is State.PLACED
        assert service.busiest_minute() <= 50
        assert len(service.charges) == 8


async def test_an_answer_about_another_job_is_not_taken(tmp_path: Path) -> None:
    """Two takes would be swapped between two projects."""
    async with Service(job_seconds=[1000, 0]) as service, running(tmp_path / "home", service) as daemon:
        first = await press(daemon, seed=1)
        await until(daemon, first, {State.GENERATING})
        second = await until(daemon, await press(daemon, seed=2))
        service.script_poll("another_job*4")
        await until_event(daemon, first, "problem", seconds=30)
        job = await job_of(daemon, first)
        assert (job.state, job.charge) == (State.GENERATING, Charge.CONFIRMED)
        assert job.problem is not None
        assert f"another job, {second.remote_id}" in job.problem.text
        service.advance(1001)
        await daemon.actions.retry(first, {})
        job = await until(daemon, first)
        assert (job.state, job.problem) == (State.PLACED, None)
        assert job.original_sha256 != second.original_sha256


@pytest.mark.parametrize("word", ["first_url", "same audio"])
async def test_one_result_for_several_paid_jobs_is_noticed(tmp_path: Path, word: str) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        first = await until(daemon, await press(daemon, seed=1))
        service.script_poll("ok" if word == "same audio" else word)
        seed = 601 if word == "same audio" else 2  # of the fake, the pitch comes from the seed modulo 600
        second = await until(daemon, await press(daemon, seed=seed))
        assert second.state is State.PLACED
        assert [note for note in second.notes if first.id in note and "charged" in note]
        third = await until(daemon, await press(daemon, seed=3))
        assert not [note for note in third.notes if "charged" in note]
        assert len(service.charges) == 3
