"""The threads of one watched folder: whatever touches its disk runs there, so that a slow disk holds up no other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
_THREADS: Final = 3


class Threads:
    """A few threads; calling it runs work on one of them."""

    def __init__(self) -> None:
        """Start none yet."""
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="folders")

    async def __call__(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run work and return what it returns."""
        return await self.begin(work, *args, **kwargs)

    def begin(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Begin work that goes on when nobody waits for it any more."""
        return asyncio.get_running_loop().run_in_executor(self._pool, lambda: work(*args, **kwargs))

    def close(self) -> None:
        """Take no more work; a thread that hangs on a dead disk is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)
