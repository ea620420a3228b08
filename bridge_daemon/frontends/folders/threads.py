"""The threads of one watched folder: whatever touches its disk runs there, so that a slow disk holds up no other."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Collection
from typing import Final, ParamSpec, TypeVar

from bridge_daemon.util.threads import DaemonPool

P = ParamSpec("P")
T = TypeVar("T")
_THREADS: Final = 3
_PIECE: Final = 200  # done in one turn of the event loop: 1 or 2 ms


async def in_pieces(many: Collection[T]) -> AsyncIterator[T]:
    """Go through many things and let the event loop do others in between."""
    things = iter(many)
    while piece := list(itertools.islice(things, _PIECE)):
        for thing in piece:
            yield thing
        await asyncio.sleep(0)


class Threads:
    """A few threads; calling it runs work on one of them."""

    def __init__(self) -> None:
        """Start none yet."""
        self._pool = DaemonPool(_THREADS, "folders")

    async def __call__(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run work and return what it returns."""
        return await self.begin(work, *args, **kwargs)

    def begin(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Begin work that goes on when nobody waits for it any more."""
        return asyncio.get_running_loop().run_in_executor(self._pool, lambda: work(*args, **kwargs))

    def close(self) -> None:
        """Accept no more work; a thread that hangs on a dead disk is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)
