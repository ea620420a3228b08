"""The server of the HTTP API: sockets on loopback, and the access middleware behind them.

What answers is loaded with the first connection: it is a third of what a start would take, and of the memory of a
daemon that is used by OSC, MIDI and folders alone.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bridge_daemon.actions.bridge import Actions
from bridge_daemon.errors import SettingsInvalid
from bridge_daemon.frontends.http.events import EventHub
from bridge_daemon.frontends.http.sessions import Sessions
from bridge_daemon.util import loopback
from bridge_daemon.util.loading import load
from bridge_daemon.util.port_holder import port_taken
from bridge_daemon.util.tasks import Tasks
from bridge_daemon.util.times import Times

if TYPE_CHECKING:
    from bridge_daemon.frontends.http.access import AccessMiddleware
    from bridge_daemon.frontends.http.connection import Listener
    from bridge_daemon.frontends.http.routing import Api

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
        timeout: float | None = None,
    ) -> None:
        """Prepare; ``start`` opens the port. ``sessions`` is where those of browsers are kept over a restart.

        ``times`` and ``timeout`` are for tests.
        """
        self._actions = actions
        self._hub = hub
        self._sessions = Sessions(times or Times(), sessions)
        self._token = token
        self._timeout = timeout
        self._api: Api | None = None
        self._access: AccessMiddleware | None = None
        self._waiting = Tasks("HTTP")
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
        await self._sessions.load(self._token)
        sockets = _open(*self._wanted)
        host, port = sockets[0].getsockname()[:2]
        self._waiting = Tasks("HTTP")
        loop = asyncio.get_running_loop()
        for sock in sockets:
            self._servers.append(await loop.create_server(self._accept, sock=sock, backlog=_AT_ONCE))
            sock.listen(_BACKLOG)  # the queue of the system stays long
        self._address = (host, port)
        return self._address

    def _accept(self) -> asyncio.Protocol:
        return self._listener.accept() if self._listener is not None else _Doorway(self)

    async def ready(self) -> Listener:
        """Load what answers, and return what takes connections. Only while running."""
        await load("bridge_daemon.frontends.http.route_table", "bridge_daemon.frontends.http.access")
        if self._listener is None:
            from bridge_daemon.frontends.http.access import HANDLER_TIMEOUT, AccessMiddleware
            from bridge_daemon.frontends.http.connection import Listener
            from bridge_daemon.frontends.http.route_table import ROUTES
            from bridge_daemon.frontends.http.routing import Api

            if self._address is None:
                raise RuntimeError("the server is not running")
            self._api = Api(self._actions, self._hub, self._sessions, self._token, routes=ROUTES)
            self._access = AccessMiddleware(ROUTES, self._api, timeout=self._timeout or HANDLER_TIMEOUT)
            self._access.open_on(self._address[1])
            self._listener = Listener(self._access)
        return self._listener

    @property
    def url(self) -> str:
        """The ``http_url`` for runtime.json. Only while running."""
        if self._address is None:
            raise RuntimeError("the server is not running")
        host, port = self._address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def change_token(self, token: str) -> None:
        """Take another token; every session that came from the old one is over."""
        if token != self._token:
            self._token = token
            self._sessions.end_all()
            if self._api is not None:
                self._api.token = token

    async def close(self) -> None:
        """Close the port, the streams and the connections, at once; fine when it never started."""
        self._hub.close()
        servers, self._servers = self._servers, []
        listener, self._listener = self._listener, None
        self._address = None
        for server in servers:
            server.close()
        await self._waiting.close()
        if listener is not None:
            await asyncio.sleep(0)  # streams that were told to end do so before connections are counted as idle
            listener.pre_shutdown()
            await listener.shutdown(_GRACE)
        for server in servers:
            await server.wait_closed()


class _Doorway(asyncio.Protocol):
    """A connection that came before what answers was loaded: it waits for that, and is read then."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._came: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        if self._server._waiting.start(self._enter(transport), "connection") is None:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        self._came.append(data)  # some transports had begun to read

    async def _enter(self, transport: asyncio.Transport) -> None:
        try:
            protocol = (await self._server.ready()).accept()
        except BaseException:
            transport.abort()
            raise
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        for data in self._came:
            protocol.data_received(data)
        if not transport.is_closing():
            transport.resume_reading()


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
