"""What the journal promises, in PostgreSQL: one lock, one outcome of each commit, and a clear word when it is away."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from bridge_daemon.domain.job import State
from bridge_daemon.errors import JournalUnusable, StudioAway
from bridge_daemon.journal import Journal, schema
from bridge_daemon.journal.tables import metadata
from bridge_daemon.studio.database import init
from tests import postgres
from tests.journal.conftest import add
from tests.studio.pressing import PRICE, press_at_once, room, set_limit, set_limit_of


class TestTheTables:
    def test_are_what_the_migrations_make(self, studio: str) -> None:
        engine = create_engine(make_url(studio).set(drivername="postgresql+psycopg"))
        own = {"ledger", "workers", "leases", "budget", "calls", "waits", "rooms", "stored"}
        with engine.connect() as connection:
            context = MigrationContext.configure(
                connection,
                opts={"compare_type": True, "include_name": lambda name, kind, _: kind != "table" or name not in own},
            )
            assert compare_metadata(context, metadata) == []
        engine.dispose()

    def test_are_made_once_whoever_comes_first(self, server: postgres.Cluster) -> None:
        with psycopg.connect(server.address("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE empty")
        url = make_url(server.address("empty"))
        assert init(url)
        assert not init(url)
        with psycopg.connect(server.address("empty")) as connection:
            assert connection.execute("SELECT revision FROM ledger").fetchall() == [(schema.HEAD,)]

    async def test_that_are_not_there_are_refused(self, server: postgres.Cluster, tmp_path: Path) -> None:
        journal = room(server.address("postgres"), tmp_path / "a")
        with pytest.raises(JournalUnusable, match="holds no journal of a studio") as caught:
            await journal.open()
        assert "studio init" in caught.value.next_step
        await journal.close()

    async def test_of_another_version_are_not_written_to(self, studio: str, tmp_path: Path) -> None:
        """Also if they are brought up to date while this room runs."""
        journal = room(studio, tmp_path / "a")
        await journal.open()
        try:
            with psycopg.connect(studio, autocommit=True) as connection:
                connection.execute("UPDATE ledger SET revision = '9999'")
            with pytest.raises(JournalUnusable, match="newer daw-bridge"):
                await journal.write("test", add)
            assert await journal.read(lambda tx: tx.find()) == []
        finally:
            await journal.close()


@pytest.mark.parametrize("rooms", ["one", "eight"])
async def test_no_limit_is_passed_by_200_presses_at_once_from_8_processes(
    studio: str, tmp_path: Path, rooms: str
) -> None:
    """One room's limit has room for 17; of eight rooms the account has."""
    limit = 10.0 if rooms == "one" else 1000.0
    if rooms == "eight":
        await set_limit(studio, tmp_path, 10.0)
    names = ["room" if rooms == "one" else f"room-{n}" for n in range(8)]
    told = await press_at_once(
        [(postgres.as_room(studio, name), tmp_path / f"{n}", name, limit, None) for n, name in enumerate(names)]
    )
    assert len(told) == 200
    assert all(one == "admitted" or one.startswith("LimitReached(") for one in told), told
    assert told.count("admitted") == 17, "17 times $0.58 is $9.86"
    with psycopg.connect(studio) as connection:
        assert connection.execute("SELECT sum(price) FROM jobs").fetchone() == (17 * PRICE,)


@pytest.mark.parametrize("whose", ["client reaper", "room left", "client reaper in its room"])
async def test_no_limit_of_a_client_or_room_is_passed_by_presses_at_once(
    studio: str, tmp_path: Path, whose: str
) -> None:
    """The client presses in four rooms; the room by four processes; and others go on when its limit is reached."""
    names = [f"room-{n}" for n in range(4)] if whose == "client reaper" else ["left"] * 4
    mine = 10.0 if whose.endswith("in its room") else 1000.0
    if mine == 1000.0:
        await set_limit_of(studio, tmp_path, whose, 10.0)
    told = await press_at_once(
        [(postgres.as_room(studio, name), tmp_path / f"{n}", name, mine, "reaper") for n, name in enumerate(names)]
    )
    assert told.count("admitted") == 17
    assert all(one == "admitted" or f"limit of the day of the {whose[:11].strip()}" in one for one in told), told
    others = await press_at_once([(postgres.as_room(studio, "right"), tmp_path / "right", "right", 1000.0, "live")], 3)
    assert others == ["admitted"] * 3


class TestALostAnswerToACommit:
    """The connection ends while it is written: what became of it is found out, and not guessed."""

    @pytest.mark.parametrize("committed", [True, False])
    async def test_is_found_out(
        self, studio: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, committed: bool
    ) -> None:
        journal = room(studio, tmp_path / "a")
        await journal.open()
        try:
            job = await journal.write("test", add)
            _cut_commit(journal, monkeypatch, committed)
            work = journal.write("submitting", lambda tx: tx.move(job, State.SUBMITTING))
            if committed:
                assert (await work).state is State.SUBMITTING
            else:
                with pytest.raises(StudioAway):
                    await work
            found = await journal.read(lambda tx: tx.job(job.id))
            assert found.state is (State.SUBMITTING if committed else State.QUEUED)
        finally:
            await journal.close()


def _cut_commit(journal: Journal, monkeypatch: pytest.MonkeyPatch, committed: bool) -> None:
    """End the next connection that commits, before or after the server has done it."""
    inner = type(journal._database).commit

    def commit(self: Any, connection: Any, changed: Any) -> None:
        monkeypatch.undo()
        driver = connection.connection.driver_connection
        if committed:
            driver.execute("COMMIT")
        with psycopg.connect(driver.info.dsn, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 1000)", [driver.info.backend_pid])
        inner(self, connection, changed)

    monkeypatch.setattr(type(journal._database), "commit", commit)


class TestADatabaseThatGoesAway:
    async def test_is_told_and_found_again(self, own_server: postgres.Cluster, tmp_path: Path) -> None:
        journal = room(own_server.new(), tmp_path / "a")
        await journal.open()
        try:
            job = await journal.write("test", add)
            await asyncio.to_thread(own_server.stop, "immediate")
            for work in (journal.write("test", add), journal.read(lambda tx: tx.find())):
                with pytest.raises(StudioAway, match="does not answer"):
                    await work
            await asyncio.to_thread(own_server.start)
            assert [one.id for one in await journal.read(lambda tx: tx.find())] == [job.id]
            await journal.write("test", add)
        finally:
            await journal.close()

    async def test_a_room_that_hangs_in_a_transaction_does_not_keep_the_others_out(
        self, studio: str, tmp_path: Path
    ) -> None:
        """Its network was cut, or it sleeps: the server ends its transaction by itself."""
        journal = room(studio, tmp_path / "a")
        await journal.open()
        hanging = journal._database.begin()
        try:
            await journal.write("test", add)
            with pytest.raises(DBAPIError, match="idle-in-transaction"):
                hanging.exec_driver_sql("COMMIT")
        finally:
            hanging.close()
            await journal.close()


def test_nothing_of_it_is_loaded_by_a_daemon_with_a_journal_of_its_own() -> None:
    look = "import sys, bridge_daemon.cli.run, bridge_daemon.app.daemon; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout.split()
    assert not [
        name for name in told if name.startswith(("psycopg", "bridge_daemon.studio", "sqlalchemy.dialects.pos"))
    ]


async def test_what_other_rooms_are_told(studio: str, tmp_path: Path) -> None:
    journal = room(studio, tmp_path / "a")
    await journal.open()
    try:
        with psycopg.connect(studio, autocommit=True) as listening:
            listening.execute("LISTEN daw_bridge")
            job = await journal.write("test", add)
            [told] = list(listening.notifies(timeout=5, stop_after=1))
            assert told.payload.split() == [journal._database.run, job.id]
    finally:
        await journal.close()


async def test_the_session_is_as_it_has_to_be(studio: str, tmp_path: Path) -> None:
    journal = room(studio, tmp_path / "a")
    await journal.open()
    try:
        with journal._database.begin_reading() as connection:
            for name, value in {"synchronous_commit": "on", "transaction_isolation": "repeatable read"}.items():
                assert connection.execute(text(f"SHOW {name}")).scalar_one() == value
    finally:
        await journal.close()
    assert json.loads((tmp_path / "a").glob("sent-*.jsonl").__next__().read_text(encoding="utf-8"))
