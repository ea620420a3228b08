"""The version of the journal: made, brought up to date on a copy first, or left alone when it is newer than we are."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from bridge_daemon.errors import JournalUnusable
from bridge_daemon.journal import moved, record
from bridge_daemon.journal.tables import metadata
from bridge_daemon.util import files
from bridge_daemon.util.failpoints import failpoint

if TYPE_CHECKING:
    from alembic.config import Config

#: Alembic keeps what it is doing in globals of the process: two journals must not be migrated at once.
_one_at_a_time = threading.Lock()
#: The revision that this code writes; a test holds it against the newest migration.
HEAD = "0007"
_REBUILD = "daw-bridge jobs rebuild --dry-run tells what can be made again of it"
#: As Alembic makes it.
_VERSION_TABLE = (
    "CREATE TABLE alembic_version "
    "(version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
)


def revision(path: Path) -> str | None:
    """Return the revision of the journal at ``path``: None for one that has to be made.

    Raises JournalUnusable if the file is there and is no healthy database.
    """
    if not path.exists() or path.stat().st_size == 0:
        return None
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                raise sqlite3.DatabaseError("quick_check found damage")
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
                return None
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            return None if row is None else str(row[0])
    except sqlite3.DatabaseError as error:
        raise JournalUnusable(
            f"The journal {path} is damaged ({error}). Nothing was sent and nothing was spent.",
            next="Keep it and the files -wal and -shm beside it: they know what was paid. Put back a copy, or: "
            f"{_REBUILD}",
        ) from error


def refuse_lost(path: Path) -> None:
    """Raise JournalUnusable if there is no journal, or an empty one, and something says that there was one.

    To open it would make an empty one, and SQLite removes the log (-wal) of a database that is empty.
    """
    if path.exists() and path.stat().st_size > 0:
        return
    how = "empty" if path.exists() else "missing"
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size > 0:
        raise JournalUnusable(
            f"The journal {path} is {how}, and its log {log.name} is there. Nothing was sent and nothing was changed.",
            next=f"Put back a copy of {path.name}, or: {_REBUILD}",
        )
    if record.beside(path).exists():
        raise JournalUnusable(
            f"The journal {path} is {how}, and {record.NAME} says that there was one. Nothing was sent.",
            next=f"Put back a copy of {path.name}, or: {_REBUILD}",
        )


def known_revisions() -> list[str]:
    """Return every revision that this code has a migration for, oldest first."""
    from alembic.script import ScriptDirectory

    return [script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()][::-1]


def is_newer(found: str | None) -> bool:
    """Tell whether a journal's revision is one that this code does not know."""
    return found is not None and found != HEAD and found not in known_revisions()


def refuse_newer(path: Path, found: str | None) -> None:
    """Raise JournalUnusable for a journal written by a newer version, or moved into a studio."""
    moved.refuse(path, found)
    if is_newer(found):
        raise JournalUnusable(
            f"The journal {path} was written by a newer daw-bridge (revision {found}, this one knows {HEAD}). "
            f"Nothing was sent and nothing was changed. {_way_back(path)}"
        )


def _way_back(path: Path) -> str:
    """Tell whether the copy of before the update may be put back: only if it knows all that was sent."""
    copy = path.with_name(f"{path.name}.before-{HEAD}")
    if not copy.exists():
        return "Going back is not safe: there is no copy of before the update."
    if not _knows_all(copy, record.beside(path)):
        return f"Going back is not safe: {copy.name}, the copy of before the update, does not know what was paid since."
    return (
        f"Going back is safe: nothing was sent since the update. Move {path.name} and the files -wal and -shm beside "
        f"it elsewhere, and name {copy.name} {path.name}."
    )


def _knows_all(copy: Path, sent: Path) -> bool:
    """Tell whether every event of money that the record names is in a copy of the journal. In doubt: no."""
    if not sent.exists():
        return False
    try:
        with closing(sqlite3.connect(f"{copy.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            known = set(connection.execute("SELECT id, job, kind FROM events"))
    except sqlite3.DatabaseError:
        return False
    return {(line["event"], line["job"], line["kind"]) for line in record.everything(sent) if "event" in line} <= known


def backup(path: Path, found: str | None) -> None:
    """Keep a copy of the journal beside it before it is changed.

    It is for people: a migration that fails, or is cut off, is rolled back by the database, and nothing is copied over
    a journal that may be the better one.
    """
    if found is None:
        return
    copy = path.with_name(f"{path.name}.before-{found}")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    part = files.part_of(copy)
    with files.open_plain(path) as reader, files.create(part, mode=0o600) as writer:
        shutil.copyfileobj(reader, writer)
    files.replace(part, copy)


def create(connection: Connection) -> None:
    """Make the tables of a new journal as the newest migration leaves them, which is faster than running them all."""
    failpoint("journal.migrate.begin")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    metadata.create_all(connection, checkfirst=False)
    connection.exec_driver_sql(_VERSION_TABLE)
    connection.exec_driver_sql("INSERT INTO alembic_version VALUES (?)", (HEAD,))
    failpoint("journal.migrate.commit")
    connection.exec_driver_sql("COMMIT")
    failpoint("journal.migrate.committed")


def upgrade(connection: Connection) -> None:
    """Run the migrations that are missing."""
    failpoint("journal.migrate.begin")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    migrate(connection)
    failpoint("journal.migrate.commit")
    connection.exec_driver_sql("COMMIT")
    failpoint("journal.migrate.committed")


def migrate(connection: Connection) -> None:
    """Run the migrations that are missing, inside of a transaction that is begun."""
    from alembic import command

    config = _config()
    config.attributes["connection"] = connection
    with _one_at_a_time:
        command.upgrade(config, "head")


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "bridge_daemon:journal/migrations")
    config.set_main_option("path_separator", "os")
    return config
