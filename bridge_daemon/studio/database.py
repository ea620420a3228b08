"""The journal of a studio in PostgreSQL: the same tables and statements as in SQLite, and one row that all lock.

Whoever writes first locks the row of the ledger, as SQLite takes its write lock: all that was proved of transactions
there (two presses cannot both pass a limit that has room for one; nobody else changes a job meanwhile) holds here. It
is the row of the ledger and not a lock of the server so that the revision of the tables is read from it under the lock.
"""

from __future__ import annotations

import logging
import sqlite3
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import URL, Connection, Engine, make_url, text
from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, OperationalError, ProgrammingError

from bridge_daemon.domain.ids import is_client
from bridge_daemon.domain.job import OPEN, RESERVED, Job, State
from bridge_daemon.errors import JournalUnusable, RoleTrouble, StudioAway
from bridge_daemon.journal import explained, moved, schema
from bridge_daemon.studio import entry, password, roles
from bridge_daemon.studio.connecting import Rows, at_once, engine_of
from bridge_daemon.studio.entry import host_of, said_by, shown

if TYPE_CHECKING:
    from bridge_daemon.home.paths import Home
    from bridge_daemon.settings.sections import JournalSettings

log = logging.getLogger(__name__)
#: What rooms tell each other after a commit: the ids of jobs that changed.
CHANNEL: Final = "daw_bridge"
#: So long it is asked what became of a commit whose answer was lost, s.
_ASKING: Final = 15.0
_AGAIN: Final = 0.3  # s
#: The first version of PostgreSQL that tells what became of a transaction by its 64-bit id.
OLDEST: Final = 13
_MOST_TOLD: Final = 300  # ids of jobs in one message, which may have 8000 bytes
_INSUFFICIENT_PRIVILEGE: Final = "42501"


def of_home(home: Home, settings: JournalSettings, *, secret: str | None = None, joins: bool = False) -> Postgres:
    """Return the database that the settings name. Raises JournalUnusable if the name of the room is none.

    ``secret`` is its password, if that is not kept yet; ``joins`` if the home is only about to have its journal there.
    """
    assert settings.url is not None
    url = make_url(settings.url)
    room = settings.room or (url.username or "").replace("_", "-")
    if not is_client(room):
        raise JournalUnusable(
            f"This room has no name in the studio: {room!r} is none. Nothing was sent.",
            next='Set it in config.toml: [journal] room = "left", of a-z, 0-9 and -.',
        )
    if not joins:
        refuse_left_behind(home.journal)
    kept = password.store(home).get if secret is None else lambda: (secret, "typed")
    return Postgres(url, room=room, home=home.path, secret=kept)


@contextmanager
def opened(
    home: Home, settings: JournalSettings, *, secret: str | None = None, joins: bool = False
) -> Iterator[Postgres]:
    """Open the database of :func:`of_home`, and close it in the end. Raises JournalUnusable."""
    made = of_home(home, settings, secret=secret, joins=joins)
    try:
        made.open()
        yield made
    finally:
        made.close()


def refuse_left_behind(journal: Path) -> None:
    """Raise JournalUnusable if the journal of this home has jobs on their way: nobody would fetch what is paid."""
    if not journal.exists() or not journal.stat().st_size:
        return
    found = schema.revision(journal)
    if found == moved.MOVED:
        return
    if found == moved.MOVING:
        moved.refuse(journal, found)
    states = ", ".join(f"'{state}'" for state in sorted(map(str, RESERVED | OPEN | {State.HELD, State.UNKNOWN})))
    with closing(sqlite3.connect(f"{journal.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        [count] = connection.execute(f"SELECT count(*) FROM jobs WHERE state IN ({states})").fetchone()
    if count:
        raise JournalUnusable(
            f"The journal of this home, {journal}, has {count} job(s) on their way, which no room of the studio knows. "
            "Nothing was sent.",
            next="Let the bridge finish them first: take [journal] url out of config.toml, start it, and end or cancel "
            "what waits. Or, if none of them is being sent or made: daw-bridge studio move",
        )


class Postgres:
    """The tables of a studio's journal, as one room uses them."""

    def __init__(
        self, url: URL, *, room: str, home: Path, secret: Callable[[], tuple[str, Any] | None] = lambda: None
    ) -> None:
        """``secret`` returns the password, where libpq does not find one by itself."""
        self.room = room
        #: Tells what this process says from what others say.
        self.run = uuid.uuid4().hex
        self._url = url
        self._home = home
        self._secret = secret
        self._studio = ""
        #: Whether the database itself holds this role to the rows of its room; known once it is open.
        self.held = False
        self._engine: Engine | None = None

    @property
    def studio(self) -> str:
        """The id of the studio; known once it is open."""
        return self._studio

    @property
    def where(self) -> str:
        """Where it is, for people."""
        return shown(self._url)

    @property
    def host(self) -> str:
        """The machine that it is on; empty: this one."""
        return host_of(self._url)

    @property
    def tls(self) -> str:
        """How the connection is verified, in libpq's words."""
        return str(self._url.query.get("sslmode", "verify-full"))

    @property
    def record(self) -> Path:
        """A record for each studio: the numbers of events are those of its database."""
        return self._home / f"sent-{self._studio[:8]}.jsonl"

    def open(self) -> None:
        """Connect, and refuse tables that are not those of this code. They are made by ``studio init``."""
        self._engine = engine_of(self._url, self.room, self._secret())
        with self.explained(), self._engine.connect() as connection:
            _refuse_old(connection, self.where)
            who = roles.who(connection)
            self._refuse_another_role(who)
            found = ledger_of(connection)
        self.held = who.held
        if found is None:
            raise JournalUnusable(
                f"The database {shown(self._url)} holds no journal of a studio. Nothing was sent.",
                next="Whoever owns the database makes it: daw-bridge studio init",
            )
        self._studio, revision = found
        self._refuse_other(revision)

    def _refuse_another_role(self, who: roles.Who) -> None:
        """Raise RoleTrouble for a role that is held to the rows of another room, or to none: it would see no limits."""
        if not who.held or who.room == self.room:
            return
        if who.room is None:
            raise RoleTrouble(f"The role {who.role} of {shown(self._url)} is that of no room. Nothing was sent.")
        raise RoleTrouble(
            f"The role {who.role} of {shown(self._url)} is that of the {who.kind} {who.room}, and this is {self.room}. "
            "Nothing was sent.",
            next=f'Set in config.toml: [journal] room = "{who.room}"; or the address with the role of {self.room}.',
        )

    def _refuse_other(self, revision: str) -> None:
        if revision == schema.HEAD:
            return
        if schema.is_newer(revision):
            raise JournalUnusable(
                f"The journal of the studio was brought up to date by a newer daw-bridge (revision {revision}, this "
                f"one knows {schema.HEAD}). Nothing was sent.",
                next="Update daw-bridge in this room and start it again.",
            )
        raise JournalUnusable(
            f"The journal of the studio is of an older daw-bridge (revision {revision}, this one needs {schema.HEAD}). "
            "Nothing was sent.",
            next="Whoever owns the database brings it up to date: daw-bridge studio init",
        )

    def opened(self) -> None:
        """There are no files."""

    def check(self) -> None:
        """Nothing to look at: each transaction that writes has found the ledger that was opened."""

    def begin(self) -> Connection:
        """Begin, and lock the ledger. Raises JournalUnusable if it is another one by now."""
        connection, [_, found] = self.started(f"BEGIN; {_LOCK}")
        try:
            if not found or found[0][0] != self._studio:
                raise JournalUnusable("The database of the studio is another one than was opened. Nothing was sent.")
            [(_, revision, transaction)] = found
            self._refuse_other(revision)
            connection.info["transaction"] = transaction
        except BaseException:
            connection.invalidate()  # with whatever it was doing
            connection.close()
            raise
        return connection

    def begin_reading(self) -> Connection:
        """Begin to read one picture."""
        return self.begun("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def begun(self, how: str) -> Connection:
        """Return a connection on which a statement was run; one that was kept may have ended since."""
        return self.started(how)[0]

    def started(self, how: str, given: Mapping[str, Any] | None = None) -> tuple[Connection, list[Rows]]:
        """Return a connection on which statements were run, as :func:`at_once` runs them, and their rows."""
        assert self._engine is not None, "open() comes first"
        for last in (False, True):
            connection = self._engine.connect()
            try:
                return connection, at_once(connection, how, given)
            except DBAPIError as error:
                connection.close()
                if last or not error.connection_invalidated:
                    raise
        raise AssertionError("unreachable")

    def commit(self, connection: Connection, changed: Collection[Job]) -> None:
        """Commit, tell the other rooms, and find out what became of it if the answer is lost."""
        told = self._told([job.id for job in changed])
        transaction = connection.info["transaction"]
        try:
            at_once(connection, "SELECT pg_notify(%s, %s); " * len(told) + "COMMIT", [*chain(*told)])
        except DBAPIError as error:
            if not error.connection_invalidated or not self._was_committed(transaction, error):
                raise

    def tell(self, connection: Connection, jobs: Sequence[str]) -> None:
        """Tell the other rooms of jobs, once what is begun is committed."""
        for channel, told in self._told(jobs):
            connection.execute(_TELL, {"channel": channel, "text": told})

    def _told(self, jobs: Sequence[str]) -> list[tuple[str, str]]:
        """Return the channel and the text of each message."""
        parts = [jobs[start : start + _MOST_TOLD] for start in range(0, len(jobs), _MOST_TOLD)]
        return [(CHANNEL, " ".join((self.run, *part))) for part in parts]

    def plain(self) -> Connection:
        """Return a connection on which each statement counts by itself."""
        return self.begun("SELECT 1")

    def _was_committed(self, transaction: str, error: DBAPIError) -> bool:
        """Ask the database until it says whether a transaction was committed. Raises StudioAway if it does not say."""
        log.warning("The answer to a commit was lost; asking what became of it")
        end = time.monotonic() + _ASKING
        while time.monotonic() < end:
            try:
                with self.plain() as connection:
                    state = connection.execute(_OUTCOME, {"transaction": transaction}).scalar_one()
            except DBAPIError:
                state = "no answer"
            if state in ("committed", "aborted"):
                return bool(state == "committed")
            time.sleep(_AGAIN)
        raise StudioAway(
            "The database of the studio went away while it was written to: whether it was written is not known. The "
            "same press again, with the same id, is the same press.",
        ) from error

    def has_roles(self) -> bool:
        """Return whether rooms can be given roles of their own."""
        with self.explained(), self.plain() as connection:
            return roles.prepared(connection)

    def explain(self, error: DatabaseError) -> None:
        """Raise StudioAway if the database is out of reach, or cannot; RoleTrouble if it says no."""
        if (
            isinstance(error, OperationalError | InterfaceError)
            or error.connection_invalidated
            or entry.is_passing(error)
        ):
            raise entry.explained(self._url, error) from error
        if may_not(error):
            raise RoleTrouble(f"{shown(self._url)} does not let this role do that: {said_by(error)}.") from error

    def explained(self) -> AbstractContextManager[None]:
        """Raise StudioAway for an error within that means it."""
        return explained(self)

    def close(self) -> None:
        """Close every connection."""
        if self._engine is not None:
            self._engine.dispose()


def may_not(error: DatabaseError) -> bool:
    """Return whether an error says that the role has not the right to do something."""
    return isinstance(error, ProgrammingError) and getattr(error.orig, "sqlstate", None) == _INSUFFICIENT_PRIVILEGE


_LOCK: Final = "SELECT studio, revision, pg_current_xact_id()::text FROM ledger WHERE one = 1 FOR UPDATE"
_TELL: Final = text("SELECT pg_notify(:channel, :text)")
_OUTCOME: Final = text("SELECT pg_xact_status(CAST(:transaction AS xid8))")


def _refuse_old(connection: Connection, where: str) -> None:
    """Raise JournalUnusable for a server that has not what the statements need."""
    driver: Any = connection.connection.driver_connection
    version = driver.info.server_version // 10_000
    if version < OLDEST:
        raise JournalUnusable(
            f"The database {where} is PostgreSQL {version}, and a studio needs PostgreSQL {OLDEST} or later. "
            "Nothing was sent.",
            next="Whoever owns the database updates the server; then start the bridge again.",
        )


def ledger_of(connection: Connection) -> tuple[str, str] | None:
    """Return the id of a studio and the revision of its tables; None: there are none."""
    if connection.execute(text("SELECT to_regclass('ledger')")).scalar_one() is None:
        return None
    row = connection.execute(text("SELECT studio, revision FROM ledger WHERE one = 1")).one_or_none()
    return (row.studio, row.revision) if row is not None else None


def init(url: URL, secret: tuple[str, Any] | None = None) -> bool:
    """Make the tables of a studio, or bring them up to date; tell whether there was anything to do.

    Raises JournalUnusable if they are of a newer version, and RoleTrouble for a role that does not own them.
    """
    engine = engine_of(url, "init", secret)
    try:
        with engine.connect() as connection:
            _refuse_old(connection, shown(url))
            for timeout in ("statement_timeout", "idle_in_transaction_session_timeout"):
                connection.exec_driver_sql(f"SET {timeout} = 0")  # a large journal takes its time
            connection.exec_driver_sql("BEGIN")
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('daw-bridge studio init'))")
            found = ledger_of(connection)
            if found is not None and schema.is_newer(found[1]):
                raise JournalUnusable(f"The journal of the studio is of a newer daw-bridge (revision {found[1]}).")
            if found is not None:
                connection.exec_driver_sql(_LOCK)  # nobody writes meanwhile, and then only with this revision
            if found is None or found[1] != schema.HEAD:
                schema.migrate(connection)
            if found is None:
                row = {"studio": str(uuid.uuid4()), "revision": schema.HEAD}
                connection.execute(text("INSERT INTO ledger VALUES (1, :studio, :revision)"), row)
            connection.execute(text("UPDATE ledger SET revision = :head"), {"head": schema.HEAD})
            roles.prepare(connection, url.database or "")
            connection.exec_driver_sql("COMMIT")
            return found is None or found[1] != schema.HEAD
    except OperationalError as error:
        raise entry.explained(url, error) from error
    except ProgrammingError as error:
        if may_not(error):
            raise RoleTrouble(
                f"This role may not make the tables of {shown(url)}, or change them: {said_by(error)}.",
                next="Do that as the role that owns the database.",
            ) from error
        raise
    finally:
        engine.dispose()
