"""The service's own upload: only where it is chosen, and a service that has none costs nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bridge_daemon.domain.job import Charge, State
from bridge_daemon.errors import NotPublished
from bridge_daemon.publish.upload import read
from tests.fakes.service import Service
from tests.support import job_of, press, running, tone, until

UPLOAD: dict[str, Any] = {"method": "upload"}


@pytest.mark.parametrize("answer", ["path", "url", "in two parts"])
async def test_a_transform_by_it(tmp_path: Path, answer: str) -> None:
    source = tone(tmp_path / "a.wav")
    async with Service(upload=answer) as service, running(tmp_path / "home", service, publish=UPLOAD) as daemon:
        name = await press(daemon, action="transform", duration=None, source={"path": str(source)})
        job = await until(daemon, name)
        assert job.state is State.PLACED
        ((told, trouble),) = service.uploads.items()
        assert trouble is None, "audio as the service wants it"
        assert [charge.body["audio_url"] for charge in service.charges] == [told]
        assert any("does not tell how long" in note for note in job.notes), "what it means is said"
        assert service.violations == []
        assert sum(target == "/v1/files/upload" for _, _, target in service.requests) == 1


@pytest.mark.parametrize(("answer", "words"), [("gone", "no upload of files any more"), ("html", "names no file")])
async def test_a_service_without_it_costs_nothing(tmp_path: Path, answer: str, words: str) -> None:
    source = tone(tmp_path / "a.wav")
    async with Service(upload=answer) as service, running(tmp_path / "home", service, publish=UPLOAD) as daemon:
        name = await press(daemon, action="transform", duration=None, source={"path": str(source)})
        job = await until(daemon, name)
        assert (job.state, job.charge, job.publication) == (State.HELD, Charge.NONE, None)
        assert job.problem is not None
        assert (job.problem.code, words in job.problem.text) == ("E-PUBLISH", True)
        assert (service.posts, service.charges) == ([], [])


async def test_it_is_tried_again_where_that_may_help(tmp_path: Path) -> None:
    source = tone(tmp_path / "a.wav")
    async with Service(upload="503") as service, running(tmp_path / "home", service, publish=UPLOAD) as daemon:
        name = await press(daemon, action="transform", duration=None, source={"path": str(source)})
        async with asyncio.timeout(15):
            while (await job_of(daemon, name)).problem is None:
                await asyncio.sleep(0.02)
        service.upload = "path"
        assert (await until(daemon, name)).state is State.PLACED
        assert len(service.charges) == 1


async def test_it_is_never_chosen_by_itself(tmp_path: Path) -> None:
    source = tone(tmp_path / "a.wav")
    engine = {"name": "empiriolabs", "base_url": "https://service.invalid"}
    async with running(tmp_path / "home", None, key="sk-a-key", engine=engine) as daemon:
        with pytest.raises(NotPublished):
            await press(daemon, action="transform", source={"path": str(source)})


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"path": "a/b.wav"}', "a/b.wav"),
        (b'{"data": {"file_url": "https://x.org/1"}}', "https://x.org/1"),
        (b'{"file": {"storage_path": "s/1"}, "id": 3}', "s/1"),
        (b'[{"url": "https://x.org/2"}]', "https://x.org/2"),
    ],
)
def test_names_of_files(body: bytes, found: str) -> None:
    assert read(201, body) == found


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"null", b"[]", b"{}", b'{"path": ""}', b'{"url": "a b"}', b'{"path": 3}', b"\xff"),
        b'{"path": "a.wav", "more": ' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    ],
)
def test_answers_without_one(body: bytes) -> None:
    with pytest.raises(NotPublished, match="names no file"):
        read(200, body)


@pytest.mark.parametrize(
    ("status", "passing"), [(404, False), (401, False), (422, False), (302, False), (429, True), (502, True)]
)
def test_refusals(status: int, passing: bool) -> None:
    with pytest.raises(NotPublished) as refused:
        read(status, b"{}")
    assert refused.value.passing is passing
