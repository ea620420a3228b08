"""Rooms and keepers on one journal: who asked gets it, who dies is followed, and nobody pays twice."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import pytest_asyncio

from bridge_daemon.domain.job import State
from tests.fakes.service import Service
from tests.studio.bridges import Bridge, bridges
from tests.support import request
from tests.waiting import eventually

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(300)]


@pytest_asyncio.fixture
async def service() -> AsyncIterator[Service]:
    async with Service() as fake:
        yield fake


class Studio:
    """A database, a service, and bridges in a folder."""

    def __init__(self, folder: Path, url: str, service: Service) -> None:
        self.folder, self.url, self.service = folder, url, service

    def room(self, name: str, **sections: Any) -> Bridge:
        return Bridge(self.folder, name, self.url, self.service, "room", sections)

    def keeper(self, name: str = "keeper", **sections: Any) -> Bridge:
        return Bridge(self.folder, name, self.url, self.service, "keeper", sections)

    async def job(self, job: str) -> dict[str, Any]:
        return await asyncio.to_thread(self._job, job)

    def _job(self, job: str) -> dict[str, Any]:
        with psycopg.connect(self.url, row_factory=psycopg.rows.dict_row) as connection:
            found = connection.execute("SELECT * FROM jobs WHERE job = %s", [job]).fetchone()
            assert found is not None
            return found

    async def until(self, job: str, *states: State, seconds: float = 60.0) -> dict[str, Any]:
        async def look() -> dict[str, Any] | None:
            found = await self.job(job)
            return found if found["state"] in states else None

        return await eventually(look, f"{job} {states}", seconds=seconds)

    async def placed(self, job: str) -> dict[str, Any]:
        return await self.until(job, State.PLACED)


@pytest.fixture
def studio_of(tmp_path: Path, studio: str, service: Service) -> Studio:
    return Studio(tmp_path, studio, service)


async def pressed(bridge: Bridge, **given: Any) -> str:
    answer, _ = await bridge.ask("admit", request(**given))
    return str(answer["jobs"][0])


async def test_each_take_reaches_the_room_that_asked(studio_of: Studio) -> None:
    left, right = studio_of.room("left"), studio_of.room("right")
    with bridges(left, right):
        await asyncio.gather(left.start(), right.start())
        body = request()
        jobs = {}
        for bridge in (left, right):  # the same sentence at the same moment is two presses
            answer, _ = await bridge.ask("admit", body | {"id": request()["id"]})
            jobs[bridge] = answer["jobs"][0]
        for bridge, name in jobs.items():
            job = await studio_of.placed(name)
            assert job["room"] == bridge.name
            assert Path(job["take"]["file"]).is_relative_to(bridge.home)
        assert {one["room"] for one in await left.ask("jobs")} == {"left", "right"}, "everybody sees all"
        refused = await left.ask("deliver", jobs[right])
        assert (refused["code"], refused["charge"]) == ("E-STATE", "confirmed")
        assert "belongs to the room right" in refused["message"]
    assert len(studio_of.service.charges) == 2


async def test_a_keeper_follows_and_fetches_what_a_dead_room_paid_and_the_room_gets_it(
    studio_of: Studio, record_property: Any
) -> None:
    studio_of.service.control({"set": {"job_seconds": 4}})
    left, keeper = studio_of.room("left"), studio_of.keeper()
    with bridges(left, keeper):
        await asyncio.gather(left.start(), keeper.start())
        job = await pressed(left)
        await studio_of.until(job, State.GENERATING)
        died = time.monotonic()
        left.kill()

        async def fetched() -> Any:
            found = await studio_of.job(job)
            return found["original"] and found

        found = await eventually(fetched, "the keeper fetches it")
        assert found["state"] == State.FETCHING
        assert Path(found["original"]).is_relative_to(keeper.home)
        record_property("seconds until it was fetched", round(time.monotonic() - died, 1))
        await left.start()
        home = await studio_of.placed(job)
        assert Path(home["take"]["file"]).is_relative_to(left.home)
    assert len(studio_of.service.posts) == len(studio_of.service.charges) == 1


async def test_what_a_dead_room_was_sending_is_unknown_and_never_sent_again(studio_of: Studio) -> None:
    studio_of.service.script_post("silence")
    left, keeper = studio_of.room("left"), studio_of.keeper()
    with bridges(left, keeper):
        await asyncio.gather(left.start(), keeper.start())
        job = await pressed(left)
        await studio_of.until(job, State.SUBMITTING)
        await eventually(lambda: _count(studio_of.service.posts), "the POST is on the wire")
        left.kill()
        found = await studio_of.until(job, State.UNKNOWN)
        assert found["charge"] == "possible"
        await left.start()
        await asyncio.sleep(3)
        assert (await studio_of.job(job))["state"] == State.UNKNOWN
    assert len(studio_of.service.posts) == 1


async def _count(of: Any) -> int:
    return len(of)


async def test_a_room_that_slept_while_it_sent_attaches_its_late_answer(studio_of: Studio) -> None:
    studio_of.service.script_post("slow_ok:2")
    left, keeper = studio_of.room("left"), studio_of.keeper()
    with bridges(left, keeper):
        await asyncio.gather(left.start(), keeper.start())
        job = await pressed(left)
        await eventually(lambda: _count(studio_of.service.posts), "the POST is on the wire")
        left.signal(signal.SIGSTOP)
        await studio_of.until(job, State.UNKNOWN)
        left.signal(signal.SIGCONT)
        await studio_of.placed(job)
    assert len(studio_of.service.posts) == len(studio_of.service.charges) == 1


async def test_a_room_that_slept_before_it_sent_sends_nothing_that_another_one_sent(studio_of: Studio) -> None:
    """Its jobs wait for a place; the keeper sends them, once each, and the room gets what comes."""
    studio_of.service.control({"set": {"job_seconds": 3}})
    left, keeper = studio_of.room("left", engine={"max_open_jobs": 1}), studio_of.keeper()
    with bridges(left, keeper):
        await asyncio.gather(left.start(), keeper.start())
        jobs = [await pressed(left, prompt=f"rain {number}") for number in range(4)]
        await eventually(lambda: _count(studio_of.service.posts), "the first is sent")
        left.signal(signal.SIGSTOP)
        await eventually(lambda: _all(studio_of, jobs), "all are sent by the keeper")
        left.signal(signal.SIGCONT)
        for job in jobs:
            found = await studio_of.placed(job)
            assert Path(found["take"]["file"]).is_relative_to(left.home)
    assert len(studio_of.service.posts) == len(studio_of.service.charges) == 4


async def _all(studio: Studio, jobs: list[str]) -> bool:
    states = [(await studio.job(job))["state"] for job in jobs]
    return not set(states) & {State.QUEUED, State.PREPARING, State.SUBMITTING}


async def test_a_room_that_is_paused_has_nothing_sent_for_it(studio_of: Studio) -> None:
    studio_of.service.control({"set": {"job_seconds": 1000}})
    left = studio_of.room("left", engine={"max_open_jobs": 1})
    keeper = studio_of.keeper()
    with bridges(left, keeper):
        await asyncio.gather(left.start(), keeper.start())
        first, second = await pressed(left), await pressed(left, prompt="snow")
        await studio_of.until(first, State.GENERATING)
        await left.ask("pause")
        left.kill()
        await asyncio.sleep(16)
        assert (await studio_of.job(second))["state"] == State.QUEUED
    assert len(studio_of.service.posts) == 1


async def test_two_homes_cannot_have_the_name_of_one_room(studio_of: Studio, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    left = studio_of.room("left")
    twin = Bridge(tmp_path / "other", "left", studio_of.url, studio_of.service, "room", {})
    with bridges(left, twin):
        await left.start()
        with pytest.raises(AssertionError, match="is the room left already"):
            await twin.start()
