"""The campaign: rooms, keepers and the database die, networks are cut, and the service counts what it charges.

Each bridge reaches the database by a network of its own, and all of them the store (a bucket) and the service by one
each. Every second press or so is a transform, whose source goes by the store.

    I1  a job is charged at most once, and a second POST for it follows only on a certain no
    I2  whatever is charged is one job that says so
    I4  what counts as spent ≤ the limit of all rooms
    and in the end every job that is paid and known is placed, in the library of the room that asked

    and no minute has more requests than the account allows

Longer: ``make campaign``, which is ten minutes with 50 requests a minute, and prints what came of it.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from bridge_daemon.domain.job import State
from bridge_daemon.home.paths import Home
from bridge_daemon.home.s3_key import S3KeyStore
from tests import postgres
from tests.fakes.relay import Relay, relay
from tests.fakes.service import Post, Service
from tests.publish.conftest import S3
from tests.studio.bridges import Bridge, bridges
from tests.studio.pressing import set_limit
from tests.support import request, tone
from tests.waiting import eventually

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(3600)]

SECONDS = float(os.environ.get("STUDIO_SECONDS", "45"))
SEED = int(os.environ.get("STUDIO_SEED", "1"))
RATE = int(os.environ.get("STUDIO_RATE", "10000"))  # requests a minute
ROOMS = int(os.environ.get("STUDIO_ROOMS", "3"))
KEEPERS = int(os.environ.get("STUDIO_KEEPERS", "2"))
LIMIT = 40.0  # US dollars, of all rooms
_KEY = re.compile(r"(?im)^idempotency-key:\s*(\S+)")
_POSTS = ["ok", "ok", "ok", "slow_ok:1", "slow_ok:3", "accept_then_drop", "503", "drop_before_read", "429:1"]
_MOVING = ("queued", "preparing", "submitting", "generating", "fetching", "stored")


class Networks:
    """What lies between the bridges and the others."""

    def __init__(self, database: dict[str, Relay], service: Relay, store: Relay, prefix: str, bucket: str) -> None:
        self.database, self.service, self.store = database, service, store
        self.store_settings = {
            "url": f"s3://{bucket}/{prefix}",
            "s3_endpoint": f"http://127.0.0.1:{store.port}",
            "s3_region": "us-east-1",
        }

    @property
    def all(self) -> list[tuple[str, Relay]]:
        databases = [(f"the database from {name}", one) for name, one in self.database.items()]
        return [*databases, *[("the service", self.service)] * 2, *[("the store", self.store)] * 3]


@asynccontextmanager
async def networks(server: postgres.Cluster, service: Service, s3: S3, prefix: str) -> AsyncIterator[Networks]:
    names = [*(f"room-{n}" for n in range(ROOMS)), *(f"keeper-{n}" for n in range(KEEPERS))]
    async with AsyncExitStack() as stack:
        made = [await stack.enter_async_context(relay("127.0.0.1", server.port)) for _ in names]
        to_service = await stack.enter_async_context(relay("127.0.0.1", service.port))
        to_store = await stack.enter_async_context(relay("127.0.0.1", int(s3.url.rpartition(":")[2])))
        yield Networks(dict(zip(names, made, strict=True)), to_service, to_store, prefix, s3.bucket)


class Campaign:
    """Bridges on one database, and everything that happens to them."""

    def __init__(self, folder: Path, server: postgres.Cluster, service: Service, networks: Networks) -> None:
        self.dice = random.Random(SEED)
        self.server, self.service, self.networks = server, service, networks
        self.url = server.new()
        self.source = tone(folder / "source.wav")
        self._folder = folder
        self.rooms = [self.bridge(f"room-{n}", "room") for n in range(ROOMS)]
        self.keepers = [self.bridge(f"keeper-{n}", "keeper") for n in range(KEEPERS)]
        self.told: list[str] = []
        self.answered: list[str] = []  # jobs that somebody was told of
        self.free = {bridge.name: asyncio.Lock() for bridge in self.all}

    def bridge(self, name: str, kind: str) -> Bridge:
        network = self.networks
        sections = {
            "engine": {
                "requests_per_minute": RATE,
                "max_open_jobs": 4,
                "base_url": f"http://127.0.0.1:{network.service.port}",
            },
            "spend": {"per_day_usd": 1000.0, "per_month_usd": 1000.0},
            "store": network.store_settings,
            "publish": {"method": "auto"},
        }
        home = Home(self._folder / name)
        home.prepare()
        S3KeyStore(home, {}).set(S3.access_key_id, S3.secret_access_key)
        port = network.database[name].port
        return Bridge(self._folder, name, self.url, self.service, kind, sections, port=port)

    @property
    def all(self) -> list[Bridge]:
        return self.rooms + self.keepers

    def say(self, words: str) -> None:
        self.told.append(f"{time.strftime('%H:%M:%S')} {words}")

    async def press(self, bridge: Bridge) -> None:
        """Press, unless somebody is just killing it; no answer is no promise."""
        async with self.free[bridge.name]:
            try:
                given = (
                    {"action": "transform", "source": {"path": str(self.source)}} if self.dice.random() < 0.4 else {}
                )
                body = request(prompt=f"rain {self.dice.random()}", valid_for=3600, **given)
                answer = await bridge.ask("admit", body)
            except (AssertionError, OSError, TimeoutError) as error:
                self.say(f"{bridge.name}: no answer ({type(error).__name__})")
                return
        if isinstance(answer, dict):
            self.say(f"{bridge.name}: {answer['code']}")
        else:
            self.answered += answer[0]["jobs"]

    async def hurt(self, bridge: Bridge) -> None:
        """Kill it and start it again, or let it sleep; others have to do without for a while."""
        async with self.free[bridge.name]:
            seconds = self.dice.choice([0.1, 2.0, 14.0])
            if self.dice.random() < 0.6:
                self.say(f"kill -9 {bridge.name} for {seconds:g} s")
                bridge.kill()
                await asyncio.sleep(seconds)
                await self.start(bridge)
            else:
                self.say(f"{bridge.name} sleeps {seconds:g} s")
                bridge.signal(signal.SIGSTOP)
                await asyncio.sleep(seconds)
                bridge.signal(signal.SIGCONT)

    async def start(self, bridge: Bridge) -> None:
        """Start it, also against a database that is just not there: a service does the same."""
        for _ in range(60):
            try:
                await bridge.start()
            except AssertionError:
                await asyncio.sleep(1)
            else:
                return
        raise AssertionError(f"{bridge.name} does not start: {bridge.said[-2000:]}")

    async def database(self) -> None:
        self.say("the database dies")
        await asyncio.to_thread(self.server.stop, "immediate")
        await asyncio.sleep(self.dice.choice([0.0, 3.0]))
        await asyncio.to_thread(self.server.start)

    async def network(self) -> None:
        """Cut one for a while."""
        name, cut = self.dice.choice(self.networks.all)
        seconds = self.dice.choice([0.5, 4.0, 14.0])
        self.say(f"no network to {name} for {seconds:g} s")
        cut.cut()
        await asyncio.sleep(seconds)
        cut.mend()

    async def repeat(self, seconds: tuple[float, float], what: Any, until: float) -> None:
        while time.monotonic() < until:
            await asyncio.sleep(self.dice.uniform(*seconds))
            await what()

    def rows(self) -> list[dict[str, Any]]:
        with psycopg.connect(self.url, row_factory=dict_row) as connection:
            return connection.execute("SELECT * FROM jobs ORDER BY seq").fetchall()

    def check(self, jobs: list[dict[str, Any]]) -> None:
        known = {job["job"]: job for job in jobs}
        posts: dict[str, list[Post]] = defaultdict(list)
        for post in self.service.posts:
            if key := _KEY.search(post.head):
                posts[key[1]].append(post)
        for name, made in posts.items():
            words = [post.word for post in made]
            assert name in known, "I2"
            assert sum(post.charged for post in made) <= 1, f"I1: {name} {words}"
            assert all(word.startswith("429") for word in words[:-1]), f"I1: {name} {words}"
            if any(post.charged for post in made):
                assert known[name]["charge"] != "none", f"I2: {name} {known[name]['state']}"
        spent = sum(job["price"] for job in jobs if job["charge"] != "none")
        assert spent <= LIMIT * 1_000_000, "I4"
        for charge in self.service.charges:
            owners = [job for job in jobs if job["remote_id"] == charge.remote_id]
            assert len(owners) <= 1, "I2"
        assert set(self.answered) <= set(known), "what was accepted is never lost"


@pytest.mark.usefixtures("_told_at_the_end")
async def test_nothing_is_paid_twice_and_nothing_paid_is_lost(
    own_server: postgres.Cluster,
    tmp_path: Path,
    campaign_told: list[str],
    s3: S3,
) -> None:
    async with (
        Service(enforce_rate=True, rate_per_minute=RATE) as service,
        networks(own_server, service, s3, tmp_path.name) as between,
    ):
        story = Campaign(tmp_path, own_server, service, between)
        story.told = campaign_told
        service.control({"set": {"job_seconds": 2}})
        await set_limit(story.url, tmp_path, LIMIT)
        with bridges(*story.all):
            for bridge in story.all:
                await bridge.start()
            until = time.monotonic() + SECONDS
            async with asyncio.TaskGroup() as group:
                for bridge in story.rooms:
                    group.create_task(story.repeat((0.5, 3.0), lambda b=bridge: story.press(b), until))
                for bridge in story.all:
                    group.create_task(story.repeat((3.0, 15.0), lambda b=bridge: story.hurt(b), until))
                group.create_task(story.repeat((10.0, 25.0), story.database, until))
                group.create_task(story.repeat((3.0, 12.0), story.network, until))
                group.create_task(story.repeat((0.5, 1.5), lambda: _script(story), until))
            service.control({"clear": True})
            for bridge in story.rooms:
                await bridge.ask("resume")

            async def settled() -> bool:
                return not [job for job in await asyncio.to_thread(story.rows) if job["state"] in _MOVING]

            await eventually(settled, "all come to their end", seconds=600)
            jobs = story.rows()
        story.check(jobs)
        states = defaultdict(int)
        for job in jobs:
            states[job["state"]] += 1
            if job["state"] == State.PLACED:
                home = next(one.home for one in story.rooms if one.name == job["room"])
                assert Path(job["take"]["file"]).is_relative_to(home), "the room that asked has it"
                assert Path(job["take"]["file"]).is_file()
            elif job["remote_id"] is not None:
                assert job["state"] == State.FAILED, f"paid and not placed: {job['job']} {job['state']}"
        told = f"{dict(states)}, {len(service.posts)} POSTs, {len(service.charges)} charges"
        story.say(f"{told}, at most {service.busiest_minute()} requests in a minute, of {RATE}")
        stored = await asyncio.to_thread(s3.objects)
        story.say(f"left in the store: {sum(name.startswith(f'{tmp_path.name}/takes') for name in stored)} takes")
        assert not service.violations
        assert service.busiest_minute() <= RATE
        assert states[State.PLACED] > 3


async def _script(story: Campaign) -> None:
    story.service.script_post(story.dice.choice(_POSTS))


@pytest.fixture
def campaign_told() -> list[str]:
    return []


@pytest.fixture
def _told_at_the_end(campaign_told: list[str], record_property: Any) -> Any:
    yield
    record_property("story", campaign_told)
    if "STUDIO_TELL" in os.environ:
        sys.stdout.write("\n".join(["", *campaign_told[-2:], ""]))
    if folder := os.environ.get("STUDIO_STORY"):
        Path(folder).write_text("\n".join(campaign_told) + "\n", encoding="utf-8")
