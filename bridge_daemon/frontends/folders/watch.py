"""One folder, watched: the lock in it, and what the system tells of its files. Opening and closing run off the loop.

The system's events only say where to look, and, if it tells (Linux), that a file was closed after it was written.
They are never the only way that something is found: a slow sweep beside them sees what they missed, and does all of
the work if there are none (network folders, no free watch left).
"""

from __future__ import annotations

import logging
import os
import sys
from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from pathlib import Path
from typing import Final

import filelock
from watchdog.events import (
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.api import BaseObserver

from bridge_daemon.frontends.folders import names as names
from bridge_daemon.frontends.folders import scan
from bridge_daemon.util import watching

log = logging.getLogger(__name__)

#: Whether the system says when a file that was written is closed.
CLOSE_EVENTS: Final = sys.platform.startswith("linux")
#: Whether the system tells of all below a folder in any case. watchdog would keep what lies right in it by comparing
#: letters, which are not those of the disk where that takes names apart.
TELLS_ALL: Final = sys.platform == "darwin"
#: Between two sweeps, s: beside events, and without them.
SWEEP: Final = 5.0
SWEEP_ALONE: Final = 2.0
_EVENTS: Final[list[type[FileSystemEvent]]] = [
    FileCreatedEvent,
    FileMovedEvent,
    FileDeletedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    # if nothing tells that a file was closed, what was replaced in its place is told by this alone; on Linux it
    # tells content from time stamps: `touch` opens for writing and closes too
    FileModifiedEvent,
    *([FileClosedEvent] if CLOSE_EVENTS else []),
]


class Hint(Enum):
    """What an event says of a name."""

    #: Something happened to it.
    TOUCHED = auto()
    #: It was removed, or has another name.
    GONE = auto()
    #: It was closed by somebody who could write, or renamed into place: most likely whole.
    CLOSED = auto()
    #: It was closed, and content was written into it: whole, and a new render.
    WRITTEN = auto()
    #: The folder itself.
    FOLDER = auto()


class NotWatchable(Exception):
    """The folder cannot be watched now. The text is a sentence for people; it is tried again."""


class FolderWatch(FileSystemEventHandler):
    """Holds the lock of a folder and collects hints. A new one each time that the folder comes back."""

    def __init__(self, root: Path, told: Callable[[], None]) -> None:
        """``told`` is called, on any thread, when there are hints after there were none."""
        self.root = root
        self._real = ""  # as the system names it in events: through all links
        self._told = told
        self._hints: deque[tuple[Hint, str]] = deque()
        self._written: set[str] = set()  # content was written since the file was last taken; it is not closed yet
        self._lock: filelock.BaseFileLock | None = None
        self._observer: BaseObserver | None = None
        self.identity = (0, 0)
        self.unsafe: str | None = None  # why nothing in it may spend by itself
        self.no_events: str | None = None  # why it is only swept

    def open(self, *, empty_is_away: bool) -> None:
        """Lock the folder, then watch it. Raises NotWatchable; then nothing is left open.

        ``empty_is_away``: renders are known of this path, so an empty folder is the place of a disk that is not there.
        """
        try:
            self.identity = scan.identity(self.root)
            if empty_is_away and scan.is_empty(self.root):
                raise NotWatchable("It is empty, and renders were in it before: its disk may not be there.")
            self.unsafe = scan.who_else_writes(self.root)
        except FileNotFoundError:
            raise NotWatchable("There is no such folder.") from None
        except OSError as error:
            raise NotWatchable(f"It cannot be opened: {error.strerror or error}.") from error
        self._take_lock()
        self._observe()

    def _take_lock(self) -> None:
        lock: filelock.BaseFileLock = filelock.FileLock(self.root / names.LOCK, timeout=0, thread_local=False)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise NotWatchable("Another daw-bridge watches it. It takes the renders there.") from None
        except (OSError, NotImplementedError) as error:
            self.unsafe = f"no lock can be held in it ({getattr(error, 'strerror', None) or error})"
            return
        if isinstance(lock, filelock.SoftFileLock):  # a file alone, which a process that dies leaves behind
            lock.release(force=True)
            self.unsafe = "its disk knows no locks"
            return
        self._lock = lock

    def _observe(self) -> None:
        observer: BaseObserver | None = None
        try:
            observer = watching.observer()
            self._real = os.path.realpath(self.root)
            observer.schedule(self, self._real, recursive=TELLS_ALL, event_filter=_EVENTS)
            observer.start()
        except OSError as error:  # no free watch or instance left, or no such thing for this disk
            self.no_events = error.strerror or str(error)
            if observer is not None:
                observer.stop()
            log.warning("%s is looked at every %g s only: %s", self.root, SWEEP_ALONE, self.no_events)
            return
        self._observer = observer

    def close(self) -> None:
        """Let go of it."""
        observer, self._observer = self._observer, None
        if observer is not None:
            observer.stop()
            observer.join()
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release(force=True)

    @property
    def sweep_every(self) -> float:
        """Seconds between two sweeps."""
        return SWEEP_ALONE if self._observer is None else SWEEP

    def take(self, most: int) -> list[tuple[Hint, str]]:
        """Return the hints that came, oldest first, at most so many."""
        taken: list[tuple[Hint, str]] = []
        while self._hints and len(taken) < most:
            taken.append(self._hints.popleft())
        return taken

    @property
    def has_hints(self) -> bool:
        """Whether there are more."""
        return bool(self._hints)

    def taken(self, name: str) -> None:
        """Say that a file was found whole: what was written into it before tells nothing of what comes next."""
        self._written.discard(name)

    # On the observer's thread

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Keep what matters of an event."""
        source, target = os.fsdecode(event.src_path), os.fsdecode(event.dest_path or b"")
        if event.is_directory:
            if self._depth(source) == 0:
                self._hint(Hint.FOLDER, "")
            return
        name = self._name(source)
        if isinstance(event, FileMovedEvent):
            self._written.discard(name)
            self._hint_of(Hint.GONE, name)
            self._hint_of(Hint.CLOSED, self._name(target))
        elif isinstance(event, FileClosedEvent):
            self._hint_of(Hint.WRITTEN if name in self._written else Hint.CLOSED, name)
            self._written.discard(name)
        elif isinstance(event, FileDeletedEvent):
            self._written.discard(name)
            self._hint_of(Hint.GONE, name)
        elif CLOSE_EVENTS and isinstance(event, FileModifiedEvent):  # one for each write: nobody is woken for it
            if names.is_render(name):
                self._written.add(name)
        else:
            self._hint_of(Hint.TOUCHED, name)

    def _depth(self, path: str) -> int:
        """Return how deep below the folder a path is. Its letters may be others than ours, but not its length."""
        return path.rstrip(os.sep).count(os.sep) - self._real.rstrip(os.sep).count(os.sep)

    def _name(self, path: str) -> str:
        """Return the name of what lies right in the folder; empty for all else."""
        return os.path.basename(path) if self._depth(path) == 1 else ""  # noqa: PTH119 - thousands at once

    def _hint_of(self, hint: Hint, name: str) -> None:
        if name and names.is_ours(name) and names.is_text(name):
            self._hint(hint, name)

    def _hint(self, hint: Hint, name: str) -> None:
        first = not self._hints
        self._hints.append((hint, name))
        if first:
            self._told()
