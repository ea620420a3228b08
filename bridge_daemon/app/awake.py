"""Keeps the machine awake while a paid job is open: the service forgets it an hour after its end, and laptops sleep."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, Final

from bridge_daemon.domain.job import OPEN, Charge, Job
from bridge_daemon.util.tasks import Tasks

log = logging.getLogger(__name__)
#: The request goes out first: to load and to ask what keeps the machine awake takes the processor from it, s.
_SOON: Final = 0.3
#: Between two jobs of one sitting the machine is not let go and held again, s.
_LINGER: Final = 5.0
#: A job that the service has had for longer has some trouble; the battery is not spent on it, s.
LONGEST: Final = 3 * 3600.0


def _hold() -> AbstractContextManager[Any]:
    """Return what keeps the machine, and not the screen, awake while it is entered. It tells a failure, and goes on."""
    from wakepy import keep  # takes 0.1 s to load, which no start waits for

    return keep.running(on_fail=lambda result: log.info("The machine may go to sleep: %s", result.get_failure_text()))


class Awake:
    """Holds the machine awake while paid jobs are open.

    All is done on one thread of its own: Windows ties the wish to the thread that made it.
    """

    def __init__(self, now: Callable[[], float], hold: Callable[[], AbstractContextManager[Any]] = _hold) -> None:
        """``now`` is UTC, s; ``hold`` is for tests."""
        self._now = now
        self._hold = hold
        self._jobs: set[str] = set()
        self._held: AbstractContextManager[Any] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="awake")
        self._tasks = Tasks("awake")
        self._changed = asyncio.Event()

    def start(self) -> None:
        """Act on what :meth:`changed` is told."""
        self._tasks.start(self._run(), "awake")

    def changed(self, job: Job) -> None:
        """Handle the current state of a job: a listener of the journal, also told of the open jobs at the start."""
        young = self._now() - (job.submitted_at or self._now()) < LONGEST
        if job.state in OPEN and job.price and job.charge is not Charge.NONE and young:
            self._jobs.add(job.id)
        else:
            self._jobs.discard(job.id)
        self._changed.set()

    @property
    def holding(self) -> bool:
        """Whether the machine is asked to stay awake."""
        return self._held is not None

    async def close(self) -> None:
        """Let the machine sleep."""
        await self._tasks.close()
        await self._in_thread(self._let_go)
        self._thread.shutdown(wait=True)

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            if self._jobs and self._held is None:
                await asyncio.sleep(_SOON)
                if self._jobs:
                    await self._in_thread(self._enter)
            elif not self._jobs and self._held is not None:
                await asyncio.sleep(_LINGER)
                if not self._jobs:
                    await self._in_thread(self._let_go)

    async def _in_thread(self, work: Callable[[], None]) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except Exception:
            log.exception("The machine could not be told to stay awake")

    def _enter(self) -> None:
        held = self._hold()
        held.__enter__()
        self._held = held

    def _let_go(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            held.__exit__(None, None, None)
