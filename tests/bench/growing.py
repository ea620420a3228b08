"""Does it get slower as the journal grows? Admit, list, search and start with 1, 1,000 and 10,000 jobs.

    python -m tests.bench.growing

Admit, list and search are calls of the HTTP API, timed by a client that keeps its connection.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp

from bridge_daemon.domain.job import Charge, Job, Parameters, State
from bridge_daemon.domain.request import Place
from bridge_daemon.home.paths import Home
from bridge_daemon.journal import Database, Journal, Transaction
from bridge_daemon.util.times import Times
from tests.bench.figures import Row
from tests.bench.process import own_process

_WORDS = ("rain", "tin roof", "warm pad", "909 loop", "Größe", "strings, slow", "a door in the distance", "bass")


def fill(tx: Transaction, first: int, count: int) -> None:
    """Write finished jobs, as years of work leave them."""
    for number in range(first, first + count):
        request = str(uuid.uuid4())
        prompt = f"{_WORDS[number % len(_WORDS)]} {number}"
        answer = {"id": request, "jobs": [f"j{number:09}"], "usd": 0.58}
        tx.add_request(
            request, kind="request", client=None, body_hash="b", fingerprint=str(number), body={}, answer=answer
        )
        job = Job(
            id=f"j{number:09}",
            seq=0,
            request_id=request,
            client=None,
            action="generate",
            preset=None,
            engine="sketch",
            base_url="sketch",
            model="stable-audio-2-0",
            price=580_000,
            state=State.PLACED,
            charge=Charge.CONFIRMED,
            parameters=Parameters(prompt=prompt, duration=30.0, seed=number + 1),
            variation=1,
            variations=1,
            place=Place(position=float(number)),
            remote_id=f"r{number}",
            submitted_at=1.0,
            finished_at=20.0,
        )
        tx.add_jobs([job])
        for kind in ("submitting", "answer", "generating", "fetching", "fetched", "stored", "placed"):
            tx.add_event(job.id, kind, {"status": 200, "body": "x" * 200})


async def prepare(home: Path, jobs: int, database: Database | None = None) -> None:
    """Make a home whose journal has so many jobs."""
    Home(home).prepare()
    journal = Journal(home / "journal.sqlite3", Times(), database=database)
    await journal.open()
    for first in range(0, jobs, 500):
        await journal.write("fill", lambda tx, first=first: fill(tx, first, min(500, jobs - first)))  # type: ignore[misc]
    await journal.close()


async def _median(call: Callable[[], Awaitable[Any]], times: int = 25) -> float:
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        await call()
        taken.append((time.perf_counter() - begun) * 1000)
    return statistics.median(taken)


async def measure(jobs: int, prepare: Callable[[Path, int], Awaitable[None]] = prepare, **more: str) -> str:
    """Return the figures of one size, as text; ``more`` is of the environment of the daemon."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        await prepare(home, jobs)
        async with own_process(home, None, **more) as daemon:
            headers = {"Authorization": f"Bearer {daemon.token}"}
            async with aiohttp.ClientSession(daemon.fact("http_url"), headers=headers) as session:

                async def get(path: str) -> None:
                    async with session.get(path) as response:
                        assert response.status == 200, await response.text()
                        await response.read()

                async def admit() -> None:
                    body = {"version": 1, "id": str(uuid.uuid4()), "action": "generate", "prompt": str(uuid.uuid4())}
                    async with session.post("/api/requests", json=body) as response:
                        assert response.status == 202, await response.text()

                await asyncio.sleep(2)
                async with session.post("/api/pause", json={}) as response:
                    assert response.status == 200
                listed = await _median(lambda: get("/api/jobs?limit=50"))
                searched = await _median(lambda: get("/api/jobs?q=Gr%C3%B6%C3%9Fe%209&limit=50"))
                status = await _median(lambda: get("/api/status"))
                async with session.post("/api/resume", json={}) as response:
                    assert response.status == 200
                admitted = await _median(admit, 7)
    return (
        f"admit {admitted:.0f} ms, list {listed:.0f} ms, search {searched:.0f} ms, status {status:.0f} ms, "
        f"start {daemon.start_s:.2f} s"
    )


def rows() -> list[Row]:
    """Return the figures for the table."""
    return [
        Row(f"journal with {jobs:,} job{'s' * (jobs > 1)}", asyncio.run(measure(jobs))) for jobs in (1, 1000, 10_000)
    ]


def main() -> None:
    for row in rows():
        sys.stdout.write(f"{row.what}: {row.figure}\n")


if __name__ == "__main__":
    main()
