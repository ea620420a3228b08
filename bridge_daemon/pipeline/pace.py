"""When to ask for a job again: one pure function, so that it can be reasoned about and simulated.

Early notice costs requests, and all jobs share one rate budget. So: ask seldom while a job cannot be done yet, often
around the time when it will be, and ever less often when it is overdue or the service is in trouble.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: Never more often than this, s.
FLOOR = 0.3
#: When to ask for the first time, s.
FIRST = 1.0
#: What a generation takes if nothing is known yet, s.
USUAL = (8.0, 60.0)
#: Longest pause while the service is in trouble or a job is hours old, s. It keeps finished jobs for an hour.
LONGEST = 60.0
#: Fewer earlier durations than this widen what is usual; from here on they replace it.
_ENOUGH = 20
#: So many earlier jobs of the same length and steps say what is usual by themselves.
_ENOUGH_ALIKE = 4
#: Lengths that are as good as the same, as a factor.
_ALIKE = 1.15
#: A job that took longer was waited for by a machine that slept, s.
_NONSENSE = 900.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What was seen of a job so far."""

    age: float  # s since it was submitted
    samples: Sequence[tuple[float, float]] = ()  # (age in s, fraction 0..1) of the polls that told a progress
    errors: int = 0  # polls in a row that failed
    usual: tuple[float, float] | None = None  # s between which jobs like this one finished before


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """What of the rate budget there is for this job."""

    spare: int  # polls that could be sent at once
    jobs: int  # jobs that are polled
    per_minute: int  # polls that all jobs may send in a minute
    silent: bool = False  # the service was asked often enough, and never told how far a job is


@dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """How long an earlier job took, and what was asked of it."""

    seconds: float
    length: float  # s of audio
    steps: int | None


def usual(past: Sequence[Past], length: float, steps: int | None) -> tuple[float, float] | None:
    """Return between which ages, in s, jobs of this length and these steps finished; None if too few are known."""
    alike = [
        one.seconds
        for one in past
        if one.seconds < _NONSENSE and one.steps == steps and 1 / _ALIKE <= one.length / length <= _ALIKE
    ]
    if len(alike) < _ENOUGH_ALIKE:
        return None
    # what is known is when each was noticed, which may be late: the soonest half of them is nearer to the truth
    low, middle = min(alike), sorted(alike)[(len(alike) - 1) // 2]
    reach = middle - low + 0.04 * middle
    # and room below the least, or the first look, a little after it, would draw it up from job to job
    return max(0.0, low - 0.06 * middle), middle + reach


def next_poll(seen: Seen, earlier: Sequence[float], share: Share, dice: float) -> float:
    """Return the seconds until the next poll of a job.

    ``earlier`` holds how long the model's jobs took before, in seconds; ``dice`` is random in 0..1 and spreads the
    retries of many jobs. Where progress is told, the end is estimated from it; else from the earlier durations.
    """
    if seen.errors:
        return min(LONGEST, 0.5 * 2.0 ** min(seen.errors, 10)) * (0.5 + dice / 2)
    jobs = max(1, share.jobs)
    own = share.spare / jobs
    steady = 60 * jobs / share.per_minute
    soonest, latest = seen.usual or _range(earlier)
    left = _remaining(seen)
    if left is not None:
        # the nearer the end, the better the estimate: come back a little before it, then ask often
        if left > 1.5 * FLOOR:
            # and never trust a coarse progress for long while there are requests to spare
            return min(left * 0.9 if own > 4 else left + 0.1, max(2 * FLOOR, 2 * steady / max(own / 8, 1.0)))
        return max(FLOOR, steady / 4 if own > 1 else steady / 2)
    if seen.samples and seen.age < soonest:  # progress is told, and too little of it: two polls give a line
        return max(FLOOR, min(soonest / 2, steady))
    if seen.usual and (share.silent or seen.age >= soonest) and seen.age <= 2 * latest - soonest:
        # each job is asked for in its own time only, so half of its part of a minute is spent there
        pause = max(FLOOR, 2 * (latest - soonest) * jobs / share.per_minute, 0.0 if own > 1 else steady / 4)
        # hardly a job is done when its time begins, so the first look comes a little later
        return pause if seen.age >= soonest else soonest - seen.age + pause / 4
    if share.silent and jobs > 1 and seen.age < soonest:
        return max(FLOOR, soonest - seen.age)  # to ask before would tell nothing
    if seen.age < 1:
        return FIRST  # tells whether this service reports progress, and catches one that is fast
    if seen.age < soonest:
        return max(FLOOR, min(soonest - seen.age, 5.0))
    if seen.age <= latest:
        # an even pace that can be kept up; asking in bursts leaves nothing for the next job
        return max(FLOOR, 0.9 * steady)
    overdue = seen.age - latest
    return min(max(steady, overdue / 20), 15.0 if seen.age < 3600 else LONGEST)


def _range(earlier: Sequence[float]) -> tuple[float, float]:
    """Return between which ages, in s, a job is likely to finish."""
    told = [seconds for seconds in earlier if seconds < _NONSENSE]
    if not told:
        return USUAL
    soonest, latest = 0.9 * min(told), 1.1 * max(told) + 1
    if len(told) < _ENOUGH:
        return min(soonest, USUAL[0]), max(latest, USUAL[1])
    return soonest, latest


def _remaining(seen: Seen) -> float | None:
    """Return the estimated seconds until the job is done, None if progress says nothing yet."""
    moved = [(age, fraction) for age, fraction in seen.samples if fraction > 0]
    if not moved or moved[-1][1] < 0.02:
        return None
    (first_age, first), (last_age, last) = moved[0], moved[-1]
    if len(moved) > 1 and last == moved[-2][1]:
        return None  # it stands, or is told in coarse steps: no line can be drawn through that
    rate = (last - first) / max(last_age - first_age, 0.1) if last > first else last / max(last_age, 0.1)
    return max(0.0, (1 - last) / rate - (seen.age - last_age))
