"""Events for whoever watches: the page and the command line, as server-sent events.

Nothing depends on an event arriving. A watcher that was away, or was too slow, asks for the jobs again; so no event
is ever kept for it, and ``hello``, the first event of each connection, tells it to do so.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

from aiohttp import web

from bridge_daemon import __version__
from bridge_daemon.errors import TooBusy
from bridge_daemon.frontends.http.answers import dress, to_json
from bridge_daemon.frontends.http.connection import Connection

log = logging.getLogger(__name__)

MOST_WATCHERS: Final = 8
MOST_WAITING: Final = 256  # events that a watcher may be behind
KEEP_ALIVE: Final = 15.0  # s
_STALLED: Final = 10.0  # s that a watcher may take nothing at all
_RETRY: Final = b"retry: 1000\n"  # ms, for browsers


class Watcher:
    """One open connection and what waits to be sent on it."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self.lost = False
        self.closed = False

    def put(self, frame: bytes) -> None:
        """Add an event; a watcher that is too far behind is lost, and what waited for it is let go."""
        if self.closed or self.lost:
            return
        if len(self._waiting) >= MOST_WAITING:
            self.lost = True
            self._waiting.clear()
        else:
            self._waiting.append(frame)
        self._wake.set()

    def close(self) -> None:
        """Send nothing more."""
        self.closed = True
        self._waiting.clear()
        self._wake.set()

    async def next(self, timeout: float) -> bytes:
        """Return all that waits as one piece; empty after ``timeout``, and once it is closed or lost."""
        if not (self._waiting or self.closed or self.lost):
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._wake.wait()
        frames = b"".join(self._waiting)
        self._waiting.clear()
        return frames


class EventHub:
    """Takes events from the daemon and gives them to every watcher. All of it runs on the loop's thread."""

    def __init__(self) -> None:
        self._watchers: set[Watcher] = set()
        self._closed = False
        self._number = 0

    def __len__(self) -> int:
        return len(self._watchers)

    def publish(self, kind: str, data: Mapping[str, Any]) -> None:
        """Tell every watcher. Never raises and never waits: the work on a paid job must not hang on who looks on."""
        if not self._watchers:
            return
        try:
            frame = self.frame(kind, data)
        except (TypeError, ValueError):
            log.exception("An event of kind %s cannot be written as JSON; it was not sent.", kind)
            return
        for watcher in self._watchers:
            watcher.put(frame)

    def frame(self, kind: str, data: Mapping[str, Any]) -> bytes:
        """Write one event, with the next number."""
        text = to_json(dict(data))
        self._number += 1
        return f"id: {self._number}\nevent: {kind}\ndata: {text}\n\n".encode()

    @contextmanager
    def watch(self) -> Iterator[Watcher]:
        """Add a watcher for as long as the block runs."""
        if self._closed:
            raise TooBusy("The bridge is stopping.")
        if len(self._watchers) >= MOST_WATCHERS:
            raise TooBusy(f"{MOST_WATCHERS} watchers are connected already.", next="Close a page of the bridge.")
        watcher = Watcher()
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    def close(self) -> None:
        """End every stream, and take no more watchers."""
        self._closed = True
        for watcher in self._watchers:
            watcher.close()


async def stream(
    request: web.BaseRequest, hub: EventHub, is_welcome: Callable[[], bool], keep_alive: float = KEEP_ALIVE
) -> web.StreamResponse:
    """Answer with events until the watcher goes, falls behind, is not welcome any more, or the daemon stops."""
    with hub.watch() as watcher:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        dress(response, request.path)
        if isinstance(request.protocol, Connection):
            request.protocol.on_lost = watcher.close  # else a watcher that left is seen only at the next event
        await response.prepare(request)
        with suppress(ConnectionError):
            try:
                await _send(response, _RETRY + hub.frame("hello", {"version": __version__}))
                while is_welcome():
                    frames = await watcher.next(keep_alive)
                    if watcher.closed:
                        break
                    if watcher.lost:
                        await _send(response, hub.frame("lost", {}))
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
