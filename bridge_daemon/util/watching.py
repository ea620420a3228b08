"""The observer of folders: watchdog's, and on Windows without its quiet time.

There, watchdog hands events on only once nothing has happened for a second. So each comes a second late, and none
comes while some file in the folder grows.
"""

from __future__ import annotations

import queue
import sys
from typing import Any

from watchdog.observers.api import BaseObserver


class OneAtATime(queue.Queue[Any]):
    """Say that there is nothing more after each thing that was taken: what waits for a pause finds one at once."""

    def __init__(self) -> None:
        super().__init__()
        self._gave = False

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Return the next thing, and raise Empty in between."""
        if self._gave:
            self._gave = False
            raise queue.Empty
        found = super().get(block, timeout)
        self._gave = True
        return found


def observer() -> BaseObserver:
    """Return an observer that tells of each event at once."""
    if sys.platform == "win32":
        from watchdog.observers.read_directory_changes import WindowsApiEmitter
        from watchdog.observers.winapi import DirectoryChangeReader

        class PromptReader(DirectoryChangeReader):
            def __init__(self, path: str, *, recursive: bool) -> None:
                super().__init__(path, recursive=recursive)
                self._buf_queue = OneAtATime()

        class PromptEmitter(WindowsApiEmitter):
            def on_thread_start(self) -> None:
                reader = PromptReader(self.watch.path, recursive=self.watch.is_recursive)
                with self._lock:
                    self._reader = reader
                reader.start()

        return BaseObserver(PromptEmitter)
    from watchdog.observers import Observer

    return Observer()
