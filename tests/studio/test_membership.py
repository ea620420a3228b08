"""What a bridge hears of the others."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bridge_daemon.domain.job import Job, State
from bridge_daemon.home.paths import Home
from bridge_daemon.studio.membership import Membership
from tests.fakes.service import Service
from tests.studio.pressing import room
from tests.support import events, press, running, until, until_event


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


async def test_what_took_too_long_to_be_written_is_not_sent_by_then(
    studio: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine slept between the commit and the request: others may have written that it is unknown."""
    answers = [True]
    monkeypatch.setattr(Membership, "late", lambda *_: bool(answers and answers.pop()))
    async with (
        Service() as service,
        running(tmp_path / "left", service, journal={"url": studio, "room": "left"}) as daemon,
    ):
        job = await press(daemon)
        await until_event(daemon, job, "submitting")
        found = await until(daemon, job, {State.QUEUED, State.PLACED})
        assert found.state is State.QUEUED or len(service.posts) == 1
        await until(daemon, job)
        kinds = await events(daemon, job)
        assert kinds.count("submitting") == 2
        assert kinds[:3] == ["queued", "submitting", "queued"]
        assert len(service.posts) == len(service.charges) == 1


async def test_of_a_home_and_its_copy_the_one_that_was_started_last_sends(studio: str, tmp_path: Path) -> None:
    where = {"url": studio, "room": "left"}
    async with Service() as service, running(tmp_path / "left", service, journal=where) as old:
        copy = Home(tmp_path / "copy")
        copy.prepare()
        copy.token_file.write_text((tmp_path / "left" / "token").read_text(encoding="utf-8"), encoding="utf-8")
        async with running(tmp_path / "copy", service, journal=where) as new:
            assert old._membership is not None
            async with asyncio.timeout(30):
                while not old._membership._replaced:
                    await asyncio.sleep(0.1)
            job = await press(old)
            taken = await until(new, job)  # by the one that counts
            assert taken.take is not None
            assert Path(taken.take.file).is_relative_to(tmp_path / "copy")
    assert len(service.posts) == 1
