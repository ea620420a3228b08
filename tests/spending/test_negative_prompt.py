"""The negative prompt: for models whose catalogue at the service lists it, and refused before a cent for all others."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bridge_daemon.domain.models import forget, models
from bridge_daemon.engine.listing import read_told
from bridge_daemon.errors import BridgeError
from tests.fakes.service import Service
from tests.support import press, running, until

MODEL = "stable-audio-2-0"
LISTED = {"supported_parameters": [{"name": "prompt", "type": "string"}, {"name": "negative_prompt", "type": "string"}]}


async def known() -> None:
    async with asyncio.timeout(10):
        while not models()[MODEL].takes("negative_prompt"):
            await asyncio.sleep(0.02)


async def test_without_the_catalogue_it_is_refused_and_nothing_is_sent(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        with pytest.raises(BridgeError) as refused:
            await press(daemon, negative_prompt="drums")
        assert (refused.value.code, refused.value.charge) == ("E-INVALID", "none")
        assert "negative_prompt" in refused.value.message
        assert service.posts == []
        await until(daemon, await press(daemon, negative_prompt=""))  # nothing is nothing


async def test_where_it_is_listed_it_is_sent_kept_and_asked_for_again(tmp_path: Path) -> None:
    presets = {"dry": {"action": "generate", "prompt": "piano", "negative_prompt": "reverb", "duration": 1}}
    async with Service(catalogue_extra=LISTED) as service:
        async with running(tmp_path / "home", service, presets=presets) as daemon:
            await known()
            service.script_poll("failed")
            job = await until(daemon, await press(daemon, negative_prompt="drums"))
            assert (await daemon.actions.job(job.id))["negative_prompt"] == "drums"
            again = await daemon.actions.retry(job.id, {"id": "0a7e1d8e-0f4c-4d0e-9a53-3f4f3f9d2c11", "again": True})
            await until(daemon, again["job"])
            await until(daemon, await press(daemon, preset="dry", prompt="piano"))
            assert [post.body.get("negative_prompt") for post in service.posts] == ["drums", "drums", "reverb"]
        forget()  # as a new process knows them
        service.script_catalogue("500*9")
        async with running(tmp_path / "home", service, presets=presets):
            await known()  # it was written down


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b'{"supported_parameters": [{"name": "seed"}, "steps", 7, null, {"id": 1}]}', {"seed", "steps"}),
        (b'{"supported_parameters": "none"}', set()),
        (b"[]", set()),
        (b"\xff", set()),
    ],
)
def test_a_catalogue_of_any_form_is_read(body: bytes, names: set[str]) -> None:
    assert read_told(body).fields == names


def test_the_model_that_is_described_to_us_lists_none() -> None:
    assert not models()[MODEL].takes("negative_prompt")
