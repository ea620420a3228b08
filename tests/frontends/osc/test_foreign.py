"""A client that was not written here: liblo's oscsend and oscdump drive a job from hello to placed."""

from __future__ import annotations

import asyncio
import re
import socket
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bridge_daemon.app.daemon import Daemon
from bridge_daemon.domain.job import State
from tests.support import job_of, running

pytestmark = pytest.mark.needs("oscsend", "liblo-tools")


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Foreign:
    """oscsend for what goes out, oscdump for what comes back."""

    def __init__(self, daemon: Daemon, dump: asyncio.subprocess.Process) -> None:
        self.daemon = daemon
        self.dump = dump
        self.lines: list[str] = []

    async def send(self, address: str, types: str, *values: object) -> None:
        arguments = ["127.0.0.1", str(self.daemon.osc_port), address, "ss" + types, "secret"]
        arguments += [self.daemon.home.read_token(), *map(str, values)]
        process = await asyncio.create_subprocess_exec("oscsend", *arguments)
        assert await process.wait() == 0

    async def until(self, address: str) -> str:
        """Return the next line that oscdump prints of this address."""
        assert self.dump.stdout is not None
        async with asyncio.timeout(20):
            while True:
                line = (await self.dump.stdout.readline()).decode()
                assert line, self.lines
                self.lines.append(line)
                if f" {address} " in line:
                    return line


@asynccontextmanager
async def foreign(daemon: Daemon, port: int) -> AsyncIterator[Foreign]:
    dump = await asyncio.create_subprocess_exec("oscdump", "-L", str(port), stdout=asyncio.subprocess.PIPE)
    try:
        for _ in range(100):  # it says nothing once it listens
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                try:
                    probe.bind(("0.0.0.0", port))
                except OSError:
                    break
            await asyncio.sleep(0.05)
        yield Foreign(daemon, dump)
    finally:
        dump.terminate()
        await dump.wait()


def value(line: str, key: str) -> str:
    found = re.search(rf'"{key}" (?:"([^"]*)"|(\S+))', line)
    assert found, (key, line)
    return found[1] if found[1] is not None else found[2]


async def test_a_whole_job(tmp_path: Path) -> None:
    port = free_port()
    async with running(tmp_path / "home", None) as daemon, foreign(daemon, port) as client:
        await client.send("/bridge/hello", "sssi", "client", "lo-1", "port", port)
        welcome = await client.until("/bridge/welcome")
        assert value(welcome, "engine") == "sketch"
        assert value(welcome, "can_transform") == "1"  # nothing has to be published for it
        name = str(uuid.uuid4())
        press = [
            "client",
            "lo-1",
            "id",
            name,
            "prompt",
            "techno 128",
            "duration",
            1.5,
            "seed",
            77,
            "position",
            "12.345678901",
        ]
        types = "sssssssfshsssTsd"
        for _ in range(2):  # said twice, as UDP may
            await client.send("/bridge/generate", types, *press, "again", "tempo", 127.98)
        accepted = await client.until("/bridge/accepted")
        assert value(accepted, "id") == name
        job = value(accepted, "jobs")
        await client.until("/bridge/progress")
        result = await client.until("/bridge/result")
        assert (value(result, "job"), value(result, "delivery"), value(result, "seed")) == (job, "1", "77")
        assert (value(result, "position"), value(result, "tempo")) == ("12.345678901", "127.98")
        assert Path(value(result, "file")).is_file()
        found = await job_of(daemon, job)
        assert (found.state, found.parameters.duration) == (State.STORED, 1.5)
        await client.send("/bridge/placed", "sssssi", "client", "lo-1", "job", job, "delivery", 1)
        assert value(await client.until("/bridge/ok"), "re") == "placed"
        await client.send("/bridge/jobs", "sssi", "client", "lo-1", "limit", 5)
        assert value(await client.until("/bridge/job"), "state") == "placed"
        assert (await job_of(daemon, job)).state is State.PLACED
        assert await daemon.journal.read(lambda tx: tx.count()) == {"placed": 1}


async def test_a_refusal_and_a_ping(tmp_path: Path) -> None:
    port = free_port()
    async with running(tmp_path / "home", None) as daemon, foreign(daemon, port) as client:
        await client.send("/bridge/hello", "sssf", "client", "lo-1", "port", port)
        await client.until("/bridge/welcome")
        await client.send("/bridge/generate", "sssssssT", "client", "lo-1", "id", uuid.uuid4(), "prmpt", "x", "again")
        refused = await client.until("/bridge/refused")
        assert value(refused, "code") == "E-INVALID"
        assert "prmpt" in refused
        await client.send("/bridge/cancel", "ssss", "client", "lo-1", "job", "nojob")
        assert value(await client.until("/bridge/refused"), "code") == "E-NOT-FOUND"
