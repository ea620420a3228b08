"""The server behind the listener for sources: its connections and its answers. Loaded when something is published."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from aiohttp import web

log = logging.getLogger(__name__)

MOST_CONNECTIONS: Final = 32
_LONGEST: Final = 900.0  # s that one connection may last: 33 MB over a slow line
_TELL_EVERY: Final = 60.0  # s between two lines of the log about too many connections
_OPTIONS: Final[dict[str, Any]] = {
    "access_log": None,
    "logger": log,
    # an idle connection, and one that never brings its headers to an end, is closed after this
    "keepalive_timeout": 10.0,
    "lingering_time": 1.0,
    "auto_decompress": False,
}


class _Nameless(web.StreamResponse):
    """An answer that does not name the software."""

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        self.headers.popall("Server", None)


class Answer(_Nameless, web.Response):
    """A short answer."""


class File(_Nameless, web.FileResponse):
    """A file, sent whole by the first call of :meth:`prepare`: aiohttp calls it again, and has nothing more to send."""

    _is_sent = False

    async def prepare(self, request: web.BaseRequest) -> Any:
        """Send it, once."""
        if self._is_sent:
            return None
        self._is_sent = True
        return await super().prepare(request)


class _Connection(web.RequestHandler):
    """One connection. What is no HTTP gets an empty answer, and nothing of it gets into the log."""

    def handle_error(self, request: web.BaseRequest, status: int = 500, *given: Any, **more: Any) -> web.StreamResponse:
        error = given[0] if given else more.get("exc")
        if isinstance(error, ConnectionError):
            log.info("A reader of a source left in the middle of it.")
        elif status >= 500:
            log.error("The listener for sources made a mistake", exc_info=error)
        answer = Answer(status=status)
        answer.force_close()
        return answer


class Server(web.Server):
    """Accepts so many connections and no more."""

    def __init__(self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> None:
        super().__init__(handler)
        self._transports: dict[web.RequestHandler, asyncio.Transport] = {}  # the oldest first
        self._giving: set[web.RequestHandler] = set()
        self._ends: dict[web.RequestHandler, asyncio.TimerHandle] = {}
        self._told = -math.inf

    def accept(self) -> asyncio.Protocol:
        """Return the protocol of a new connection."""
        if len(self._transports) >= MOST_CONNECTIONS:
            idle = next((one for one in self._transports if one not in self._giving), None)
            if _now() - self._told > _TELL_EVERY:
                self._told = _now()
                log.warning("%d connections to the listener for sources are open", MOST_CONNECTIONS)
            if idle is None:
                return _TurnedAway()
            self._transports.pop(idle).abort()
        return _Connection(self, loop=asyncio.get_running_loop(), **_OPTIONS)

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Count it, for a while."""
        super().connection_made(handler, transport)
        self._transports[handler] = transport
        self._ends[handler] = asyncio.get_running_loop().call_later(_LONGEST, transport.abort)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        """Give its place free."""
        super().connection_lost(handler, exc)
        self._transports.pop(handler, None)
        self._giving.discard(handler)
        if (end := self._ends.pop(handler, None)) is not None:
            end.cancel()

    @contextmanager
    def giving(self, request: web.BaseRequest) -> Iterator[None]:
        """Keep the connection of a request that is given a file."""
        self._giving.add(request.protocol)
        try:
            yield
        finally:
            self._giving.discard(request.protocol)


class _TurnedAway(asyncio.Protocol):
    """A connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        transport.close()


def _now() -> float:
    return asyncio.get_running_loop().time()
