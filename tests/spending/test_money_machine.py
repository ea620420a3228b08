"""The money machine: people, scripts, crashes and a service in trouble, in any order and at the same time.

Each story is drawn from its seed: rounds of one to four things that happen at once. The service counts what it charges
and keeps every POST with its idempotency key, which is the job: that is the oracle. After every round:

    I1  a job is charged at most once
    I2  whatever is charged is one job of the journal that says so: never absent, never "not charged"
    I3  a second POST for a job follows only on a certain no (429)
    I4  what counts as spent on a day ≤ the limit of the day
    and an id that was accepted gets its first answer, whatever happened since
At the end, once everything has settled:
    I5  every stored take is the file that was recorded
    I6  no unfinished file is left
    I7  starting again, twice, changes nothing

A story that fails tells itself; more of them: ``MONEY_STORIES=500 pytest tests/test_money_machine.py -n 4``.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from bridge_daemon.app.daemon import Daemon
from bridge_daemon.domain.job import MICRO, TERMINAL, Charge, Job, State
from bridge_daemon.engine import client
from bridge_daemon.errors import BridgeError
from bridge_daemon.home.api_key import KeyStore
from bridge_daemon.home.paths import Home
from bridge_daemon.util import files
from tests import postgres
from tests.fakes.service import Post, Service
from tests.support import Clock, settings

STORIES = int(os.environ.get("MONEY_STORIES", "12"))
ROUNDS = 24
LIMIT = 5.0
_KEY = re.compile(r"(?im)^idempotency-key:\s*(\S+)")
_POSTS = [
    "ok", "ok", "slow_ok:0.05", "429:1", "422", "401", "402", "accept_then_drop", "accept_then_reset", "json_no_id",
    "502_after_accept", "truncated_body", "503", "drop_before_read", "silence", "307", "503_model_unavailable",
]  # fmt: skip
_POLLS = ["ok", "500*2", "drop*2", "404", "unknown_status", "status:busy*3", "failed", "missing_status", "429:1"]
_DOWNLOADS = ["ok", "403", "500", "drop_at:0.5", "zero_bytes", "garbage"]
_STILL = TERMINAL | {State.HELD, State.UNKNOWN}
_BEFORE = {State.QUEUED, State.PREPARING, State.HELD, State.CANCELLED, State.REFUSED}


class Story:
    """One home, one service, and everything that happens to them."""

    def __init__(self, path: Path, service: Service, seed: int) -> None:
        self.path, self.service = path, service
        self.dice = random.Random(seed)
        self.clock = Clock()
        self.told: list[str] = []
        self.sent: list[dict[str, Any]] = []  # every body, whether anybody heard the answer or not
        self.answers: dict[str, dict[str, Any]] = {}
        self.cancelled: dict[str, int] = {}  # and how often it had been sent by then
        self.retries: list[tuple[str, dict[str, Any]]] = []
        self.down = False
        self.offline = False

    # the daemon

    async def start(self) -> None:
        home = Home(self.path / "home")
        home.prepare()
        given = settings(
            self.service,
            engine={"requests_per_minute": 10_000, "max_open_jobs": 4},
            spend={"per_day_usd": LIMIT, "per_month_usd": 1000.0},
            **postgres.sections(self.path / "home"),
        )
        keys = KeyStore(home, {"EMPIRIOLABS_API_KEY": self.service.key})
        self.daemon = Daemon(home, given, keys=keys, times=self.clock)
        await self.daemon.start()
        self.down = False

    async def stop(self) -> None:
        self.down = True
        hurry = asyncio.create_task(asyncio.sleep(0.3))
        stopping = asyncio.create_task(self.daemon.stop())
        await hurry
        if not stopping.done():
            await self.daemon.cut()  # the second Ctrl-C
        await stopping

    async def crash(self) -> None:
        """From this moment on nothing is written any more, whatever was going on."""
        self.down = True
        await asyncio.to_thread(self.daemon.journal._writer.shutdown, True)
        await self.daemon.cut()
        await self.daemon.stop()

    # what happens

    async def act(self, words: str, doing: Awaitable[Any]) -> Any:
        """Do something; a refusal is an answer, and whoever is cut off by a crash has none."""
        try:
            answer = await doing
        except BridgeError as error:
            self.told.append(f"{words}: {error.code}")
            return None
        except Exception as error:
            if not self.down:
                raise
            self.told.append(f"{words}: no answer ({type(error).__name__})")
            return None
        self.told.append(f"{words}: ok")
        return answer

    async def admit(self, body: dict[str, Any], words: str) -> None:
        answer = await self.act(f"{words} {body['id'][:4]}", self.daemon.actions.admit(dict(body)))
        if answer is None:
            return
        first = self.answers.setdefault(body["id"], answer[0])
        assert answer[0] == first, "an accepted id gets its first answer"

    async def press(self) -> None:
        body = {
            "id": str(uuid.UUID(int=self.dice.getrandbits(128), version=4)),
            "action": "generate",
            "prompt": self.dice.choice(["rain", "snow", "hail", "fog", "dew", "ice"]),
            "duration": 1,
            "variations": self.dice.choice([1, 1, 1, 2, 3]),
            "client": self.dice.choice([None, None, "reaper"]),
            "again": self.dice.random() < 0.5,
            "valid_for": self.dice.choice([30, 600, 3600]),
        }
        self.sent.append(body)
        await asyncio.gather(*(self.admit(body, "press") for _ in range(self.dice.choice([1, 1, 2, 5]))))

    async def repeat(self) -> None:
        if self.sent:
            await self.admit(self.dice.choice(self.sent), "repeat")

    async def jobs(self) -> list[Job]:
        return await self.daemon.journal.read(lambda tx: tx.find(limit=1000))

    async def some_job(self, *states: State) -> Job | None:
        found = [job for job in await self.jobs() if not states or job.state in states]
        return self.dice.choice(found) if found else None

    async def cancel(self) -> None:
        job = await self.some_job(*set(State) - TERMINAL)
        if job is None:
            return
        answer = await self.act(f"cancel {job.id} ({job.state})", self.daemon.actions.cancel(job.id))
        if answer is not None and answer["state"] == State.CANCELLED:
            self.cancelled.setdefault(job.id, len(self.posts_of()[job.id]))

    async def deliver(self) -> None:
        job = await self.some_job(State.PLACED, State.STORED)
        if job is not None:
            await self.act(f"deliver {job.id}", self.daemon.actions.deliver(job.id))

    async def retry(self) -> None:
        job = await self.some_job(State.HELD, State.FAILED, State.REFUSED, State.UNKNOWN, State.CANCELLED)
        if job is not None:
            given = (job.id, {"id": str(uuid.uuid4()), "again": self.dice.random() < 0.3})
            self.retries.append(given)
            times = self.dice.choice([1, 1, 3])
            words = f"retry {job.id} ({job.state})"
            await asyncio.gather(*(self.act(words, self.daemon.actions.retry(*given)) for _ in range(times)))

    async def retry_again(self) -> None:
        if self.retries:
            name, data = self.dice.choice(self.retries)
            await self.act(f"the same retry of {name} again", self.daemon.actions.retry(name, data))

    async def resolve(self) -> None:
        job = await self.some_job(State.UNKNOWN)
        if job is None:
            return
        mine = [charge for charge in self.service.charges if self.charged_for(job.id, charge.remote_id)]
        choices: list[dict[str, Any]] = [
            {"action": "submit_again", "id": str(uuid.uuid4())},
            {"action": "dismiss", "charged": bool(mine)},  # people look at their account, and say what they see
        ]
        if mine:
            choices += [{"action": "attach", "remote_id": mine[0].remote_id}] * 2
        data = self.dice.choice(choices)
        await self.act(f"resolve {job.id} {data['action']}", self.daemon.actions.resolve(job.id, data))

    async def pause(self) -> None:
        await self.act("pause", self.daemon.actions.pause())

    async def resume(self) -> None:
        await self.act("resume", self.daemon.actions.resume())

    async def time_passes(self) -> None:
        seconds = self.dice.choice([1, 11, 11, 700, 86_400, -3600])
        self.clock.offset += seconds
        self.told.append(f"{seconds} s pass")

    async def trouble(self) -> None:
        posts, polls = self.dice.choices(_POSTS, k=self.dice.randint(1, 3)), self.dice.choices(_POLLS, k=1)
        self.service.control({"clear": True, "post": posts, "poll": polls, "download": [self.dice.choice(_DOWNLOADS)]})
        self.offline = self.dice.random() < 0.15
        self.told.append(f"the service: {posts} {polls}, offline: {self.offline}")

    async def wait(self) -> None:
        await asyncio.sleep(self.dice.uniform(0.0, 0.15))

    async def end(self) -> None:
        """The process ends, in one of its ways, while other things go on; and is started again."""
        await asyncio.sleep(self.dice.uniform(0.0, 0.08))
        how = self.dice.choice([self.crash, self.crash, self.stop])
        self.told.append(f"--- {how.__name__}")
        await how()

    async def round(self) -> None:
        weights: dict[Callable[[], Awaitable[None]], float] = {
            self.press: 6, self.repeat: 2, self.cancel: 2, self.deliver: 0.5, self.retry: 3, self.retry_again: 1,
            self.resolve: 3, self.pause: 0.5, self.resume: 2, self.time_passes: 2, self.trouble: 3, self.wait: 2,
        }  # fmt: skip
        doing = self.dice.choices(list(weights), list(weights.values()), k=self.dice.randint(1, 4))
        ends = self.dice.random() < 0.25
        self.told.append("")
        await asyncio.gather(*(do() for do in doing), *([self.end()] if ends else []))
        if ends:
            await self.start()

    # what must hold

    def posts_of(self) -> dict[str, list[Post]]:
        found: dict[str, list[Post]] = defaultdict(list)
        for post in self.service.posts:
            if key := _KEY.search(post.head):
                found[key[1]].append(post)
        return found

    def charged_for(self, job: str, remote_id: str) -> bool:
        numbers = [number for number, post in enumerate(p for p in self.service.posts if p.charged)
                   if (key := _KEY.search(post.head)) and key[1] == job]  # fmt: skip
        return any(self.service.charges[number].remote_id == remote_id for number in numbers)

    async def check(self) -> None:
        posts = self.posts_of()  # first: the journal says "perhaps charged" before a POST begins
        jobs = {job.id: job for job in await self.jobs()}
        for name, made in posts.items():
            assert name in jobs, "I2"
            assert sum(post.charged for post in made) <= 1, f"I1: {name} was paid twice"
            assert all(post.word.startswith("429") for post in made[:-1]), f"I3: {[post.word for post in made]}"
            if any(post.charged for post in made):
                assert jobs[name].charge is not Charge.NONE, f"I2: {name} was paid and says {jobs[name].state}"
        for name, before in self.cancelled.items():
            assert len(posts[name]) == before, f"{name} was sent after it was cancelled"
        for job in jobs.values():
            assert (job.charge is Charge.NONE) or job.state not in _BEFORE, f"{job.id} {job.state} {job.charge}"
        days: dict[str, int] = defaultdict(int)
        for day, price in await self.daemon.journal.read(_charged):
            days[day] += price
        assert all(sum_ <= LIMIT * MICRO for sum_ in days.values()), f"I4: {days}"
        for answer in self.answers.values():
            assert set(answer["jobs"]) <= set(jobs), "what was accepted is never lost"

    async def settle(self) -> None:
        """Let everything that moves by itself come to its end."""
        self.service.control({"clear": True})
        self.offline = False
        await self.stop()  # what still waits for a silent service is cut off
        await self.start()
        await self.daemon.actions.resume()
        for job in await self.jobs():
            self.daemon.parts.conveyor.drive(job.id)
        # a job that the clock has made an hour old is asked for once a minute
        async with asyncio.timeout(75):
            while any(_moves(job) for job in await self.jobs()):
                await self.daemon.actions.resume()  # a 401 may have been under way
                await asyncio.sleep(0.05)

    async def picture(self) -> tuple[Any, ...]:
        jobs = [(job.id, job.state, job.charge, job.remote_id, job.take, job.delivery) for job in await self.jobs()]
        return jobs, len(self.service.posts), len(self.service.charges)

    async def finish(self) -> None:
        await self.settle()
        await self.check()
        for job in await self.jobs():
            if job.take is not None:
                assert files.sha256(Path(job.take.file)) == job.take.sha256, "I5"
        assert list((self.path / "home" / "library").rglob("*.part")) == [], "I6"
        before = await self.picture()
        for end in (self.stop, self.crash):
            await end()
            await self.start()
            await asyncio.sleep(0.1)
            assert await self.picture() == before, "I7"


def _moves(job: Job) -> bool:
    if job.state is State.STORED:
        return job.wanted and (job.client is None or job.delivery == 0)
    return job.state not in _STILL


def _charged(tx: Any) -> list[tuple[str, int]]:
    from sqlalchemy import select

    from bridge_daemon.journal.tables import jobs

    query = select(jobs.c.charge_day, jobs.c.price).where(jobs.c.charge != "none")
    return [(row[0], row[1]) for row in tx._connection.execute(query)]


@pytest.mark.both
@pytest.mark.parametrize("seed", range(STORIES))
async def test_no_story_pays_twice_or_loses_what_was_paid(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = client.submit
    async with Service(job_seconds=0.05) as service:
        story = Story(tmp_path, service, seed)

        async def maybe_offline(*args: Any, **kwargs: Any) -> client.Sent:
            if story.offline:
                return client.Sent(error=ConnectionRefusedError("offline"), sent=False)
            return await submit(*args, **kwargs)

        monkeypatch.setattr(client, "submit", maybe_offline)
        await story.start()
        try:
            for _ in range(ROUNDS):
                await story.round()
                await story.check()
            await story.finish()
        except BaseException as error:
            error.add_note("\n".join(["the story:", *story.told]))
            raise
        finally:
            if not story.down:
                await story.crash()
        assert service.violations == []
