"""A journal in a folder of its own, and a job to put into it."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
from sqlalchemy import make_url

from bridge_daemon.domain.job import Charge, Job, Parameters, State
from bridge_daemon.domain.request import Place
from bridge_daemon.journal import Journal, Transaction
from bridge_daemon.studio.database import Postgres
from bridge_daemon.util.times import Times
from tests import postgres

_numbers = itertools.count(1)


@pytest_asyncio.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    opened = journal_at(tmp_path)
    await opened.open()
    yield opened
    await opened.close()


def journal_at(folder: Path) -> Journal:
    """Return a journal that is not open: a file, or in the database of the folder; see the marker ``both``."""
    database = None
    if postgres.used is not None:
        database = Postgres(make_url(postgres.used.of(folder)), room="room", home=folder)
    return Journal(folder / "journal.sqlite3", Times(), database=database)


def new_job(**given: Any) -> Job:
    """Return a job as admit makes it."""
    values: dict[str, Any] = {
        "id": f"job{next(_numbers):06}",
        "seq": 0,
        "request_id": str(uuid.uuid4()),
        "client": None,
        "action": "generate",
        "preset": None,
        "engine": "empiriolabs",
        "base_url": "https://service.example",
        "model": "stable-audio-2-0",
        "price": 580_000,
        "state": State.QUEUED,
        "charge": Charge.NONE,
        "parameters": Parameters(prompt="rain", duration=1.0, seed=1),
        "variation": 1,
        "variations": 1,
        "place": Place(position=4.0),
    }
    return Job(**values | given)


def add(tx: Transaction, **given: Any) -> Job:
    """Admit a job, in the state that is asked for."""
    job = new_job(**given)
    tx.add_request(
        job.request_id, kind="request", client=None, body_hash="b", fingerprint="f", body={}, answer={"jobs": [job.id]}
    )
    tx.add_jobs([job])
    return tx.job(job.id)
