"""Notices that something appeared below the inboxes. What appeared, and whether it counts, is found by looking."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.api import BaseObserver

from bridge_daemon.util import watching

log = logging.getLogger(__name__)


class _NotAtTheEnd(logging.Filter):
    """Drops the error that watchdog logs of its own threads each time it is stopped."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "called when the thread is inactive" not in record.msg


logging.getLogger("watchdog.observers.inotify").addFilter(_NotAtTheEnd())

_EVENTS: Final[list[type[FileSystemEvent]]] = [
    FileCreatedEvent,
    FileMovedEvent,
    FileClosedEvent,
    DirCreatedEvent,
    DirMovedEvent,
    DirDeletedEvent,
]


class InboxWatch(FileSystemEventHandler):
    """Calls ``seen`` on the event loop with the client whose folder something appeared in."""

    def __init__(self, inbox: Path, seen: Callable[[str], None]) -> None:
        """Prepare; :meth:`start` begins to watch."""
        self._inbox = inbox
        self._depth = 0  # parts of its path, as the system names it in events
        self._seen = seen
        self._loop: asyncio.AbstractEventLoop | None = None
        self._observer: BaseObserver | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> str:
        """Watch from now on, and return an empty text, or why that is not possible. Called in a thread."""
        self._loop = loop
        inbox = self._inbox.resolve()  # the system tells of it by the way through all links
        self._depth = len(inbox.parts)
        observer: BaseObserver | None = None
        try:
            observer = watching.observer()
            observer.schedule(self, str(inbox), recursive=True, event_filter=_EVENTS)
            observer.start()
        except OSError as error:  # the system gives no more watches
            if observer is not None:
                observer.stop()  # also where it never ran: its emitter has a thread of its own
            return f"the folders cannot be watched ({error.strerror or error})"
        self._observer = observer
        return ""

    def stop(self) -> None:
        """Watch no more. Called in a thread."""
        self._loop = None
        observer, self._observer = self._observer, None
        if observer is not None:
            observer.stop()
            observer.join()

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Handle an event, on watchdog's thread."""
        path = os.fsdecode(event.dest_path or event.src_path)
        steps = Path(path).parts[self._depth :]
        loop = self._loop
        if not steps or steps[0].startswith(".") or loop is None:
            return  # what we claimed ourselves
        if len(steps) > 2 or (len(steps) == 2 and steps[1].endswith(".tmp")):
            return  # what is being written, or nothing that counts
        try:
            loop.call_soon_threadsafe(self._seen, steps[0])
        except RuntimeError:  # the loop has just been closed
            log.debug("An event came after the end")
