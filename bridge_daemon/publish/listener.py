"""The second listener: serves published sources under unguessable names, and nothing else.

A tunnel or proxy may point here, never at the API. Whoever has the name has the file: that is what the service needs.
It has a small share of connections of its own: if all are taken, the oldest that is given no file makes room.
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from bridge_daemon.errors import NotPublished, PortTaken
from bridge_daemon.util.port_holder import port_taken

log = logging.getLogger(__name__)

MOST_CONNECTIONS: Final = 32
_LONGEST: Final = 900.0  # s that one connection may last: 33 MB over a slow line
_GOODBYE: Final = 1.0  # s
_TELL_EVERY: Final = 60.0  # s between two lines of the log about too many connections
_OPTIONS: Final[dict[str, Any]] = {
    "access_log": None,
    "logger": log,
    # an idle connection, and one that never brings its headers to an end, is closed after this
    "keepalive_timeout": 10.0,
    "lingering_time": 1.0,
    "auto_decompress": False,
}
_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Content-Type": "audio/wav"}


def new_capability() -> str:
    """Return an unguessable name. Its ending tells a service that goes by endings what it is."""
    return f"{secrets.token_urlsafe(32)}.wav"


@dataclass(frozen=True, slots=True)
class _Served:
    content: Path | bytes
    until: float  # UTC


class SourceListener:
    """Serves ``GET|HEAD /source/<capability>`` on loopback."""

    def __init__(self, port: int, *, host: str = "127.0.0.1") -> None:
        """``port`` 0 takes any free one."""
        self.port = port
        self._host = host
        self._served: dict[str, _Served] = {}
        self._server: _Server | None = None
        self._listening: asyncio.Server | None = None
        self._opening = asyncio.Lock()
        self._shut = False

    async def start(self) -> None:
        """Listen, if that is not so already: called when something is to be fetched, not before. Raises PortTaken."""
        async with self._opening:
            if self._listening is None and not self._shut:
                await self._listen()

    async def open(self) -> None:
        """As :meth:`start`, for a source that is to be published. Raises NotPublished; nothing was spent."""
        try:
            await self.start()
        except PortTaken as error:
            raise NotPublished(
                f"{error.message} Nothing was sent and nothing was spent.", next=error.next_step, passing=True
            ) from error

    @property
    def serves(self) -> bool:
        """Whether there is anything that could be fetched."""
        return bool(self._served)

    async def _listen(self) -> None:
        server = _Server(self._serve)
        try:
            self._listening = await asyncio.get_running_loop().create_server(server.accept, self._host, self.port)
        except OSError as error:
            raise await asyncio.to_thread(
                port_taken,
                f"Port {self.port} ([publish] source_port), where sources are served to the service,",
                error,
                self.port,
                "tcp",
            ) from error
        self._server = server
        self.port = self._listening.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening, for good."""
        self._shut = True
        listening, self._listening = self._listening, None
        if listening is not None and self._server is not None:
            listening.close()
            self._server.pre_shutdown()
            await self._server.shutdown(_GOODBYE)
            await listening.wait_closed()

    @property
    def url(self) -> str:
        """Where this machine reaches the listener."""
        return f"http://{self._host}:{self.port}"

    def serve(self, capability: str, file: Path, *, until: float) -> None:
        """Serve a file under a name until a time (UTC, seconds since the epoch)."""
        self._served[capability] = _Served(file, until)

    def serve_bytes(self, capability: str, content: bytes) -> None:
        """Serve a few bytes under a name until it is withdrawn: a probe, by which we know our own tunnel."""
        self._served[capability] = _Served(content, math.inf)

    def withdraw(self, capability: str) -> None:
        """Serve it no more."""
        self._served.pop(capability, None)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        kind, _, name = request.path.removeprefix("/").partition("/")
        served = self._served.get(name) if kind == "source" and request.method in ("GET", "HEAD") else None
        if served is None or served.until < time.time():
            return _Answer(status=404)
        assert self._server is not None
        with self._server.giving(request):
            if isinstance(served.content, bytes):
                return _Answer(body=served.content, headers=_HEADERS)
            if not await asyncio.to_thread(served.content.is_file):
                return _Answer(status=404)
            answer = _File(served.content, headers=_HEADERS)
            await answer.prepare(request)  # all of it is sent here
            return answer


class _Nameless(web.StreamResponse):
    """An answer that does not name the software."""

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        self.headers.popall("Server", None)


class _Answer(_Nameless, web.Response):
    pass


class _File(_Nameless, web.FileResponse):
    """A file, sent whole by the first call of :meth:`prepare`: aiohttp calls it again, and has nothing more to send."""

    _is_sent = False

    async def prepare(self, request: web.BaseRequest) -> Any:
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
        answer = _Answer(status=status)
        answer.force_close()
        return answer


class _Server(web.Server):
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
