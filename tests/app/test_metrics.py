"""Metrics: what the parser of OpenMetrics reads of a real bridge, and what never stands in them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from bridge_daemon.app.metrics import written
from bridge_daemon.domain.job import State
from bridge_daemon.errors import PortTaken
from tests import postgres
from tests.fakes.service import Service
from tests.support import press, running, until

SECRET = "a prompt of mine"


async def read(daemon: Any, *, host: str | None = None) -> tuple[int, str, str]:
    url = (await daemon.actions.status())["metrics_url"]
    async with aiohttp.ClientSession() as session, session.get(url, headers={"Host": host} if host else {}) as answer:
        return answer.status, answer.headers.get("Content-Type", ""), await answer.text()


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Return each value by its name and labels, as the parser reads it: it refuses what breaks the rules."""
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation.endswith("."), family.name
        assert family.type != "unknown", family.name
        for sample in family.samples:
            found[(sample.name, *(value for _, value in sorted(sample.labels.items())))] = float(sample.value)
    return found


async def test_a_bridge_of_its_own(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path, service, metrics={"port": 0}) as daemon:
        job = await until(daemon, await press(daemon, prompt=SECRET, client="reaper"), {State.STORED})
        status, kind, text = await read(daemon)
        assert (status, kind.split(";")[0]) == (200, "application/openmetrics-text")
        found = samples(text)
        assert found["daw_bridge_jobs", str(job.state)] == 1
        assert found["daw_bridge_jobs", "unknown"] == 0
        assert found["daw_bridge_spent_usd", "day"] == pytest.approx(0.58)
        assert found["daw_bridge_limit_usd", "month"] > 0
        assert found["daw_bridge_paused",] == 0
        assert not [name for name, *_ in found if "studio" in name]
        for told in (SECRET, "reaper", str(tmp_path), job.id, service.key):
            assert told not in text
        await daemon.actions.pause()
        assert samples((await read(daemon))[2])["daw_bridge_paused",] == 1
        assert (await read(daemon, host="evil.example"))[0] == 403
        url = (await daemon.actions.status())["metrics_url"]
        async with aiohttp.ClientSession() as session, session.get(url.replace("/metrics", "/api/status")) as answer:
            assert answer.status == 404


async def test_a_studio(server: postgres.Cluster, tmp_path: Path) -> None:
    where = {"url": postgres.as_room(server.new(), "left"), "room": "left"}
    async with running(tmp_path / "left", None, journal=where, metrics={"port": 0}) as daemon:
        found = samples((await read(daemon))[2])
        assert found["daw_bridge_studio_up",] == 1
        assert found["daw_bridge_studio_bridge_up", "room", "left"] == 1
        assert found["daw_bridge_studio_silence_seconds", "room", "left"] < 10
        assert found["daw_bridge_studio_minute_limit_requests",] >= 12
        assert found["daw_bridge_studio_spent_usd", "month"] == 0
        status = await daemon.actions.status()
    away = status | {"studio": status["studio"] | {"rooms": None, "problem": "away"}}
    assert samples(written(away).decode())["daw_bridge_studio_up",] == 0


async def test_they_are_off_by_default(tmp_path: Path) -> None:
    async with running(tmp_path, None) as daemon:
        assert (await daemon.actions.status())["metrics_url"] is None


async def test_a_taken_port_is_explained(tmp_path: Path) -> None:
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    with pytest.raises(PortTaken, match="metrics"):
        async with running(tmp_path, None, metrics={"port": port}):
            raise AssertionError("two listen on one port")
    taken.close()


def test_nothing_of_it_is_loaded_by_a_daemon_without_them() -> None:
    look = "import sys, bridge_daemon.cli.run, bridge_daemon.app.daemon; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout.split()
    assert not [name for name in told if name.startswith(("prometheus_client", "bridge_daemon.app.metrics"))]
