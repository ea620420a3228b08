"""Sources through each store of the list, by stand-ins with their quirks: put, fetched, paid once, deleted."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from bridge_daemon.domain.job import Charge, State
from bridge_daemon.pipeline import prepare
from bridge_daemon.publish import bucket as module
from tests.fakes import buckets
from tests.fakes.buckets import Store, store
from tests.fakes.proxy import proxy
from tests.fakes.service import Service
from tests.support import press, running, tone, until
from tests.waiting import eventually

VENDORS = ("aws", "r2", "b2", "gcs", "minio", "seaweed", "oss")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", buckets.KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", buckets.SECRET)
    monkeypatch.setattr(module, "_PAUSE", (0.1, 0.5))
    monkeypatch.setattr(prepare, "_AGAIN", (0.1, 0.3))
    real = socket.getaddrinfo

    def look_up(host: Any, *given: Any, **more: Any) -> Any:
        return real("127.0.0.1" if str(host).endswith(".localhost") else host, *given, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)  # the bucket in the host, without a name server


def of(one: Store, **more: Any) -> dict[str, Any]:
    return {
        "method": "s3",
        "s3_bucket": "sources",
        "s3_endpoint": f"http://localhost:{one.port}",
        "s3_prefix": "é (1)~/'+",
    } | more


async def transform(daemon: Any, path: Path, **more: Any) -> str:
    return await press(daemon, action="transform", duration=None, source={"path": str(path)}, **more)


async def until_left(daemon: Any, left: bool) -> None:
    async def look() -> bool:
        return ("left" in (await daemon.actions.status())["publish"]) is left

    await eventually(look)


@pytest.mark.parametrize("vendor", VENDORS)
async def test_each_store_serves_the_source_and_is_clean_after(
    tmp_path: Path, vendor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tone(tmp_path / "a.wav")
    async with store(vendor) as one, proxy({}) as between, Service() as service:
        for name in ("HTTP_PROXY", "ALL_PROXY"):  # never for loopback
            monkeypatch.setenv(name, f"http://127.0.0.1:{between.port}")
        async with running(tmp_path / "home", service, publish=of(one)) as daemon:
            job = await until(daemon, await transform(daemon, source))
            assert job.state is State.PLACED, job.problem
            assert [fetch["trouble"] for fetch in service.fetches] == [None]
            await eventually(lambda: not one.objects)
            assert "left" not in (await daemon.actions.status())["publish"]
        assert len(service.charges) == 1
        assert between.lines == []


SAYS: dict[str, tuple[int, str, str, str]] = {
    "a cap": (403, "AccessDenied", "Cannot upload files, storage cap exceeded. See the Caps page.", "caps"),
    "a quota": (403, "QuotaExceeded", "You have used up your quota.", "quota"),
    "no bucket": (404, "NoSuchBucket", "The specified bucket does not exist", "s3_bucket"),
    "a wrong region": (400, "AuthorizationHeaderMalformed", "The authorization header is malformed", "s3_region"),
    "a key": (403, "InvalidAccessKeyId", "The key does not exist. " + "x" * 600, "key s3"),
    "a moment": (503, "SlowDown", "Please reduce your request rate.", "network"),
}


@pytest.mark.parametrize("case", SAYS)
async def test_the_code_of_the_store_comes_first(tmp_path: Path, case: str) -> None:
    status, code, text, remedy = SAYS[case]
    source = tone(tmp_path / "a.wav")
    async with store("seaweed") as one, Service() as service:
        one.refuse["PUT"] = status, code, text
        async with running(tmp_path / "home", service, publish=of(one)) as daemon:
            job = await until(daemon, await transform(daemon, source, valid_for=2))
            assert (job.state, job.charge) == (State.HELD, Charge.NONE)
            assert job.problem is not None
            assert job.problem.text.startswith(f"{code}: ")
            assert text[:20] in job.problem.text
            assert "othing was spent" in job.problem.text
            assert remedy in job.problem.next
        assert service.posts == []


@pytest.mark.parametrize(("ahead", "word"), [(1800.0, "30 min behind"), (-3600.0, "60 min ahead of")])
async def test_a_clock_that_is_off_is_told(tmp_path: Path, ahead: float, word: str) -> None:
    source = tone(tmp_path / "a.wav")
    async with store("aws") as one, Service() as service:
        one.ahead = ahead
        async with running(tmp_path / "home", service, publish=of(one)) as daemon:
            job = await until(daemon, await transform(daemon, source, valid_for=2))
            assert job.problem is not None
            assert job.problem.text.startswith("RequestTimeTooSkewed: ")
            assert word in job.problem.next
        assert service.posts == []


async def test_what_cannot_be_deleted_is_told_and_deleted_later(tmp_path: Path) -> None:
    from bridge_daemon.cli.status import _publish_lines

    source = tone(tmp_path / "a.wav")
    async with store("seaweed") as one, Service() as service:
        one.refuse["DELETE"] = 403, "AccessDenied", "Access Denied."
        async with running(tmp_path / "home", service, publish=of(one)) as daemon:
            assert (await until(daemon, await transform(daemon, source))).state is State.PLACED
            await until_left(daemon, True)
            status = await daemon.actions.status()
            assert status["publish"]["left"]["objects"] == 1
            assert "AccessDenied" in status["publish"]["left"]["text"]
            assert "could not be deleted" in str(_publish_lines(status))
        async with running(tmp_path / "home", service, publish=of(one)) as daemon:  # also after a restart
            await until_left(daemon, True)
            one.refuse.clear()
            await eventually(lambda: not one.objects)
            await until_left(daemon, False)
        assert len(service.charges) == 1


async def test_a_store_out_there_is_asked_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    from bridge_daemon.home.s3_key import S3Key
    from bridge_daemon.publish.store import Bucket
    from bridge_daemon.publish.store import Store as Client

    async with store("gcs") as one, proxy({"store.example.invalid": ("127.0.0.1", one.port)}) as between:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{between.port}")
        client = Client(
            Bucket("sources", "http://store.example.invalid", None),
            S3Key(buckets.KEY, buckets.SECRET, "environment"),
        )
        await client.put("a b.wav", b"RIFF")
        await client.delete("a b.wav")
    assert [line.partition(" ")[0] for line in between.lines] == ["PUT", "DELETE"]
    assert one.requests == ["PUT /sources/a%20b.wav", "DELETE /sources/a%20b.wav"]
