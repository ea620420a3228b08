"""Who is let in to the sketch engine of a daemon: this process alone, for its own sources, within bounds."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from bridge_daemon.domain.job import State
from bridge_daemon.engine.sketch import server, source
from bridge_daemon.engine.sketch.server import SketchEngine
from bridge_daemon.engine.sketch.source import SourceTrouble
from bridge_daemon.engine.sketch.store import Store
from tests.support import job_of, press, running, tone, until

BODY = {"model": "stable-audio-2-0", "prompt": "rain", "duration": 1}


async def ask(url: str, **headers: str) -> int:
    async with aiohttp.ClientSession() as session, session.post(url, json=BODY, headers=headers) as answer:
        return answer.status


async def test_the_engine_of_a_daemon_lets_nobody_else_in(tmp_path: Path) -> None:
    async with running(tmp_path / "home", None) as daemon:
        url = await daemon.parts.engines.sketch_url() + "/v1/audio/generations"
        for key in ("sketch", "x", ""):
            assert await ask(url, Authorization=f"Bearer {key}") == 401
        key = daemon.parts.engines._sketch_key
        assert await ask(url, Authorization=f"Bearer {key}", Host="evil.example") == 403
        assert (await until(daemon, await press(daemon))).state is State.PLACED
        source_file = tone(tmp_path / "a.wav")
        given = {"action": "transform", "duration": None, "source": {"path": str(source_file)}}
        name = await press(daemon, **given)
        assert (await until(daemon, name)).state is State.PLACED
        shown = await daemon.actions.job(name)
        published = (await job_of(daemon, name)).publication
        assert published is not None
        assert published.capability is not None
        assert published.capability not in str(shown), "jobs show tells nobody the way to the source"
        assert "[hidden]" in str(shown)


OTHERS = (
    "http://127.0.0.1:{port}/x",
    "http://127.0.0.1:1/source/x",
    "https://a.example/x",
    "http://localhost/source/x",
)


@pytest.mark.parametrize("url", OTHERS)
async def test_it_fetches_our_own_sources_only(url: str) -> None:
    with pytest.raises(SourceTrouble, match="no source of this bridge"):
        await source.fetch(url.format(port=9132), "http://127.0.0.1:9132")


@pytest.mark.parametrize("url", ["https://10.0.0.1/x", "https://[::1]/x", "https://localhost/x", "http://10.0.0.1/x"])
async def test_the_one_that_runs_alone_fetches_nothing_inside_of_a_network(url: str) -> None:
    with pytest.raises(SourceTrouble, match="https"):
        await source.fetch(url)


def test_the_decoder_gets_audio_only() -> None:
    for start in (b"<html>", b"\x00\x00\x00\x20ftyp", b"NIST_1A", b".snd", b""):
        with pytest.raises(SourceTrouble, match="format"):
            source.decode(start + bytes(1000), 1.0)


async def test_jobs_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_MOST_OPEN", 2)
    monkeypatch.setattr(SketchEngine, "_work", _never)
    engine = SketchEngine(tmp_path, key="k")
    url = await engine.start() + "/v1/audio/generations"
    try:
        assert [await ask(url, Authorization="Bearer k") for _ in range(3)] == [200, 200, 429]
        monkeypatch.setattr(server, "_MOST_OPEN", 9)
        monkeypatch.setattr(server, "_MOST_AUDIO", 0)
        assert await ask(url, Authorization="Bearer k") == 503
    finally:
        await engine.close()


async def _never(*_: object) -> None:
    return None


def test_the_oldest_audio_makes_room(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.open()
    names = [f"sketch-sk_{number:024x}.wav" for number in range(3)]
    for name in names:
        store.audio(name).write_bytes(bytes(100))
    now = store.audio(names[0]).stat().st_mtime
    assert not store.make_room(150, now), "none of the last hour"
    assert store.make_room(150, now + 7200)
    assert len([name for name in names if store.audio(name).exists()]) == 1
