"""The server of the HTTP API: sockets on loopback, and the access middleware behind them."""

from __future__ import annotations

import asyncio
import logging
import socket
from pathlib import Path
from typing import Final

from bridge_daemon.actions.bridge import Actions
from bridge_daemon.errors import SettingsInvalid
from bridge_daemon.frontends.http.access import HANDLER_TIMEOUT, AccessMiddleware
from bridge_daemon.frontends.http.connection import Listener
from bridge_daemon.frontends.http.events import EventHub
from bridge_daemon.frontends.http.route_table import ROUTES
from bridge_daemon.frontends.http.routing import Api
from bridge_daemon.frontends.http.sessions import Sessions
from bridge_daemon.util import loopback
from bridge_daemon.util.port_holder import port_taken
from bridge_daemon.util.times import Times

log = logging.getLogger(__name__)

#: What [http] host may say. There is no switch for other networks: whoever reaches this port can spend money.
HOSTS: Final = ("127.0.0.1", "localhost", "::1")
#: Connections that are accepted in one turn of the event loop. A newcomer may take the place of one that shows
#: nothing; accepting few at once gives each the time to show its first request.
_AT_ONCE: Final = 4
_BACKLOG: Final = 128
_GRACE: Final = 0.3  # s for answers that are being written when the server stops


class ApiServer:
    """Serves the daemon's verbs and an :class:`EventHub` over HTTP."""

    def __init__(
        self,
        actions: Actions,
        hub: EventHub,
        *,
        token: str,
        host: str,
        port: int,
        sessions: Path | None = None,
        times: Times | None = None,
        timeout: float = HANDLER_TIMEOUT,
    ) -> None:
        """Prepare; ``start`` opens the port. ``sessions`` is where those of browsers are kept over a restart.

        ``times`` and ``timeout`` are for tests.
        """
        self._api = Api(actions, hub, Sessions(times or Times(), sessions), token, routes=ROUTES)
        self._access = AccessMiddleware(ROUTES, self._api, timeout=timeout)
        self._hub = hub
        self._wanted = (host, port)
        self._address: tuple[str, int] | None = None
        self._listener: Listener | None = None
        self._servers: list[asyncio.Server] = []

    async def start(self) -> tuple[str, int]:
        """Open the port and return host and port as bound.

        Raises:
            PortTaken: another program has it.
            SettingsInvalid: the host is not this machine alone.
        """
        await self._api.sessions.load(self._api.token)
        sockets = _open(*self._wanted)
        host, port = sockets[0].getsockname()[:2]
        self._access.open_on(port)
        self._listener = Listener(self._access)
        loop = asyncio.get_running_loop()
        for sock in sockets:
            self._servers.append(await loop.create_server(self._listener.accept, sock=sock, backlog=_AT_ONCE))
            sock.listen(_BACKLOG)  # the queue of the system stays long
        self._address = (host, port)
        return self._address

    @property
    def url(self) -> str:
        """The ``http_url`` for runtime.json. Only while running."""
        if self._address is None:
            raise RuntimeError("the server is not running")
        host, port = self._address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def change_token(self, token: str) -> None:
        """Take another token; every session that came from the old one is over."""
        if token != self._api.token:
            self._api.token = token
            self._api.sessions.end_all()

    async def close(self) -> None:
        """Close the port, the streams and the connections, at once; fine when it never started."""
        self._hub.close()
        servers, self._servers = self._servers, []
        listener, self._listener = self._listener, None
        self._address = None
        for server in servers:
            server.close()
        if listener is not None:
            await asyncio.sleep(0)  # streams that were told to end do so before connections are counted as idle
            listener.pre_shutdown()
            await listener.shutdown(_GRACE)
        for server in servers:
            await server.wait_closed()


def _open(host: str, port: int) -> list[socket.socket]:
    if host not in HOSTS:
        raise SettingsInvalid(
            f"[http] host = {host!r}: the bridge listens on this machine only: one of {', '.join(HOSTS)}.",
            next="Correct [http] host in config.toml.",
        )
    try:
        return loopback.open_sockets(host, port, socket.SOCK_STREAM)
    except OSError as error:
        raise port_taken(f"Port {port} ([http] port)", error, port, "tcp") from error
