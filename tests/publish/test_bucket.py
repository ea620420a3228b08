"""Sources through a bucket, on a real S3 server that checks signatures, and a strict service that fetches."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from bridge_daemon.app.daemon import Daemon
from bridge_daemon.domain.job import Charge, State
from bridge_daemon.errors import NotPublished
from bridge_daemon.pipeline import prepare
from bridge_daemon.publish import bucket as module
from tests.fakes.service import Service
from tests.publish.conftest import S3
from tests.support import Clock, events, job_of, press, running, tone, until
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    if "s3" in request.fixturenames:
        server: S3 = request.getfixturevalue("s3")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.access_key_id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_access_key)
    monkeypatch.setattr(module, "_PAUSE", (0.1, 0.5))
    monkeypatch.setattr(prepare, "_AGAIN", (0.1, 0.3))


async def transform(daemon: Daemon, path: Path, **more: Any) -> str:
    return await press(daemon, action="transform", duration=None, source={"path": str(path)}, **more)


async def until_empty(s3: S3, prefix: str) -> None:
    async def look() -> bool:
        return not any(name.startswith(prefix) for name in await asyncio.to_thread(s3.objects))

    await eventually(look)


def of(s3: S3, tmp_path: Path, **more: Any) -> dict[str, Any]:
    return s3.settings | {"s3_prefix": f"{tmp_path.name}/é /"} | more


async def test_a_transform_by_a_signed_url_that_is_gone_after(tmp_path: Path, s3: S3) -> None:
    source = tone(tmp_path / "a.wav")
    async with Service() as service, running(tmp_path / "home", service, publish=of(s3, tmp_path)) as daemon:
        job = await until(daemon, await transform(daemon, source))
        assert job.state is State.PLACED
        (fetch,) = service.fetches
        assert (fetch["status"], fetch["type"], fetch["trouble"]) == (200, "audio/wav", None)
        assert re.search(r"/[A-Za-z0-9_-]{43}\.wav$", urlsplit(fetch["url"]).path), "nobody guesses it"
        assert "X-Amz-Expires=86400" in fetch["url"]
        assert any("bucket sources" in note for note in job.notes)
        await until_empty(s3, tmp_path.name)
        assert await service._fetch(fetch["url"]) == "answered 404"
        unsigned = fetch["url"].partition("?")[0]
        assert await service._fetch(unsigned) == "answered 403"
        assert len(service.charges) == 1
        assert (await daemon.actions.status())["publish"] | {"text": ""} == {
            "method": "s3", "ready": True, "tunnel": None, "problem": None, "text": "",
        }  # fmt: skip
        assert await daemon.journal.read(lambda tx: tx.fact("s3_objects")) is None


@pytest.mark.parametrize(("script", "state"), [("422", State.REFUSED), ("ok", State.FAILED)])
async def test_it_is_deleted_wherever_the_job_ends(tmp_path: Path, s3: S3, script: str, state: State) -> None:
    source = tone(tmp_path / "a.wav")
    async with Service() as service, running(tmp_path / "home", service, publish=of(s3, tmp_path)) as daemon:
        service.script_post(script)
        service.script_poll("failed")
        await until(daemon, await transform(daemon, source), {state})
        await until_empty(s3, tmp_path.name)


async def test_a_job_that_is_held_or_cancelled_leaves_nothing_and_is_published_anew(tmp_path: Path, s3: S3) -> None:
    source = tone(tmp_path / "a.wav")
    async with Service() as service:
        port = service.port
    async with running(tmp_path / "home", service, publish=of(s3, tmp_path)) as daemon:
        name = await transform(daemon, source)
        async with asyncio.timeout(15):
            while "E-NOT-SENT" not in str((await job_of(daemon, name)).problem):
                await asyncio.sleep(0.02)
        assert len(await asyncio.to_thread(s3.objects)) == 1
        old = (await job_of(daemon, name)).publication
    # the bridge was stopped with the object in the bucket; the next start publishes anew and takes the old one away
    async with (
        Service(port=port, source_trouble="fail") as service,
        running(tmp_path / "home", service, publish=of(s3, tmp_path)) as daemon,
    ):
        job = await until(daemon, name)
        assert job.state is State.PLACED
        assert old is not None
        assert job.publication is not None
        assert job.publication.url != old.url
        await until_empty(s3, tmp_path.name)
        assert len(service.charges) == 1
    async with running(tmp_path / "home", service, publish=of(s3, tmp_path)) as daemon:
        name = await transform(daemon, source, seed=5)
        async with asyncio.timeout(15):
            while not await asyncio.to_thread(s3.objects):
                await asyncio.sleep(0.02)
        await daemon.actions.cancel(name)
        await until(daemon, name, {State.CANCELLED})  # at once, or as soon as it is certain that it was not sent
        await until_empty(s3, tmp_path.name)


async def test_a_signature_that_grew_old_is_made_anew_before_money_is_spent(tmp_path: Path, s3: S3) -> None:
    source, clock = tone(tmp_path / "a.wav"), Clock()
    publish = of(s3, tmp_path, ttl_s=3600)
    async with Service() as service:
        port = service.port
    async with running(tmp_path / "home", service, publish=publish, times=clock) as daemon:
        name = await transform(daemon, source, valid_for=9000)
        async with asyncio.timeout(15):
            while "E-NOT-SENT" not in str((await job_of(daemon, name)).problem):
                await asyncio.sleep(0.02)
        clock.offset = 2000
        async with Service(port=port, source_trouble="fail") as service:
            job = await until(daemon, name)
            assert job.state is State.PLACED
            assert "republish" in await events(daemon, name)
            assert (len(service.posts), len(service.charges)) == (1, 1)
            await until_empty(s3, tmp_path.name)


WRONG = {
    "secret": ({}, {"AWS_SECRET_ACCESS_KEY": "wrong-secret-0123456789"}, State.HELD, "does not take the source"),
    "reader": (
        {},
        {"AWS_ACCESS_KEY_ID": "reader-key", "AWS_SECRET_ACCESS_KEY": "reader-secret-0123456789"},
        State.HELD,
        "does not take the source",
    ),
    "bucket": (
        {"s3_bucket": "not-mine"},
        {"AWS_ACCESS_KEY_ID": "writer-key", "AWS_SECRET_ACCESS_KEY": "writer-secret-0123456789"},
        State.HELD,
        "not-mine does not take the source",
    ),
    "none": ({}, {"AWS_SECRET_ACCESS_KEY": ""}, State.HELD, "There are no credentials"),
    "dead": ({"s3_endpoint": "http://127.0.0.1:9"}, {}, State.HELD, "does not take the source now"),
}


@pytest.mark.parametrize("case", WRONG)
async def test_a_bucket_that_does_not_work_costs_nothing(
    tmp_path: Path, s3: S3, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    change, environ, state, words = WRONG[case]
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    source = tone(tmp_path / "a.wav")
    async with Service() as service, running(tmp_path / "home", service, publish=of(s3, tmp_path) | change) as daemon:
        job = await until(daemon, await transform(daemon, source, valid_for=5), seconds=60)
        assert (job.state, job.charge) == (state, Charge.NONE)
        assert job.problem is not None
        assert job.problem.code == "E-PUBLISH"
        assert words in job.problem.text
        assert "othing was spent" in job.problem.text
        assert "secret-0123456789" not in job.problem.text
        assert service.posts == []


async def test_what_could_not_be_deleted_is_deleted_at_the_next_start(
    tmp_path: Path, s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tone(tmp_path / "a.wav")
    async with Service() as service:
        async with running(tmp_path / "home", service, publish=of(s3, tmp_path)) as daemon:
            monkeypatch.setattr(module.BucketPublisher, "_delete", _fails)
            assert (await until(daemon, await transform(daemon, source))).state is State.PLACED
        left = await asyncio.to_thread(s3.objects)
        assert len([name for name in left if name.startswith(tmp_path.name)]) == 1
        monkeypatch.undo()
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.access_key_id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret_access_key)
        # the way may have been changed meanwhile: what lies there is still ours to take away
        async with running(tmp_path / "home", service):
            await until_empty(s3, tmp_path.name)
        assert len(service.charges) == 1


async def _fails(*_: Any) -> bool:
    return False


async def test_without_the_library_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge_daemon.publish.publisher.installed", lambda: False)
    source = tone(tmp_path / "a.wav")
    publish = {"s3_bucket": "b"}
    engine = {"name": "empiriolabs", "base_url": "https://service.invalid"}
    async with running(tmp_path / "home", None, key="sk-a-key", engine=engine, publish=publish) as daemon:
        with pytest.raises(NotPublished) as refused:
            await transform(daemon, source)
        assert "pip install 'daw-bridge[s3]'" in refused.value.next_step
