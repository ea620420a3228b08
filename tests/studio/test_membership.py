"""What a bridge hears of the others."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from bridge_daemon.domain.job import Job
from tests.studio.pressing import room
from tests.support import press, running, until


async def test_a_room_hears_at_once_what_another_bridge_did_with_its_job(studio: str, tmp_path: Path) -> None:
    """Not only when it looks around, every two seconds."""
    other = room(studio, tmp_path / "other", "keeper")
    await other.open()
    try:
        async with running(tmp_path / "left", None, journal={"url": studio, "room": "left"}) as daemon:
            job = await until(daemon, await press(daemon))
            heard: asyncio.Queue[Job] = asyncio.Queue()
            daemon.journal.listen(heard.put_nowait)
            await other.write("test", lambda tx: tx.touch(tx.job(job.id), text="fetched elsewhere"))
            async with asyncio.timeout(5):
                while (await heard.get()).text != "fetched elsewhere":
                    pass
            mine = await other.write("test", lambda tx: _add(tx))
            await asyncio.sleep(1)
            assert heard.empty(), "another room's job is no news for its clients"
            status = await daemon.actions.status()
            assert (status["studio"]["room"], mine.room) == ("left", "keeper")
            assert [(one["room"], one["alive"]) for one in status["studio"]["rooms"]] == [("left", True)]
    finally:
        await other.close()


def _add(tx: Any) -> Job:
    from tests.journal.conftest import add

    return add(tx)
