"""Wait for what comes in its own time. Processes of tests import this: nothing large is imported here."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

#: s; what comes in milliseconds is waited for so long: the machine may do other things, and wine is slow.
PATIENCE = 60.0


async def eventually(look: Callable[[], Any], what: str = "it", *, seconds: float = PATIENCE) -> Any:
    """Return what ``look``, which may be a coroutine function, finds, once it finds something."""
    try:
        async with asyncio.timeout(seconds):
            while not (found := await told if inspect.isawaitable(told := look()) else told):
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"not within {seconds:g} s: {what}") from None
    return found


def at_last(
    look: Callable[[], Any],
    what: str | Callable[[], str] = "it",
    *,
    seconds: float = PATIENCE,
    meanwhile: Callable[[], object] = lambda: None,
) -> Any:
    """Return what ``look`` finds, once it finds something, where no event loop runs; let others go on ``meanwhile``."""
    end = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s: {what if isinstance(what, str) else what()}")
        meanwhile()
        time.sleep(0.05)
    return found
