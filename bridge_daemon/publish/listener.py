"""The second listener: serves published sources under unguessable names, and nothing else.

A tunnel or proxy may point here, never at the API. Whoever has the name has the file: that is what the service needs.
It has a small share of connections of its own: if all are taken, the oldest that is given no file makes room.
"""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bridge_daemon.errors import NotPublished, PortTaken
from bridge_daemon.util.loading import load
from bridge_daemon.util.port_holder import port_taken

if TYPE_CHECKING:
    from aiohttp import web

    from bridge_daemon.publish.serving import Server

_GOODBYE: Final = 1.0  # s
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
        self._server: Server | None = None
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
        await load("bridge_daemon.publish.serving")
        from bridge_daemon.publish.serving import Server

        server = Server(self._serve)
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
        from bridge_daemon.publish.serving import Answer, File

        kind, _, name = request.path.removeprefix("/").partition("/")
        served = self._served.get(name) if kind == "source" and request.method in ("GET", "HEAD") else None
        if served is None or served.until < time.time():
            return Answer(status=404)
        assert self._server is not None
        with self._server.giving(request):
            if isinstance(served.content, bytes):
                return Answer(body=served.content, headers=_HEADERS)
            if not await asyncio.to_thread(served.content.is_file):
                return Answer(status=404)
            answer = File(served.content, headers=_HEADERS)
            await answer.prepare(request)  # all of it is sent here
            return answer
