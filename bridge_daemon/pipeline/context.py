"""What every step works with, and the small things that several steps do."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy.exc import DatabaseError, DataError, IntegrityError, ProgrammingError

from bridge_daemon.audio.workers import WORKERS
from bridge_daemon.domain.job import Job, Problem, State
from bridge_daemon.engine.budget import Budget
from bridge_daemon.engine.choice import Engines
from bridge_daemon.engine.client import PollSession
from bridge_daemon.errors import BridgeError, JournalUnusable
from bridge_daemon.home import library_mark
from bridge_daemon.home.path_policy import PathPolicy
from bridge_daemon.home.paths import Home
from bridge_daemon.journal import Journal
from bridge_daemon.pipeline.measure import Measuring
from bridge_daemon.pipeline.ownership import Alone, Ownership
from bridge_daemon.pipeline.placement import Placement
from bridge_daemon.pipeline.shared import Shared
from bridge_daemon.pipeline.turns import Turns
from bridge_daemon.publish.publisher import Publishers
from bridge_daemon.settings.load import Settings
from bridge_daemon.spending.pause import PauseGate
from bridge_daemon.util.times import Times

log = logging.getLogger(__name__)
T = TypeVar("T")
#: Takes that are made at a time: each keeps a thread and a decoder busy.
_AT_ONCE: Final = max(1, min(3, (os.cpu_count() or 1) // 2))


@dataclass(frozen=True, slots=True)
class Wait:
    """What a step answers: go on with the job after some seconds. None instead: nothing more to do for now."""

    seconds: float = 0.0
    #: Whether others may have the job's place at the service meanwhile.
    free: bool = False


GO_ON = Wait()
Step = Callable[[Job, "StepContext"], Awaitable[Wait | None]]


@dataclass(slots=True)
class JobRuntime:
    """What was seen of one job since this process started. It may be lost: it only sets the pace."""

    seen: tuple[float, float] = (0.0, 0.0)  # when it was first seen: wall clock and monotonic
    born: float | None = None  # monotonic time of the submit, which a clock that is set does not move
    samples: list[tuple[float, float]] = field(default_factory=list)
    errors: int = 0
    missing: int = 0  # answers 404 in a row
    polls: int = 0
    expired: int = 0  # output URLs that had run out
    wasted: int = 0  # bytes that came and were no take
    refused_download: str = ""  # SHA-256 of the last download that was not taken
    deaths: int = 0  # of the decoder of what came
    lost: int = 0  # originals that could not be made into a take


@dataclass(slots=True)
class StepContext:
    """The parts of the daemon that steps use."""

    journal: Journal
    settings: Callable[[], Settings]
    engines: Engines
    publishers: Publishers
    polls: PollSession
    budget: Budget
    roots: Callable[[], PathPolicy]
    home: Home
    library: Callable[[], Path]
    times: Times
    pause: PauseGate
    on_wire: OnWire
    arrivals: Placement
    measuring: Measuring
    ownership: Ownership = field(default_factory=Alone)
    store: Shared | None = None
    watches: dict[str, JobRuntime] = field(default_factory=dict)
    #: Jobs that a transaction writes as being sent, until they are on the wire or it has failed.
    marked: set[str] = field(default_factory=set)
    #: To make a take: more at once make none of them sooner, and take the processor from a press.
    making: Turns = field(default_factory=lambda: Turns(_AT_ONCE))
    #: Answers of a service about a model that told no progress, since this process started; far below 0 once one did.
    silence: dict[tuple[str, str], int] = field(default_factory=dict)
    #: Called with a job and its file once a take was copied to where its client wants it.
    ready: list[Callable[[Job, Path], None]] = field(default_factory=list)

    def watch(self, job: Job) -> JobRuntime:
        """Return what was seen of a job."""
        known = self.watches.get(job.id)
        if known is None:
            seen = (self.times.now(), self.times.monotonic())
            known = self.watches.setdefault(job.id, JobRuntime(seen=seen))
        return known

    def now(self, job: Job) -> float:
        """Return the time, UTC, for the age of a job: a clock that is set back makes no job younger."""
        wall, steady = self.watch(job).seen
        return max(self.times.now(), wall + self.times.monotonic() - steady)

    def age(self, job: Job) -> float:
        """Return the seconds since the submit: by wall time until this process took it up, then by a steady clock."""
        watch = self.watch(job)
        if watch.born is None:
            since = max(0.0, self.times.now() - (job.submitted_at or job.updated_at))
            watch.born = self.times.monotonic() - since
        return self.times.monotonic() - watch.born

    @staticmethod
    def expect_a_take() -> None:
        """Start a decoder ahead: a take is on its way."""
        asyncio.get_running_loop().run_in_executor(None, WORKERS.warm)

    def day_folder(self, job: Job) -> Path:
        """Return the folder that a job's files go into, made if need be: in the library, or in the home without one.

        The take of a library whose disk is not there is paid for, and the service forgets it.
        """
        library = self.library()
        if not library_mark.is_there(library, self.home.path):
            library = self.home.path / "library"
        folder = library / self.times.day_of(job.created_at)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def problem(self, error: BridgeError) -> Problem:
        """Return an error as the problem of a job."""
        return Problem(code=error.code, text=error.message, since=self.times.now(), next=error.next_step)

    async def set_problem(self, job: Job, error: BridgeError | None) -> Job:
        """Write, or clear, the problem of a job."""
        problem = self.problem(error) if error is not None else None
        if problem is None and job.problem is None:
            return job
        return await self.journal.write("problem", lambda tx: tx.set_problem(tx.job(job.id), problem))

    async def hold(self, job: Job, error: BridgeError) -> None:
        """Hold a job that was not sent, for a person to decide."""
        problem = self.problem(error)
        text = "waits for you"
        await self.journal.write(
            "hold", lambda tx: tx.move(job, State.HELD, event=problem.as_dict(), problem=problem, text=text)
        )


class OnWire:
    """The submits whose answer is awaited: they outlive whoever asked for them."""

    def __init__(self) -> None:
        """None yet."""
        self._tasks: set[asyncio.Task[Any]] = set()
        self._presses: set[asyncio.Task[Any]] = set()  # that may begin a submit; nothing of theirs is on the wire yet

    def start(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Run ``work`` as a task that the end of the daemon waits for."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def run(self, work: Coroutine[Any, Any, T], name: str) -> T:
        """Run ``work`` so that cancelling the caller does not cancel it."""
        return await asyncio.shield(self.start(work, name))

    async def press(self, work: Coroutine[Any, Any, T]) -> T:
        """Run an admission that may begin a submit: neither its caller nor :meth:`finish` cuts it off."""
        task = asyncio.create_task(work, name="press")
        self._presses.add(task)
        task.add_done_callback(self._presses.discard)
        return await asyncio.shield(task)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._tasks)

    def __contains__(self, name: str) -> bool:
        """Return whether the one of that name is still running."""
        return any(task.get_name() == name and not task.done() for task in self._tasks)

    async def finish(self, seconds: float) -> None:
        """Wait for them; whatever still waits after ``seconds`` is cut off and becomes unknown."""
        end = asyncio.get_running_loop().time() + seconds
        while self._tasks or self._presses:  # a press that ends may have begun a POST
            left = end - asyncio.get_running_loop().time()
            _, late = await asyncio.wait(self._tasks | self._presses, timeout=max(0.0, left))
            for task in late - self._presses:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


async def until_written(write: Callable[[], Awaitable[T]], what: str) -> T:
    """Write to the journal until it succeeds: what the service said must not be lost to a full disk."""
    pause = 0.2
    while True:
        try:
            return await write()
        except (DatabaseError, JournalUnusable) as error:
            if isinstance(error, IntegrityError | ProgrammingError | DataError):
                raise  # a fault of ours, which does not pass
            log.error("The journal cannot be written; trying again (%s): %s", getattr(error, "orig", error), what)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 10.0)
