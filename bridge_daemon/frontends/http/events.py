"""Events for whoever watches: the page and the command line, as server-sent events.

Nothing depends on an event arriving. The newest events are kept for a watcher that was away for a moment: it names the
last one that it got (``Last-Event-ID``) and gets those after it. ``hello``, the first event of each connection, tells
whether it did; if not, it asks for the jobs again.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

from bridge_daemon import __version__
from bridge_daemon.errors import TooBusy

log = logging.getLogger(__name__)

MOST_WATCHERS: Final = 8
MOST_WAITING: Final = 256  # events that a watcher may be behind
MOST_KEPT: Final = 512  # events, for watchers that come back


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
        self._life = secrets.token_hex(4)  # numbers of another life of the daemon mean nothing here
        self._number = 0
        self._kept: deque[tuple[int, str, Mapping[str, Any]]] = deque(maxlen=MOST_KEPT)

    def __len__(self) -> int:
        return len(self._watchers)

    def publish(self, kind: str, data: Mapping[str, Any]) -> None:
        """Tell every watcher. Never raises and never waits: the work on a paid job must not hang on who looks on."""
        self._number += 1
        self._kept.append((self._number, kind, data))  # written only when somebody asks for it
        if not self._watchers:
            return
        frame = self._frame(self._number, kind, data)
        for watcher in self._watchers:
            watcher.put(frame)

    def _frame(self, number: int, kind: str, data: Mapping[str, Any]) -> bytes:
        """Write one event; empty if it cannot be written."""
        from bridge_daemon.frontends.http.answers import to_json  # there is a watcher, so it is loaded

        try:
            text = to_json(dict(data))
        except (TypeError, ValueError):
            log.exception("An event of kind %s cannot be written as JSON; it was not sent.", kind)
            return b""
        return f"id: {self._life}-{number}\nevent: {kind}\ndata: {text}\n\n".encode()

    def greeting(self, last: str) -> bytes:
        """Return ``hello``, and the events after the one that is named, if all of them are still known."""
        life, _, text = last.partition("-")
        number = int(text) if life == self._life and re.fullmatch(r"[0-9]{1,15}", text) else -1
        first = self._kept[0][0] if self._kept else self._number + 1
        replayed = first - 1 <= number <= self._number
        begin = number if replayed else self._number
        frames = [self._frame(begin, "hello", {"version": __version__, "replayed": replayed})]
        frames += [self._frame(*event) for event in self._kept if event[0] > begin]
        return b"".join(frames)

    def lost(self) -> bytes:
        """Return the event that tells a watcher that it is too far behind."""
        return self._frame(self._number, "lost", {})

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
