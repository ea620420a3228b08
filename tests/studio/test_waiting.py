"""A bridge that is started before the database of its studio: it comes up by itself, and can be ended meanwhile."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge_daemon.errors import RoleTrouble
from bridge_daemon.home.paths import Home
from tests import postgres
from tests.support import press, running, until

pytestmark = pytest.mark.thorough


async def test_it_starts_once_the_database_answers(
    own_server: postgres.Cluster, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = postgres.as_room(own_server.new(), "left")
    await asyncio.to_thread(own_server.stop)

    async def back() -> None:
        await asyncio.sleep(3)
        await asyncio.to_thread(own_server.start)

    later = asyncio.create_task(back())
    begun = time.monotonic()
    with caplog.at_level(logging.WARNING):
        async with running(tmp_path / "left", None, journal={"url": url, "room": "left"}) as daemon:
            assert time.monotonic() - begun > 3
            await until(daemon, await press(daemon))
    assert caplog.text.count("The bridge waits for it") == 1
    await later


async def test_what_no_waiting_helps_is_told_at_once(studio: str, tmp_path: Path) -> None:
    with pytest.raises(RoleTrouble):
        async with running(tmp_path / "x", None, journal={"url": postgres.as_room(studio, "left"), "room": "right"}):
            raise AssertionError("it is another room")


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[tuple[Home, subprocess.Popen[str]]]:
    """A bridge that waits for its database."""
    home = Home(tmp_path / "left")
    home.prepare()
    url = f"postgresql://left@127.0.0.1:{postgres.free_port()}/studio"
    sections = f'[journal]\nurl = "{url}"\nroom = "left"\n[http]\nport = 0\n[osc]\nport = 0\n'
    home.config.write_text(sections, encoding="utf-8")
    process = subprocess.Popen(_command("run"), env=_environ(home), stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = ""
    try:
        while "waits for it" not in said:
            line = process.stderr.readline()
            assert line, f"it ended: {said}"
            said += line
        yield home, process
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "bridge_daemon", *words]


def _environ(home: Home) -> dict[str, str]:
    return os.environ | {"DAW_BRIDGE_HOME": str(home.path)}


def _said(home: Home, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        _command(*words), env=_environ(home), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.returncode, done.stdout


@pytest.mark.posix("it sends a signal")
def test_it_can_be_ended_while_it_waits(waiting: tuple[Home, subprocess.Popen[str]]) -> None:
    waiting[1].send_signal(signal.SIGTERM)
    assert waiting[1].wait(10) == 0


class TestWhileItWaits:
    """It is told that it waits, and for what; DAWs are told nothing, and press nowhere."""

    def test_commands_say_so(self, waiting: tuple[Home, subprocess.Popen[str]]) -> None:
        home, process = waiting
        code, said = _said(home, "status")
        assert (code, f"pid {process.pid}" in said, "waits for the database of its studio" in said) == (1, True, True)
        assert "Connection refused" in said
        assert "Next:" in said
        told = json.loads(_said(home, "status", "--json")[1])
        assert (told["running"], told["waiting"]["code"]) == (True, "E-STUDIO")
        code, said = _said(home, "start")
        assert (code, "E-STUDIO" in said, "waits for the database" in said) == (1, True, True), said
        checks = {one["key"]: one for one in json.loads(_said(home, "doctor", "--json")[1])["checks"]}
        assert checks["daemon"]["state"] == "warn"
        assert "waits for the database of its studio" in checks["daemon"]["text"]
        assert checks["ports"]["state"] == "ok", "they are its own"
        code, said = _said(home, "generate", "rain")
        assert (code, "E-STUDIO" in said, "nothing was spent" in said.lower()) == (1, True, True), said
        assert not home.runtime_file.exists(), "what a DAW looks for: a press would lie there until it is taken"

    def test_it_can_be_stopped(self, waiting: tuple[Home, subprocess.Popen[str]]) -> None:
        home, process = waiting
        assert "Stopped" in _said(home, "stop")[1]
        assert process.wait(10) == 0
        assert home.read_runtime() is None
        assert _said(home, "status")[0] == 3

    def test_its_page_is_there(self, waiting: tuple[Home, subprocess.Popen[str]]) -> None:
        runtime = waiting[0].read_runtime()
        assert runtime is not None
        with urllib.request.urlopen(f"{runtime.http_url}/") as answer:
            assert b"DAW Bridge" in answer.read()
        headers = {"Authorization": f"Bearer {waiting[0].read_token()}"}
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(urllib.request.Request(f"{runtime.http_url}/api/status", headers=headers))
        with caught.value as answer:
            assert (answer.code, json.loads(answer.read())["error"]["code"]) == (503, "E-STUDIO")


async def test_it_is_found_at_the_same_address_once_it_runs(own_server: postgres.Cluster, tmp_path: Path) -> None:
    url = postgres.as_room(own_server.new(), "left")
    await asyncio.to_thread(own_server.stop)
    home, port = Home(tmp_path / "left"), postgres.free_port()

    async def back() -> tuple[str, bool]:
        while (runtime := home.read_runtime()) is None:
            await asyncio.sleep(0.05)
        seen = runtime.http_url, home.waiting_file.exists()
        await asyncio.to_thread(own_server.start)
        return seen

    later = asyncio.create_task(back())
    async with running(home.path, None, journal={"url": url, "room": "left"}, http={"port": port}) as daemon:
        assert await later == (daemon.http_url, True)
        assert home.runtime_file.exists()
        assert not home.waiting_file.exists()
