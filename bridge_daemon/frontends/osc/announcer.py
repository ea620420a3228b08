"""Delivery by OSC: how far a client's jobs are, and their takes, said again until the client confirms.

UDP loses what it likes, and clients come and go. What is due stands in the journal alone; here is only what was said
already and when to say it again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from bridge_daemon.domain import views
from bridge_daemon.domain.job import Job, State
from bridge_daemon.frontends.osc.wire import Float32, decimal
from bridge_daemon.pipeline.confirm import is_due
from bridge_daemon.util.tasks import Tasks

log = logging.getLogger(__name__)

#: A result is said again after these, s; then at each hello.
REPEATS: Final = (1.0, 2.0, 4.0, 8.0)
#: What is measured after a result was said is said after these, s.
MEASURED: Final = (0.0, 1.0, 4.0)
#: Progress of one job in any second. The last one is kept for a new state.
MOST_A_SECOND: Final = 4
#: Results that one hello is answered with; those said least often go first.
MOST_A_HELLO: Final = 32
_SECOND = 1.0
_REMEMBERED: Final = 1000  # jobs whose progress or failure was said
_FAILURES: Final = frozenset({State.FAILED, State.REFUSED, State.UNKNOWN})

Send = Callable[[str, str, Mapping[str, Any]], bool]
_T = TypeVar("_T")


class Takes(Protocol):
    """What is asked of the daemon's actions."""

    async def undelivered(self, client: str) -> list[Job]:
        """Return the jobs whose take a client has not confirmed."""
        ...

    def bring(self, job: str) -> None:
        """Bring a take to its folder; ``ready`` is called then."""
        ...


@dataclass(slots=True)
class _Due:
    """A result that its client has not confirmed yet."""

    job: Job
    file: Path
    said: int = 0
    timer: asyncio.TimerHandle | None = None

    def stop(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


@dataclass(slots=True)
class _Progress:
    """What was said of a job on its way."""

    job: Job
    said: tuple[Any, ...] = ()
    times: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_A_SECOND))
    timer: asyncio.TimerHandle | None = None

    def wait(self, now: float, most: int) -> float:
        """Return the seconds until one more may be said."""
        return max(0.0, self.times[-most] + _SECOND - now) if len(self.times) >= most else 0.0

    def stop(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class Announcer:
    """Tells clients what becomes of their jobs."""

    def __init__(self, takes: Takes, send: Send, *, silent: Callable[[], bool] = lambda: False) -> None:
        """``send`` says whether the client is connected; while it is ``silent`` no results are announced."""
        self._takes = takes
        self._send = send
        self._silent = silent
        self._held_back = False  # a result was not said
        self._due: dict[str, _Due] = {}
        self._progress: dict[str, _Progress] = {}
        self._failed: dict[str, tuple[State, int]] = {}
        self._unmeasured: dict[str, None] = {}  # jobs whose result was said without what is measured
        self._missed: dict[str, list[dict[str, Any]]] = {}  # failures, for clients that were not there
        self._bringing: set[str] = set()  # clients
        self._tasks = Tasks("OSC results")

    async def close(self) -> None:
        """Say nothing more."""
        await self._tasks.close()

    # From the journal

    def changed(self, job: Job) -> None:
        """Handle a committed change of a job."""
        if job.client is None:
            return
        due = self._due.get(job.id)
        if due is not None and (not is_due(job) or due.job.delivery != job.delivery):
            due.stop()
            del self._due[job.id]
        self._tell_measured(job)
        self._tell_progress(job)
        self._tell_failure(job)

    def _tell_progress(self, job: Job) -> None:
        known = self._progress.pop(job.id, None)
        if job.state is State.PLACED:
            if known is not None:
                known.stop()
            return
        known = self._progress[job.id] = known or _Progress(job)  # as the last
        known.job = job
        _forget_old(self._progress)
        if known.timer is None:
            self._next_progress(known)

    def _next_progress(self, known: _Progress) -> None:
        """Say how far a job is, now or as soon as it may be said."""
        known.timer = None
        job = known.job
        told = (job.state, job.fraction, views.what_happens(job))
        if told == known.said:
            return
        loop = asyncio.get_running_loop()
        new_state = not known.said or known.said[0] is not job.state
        wait = known.wait(loop.time(), MOST_A_SECOND if new_state else MOST_A_SECOND - 1)
        if wait > 0:
            known.timer = self._tasks.after(wait, self._next_progress, known)
            return
        known.said = told
        known.times.append(loop.time())
        self._send(job.client or "", "/bridge/progress", progress_pairs(job))

    def _tell_measured(self, job: Job) -> None:
        """Say what was measured of a take after its result was said; UDP may lose one."""
        if job.grid is None or job.id not in self._unmeasured:
            return
        del self._unmeasured[job.id]
        due = self._due.get(job.id)
        if due is not None:
            due.job = job  # what is said again tells it, too
        for seconds in MEASURED:
            self._tasks.after(seconds, self._say_measured, job)

    def _say_measured(self, job: Job) -> None:
        self._send(job.client or "", "/bridge/measured", measured_pairs(job))

    def _tell_failure(self, job: Job) -> None:
        unplaced = job.state is State.STORED and job.wanted and job.delivery > 0 and not is_due(job)
        if job.state not in _FAILURES and not unplaced:
            self._failed.pop(job.id, None)
            return
        if self._failed.get(job.id) == (job.state, job.delivery):
            return
        self._failed[job.id] = (job.state, job.delivery)
        _forget_old(self._failed)
        client, pairs = job.client or "", failed_pairs(job)
        if not self._send(client, "/bridge/failed", pairs):
            missed = self._missed.setdefault(client, [])
            missed.append(pairs)
            del missed[:-MOST_A_HELLO]
            _forget_old(self._missed)

    # Results

    def ready(self, job: Job, file: Path) -> None:
        """Announce a take that lies whole where it belongs."""
        if job.client is None or not is_due(job):
            return
        known = self._due.get(job.id)
        if known is not None and known.job.delivery == job.delivery:
            known.job, known.file = job, file
            if known.timer is None:
                self._say(known)
            return
        if known is not None:
            known.stop()
        progress = self._progress.get(job.id)
        if progress is not None:
            progress.stop()  # what it waits to say is older than this
        self._due[job.id] = due = _Due(job, file)
        self._repeat(due, 0)

    def _repeat(self, due: _Due, number: int) -> None:
        due.timer = None
        self._say(due)
        if number < len(REPEATS):
            due.timer = self._tasks.after(REPEATS[number], self._repeat, due, number + 1)

    def _say(self, due: _Due) -> None:
        if self._silent():
            self._held_back = True
            return
        if self._send(due.job.client or "", "/bridge/result", result_pairs(due.job, due.file)):
            due.said += 1
            if due.job.grid is None:
                self._unmeasured[due.job.id] = None
                _forget_old(self._unmeasured)

    def go_on(self) -> None:
        """The silence is over, if there was one: announce what is due from the beginning."""
        if not self._held_back:
            return
        self._held_back = False
        for due in self._due.values():
            due.stop()
            self._repeat(due, 0)

    def hello(self, client: str) -> None:
        """Say what a client has missed, and once more what it has not confirmed."""
        for pairs in self._missed.pop(client, []):
            self._send(client, "/bridge/failed", pairs)
        if client not in self._bringing:
            self._bringing.add(client)
            self._tasks.start(self._bring(client), f"results for {client}", then=lambda: self._bringing.discard(client))

    async def _bring(self, client: str) -> None:
        jobs = await self._takes.undelivered(client)
        jobs.sort(key=self._times_said)  # stable: the oldest first
        for job in jobs[:MOST_A_HELLO]:
            due = self._due.get(job.id)
            if due is None:  # of an earlier life of the daemon
                self._takes.bring(job.id)
            elif due.timer is None:
                self._say(due)

    def _times_said(self, job: Job) -> int:
        due = self._due.get(job.id)
        return due.said if due is not None else 0


def _forget_old(known: dict[str, _T]) -> None:
    while len(known) > _REMEMBERED:
        old = known.pop(next(iter(known)))
        if isinstance(old, _Progress):
            old.stop()


def progress_pairs(job: Job) -> dict[str, Any]:
    """Return what /bridge/progress tells."""
    told = views.progress(job)
    return told | {"fraction": Float32(job.fraction), "text": told["text"][:500]}


def failed_pairs(job: Job) -> dict[str, Any]:
    """Return what /bridge/failed tells."""
    told = views.failure(job)
    return told | {"message": told["message"][:1500]}


def result_pairs(job: Job, file: Path) -> dict[str, Any]:
    """Return what /bridge/result tells: the take, and all of its place."""
    place = job.stands.as_dict()
    numbers = {key: decimal(value) for key, value in place.items() if isinstance(value, float)}
    told = _flat(views.take(job, file))
    return told | {"notes": (told["notes"] or "")[:1000] or None} | place | numbers


def measured_pairs(job: Job) -> dict[str, Any]:
    """Return what /bridge/measured tells."""
    return _flat(views.measured(job))


def _flat(told: dict[str, Any]) -> dict[str, Any]:
    """Return what is told with the keys of its grid as ``grid.tempo`` and so on; numbers are decimal text."""
    grid = {f"grid.{key}": value for key, value in (told["grid"] or {}).items()}
    flat = {key: value for key, value in told.items() if key != "grid"} | grid
    return {key: decimal(value) if isinstance(value, float) else value for key, value in flat.items()}
