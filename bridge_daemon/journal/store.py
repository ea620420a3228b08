"""The journal's file: one writer thread, a few readers, and transactions that are durable when they return.

SQLAlchemy Core is called synchronously on a thread of its own, not through an asyncio driver: measured here, a
transaction of eight statements took 1.4 ms this way and 7.1 ms with one thread hop for each statement, and a
transaction that runs in one piece cannot be cut in two by a cancelled task.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from bridge_daemon.domain.job import Job
from bridge_daemon.journal import schema
from bridge_daemon.journal.transaction import Transaction
from bridge_daemon.util.failpoints import failpoint
from bridge_daemon.util.files import close_to_others
from bridge_daemon.util.times import Times

T = TypeVar("T")
_READERS = 2
#: FULL: a commit that returned survives a power cut. fullfsync: on macOS, fsync alone does not reach the medium.
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "fullfsync=1",
    "checkpoint_fullfsync=1",
    "foreign_keys=1",
    "busy_timeout=10000",
)


class Journal:
    """Everything that the daemon knows, and the only thing that changes the state of a job."""

    def __init__(self, path: Path, times: Times, *, read_only: bool = False) -> None:
        """Prepare; ``open`` does the work. ``read_only`` is for looking at it without a daemon."""
        self.path = path
        self.times = times
        self._read_only = read_only
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="journal-writer")
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="journal-reader")
        self._engine: Engine | None = None
        self._listeners: list[Callable[[Job], None]] = []

    async def open(self) -> None:
        """Open the file, making it or bringing it up to date.

        Raises JournalUnusable where it is damaged, or newer than this code and we are not just reading.
        """
        await asyncio.get_running_loop().run_in_executor(self._writer, self._open)

    def _open(self) -> None:
        found = schema.revision(self.path)
        if not self._read_only:
            schema.refuse_newer(self.path, found)
            self._close_to_others()
        self._engine = _engine(self.path, read_only=self._read_only)
        if not self._read_only and found != schema.HEAD:
            schema.backup(self.path, found)
            with self._connect() as connection:
                bring = schema.create if found is None else schema.upgrade
                bring(connection)

    def _close_to_others(self) -> None:
        """Make sure that only its owner reads it; SQLite gives the files beside it the mode that it has."""
        for path in (self.path, *(self.path.with_name(self.path.name + end) for end in ("-wal", "-shm"))):
            if path == self.path or path.exists():
                close_to_others(path)

    async def close(self) -> None:
        """Finish what was begun and close the file."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._writer.shutdown(wait=True)
        self._readers.shutdown(wait=True)
        if self._engine is not None:
            self._engine.dispose()

    def listen(self, listener: Callable[[Job], None]) -> None:
        """Call ``listener`` on the event loop after each commit that changed a job, once for each job."""
        self._listeners.append(listener)

    async def write(self, name: str, work: Callable[[Transaction], T]) -> T:
        """Run ``work`` in one transaction under the write lock and return its result once it is durable.

        The transaction runs to its end even where the caller is cancelled. ``name`` names the failpoints
        ``journal.<name>.begin``, ``.commit`` and ``.committed``.
        """
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._writer, partial(self._write, name, work))
        future.add_done_callback(self._tell)
        result, _ = await asyncio.shield(future)
        return result

    def _write(self, name: str, work: Callable[[Transaction], T]) -> tuple[T, list[Job]]:
        failpoint(f"journal.{name}.begin")
        with self._connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                transaction = Transaction(connection, self.times)
                result = work(transaction)
                failpoint(f"journal.{name}.commit")
                connection.exec_driver_sql("COMMIT")
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                raise
        failpoint(f"journal.{name}.committed")
        return result, list(transaction.changed.values())

    def _tell(self, future: asyncio.Future[tuple[Any, list[Job]]]) -> None:
        if future.cancelled() or future.exception() is not None:
            return
        for job in future.result()[1]:
            for listener in self._listeners:
                listener(job)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run ``work``, which only looks, on a consistent picture of the journal."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, partial(self._read, work))

    def _read(self, work: Callable[[Transaction], T]) -> T:
        with self._connect() as connection:
            connection.exec_driver_sql("BEGIN")
            try:
                return work(Transaction(connection, self.times))
            finally:
                connection.exec_driver_sql("ROLLBACK")

    def _connect(self) -> Connection:
        assert self._engine is not None, "open() comes first"
        return self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")


def _engine(path: Path, *, read_only: bool) -> Engine:
    """Return an engine whose transactions we begin ourselves: the driver would begin them deferred."""
    address = f"{path.resolve().as_uri()}?mode={'ro' if read_only else 'rwc'}"
    engine = create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False),
        poolclass=QueuePool,
        pool_size=_READERS + 1,
        max_overflow=0,
        hide_parameters=True,  # in errors, which go into the log and into the problem of a job
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: Any) -> None:
        for pragma in () if read_only else _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    return engine
