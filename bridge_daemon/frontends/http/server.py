"""The server of the HTTP API: one socket on loopback, and the door behind it."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import sys
from typing import Final

from bridge_daemon.errors import PortTaken, SettingsInvalid
from bridge_daemon.frontends.http.access import HANDLER_TIMEOUT, Door
from bridge_daemon.frontends.http.connection import Listener
from bridge_daemon.frontends.http.desk import Desk
from bridge_daemon.frontends.http.events import EventHub
from bridge_daemon.frontends.http.routes import Routes
from bridge_daemon.frontends.http.sessions import Sessions
from bridge_daemon.util.times import Times

log = logging.getLogger(__name__)

#: What [http] host may say. There is no switch for other networks: whoever reaches this port can spend money.
HOSTS: Final = {
    "127.0.0.1": (socket.AF_INET, "127.0.0.1"),
    "localhost": (socket.AF_INET, "127.0.0.1"),
    "::1": (socket.AF_INET6, "::1"),
}
_GRACE: Final = 0.3  # s for answers that are being written when the server stops


class ApiServer:
    """Serves a :class:`Desk` and an :class:`EventHub` over HTTP."""

    def __init__(
        self,
        desk: Desk,
        hub: EventHub,
        *,
        token: str,
        host: str,
        port: int,
        times: Times | None = None,
        timeout: float = HANDLER_TIMEOUT,
    ) -> None:
        """Prepare; ``start`` opens the port. ``times`` and ``timeout`` are for tests."""
        sessions = Sessions(times or Times())
        self._door = Door(Routes(desk, hub, sessions, token).table(), token=token, sessions=sessions, timeout=timeout)
        self._hub = hub
        self._wanted = (host, port)
        self._address: tuple[str, int] | None = None
        self._listener: Listener | None = None
        self._server: asyncio.Server | None = None

    async def start(self) -> tuple[str, int]:
        """Open the port and return host and port as bound.

        Raises:
            PortTaken: another program has it.
            SettingsInvalid: the host is not this machine alone.
        """
        sock = _bind(*self._wanted)
        host, port = sock.getsockname()[:2]
        self._door.open_on(port)
        self._listener = Listener(self._door)
        self._server = await asyncio.get_running_loop().create_server(self._listener.accept, sock=sock)
        self._address = (host, port)
        return self._address

    @property
    def url(self) -> str:
        """The ``http_url`` for runtime.json. Only while running."""
        if self._address is None:
            raise RuntimeError("the server is not running")
        host, port = self._address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def close(self) -> None:
        """Close the port, the streams and the connections, at once; fine when it never started."""
        self._hub.close()
        server, self._server = self._server, None
        listener, self._listener = self._listener, None
        self._address = None
        if server is not None:
            server.close()
        if listener is not None:
            await asyncio.sleep(0)  # streams that were told to end do so before connections are counted as idle
            listener.pre_shutdown()
            await listener.shutdown(_GRACE)
        if server is not None:
            await server.wait_closed()


def _bind(host: str, port: int) -> socket.socket:
    """Return a listening socket that no other program shares."""
    if host not in HOSTS:
        raise SettingsInvalid(
            f"[http] host = {host!r}: the bridge listens on this machine only: one of {', '.join(HOSTS)}.",
            next="Correct [http] host in config.toml.",
        )
    family, address = HOSTS[host]
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            # REUSEADDR would, on Windows, let another program listen on the same port and get our requests
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        elif os.name == "posix":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # else a restart has to wait for a minute
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setblocking(False)
        sock.bind((address, port))
        sock.listen(128)  # here: two that were bound in the same moment are told apart only by this
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(f"Port {port} ([http] port) is taken by another program.") from error
        raise PortTaken(f"Port {port} ([http] port) on {address} cannot be opened: {error.strerror}.") from error
    return sock
