"""The journal's file: one writer thread, a few readers, and transactions that are durable when they return.

SQLAlchemy Core is called synchronously on a thread of its own, not through an asyncio driver: measured here, a
transaction of eight statements took 1.4 ms this way and 7.1 ms with one thread hop for each statement, and a
transaction that runs in one piece cannot be cut in two by a cancelled task.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import QueuePool

from bridge_daemon.domain.job import Job
from bridge_daemon.journal import record, restore, schema
from bridge_daemon.journal.transaction import Transaction
from bridge_daemon.util.failpoints import failpoint
from bridge_daemon.util.files import close_to_others
from bridge_daemon.util.times import Times

T = TypeVar("T")
log = logging.getLogger(__name__)
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


class NotRecorded(OSError):
    """A job was written as being sent, and the record of what is sent could not be written: it may not be sent."""


class Journal:
    """Everything that the daemon knows, and the only thing that changes the state of a job."""

    def __init__(self, path: Path, times: Times, *, read_only: bool = False, anew: bool = False) -> None:
        """Prepare; ``open`` does the work.

        ``read_only`` is for looking at it without a daemon; ``anew`` makes it also where there should be one.
        """
        self.path = path
        self.times = times
        self._read_only = read_only
        self._anew = anew
        self._record = record.Record(record.beside(path))
        self._unrecorded: list[record.Line] = []
        self._known: record.Known | None = None
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="journal-writer")
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="journal-reader")
        self._engine: Engine | None = None
        self._listeners: list[Callable[[Job], None]] = []

    async def open(self) -> None:
        """Open the file, making it or bringing it up to date.

        Raises JournalUnusable if it is damaged, or newer than this code and we are not just reading.
        """
        await asyncio.get_running_loop().run_in_executor(self._writer, self._open)

    def _open(self) -> None:
        if not self._anew:
            schema.refuse_lost(self.path)
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
        if not self._read_only:
            self._record.open()
            self._compare()
            self._known = record.Known(self.path, self.path.with_name(f"{self.path.name}-wal"), self._record.path)

    def _compare(self) -> None:
        """Hold the record of what was sent against the journal, which makes its log as well."""
        lines = record.everything(self._record.path) if self._anew else record.to_compare(self._record.path)
        with self._connect() as connection:
            lost = restore.missing(connection, lines)
            if not lost:
                return
            log.error("The journal had lost %d job(s) that were sent; they are made again: %s", len(lost), lost)
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            everything = record.everything(self._record.path)
            restore.restore(connection, everything, lost, self.times.now())
            failpoint("journal.restore.commit")
            connection.exec_driver_sql("COMMIT")
        failpoint("journal.restore.committed")
        self._record.add([{"kind": record.COMPARED}])

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
        self._record.close()
        if self._engine is not None:
            self._engine.dispose()

    def listen(self, listener: Callable[[Job], None]) -> None:
        """Call ``listener`` on the event loop after each commit that changed a job, once for each job."""
        self._listeners.append(listener)

    async def write(self, name: str, work: Callable[[Transaction], T]) -> T:
        """Run ``work`` in one transaction under the write lock and return its result once it is durable.

        The transaction runs to its end even if the caller is cancelled. ``name`` names the failpoints
        ``journal.<name>.begin``, ``.commit`` and ``.committed``.
        """
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._writer, partial(self._write, name, work))
        future.add_done_callback(self._tell)
        result, _ = await asyncio.shield(future)
        return result

    def _write(self, name: str, work: Callable[[Transaction], T]) -> tuple[T, list[Job]]:
        failpoint(f"journal.{name}.begin")
        with self._explained(), self._connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                transaction = Transaction(connection, self.times, self._known)
                result = work(transaction)
                failpoint(f"journal.{name}.commit")
                connection.exec_driver_sql("COMMIT")
            except BaseException:
                with suppress(DatabaseError):  # of some errors SQLite has ended the transaction itself
                    connection.exec_driver_sql("ROLLBACK")
                raise
        failpoint(f"journal.{name}.committed")
        self._note(transaction.recorded)
        return result, list(transaction.changed.values())

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Say of an error of the database that its files are not those that were opened, if that is so."""
        try:
            yield
        except DatabaseError:
            if self._known is not None:
                self._known.check()
            raise

    def _note(self, lines: list[record.Line]) -> None:
        """Add to the record. What does not let anything be sent is added later if it cannot be now."""
        if not lines and not self._unrecorded:
            return
        try:
            self._record.add([*self._unrecorded, *lines])
            self._unrecorded.clear()
        except OSError as error:
            self._unrecorded += lines
            log.error("The record of what was sent cannot be written: %s", error)
            if any("row" in line for line in lines):
                raise NotRecorded(error.errno, error.strerror, str(self._record.path)) from error

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
        with self._explained(), self._connect() as connection:
            connection.exec_driver_sql("BEGIN")
            try:
                return work(Transaction(connection, self.times))
            finally:
                with suppress(DatabaseError):
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
