"""Who may do what in the database of a studio: a role for each room, and what the database itself does not let it do.

The administrator owns the tables, makes the roles and sets the limits. A room's role sees all takes and writes what is
its own: its jobs and what happened to them, its presses, renders, facts, and that it is there. What a room does with
jobs of others is what keeps them going: it follows and fetches those of a room that is not there, once it has the lease
of them, which the database gives only then. A keeper sends for others, too, and learns late what became of it, so its
role may change all jobs; no role may make a charge that is certain less, move it to another day, or remove anything.

All of this is written anew by each ``studio init``: these are rights on tables, not the tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, text

from bridge_daemon.journal.tables import jobs
from bridge_daemon.studio.leases import KEEPER, LEFT_ALONE, ROOM, is_alive

#: The longest name that PostgreSQL keeps whole, bytes.
LONGEST: Final = 63
_NOW: Final = "extract(epoch FROM clock_timestamp())"
#: session_user, not current_user: a role may become the group that it is a member of.
_MINE: Final = "(SELECT room FROM rooms WHERE role = session_user)"
_KIND: Final = "(SELECT kind FROM rooms WHERE role = session_user)"
_MY_WORKERS: Final = f"(SELECT id FROM workers WHERE room = {_MINE})"
_MY_WORKER: Final = f"worker IN {_MY_WORKERS}"
_LEASED: Final = f"EXISTS (SELECT 1 FROM leases l WHERE l.job = jobs.job AND l.{_MY_WORKER})"
_MY_JOB: Final = f"(room = {_MINE} OR {_KIND} = '{KEEPER}' OR {_LEASED})"
_MAY_LEASE: Final = (
    f"{_MY_WORKER} AND EXISTS (SELECT 1 FROM jobs j WHERE j.job = leases.job "
    f"AND (j.room = {_MINE} OR {_KIND} = '{KEEPER}' OR {LEFT_ALONE}))"
)
_MY_FACT: Final = f"(starts_with(key, {_MINE} || ' ') OR starts_with(key, 'price.'))"
_MY_BEING: Final = f"room = {_MINE} AND kind = {_KIND}"
#: Of a job: what it is and what it costs stays as it was admitted.
_FIXED: Final = frozenset(
    {"seq", "job", "request", "room", "client", "action", "preset", "variation", "variations", "retry_of", "created_at"}
    | {"engine", "base_url", "model", "price"}
)


@dataclass(frozen=True, slots=True)
class Right:
    """What one table lets rooms do: each command with the rows that it may see, and the rows that it may leave."""

    table: str
    grant: str
    policies: tuple[tuple[str, str | None, str | None], ...]


def _changing() -> str:
    return ", ".join(f'"{column.name}"' for column in jobs.columns if column.name not in _FIXED)


_ALL_SEEN: Final = ("SELECT", "true", None)
RIGHTS: Final = (
    Right("requests", "SELECT, INSERT", (_ALL_SEEN, ("INSERT", None, "true"))),
    Right(
        "jobs",
        f"SELECT, INSERT, UPDATE ({_changing()})",
        (
            _ALL_SEEN,
            ("INSERT", None, f"price >= 0 AND (room = {_MINE} OR {_KIND} = '{KEEPER}')"),
            ("UPDATE", _MY_JOB, _MY_JOB),
        ),
    ),
    Right(
        "events",
        "SELECT, INSERT",
        (
            _ALL_SEEN,
            ("INSERT", None, f"EXISTS (SELECT 1 FROM jobs WHERE jobs.job = events.job AND {_MY_JOB})"),
        ),
    ),
    Right(
        "facts",
        "SELECT, INSERT, DELETE",
        (
            ("SELECT", f"{_MY_FACT} OR starts_with(key, 'account.') OR key LIKE '% pause'", None),
            ("INSERT", None, _MY_FACT),
            ("DELETE", _MY_FACT, None),
        ),
    ),
    Right("renders", "SELECT, INSERT, UPDATE", (("ALL", f"room = {_MINE}", f"room = {_MINE}"),)),
    # whoever writes locks this row, which takes the right to change a column of it; no change passes
    Right("ledger", "SELECT, UPDATE (one)", (_ALL_SEEN, ("UPDATE", "true", "false"))),
    Right(
        "workers",
        "SELECT, INSERT, UPDATE (run, room, kind, about, started_at, seen_at)",
        (
            _ALL_SEEN,
            ("INSERT", None, f"{_MY_BEING} AND seen_at < {_NOW} + 1"),
            ("UPDATE", f"room = {_MINE}", f"{_MY_BEING} AND seen_at < {_NOW} + 1"),
        ),
    ),
    Right(
        "leases",
        "SELECT, INSERT, UPDATE (worker), DELETE",
        (
            _ALL_SEEN,
            ("INSERT", None, _MAY_LEASE),
            (
                "UPDATE",
                f"{_MY_WORKER} OR NOT EXISTS (SELECT 1 FROM workers w WHERE w.id = leases.worker AND {is_alive('w')})",
                _MAY_LEASE,
            ),
            ("DELETE", _MY_WORKER, None),
        ),
    ),
    Right("budget", "SELECT, UPDATE (blocked_until)", (_ALL_SEEN, ("UPDATE", "true", "true"))),
    Right(
        "calls",
        "SELECT, INSERT, UPDATE (at), DELETE",
        (
            _ALL_SEEN,
            ("INSERT", None, _MY_WORKER),
            ("UPDATE", _MY_WORKER, _MY_WORKER),
            ("DELETE", f"at <= {_NOW} - 60", None),  # what counts stays
        ),
    ),
    Right(
        "waits",
        "SELECT, INSERT, UPDATE (since, asked_at), DELETE",
        (_ALL_SEEN, ("INSERT", None, _MY_WORKER), ("UPDATE", _MY_WORKER, _MY_WORKER), ("DELETE", _MY_WORKER, None)),
    ),
    # what lies in the store is kept up by all: whoever finds an object missing says so, and whoever looks removes it
    Right(
        "stored",
        "SELECT, INSERT, UPDATE (name, sha256, file, there, gone), DELETE",
        (_ALL_SEEN, ("INSERT", None, _MY_WORKER), ("UPDATE", "true", "true"), ("DELETE", "gone", None)),
    ),
    Right("rooms", "SELECT", (_ALL_SEEN,)),
)

_ROOMS: Final = (
    "CREATE TABLE IF NOT EXISTS rooms "
    "(room varchar(40) PRIMARY KEY, role name NOT NULL UNIQUE, kind varchar(8) NOT NULL)"
)
#: For everybody, the administrator too: no statement of the bridge does this.
_KEEP_CHARGE: Final = """
CREATE OR REPLACE FUNCTION keep_charge() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.charge = 'confirmed' AND NEW.charge <> 'confirmed')
        OR (OLD.charge = 'possible' AND NEW.charge = 'none' AND OLD.state NOT IN ('submitting', 'unknown'))
        OR (OLD.charge <> 'none' AND NEW.charge <> 'none' AND NEW.charge_day IS DISTINCT FROM OLD.charge_day) THEN
        RAISE insufficient_privilege USING MESSAGE = 'what job ' || OLD.job || ' cost stays as it is';
    END IF;
    RETURN NEW;
END $$
"""
_KEEP_CHARGES: Final = (
    "DROP TRIGGER IF EXISTS keep_charge ON jobs",
    "CREATE TRIGGER keep_charge BEFORE UPDATE OF charge, charge_day, state ON jobs "
    "FOR EACH ROW EXECUTE FUNCTION keep_charge()",
)


def group_of(database: str) -> str:
    """Return the name of the role that all rooms of a database are members of."""
    return f"{database[: LONGEST - 6]}_rooms"


def prepare(connection: Connection, database: str) -> bool:
    """Write what rooms may do, inside of a transaction; False: this role may make no roles, and nothing was written.

    Without rooms that have roles of their own, all goes on as before: who owns the tables is held by none of it.
    """
    group = group_of(database)
    if not _is_role(connection, group):
        if not connection.execute(_MAKES_ROLES).scalar_one():
            return False
        connection.exec_driver_sql(f"CREATE ROLE {_quoted(connection, group)} NOLOGIN")
    for statement in (_ROOMS, _KEEP_CHARGE, *_KEEP_CHARGES, *_statements(_quoted(connection, group))):
        connection.exec_driver_sql(statement.replace("%", "%%"))
    return True


def _statements(group: str) -> Iterator[str]:
    for right in RIGHTS:
        yield f"ALTER TABLE {right.table} ENABLE ROW LEVEL SECURITY"
        yield f"REVOKE ALL ON {right.table} FROM {group}"
        yield f"GRANT {right.grant} ON {right.table} TO {group}"
        for command in ("ALL", "SELECT", "INSERT", "UPDATE", "DELETE"):
            yield f"DROP POLICY IF EXISTS rooms_{command.lower()} ON {right.table}"
        for command, seen, left in right.policies:
            using = f" USING ({seen})" if seen is not None else ""
            check = f" WITH CHECK ({left})" if left is not None else ""
            yield f"CREATE POLICY rooms_{command.lower()} ON {right.table} FOR {command} TO {group}{using}{check}"
    for sequence in ("jobs_seq_seq", "events_id_seq", "renders_id_seq", "calls_id_seq"):
        yield f"GRANT USAGE ON SEQUENCE {sequence} TO {group}"


def _quoted(connection: Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote_identifier(name)


_IS_ROLE: Final = text("SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = :role)")
_MAKES_ROLES: Final = text("SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user")
_ROOM: Final = text("SELECT room, role, kind FROM rooms WHERE room = :room")
_ADD: Final = text("INSERT INTO rooms (room, role, kind) VALUES (:room, :role, :kind)")
_REMOVE: Final = text("DELETE FROM rooms WHERE room = :room")
_PREPARED: Final = text("SELECT to_regclass('rooms') IS NOT NULL")
_WHO: Final = text(
    "SELECT session_user AS role, row_security_active('jobs') AS held, r.room, r.kind "
    "FROM (SELECT 1) one LEFT JOIN rooms r ON r.role = session_user"
)


def _is_role(connection: Connection, name: str) -> bool:
    return bool(connection.execute(_IS_ROLE, {"role": name}).scalar_one())


@dataclass(frozen=True, slots=True)
class Member:
    """A room, or keeper, that has a role of its own."""

    room: str
    role: str
    kind: str


@dataclass(frozen=True, slots=True)
class Who:
    """The role of a connection: whether the database holds it to its own rows, and of which room it is."""

    role: str
    held: bool
    room: str | None
    kind: str | None


def who(connection: Connection) -> Who:
    """Return who asks."""
    if not connection.execute(_PREPARED).scalar_one():
        role = connection.execute(text("SELECT session_user")).scalar_one()
        return Who(role, held=False, room=None, kind=None)
    row = connection.execute(_WHO).one()
    return Who(row.role, row.held, row.room, row.kind)


def member(connection: Connection, room: str) -> Member | None:
    """Return a room that has a role, None if it has none."""
    row = connection.execute(_ROOM, {"room": room}).one_or_none()
    return None if row is None else Member(row.room, row.role, row.kind)


def members(connection: Connection) -> list[Member]:
    """Return all that have roles, by name."""
    if not connection.execute(_PREPARED).scalar_one():
        return []
    found = connection.execute(text("SELECT room, role, kind FROM rooms ORDER BY kind DESC, room"))
    return [Member(row.room, row.role, row.kind) for row in found]


def prepared(connection: Connection) -> bool:
    """Return whether rooms can be given roles."""
    return bool(connection.execute(_PREPARED).scalar_one())


def add(connection: Connection, database: str, new: Member, password: str) -> bool:
    """Make the role of a room, inside of a transaction; False: another thing has a role of that name already."""
    if _is_role(connection, new.role):
        return False
    role, group = _quoted(connection, new.role), _quoted(connection, group_of(database))
    rights = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION"
    _unlogged(connection, f"CREATE ROLE {role} {rights} IN ROLE {group} PASSWORD ", new.role, password)
    connection.execute(_ADD, {"room": new.room, "role": new.role, "kind": new.kind})
    return True


def renew(connection: Connection, there: Member, password: str) -> None:
    """Give the role of a room another password, inside of a transaction."""
    _unlogged(connection, f"ALTER ROLE {_quoted(connection, there.role)} PASSWORD ", there.role, password)


def remove(connection: Connection, database: str, there: Member) -> None:
    """Take the role of a room away, inside of a transaction; its jobs stay, and others go on with them."""
    connection.execute(_REMOVE, {"room": there.room})
    role = _quoted(connection, there.role)
    connection.exec_driver_sql(f"REVOKE {_quoted(connection, group_of(database))} FROM {role}")
    connection.exec_driver_sql(f"DROP ROLE {role}")


def _unlogged(connection: Connection, statement: str, role: str, password: str) -> None:
    """Run a statement that ends with a password, which the server, and its log, get as a SCRAM verifier only."""
    driver: Any = connection.connection.driver_connection
    verifier = driver.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    assert "'" not in verifier
    driver.execute(f"{statement}'{verifier}'")


__all__ = ["KEEPER", "ROOM", "Member", "Who", "add", "group_of", "member", "members", "prepare", "prepared", "remove"]
