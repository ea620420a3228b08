"""What tests of pads have in common: bindings, and waiting for what becomes of a press."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from bridge_daemon.app.daemon import Daemon
from bridge_daemon.domain.job import Job, State
from bridge_daemon.frontends.midi.frontend import MidiIntake
from tests.frontends.midi.controller import Controller, control
from tests.support import PATIENCE

RISER = {"action": "generate", "prompt": "riser", "duration": 1.0}
DRUMS = {"action": "transform", "prompt": "drums", "duration": 1.0}
PRESETS = {"riser": RISER, "drums": DRUMS}
ARM = {"name": "arm", "port": "pad*", "number": 1, "action": "arm", "repeat_ms": 0}
PANIC = {"name": "panic", "port": "pad*", "number": 2, "action": "panic", "light": {"idle": 0, "working": 99}}


def pad(name: str, number: int, **more: Any) -> dict[str, Any]:
    return {"name": name, "port": "pad*", "number": number, "repeat_ms": 0} | more


def midi(*bindings: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"bindings": bindings} | more


def intake(daemon: Daemon) -> MidiIntake:
    return next(one for one in daemon.intakes if isinstance(one, MidiIntake))


async def eventually(done: Callable[[], object], *, seconds: float = PATIENCE) -> None:
    async with asyncio.timeout(seconds):
        while not done():
            await asyncio.sleep(0.01)


async def attached(daemon: Daemon, *ports: str) -> None:
    """Wait until exactly these inputs are open."""
    await eventually(lambda: set(intake(daemon).about()["open"]) == set(ports))


async def plugged(daemon: Daemon, keys: Controller, name: str = "pad") -> None:
    """Wait until what a controller sends arrives: a message in the moment of the connection may be lost."""
    port = f"{name}:out"
    async with asyncio.timeout(30):
        while not intake(daemon).about()["messages"].get(port):
            await keys.play(control(119, 0, channel=16))
            await asyncio.sleep(0.02)


def counts(daemon: Daemon, name: str) -> dict[str, Any]:
    return next(one for one in intake(daemon).about()["bindings"] if one["name"] == name)


async def taken(daemon: Daemon, name: str, times: int = 1) -> None:
    await eventually(lambda: counts(daemon, name)["taken"] == times)


async def missed(daemon: Daemon, name: str, reason: str, times: int = 1) -> None:
    await eventually(lambda: counts(daemon, name)["not_taken"].get(reason) == times)


def add_up(daemon: Daemon, name: str) -> bool:
    """Tell whether every press of a pad was either taken or counted under a reason."""
    found = counts(daemon, name)
    return bool(found["pressed"] == found["taken"] + sum(found["not_taken"].values()))


async def all_jobs(daemon: Daemon) -> list[Job]:
    return await daemon.journal.read(lambda tx: tx.find(limit=200))


async def in_state(daemon: Daemon, *states: State, count: int = 1) -> list[Job]:
    """Wait until there are so many jobs, all of them in one of the states; the newest first."""
    async with asyncio.timeout(20):
        while len(found := await all_jobs(daemon)) != count or any(job.state not in states for job in found):
            await asyncio.sleep(0.02)
    return found
