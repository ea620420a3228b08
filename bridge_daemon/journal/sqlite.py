"""The journal of one machine: a file of SQLite in its home, and the files beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import QueuePool

from bridge_daemon.domain.job import Job
from bridge_daemon.journal import record, schema
from bridge_daemon.util.files import close_to_others

#: How many may read at one time.
READERS: Final = 2
#: FULL: a commit that returned survives a power cut. fullfsync: on macOS, fsync alone does not reach the medium.
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "fullfsync=1",
    "checkpoint_fullfsync=1",
    "foreign_keys=1",
    "busy_timeout=10000",
)


class Sqlite:
    """The tables of a journal in a file."""

    room: None = None

    def __init__(self, path: Path, *, read_only: bool = False, anew: bool = False) -> None:
        """As :class:`~bridge_daemon.journal.store.Journal`."""
        self.path = path
        self.record = record.beside(path)
        self._read_only = read_only
        self._anew = anew
        self._known: record.Known | None = None
        self._engine: Engine | None = None

    def open(self) -> None:
        """Open the file, making it or bringing it up to date on a copy of before."""
        if not self._anew:
            schema.refuse_lost(self.path)
        found = schema.revision(self.path)
        if not self._read_only:
            schema.refuse_newer(self.path, found)
            self._close_to_others()
        self._engine = _engine(self)
        if not self._read_only and found != schema.HEAD:
            schema.backup(self.path, found)
            with self._connect() as connection:
                bring = schema.create if found is None else schema.upgrade
                bring(connection)

    def opened(self) -> None:
        """Remember the files: none of them may be replaced or become smaller while they are open."""
        self._known = record.Known(self.path, self.path.with_name(f"{self.path.name}-wal"), self.record)

    def _close_to_others(self) -> None:
        """Make sure that only its owner reads it; SQLite gives the files beside it the mode that it has."""
        for path in (self.path, *(self.path.with_name(self.path.name + end) for end in ("-wal", "-shm"))):
            if path == self.path or path.exists():
                close_to_others(path)

    def check(self) -> None:
        """Raise JournalUnusable if a file is not the one that was opened."""
        if self._known is not None:
            self._known.check()

    def explain(self, error: DatabaseError) -> None:
        """Say of an error of the database that its files are not those that were opened, if that is so."""
        self.check()

    def begin(self) -> Connection:
        """Begin under the write lock."""
        return self._begun("BEGIN IMMEDIATE")

    def begin_reading(self) -> Connection:
        """Begin without a lock."""
        return self._begun("BEGIN")

    def _begun(self, how: str) -> Connection:
        connection = self._connect()
        try:
            connection.exec_driver_sql(how)
        except BaseException:
            connection.close()
            raise
        return connection

    def commit(self, connection: Connection, changed: Collection[Job]) -> None:
        """Commit; nobody else has to hear of it."""
        connection.exec_driver_sql("COMMIT")

    def connect(self) -> sqlite3.Connection:
        """Return the driver's connection. Once the journal is open, a file that is gone is not made anew."""
        mode = "ro" if self._read_only else "rwc" if self._known is None else "rw"
        address = f"{self.path.resolve().as_uri()}?mode={mode}"
        connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
        try:
            self.check()
            for pragma in () if self._read_only else _PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
        except BaseException:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        """Close the file."""
        if self._engine is not None:
            self._engine.dispose()

    def _connect(self) -> Connection:
        assert self._engine is not None, "open() comes first"
        return self._engine.connect()


def _engine(database: Sqlite) -> Engine:
    """Return an engine whose transactions we begin ourselves: the driver would begin them deferred."""
    return create_engine(
        "sqlite://",
        creator=database.connect,
        poolclass=QueuePool,
        pool_size=READERS + 1,
        max_overflow=0,
        pool_use_lifo=True,  # the one that was used last knows the pages
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,  # in errors, which go into the log and into the problem of a job
    )
