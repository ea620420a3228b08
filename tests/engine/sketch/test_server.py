"""The sketch engine as a server: jobs from acceptance to audio, restarts, and a loop that is never held up."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import logging
import os
import re
import stat
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from aiohttp import web

from bridge_daemon.engine.sketch import server, sound, source, store
from bridge_daemon.engine.sketch.server import SketchEngine
from bridge_daemon.errors import PortTaken

GENERATE = "/v1/audio/generations"

ANSWER = {"job_id", "status", "model", "progress", "created_at", "completed_at", "result", "error"}


def decoded(data: bytes) -> tuple[np.ndarray, dict[str, Any]]:
    with sf.SoundFile(io.BytesIO(data)) as file:
        facts = {name: getattr(file, name) for name in ("samplerate", "channels", "format", "subtype", "comment")}
        return file.read(dtype="float32", always_2d=True), facts


@pytest.mark.parametrize(("form", "kind"), [("wav", "audio/wav"), ("mp3", "audio/mpeg"), (None, "audio/mpeg")])
async def test_from_a_prompt_to_audio(caller, form: str | None, kind: str) -> None:
    body: dict[str, Any] = {"prompt": "techno 128 bpm", "duration": 2.5, "seed": 7, "random_seed": False}
    status, answer = await caller.ask(
        "POST", GENERATE, json=body | {"model": "stable-audio-2-0"} | ({"output_format": form} if form else {})
    )
    assert status == 200
    assert set(answer) == {"job_id", "status", "model", "created_at"}
    assert (answer["status"], answer["model"]) == ("queued", "stable-audio-2-0")
    job = await caller.finished(answer["job_id"])
    assert set(job) == ANSWER
    assert (job["status"], job["progress"], job["error"]) == ("completed", 1, None)
    assert job["created_at"] <= job["completed_at"]
    assert job["result"]["usage"] == {"billable_units": 0}
    (item,) = job["result"]["data"]
    assert (item["content_type"], item["duration_seconds"]) == (kind, 2.5)
    async with caller.session.get(item["url"]) as answer:
        assert answer.content_type == kind
        assert answer.headers["Server"].startswith("daw-bridge-sketch")
        data = await answer.read()
        assert answer.content_length == len(data)
    audio, file = decoded(data)
    assert (file["samplerate"], file["channels"]) == (44_100, 2)
    assert "not by Stable Audio" in file["comment"]
    assert "sketch" in item["url"].rpartition("/")[2]
    right = sound.render("techno 128 bpm", seconds=2.5, seed=7)
    if form == "wav":
        assert file["subtype"] == "PCM_16"
        assert audio.shape == right.shape
        assert np.abs(audio - right).max() < 1e-4
    else:
        assert file["format"] == "MP3"
        assert abs(audio.shape[0] - right.shape[0]) < 3000, "an encoder may add its delay"


async def test_nothing_is_told_before_it_is_done(caller) -> None:
    job = await caller.generate(duration=40, output_format="wav", prompt="house strings")
    fractions = []
    while True:
        _, answer = await caller.ask("GET", f"/v1/jobs/{job}")
        fractions.append(answer["progress"])
        if answer["status"] == "completed":
            break
        assert answer["status"] in {"queued", "processing"}
        assert answer["result"] is None
        assert answer["completed_at"] is None
        assert answer["progress"] < 1
        await asyncio.sleep(0.005)
    assert fractions == sorted(fractions)
    assert len(set(fractions)) > 3


async def test_each_job_has_an_id_and_a_seed_of_its_own(caller) -> None:
    jobs = await asyncio.gather(*(caller.generate(duration=1, output_format="wav") for _ in range(6)))
    assert len(set(jobs)) == 6
    assert all(re.fullmatch(r"sk_[0-9a-f]{24}", job) for job in jobs)
    done = [await caller.finished(job) for job in jobs]
    audio = {hashlib.sha256(await caller.fetched(job["result"]["data"][0]["url"])).digest() for job in done}
    assert len(audio) == 6


async def test_a_part_of_the_audio(caller) -> None:
    job = await caller.finished(await caller.generate(duration=1, output_format="wav"))
    url = job["result"]["data"][0]["url"]
    whole = await caller.fetched(url)
    async with caller.session.get(url, headers={"Range": "bytes=100-199"}) as answer:
        assert answer.status == 206
        assert await answer.read() == whole[100:200]
    async with caller.session.head(url) as answer:
        assert (answer.status, answer.content_length) == (200, len(whole))


async def test_signed_urls(start, clock, tmp_path: Path) -> None:
    caller = await start(clock=clock)
    job = await caller.finished(await caller.generate(duration=1))
    url = job["result"]["data"][0]["url"]
    path, _, query = url.removeprefix(caller.base).partition("?")
    other = path.replace("sketch-sk_", "sketch-sk_f", 1)[: len(path)]
    for wrong in (
        path,
        f"{path}?expires=9999999999",
        f"{path}?{query[:-1]}{'0' if query[-1] != '0' else '1'}",
        f"{path}?{query.replace('expires=1', 'expires=2')}",
        f"{path}?expires=²&signature=x",
        f"{path}?expires={'9' * 40}&signature=x",
    ):
        status, answer = await caller.ask("GET", wrong)
        assert (status, set(answer)) == (403, {"error"}), wrong
    for absent in ("/v1/outputs/..%2fsecret?" + query, "/v1/outputs/secret?" + query, "/v1/outputs/x.mp3?" + query):
        assert (await caller.ask("GET", absent))[0] == 404
    assert other != path
    clock.now += store.WEEK - 1
    assert await caller.fetched(url)
    clock.now += 2
    assert (await caller.ask("GET", url.removeprefix(caller.base)))[0] == 403


async def test_finished_jobs_are_forgotten_after_an_hour(start, clock, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(server, "_CLEANING", 0.02)
    caller = await start(clock=clock)
    job = await caller.generate(duration=1)
    url = (await caller.finished(job))["result"]["data"][0]["url"]
    clock.now += store.HOUR - 1
    assert (await caller.ask("GET", f"/v1/jobs/{job}"))[0] == 200
    clock.now += 2
    status, answer = await caller.ask("GET", f"/v1/jobs/{job}")
    assert (status, answer["error"]["code"]) == (404, "not_found")
    await asyncio.sleep(0.15)
    assert not list((tmp_path / "sketch" / "jobs").iterdir())
    assert await caller.fetched(url), "its audio lives for a week"
    clock.now = time.time() + store.WEEK + 60
    await asyncio.sleep(0.15)
    assert not list((tmp_path / "sketch" / "outputs").iterdir())


# --- audio-to-audio


@pytest.fixture
async def shelf():
    """A server of sources: path -> what is answered."""
    answers: dict[str, Any] = {}
    asked: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return await answers[request.path](request)

    app = web.Application()
    app.router.add_get("/{name}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"

    def put(name: str, what: Any) -> str:
        async def body(_request: web.Request) -> web.Response:
            return web.Response(body=what)

        answers[f"/{name}"] = what if callable(what) else body
        return f"{base}/{name}"

    put.asked = asked  # type: ignore[attr-defined]
    put.base = base  # type: ignore[attr-defined]
    yield put
    await runner.cleanup()


def wav(audio: np.ndarray, rate: int) -> bytes:
    buffer = io.BytesIO()
    sf.write(buffer, audio, rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


TRANSFORM = {"mode": "audio-to-audio", "duration": 6, "output_format": "wav", "prompt": "techno"}


async def test_transform_over_http(caller, shelf, music) -> None:
    audio, rate = music["happy_acoustic_1"]
    url = shelf("source.wav", wav(audio, rate))
    job = await caller.finished(await caller.generate(**TRANSFORM, audio_url=url, strength=1, steps=8))
    take, _ = decoded(await caller.fetched(job["result"]["data"][0]["url"]))
    import soxr

    right = soxr.resample(audio, rate, 44_100)[: 5 * 44_100]
    assert np.corrcoef(take[: 5 * 44_100, 0], right[:, 0])[0, 1] > 0.999


async def test_redirects_are_followed_to_allowed_places_only(caller, shelf, music) -> None:
    audio, rate = music["happy_acoustic_1"]
    good = shelf("good", wav(audio, rate))

    def redirect(to: str) -> Any:
        async def answer(_request: web.Request) -> web.Response:
            return web.Response(status=302, headers={"Location": to})

        return answer

    urls = {
        "completed": [shelf("to-good", redirect("/good")), good.replace("127.0.0.1", "localhost")],
        "failed": [
            shelf("away", redirect("http://example.org/a.wav")),
            shelf("file", redirect("file:///etc/hostname")),
            shelf("round", redirect("/round")),
            shelf("nowhere", redirect("http://[")),
        ],
    }
    for wanted, addresses in urls.items():
        for url in addresses:
            job = await caller.finished(await caller.generate(**TRANSFORM, audio_url=url))
            assert job["status"] == wanted, url
    assert shelf.asked.count("/round") == 4


async def test_sources_that_cannot_be_used(caller, shelf, monkeypatch) -> None:
    monkeypatch.setattr(source, "MAX_BYTES", 100_000)
    monkeypatch.setattr(source, "_PAUSES", (0.01,))
    noise = np.zeros((200, 2))

    async def gone(_request: web.Request) -> web.Response:
        return web.Response(status=404)

    async def cut(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "1000"})
        await answer.prepare(request)
        await answer.write(b"RIFF")
        assert request.transport is not None
        request.transport.close()
        return answer

    cases = {
        shelf("gone", gone): "404",
        shelf("large", b"x" * 100_001): "larger than",
        shelf("text", b"<html>no audio</html>"): "not audio",
        shelf("empty", b""): "not audio",
        shelf("silent", wav(np.zeros((0, 2)), 44_100)): "no audio",
        shelf("surround", wav(np.zeros((200, 6)), 44_100)): "mono or stereo",
        shelf("fast", wav(noise, 384_000)): "192000 Hz",
        shelf("cut", cut): "could not be fetched",
        "http://127.0.0.1:9/secret-name": "nobody answers",
        "http://example.org/a.wav": "https",
        "ftp://127.0.0.1/a.wav": "https",
        "http://127.0.0.1.example.org/a.wav": "https",
        "no url": "https",
        "http://[": "not a URL",
    }
    for url, words in cases.items():
        job = await caller.finished(await caller.generate(**TRANSFORM, audio_url=url))
        assert job["status"] == "failed", url
        assert set(job["error"]) == {"message", "type", "code"}
        assert words in job["error"]["message"], (url, job["error"])
        assert "secret-name" not in job["error"]["message"], "the URL may be a capability"
        assert job["result"] is None
        assert job["completed_at"] is not None


# --- trouble, restarts, shutdown


async def test_a_mistake_of_ours_is_a_failed_job_and_in_the_log(caller, monkeypatch, caplog, tmp_path: Path) -> None:
    def broken(*_args: Any, **_named: Any) -> float:
        raise ZeroDivisionError

    monkeypatch.setattr(server.take, "make", broken)
    job = await caller.finished(await caller.generate(duration=1))
    assert job["status"] == "failed"
    assert job["error"]["code"] == "upstream_error"
    assert "ZeroDivisionError" in caplog.text
    assert not list((tmp_path / "sketch" / "outputs").iterdir())


async def test_a_job_that_cannot_be_kept_is_not_accepted(caller, monkeypatch) -> None:
    def full(*_args: Any, **_named: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.files, "write_whole", full)
    status, answer = await caller.ask("POST", GENERATE, json={"model": "stable-audio-2-0", "prompt": "x"})
    assert (status, answer["error"]["code"]) == (503, "model_unavailable")


async def test_accepted_jobs_lie_on_the_disk_before_the_answer(caller, tmp_path: Path) -> None:
    job = await caller.generate(duration=190, seed=5, random_seed=False)
    path = tmp_path / "sketch" / "jobs" / f"{job}.json"
    kept = json.loads(path.read_text())
    assert (kept["job_id"], kept["status"], kept["asked"]["seed"]) == (job, "queued", 5)


async def test_restart_in_the_middle(start, shelf, music, tmp_path: Path) -> None:
    first = await start()
    audio, rate = music["happy_acoustic_1"]
    url = shelf("source.wav", wav(audio, rate))
    done = await first.generate(duration=1, output_format="wav")
    before = (await first.finished(done))["result"]["data"][0]["url"]
    asked = {"duration": 40, "output_format": "wav", "prompt": "house strings"}
    jobs = [await first.generate(**asked, random_seed=False, seed=seed) for seed in (1, 2, 3)]
    jobs.append(await first.generate(**TRANSFORM | {"duration": 30}, audio_url=url))
    while (await first.ask("GET", f"/v1/jobs/{jobs[0]}"))[1]["progress"] == 0:
        await asyncio.sleep(0.002)
    now = time.monotonic()
    await start.engines[0].close()
    assert time.monotonic() - now < 3
    folder = tmp_path / "sketch"
    kept = {path.stem: json.loads(path.read_text())["status"] for path in (folder / "jobs").iterdir()}
    assert kept[done] == "completed"
    assert list(kept.values()).count("queued") >= 2, kept
    (folder / "outputs" / ".sketch-x.wav.part").write_bytes(b"of a crash")
    (folder / "jobs" / ".x.json.1.part").write_bytes(b"of a crash")

    second = await start()
    for seed, job in enumerate(jobs, 1):
        answer = await second.finished(job)
        assert answer["status"] == "completed"
        take, _ = decoded(await second.fetched(answer["result"]["data"][0]["url"]))
        if seed <= 3:
            assert np.abs(take - sound.render("house strings", seconds=40, seed=seed)).max() < 1e-4
    assert await second.fetched(before.replace(first.base, second.base)), "the secret is the same"
    assert not list(folder.rglob("*.part"))


async def test_the_secret_is_for_the_owner_only(caller, tmp_path: Path) -> None:
    path = tmp_path / "sketch" / "secret"
    assert len(path.read_bytes()) == 32
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"{", b'{"version": 2}', b'{"version": 1, "job_id": "../../x"}']
)
async def test_damaged_jobs_are_set_aside(start, tmp_path: Path, content: bytes, caplog) -> None:
    jobs = tmp_path / "sketch" / "jobs"
    jobs.mkdir(parents=True)
    job = store.new_id()
    (jobs / f"{job}.json").write_bytes(content)
    caller = await start()
    assert (await caller.ask("GET", f"/v1/jobs/{job}"))[0] == 404
    assert [path.name for path in jobs.iterdir()] == [f"{job}.damaged"]
    assert "is set aside" in caplog.text


async def test_a_job_under_another_name_is_set_aside(start, tmp_path: Path) -> None:
    caller = await start()
    job = await caller.generate(duration=1)
    await caller.finished(job)
    await start.engines[0].close()
    jobs = tmp_path / "sketch" / "jobs"
    (jobs / f"{store.new_id()}.json").write_bytes((jobs / f"{job}.json").read_bytes())
    await start()
    assert sorted(path.suffix for path in jobs.iterdir()) == [".damaged", ".json"]


async def test_closing_twice_and_starting_again(tmp_path: Path) -> None:
    engine = SketchEngine(tmp_path)
    await engine.close()
    assert (await engine.start()).startswith("http://127.0.0.1:")
    with pytest.raises(RuntimeError):
        await engine.start()
    await engine.close()
    await engine.close()
    await engine.start()
    await engine.close()


async def test_a_taken_port(caller, tmp_path: Path) -> None:
    port = int(caller.base.rpartition(":")[2])
    with pytest.raises(PortTaken):
        await SketchEngine(tmp_path / "other").start(port=port)


async def test_serve_runs_until_cancelled(tmp_path: Path, session) -> None:
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(server.serve(tmp_path, "127.0.0.1", 0, ready=ready.set_result))
    base = await ready
    async with session.get(base + "/v1/models/stable-audio-2-0", headers={"Authorization": "Bearer x"}) as answer:
        assert answer.status == 200
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_two_at_once(caller) -> None:
    jobs = [await caller.generate(duration=20, output_format="wav", prompt="house strings") for _ in range(4)]
    most = 0
    while True:
        states = [(await caller.ask("GET", f"/v1/jobs/{job}"))[1]["status"] for job in jobs]
        most = max(most, states.count("processing"))
        if set(states) == {"completed"}:
            break
    assert 1 <= most <= 2


#: The loop never stands still for as long as one of these renders takes, over a second. On a machine that others use
#: too it may stand for a moment.
LONGEST_GAP = 0.25  # s


async def _longest_gap(until: asyncio.Task[Any]) -> float:
    """Return the longest time in s for which the loop did not turn, beyond what it was asked to sleep."""
    longest, last = 0.0, time.perf_counter()
    while not until.done():
        await asyncio.sleep(0.002)
        now = time.perf_counter()
        longest, last = max(longest, now - last - 0.002), now
    return longest


@pytest.mark.slow
async def test_the_loop_turns_while_it_renders(caller, shelf, music) -> None:
    audio, rate = music["energetic_electronic_2"]
    url = shelf("source.wav", wav(audio, rate))
    gaps = []
    for _ in range(3):  # other processes may hold this one up; we never do, so one quiet run is proof
        bodies = [
            {"duration": 190, "output_format": "wav", "prompt": "house strings piano"},
            TRANSFORM | {"duration": 190, "audio_url": url, "strength": 0.5},
        ]

        async def all_of_them(bodies: list[dict[str, Any]] = bodies) -> list[dict[str, Any]]:
            return [await caller.finished(job) for job in [await caller.generate(**body) for body in bodies]]

        work = asyncio.create_task(all_of_them())
        gaps.append(await _longest_gap(work))
        assert {job["status"] for job in await work} == {"completed"}
        if gaps[-1] < LONGEST_GAP:
            break
    logging.getLogger(__name__).warning("longest gaps: %s ms", [round(1000 * gap, 1) for gap in gaps])
    assert min(gaps) < LONGEST_GAP, gaps
