"""A watched folder in a test: a whole daemon, a real folder, real files."""

from __future__ import annotations

import asyncio
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bridge_daemon.app.daemon import Daemon
from bridge_daemon.domain.job import State
from bridge_daemon.domain.render import Render
from bridge_daemon.frontends.folders.folder import RenderFolder
from tests.fakes.service import Service
from tests.support import PATIENCE, running, tone

PRESETS = {"strings": {"action": "transform", "prompt": "string quartet"}}


def watched(path: Path, name: str = "renders", **given: Any) -> dict[str, Any]:
    """Return the settings of a folder that spends."""
    return {"name": name, "path": str(path), "preset": "strings", "spend": True} | given


@asynccontextmanager
async def watching(
    home: Path, service: Service | None, *folders: dict[str, Any], wait: bool = True, **sections: Any
) -> AsyncIterator[Daemon]:
    """Run a daemon that watches folders, from the moment on when it does."""
    given = {"folders": list(folders), "presets": PRESETS} | sections
    async with running(home, service, **given) as daemon:
        for folder in daemon.folders._folders.values() if wait else ():
            await until(lambda folder=folder: folder.about()["watching"], f"{folder.settings.name} is watched")
        yield daemon
        await posted(daemon)


async def posted(daemon: Daemon) -> None:
    """Wait until whatever was admitted was sent, so that the service has counted it."""
    on_the_way = {State.QUEUED, State.PREPARING, State.SUBMITTING}
    async with asyncio.timeout(20):
        while await daemon.journal.read(lambda tx: tx.jobs_in(on_the_way)):
            await asyncio.sleep(0.01)


async def until(true: Callable[[], Any], what: str = "it", seconds: float = PATIENCE) -> Any:
    """Wait until something holds, and return it."""
    try:
        async with asyncio.timeout(seconds):
            while not (found := true()):
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"not within {seconds} s: {what}") from None
    return found


def one(daemon: Daemon, name: str = "renders") -> RenderFolder:
    """Return a folder of a daemon."""
    return daemon.folders._folders[name]


def known(daemon: Daemon, file: Path | str, folder: str = "renders") -> Render | None:
    """Return what is known of a file."""
    return one(daemon, folder).known.files.get(Path(file).name)


async def settled(daemon: Daemon, file: Path | str, *states: str, folder: str = "renders") -> dict[str, Any]:
    """Wait until a render is in one of the states, and return it as the API tells it."""

    def look() -> Render | None:
        render = known(daemon, file, folder)
        return render if render is not None and render.as_dict()["state"] in states else None

    render = await until(look, f"{Path(file).name} is {' or '.join(states)}; it is {known(daemon, file, folder)}")
    return await listed(daemon, render.id)


async def listed(daemon: Daemon, entry: int) -> dict[str, Any]:
    """Return a render as the API tells it."""
    [found] = [one for one in await daemon.folders.renders(limit=10_000) if one["entry"] == entry]
    return found


async def job_placed(daemon: Daemon, render: dict[str, Any]) -> dict[str, Any]:
    """Wait until the take of a render is placed, and return its job."""
    [job] = render["jobs"]
    async with asyncio.timeout(20):
        while (found := await daemon.actions.job(job["job"]))["state"] != "placed":
            assert found["state"] not in ("held", "unknown", "refused", "failed"), found
            await asyncio.sleep(0.02)
    return found


async def swept(daemon: Daemon, name: str = "renders") -> None:
    """Wait until nothing in a folder is on its way any more, by events and by a whole sweep."""
    folder = one(daemon, name)
    assert folder._watch is not None
    await folder._sweep(folder._watch)
    folder._wake.set()
    await until(lambda: not folder.about()["coming"] and not folder._watch.has_hints, "nothing comes")


def render(path: Path, *, pitch: float = 220.0, seconds: float = 6.5, **given: Any) -> Path:
    """Write a render as a DAW does: whole, then closed. Another pitch is another length, so another content."""
    part = path.with_name(f".{uuid.uuid4().hex}.wav")
    tone(part, seconds=seconds + pitch / 1000, **given)
    shutil.copyfile(part, path)
    part.unlink()
    return path


def copy_slowly(data: bytes, path: Path, upto: float) -> Any:
    """Begin to copy a file, and return it open."""
    file = path.open("wb")
    file.write(data[: int(len(data) * upto)])
    file.flush()
    os.fsync(file.fileno())
    return file
