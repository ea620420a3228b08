"""When to ask: a simulation of many jobs against the rate budget, with a clock of its own that needs no waiting.

What counts is the delay of the notice: from the moment a job is done at the service to the poll that learns of it.
"""

from __future__ import annotations

import heapq
import inspect
import math
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from bridge_daemon.engine.budget import RateBudget
from bridge_daemon.pipeline import pace
from bridge_daemon.pipeline.pace import LONGEST, Seen, Share, next_poll
from bridge_daemon.times import Times

RATE = 50
ROUNDS = 40
ROUND_TRIP = 0.15  # s, of a poll


class Clock(Times):
    """A clock that stands where the simulation is."""

    def __init__(self) -> None:
        self.at = 1000.0

    def monotonic(self) -> float:
        return self.at


@pytest.fixture(autouse=True)
def real_first_poll(monkeypatch: pytest.MonkeyPatch, quick_first_poll: None) -> None:
    monkeypatch.setattr(pace, "FIRST", 1.0)


@dataclass
class Generation:
    """A job at the service: done ``seconds`` after ``begun``."""

    begun: float
    seconds: float
    samples: list[tuple[float, float]] = field(default_factory=list)
    delay: float | None = None


@dataclass
class Simulation:
    """Jobs that come in rounds, ``together`` at a time; each round begins when the one before is done."""

    together: int
    progress: bool
    seed: int = 1
    step: float = 0.0  # progress is told in steps of this
    clock: Clock = field(default_factory=Clock)
    requests: list[float] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    earlier: list[float] = field(default_factory=list)

    def run(self, rounds: int = ROUNDS) -> Simulation:
        dice = random.Random(self.seed)
        budget = RateBudget(RATE, self.clock)
        for _ in range(rounds):
            begun = self.clock.at
            jobs = [Generation(begun, dice.uniform(8.0, 60.0)) for _ in range(self.together)]
            self._round(jobs, budget, dice)
            self.clock.at += dice.uniform(1.0, 5.0)  # the next press
        return self

    def _round(self, jobs: list[Generation], budget: RateBudget, dice: random.Random) -> None:
        for job in jobs:  # the submits count too
            self.clock.at += budget._wait(RATE) + 0.05
            budget._sent.append(self.clock.at)
            self.requests.append(self.clock.at)
            job.begun = self.clock.at
        open_jobs = len(jobs)
        due = [(job.begun + pace.FIRST, number) for number, job in enumerate(jobs)]
        heapq.heapify(due)
        while due:
            at, number = heapq.heappop(due)
            self.clock.at = max(self.clock.at, at)
            job = jobs[number]
            if not budget.take_poll():
                heapq.heappush(due, (self.clock.at + budget.wait_for_poll() + dice.uniform(0.0, 0.2), number))
                continue
            self.requests.append(self.clock.at)
            age = self.clock.at - job.begun
            if age >= job.seconds:
                self.delays.append(age - job.seconds)
                self.earlier = [age, *self.earlier][:50]
                open_jobs -= 1
                continue
            if self.progress:
                told = age / job.seconds
                job.samples.append((age, math.floor(told / self.step) * self.step if self.step else told))
            share = Share(spare=budget.spare_polls(), jobs=open_jobs, per_minute=budget.polls_per_minute)
            wait = next_poll(Seen(age=age, samples=tuple(job.samples)), self.earlier, share, dice.random())
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


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("together", "progress", "target"), [(1, True, 0.5), (8, True, 2.0), (1, False, 0.9)], ids=["1", "8", "1-silent"]
)
def test_a_finished_job_is_noticed_soon_and_the_rate_is_kept(
    together: int, progress: bool, target: float, seed: int
) -> None:
    done = Simulation(together, progress, seed).run()
    assert statistics.mean(done.delays) <= target
    assert done.busiest_minute() <= RATE
    assert len(done.delays) == ROUNDS * together


@pytest.mark.parametrize("together", [2, 3, 5, 8])
@pytest.mark.parametrize("step", [0.05, 0.25, 0.5])
def test_a_coarse_progress_is_not_believed_too_much(together: int, step: float) -> None:
    done = Simulation(together, True, step=step).run(20)
    assert statistics.mean(done.delays) <= 60 * together / 40 + 2
    assert done.busiest_minute() <= RATE


@pytest.mark.parametrize("together", [8, 16, 64])
def test_jobs_that_tell_nothing_share_what_there_is(together: int) -> None:
    done = Simulation(together, False).run(5)
    assert statistics.mean(done.delays) <= 1.5 * 60 * together / 40
    assert done.busiest_minute() <= RATE


WIDE = Share(spare=40, jobs=1, per_minute=40)


def test_the_first_question_comes_after_a_second() -> None:
    assert next_poll(Seen(age=0.0), [], WIDE, 0.5) == 1.0


def test_the_more_a_job_is_overdue_the_less_it_is_asked_for() -> None:
    waits = [next_poll(Seen(age=age), [20.0] * 30, WIDE, 0.5) for age in (30, 60, 120, 300, 1200, 3000, 7200)]
    assert waits == sorted(waits)
    assert waits[0] < 2
    assert waits[-2] == 15.0, "the service keeps a finished job for an hour: not too seldom before that"
    assert waits[-1] == LONGEST


def test_errors_back_off_and_are_capped() -> None:
    waits = [next_poll(Seen(age=10, errors=errors), [], WIDE, 1.0) for errors in range(1, 40)]
    assert waits[:4] == [1.0, 2.0, 4.0, 8.0]
    assert waits == sorted(waits)
    assert set(waits[7:]) == {LONGEST}


def test_the_retries_of_many_jobs_are_spread() -> None:
    dice = random.Random(1)
    waits = [next_poll(Seen(age=10, errors=6), [], WIDE, dice.random()) for _ in range(50)]
    assert min(waits) >= 0.5 * max(waits) > 0
    assert statistics.stdev(waits) > 2


def test_one_job_that_took_a_night_does_not_spoil_the_estimate() -> None:
    """The machine slept, or the bridge was not running: that says nothing of the model."""
    usual = [20.0] * 30
    assert next_poll(Seen(age=60), [8 * 3600.0, *usual], WIDE, 0.5) == next_poll(Seen(age=60), usual, WIDE, 0.5)


@pytest.mark.parametrize(
    "samples",
    [
        [(0.0, 0.5), (0.0, 0.6)],  # a clock that stood still
        [(5.0, 0.5), (3.0, 0.6)],  # or went back
        [(0.0, 1.0)],
        [(1.0, 1.0), (2.0, 1.0)],
        [(1.0, 0.02), (1e9, 0.02)],
        [(1.0, 0.5), (2.0, 0.1)],
    ],
)
def test_nonsense_gives_a_sound_pause(samples: list[tuple[float, float]]) -> None:
    for age in (0.0, 5.0, 1e9):
        assert 0 < next_poll(Seen(age=age, samples=samples), [], WIDE, 0.5) <= 3600


def test_it_is_a_pure_function_that_can_be_read() -> None:
    seen = Seen(age=12, samples=((3.0, 0.1), (6.0, 0.3)))
    assert {next_poll(seen, [10.0], WIDE, 0.3) for _ in range(10)} == {next_poll(seen, [10.0], WIDE, 0.3)}
    assert len(inspect.getsource(next_poll).splitlines()) < 80
