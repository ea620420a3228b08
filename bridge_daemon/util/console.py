"""What Windows says when a console window is closed, or somebody logs off: the end, in a few seconds.

Python turns Ctrl-C and Ctrl-Break into signals. For the other events the system ends the process as soon as its
handler returns, so the handler waits until the process has ended by itself. The system does not wait longer than 5 s
(a window that is closed) or 20 s (a log-off).
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final

log = logging.getLogger(__name__)
_CLOSED, _LOG_OFF, _SHUTDOWN = 2, 5, 6
_LONGEST: Final = 30.0  # s, more than the system gives


class ConsoleEnd(AbstractContextManager["ConsoleEnd"]):
    """Calls ``end``, on a thread of the system, when the console ends; from then on this process has seconds."""

    def __init__(self, end: Callable[[], None], *, wait: float = _LONGEST) -> None:
        self._end = end
        self._wait = wait
        self._left = threading.Event()
        self._routine: Any = None

    def __enter__(self) -> ConsoleEnd:
        self._set(add=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._set(add=False)

    def handle(self, event: int) -> bool:
        """Handle an event; True if it is ours."""
        if event not in (_CLOSED, _LOG_OFF, _SHUTDOWN):
            return False  # Python makes a signal of it
        log.info("The console ends (event %d)", event)
        self._end()
        self._left.wait(self._wait)  # nobody sets it: the end of the process ends this
        return True

    def _set(self, *, add: bool) -> None:
        if sys.platform == "win32":
            import ctypes

            if self._routine is None:
                self._routine = ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_uint32)(self.handle)
            if not ctypes.WinDLL("kernel32", use_last_error=True).SetConsoleCtrlHandler(self._routine, int(add)):
                log.warning("A console that is closed cannot be noticed: %s", ctypes.WinError(ctypes.get_last_error()))
