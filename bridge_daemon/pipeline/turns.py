"""Turns at work that keeps a processor busy: a few at a time, and one that hangs does not keep the others waiting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Final

#: Who is not done after so long lets the next one begin, s; a machine that can do it makes the longest take in less.
SLOW: float = 5.0
#: So many may be slow beside those whose turn it is: each keeps a thread and a decoder.
_MOST_SLOW: Final = 4


class Turns:
    """Who asks first has the first turn."""

    def __init__(self, at_once: int) -> None:
        """``at_once`` have their turn at a time."""
        self._places = asyncio.Semaphore(at_once + _MOST_SLOW)
        self._free = asyncio.Semaphore(at_once)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, and have it until the block ends; after :data:`SLOW` the next one begins beside it."""
        async with self._places:
            await self._free.acquire()
            with ExitStack() as mine:
                mine.callback(self._free.release)
                timer = asyncio.get_running_loop().call_later(SLOW, mine.close)
                mine.callback(timer.cancel)
                yield
