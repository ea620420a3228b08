"""Wildcards and money: what is chosen is part of one press, and is written into its jobs."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge_daemon.domain.job import State
from bridge_daemon.errors import BridgeError
from tests.fakes.service import Service
from tests.support import job_of, request, running, until

PROMPT = "{warm|cold|tape-worn} piano"


async def test_the_same_id_again_is_the_same_press_and_the_same_text(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        body = request(prompt=PROMPT, variations=3)
        first, repeated = await daemon.actions.admit(body)
        assert not repeated
        jobs = [await until(daemon, job) for job in first["jobs"]]
        assert await daemon.actions.admit(body) == (first, True)
        assert {job.parameters.prompt for job in jobs} == {"warm piano", "cold piano", "tape-worn piano"}
        assert sorted(charge.body["prompt"] for charge in service.charges) == sorted(
            job.parameters.prompt for job in jobs
        )
        for job in jobs:  # each can be made again by its seed
            again = request(prompt=PROMPT, seed=job.parameters.seed)
            made, _ = await daemon.actions.admit(again)
            assert (await job_of(daemon, made["jobs"][0])).parameters.prompt == job.parameters.prompt


async def test_a_press_that_was_asked_about_is_the_same_text_once_it_is_confirmed(tmp_path: Path) -> None:
    texts = []
    async with Service() as service:
        body = request(prompt=PROMPT)
        for number in range(3):  # as if the answer to the question came to another process
            async with running(tmp_path / f"home {number}", service, spend={"confirm_above_usd": 0.01}) as daemon:
                with pytest.raises(BridgeError) as asked:
                    await daemon.actions.admit(body)
                assert asked.value.code == "E-CONFIRM"
                answer, _ = await daemon.actions.admit(body | {"confirm_usd": 1.0})
                job = await job_of(daemon, answer["jobs"][0])
                texts.append((job.parameters.prompt, job.parameters.seed))
    assert len(set(texts)) == 1


async def test_another_choice_is_no_other_press(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        await daemon.actions.admit(request(prompt=PROMPT))
        with pytest.raises(BridgeError) as error:
            await daemon.actions.admit(request(prompt=PROMPT))
        assert error.value.code == "E-DOUBLE-PRESS"


async def test_a_retry_asks_for_what_was_chosen_and_for_the_same_fit(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        service.control({"poll": ["failed"]})
        answer, _ = await daemon.actions.admit(request(prompt="\\{a|b} {c|d}", fit="start", loudness=-14))
        failed = await until(daemon, answer["jobs"][0], {State.FAILED})
        again = await daemon.actions.retry(failed.id, {"id": request()["id"]})
        job = await job_of(daemon, again["job"])
        assert job.parameters.prompt == failed.parameters.prompt
        assert job.parameters.prompt[:5] == "{a|b}"
        assert (job.parameters.fit, job.parameters.loudness) == ("start", -14)
