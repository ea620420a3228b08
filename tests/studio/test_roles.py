"""What the role of a room may do in the database, with plain SQL: its own, and what keeps the jobs of others going."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import create_engine, make_url

from bridge_daemon.domain.job import Charge, Job, State
from bridge_daemon.errors import RoleTrouble, WrongState
from bridge_daemon.spending.limits import ACCOUNT_LIMITS
from bridge_daemon.studio import database, leases, roles
from tests import postgres
from tests.journal.conftest import add
from tests.studio.pressing import PRICE, room

_NOW = "extract(epoch FROM clock_timestamp())"
LIVE = f"UPDATE workers SET seen_at = {_NOW} WHERE id = %s"


class Rooms:
    """Two rooms and a keeper with roles of their own, a job of each room, and the administrator."""

    def __init__(self, url: str, jobs: dict[str, Job]) -> None:
        self.url, self.jobs = url, jobs
        self.admin = psycopg.connect(url, autocommit=True)
        self.open = [self.admin]

    def as_room(self, name: str, kind: str = roles.ROOM) -> psycopg.Connection[Any]:
        made = psycopg.connect(postgres.as_room(self.url, name, kind), autocommit=True)
        self.open.append(made)
        return made

    def is_there(self, name: str, *, kind: str = roles.ROOM, silent: float = 0.0) -> str:
        self.admin.execute(
            "INSERT INTO workers (id, run, room, kind, about, started_at, seen_at) "
            f"VALUES (%(id)s, 'run', %(room)s, %(kind)s, '{{}}', 0, {_NOW} - %(silent)s) "
            "ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at",
            {"id": f"of {name}", "room": name, "kind": kind, "silent": silent},
        )
        return f"of {name}"

    def row(self, job: str) -> tuple[Any, ...]:
        found = self.admin.execute("SELECT state, charge, price, text FROM jobs WHERE job = %s", [job]).fetchone()
        assert found is not None
        return found


@pytest.fixture
async def rooms(studio: str, tmp_path: Path) -> Any:
    jobs = {}
    for name in ("left", "right"):
        journal = room(postgres.as_room(studio, name), tmp_path / name, name)
        await journal.open()
        jobs[name] = await journal.write("test", lambda tx: add(tx, price=PRICE))
        await journal.write("test", lambda tx, n=name: tx.set_fact("key_seen", f"the secret of {n}"))
        await journal.close()
    made = Rooms(studio, jobs)
    made.admin.execute('INSERT INTO facts VALUES (%s, \'{"per_day_usd": 5, "per_month_usd": 5}\')', [ACCOUNT_LIMITS])
    yield made
    for connection in made.open:
        connection.close()


def refused(connection: psycopg.Connection[Any], statement: str, *given: Any) -> None:
    """Find that a statement is refused, or finds nothing that it may change."""
    try:
        done = connection.execute(statement, given)
    except InsufficientPrivilege:
        return
    assert done.rowcount == 0, f"it did it: {statement}"


class TestARoom:
    def test_sees_all_takes(self, rooms: Rooms) -> None:
        found = rooms.as_room("left").execute("SELECT room FROM jobs ORDER BY seq").fetchall()
        assert found == [("left",), ("right",)]

    def test_sets_no_limits(self, rooms: Rooms) -> None:
        left = rooms.as_room("left")
        for statement in (
            "UPDATE facts SET value = '{}' WHERE key = %s",
            "DELETE FROM facts WHERE key = %s",
            "INSERT INTO facts VALUES (%s || '.mine', '{}')",
        ):
            refused(left, statement, ACCOUNT_LIMITS)
        assert left.execute("SELECT value FROM facts WHERE key = %s", [ACCOUNT_LIMITS]).fetchone() is not None

    def test_changes_no_job_of_a_room_that_is_there(self, rooms: Rooms) -> None:
        rooms.is_there("right")
        me, left, job = rooms.is_there("left"), rooms.as_room("left"), rooms.jobs["right"].id
        before = rooms.row(job)
        refused(left, "UPDATE jobs SET state = 'cancelled' WHERE job = %s", job)
        refused(left, "INSERT INTO leases VALUES (%s, %s)", job, me)
        refused(left, "INSERT INTO events (job, at, kind, data) VALUES (%s, 0, 'queued', '{}')", job)
        refused(left, "DELETE FROM jobs WHERE job = %s", job)
        assert rooms.row(job) == before

    def test_takes_no_job_from_a_keeper_that_is_there(self, rooms: Rooms) -> None:
        """Of a room that has gone: the keeper works on it."""
        rooms.is_there("right", silent=100)
        keeper, me, job = rooms.is_there("keeper", kind=roles.KEEPER), rooms.is_there("left"), rooms.jobs["right"].id
        rooms.admin.execute("INSERT INTO leases VALUES (%s, %s)", [job, keeper])
        left = rooms.as_room("left")
        refused(left, "UPDATE leases SET worker = %s", me)
        refused(left, "DELETE FROM leases")
        refused(left, "UPDATE jobs SET text = 'mine' WHERE job = %s", job)
        rooms.admin.execute("UPDATE workers SET seen_at = 0 WHERE id = %s", [keeper])
        assert left.execute("UPDATE leases SET worker = %s", [me]).rowcount == 1, "the keeper died"
        assert left.execute("UPDATE jobs SET text = 'followed' WHERE job = %s", [job]).rowcount == 1

    def test_goes_on_with_the_job_of_a_room_that_has_gone_and_changes_nothing_of_what_it_is(self, rooms: Rooms) -> None:
        rooms.is_there("right", silent=100)
        me, left, job = rooms.is_there("left"), rooms.as_room("left"), rooms.jobs["right"].id
        refused(left, "UPDATE jobs SET text = 'no lease' WHERE job = %s", job)
        left.execute("INSERT INTO leases VALUES (%s, %s)", [job, me])
        assert left.execute("UPDATE jobs SET state = 'generating' WHERE job = %s", [job]).rowcount == 1
        for column in ("price = 0", "room = 'left'", "client = 'mine'", "base_url = 'https://elsewhere.example'"):
            refused(left, f"UPDATE jobs SET {column} WHERE job = %s", job)

    def test_makes_nobody_seem_dead_or_itself_another(self, rooms: Rooms) -> None:
        right, me, left = rooms.is_there("right"), rooms.is_there("left"), rooms.as_room("left")
        refused(left, "UPDATE workers SET seen_at = 0 WHERE id = %s", right)
        refused(left, "DELETE FROM workers WHERE id = %s", right)
        refused(left, "UPDATE workers SET room = 'right' WHERE id = %s", me)
        refused(left, "UPDATE workers SET kind = 'keeper' WHERE id = %s", me)
        refused(left, f"UPDATE workers SET seen_at = {_NOW} + 3600 WHERE id = %s", me)
        refused(left, "INSERT INTO workers VALUES ('x', 'run', 'right', 'room', '{}', 0, 0)")
        assert left.execute(LIVE, [me]).rowcount == 1

    @pytest.mark.parametrize("table", ["events", "jobs", "requests", "renders", "rooms", "ledger", "workers"])
    def test_removes_nothing(self, rooms: Rooms, table: str) -> None:
        left = rooms.as_room("left")
        for statement in (f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE", f"DROP TABLE {table} CASCADE"):
            with pytest.raises(InsufficientPrivilege):
                left.execute(statement)

    def test_changes_no_event_not_even_its_own(self, rooms: Rooms) -> None:
        refused(rooms.as_room("left"), "UPDATE events SET kind = 'cancelled'")

    def test_gives_itself_no_room_in_the_limits(self, rooms: Rooms) -> None:
        """What was charged stays charged, on its day; and a job that costs less than nothing is none."""
        left, job = rooms.as_room("left"), rooms.jobs["left"].id
        left.execute("UPDATE jobs SET state = 'submitting', charge = 'possible', charge_day = '2026-01-01'")
        refused(left, "UPDATE jobs SET charge_day = '2020-01-01' WHERE job = %s", job)
        left.execute("UPDATE jobs SET state = 'generating', charge = 'confirmed' WHERE job = %s", [job])
        for change in ("charge = 'none'", "charge = 'possible'", "charge_day = NULL", "price = 0"):
            refused(left, f"UPDATE jobs SET {change} WHERE job = %s", job)
        columns = rooms.admin.execute(
            "SELECT string_agg(column_name, ', ') FROM information_schema.columns "
            "WHERE table_name = 'jobs' AND column_name NOT IN ('seq', 'job', 'price')"
        ).fetchone()
        assert columns is not None
        refused(left, f"INSERT INTO jobs (job, price, {columns[0]}) SELECT 'less', -1, {columns[0]} FROM jobs LIMIT 1")
        assert rooms.row(job)[1:3] == ("confirmed", PRICE)

    def test_alters_nothing(self, rooms: Rooms) -> None:
        left = rooms.as_room("left")
        for statement in (
            "ALTER TABLE jobs DISABLE ROW LEVEL SECURITY",
            "ALTER TABLE jobs ADD COLUMN mine integer",
            "ALTER TABLE jobs DISABLE TRIGGER keep_charge",
            "DROP POLICY rooms_update ON jobs",
            "CREATE OR REPLACE FUNCTION keep_charge() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
            "UPDATE ledger SET revision = '9999'",
            "INSERT INTO rooms VALUES ('mine', session_user, 'keeper')",
            "UPDATE rooms SET kind = 'keeper'",
            "CREATE ROLE mine",
            "SELECT setval('jobs_seq_seq', 1)",
        ):
            with pytest.raises(InsufficientPrivilege):
                left.execute(statement)
        left.execute("GRANT ALL ON jobs TO PUBLIC")  # of what one may not give, a warning
        assert left.execute("SELECT has_table_privilege('jobs', 'DELETE')").fetchone() == (False,)

    def test_reads_no_secrets_and_renders_of_another(self, rooms: Rooms) -> None:
        left = rooms.as_room("left")
        rooms.admin.execute("INSERT INTO facts VALUES ('right pause', '{}'), ('right publish.objects', '{}')")
        found = {key for (key,) in left.execute("SELECT key FROM facts").fetchall()}
        assert found == {ACCOUNT_LIMITS, "left key_seen", "right pause"}
        for statement in ("SELECT * FROM pg_authid", "COPY jobs TO PROGRAM 'cat'", "SELECT pg_read_file('PG_VERSION')"):
            with pytest.raises(InsufficientPrivilege):
                left.execute(statement)

    def test_is_held_as_its_group_too(self, rooms: Rooms) -> None:
        """A member may become the group: it is the same room then."""
        rooms.is_there("right")
        left = rooms.as_room("left")
        left.execute("SET ROLE studio_rooms")
        refused(left, "UPDATE jobs SET text = 'mine' WHERE room = 'right'")
        assert left.execute("UPDATE jobs SET text = 'mine'").rowcount == 1


class TestAKeeper:
    def test_sends_for_others_and_keeps_what_it_cost(self, rooms: Rooms) -> None:
        keeper, job = rooms.as_room("keeper", roles.KEEPER), rooms.jobs["left"].id
        change = "UPDATE jobs SET state = 'generating', charge = 'confirmed' WHERE job = %s"
        assert keeper.execute(change, [job]).rowcount == 1
        refused(keeper, "UPDATE jobs SET charge = 'none' WHERE job = %s", job)
        refused(keeper, "UPDATE jobs SET price = 0 WHERE job = %s", job)
        refused(keeper, "DELETE FROM facts WHERE key = %s", ACCOUNT_LIMITS)
        refused(keeper, "DELETE FROM facts WHERE key = 'left key_seen'")


class TestABridge:
    async def test_with_the_role_of_another_room_does_not_start(self, rooms: Rooms, tmp_path: Path) -> None:
        journal = room(postgres.as_room(rooms.url, "left"), tmp_path / "x", "right")
        with pytest.raises(RoleTrouble, match="that of the room left, and this is right"):
            await journal.open()
        await journal.close()

    async def test_with_a_role_of_no_room_does_not_start_and_sees_no_empty_journal(
        self, rooms: Rooms, tmp_path: Path
    ) -> None:
        """It had rights on the tables before there were roles; row by row it would see none, and no money spent."""
        where = make_url(rooms.url)
        name = f"old_{where.database}"
        rooms.admin.execute(f'CREATE ROLE "{name}" LOGIN')
        rooms.admin.execute(f'GRANT ALL ON ALL TABLES IN SCHEMA public TO "{name}"')
        journal = room(where.set(username=name).render_as_string(), tmp_path / "x", "left")
        with pytest.raises(RoleTrouble, match="is that of no room"):
            await journal.open()
        await journal.close()

    async def test_whose_role_is_taken_away_writes_nothing_more(self, rooms: Rooms, tmp_path: Path) -> None:
        journal = room(postgres.as_room(rooms.url, "left"), tmp_path / "left", "left")
        await journal.open()
        try:
            role = rooms.admin.execute("SELECT role FROM rooms WHERE room = 'left'").fetchone()
            assert role is not None
            rooms.admin.execute("DELETE FROM rooms WHERE room = 'left'")
            with pytest.raises(RoleTrouble):
                await journal.write("test", lambda tx: add(tx, price=PRICE))
            rooms.admin.execute(f'REVOKE studio_rooms FROM "{role[0]}"')
            with pytest.raises(RoleTrouble, match="permission denied"):
                await journal.write("test", lambda tx: add(tx, price=PRICE))
        finally:
            await journal.close()

    async def test_moves_its_jobs_and_cannot_move_those_of_others(self, rooms: Rooms, tmp_path: Path) -> None:
        journal = room(postgres.as_room(rooms.url, "left"), tmp_path / "left", "left")
        await journal.open()
        try:
            mine = await journal.write("test", lambda tx: tx.move(rooms.jobs["left"], State.SUBMITTING))
            await journal.write("test", lambda tx: tx.move(mine, State.GENERATING, charge=Charge.CONFIRMED))
            with pytest.raises(WrongState):
                await journal.write("test", lambda tx: tx.move(rooms.jobs["right"], State.SUBMITTING))
        finally:
            await journal.close()


@pytest.fixture
def empty(server: postgres.Cluster) -> Iterator[str]:
    """The URL of a database whose owner may make roles, and is no superuser."""
    import uuid

    name = f"own{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server.address("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN CREATEROLE")
        connection.execute(f"CREATE DATABASE {name} OWNER {name}")
    return server.address(name, name)


class TestAnAdministrator:
    def test_needs_not_be_a_superuser(self, empty: str) -> None:
        url = make_url(empty)
        assert database.init(url)
        assert not database.init(url), "twice is once"
        engine = create_engine(url.set(drivername="postgresql+psycopg"))
        with engine.begin() as connection:
            new = roles.Member("left", f"left_{url.database}", roles.ROOM)
            assert roles.add(connection, str(url.database), new, "secret")
            assert not roles.add(connection, str(url.database), new, "secret"), "there is a role of that name"
            assert roles.members(connection) == [new]
        with engine.begin() as connection:
            roles.renew(connection, new, "another")
            roles.remove(connection, str(url.database), new)
            assert roles.members(connection) == []
        engine.dispose()

    def test_that_may_make_no_roles_has_the_one_it_had(self, server: postgres.Cluster, empty: str) -> None:
        """One role for all rooms, which owns the database: all goes on as it did."""
        url = make_url(empty)
        with psycopg.connect(server.address("postgres"), autocommit=True) as connection:
            connection.execute(f"ALTER ROLE {url.username} NOCREATEROLE")
        assert database.init(url)
        with psycopg.connect(empty) as connection:
            assert connection.execute("SELECT to_regclass('rooms')").fetchone() == (None,)

    def test_is_no_room(self, rooms: Rooms) -> None:
        with pytest.raises(RoleTrouble, match="may not"):
            database.init(make_url(postgres.as_room(rooms.url, "left")))

    def test_of_a_name_that_is_long(self) -> None:
        assert len(roles.group_of("d" * 63)) == roles.LONGEST


def test_the_condition_of_a_lease_is_the_same_in_the_statement_and_in_the_rights() -> None:
    assert leases.LEFT_ALONE in str(leases._TAKE)
    [right] = [one for one in roles.RIGHTS if one.table == "leases"]
    assert all(leases.LEFT_ALONE in (left or leases.LEFT_ALONE) for _, _, left in right.policies)
