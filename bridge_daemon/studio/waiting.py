"""A bridge that is started before the database of its studio answers waits for it, and says so."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final

from bridge_daemon.errors import StudioAway

log = logging.getLogger(__name__)
_PAUSE: Final = (0.5, 10.0)  # s
_TOLD: Final = 300.0  # s, until it is said once more


class Patience:
    """Waits between two tries, longer each time, until somebody gives up."""

    def __init__(self, give_up: asyncio.Event) -> None:
        """``give_up`` is set when the bridge is to end."""
        self._give_up = give_up
        self._pause = _PAUSE[0]
        self._told = float("-inf")

    async def wait(self, error: StudioAway) -> None:
        """Return when to try again. Raises the error once it is given up."""
        if time.monotonic() - self._told > _TOLD:
            self._told = time.monotonic()
            log.warning("%s The bridge waits for it, and starts when it answers.", error.message)
        try:
            async with asyncio.timeout(self._pause):
                await self._give_up.wait()
        except TimeoutError:
            self._pause = min(2 * self._pause, _PAUSE[1])
            return
        raise error
