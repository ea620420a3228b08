"""The part of watchdog that is written in C on macOS, made up: streams that tell what a test says.

Flags are those of FSEvents.h of macOS (FSEventStreamEventFlags). What FSEvents promises, and a test therefore says:
paths lead through all links (Apple, "File System Events Programming Guide"), with the letters that are on the disk;
a stream tells of everything below its folder, however deep.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

CREATED, REMOVED, META, RENAMED, MODIFIED = 0x100, 0x200, 0x400, 0x800, 0x1000
FOLDER, ROOT_CHANGED = 0x20000, 0x20


@dataclass(frozen=True)
class NativeEvent:
    """One event, with the attributes that watchdog reads."""

    path: str
    inode: int
    flags: int
    event_id: int
    is_owner_change: bool = False
    is_xattr_mod: bool = False

    def __getattr__(self, name: str) -> bool:
        wanted = {
            "is_created": CREATED, "is_removed": REMOVED, "is_inode_meta_mod": META, "is_renamed": RENAMED,
            "is_modified": MODIFIED, "is_directory": FOLDER, "is_root_changed": ROOT_CHANGED,
        }  # fmt: skip
        if name not in wanted:
            raise AttributeError(name)
        return bool(self.flags & wanted[name])


class Stream:
    """A stream of one observer; :meth:`tell` says that something happened."""

    open: list[Stream]

    def __init__(self, paths: list[str], latency: float) -> None:
        self.paths = paths
        self._over = threading.Event()
        self._tell: Callable[..., None] | None = None
        type(self).open.append(self)

    def run(self, callback: Callable[..., None], started: Callable[[], None]) -> None:
        """Run until :meth:`stop`, on the thread of its observer."""
        self._tell = callback
        started()
        self._over.wait()

    def stop(self) -> None:
        """End :meth:`run`."""
        self._over.set()

    def tell(self, *events: tuple[str | Path, int]) -> None:
        """Say that something happened: paths, and flags."""
        assert self._tell is not None
        inodes = [os.lstat(path).st_ino if os.path.lexists(path) else 1 for path, _ in events]
        paths, flags = [str(path) for path, _ in events], [flag for _, flag in events]
        self._tell(paths, inodes, flags, list(range(len(events))))


@contextmanager
def fsevents(monkeypatch: Any) -> Iterator[list[Stream]]:
    """Let folders be watched as on a Mac; yield the streams that were opened."""
    made = ModuleType("_watchdog_fsevents")
    opened: list[Stream] = []
    vars(made).update(Stream=type("Stream", (Stream,), {"open": opened}), NativeEvent=NativeEvent)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "_watchdog_fsevents", made)
        patch.delitem(sys.modules, "watchdog.observers.fsevents", raising=False)
        from watchdog.observers.fsevents import FSEventsObserver

        from bridge_daemon.frontends.folders import watch
        from bridge_daemon.util import watching

        patch.setattr(watching, "observer", FSEventsObserver)
        patch.setattr(watch, "CLOSE_EVENTS", False)
        patch.setattr(watch, "TELLS_ALL", True, raising=False)
        yield opened
    sys.modules.pop("watchdog.observers.fsevents", None)
