"""Ableton Link as a transport: the tempo of the session, and whether it plays.

Link tells no position: peers share the tempo, the beat and, where they agree to it, start and stop, and each has a song
of its own. So it fills in the tempo where a client tells none. It is spoken only while `[clock] link` says so, and used
only while there is a peer: alone, the tempo would be our own.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Callable
from typing import Any, Final

from bridge_daemon.clock.transport import LIMITS, LINK, Clock
from bridge_daemon.settings.load import Settings
from bridge_daemon.util.tasks import Tasks

log = logging.getLogger(__name__)
_LOOK: Final = 0.1  # s between two looks
#: The tempo that a session begins with when the bridge is the first in it, BPM.
_FIRST: Final = 120.0
MISSING: Final = (
    "[clock] link is on, but the package that speaks it is not installed: pip install 'daw-bridge[link]'. "
    "All else works; nothing was sent or spent."
)


class LinkSource:
    """Listens to a Link session and feeds the Clock. An intake, as far as the daemon is concerned."""

    name = "link"

    def __init__(self, clock: Clock, settings: Callable[[], Settings]) -> None:
        """Nothing is joined before :meth:`start`."""
        self._clock = clock
        self._settings = settings
        self._link: Any = None
        self._tasks = Tasks("Link")  # of this session
        self._problem = ""

    async def start(self) -> None:
        """Join, where the settings say so. Without the package that is told, and is no error."""
        await self.configure()

    async def configure(self) -> None:
        """Join or leave, as the settings say now."""
        wanted = self._settings().clock.link
        if wanted and self._link is None:
            self._join()
        elif not wanted:
            await self.close()

    def _join(self) -> None:
        try:
            aalink = importlib.import_module("aalink")
        except ImportError:
            if not self._problem:
                log.warning("%s", MISSING)
            self._problem = MISSING
            return
        self._problem = ""
        self._link = aalink.Link(_FIRST)
        self._link.start_stop_sync_enabled = True
        self._link.enabled = True
        self._tasks = Tasks("Link")
        self._tasks.start(self._watch(), "link")

    async def close(self) -> None:
        """Leave the session."""
        await self._tasks.close()
        link, self._link = self._link, None
        self._problem = ""
        if link is not None:
            link.enabled = False

    async def _watch(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(_LOOK)

    def look(self) -> None:
        """Tell the Clock how the session is; nothing while nobody else is in it."""
        link = self._link
        if link is None or link.num_peers == 0:
            return
        tempo = round(float(link.tempo), 3)  # peers keep the length of a beat in whole microseconds
        told = {"tempo": tempo} if LIMITS["tempo"].allows(tempo) else {}
        self._clock.update(LINK, told | {"playing": bool(link.playing)})

    def about(self) -> dict[str, Any]:
        """Return what the status tells of it."""
        if self._link is None:
            return {"enabled": False} | ({"problem": self._problem} if self._problem else {})
        peers = int(self._link.num_peers)
        return {"enabled": True, "peers": peers} | ({"tempo": round(float(self._link.tempo), 2)} if peers else {})
