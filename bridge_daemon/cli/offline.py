"""Reading the journal without a daemon: also one that is damaged in parts, or of a newer version."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from bridge_daemon.domain.job import Job, State
from bridge_daemon.errors import Fault, InvalidRequest, JournalUnusable, WrongState
from bridge_daemon.home.paths import AlreadyRunning, Home
from bridge_daemon.journal import Journal, Transaction
from bridge_daemon.journal.rebuild import Plan
from bridge_daemon.journal.rebuild import plan as plan_of
from bridge_daemon.journal.rebuild import rebuild as make_again
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
    path = Home.locate().journal
    if not path.exists():
        return []

    def look(tx: Transaction) -> list[Job]:
        return tx.find(states=states, q=text, client=client, limit=limit)

    async def read() -> list[Job]:
        journal = Journal(path, Times(), read_only=True)
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


def rebuild(*, dry_run: bool) -> Plan:
    """Make a lost journal again from the record of what was sent, or tell what would be made.

    Raises:
        WrongState: the bridge runs on this home.
    """
    home = Home.locate()
    if dry_run:
        return plan_of(home.journal)
    home.prepare()
    try:
        with home.lock():
            return asyncio.run(make_again(home.journal))
    except AlreadyRunning as running:
        raise WrongState(f"The bridge is {running}. Nothing was changed.", next="daw-bridge stop") from None
