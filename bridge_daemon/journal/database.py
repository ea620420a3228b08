"""What a journal asks of where its tables are: a file of SQLite beside it, or the PostgreSQL of a studio."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError

from bridge_daemon.domain.job import Job


class Database(Protocol):
    """Connections with a transaction begun, and how it ends. Called on the journal's threads, never on the loop."""

    @property
    def room(self) -> str | None:
        """The name under which this daemon uses a journal that others use too; None: it has its own."""
        ...

    @property
    def record(self) -> Path:
        """Where the record of what was sent lies; known once it is open."""
        ...

    def open(self) -> None:
        """Make the tables, or bring them up to date, or refuse them. Raises JournalUnusable."""
        ...

    def opened(self) -> None:
        """Note how the files are now that all of them are there."""
        ...

    def check(self) -> None:
        """Raise JournalUnusable if what is written now would not be there later. Asked where money is decided about."""
        ...

    def begin(self) -> Connection:
        """Return a connection on which a transaction is begun that holds the lock of all who write."""
        ...

    def begin_reading(self) -> Connection:
        """Return a connection with a transaction that sees one consistent picture."""
        ...

    def commit(self, connection: Connection, changed: Collection[Job]) -> None:
        """End a transaction that changed some jobs: what was written is durable when this returns."""
        ...

    def explain(self, error: DatabaseError) -> None:
        """Raise JournalUnusable if that is what an error of the database means."""
        ...

    def close(self) -> None:
        """Close every connection; may be called twice."""
        ...


@contextmanager
def explained(database: Database) -> Iterator[None]:
    """Say of an error of the database what it means for those who use the journal, if it means more than itself."""
    try:
        yield
    except DatabaseError as error:
        database.explain(error)
        raise
