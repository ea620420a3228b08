"""A simulation of many jobs against the rate budget, with a clock of its own that needs no waiting."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bridge_daemon.engine.budget import RateBudget
from bridge_daemon.pipeline import pace
from bridge_daemon.pipeline.pace import Past, Seen, Share, next_poll, usual
from bridge_daemon.util.times import Times

Policy = Callable[[Seen, Sequence[float], Share, float], float]

RATE = 50
#: Lengths (s) and steps that people ask for, and what they take at a service whose time follows them: 10 to 54 s.
ASKED = ((15.0, 50), (60.0, 50), (120.0, 50), (190.0, 50), (90.0, 100))
ROUND_TRIP = 0.15  # s, of a poll


class Clock(Times):
    """A clock that stands where the simulation is."""

    def __init__(self) -> None:
        self.at = 1000.0

    def monotonic(self) -> float:
        return self.at


@dataclass
class Generation:
    """A job at the service: done ``seconds`` after ``begun``."""

    begun: float
    seconds: float
    samples: list[tuple[float, float]] = field(default_factory=list)
    length: float = 30.0
    steps: int | None = None


@dataclass
class Simulation:
    """Jobs that come in rounds, ``together`` at a time; each round begins when the one before is done."""

    together: int
    progress: bool
    seed: int = 1
    step: float = 0.0  # progress is told in steps of this
    follows: float | None = None  # the time follows length and steps, within this share; None: 8 to 60 s, by chance
    policy: Policy = next_poll
    first: float = pace.FIRST
    clock: Clock = field(default_factory=Clock)
    requests: list[float] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    past: list[Past] = field(default_factory=list)

    def run(self, rounds: int) -> Simulation:
        dice = random.Random(self.seed)
        budget = RateBudget(RATE, self.clock)
        for _ in range(rounds):
            begun = self.clock.at
            jobs = [self._new(begun, dice) for _ in range(self.together)]
            self._round(jobs, budget, dice)
            self.clock.at += dice.uniform(1.0, 5.0)  # the next press
        return self

    def _new(self, begun: float, dice: random.Random) -> Generation:
        if self.follows is None:
            return Generation(begun, dice.uniform(8.0, 60.0))
        length, steps = dice.choice(ASKED)
        seconds = (6 + 0.005 * length * steps) * dice.uniform(1 - self.follows, 1 + self.follows)
        return Generation(begun, seconds, length=length, steps=steps)

    def _wait(self, job: Generation, budget: RateBudget, open_jobs: int, dice: random.Random) -> float:
        like = usual(self.past, job.length, job.steps) if self.follows is not None else None
        seen = Seen(age=self.clock.at - job.begun, samples=tuple(job.samples), usual=like)
        silent = not self.progress and bool(self.past)
        share = Share(spare=budget.spare_polls(), jobs=open_jobs, per_minute=budget.polls_per_minute, silent=silent)
        return self.policy(seen, [one.seconds for one in self.past[:50]], share, dice.random())

    def _round(self, jobs: list[Generation], budget: RateBudget, dice: random.Random) -> None:
        for job in jobs:  # the submits count too
            self.clock.at += budget._wait(RATE) + 0.05
            budget._sent.append(self.clock.at)
            self.requests.append(self.clock.at)
            job.begun = self.clock.at
        open_jobs = len(jobs)
        due = [
            (job.begun + (self._wait(job, budget, open_jobs, dice) if self.policy is next_poll else self.first), number)
            for number, job in enumerate(jobs)
        ]
        heapq.heapify(due)
        while due:
            at, number = heapq.heappop(due)
            self.clock.at = max(self.clock.at, at)
            job = jobs[number]
            if budget.wait_for_poll() > 0:
                heapq.heappush(due, (self.clock.at + budget.wait_for_poll() + dice.uniform(0.0, 0.2), number))
                continue
            budget._sent.append(self.clock.at)
            self.requests.append(self.clock.at)
            age = self.clock.at - job.begun
            if age >= job.seconds:
                self.delays.append(age - job.seconds)
                self.past = [Past(seconds=age, length=job.length, steps=job.steps), *self.past][:100]
                open_jobs -= 1
                continue
            if self.progress:
                told = age / job.seconds
                job.samples.append((age, math.floor(told / self.step) * self.step if self.step else told))
            wait = self._wait(job, budget, open_jobs, dice)
            assert wait > 0
            heapq.heappush(due, (self.clock.at + ROUND_TRIP + wait, number))

    def busiest_minute(self) -> int:
        return busiest_minute(self.requests)


def busiest_minute(times: Sequence[float]) -> int:
    ordered, most, first = sorted(times), 0, 0
    for last, at in enumerate(ordered):
        while ordered[first] <= at - 60.0:
            first += 1
        most = max(most, last - first + 1)
    return most
