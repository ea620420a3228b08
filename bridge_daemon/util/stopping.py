"""Asking a daemon of this machine to end: a signal, and on Windows, which has none, an event with a name.

A daemon in the background has no console on Windows, so no Ctrl-Break reaches it, and ``TerminateProcess`` would cut it
off in the middle of a paid request. The event's name is made from the home: whoever names the home means its daemon.
"""

from __future__ import annotations

import hashlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)
_MAY_SET = 0x0002  # EVENT_MODIFY_STATE
_FOREVER = 0xFFFFFFFF


class StopEvent(AbstractContextManager["StopEvent"]):
    """Calls ``end``, on a thread, when somebody asks the daemon of ``home`` to end. Does nothing where signals do."""

    def __init__(self, home: Path, end: Callable[[], None]) -> None:
        self._home = home
        self._end = end
        self._over = False
        self._handle: Any = None
        self._waiting: threading.Thread | None = None

    def __enter__(self) -> StopEvent:
        if sys.platform == "win32":
            import ctypes

            self._handle = _kernel().CreateEventW(None, True, False, _name(self._home))
            if not self._handle:
                log.warning("daw-bridge stop cannot be heard: %s", ctypes.WinError(ctypes.get_last_error()))
            else:
                self._waiting = threading.Thread(target=self._wait, name="stop event", daemon=True)
                self._waiting.start()
        return self

    def __exit__(self, *_: object) -> None:
        if sys.platform == "win32" and self._handle:
            self._over = True
            _kernel().SetEvent(self._handle)
            if self._waiting is not None:
                self._waiting.join()
            _kernel().CloseHandle(self._handle)

    def _wait(self) -> None:
        if sys.platform == "win32":
            _kernel().WaitForSingleObject(self._handle, _FOREVER)
            if not self._over:
                log.info("Asked to stop")
                self._end()


def ask_to_stop(pid: int, home: Path) -> None:
    """Ask the daemon of ``home``, whose process is ``pid``, to end as SIGTERM does.

    Raises:
        OSError: it cannot be asked: it is gone, or another user's.
    """
    if sys.platform == "win32":
        import ctypes

        kernel = _kernel()
        handle = kernel.OpenEventW(_MAY_SET, False, _name(home))
        if not handle or not kernel.SetEvent(handle):
            raise ctypes.WinError(ctypes.get_last_error())
        kernel.CloseHandle(handle)
    else:
        os.kill(pid, signal.SIGTERM)


def _name(home: Path) -> str:
    """Return the name of the event: that of the home on the disk, however it is spelled."""
    real = os.path.normcase(os.path.realpath(home))
    return f"Local\\daw-bridge-stop-{hashlib.sha256(real.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def _kernel() -> Any:
    if sys.platform == "win32":
        import ctypes
        from ctypes import wintypes

        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.CreateEventW.restype = kernel.OpenEventW.restype = wintypes.HANDLE
        kernel.CreateEventW.argtypes = [wintypes.LPVOID, wintypes.BOOL, wintypes.BOOL, wintypes.LPCWSTR]
        kernel.OpenEventW.argtypes = [wintypes.DWORD, wintypes.BOOL, wintypes.LPCWSTR]
        kernel.WaitForSingleObject.argtypes = [wintypes.HANDLE, wintypes.DWORD]
        kernel.SetEvent.argtypes = kernel.CloseHandle.argtypes = [wintypes.HANDLE]
        return kernel
    raise NotImplementedError
