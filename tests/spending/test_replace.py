"""Replacing a region of a source: where the catalogue lists it, under the names that the catalogue gives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import typer

from bridge_daemon.app.daemon import Daemon
from bridge_daemon.cli.sending import body_of
from bridge_daemon.domain.job import State
from bridge_daemon.domain.models import models
from bridge_daemon.errors import BridgeError
from tests.fakes.service import Service
from tests.support import press, request, running, tone, until

MODEL = "stable-audio-2-5"


def service(**given: Any) -> Service:
    return Service(models=("stable-audio-2-0", MODEL), replaces=(MODEL,), take_seconds=None, **given)


@asynccontextmanager
async def replacing(tmp_path: Path, cloud: Service) -> AsyncIterator[Daemon]:
    """Run a daemon that has read the catalogue, at the table's price, with a source of 8 s."""
    tone(tmp_path / "a.wav", seconds=8)
    cloud.prices("$0.58")
    async with running(tmp_path / "home", cloud, engine={"model": MODEL}) as daemon:
        async with asyncio.timeout(10):
            while models()[MODEL].region is None:
                await asyncio.sleep(0.02)
        yield daemon


def asked(tmp_path: Path, start: Any = 2, end: Any = 5.5, **given: Any) -> dict[str, Any]:
    region = {"region_start": start, "region_end": end}
    source = {"path": str(tmp_path / "a.wav")}
    # the fake has one range of steps for all models, that of 2.0
    return {"action": "transform", "source": source, "duration": None} | region | given


async def refused(daemon: Daemon, code: str, **given: Any) -> BridgeError:
    with pytest.raises(BridgeError) as error:
        await daemon.actions.admit(request(**given))
    assert (error.value.code, error.value.charge) == (code, "none"), error.value.message
    return error.value


async def test_a_region_is_sent_by_the_names_of_the_catalogue(tmp_path: Path) -> None:
    async with service(mask=("mask_start_seconds", "mask_end_seconds")) as cloud, replacing(tmp_path, cloud) as daemon:
        place = {"position": 12.0, "length": 8.0, "tempo": 120.0}
        job = await until(daemon, await press(daemon, **asked(tmp_path, place=place, cfg_scale=5)))
        assert job.state is State.PLACED, job.problem
        body = cloud.posts[0].body
        assert (body["mode"], body["mask_start_seconds"], body["mask_end_seconds"]) == ("audio-inpaint", 2, 5.5)
        assert (body["duration"], body["cfg_scale"]) == (8, 5)
        assert not {"strength", "mask_start", "region_start"} & set(body)
        assert (job.parameters.region_start, job.parameters.region_end, job.parameters.strength) == (2, 5.5, None)
        assert job.take is not None
        assert job.take.frames / job.take.rate == 8, "as long as its source"
        assert (job.place.position, job.fit) == (12.0, "off"), "what is around the region lies there as it is to be"


async def test_replace_is_also_an_action(tmp_path: Path) -> None:
    async with service() as cloud, replacing(tmp_path, cloud) as daemon:
        job = await until(daemon, await press(daemon, **asked(tmp_path, action="replace")))
        assert (job.action, cloud.posts[0].body["mode"]) == ("transform", "audio-inpaint")
        error = await refused(daemon, "E-INVALID", **asked(tmp_path, None, None, action="replace"))
        assert "region_start" in error.message


async def test_whole_seconds_hold_all_of_the_region(tmp_path: Path) -> None:
    rows = [
        {"name": "mode", "enum": ["text-to-audio", "audio-to-audio", "audio-inpaint"]},
        {"name": "audio_url"},
        *({"name": name, "type": "integer", "range": [0, 190]} for name in ("mask_start", "mask_end")),
    ]
    async with service(catalogue_extra={"supported_parameters": rows}) as cloud, replacing(tmp_path, cloud) as daemon:
        job = await until(daemon, await press(daemon, **asked(tmp_path, 2.3, 5.2)))
        body = cloud.posts[0].body
        assert (body["mask_start"], body["mask_end"]) == (2, 6)
        assert any("2 to 6 s" in note for note in job.notes)
        job = await until(daemon, await press(daemon, **asked(tmp_path, 2, 6)))
        assert not any("whole seconds" in note for note in job.notes), "that is what was asked for"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"region_end": None}, "region_end"),
        ({"region_start": None}, "region_start"),
        ({"region_start": 5, "region_end": 5}, "region_end"),
        ({"region_start": 6, "region_end": 5}, "region_end"),
        ({"region_start": -1}, "region_start"),
        ({"region_end": 8.5}, "region_end"),  # the source has 8 s
        ({"region_end": 500}, "region_end"),
        ({"region_start": "2"}, "region_start"),
        ({"region_start": float("nan")}, "region_start"),
        ({"region_start": True}, "region_start"),
        ({"duration": 20}, "duration"),
        ({"action": "generate", "source": None}, "region_start"),
    ],
)
async def test_a_wrong_region_is_refused_before_the_money(tmp_path: Path, given: dict[str, Any], field: str) -> None:
    async with service() as cloud, replacing(tmp_path, cloud) as daemon:
        error = await refused(daemon, "E-INVALID", **(asked(tmp_path) | given))
        assert f"{field}" in error.message
        assert (cloud.posts, (await daemon.actions.spend())["reserved_usd"]) == ([], 0)


async def test_a_model_that_does_not_list_it_is_not_offered(tmp_path: Path) -> None:
    tone(tmp_path / "a.wav")
    async with service() as cloud, replacing(tmp_path, cloud) as daemon:
        error = await refused(daemon, "E-MODEL", **asked(tmp_path, model="stable-audio-2-0"))
        assert "audio-inpaint" in error.message
        assert error.next_step
        other = await daemon.actions.estimate(request(**asked(tmp_path, model="stable-audio-2-0")))
        assert (other["replace"], other["refused"]["code"]) == (False, "E-MODEL")
        told = await daemon.actions.estimate(request(**asked(tmp_path)))
        assert (told["replace"], told["refused"], told["faults"], told["usd"]) == (True, None, [], 0.68)
        assert await daemon.actions.replacing("empiriolabs") == [MODEL]
        assert cloud.posts == []


@pytest.mark.parametrize("given", [{"region_end": 1}, {"region_end": None}, {"prompt": None}, {"region_end": 400}])
async def test_what_is_wrong_with_a_region_does_not_take_it_from_the_form(tmp_path: Path, given: Any) -> None:
    async with service() as cloud, replacing(tmp_path, cloud) as daemon:
        told = await daemon.actions.estimate(request(**(asked(tmp_path) | given)))
        assert (told["replace"], told["usd"]) == (True, 0.68)
        assert [fault["field"] for fault in told["faults"]] == list(given)


async def test_where_no_model_lists_it_nothing_offers_it(tmp_path: Path) -> None:
    tone(tmp_path / "a.wav")
    async with Service() as cloud, running(tmp_path / "home", cloud) as daemon:
        assert await daemon.actions.replacing("empiriolabs") == []
        assert not await daemon.actions.replaces()
        await refused(daemon, "E-MODEL", **asked(tmp_path))


async def test_another_region_is_another_press_and_the_same_is_a_double(tmp_path: Path) -> None:
    async with service() as cloud, replacing(tmp_path, cloud) as daemon:
        await press(daemon, **asked(tmp_path))
        await press(daemon, **asked(tmp_path, end=6))
        await press(daemon, **asked(tmp_path, start=1))
        await refused(daemon, "E-DOUBLE-PRESS", **asked(tmp_path, start=1))  # the latest: a slow machine is in time


async def test_a_failed_one_is_asked_for_again_as_it_was(tmp_path: Path) -> None:
    async with service() as cloud, replacing(tmp_path, cloud) as daemon:
        cloud.script_poll("failed")
        job = await until(daemon, await press(daemon, **asked(tmp_path)))
        again = await daemon.actions.retry(job.id, {"id": "0a7e1d8e-0f4c-4d0e-9a53-3f4f3f9d2c11", "again": True})
        found = await until(daemon, again["job"])
        assert (again["region_start"], again["region_end"]) == (2, 5.5)
        first, second = (post.body | {"audio_url": ""} for post in cloud.posts)
        assert first == second
        assert found.state is State.PLACED, found.problem


async def test_it_goes_on_after_a_restart_as_it_was_admitted(tmp_path: Path) -> None:
    """Names and mode are the job's own: the catalogue may tell nothing any more."""
    async with service() as cloud:
        async with replacing(tmp_path, cloud) as daemon:
            cloud.script_post("429:1")
            name = await press(daemon, **asked(tmp_path))
            async with asyncio.timeout(10):
                while not cloud.posts:
                    await asyncio.sleep(0.02)
        cloud.script_catalogue("500*9")
        models_before = models()[MODEL]
        async with running(tmp_path / "home", cloud, engine={"model": MODEL}) as daemon:
            assert models()[MODEL].region == models_before.region
            job = await until(daemon, name, {State.PLACED}, seconds=30)
            assert cloud.posts[-1].body["mask_end"] == 5.5
            assert len(cloud.charges) == 1
            assert job.parameters.mode == "audio-inpaint"


async def test_a_short_source_is_repeated_and_the_take_cut_back(tmp_path: Path) -> None:
    async with service() as cloud, replacing(tmp_path, cloud) as daemon:
        tone(tmp_path / "a.wav", seconds=3)
        job = await until(daemon, await press(daemon, **asked(tmp_path, 1, 2)))
        assert job.take is not None
        assert job.take.frames == 3 * job.take.rate


async def test_the_sketch_engine_replaces_for_free(tmp_path: Path) -> None:
    path = tone(tmp_path / "a.wav", seconds=8)
    async with running(tmp_path / "home", None) as daemon:
        assert (await daemon.actions.estimate(request(**asked(tmp_path))))["replace"]
        job = await until(daemon, await press(daemon, **asked(tmp_path)), seconds=60)
        assert job.state is State.PLACED, job.problem
        assert job.take is not None
        made, rate = soundfile.read(job.take.file)
        source, _ = soundfile.read(path)
    assert made.shape == source.shape
    start, end = 2 * rate, round(5.5 * rate)
    assert np.abs(made[:start] - source[:start]).max() < 2e-4
    assert np.abs(made[end:] - source[end:]).max() < 2e-4
    inside = made[start:end] - source[start:end]
    assert np.sqrt((inside**2).mean()) > 0.05
    step = np.abs(np.diff(made, axis=0)).max(axis=1)
    assert max(step[start - 2 : start + 2].max(), step[end - 2 : end + 2].max()) < 0.05, "no click at the edges"


def test_the_command_line_names_a_region() -> None:
    body = body_of("transform", {"replace": "4:8.5", "prompt": "toms"})
    assert (body["action"], body["region_start"], body["region_end"]) == ("transform", 4, 8.5)
    assert "replace" not in body
    for wrong in ("4", "4:", "4:8:9", "a:b", "nan:8", "4-8"):
        with pytest.raises(typer.BadParameter):
            body_of("transform", {"replace": wrong})
