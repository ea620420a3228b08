"""Soak: eight clients press, the service misbehaves, the process is killed and started, for as long as one likes.

``python -m tests.stories soak --seconds 3600`` is the long one. The bridge and the service are processes of their own.
In the end charges = takes + unknown + failed, job by job; and within one life of the process neither its memory nor its
open files have grown.
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final

import psutil

from tests.e2e.processes import Bridge, FakeService, bridge, fake_service

CLIENTS: Final = 8
#: What the service does with a POST. Those that charge and do not tell are few: each is a job that waits for a person.
POSTS: Final = (
    "ok",
    "ok",
    "ok",
    "ok",
    "429:1",
    "422",
    "slow_ok:0.3",
    "502_after_accept",
    "accept_then_drop",
    "drop_before_read",
)
_POLLS: Final = ("ok", "ok", "500*2", "404", "unknown_status", "failed", "missing_status")
_DOWNLOADS: Final = ("ok", "ok", "403", "500", "drop_at:0.5", "garbage")
#: So much more may be in use at the end of a life than after its first half: what is kept for reuse varies.
MOST_GROWTH: Final = 24 << 20  # bytes
MOST_FILES: Final = 12
_ENDS: Final = {"placed", "failed", "refused", "unknown", "cancelled", "held", "dismissed"}


@dataclass
class Life:
    """What the process used from one look to the next, between a start and its end."""

    memory: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)

    def growth(self) -> tuple[int, int]:
        """Return by how much memory and open files grew from the first half to the second, 0 for a short life."""
        half = len(self.memory) // 2
        if half < 10:
            return 0, 0
        return min(self.memory[half:]) - max(self.memory[:half]), min(self.files[half:]) - max(self.files[:half])


@dataclass
class Soak:
    """One run."""

    folder: Path
    seconds: float
    seed: int
    life: float = 20.0  # s, of a process, at the most
    pause: float = 0.7  # s between two presses of a client, in the mean
    pressed: Counter[str] = field(default_factory=Counter)
    lives: list[Life] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> dict[str, Any]:
        """Run it, check everything, and return the figures."""
        dice = random.Random(self.seed)
        with fake_service(job_seconds=0.2) as service, bridge(
            self.folder / "home", service.url, DAW_BRIDGE_ENGINE__REQUESTS_PER_MINUTE="10000",
            DAW_BRIDGE_SPEND__PER_DAY_USD="10000", DAW_BRIDGE_SPEND__PER_MONTH_USD="10000",
        ) as made:  # fmt: skip
            made.start()
            presses = [threading.Thread(target=self._press, args=(made, number)) for number in range(CLIENTS)]
            for thread in presses:
                thread.start()
            try:
                self._trouble(made, service, dice)
            finally:
                self._over.set()
                for thread in presses:
                    thread.join()
            return self._settle(made, service)

    def _press(self, made: Bridge, number: int) -> None:
        """One client: it presses, and says a press without an answer again, as a script does."""
        dice, unanswered = random.Random(self.seed * 100 + number), {}
        while not self._over.is_set():
            if not unanswered or dice.random() < 0.5:
                name = str(uuid.UUID(int=dice.getrandbits(128), version=4))
                unanswered = {"version": 1, "id": name, "action": "generate", "prompt": name, "duration": 1}
            try:
                answer = made.api("requests", unanswered)
                self.pressed["accepted" if "jobs" in answer else str(answer["error"]["code"])] += 1
                unanswered = {}
            except (OSError, ValueError, HTTPException):  # the process is gone, or not there yet
                self.pressed["no answer"] += 1
            self._over.wait(self.pause * dice.uniform(0.3, 1.7))

    def _trouble(self, made: Bridge, service: FakeService, dice: random.Random) -> None:
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            life, until = Life(), min(end, time.monotonic() + dice.uniform(self.life / 4, self.life))
            self.lives.append(life)
            assert made.process is not None
            watched = psutil.Process(made.process.pid)
            while time.monotonic() < until:
                service.script(clear=True, post=dice.choices(POSTS, k=4), poll=dice.choices(_POLLS, k=3),
                               download=dice.choices(_DOWNLOADS, k=2))  # fmt: skip
                life.memory.append(watched.memory_info().rss)
                life.files.append(watched.num_fds() if hasattr(watched, "num_fds") else watched.num_handles())
                time.sleep(0.5)
            made.kill() if dice.random() < 0.7 else made.stop()
            made.start()

    def _settle(self, made: Bridge, service: FakeService) -> dict[str, Any]:
        service.script(clear=True)
        jobs = self._rest(made)
        made.stop()
        made.start()
        assert _told(self._rest(made)) == _told(jobs), "starting again changes nothing"
        charged = Counter(charge["body"]["prompt"] for charge in service.charges())
        states = Counter(job["state"] for job in jobs)
        for job in jobs:
            paid = charged[job["prompt"]]
            assert paid <= 1, f"{job['prompt']} was paid {paid} times"
            if job["state"] in ("placed", "failed"):
                assert paid == 1, f"{job['job']} is {job['state']} and was not paid"
            elif job["state"] != "unknown":
                assert paid == 0, f"{job['job']} is {job['state']} and was paid"
        lost = set(charged) - {job["prompt"] for job in jobs}
        assert not lost, f"paid and lost: {lost}"
        unpaid = sum(job["state"] == "unknown" and not charged[job["prompt"]] for job in jobs)
        assert charged.total() == states["placed"] + states["failed"] + states["unknown"] - unpaid
        growth = [life.growth() for life in self.lives]
        assert max(memory for memory, _ in growth) <= MOST_GROWTH, growth
        assert max(files for _, files in growth) <= MOST_FILES, growth
        longest = max(self.lives, key=lambda life: len(life.memory))
        return {"charges": charged.total(), **states, "lives": len(self.lives), "pressed": dict(self.pressed),
                "memory_mb": [size >> 20 for size in longest.memory[:: max(1, len(longest.memory) // 10)]],
                "open_files": longest.files[:: max(1, len(longest.files) // 10)]}  # fmt: skip

    def _rest(self, made: Bridge) -> list[dict[str, Any]]:
        """Return all jobs once none moves any more; after a long run many wait, but some must come to their end."""
        fewest, end = float("inf"), 0.0
        while True:
            made.api("resume", {})
            jobs = _all(made)
            moving = [job for job in jobs if job["state"] not in _ENDS]
            if not moving:
                return jobs
            if len(moving) < fewest:
                fewest, end = len(moving), time.monotonic() + 180
            assert time.monotonic() < end, f"these {fewest} never came to their end: {moving[:3]}"
            for job in moving:
                if job["problem"] is not None:
                    made.api(f"jobs/{job['job']}/retry", {})
            time.sleep(0.5)


def _all(made: Bridge) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        before = f"&before={found[-1]['job']}" if found else ""
        page = made.api(f"jobs?limit=200{before}")["jobs"]
        found += page
        if len(page) < 200:
            return found


def _told(jobs: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(job["job"], job["state"], job["charge"], job["delivery"]) for job in jobs]
