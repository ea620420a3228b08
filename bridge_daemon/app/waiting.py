"""A bridge that waits for the database of its studio: it answers, to commands and to the page, that it waits for it.

It has no journal yet, and no ear for DAWs: what they press then is not taken, and nothing is sent later by surprise.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING, Any, NoReturn, cast

from bridge_daemon import __version__
from bridge_daemon.errors import StudioAway
from bridge_daemon.frontends.http.events import EventHub
from bridge_daemon.frontends.http.server import ApiServer
from bridge_daemon.home.paths import Home
from bridge_daemon.home.runtime import Runtime
from bridge_daemon.settings.sections import Http
from bridge_daemon.studio.waiting import Patience

if TYPE_CHECKING:
    from bridge_daemon.actions.bridge import Actions


class Waiting:
    """Waits, and answers meanwhile. An async context manager; nothing is opened before the first wait."""

    def __init__(self, home: Home, settings: Http, token: str, give_up: asyncio.Event) -> None:
        """``give_up`` is set when the bridge is to end."""
        self._home = home
        self._patience = Patience(give_up)
        self._said = _Said()
        # every verb of it is answered by what the bridge waits for
        self._api = ApiServer(
            cast("Actions", self._said),
            EventHub(),
            token=token,
            host=settings.host,
            port=settings.port,
            sessions=home.sessions_file,
        )
        self._open = False

    async def __aenter__(self) -> Waiting:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._api.close()
        if self._open:
            self._home.remove_runtime()

    async def wait(self, error: StudioAway) -> None:
        """Return when to try again. Raises the error once it is given up, and PortTaken."""
        self._said.error = error
        if not self._open:
            await self._api.start()
            self._open = True
            self._home.write_waiting(
                Runtime(
                    pid=os.getpid(),
                    http_url=self._api.url,
                    osc_port=None,
                    version=__version__,
                    started_at=time.time(),
                )
            )
        await self._patience.wait(error)


class _Said:
    """In the place of what a bridge can do: all of it says what is waited for."""

    error: StudioAway

    def __getattr__(self, verb: str) -> Any:
        def refuse(*_: object, **__: object) -> NoReturn:
            step = self.error.next_step
            raise StudioAway(f"The bridge waits for the database of its studio. {self.error.message}", next=step)

        return refuse
