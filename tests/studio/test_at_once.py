"""A press in a room is one transaction, too; and what is lost between it and the wire is not sent, and not lost."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bridge_daemon.app.daemon import Daemon
from bridge_daemon.domain.job import Charge, State
from bridge_daemon.errors import LimitReached, StudioAway
from bridge_daemon.studio import budget, database
from tests import postgres
from tests.fakes.service import Service
from tests.support import RESTING, events, job_of, press, request, running, until

pytestmark = pytest.mark.thorough


def _room(url: str) -> dict[str, Any]:
    return {"url": postgres.as_room(url, "left"), "room": "left"}


def _calls(url: str) -> int:
    with psycopg.connect(url) as connection:
        [count] = connection.execute("SELECT count(*) FROM calls WHERE kind = 'submit'").fetchone() or (0,)
    return int(count)


async def test_a_press_that_can_go_is_one_transaction(studio: str, tmp_path: Path, written: list[str]) -> None:
    async with Service() as service, running(tmp_path / "left", service, journal=_room(studio)) as daemon:
        await daemon.warm.wait()
        del written[:]
        job = await until(daemon, await press(daemon))
        assert (job.state, job.charge) == (State.PLACED, Charge.CONFIRMED)
        assert [name for name in written if name != "price_seen"][:3] == ["admit", "answered", "outcome"]
        assert (await events(daemon, job.id))[:4] == ["queued", "submitting", "answer", "generating"]
        assert len(service.posts) == 1
        with psycopg.connect(studio) as connection:
            leased = connection.execute("SELECT count(*) FROM leases WHERE job = %s", [job.id]).fetchone()
        assert leased in ((0,), (1,)), "swept, or not yet"
    assert _calls(studio) == 1


async def test_a_press_that_is_refused_gives_its_request_to_the_next(studio: str, tmp_path: Path) -> None:
    spend = {"per_day_usd": 0.6, "per_month_usd": 10.0}
    async with Service() as service, running(tmp_path / "left", service, journal=_room(studio), spend=spend) as daemon:
        await daemon.warm.wait()
        assert (await until(daemon, await press(daemon))).state is State.PLACED
        for number in range(5):
            with pytest.raises(LimitReached):
                await press(daemon, prompt=f"wind {number}")
        assert _calls(studio) == 2, "one was sent, and one is at hand"
        assert len(service.posts) == 1


async def test_a_request_at_hand_is_let_go(studio: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "_SPARE", 0.1)
    async with Service() as service, running(tmp_path / "left", service, journal=_room(studio)) as daemon:
        shared = daemon.parts.context.budget
        assert await shared.take_submit()
        shared.give_back()
        await asyncio.sleep(0.5)
        with psycopg.connect(studio) as connection:
            query = "SELECT at <= extract(epoch FROM clock_timestamp()) FROM calls WHERE kind = 'submit'"
            assert connection.execute(query).fetchall() == [(True,)], "its minute has begun"
        assert not service.posts


async def test_a_press_that_took_too_long_is_not_sent_at_once(
    studio: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It slept behind the commit: others may have written meanwhile that it is unknown."""
    async with Service() as service, running(tmp_path / "left", service, journal=_room(studio)) as daemon:
        await daemon.warm.wait()
        late = iter([True])
        monkeypatch.setattr(daemon._membership, "late", lambda _: next(late, False))
        job = await until(daemon, await press(daemon))
        assert job.state is State.PLACED
        assert (await events(daemon, job.id))[:4] == ["queued", "submitting", "queued", "submitting"]
        assert len(service.posts) == len(service.charges) == 1


@pytest.mark.parametrize("committed", [True, False])
async def test_a_press_whose_commit_is_not_known_is_never_sent(
    own_server: postgres.Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    """The database dies in the middle of it; the same press again is the same press."""
    monkeypatch.setattr(database, "_ASKING", 0.5)
    url = own_server.new()
    async with Service() as service, running(tmp_path / "left", service, journal=_room(url)) as daemon:
        await daemon.warm.wait()
        body = request(valid_for=600)
        _die_in_commit(own_server, daemon, monkeypatch, committed)
        with pytest.raises(StudioAway):
            await daemon.actions.admit(body)
        await asyncio.to_thread(own_server.start)
        answer, again = await _pressed_again(daemon, body)
        assert again is committed
        job = await until(daemon, answer["jobs"][0], RESTING, seconds=60)
        if committed:
            assert (job.state, job.charge) == (State.UNKNOWN, Charge.POSSIBLE)
            assert not service.posts
        else:
            assert job.state is State.PLACED
            assert len(service.posts) == 1
        assert (await job_of(daemon, job.id)).id == job.id


def _die_in_commit(server: postgres.Cluster, daemon: Daemon, monkeypatch: pytest.MonkeyPatch, committed: bool) -> None:
    inner = database.Postgres.commit

    def commit(self: Any, connection: Any, changed: Any) -> None:
        if not any(job.state is State.SUBMITTING for job in changed):
            return inner(self, connection, changed)
        monkeypatch.setattr(database.Postgres, "commit", inner)
        if committed:
            connection.connection.driver_connection.execute("COMMIT")
        server.stop("immediate")
        return inner(self, connection, changed)

    monkeypatch.setattr(database.Postgres, "commit", commit)


async def _pressed_again(daemon: Daemon, body: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    async with asyncio.timeout(30):
        while True:
            try:
                return await daemon.actions.admit(body)
            except StudioAway:
                await asyncio.sleep(0.2)
