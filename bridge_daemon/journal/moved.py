"""A journal in a file whose jobs go, or have gone, into the journal of a studio: marked, so that nobody runs on it.

The mark stands where the revision of the tables does. Every version of the bridge refuses a revision that it does not
know, so one that has never heard of studios does not run on that file either, and pays for nothing twice.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from bridge_daemon.errors import JournalUnusable

#: It is being moved: it was begun, and is not known to have come to its end.
MOVING: Final = "moving-to-studio"
MOVED: Final = "moved-to-studio"
#: The fact, in the file, that says where to.
WHERE: Final = "moved"


def mark(path: Path, how: str, where: dict[str, Any]) -> None:
    """Mark a journal that nobody has open; durable when this returns."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in ("synchronous=FULL", "fullfsync=1", "checkpoint_fullfsync=1"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE alembic_version SET version_num = ?", (how,))
        connection.execute("INSERT OR REPLACE INTO facts (key, value) VALUES (?, ?)", (WHERE, json.dumps(where)))
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def refuse(path: Path, found: str | None) -> None:
    """Raise JournalUnusable for a journal with a mark."""
    if found == MOVED:
        raise JournalUnusable(
            f"The jobs of {path} were moved into a studio, so nothing is done with that file. Nothing was sent.",
            next="daw-bridge studio join, with the address of that studio; or move the file away to begin a new one, "
            "which knows nothing of what was paid.",
        )
    if found == MOVING:
        raise JournalUnusable(
            f"The jobs of {path} are being moved into a studio, and that did not come to its end. Nothing was sent.",
            next="daw-bridge studio move goes on with it.",
        )
