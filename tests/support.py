"""A whole daemon in a test: real sockets, a real journal, a throw-away home, and a fake service for the cloud."""

from __future__ import annotations

import asyncio
import tempfile
import uuid
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from bridge_daemon.app.daemon import Daemon
from bridge_daemon.domain.job import Job, State
from bridge_daemon.home.api_key import KeyStore
from bridge_daemon.home.paths import Home
from bridge_daemon.settings.load import Settings
from bridge_daemon.util.times import Times
from tests import postgres
from tests.fakes.service import Service

#: s; what comes in milliseconds is waited for so long: the machine may do other things, and wine is slow.
PATIENCE = 60.0
#: Where a job waits for somebody, or is at its end.
RESTING = {
    State.HELD,
    State.PLACED,
    State.CANCELLED,
    State.REFUSED,
    State.FAILED,
    State.UNKNOWN,
    State.DISMISSED,
}


class Clock(Times):
    """Real time; ``offset`` seconds more have passed, and the wall clock was set by ``shift`` seconds."""

    def __init__(self) -> None:
        self.offset = self.shift = 0.0
        self._stopped: tuple[float, float] | None = None

    def stop(self) -> None:
        """Let no time pass any more but what is added: a machine may take seconds for a moment."""
        self._stopped = super().now(), super().monotonic()

    def now(self) -> float:
        return (self._stopped[0] if self._stopped else super().now()) + self.offset + self.shift

    def monotonic(self) -> float:
        return (self._stopped[1] if self._stopped else super().monotonic()) + self.offset


def settings(service: Service | None, **sections: Any) -> Settings:
    """Return settings for the fake service, or for the sketch engine; sections override."""
    engine = {"name": "empiriolabs", "base_url": service.url} if service else {"name": "sketch"}
    given = {
        "engine": engine,
        "http": {"port": 0},
        "osc": {"port": 0},
        "publish": {"source_port": 0},
        "audio": {"read_roots": (tempfile.gettempdir(),), "measure": False},
    }
    for section, values in sections.items():
        given[section] = given.get(section, {}) | values if isinstance(values, dict) else values
    return Settings.model_validate(given)


@asynccontextmanager
async def running(
    path: Path, service: Service | None, *, times: Times | None = None, key: str | None = "", **sections: Any
) -> AsyncIterator[Daemon]:
    """Run a daemon on the home ``path``; leave it as a normal end does."""
    home = Home(path)
    home.prepare()
    value = service.key if service and key == "" else key
    environ = {"EMPIRIOLABS_API_KEY": value} if value else {}
    daemon = Daemon(
        home, settings(service, **postgres.sections(path), **sections), keys=KeyStore(home, environ), times=times
    )
    await daemon.start()
    try:
        yield daemon
    finally:
        await daemon.stop()


def request(**given: Any) -> dict[str, Any]:
    """Return a request for text-to-audio, with a new id."""
    return {
        "version": 1,
        "id": str(uuid.uuid4()),
        "action": "generate",
        "prompt": "rain on a tin roof",
        "duration": 1,
    } | given


async def press(daemon: Daemon, **given: Any) -> str:
    """Admit a request for one job and return the job."""
    answer, _ = await daemon.actions.admit(request(**given))
    return str(answer["jobs"][0])


async def job_of(daemon: Daemon, job: str) -> Job:
    """Return a job as the journal has it."""
    return await daemon.journal.read(lambda tx: tx.job(job))


async def until(daemon: Daemon, job: str, states: Collection[State] = RESTING, *, seconds: float = PATIENCE) -> Job:
    """Wait until a job is in one of the states."""
    async with asyncio.timeout(seconds):
        while (found := await job_of(daemon, job)).state not in states:
            await asyncio.sleep(0.02)
    return found


async def events(daemon: Daemon, job: str) -> list[str]:
    """Return the kinds of what happened to a job."""
    return [event["kind"] for event in await daemon.journal.read(lambda tx: tx.events_of(job))]


async def until_event(daemon: Daemon, job: str, kind: str, *, seconds: float = PATIENCE) -> None:
    """Wait until something happened to a job."""
    async with asyncio.timeout(seconds):
        while kind not in await events(daemon, job):
            await asyncio.sleep(0.02)


async def until_seen(service: Service, *, posts: int = 1, seconds: float = PATIENCE) -> None:
    """Wait until the service has seen so many POSTs."""
    async with asyncio.timeout(seconds):
        while len(service.posts) < posts:
            await asyncio.sleep(0.01)


def tone(path: Path, *, seconds: float = 8.0, rate: int = 44_100, channels: int = 2, subtype: str = "PCM_16") -> Path:
    """Write a file with a tone that is nowhere silent."""
    time = np.arange(round(seconds * rate)) / rate
    wave = 0.3 * np.sin(2 * np.pi * 220 * time)
    soundfile.write(path, np.column_stack([wave] * channels), rate, subtype=subtype)
    return path


def change(daemon: Daemon, **sections: dict[str, Any]) -> None:
    """Change settings of a running daemon, as ``daw-bridge config`` does; an empty section removes what was in it."""
    data = daemon.settings.model_dump()
    for name, values in sections.items():
        data[name] = data[name] | values if values else {}
    daemon.settings = Settings.model_validate(data)
