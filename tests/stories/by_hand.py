"""A whole daemon that is driven by hand: its journal, admit, steps and recovery are the real ones, and nothing runs by
itself. So every order of events can be had, at any speed, and the same again.

The service is a list of words in memory that counts what it charges; a crash is an exception that nothing catches, at
a failpoint, after which all that was in memory is thrown away. What a real socket does is watched by
``tests/engine/test_wire.py`` and ``tests/pipeline/test_submit.py``, and what a real end of the process does by
``tests/faults``.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import pytest

from bridge_daemon.app.daemon import Daemon
from bridge_daemon.domain.job import MICRO, RESERVED, Charge, Job, Publication, State
from bridge_daemon.domain.models import Told
from bridge_daemon.engine import client
from bridge_daemon.engine.client import Sent
from bridge_daemon.engine.listing import Prices
from bridge_daemon.engine.protocol import Answer
from bridge_daemon.errors import BridgeError
from bridge_daemon.home.api_key import KeyStore
from bridge_daemon.home.paths import Home
from bridge_daemon.journal import Journal
from bridge_daemon.pipeline import fetch
from bridge_daemon.pipeline.context import StepContext
from bridge_daemon.pipeline.conveyor import Conveyor, step_for
from bridge_daemon.publish.publisher import Publishers
from bridge_daemon.settings.load import Settings
from bridge_daemon.spending.prices import write_seen
from bridge_daemon.util import failpoints, files
from bridge_daemon.util.times import Times
from tests.fakes.audio import render
from tests.support import settings

KEY: Final = "sk-empiriolabs-0123456789abcdef"
URL: Final = "https://service.example"
MODEL: Final = "stable-audio-2-0"
#: A chain: one press makes drums, and bass of them.
PRESETS: Final = {
    "drums": {"action": "generate", "prompt": "drums"},
    "bass": {"prompt": "bass", "source": "take", "of": ["drums"]},
}
#: What the service does with a POST, and whether it charges for it.
POSTS: Final = {
    "ok": True,
    "id only": True,
    "lost": True,
    "lost before it was read": False,
    "502 and made": True,
    "502": False,
    "broken off": True,
    "no id": True,
    "old id": True,
    "429": False,
    "422": False,
    "401": False,
    "402": False,
    "offline": False,
}
#: Answers after which a job may be sent once more: nothing was accepted, for certain.
CERTAINLY_NOT: Final = frozenset({"429", "offline"})
POLLS: Final = ("done", "going", "500", "404", "nonsense", "another", "failed")
LIMIT: Final = 3.0  # dollars a day
_BEFORE: Final = frozenset({State.QUEUED, State.PREPARING, State.HELD, State.CANCELLED, State.REFUSED})
_LISTED: Final = 1000
_NOON: Final = datetime(2026, 3, 15, 12).astimezone().timestamp()


class Still(Times):
    """Clocks that stand still until time is let pass (``offset``) or the wall clock is set (``shift``)."""

    def __init__(self) -> None:
        self.offset = self.shift = 0.0

    def now(self) -> float:
        return _NOON + self.offset + self.shift

    def monotonic(self) -> float:
        return 1000.0 + self.offset


class Crash(BaseException):
    """The process ends here."""


@dataclass
class Post:
    """A POST that left, and what the service did with it."""

    job: str
    word: str
    charged: str | None  # the id of the service's job


@dataclass
class Shelf:
    """A publisher in memory. What lies there is gone when the process ends, or with the tunnel."""

    tunnel: int = 0
    lying: set[str] = field(default_factory=set)
    restored: list[str] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    method = "shelf"

    def publication_of(self, job: Job, *, by: str | None = None) -> Publication:
        return Publication(method=self.method, url=f"https://shelf.example/{self.tunnel}/{job.id}", by=by)

    def notice(self) -> str | None:
        return None

    async def publish(self, job: Job, file: Path) -> Publication:
        assert file.is_file()
        made = self.publication_of(job)
        self.lying.add(made.url)
        return made

    async def holds(self, publication: Publication) -> bool:
        return publication.url in self.lying

    def withdraw(self, publication: Publication) -> None:
        self.withdrawn.append(publication.url)
        self.lying.discard(publication.url)

    def restore(self, publication: Publication) -> None:
        self.restored.append(publication.url)
        if f"/{self.tunnel}/" in publication.url:
            self.lying.add(publication.url)

    def end(self) -> None:
        """The tunnel ends, and the next one has another name."""
        self.tunnel += 1
        self.lying.clear()


@dataclass
class Vendor:
    """The service: what it will do with the next POST and the next poll, and what it charged."""

    shelf: Shelf = field(default_factory=Shelf)
    posts: list[Post] = field(default_factory=list)
    next_posts: deque[str] = field(default_factory=deque)
    next_polls: deque[str] = field(default_factory=deque)
    always: str = "done"  # what a poll gets where nothing else is said
    asks: int = 580_000  # for a generation, micro-dollars
    #: Is called with the job of each POST when it arrives.
    seen: Callable[[str], Awaitable[None]] | None = None

    def of(self, job: str) -> list[Post]:
        return [post for post in self.posts if post.job == job]

    def charged(self, job: str) -> list[str]:
        return [post.charged for post in self.of(job) if post.charged is not None]

    async def submit(self, url: str, key: str | None, body: dict[str, Any], *, idempotency_key: str) -> Sent:
        """Stand in for :func:`bridge_daemon.engine.client.submit`: the same failpoints, the same results."""
        assert key == KEY
        word = self.next_posts.popleft() if self.next_posts else "ok"
        if word == "offline":
            return Sent(error=ConnectionRefusedError("offline"), sent=False)
        failpoints.failpoint("socket.submit.headers")
        assert "audio_url" not in body or body["audio_url"] in self.shelf.lying, "paid for a source that is not there"
        remote = f"remote-{len(self.posts)}" if POSTS[word] else None
        self.posts.append(Post(idempotency_key, word, remote))
        if self.seen is not None:
            await self.seen(idempotency_key)
        if word == "old id":  # of the job before, if there was one
            remote = next((post.charged for post in self.posts if post.charged is not None), remote)
        if word.startswith("lost"):
            return Sent(error=aiohttp.ServerDisconnectedError(), sent=True)
        failpoints.failpoint("socket.submit.answered")
        return Sent(answer=self._answer(word, remote))

    @staticmethod
    def _answer(word: str, remote: str | None) -> Answer:
        status = int(word[:3]) if word[:3].isdigit() else 200
        bodies = {"ok": f'{{"job_id": "{remote}", "status": "queued"}}', "id only": f'{{"id": "{remote}"}}'}
        bodies |= {"broken off": bodies["ok"][:-20], "old id": bodies["ok"]}
        return Answer(status=status, body=bodies.get(word, "{}").encode(), complete=word != "broken off")

    async def job(self, url: str, remote: str, key: str | None) -> Answer:
        """Stand in for :meth:`bridge_daemon.engine.client.PollSession.job`."""
        word = self.next_polls.popleft() if self.next_polls else self.always
        assert any(post.charged == remote for post in self.posts), "only what it accepted is asked for"
        done = f'{{"job_id": "{remote}", "status": "completed", "result": {{"data": [{{"url": "{url}/{remote}"}}]}}}}'
        bodies = {
            "done": done,
            "going": f'{{"job_id": "{remote}", "status": "running", "progress": 0.5}}',
            "nonsense": f'{{"job_id": "{remote}", "status": 7, "progress": "NaN"}}',
            "another": done.replace(f'"{remote}"', '"somebody"', 1),
            "failed": f'{{"job_id": "{remote}", "status": "failed", "error": "no"}}',
        }
        return Answer(status=int(word) if word.isdigit() else 200, body=bodies.get(word, "{}").encode())

    async def download(self, url: str, part: Path, **_: Any) -> None:
        """Stand in for :func:`bridge_daemon.engine.download.download`: a take for each job, of its own sound."""
        pitch = 220.0 + 10 * int(urlsplit(url).path.rpartition("-")[2])
        with files.create(part) as file:
            file.write(render("wav", 1.0, 8000, 1, 16, pitch))


@dataclass
class World:
    """What is outside of the process: the service that is asked now."""

    vendor: Vendor = field(default_factory=Vendor)


class ByHand:
    """One home, one service, and a daemon that does what it is told, one step at a time."""

    def __init__(self, folder: Path, world: World, *, limit: float = LIMIT, template: Path | None = None) -> None:
        """``template`` is a home whose journal is made already: making one takes longer than a story does."""
        self.home = Home(folder / "home")
        if template is not None:
            shutil.copytree(template, self.home.path)
        self.home.prepare()
        self.vendor = world.vendor = Vendor(seen=self._seen)
        self.clock = Still()
        self.limit = self.most = limit
        self.answers: dict[str, dict[str, Any]] = {}  # id of an accepted request → its answer
        self.confirmed: set[tuple[str, int]] = set()  # (job, delivery) that the DAW has placed
        self.cancelled: dict[str, int] = {}  # job → how often it was sent by then
        self.told: list[str] = []
        self.crashes = 0
        self._next_crashes: deque[str] = deque()
        self._due: dict[str, float] = {}
        self._since: dict[str, tuple[float, float]] = {}  # job → when this process admitted it, and its end
        self.daemon: Daemon | None = None

    # The process

    async def start(self) -> None:
        """Start: what recovers is the real recovery. A crash that is planned for it happens in it."""
        given = settings(
            None,
            engine={"name": "empiriolabs", "base_url": URL, "requests_per_minute": 10_000},
            spend={"per_day_usd": self.limit, "per_month_usd": 1000.0, "confirm_above_usd": 5.0},
            presets=PRESETS,
        )
        keys = KeyStore(self.home, {"EMPIRIOLABS_API_KEY": KEY})
        self.daemon = Daemon(self.home, given, keys=keys, times=self.clock)
        await self.daemon._build()
        self.daemon.parts.conveyor._tasks.closed = True  # no press is sent at once by itself
        await self.daemon.parts.conveyor.recover()
        self._due.clear()
        self._since.clear()  # what a clock that is set has done meanwhile nobody knows

    async def stop(self) -> None:
        """Throw away all that is in memory. Nothing is written by that."""
        daemon, self.daemon = self.daemon, None
        self.vendor.shelf.lying.clear()
        if daemon is not None:
            await daemon._stack.aclose()

    async def restart(self) -> None:
        """End and start, until a start succeeds."""
        while True:
            await self.stop()
            try:
                await self.start()
            except Crash as crash:
                self._crashed(crash)
            else:
                return

    def plan(self, *points: str) -> None:
        """Have the process end at a failpoint (``name:n``), the next one at the next, until the plan is used up."""
        self._next_crashes = deque(points)
        self._arm()

    def _arm(self) -> None:
        failpoints._passed.clear()
        failpoints.arm(self._next_crashes.popleft() if self._next_crashes else None, None)

    def _crashed(self, crash: Crash) -> None:
        self.crashes += 1
        self.told.append(f"--- ends at {crash}")
        self._arm()

    async def do(self, words: str, doing: Awaitable[Any]) -> Any:
        """Do something: a refusal is an answer; a crash has none, and is followed by a start."""
        try:
            answer = await doing
        except BridgeError as error:
            self.told.append(f"{words}: {error.code}")
            return None
        except Crash as crash:
            self.told.append(f"{words}: no answer")
            self._crashed(crash)
            await self.restart()
            return None
        self.told.append(f"{words}: done")
        return answer

    # What happens

    @property
    def actions(self) -> Any:
        assert self.daemon is not None
        return self.daemon.actions

    @property
    def context(self) -> StepContext:
        assert self.daemon is not None
        return self.daemon.parts.context

    @property
    def journal(self) -> Journal:
        return self.context.journal

    async def jobs(self) -> list[Job]:
        """Return all jobs, oldest first."""
        return list(reversed(await self.journal.read(lambda tx: tx.find(limit=_LISTED))))

    async def press(self, body: dict[str, Any], *, at_once: bool = False) -> None:
        """Send a request; the same body again is the same press again. ``at_once``: it is sent in that if it can be."""
        doing = self._at_once(body) if at_once else self.actions.admit(dict(body))
        answer = await self.do(f"press {body['id'][-4:]}{' at once' if at_once else ''}", doing)
        if answer is not None:
            first = self.answers.setdefault(body["id"], answer[0])
            assert answer[0] == first, "an accepted id gets its first answer"
            for job in await self.jobs() if not answer[1] else ():
                if job.id in answer[0]["jobs"]:
                    self._since[job.id] = self.clock.offset, job.valid_until
                    self.context.watch(job)  # as the conveyor does, which takes it up at once

    async def _at_once(self, body: dict[str, Any]) -> Any:
        assert self.daemon is not None
        conveyor = self.daemon.parts.conveyor
        conveyor._tasks.closed = False
        try:
            answer = await self.actions.admit(dict(body))
        finally:
            conveyor._tasks.closed = True
        for name in answer[0]["jobs"]:
            slot, sent = conveyor._sent.pop(name, (None, None))
            if slot is not None and sent is not None:
                self._due[name] = self.clock.monotonic() + (await sent).seconds
                slot.free()
        return answer

    async def cancel(self, job: Job) -> None:
        answer = await self.do(f"cancel {job.id}", self.actions.cancel(job.id))
        if answer is not None and answer["state"] == State.CANCELLED:
            self.cancelled.setdefault(job.id, len(self.vendor.of(job.id)))

    async def confirm(self, job: Job) -> None:
        """The DAW places what was announced to it, once for each delivery, and says so."""
        if job.delivery:
            self.confirmed.add((job.id, job.delivery))
            await self.do(f"placed {job.id}.{job.delivery}", self.actions.placed(job.id, job.delivery))

    async def step(self, number: int = 0, *, late: bool = False) -> bool:
        """Run one step of one of the jobs that are due. False if none is. ``late``: its turn came before any pause."""
        due = [job for job in await self.jobs() if self._is_due(job, late=late)]
        if not due:
            return False
        job = due[number % len(due)]
        await self.do(f"step of {job.id} ({job.state})", self._step(job))
        return True

    def _is_due(self, job: Job, *, late: bool) -> bool:
        context = self.context
        paused = context.pause.current is not None and not late
        if job.state in RESERVED and (paused or context.budget._wait(context.budget.per_minute) > 0):
            return False
        if job.state is State.STORED and context.pause.panic:
            return False  # its step waits until that is over
        if job.state is State.STORED and (not job.wanted or (job.client is not None and job.delivery)):
            return False
        return step_for(job) is not None and self._due.get(job.id, 0.0) <= self.clock.monotonic()

    async def _step(self, job: Job) -> None:
        assert self.daemon is not None
        step = step_for(job)
        assert step is not None
        wait = await step(job, self.daemon.parts.context)
        self._due[job.id] = self.clock.monotonic() + (wait.seconds if wait is not None else 0.0)

    async def work(self, most: int = 60) -> None:
        """Let everything go as far as it goes without time."""
        for _ in range(most):
            if not await self.step():
                return

    def set_limit(self, usd: float) -> None:
        """Change what a day may cost. What was charged by then stays."""
        self.limit, self.most = usd, max(self.most, usd)
        self.change("spend", per_day_usd=usd)

    def change(self, section: str, **given: Any) -> None:
        """Change settings while it runs. They are the old ones after a restart, but for the limit."""
        assert self.daemon is not None
        data = self.daemon.settings.model_dump()
        data[section] |= given
        self.daemon.settings = Settings.model_validate(data)

    async def ask(self, usd: float) -> None:
        """Have the service ask for another price, which its catalogue says."""
        assert self.daemon is not None
        price = self.vendor.asks = round(usd * MICRO)
        prices, now = Prices(generation=price, step=0), self.clock.now()
        await self.journal.write("price_seen", lambda tx: write_seen(tx, URL, MODEL, prices, Told(), now))

    async def pass_time(self, seconds: float, times: int = 1) -> None:
        """Let time pass, and let everything go as far as it goes then."""
        for _ in range(times):
            self.clock.offset += seconds
            await self.work()

    async def settle(self) -> None:
        """Let the service behave and time pass until nothing moves any more."""
        self.vendor.next_posts.clear()
        self.vendor.next_polls.clear()
        self.vendor.always = "done"
        self.plan()
        await self.actions.resume()
        await self.pass_time(130, times=6)  # longer than a Retry-After that is believed

    # What must hold

    async def _seen(self, name: str) -> None:
        """Hold a POST that arrives against what may be spent now."""
        job = await self.journal.read(lambda tx: tx.job(name))
        assert job.price >= self.vendor.asks, f"{name} was sent for {job.price} and costs {self.vendor.asks}"
        since, end = self._since.get(name, (None, None))
        late = since is not None and end == job.valid_until and self.clock.offset - since > end - job.created_at
        assert not late and self.clock.now() <= job.valid_until, f"{name} was sent when it was not valid any more"
        assert await self.journal.read(lambda tx: tx.fact("pause")) is None, f"{name} was sent while it was paused"
        charged = await self.journal.read(_charged)
        today = sum(price for day, price in charged if day >= self.clock.day())
        assert today <= self.limit * MICRO, f"I4: {name} was sent, and {today} are more than {self.limit}"

    async def check(self) -> None:
        """Hold the journal against what the service knows: I1 to I4, and what was answered."""
        jobs = {job.id: job for job in await self.jobs()}
        for name in {post.job for post in self.vendor.posts}:
            assert name in jobs, "I2: it was sent, and nobody knows it"
            sent, charged = self.vendor.of(name), self.vendor.charged(name)
            assert len(charged) <= 1, f"I1: {name} was paid {len(charged)} times"
            assert {post.word for post in sent[:-1]} <= CERTAINLY_NOT, f"I3: {name} was sent again after {sent[0].word}"
            if charged:
                assert jobs[name].charge is not Charge.NONE, f"I2: {name} was paid and says {jobs[name].state}"
        for name, before in self.cancelled.items():
            assert len(self.vendor.of(name)) == before, f"{name} was sent after it was cancelled"
        self._check_each(jobs)
        await self._check_sums(jobs)

    def _check_each(self, jobs: dict[str, Job]) -> None:
        remote = Counter(job.remote_id for job in jobs.values() if job.remote_id)
        assert all(count == 1 for count in remote.values()), "one take for each that was paid"
        for job in jobs.values():
            assert job.charge is Charge.NONE or job.state not in _BEFORE, f"{job.id} is {job.state} and {job.charge}"
            if job.remote_id is not None and job.state is not State.DISMISSED:
                assert job.charge is Charge.CONFIRMED, f"I2: {job.id}"
            if job.state is State.PLACED and job.client is not None:
                assert (job.id, job.delivery) in self.confirmed, f"{job.id} is placed, and no DAW said so"
            if job.take is not None:
                assert files.sha256(Path(job.take.file)) == job.take.sha256, "I5"
        for answer in self.answers.values():
            assert set(answer["jobs"]) <= set(jobs), "what was accepted is never lost"

    async def _check_sums(self, jobs: dict[str, Job]) -> None:
        assert self.daemon is not None
        days: dict[str, int] = defaultdict(int)
        for day, price in await self.journal.read(_charged):
            days[day] += price
        assert all(total <= self.most * MICRO for total in days.values()), f"I4: {dict(days)}"
        reserved = sum(job.price for job in jobs.values() if job.state in RESERVED)
        today = sum(price for day, price in days.items() if day >= self.clock.day())
        said = await self.actions.spend()
        assert said["spent_today_usd"] == today / MICRO
        assert said["reserved_usd"] == reserved / MICRO

    async def finish(self) -> None:
        """Settle, and start twice more: nothing changes by that (I7), and no unfinished file is left (I6)."""
        await self.settle()
        await self.check()
        for job in await self.jobs():
            if self.vendor.charged(job.id) and job.state not in (State.FAILED, State.DISMISSED):
                assert job.state in (State.UNKNOWN, State.STORED, State.PLACED), f"{job.id} was paid: {job.state}"
        assert list(self.home.path.rglob("*.part")) == [], "I6"
        before = _picture(await self.jobs()), len(self.vendor.posts)
        for _ in range(2):
            await self.restart()
            await self.work()
            assert (_picture(await self.jobs()), len(self.vendor.posts)) == before, "I7"


def _picture(jobs: list[Job]) -> list[tuple[Any, ...]]:
    return [(job.id, job.state, job.charge, job.remote_id, job.take, job.delivery) for job in jobs]


def _charged(tx: Any) -> list[tuple[str, int]]:
    from sqlalchemy import select

    from bridge_daemon.journal.tables import jobs

    query = select(jobs.c.charge_day, jobs.c.price).where(jobs.c.charge != "none")
    return [(row[0], row[1]) for row in tx._connection.execute(query)]


@contextmanager
def outside() -> Iterator[World]:
    """Let failpoints raise :class:`Crash`, and the vendor of the world stand for the network."""
    world = World()

    def end(code: int) -> None:
        assert failpoints._target is not None
        raise Crash(failpoints._target[0])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(failpoints, "os", SimpleNamespace(_exit=end, environ=os.environ))
        patch.setattr(client, "submit", lambda *given, **named: world.vendor.submit(*given, **named))
        patch.setattr(client.PollSession, "job", lambda _, *given: world.vendor.job(*given))
        patch.setattr(fetch, "download", lambda *given, **named: world.vendor.download(*given, **named))
        patch.setattr(Publishers, "choose", lambda *_: world.vendor.shelf)
        patch.setattr(Publishers, "of", lambda *_: world.vendor.shelf)
        patch.setattr(Conveyor, "drive", lambda *_: None)  # nothing runs by itself
        try:
            yield world
        finally:
            failpoints.arm(None, None)


async def make_template(folder: Path) -> Path:
    """Make a home with an empty journal, to be copied."""
    made = ByHand(folder, World())
    await made.start()
    await made.stop()
    return made.home.path
