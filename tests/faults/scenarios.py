"""What the victim does while it dies: together they pass every failpoint between a press and its take."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge_daemon.domain.job import State
from bridge_daemon.util.failpoints import EXIT_CODE
from tests.fakes.service import Service
from tests.faults.victim import given, run
from tests.support import press, running, tone, until

ID = "6b6a3bd0-8a0c-4ea9-9c1b-3a4c2b0e9d{:02}"
REST = ["rest", 60.0]


@dataclass(frozen=True)
class Scenario:
    """Ops for the victim, scripts for the service, and what has to be there before."""

    ops: Callable[[Path, Service], list[list[Any]]]
    script: dict[str, Any] = field(default_factory=dict)
    before: Callable[[Path, Service], Awaitable[None]] | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    service: dict[str, Any] = field(default_factory=dict)
    disk: bool = False  # whether the library lies on a disk of its own
    spend: bool | None = None  # whether its watched folder spends; None: it has none

    def settings_of(self, home: Path) -> dict[str, Any]:
        """Return the sections of the settings."""
        if self.disk:
            return self.settings | {"audio": {"library": str(home.parent / "Disk é"), "measure": False}}
        if self.spend is None:
            return self.settings
        folder = home.parent / "Renders é"
        folder.mkdir(exist_ok=True)
        watched = {"name": "renders", "path": str(folder), "spend": self.spend, "preset": "strings"}
        preset = {"action": "transform", "prompt": "string quartet"}
        return self.settings | {"folders": [watched], "presets": {"strings": preset}}


def _generate(number: int, **given: Any) -> list[Any]:
    body = {"id": ID.format(number), "action": "generate", "prompt": "rain", "duration": 1, "seed": 1}
    return ["admit", body | given]


def _folder(home: Path, _: Service) -> list[list[Any]]:
    project = home.parent / "Project é"
    project.mkdir(exist_ok=True)
    (project / "song.rpp").touch()
    return [_generate(1, place={"position": 7.0, "folder": str(project)}), REST]


def _transform(home: Path, _: Service) -> list[list[Any]]:
    source = home.parent / "quelle ü.wav"
    if not source.exists():
        tone(source, seconds=9)
    body = {"id": ID.format(2), "action": "transform", "prompt": "pad", "seed": 1, "variations": 2}
    return [["admit", body | {"source": {"path": str(source), "start": 0.5, "end": 8.0}}], REST]


async def _queued_and_stale(home: Path, service: Service) -> None:
    """Leave a job in the journal that was not sent while it was valid."""
    service.control({"set": {"job_seconds": 1000}})
    async with running(home, service, engine={"max_open_jobs": 1}) as daemon:
        await until(daemon, await press(daemon, prompt="first"), {State.GENERATING})
        await press(daemon, prompt="second", valid_for=0.01)
        await asyncio.sleep(0.05)
    service.control({"set": {"job_seconds": 0}, "advance": 1500})


async def _unknown(home: Path, service: Service) -> None:
    """Leave a job whose answer was lost."""
    service.script_post("accept_then_drop")
    async with running(home, service) as daemon:
        await until(daemon, await press(daemon))


async def _damaged(home: Path, service: Service) -> None:
    """Leave a job that was downloaded, whose original was damaged before it could be finished."""
    service.script_download("silence")
    async with running(home, service) as daemon:
        name = await press(daemon)
        await until(daemon, name, {State.FETCHING})
        job = await daemon.journal.read(lambda tx: tx.job(name))
        original = home / "damaged.original.wav"
        original.write_bytes(b"RIFF")
        await daemon.journal.write(
            "test", lambda tx: tx.note(job, "fetched", {}, original=str(original), original_sha256="0" * 64)
        )
    service.control({"clear": True})


async def _undelivered(home: Path, service: Service) -> None:
    """Leave a job that was stored and no delivery begun, as an older version could: it wrote them one by one."""
    async with running(home, service) as daemon:
        name = await press(daemon, client="reaper-1")
        job = await until(daemon, name, {State.STORED})
        await daemon.journal.write("test", lambda tx: tx.note(job, "test", {}, delivery=0))


async def _preparing(home: Path, service: Service) -> None:
    """Leave a transform whose source was being published: the process ended there."""
    source = tone(home.parent / "source.wav")
    request = {"id": ID.format(15), "action": "transform", "prompt": "pad", "source": {"path": str(source)}}
    ops = [["admit", request], REST]
    assert await run(given(home, service, ops), failpoint="journal.preparing.committed:1") == EXIT_CODE


def _script(name: str, data: Any) -> list[Any]:
    return ["script", {"client": "reaper", "name": name, "data": data}]


def _inbox(*_: Any) -> list[list[Any]]:
    request = {"id": ID.format(10), "action": "generate", "prompt": "rain", "duration": 1, "seed": 1}
    wrong = ID.format(11)
    return [
        _script(f"{ID.format(10)}.json", request | {"place": {"when": "arrival_bar", "bars": 1, "tempo": 240}}),
        _script(f"{wrong}.json", {"id": ID.format(12)}),
        ["answered", {"client": "reaper", "names": [ID.format(10), wrong]}],
        REST,
        _script(f"{ID.format(13)}.command.json", {"command": "deliver", "job_of": ID.format(10)}),
        ["answered", {"client": "reaper", "names": [ID.format(13)]}],
        ["confirm", {"client": "reaper", "names": [ID.format(10)]}],
    ]


SCENARIOS = {
    "inbox": Scenario(_inbox),
    "generate": Scenario(_folder, service={"job_seconds": 1.2}),
    "transform": Scenario(_transform),
    "held": Scenario(
        lambda *_: [
            ["retry", {"state": "held", "data": {"id": ID.format(3)}}],
            ["cancel", {"state": "held"}],
            REST,
            ["deliver", {"state": "placed"}],
            REST,
        ],
        before=_queued_and_stale,
        settings={"engine": {"max_open_jobs": 4}},
    ),
    "attach": Scenario(
        lambda _, service: [
            ["resolve", {"state": "unknown", "data": {"action": "attach", "remote_id": service.charges[0].remote_id}}],
            REST,
        ],
        before=_unknown,
    ),
    "again": Scenario(
        lambda *_: [
            ["resolve", {"state": "unknown", "data": {"action": "submit_again", "id": ID.format(4)}}],
            REST,
        ],
        before=_unknown,
    ),
    "dismissed": Scenario(
        lambda *_: [["resolve", {"state": "unknown", "data": {"action": "dismiss", "charged": False}}], REST],
        before=_unknown,
    ),
    "trouble": Scenario(
        lambda *_: [_generate(5), REST, ["agree", {"model": "stable-audio-2-0", "usd": 0.58}]],
        script={"poll": ["500*3", "ok", "404*3"], "download": ["403", "garbage"]},
    ),
    "failed": Scenario(lambda *_: [_generate(6), REST], script={"poll": ["failed"]}),
    "measured": Scenario(
        lambda *_: [_generate(14, fit="start", place={"tempo": 120}), REST],
        settings={"audio": {"measure": True}},
    ),
    "refused": Scenario(lambda *_: [_generate(7), REST, ["resume", None]], script={"post": ["402"]}),
    "confirmed": Scenario(
        lambda *_: [_generate(9, client="reaper-1"), REST, ["placed", {"state": "stored", "data": 1}], REST]
    ),
    "disk": Scenario(lambda *_: [_generate(10), REST], disk=True),
    "damaged": Scenario(lambda *_: [REST], before=_damaged),
    "undelivered": Scenario(lambda *_: [REST], before=_undelivered),
    "preparing": Scenario(lambda *_: [REST], before=_preparing),
    "render": Scenario(lambda *_: [["drop", {"name": "drums.wav", "seconds": 7}], REST], spend=True),
    "renders": Scenario(
        lambda *_: [
            ["drop", {"name": "drums.wav", "seconds": 7}],
            ["move", {"name": "drums.wav", "to": "congas.wav"}],
            ["beside", {"name": "congas.wav", "text": '{"strenght": 0.5}'}],
            ["forget", {"name": "congas.wav"}],
        ],
        spend=False,
    ),
    "cancelled": Scenario(
        lambda *_: [
            _generate(8),
            _generate(9, prompt="wind"),  # waits, for there is one place at the service
            ["cancel", {"state": "queued"}],
            ["cancel", {"state": "generating"}],
            ["pause", None],
            REST,
        ],
        service={"job_seconds": 1.0},
        settings={"engine": {"max_open_jobs": 1}},
    ),
}
