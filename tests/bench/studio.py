"""The figures of a studio, on one machine with a PostgreSQL of its own that writes to the disk.

    chrt -f 30 python -m tests.bench.studio [--presses 100] [--rooms 1,4,8] [--seconds 120] [--jobs 100000]

Press → wire in a room, also without the rights of rooms (what those cost); takes a minute of 1, 4 and 8 rooms against a
service that counts and refuses what is too much; admit, list and search with 100,000 jobs in the journal; how long
after the death of a room its job is a keeper's.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import make_url

from bridge_daemon.studio.database import Postgres
from tests import postgres
from tests.bench import growing, press
from tests.bench.figures import Row
from tests.fakes.service import Service
from tests.studio.bridges import Bridge, bridges
from tests.support import request
from tests.waiting import eventually

_names = itertools.count()
_FREELY = {"spend": {"per_day_usd": 100_000.0, "per_month_usd": 100_000.0}}


def _room(url: str) -> dict[str, str]:
    """Return the environment of a bridge that is the room left."""
    return {"DAW_BRIDGE_JOURNAL__URL": postgres.as_room(url, "left"), "DAW_BRIDGE_JOURNAL__ROOM": "left"}


def press_to_wire(server: postgres.Cluster, presses: int, *, held: bool) -> Row:
    """Return how long from an OSC datagram to the POST, in a room; ``held`` by the rights of its role, or as owner."""
    url = server.new()
    where = _room(url) if held else _room(url) | {"DAW_BRIDGE_JOURNAL__URL": url}
    times = sorted(asyncio.run(press.measure(presses, None, **where)))
    median = statistics.median(times)
    figure = f"median {median:.1f} ms, p95 {times[int(len(times) * 0.95)]:.1f} ms, least {times[0]:.1f} ms"
    what = "OSC datagram sent → POST read by the server, in a room of a studio"
    return Row(what if held else f"{what}, as the owner of its tables", figure, "≤ 15 ms", median <= 15)


async def _takes(server: postgres.Cluster, folder: Path, rooms: int, seconds: float) -> Row:
    url = server.new()
    async with Service(enforce_rate=True) as service:
        service.control({"set": {"job_seconds": 3}})
        all_ = [Bridge(folder, f"room-{n}", url, service, "room", _FREELY) for n in range(rooms)]
        with bridges(*all_):
            await asyncio.gather(*(one.start() for one in all_))
            end = time.monotonic() + seconds
            await asyncio.gather(*(_press_on(one, end) for one in all_))
            with psycopg.connect(url) as connection:
                [placed] = connection.execute("SELECT count(*) FROM jobs WHERE state = 'placed'").fetchone() or (0,)
        refused = sum(post.word.startswith("429") for post in service.posts)
        busiest = service.busiest_minute()
    figure = f"{placed * 60 / seconds:.1f} takes a minute, {busiest} requests in the busiest, {refused} refused"
    return Row(f"{rooms} room{'s' * (rooms > 1)}, a job of 3 s, 50 requests a minute", figure, "0 refused", not refused)


async def _press_on(one: Bridge, end: float) -> None:
    """Have a room always wait for one take, as somebody who hears each before the next does."""
    while time.monotonic() < end:
        answer, _ = await one.ask("admit", request(prompt=f"rain {next(_names)}", valid_for=3600))

        async def ended(job: str = answer["jobs"][0]) -> bool:
            return time.monotonic() >= end or (await one.ask("job", job))["state"] not in (
                "queued",
                "submitting",
                "generating",
                "fetching",
            )

        await eventually(ended, "the take", seconds=3600)


async def _fill(url: str, home: Path, jobs: int) -> None:
    await growing.prepare(home, jobs, Postgres(make_url(postgres.as_room(url, "left")), room="left", home=home))


def as_it_grows(server: postgres.Cluster, jobs: int) -> Row:
    """Return what calls take with so many jobs."""
    url = server.new()
    figure = asyncio.run(growing.measure(jobs, lambda home, count: _fill(url, home, count), **_room(url)))
    return Row(f"journal of a studio with {jobs:,} jobs", figure)


async def _take_over(server: postgres.Cluster, folder: Path) -> Row:
    url = server.new()
    async with Service() as service:
        service.control({"set": {"job_seconds": 600}})
        left, keeper = Bridge(folder, "left", url, service, "room", {}), Bridge(folder, "k", url, service, "keeper", {})
        with bridges(left, keeper):
            await asyncio.gather(left.start(), keeper.start())
            answer, _ = await left.ask("admit", request())
            await eventually(lambda: _holder(url, answer["jobs"][0], "left"), "it is the room's")
            left.kill()
            died = time.monotonic()
            await eventually(lambda: _holder(url, answer["jobs"][0], "k"), "it is the keeper's")
            took = time.monotonic() - died
    return Row("A job of a room that died is a keeper's", f"{took:.1f} s later", "≤ 15 s", took <= 15)


async def _holder(url: str, job: str, room: str) -> bool:
    def look() -> Any:
        with psycopg.connect(url) as connection:
            query = (
                "SELECT w.room FROM leases l JOIN workers w ON w.id = l.worker JOIN jobs j ON j.job = l.job "
                "WHERE l.job = %s AND j.state = 'generating'"
            )
            return connection.execute(query, [job]).fetchone()

    return bool(await asyncio.to_thread(look) == (room,))


def main() -> None:
    """Measure, and print each line as soon as it is known."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--presses", type=int, default=100)
    parser.add_argument("--rooms", default="1,4,8")
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--jobs", type=int, default=100_000)
    given = parser.parse_args()
    with postgres.cluster(durable=True) as server, tempfile.TemporaryDirectory() as name:
        measures = [lambda held=held: press_to_wire(server, given.presses, held=held) for held in (True, False)]
        for rooms in map(int, given.rooms.split(",")):
            folder = Path(name) / f"{rooms}"
            folder.mkdir()
            measures.append(
                lambda rooms=rooms, folder=folder: asyncio.run(_takes(server, folder, rooms, given.seconds))
            )
        measures.append(lambda: as_it_grows(server, given.jobs))
        measures.append(lambda: asyncio.run(_take_over(server, Path(name))))
        for measure in measures:
            row = measure()
            sys.stdout.write(f"{row.what}: {row.figure} {f'({row.target}: {row.verdict})' * bool(row.target)}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
