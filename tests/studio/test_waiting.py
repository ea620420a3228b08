"""A bridge that is started before the database of its studio: it comes up by itself, and can be ended meanwhile."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
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


@pytest.mark.posix("it sends a signal")
def test_it_can_be_ended_while_it_waits(tmp_path: Path) -> None:
    home = Home(tmp_path / "left")
    home.prepare()
    url = f"postgresql://left@127.0.0.1:{postgres.free_port()}/studio"
    home.config.write_text(f'[journal]\nurl = "{url}"\nroom = "left"\n', encoding="utf-8")
    environ = os.environ | {"DAW_BRIDGE_HOME": str(home.path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge_daemon", "run"], env=environ, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    said = ""
    while "waits for it" not in said:
        line = process.stderr.readline()
        assert line, f"it ended: {said}"
        said += line
    process.send_signal(signal.SIGTERM)
    try:
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.stderr.close()
