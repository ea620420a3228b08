"""Ableton Link, with a real peer in another process.

All that speak Link on a machine are in one session, so only one of these tests runs at a time, also of several runs.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from bridge_daemon.app.daemon import Daemon
from bridge_daemon.clock import link
from bridge_daemon.clock.link import MISSING, LinkSource
from bridge_daemon.clock.transport import LINK, Transport
from tests.support import change, job_of, press, running

PEER = Path(__file__).parent / "link_peer.py"


@pytest.fixture
def session() -> Iterator[None]:
    with FileLock(Path(tempfile.gettempdir()) / "daw-bridge-tests-link.lock", timeout=280):
        yield


@asynccontextmanager
async def peer(tempo: float) -> AsyncIterator[Callable[[str], None]]:
    """Run a peer; yields what tells it a new tempo, play or stop."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, str(PEER), f"{tempo}", stdin=pipe, stdout=pipe)
    assert process.stdin is not None
    assert process.stdout is not None
    stdin = process.stdin
    try:
        assert (await asyncio.wait_for(process.stdout.readline(), 15)).strip() == b"joined"
        yield lambda line: stdin.write(f"{line}\n".encode())
    finally:
        stdin.close()
        await asyncio.wait_for(process.wait(), 15)


async def heard(daemon: Daemon, fits: Callable[[Transport], bool], *, seconds: float = 75) -> Transport:
    async with asyncio.timeout(seconds):
        while (found := daemon.clock.of(LINK)) is None or not fits(found):
            await asyncio.sleep(0.05)
    return found


def source(daemon: Daemon) -> dict[str, Any]:
    about: dict[str, Any] = daemon.about()["link"]
    return about


async def test_it_is_off_until_the_settings_say_so(tmp_path: Path) -> None:
    async with running(tmp_path / "home", None) as daemon:
        assert source(daemon) == {"enabled": False}
        assert daemon.clock.of(LINK) is None


@pytest.mark.timeout(300)  # on a busy machine Link fails to measure its peer, and tries again after half a minute
async def test_the_tempo_of_a_peer(tmp_path: Path, session: None) -> None:
    async with running(tmp_path / "home", None) as daemon, peer(93.5) as tell:
        change(daemon, clock={"link": True})
        for intake in daemon.intakes:
            await intake.configure()
        await heard(daemon, lambda told: True)
        tell("93.5")  # whose tempo two have that met just after their start is left to chance
        found = await heard(daemon, lambda told: abs((told.tempo or 0) - 93.5) < 0.01)
        assert (found.beats, found.position, found.numerator) == (None, None, None), "it shares no position"
        assert source(daemon)["peers"] >= 1
        tell("140")
        await heard(daemon, lambda told: abs((told.tempo or 0) - 140) < 0.01)
        tell("play")
        await heard(daemon, lambda told: told.playing)
        tell("stop")
        await heard(daemon, lambda told: not told.playing)

        job = await job_of(daemon, await press(daemon, place={"when": "press", "bars": 1}))
        assert job.place.length == pytest.approx(4 * 60 / 140, abs=1e-3)
        assert "Ableton Link tells no position, so the take has no position" in job.notes
        change(daemon, clock={"link": False})
        for intake in daemon.intakes:
            await intake.configure()
        assert source(daemon) == {"enabled": False}


@pytest.mark.timeout(300)  # it may wait for the one above
async def test_alone_it_tells_nothing(tmp_path: Path, session: None) -> None:
    async with running(tmp_path / "home", None, clock={"link": True}) as daemon:
        link = next(intake for intake in daemon.intakes if isinstance(intake, LinkSource))
        if link._link.num_peers:
            pytest.skip("somebody else speaks Link on this network")
        link.look()
        assert daemon.clock.of(LINK) is None
        assert source(daemon) == {"enabled": True, "peers": 0}


async def test_without_the_package_it_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_aalink(name: str) -> Any:
        raise ImportError(name) if name == "aalink" else AssertionError(name)

    monkeypatch.setattr(link, "importlib", type("importlib", (), {"import_module": staticmethod(no_aalink)}))
    async with running(tmp_path / "home", None, clock={"link": True}) as daemon:
        assert source(daemon) == {"enabled": False, "problem": MISSING}
        for intake in daemon.intakes:
            await intake.configure()
        assert [record.message for record in caplog.records].count(MISSING) == 1
    assert "daw-bridge[link]" in MISSING
    assert importlib.import_module("aalink")
