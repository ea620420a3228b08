"""When to ask: a simulation of many jobs against the rate budget, with a clock of its own that needs no waiting.

What counts is the delay of the notice: from the moment a job is done at the service to the poll that learns of it.
"""

from __future__ import annotations

import inspect
import random
import statistics

import pytest

from bridge_daemon.pipeline import pace
from bridge_daemon.pipeline.pace import LONGEST, Seen, Share, next_poll
from tests.pipeline.simulation import RATE, Simulation

ROUNDS = 40


@pytest.fixture(autouse=True)
def real_first_poll(monkeypatch: pytest.MonkeyPatch, quick_first_poll: None) -> None:
    monkeypatch.setattr(pace, "FIRST", 1.0)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("together", "progress", "target"), [(1, True, 0.5), (8, True, 2.0), (1, False, 0.9)], ids=["1", "8", "1-silent"]
)
def test_a_finished_job_is_noticed_soon_and_the_rate_is_kept(
    together: int, progress: bool, target: float, seed: int
) -> None:
    done = Simulation(together, progress, seed).run(ROUNDS)
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


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("follows", "most"), [(0.05, 2.0), (0.15, 2.5), (0.3, 3.3)])
def test_what_was_learned_of_length_and_steps_brings_eight_silent_jobs_soon(
    seed: int, follows: float, most: float
) -> None:
    done = Simulation(8, False, seed, follows=follows).run(100)
    assert statistics.mean(done.delays[160:]) <= most, "20 rounds were needed to learn"
    assert done.busiest_minute() <= RATE


def test_jobs_of_the_same_length_and_steps_say_what_is_usual() -> None:
    past = [pace.Past(seconds=20.0 + number, length=30.0, steps=50) for number in range(4)]
    past += [pace.Past(seconds=60.0, length=190.0, steps=50), pace.Past(seconds=5.0, length=30.0, steps=None)]
    found = pace.usual(past, 31.0, 50)
    assert found is not None
    assert 18 < found[0] <= 20 <= found[1] < 25
    assert pace.usual(past, 190.0, 50) is None
    assert pace.usual(past, 30.0, 100) is None


def test_a_service_that_tells_nothing_is_not_asked_before_a_job_can_be_done() -> None:
    silent = Share(spare=40, jobs=8, per_minute=40, silent=True)
    assert next_poll(Seen(age=0.1), [20.0] * 30, silent, 0.5) > 17
    assert next_poll(Seen(age=0.1, usual=(30.0, 40.0)), [], silent, 0.5) == pytest.approx(29.9 + 1.0), "a little in"
    assert next_poll(Seen(age=0.1), [20.0] * 30, Share(spare=40, jobs=8, per_minute=40), 0.5) == 1.0


def test_looks_that_come_late_do_not_draw_what_is_usual_with_them() -> None:
    """Each job is noticed after its time began; what is learned of that must not begin ever later."""
    done = Simulation(8, False, 5, follows=0.3).run(600)
    assert statistics.mean(done.delays[-400:]) <= 3.3


def test_one_late_notice_does_not_spoil_what_is_usual() -> None:
    past = [pace.Past(seconds=value, length=30.0, steps=50) for value in (20.0, 21.0, 22.0, 95.0)]
    found = pace.usual(past, 30.0, 50)
    assert found is not None
    assert found[1] < 25
