"""Make a journal again that is gone or damaged as a whole, when a person asks for it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bridge_daemon.errors import JournalUnusable
from bridge_daemon.journal import record, restore, schema
from bridge_daemon.journal.store import Journal
from bridge_daemon.util import files
from bridge_daemon.util.times import Times

_ENDS: Final = ("", "-wal", "-shm")


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What :func:`rebuild` would do."""

    whole: bool  #: the journal can be used as it is
    why: str  #: what is wrong with it, for people
    jobs: tuple[dict[str, Any], ...]  #: that would be made again: job, state, charge, usd, remote_id, prompt


def plan(journal: Path) -> Plan:
    """Look at a journal and its record, and change nothing."""
    try:
        schema.refuse_lost(journal)
        schema.revision(journal)
    except JournalUnusable as error:
        rows = restore.jobs_of(record.everything(record.beside(journal)), time.time())
        return Plan(whole=False, why=error.message, jobs=tuple(_shown(row) for row in rows.values()))
    return Plan(whole=True, why="", jobs=())


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    same = {name: row[name] for name in ("job", "client", "state", "charge", "remote_id", "prompt")}
    return same | {"usd": row["price"] / 1_000_000}


async def rebuild(journal: Path) -> Plan:
    """Make a journal again from the record, and return what was done. The caller holds the home's lock.

    What lay there is moved into a folder beside it. A journal that can be used is left alone.
    """
    found = await asyncio.to_thread(plan, journal)
    if found.whole:
        return found
    await asyncio.to_thread(_set_aside, journal)
    made = Journal(journal, Times(), anew=True)
    try:
        await made.open()
    finally:
        await made.close()
    return found


def _set_aside(journal: Path) -> None:
    there = [path for end in _ENDS if (path := journal.with_name(journal.name + end)).exists()]
    if not there:
        return
    folder = journal.with_name(f"journal.lost-{time.strftime('%Y%m%d-%H%M%S')}")
    folder.mkdir(mode=0o700)
    for path in there:
        files.replace(path, folder / path.name)
