"""The process ends between publishing and paying, and is started again: the money is right, nothing stays published.

These walk the writes of the journal that tests/faults does not reach, because they need a tunnel or a bucket.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bridge_daemon.domain.job import Job, State
from bridge_daemon.home.paths import Home
from bridge_daemon.home.s3_key import S3KeyStore
from bridge_daemon.pipeline.conveyor import Conveyor
from bridge_daemon.util.failpoints import EXIT_CODE
from tests.fakes.service import Service
from tests.faults.victim import perform, run
from tests.publish.conftest import S3, Tunnels
from tests.support import running, settings, tone

pytestmark = pytest.mark.timeout(240)
ID = "6b6a3bd0-8a0c-4ea9-9c1b-3a4c2b0e9d55"


def ops(tmp_path: Path) -> list[list[Any]]:
    source = tmp_path / "quelle ü.wav"
    if not source.exists():
        tone(source)
    body = {"id": ID, "action": "transform", "prompt": "pad", "seed": 1, "source": {"path": str(source)}}
    return [["admit", body], ["rest", 60.0]]


async def die(tmp_path: Path, service: Service, publish: dict[str, Any], point: str | None) -> int:
    given = {
        "home": str(tmp_path / "home"),
        "key": service.key,
        "settings": settings(service, publish=publish).model_dump(mode="json"),
        "ops": ops(tmp_path),
        "told": str(tmp_path / "told.txt"),
    }
    return await run(given, failpoint=point)


async def start_again(tmp_path: Path, service: Service, publish: dict[str, Any]) -> Job:
    async with running(tmp_path / "home", service, publish=publish) as daemon:
        await perform(daemon, ops(tmp_path))
        (job,) = await daemon.journal.read(lambda tx: tx.find(limit=9))
        await _cleaned(daemon.parts.conveyor)
        return job


async def _cleaned(conveyor: Conveyor) -> None:
    """Wait until what lies in a bucket for nothing is deleted."""
    async with asyncio.timeout(30):
        while conveyor._context.publishers._bucket._tasks:
            await asyncio.sleep(0.01)


def check(job: Job, service: Service) -> None:
    assert job.state in (State.PLACED, State.UNKNOWN)
    assert len([post for post in service.posts if post.charged]) == len(service.charges) <= 1
    if job.state is State.PLACED:
        assert len(service.charges) == 1
    assert [fetch["trouble"] for fetch in service.fetches] == [None] * len(service.fetches), "none was paid for nothing"


BUCKET_POINTS = [
    *(f"journal.{name}.{moment}:1" for name in ("object", "prepared") for moment in ("commit", "committed")),
    "journal.submitting.committed:1",
    "journal.outcome.committed:1",
    *(f"journal.object_gone.{moment}:1" for moment in ("commit", "committed")),
]


@pytest.mark.parametrize("point", BUCKET_POINTS)
async def test_with_a_bucket(tmp_path: Path, s3: S3, point: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    home = Home(tmp_path / "home")
    home.prepare()
    assert S3KeyStore(home).set(s3.access_key_id, s3.secret_access_key) == "file"
    publish = s3.settings | {"s3_prefix": f"{tmp_path.name}/"}
    async with Service(source_trouble="fail") as service:
        code = await die(tmp_path, service, publish, point)
        # the last object may be deleted only at the next start, where the daemon stopped first
        assert code == EXIT_CODE or (code == 0 and "object_gone" in point)
        jobs = [await start_again(tmp_path, service, publish) for _ in range(3)]
        check(jobs[0], service)
        assert {(job.state, job.remote_id) for job in jobs} == {(jobs[0].state, jobs[0].remote_id)}, (
            "again is no change"
        )
        left = [name for name in await asyncio.to_thread(s3.objects) if name.startswith(tmp_path.name)]
        assert len(left) == (jobs[0].state is State.UNKNOWN), "but for one that the service may still fetch"


TUNNEL_POINTS = ["journal.submitting.committed:1", "journal.outcome.committed:1"]


@pytest.mark.parametrize("point", TUNNEL_POINTS)
async def test_with_a_tunnel_which_dies_too(tmp_path: Path, tunnels: Tunnels, point: str) -> None:
    publish = {"method": "public_url", "tunnel_command": tunnels.command("--mode", "stubborn")}
    # it fetches before it answers: one that fetches later finds nothing while the daemon is dead, which the docs tell
    async with Service(source_trouble="refuse", job_seconds=1.0) as service:
        assert await die(tmp_path, service, publish, point) == EXIT_CODE
        async with asyncio.timeout(15):
            while tunnels.reachable(0):  # its keeper sees that the daemon is gone
                await asyncio.sleep(0.05)
        jobs = [await start_again(tmp_path, service, publish) for _ in range(2)]
        check(jobs[0], service)
        assert jobs[0].state is (State.UNKNOWN if "submitting" in point else State.PLACED)
        assert jobs[0].state is jobs[1].state


@pytest.mark.parametrize("moment", ["commit", "committed"])
async def test_when_a_source_is_published_anew(tmp_path: Path, tunnels: Tunnels, moment: str) -> None:
    """The first tunnel dies as soon as the source came back through it, and the service wants to be asked later."""
    publish = {"method": "public_url", "tunnel_command": tunnels.command("--first", "2")}
    async with Service(source_trouble="fail") as service:
        service.script_post("429:1")
        assert await die(tmp_path, service, publish, f"journal.republish.{moment}:1") == EXIT_CODE
        job = await start_again(tmp_path, service, publish)
        check(job, service)
        assert job.state is State.PLACED
        assert [post.word for post in service.posts if post.charged] == ["ok"]
