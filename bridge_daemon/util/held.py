"""Whether some program holds a file open for writing: then it is not whole yet, however long it has rested."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Final

_SHARING_VIOLATION: Final = 32


def is_held_for_writing(path: Path) -> bool | None:
    """Return whether any program could write to a file that it has open; None if the system does not say.

    Linux is asked for a lease, which it gives only if nobody writes; Windows to open the file to the exclusion of
    writers; macOS for the programs of this user that have it open at all. OSError if the file is not there.
    """
    found: bool | None
    if sys.platform == "linux":
        found = _has_writer_on_linux(path)
    elif sys.platform == "win32":
        found = _has_writer_on_windows(path)
    else:
        found = _has_user(path)
    return found


if sys.platform == "linux":

    def _has_writer_on_linux(path: Path) -> bool | None:
        import fcntl

        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            # who opens the file in this very moment has the system signal it; this signal is one that nobody heeds
            fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        except BlockingIOError:
            return True
        except OSError:  # somebody else's file, or a disk that knows no leases
            return None
        finally:
            os.close(descriptor)
        return False


if sys.platform == "win32":

    def _has_writer_on_windows(path: Path) -> bool | None:
        import ctypes

        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.CreateFileW.restype = ctypes.c_void_p
        read, share_read_and_delete, existing = 0x80000000, 1 | 4, 3
        handle = kernel.CreateFileW(str(path), read, share_read_and_delete, None, existing, 0, None)
        if handle not in (None, ctypes.c_void_p(-1).value):
            kernel.CloseHandle(ctypes.c_void_p(handle))
            return False
        return True if ctypes.get_last_error() == _SHARING_VIOLATION else None


def _has_user(path: Path) -> bool | None:
    import psutil  # only if a file does not prove its end

    wanted = os.path.realpath(path)
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and any(file.path == wanted for file in process.open_files()):
                return True
        except (psutil.Error, OSError):  # it has ended, or is one of somebody else
            continue
    return None  # a program of another user, or of the system, may have it open
