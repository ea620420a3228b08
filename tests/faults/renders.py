"""What a DAW, a script and a person do with the renders in the watched folder of a victim."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bridge_daemon.app.daemon import Daemon
from bridge_daemon.frontends.folders import folder as folder_module
from bridge_daemon.frontends.folders.folder import RenderFolder
from tests.support import tone

folder_module.SETTLE = 0.2  # nothing here is copied slowly
folder_module.RETRY = 0.2


async def _until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(40):
        while not true():
            await asyncio.sleep(0.01)


async def _folder(daemon: Daemon) -> RenderFolder:
    folder = daemon.folders._folders["renders"]
    await _until(lambda: folder.about()["watching"])
    return folder


async def _seen(folder: RenderFolder, name: str) -> None:
    """Wait until the folder knows the file as it is now, and nothing is being done about it."""
    status = (folder.root / name).stat()
    stamp = (status.st_size, status.st_mtime_ns)

    def rests() -> bool:
        render = folder.known.files.get(name)
        busy = folder.about()["coming"] or folder._sending.asking
        return render is not None and render.stamp == stamp and render.try_id is None and not busy

    await _until(rests)


async def _drop(daemon: Daemon, given: dict[str, Any]) -> None:
    folder = await _folder(daemon)
    part = tone(folder.root / ".part.wav", seconds=given["seconds"])
    part.rename(folder.root / given["name"])
    await _seen(folder, given["name"])


async def _move(daemon: Daemon, given: dict[str, Any]) -> None:
    folder = await _folder(daemon)
    (folder.root / given["name"]).rename(folder.root / given["to"])
    await _seen(folder, given["to"])


async def _beside(daemon: Daemon, given: dict[str, Any]) -> None:
    folder = await _folder(daemon)
    before = folder.known.files[given["name"]]
    Path(folder.root / f"{given['name']}.bridge.json").write_text(given["text"])
    if before.state == "waiting" and before.code in ("asks", "E-INVALID"):  # else it waits for a person
        await _until(lambda: folder.known.files[given["name"]].code == "E-INVALID")
    await _seen(folder, given["name"])


async def _forget(daemon: Daemon, given: dict[str, Any]) -> None:
    await _folder(daemon)
    await daemon.folders.forget(given["name"])


VERBS = {"drop": _drop, "move": _move, "beside": _beside, "forget": _forget}
