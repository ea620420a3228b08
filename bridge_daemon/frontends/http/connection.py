"""Connections: how many at once, and what is said to those that do not speak HTTP."""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMethod, LineTooLong

from bridge_daemon.errors import BridgeError, Fault, Internal, InvalidRequest, TooBusy, TooLarge, WrongHost, WrongMethod
from bridge_daemon.frontends.http.answers import dress, refusal, to_json
from bridge_daemon.frontends.http.rate_limit import RateLimit

log = logging.getLogger(__name__)

MOST_CONNECTIONS: Final = 32
_MOST_TURNED_AWAY: Final = 32
_PATIENCE: Final = 2.0  # s for one that is turned away to read why
_log_limit: Final = RateLimit()
_OPTIONS: Final[dict[str, Any]] = {
    "access_log": None,
    "logger": log,
    # An idle connection, and one that never brings its headers to an end, is closed after this.
    "keepalive_timeout": 30.0,
    # How long the rest of a refused body is read away, so that its sender gets to read our answer.
    "lingering_time": 2.0,
    # A compressed body is refused, not blown up.
    "auto_decompress": False,
}


class Connection(web.RequestHandler):
    """One connection. What the parser refuses is answered in our shape, and nothing of it gets into the log."""

    #: Called once when the other side goes.
    on_lost: Callable[[], None] | None = None
    #: The caller showed the token or a session, in this request or in one before.
    proved = False
    #: A request of a caller that is proved is being answered.
    at_work = False
    _given_up = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, unless its place was given away before it could."""
        super().connection_made(transport)
        if self._given_up:
            self.give_up()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Write the answer; after that the connection is idle."""
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self.at_work = False

    def give_up(self) -> None:
        """End it now, whatever it waits for."""
        self._given_up = True
        if self.transport is not None:
            self.transport.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Tell whoever waits on this connection."""
        super().connection_lost(exc)
        if self.on_lost is not None:
            self.on_lost()
            self.on_lost = None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what never became a request (400), or went wrong outside of the access middleware (500)."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already")
        if status == 400:
            error, status = _not_http(exc)
            if _log_limit.take():
                log.warning("Refused %s: not a request that HTTP allows (%s)", error.code, type(exc).__name__)
        else:
            error, status = Internal("Something went wrong inside of the bridge."), Internal.status
            log.error("A request failed outside of the access middleware.", exc_info=exc)
        response = refusal(error, status)
        dress(response, "/api")
        response.force_close()
        return response


def _not_http(exc: BaseException | None) -> tuple[BridgeError, int]:
    """Return the error, and its status, for what the parser refused."""
    if isinstance(exc, LineTooLong):
        return TooLarge("The headers are too long.", next="Send shorter headers."), 431
    if isinstance(exc, BadHttpMethod):
        return WrongMethod("There is no such method."), WrongMethod.status
    if "'Host'" in str(getattr(exc, "message", "")):  # the parser itself refuses none, and two, in HTTP/1.1
        return WrongHost("The request must have exactly one Host header."), WrongHost.status
    return InvalidRequest([Fault("request", None, "is not valid HTTP/1.1")]), 400


class Listener(web.Server):
    """Makes a :class:`Connection` of each that is accepted, up to the most that are allowed."""

    def __init__(self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> None:
        super().__init__(handler)
        # Counted when accepted: many are, in one turn of the loop, before the first is known to ``connections``.
        self._transports: dict[web.RequestHandler, asyncio.Transport] = {}
        self._accepted: dict[Connection, None] = {}  # the oldest first
        self._turned_away: weakref.WeakSet[TurnedAway] = weakref.WeakSet()

    def accept(self) -> asyncio.Protocol:
        """Return the protocol of a new connection.

        When all places are taken, the newcomer gets that of the oldest one whose caller has proved nothing, else of the
        oldest that is idle. So whoever only holds connections open holds nobody off; only requests of proved callers
        that are being answered keep their places.
        """
        if len(self._accepted) < MOST_CONNECTIONS or self._make_room():
            connection = Connection(self, loop=asyncio.get_running_loop(), **_OPTIONS)
            self._accepted[connection] = None
            return connection
        mute = len(self._turned_away) >= _MOST_TURNED_AWAY
        turned_away = TurnedAway(self._turned_away.discard, mute=mute)
        if not mute:
            self._turned_away.add(turned_away)
            if _log_limit.take():
                log.warning("Refused E-BUSY: %d connections are open", MOST_CONNECTIONS)
        return turned_away

    def _make_room(self) -> bool:
        free = [connection for connection in self._accepted if not connection.at_work]
        if not free:
            return False
        oldest = next((connection for connection in free if not connection.proved), free[0])
        del self._accepted[oldest]
        oldest.give_up()
        if _log_limit.take():
            log.warning("%d connections were open; the oldest without work was closed.", MOST_CONNECTIONS)
        return True

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Remember it until it is gone."""
        super().connection_made(handler, transport)
        self._transports[handler] = transport

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        """Give its place free."""
        super().connection_lost(handler, exc)
        self._transports.pop(handler, None)
        if isinstance(handler, Connection):
            self._accepted.pop(handler, None)

    async def shutdown(self, timeout: float | None = None) -> None:
        """End every connection, those turned away too."""
        for turned_away in list(self._turned_away):
            turned_away.abort()
        await super().shutdown(timeout)
        await asyncio.sleep(0)
        for transport in self._transports.values():
            transport.abort()  # its reader takes nothing: closing it would wait for the rest to be read


class TurnedAway(asyncio.Protocol):
    """A connection too many: it gets one sentence, or, when there are too many of these too, nothing."""

    def __init__(self, forget: Callable[[TurnedAway], None], *, mute: bool) -> None:
        self._forget = forget
        self._mute = mute
        self._transport: asyncio.Transport | None = None
        self._end: asyncio.TimerHandle | None = None
        self._answered = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the request, but not for long."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._mute:
            transport.abort()
        else:
            self._end = asyncio.get_running_loop().call_later(_PATIENCE, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Answer the first bytes, whatever they are, and read the rest away so that the answer is not lost."""
        if self._answered or self._transport is None or self._transport.is_closing():
            return
        self._answered = True
        self._transport.write(_busy())
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        if self._end is not None:
            self._end.cancel()
        self._forget(self)

    def abort(self) -> None:
        """End it now."""
        if self._transport is not None:
            self._transport.abort()


def _busy() -> bytes:
    error = TooBusy(f"{MOST_CONNECTIONS} connections are open already.")
    body = to_json({"error": error.as_dict()})
    shell = web.Response()
    dress(shell, "/api")
    headers = {name: value for name, value in shell.headers.items() if name != "Content-Type"}
    headers |= {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}
    lines = [f"HTTP/1.1 {TooBusy.status} Service Unavailable", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + f"\r\n\r\n{body}").encode("ascii")
