"""Prepare: the region of a file becomes a source that the service can fetch, and nothing is spent before it can.

The service of these tests really fetches `audio_url`, from outside and without a key, and decodes what comes.
"""

from __future__ import annotations

import asyncio
from importlib import resources
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
import soundfile

from bridge_daemon.app.daemon import Daemon
from bridge_daemon.domain.job import Charge, Job, State
from bridge_daemon.errors import NotPublished
from bridge_daemon.publish.listener import SourceListener
from tests.fakes.service import Service
from tests.support import Clock, events, job_of, press, request, running, tone, until, until_seen


def noise(
    path: Path, *, seconds: float = 9.0, rate: int = 44_100, channels: int = 2, subtype: str = "PCM_16"
) -> np.ndarray:
    """Write noise, of which every frame is like no other, and return it as it can be read."""
    dice = np.random.default_rng(7)
    soundfile.write(path, dice.uniform(-0.5, 0.5, (round(seconds * rate), channels)), rate, subtype=subtype)
    return soundfile.read(path, always_2d=True)[0]


async def transform(
    daemon: Daemon, path: Path, *, start: float | None = None, end: float | None = None, **more: Any
) -> str:
    region = {key: value for key, value in (("start", start), ("end", end)) if value is not None}
    return await press(daemon, action="transform", duration=None, source={"path": str(path)} | region, **more)


def sent(job: Job) -> tuple[np.ndarray, Any]:
    """Return the source as it went out."""
    assert job.source_file is not None
    return soundfile.read(job.source_file, always_2d=True)[0], soundfile.info(job.source_file)


async def test_the_region_goes_out_to_the_frame(tmp_path: Path) -> None:
    wave = noise(tmp_path / "rénder.wav")
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        job = await until(daemon, await transform(daemon, tmp_path / "rénder.wav", start=1.25, end=8.0))
        assert job.state is State.PLACED
        source, info = sent(job)
        assert np.array_equal(source, wave[55_125:352_800]), "16 bit at 44.1 kHz goes out as it is, bit by bit"
        assert (info.samplerate, info.channels, info.subtype) == (44_100, 2, "PCM_16")
        (fetch,) = service.fetches
        assert (fetch["status"], fetch["type"], fetch["trouble"]) == (200, "audio/wav", None)
        (body,) = [charge.body for charge in service.charges]
        assert body["mode"] == "audio-to-audio"
        assert body["strength"] == 0.5
        assert body["duration"] == 6.75, "as long as its source"


FORMATS = [
    (rate, channels, subtype)
    for rate, channels, subtype in [
        (44_100, 1, "PCM_16"),
        (48_000, 2, "PCM_24"),
        (96_000, 2, "FLOAT"),
        (88_200, 1, "PCM_24"),
        (22_050, 2, "PCM_16"),
        (48_000, 6, "FLOAT"),
    ]
]


@pytest.mark.parametrize(("rate", "channels", "subtype"), FORMATS)
async def test_every_format_goes_out_as_16_bit_at_44_1(tmp_path: Path, rate: int, channels: int, subtype: str) -> None:
    tone(tmp_path / "a.wav", rate=rate, channels=channels, subtype=subtype)
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        job = await until(daemon, await transform(daemon, tmp_path / "a.wav", start=0.5, end=7.5))
        assert job.state is State.PLACED
        source, info = sent(job)
        assert (info.samplerate, info.channels, info.subtype) == (44_100, min(2, channels), "PCM_16")
        assert abs(info.frames - 7 * 44_100) <= 1
        spectrum = np.abs(np.fft.rfft(source[:44_100, 0]))
        assert spectrum.argmax() == 220, "the same tone"
        assert service.fetches[0]["trouble"] is None
        assert service.violations == []


async def test_real_music(tmp_path: Path) -> None:
    clip = resources.files("immich_memories_music") / "tracks" / "calm" / "calm_acoustic_1.opus"
    there = tmp_path / "music.opus"
    there.write_bytes(clip.read_bytes())
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        job = await until(daemon, await transform(daemon, there, start=2.0, end=12.0))
        assert job.state is State.PLACED
        source, info = sent(job)
        assert info.frames == 441_000
        assert 0.01 < np.abs(source).max() <= 1.0
        assert service.fetches[0]["trouble"] is None


async def test_a_short_source_is_repeated_and_the_take_cut_and_both_are_said(tmp_path: Path) -> None:
    wave = noise(tmp_path / "loop.wav", seconds=2.0)
    async with Service(take_seconds=None) as service, running(tmp_path / "home", service) as daemon:
        body = request(action="transform", duration=None, source={"path": str(tmp_path / "loop.wav")}, variations=3)
        answer, _ = await daemon.actions.admit(body)
        for name in answer["jobs"]:
            job = await until(daemon, name)
            source, _ = sent(job)
            assert np.array_equal(source, np.concatenate([wave] * 3))
            assert job.take is not None
            assert job.take.frames == 2 * 44_100
            assert any("repeated 3 times" in note for note in job.notes), (
                "each variation says it, whoever made the source"
            )
            assert any("cut back to 2 s" in note for note in job.notes)


async def test_the_variations_of_a_request_share_one_source(tmp_path: Path) -> None:
    tone(tmp_path / "a.wav")
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        answer, _ = await daemon.actions.admit(
            request(action="transform", duration=None, source={"path": str(tmp_path / "a.wav")}, variations=3, seed=5)
        )
        jobs = [await until(daemon, name) for name in answer["jobs"]]
        assert len({job.source_file for job in jobs}) == 1
        assert [path.name for path in (tmp_path / "home" / "sources").iterdir()] == [f"{answer['id']}.wav"]
        assert len({fetch["url"] for fetch in service.fetches}) == 3, "each under a name of its own"
        assert sorted(charge.body["seed"] for charge in service.charges) == [5, 6, 7]


@pytest.mark.parametrize(
    ("change", "code"), [("deleted", "E-PATH"), ("silenced", "E-SOURCE"), ("cut", "E-SOURCE"), ("text", "E-SOURCE")]
)
async def test_a_source_that_changed_before_it_was_sent_is_held(tmp_path: Path, change: str, code: str) -> None:
    path = tone(tmp_path / "a.wav")
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        await daemon.actions.pause()
        await daemon.journal.write("test", lambda tx: tx.set_fact("pause", None))  # admitted, and not let through yet
        name = await transform(daemon, path, start=1.0, end=7.5)
        if change == "deleted":
            path.unlink()
        elif change == "silenced":
            soundfile.write(path, np.zeros((8 * 44_100, 2)), 44_100)
        elif change == "cut":
            tone(path, seconds=3)
        else:
            path.write_text("no audio")
        await daemon.actions.pause()
        await daemon.actions.resume()
        job = await until(daemon, name)
        assert (job.state, job.charge) == (State.HELD, Charge.NONE)
        assert job.problem is not None
        assert job.problem.code == code
        assert job.publication is None
        assert service.posts == []
        assert (await daemon.actions.spend())["spent_today_usd"] == 0


async def test_a_service_out_there_cannot_reach_this_machine(tmp_path: Path) -> None:
    tone(tmp_path / "a.wav")
    async with running(
        tmp_path / "home", None, key="sk-a-key", engine={"name": "empiriolabs", "base_url": "https://example.invalid"}
    ) as daemon:
        with pytest.raises(NotPublished) as refused:
            await transform(daemon, tmp_path / "a.wav")
        assert refused.value.as_dict()["charge"] == "none"
        assert await daemon.actions.jobs(states=[], q=None, client=None, before=None, limit=9) == []


async def test_a_fault_while_the_source_is_made_is_told_and_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job stays in `preparing`; it must neither be lost nor spin."""
    from bridge_daemon.pipeline import conveyor, prepare

    calls = 0
    extract = prepare._extract

    def faulty(*given: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise RuntimeError("a fault of ours")
        return extract(*given)

    monkeypatch.setattr(prepare, "_extract", faulty)
    monkeypatch.setattr(conveyor, "_AFTER_FAULT", (0.1, 1.0))
    tone(tmp_path / "a.wav")
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        job = await until(daemon, await transform(daemon, tmp_path / "a.wav"))
        assert (job.state, job.problem, calls) == (State.PLACED, None, 3)
        assert len(service.charges) == 1


# The listener


async def get(url: str, *, method: str = "GET", **headers: str) -> tuple[int, bytes, dict[str, str]]:
    async with aiohttp.ClientSession() as session, session.request(method, url, headers=headers) as response:
        return response.status, await response.read(), {key.lower(): value for key, value in response.headers.items()}


async def test_the_second_listener_serves_one_name_and_nothing_else(tmp_path: Path) -> None:
    file = tone(tmp_path / "secret.wav", seconds=1)
    (tmp_path / "token").write_text("secret")
    listener = SourceListener(0)
    await listener.start()
    try:
        listener.serve("name.wav", file, until=9e9)
        status, body, headers = await get(f"{listener.url}/source/name.wav")
        assert (status, body) == (200, file.read_bytes())
        assert headers["content-type"] == "audio/wav"
        assert headers["x-content-type-options"] == "nosniff"
        status, body, headers = await get(f"{listener.url}/source/name.wav", method="HEAD")
        assert (status, body, int(headers["content-length"])) == (200, b"", file.stat().st_size)
        status, body, _ = await get(f"{listener.url}/source/name.wav", Range="bytes=4-7")
        assert (status, body) == (206, file.read_bytes()[4:8])
        for path in (
            "/", "/source", "/source/", "/source/other.wav", "/source/name.wav/", "/source/NAME.WAV",
            "/source/secret.wav",
            "/source/..%2Ftoken", "/source/%2e%2e/token", "/source/name.wav%00", "/token", "/api/status", "/healthz",
            "/source/name.wav/x", "//source/name.wav",
        ):  # fmt: skip
            status, body, _ = await get(listener.url + path)
            assert status == 404, path
            assert b"secret" not in body
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            assert (await get(f"{listener.url}/source/name.wav", method=method))[0] in (404, 405)
        listener.serve("over.wav", file, until=1.0)
        assert (await get(f"{listener.url}/source/over.wav"))[0] == 404, "its time is over"
        file.unlink()
        assert (await get(f"{listener.url}/source/name.wav"))[0] == 404
        listener.withdraw("name.wav")
        listener.withdraw("never there")
    finally:
        await listener.close()


async def test_a_name_lives_from_the_submit_to_the_take_also_across_a_restart(tmp_path: Path) -> None:
    tone(tmp_path / "a.wav")
    async with Service(job_seconds=1000) as service:
        async with running(tmp_path / "home", service) as daemon:
            name = await transform(daemon, tmp_path / "a.wav")
            job = await until(daemon, name, {State.GENERATING})
            assert job.publication is not None
            assert (await get(job.publication.url))[0] == 200
            port = daemon.parts.listener.port
        async with running(tmp_path / "home", service, publish={"source_port": port}) as daemon:
            assert (await get(job.publication.url))[0] == 200, "the service may fetch it only now"
            service.advance(1001)
            await daemon.actions.retry(name, {})
            assert (await until(daemon, name, {State.PLACED})).state is State.PLACED
            assert (await get(job.publication.url))[0] == 404, "withdrawn"


@pytest.mark.parametrize(("script", "state"), [("422", State.REFUSED), ("ok", State.FAILED)])
async def test_a_name_is_withdrawn_wherever_the_job_ends(tmp_path: Path, script: str, state: State) -> None:
    tone(tmp_path / "a.wav")
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        service.script_post(script)
        service.script_poll("failed")
        job = await until(daemon, await transform(daemon, tmp_path / "a.wav"), {state})
        assert job.publication is not None
        async with asyncio.timeout(10):
            while (await get(job.publication.url))[0] != 404:
                await asyncio.sleep(0.02)


async def test_after_a_restart_a_job_that_could_not_be_sent_is_published_anew(tmp_path: Path) -> None:
    """Its old name leads nowhere any more: sent with that, the generation would be paid for nothing."""
    tone(tmp_path / "a.wav")
    async with Service() as service:
        port = service.port
    async with running(tmp_path / "home", service) as daemon:
        name = await transform(daemon, tmp_path / "a.wav")
        async with asyncio.timeout(15):
            while "E-NOT-SENT" not in str((await job_of(daemon, name)).problem):
                await asyncio.sleep(0.02)
        old = (await job_of(daemon, name)).publication
        assert old is not None
    async with Service(port=port, source_trouble="fail") as service, running(tmp_path / "home", service) as daemon:
        job = await until(daemon, name)
        assert job.state is State.PLACED
        assert job.publication is not None
        assert job.publication.url != old.url
        assert [fetch["trouble"] for fetch in service.fetches] == [None]
        assert len(service.charges) == 1


async def test_cancelling_while_it_is_published_leaves_no_name_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tone(tmp_path / "a.wav")
    served: set[str] = set()
    serve, withdraw = SourceListener.serve, SourceListener.withdraw
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        reached, go_on = asyncio.Event(), asyncio.Event()
        publisher = daemon.parts.context.publishers._loopback
        publish = publisher.publish

        async def slow(job: Job, file: Path) -> Any:
            published = await publish(job, file)
            reached.set()
            await go_on.wait()
            return published

        monkeypatch.setattr(publisher, "publish", slow)
        monkeypatch.setattr(
            SourceListener, "serve", lambda self, c, f, until: (served.add(c), serve(self, c, f, until=until))[1]
        )
        monkeypatch.setattr(SourceListener, "withdraw", lambda self, c: (served.discard(c), withdraw(self, c))[1])
        name = await transform(daemon, tmp_path / "a.wav")
        await reached.wait()
        assert len(served) == 1
        await daemon.actions.cancel(name)
        go_on.set()
        async with asyncio.timeout(10):
            while served:
                await asyncio.sleep(0.02)
        assert (await job_of(daemon, name)).state is State.CANCELLED
        assert service.posts == []


async def test_a_transform_that_waited_too_long_after_a_restart_asks_first(tmp_path: Path) -> None:
    tone(tmp_path / "a.wav")
    clock = Clock()
    async with Service() as service:
        port = service.port
    async with running(tmp_path / "home", service, times=clock) as daemon:
        name = await transform(daemon, tmp_path / "a.wav")
        async with asyncio.timeout(15):
            while "E-NOT-SENT" not in str((await job_of(daemon, name)).problem):
                await asyncio.sleep(0.02)
    clock.offset = 3600
    async with Service(port=port) as service, running(tmp_path / "home", service, times=clock) as daemon:
        job = await until(daemon, name)
        assert job.state is State.HELD
        assert job.problem is not None
        assert job.problem.code == "E-STALE"
        await daemon.actions.retry(name, {"id": request()["id"]})
        await until_seen(service)
        job = await until(daemon, name)
        assert job.state is State.PLACED
        assert service.fetches[0]["trouble"] is None
        assert (await events(daemon, name)).count("submitting") == 2
