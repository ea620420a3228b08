"""Reading the journal without a daemon: also one that is damaged in parts, or of a newer version."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from bridge_daemon.domain.job import Job, State
from bridge_daemon.errors import Fault, InvalidRequest, JournalUnusable, WrongState
from bridge_daemon.home.paths import AlreadyRunning, Home
from bridge_daemon.journal import Database, Journal, Transaction
from bridge_daemon.journal.rebuild import Plan
from bridge_daemon.journal.rebuild import plan as plan_of
from bridge_daemon.journal.rebuild import rebuild as make_again
from bridge_daemon.settings.load import read as read_settings
from bridge_daemon.util.times import Times


def read_jobs(*, states: list[str], text: str | None, client: str | None, limit: int) -> list[dict[str, Any]]:
    """Return jobs, newest first, without changing anything.

    Raises:
        JournalUnusable: it cannot be read.
        InvalidRequest: there is no such state.
    """
    known = [str(state) for state in State]
    unknown = [state for state in states if state not in known]
    if unknown:
        raise InvalidRequest([Fault("state", state, f"must be one of {', '.join(known)}") for state in unknown])
    home = Home.locate()
    path, database = home.journal, _studio(home)
    if database is None and not path.exists():
        return []

    def look(tx: Transaction) -> list[Job]:
        return tx.find(states=states, q=text, client=client, limit=limit)

    async def read() -> list[Job]:
        journal = Journal(path, Times(), read_only=True, database=database)
        try:
            await journal.open()
            return await journal.read(look)
        finally:
            await journal.close()

    try:
        return [job.as_dict() for job in asyncio.run(read())]
    except (SQLAlchemyError, sqlite3.Error, OSError, ValueError, LookupError, TypeError) as error:
        raise JournalUnusable(
            f"The journal {path} cannot be read by this version ({type(error).__name__}). Nothing was changed.",
            next="Update daw-bridge and try again. Keep the file: it knows what was paid.",
        ) from error


def _studio(home: Home) -> Database | None:
    """Return the database of the studio that the settings name, None if the journal is a file."""
    settings = read_settings(home.config, os.environ)[0]
    if settings is None or settings.journal.url is None:
        return None
    from bridge_daemon.studio import database

    return database.of_home(home, settings.journal)


def rebuild(*, dry_run: bool) -> Plan:
    """Make a lost journal again from the record of what was sent, or tell what would be made.

    Raises:
        WrongState: the bridge runs on this home.
    """
    home = Home.locate()
    if _studio(home) is not None:
        raise WrongState(
            "The journal of this home is that of a studio, in PostgreSQL. Nothing was changed.",
            next="Put back a copy of the database; each room makes again what it sent when it starts (docs/studio.md).",
        )
    if dry_run:
        return plan_of(home.journal)
    home.prepare()
    try:
        with home.lock():
            return asyncio.run(make_again(home.journal))
    except AlreadyRunning as running:
        raise WrongState(f"The bridge is {running}. Nothing was changed.", next="daw-bridge stop") from None
