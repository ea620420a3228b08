"""Server-sent events: the answer that tells one watcher what the hub is told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from aiohttp import web

from bridge_daemon.frontends.http.answers import dress
from bridge_daemon.frontends.http.connection import Connection
from bridge_daemon.frontends.http.events import EventHub

log = logging.getLogger(__name__)

KEEP_ALIVE: Final = 15.0  # s
_STALLED: Final = 10.0  # s that a watcher may take nothing at all
_RETRY: Final = b"retry: 1000\n"  # ms, for browsers


async def stream(
    request: web.BaseRequest, hub: EventHub, is_welcome: Callable[[], bool], keep_alive: float = KEEP_ALIVE
) -> web.StreamResponse:
    """Answer with events until the watcher goes, falls behind, is not welcome any more, or the daemon stops."""
    with hub.watch() as watcher:
        greeting = hub.greeting(request.headers.get("Last-Event-ID", ""))  # what comes from now on waits for it
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        dress(response, request.path)
        if isinstance(request.protocol, Connection):
            request.protocol.on_lost = watcher.close  # else a watcher that left is seen only at the next event
        await response.prepare(request)
        with suppress(ConnectionError):
            try:
                await _send(response, _RETRY + greeting)
                while is_welcome():
                    frames = await watcher.next(keep_alive)
                    if watcher.closed:
                        break
                    if watcher.lost:
                        await _send(response, hub.lost())
                        break
                    await _send(response, frames or b": still here\n\n")
            except TimeoutError:
                log.info("A watcher took no events for %d s and was disconnected.", _STALLED)
                if request.transport is not None:
                    request.transport.abort()
        response.force_close()
        return response


async def _send(response: web.StreamResponse, data: bytes) -> None:
    async with asyncio.timeout(_STALLED):
        await response.write(data)
