"""MIDI over a real server, real ports, and controllers that are processes of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge_daemon.daemon import Daemon
from bridge_daemon.intake.midi import MidiIntake
from bridge_daemon.job import Job, State
from tests.fakes.service import Service
from tests.intake.controller import controller, note, off
from tests.support import running

pytestmark = [pytest.mark.needs("jackd", "jackd2"), pytest.mark.usefixtures("jack")]

RISER = {"action": "generate", "prompt": "riser", "duration": 1.0}
ARM = {"name": "arm", "port": "pad*", "number": 1, "action": "arm"}


def pad(name: str, number: int, **more: Any) -> dict[str, Any]:
    return {"name": name, "port": "pad*", "number": number, "repeat_ms": 0} | more


def midi(*bindings: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"bindings": bindings} | more


def intake(daemon: Daemon) -> MidiIntake:
    return next(one for one in daemon.intakes if isinstance(one, MidiIntake))


async def eventually(done: Callable[[], object], *, seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not done():
            await asyncio.sleep(0.01)


async def attached(daemon: Daemon, *ports: str) -> None:
    """Wait until exactly these inputs are open."""
    await eventually(lambda: set(intake(daemon).about()["open"]) == set(ports))


def counts(daemon: Daemon, name: str) -> dict[str, Any]:
    return next(one for one in intake(daemon).about()["bindings"] if one["name"] == name)


async def taken(daemon: Daemon, name: str, times: int = 1) -> None:
    await eventually(lambda: counts(daemon, name)["taken"] == times)


async def missed(daemon: Daemon, name: str, reason: str, times: int = 1) -> None:
    await eventually(lambda: counts(daemon, name)["not_taken"].get(reason) == times)


async def all_jobs(daemon: Daemon) -> list[Job]:
    return await daemon.journal.read(lambda tx: tx.find(limit=200))


async def in_state(daemon: Daemon, *states: State, count: int = 1) -> list[Job]:
    """Wait until there are so many jobs, all of them in one of the states."""
    async with asyncio.timeout(20):
        while len(found := await all_jobs(daemon)) != count or any(job.state not in states for job in found):
            await asyncio.sleep(0.02)
    return found


async def test_a_pad_does_nothing_until_it_is_armed_and_then_makes_one_post(tmp_path: Path) -> None:
    bindings = midi(ARM, pad("riser", 36, preset="riser"))
    async with (
        Service() as service,
        controller() as keys,
        running(tmp_path / "home", service, midi=bindings, presets={"riser": RISER}) as daemon,
    ):
        await attached(daemon, "pad:out")
        await keys.play(note(36), off(36))
        await missed(daemon, "riser", "not armed")
        assert service.posts == []
        await keys.play(note(1), off(1))
        await taken(daemon, "arm")
        await keys.play(note(36), off(36))
        await taken(daemon, "riser")
        (job,) = await in_state(daemon, State.PLACED)
        assert (job.preset, job.client, job.parameters.prompt) == ("riser", None, "riser")
        assert len(service.posts) == len(service.charges) == 1
        assert counts(daemon, "riser")["pressed"] == 2
        stage = intake(daemon).about()["stage"]
        assert stage["armed"]
        assert stage["spent_usd"] == 0.58
