"""Shared by the sketch engine's tests: a running engine, a client for it, and real music."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import numpy.typing as npt
import pytest
import pytest_asyncio
import soundfile as sf

from bridge_daemon.engine.sketch.server import SketchEngine

Audio = npt.NDArray[np.float32]
GENERATE = "/v1/audio/generations"


@dataclass
class Clock:
    """A clock that a test can turn."""

    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@dataclass
class Caller:
    """A client of one engine."""

    base: str
    session: aiohttp.ClientSession
    key: str = "anything"

    async def ask(self, method: str, path: str, **how: Any) -> tuple[int, Any]:
        how.setdefault("headers", {"Authorization": f"Bearer {self.key}"})
        async with self.session.request(method, self.base + path, **how) as answer:
            return answer.status, await answer.json()

    async def generate(self, **body: Any) -> str:
        status, answer = await self.ask("POST", GENERATE, json={"model": "stable-audio-2-0", "prompt": "piano"} | body)
        assert status == 200, answer
        return str(answer["job_id"])

    async def finished(self, job: str) -> dict[str, Any]:
        while True:
            status, answer = await self.ask("GET", f"/v1/jobs/{job}")
            assert status == 200, answer
            if answer["status"] in {"completed", "failed"}:
                return dict(answer)
            await asyncio.sleep(0.02)

    async def fetched(self, url: str) -> bytes:
        async with self.session.get(url) as answer:
            assert answer.status == 200
            return await answer.read()


@pytest_asyncio.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as it:
        yield it


Start = Callable[..., Awaitable[Caller]]


@pytest_asyncio.fixture
async def start(tmp_path: Path, session: aiohttp.ClientSession) -> AsyncIterator[Start]:
    """Start an engine in the test's folder; all of them are closed at the end."""
    engines: list[SketchEngine] = []

    async def starter(**how: Any) -> Caller:
        engine = SketchEngine(tmp_path / "sketch", **how)
        engines.append(engine)
        return Caller(await engine.start(), session)

    starter.engines = engines  # type: ignore[attr-defined]
    yield starter
    for engine in engines:
        await engine.close()


@pytest_asyncio.fixture
async def caller(start: Start) -> Caller:
    return await start()


def track(name: str, seconds: float) -> tuple[Audio, int]:
    """Return the beginning of a piece of real music, and its rate."""
    path = files("immich_memories_music") / "tracks" / name.partition("_")[0] / f"{name}.opus"
    with path.open("rb") as file:
        audio, rate = sf.read(file, frames=round(seconds * 48_000), dtype="float32", always_2d=True)
    return audio, rate


@pytest.fixture(scope="session")
def music() -> dict[str, tuple[Audio, int]]:
    """Ten seconds of pieces with and without drums."""
    return {name: track(name, 10) for name in ("energetic_electronic_2", "calm_acoustic_1", "happy_acoustic_1")}
