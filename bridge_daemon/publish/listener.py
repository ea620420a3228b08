"""The second listener: serves published sources under unguessable names, and nothing else.

A tunnel or proxy may point here, never at the API. Whoever has the name has the file: that is what the service needs.
"""

from __future__ import annotations

import math
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from bridge_daemon.errors import PortTaken

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
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen. Raises PortTaken."""
        app = web.Application(client_max_size=1024)
        app.router.add_get("/source/{capability}", self._serve)  # answers HEAD too
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self.port).start()
        except OSError as error:
            await runner.cleanup()
            raise PortTaken(
                f"Port {self.port} ([publish] source_port), where sources are served to the service, is taken."
            ) from error
        self._runner = runner
        self.port = runner.addresses[0][1]

    async def close(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

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

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        served = self._served.get(request.match_info["capability"])
        if served is None or served.until < time.time():
            raise web.HTTPNotFound
        if isinstance(served.content, bytes):
            return web.Response(body=served.content, headers=_HEADERS)
        if not served.content.is_file():
            raise web.HTTPNotFound
        return web.FileResponse(served.content, headers=_HEADERS)
