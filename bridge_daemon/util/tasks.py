"""The one owner of background tasks and timers of a part of the daemon.

``asyncio.TaskGroup`` does not fit: it ends all of its tasks when one of them fails, and must be entered and left by one
task. aiojobs was tried: its spawn has to be awaited, so no callback of a socket can use it, and it has no timers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any
from weakref import WeakSet

log = logging.getLogger(__name__)


async def cancel_and_wait(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait for their end. What they raise belongs to whoever awaits them besides, if anybody does."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Tasks:
    """Start tasks and timers, and end all of them at once.

    A task that fails is logged under the name of its part. Nothing starts any more after :meth:`close`.
    """

    def __init__(self, part: str) -> None:
        """``part`` is what the log calls the owner."""
        self._part = part
        self._tasks: set[asyncio.Task[Any]] = set()
        self._timers: WeakSet[asyncio.TimerHandle] = WeakSet()  # the event loop holds those that are pending
        self.closed = False

    def start(
        self, work: Coroutine[Any, Any, None], name: str, *, then: Callable[[], None] | None = None
    ) -> asyncio.Task[None] | None:
        """Run ``work`` in the background, and call ``then`` once it has ended, however it did. None after close."""
        if self.closed:
            work.close()
            return None
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        if then is not None:
            task.add_done_callback(lambda _: then())
        return task

    def after(self, seconds: float, call: Callable[..., None], *args: object) -> asyncio.TimerHandle | None:
        """Call ``call(*args)`` after some seconds, unless the timer is cancelled before. None after close."""
        if self.closed:
            return None
        timer = asyncio.get_running_loop().call_later(seconds, call, *args)
        self._timers.add(timer)
        return timer

    def __len__(self) -> int:
        """Return how many tasks are running."""
        return len(self._tasks)

    async def close(self, *, patience: float = 0.0) -> None:
        """Cancel every timer, give the tasks ``patience`` seconds to end, and cancel the rest. May be called twice."""
        self.closed = True
        for timer in tuple(self._timers):
            timer.cancel()
        if self._tasks and patience:
            await asyncio.wait(set(self._tasks), timeout=patience)
        await cancel_and_wait(*self._tasks)  # _ended has logged those that failed

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s: the task %s failed", self._part, task.get_name(), exc_info=error)
