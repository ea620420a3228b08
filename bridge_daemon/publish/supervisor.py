"""Runs a tunnel program and ends it as soon as whoever started this is gone, however that ended.

A process of its own, started with the program's command line as arguments. Its stdin is a pipe from the daemon: when
the daemon closes it, or dies, also by SIGKILL, the pipe ends and the program with it, on every platform. What the
program prints goes to stdout. Nothing of the bridge is imported: it starts at once.

What the program started ends too, also in a session of its own: its environment has a mark, by which it is found. If
this process is killed as well, a second one, the guard, sees that by the end of a pipe between the two. On Windows all
of them are in one job, which the system ends with this process.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

_GRACE = 2.0  # s that a program gets to end by itself
_LAST = 0.5  # s that what it started gets, once it has ended itself
_NOT_STARTED = 127
_MARK = "DAW_BRIDGE_TUNNEL"


def main(command: list[str]) -> int:
    """Run ``command`` to its end, or to the end of stdin. Return its exit code."""
    mark = secrets.token_hex(16)
    _guard(mark)
    _join_job()
    try:
        # no shell reads the command line; this process has one thread here, so preexec_fn is safe
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            env=os.environ | {_MARK: mark},
            preexec_fn=_die_with_parent(),
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError as error:
        sys.stdout.write(f"cannot be started: {error.strerror or error}\n")
        sys.stdout.flush()
        return _NOT_STARTED
    if os.name == "posix":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is sent to the whole group below, this process included
    threading.Thread(target=_end_with_stdin, args=(child, mark), daemon=True).start()
    code = child.wait()
    _end_all(mark, signal.SIGTERM)  # whatever the program started itself
    if os.name == "posix":
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the daemon sees at once that the tunnel is gone
        time.sleep(_LAST)
        _end_all(mark, signal.SIGKILL)  # and what does not heed that; this process too
    return code if 0 <= code < 128 else 1


def _end_with_stdin(child: subprocess.Popen[bytes], mark: str) -> None:
    while os.read(0, 4096):
        pass
    if os.name == "nt":
        child.kill()  # what it started itself ends with the job, that is with this process
        return
    _end_all(mark, signal.SIGTERM)
    try:
        child.wait(_GRACE)
    except subprocess.TimeoutExpired:
        _end_all(mark, signal.SIGKILL)


def _join_job() -> None:
    """On Windows, end everything that is started from here as soon as this process is gone, however it ended."""
    if sys.platform == "win32":
        import ctypes

        kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel32.CreateJobObjectW.restype = kernel32.GetCurrentProcess.restype = ctypes.c_void_p
        kernel32.SetInformationJobObject.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32]
        kernel32.AssignProcessToJobObject.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        # JOBOBJECT_EXTENDED_LIMIT_INFORMATION: two times of 8 bytes, then LimitFlags; the rest is no limit
        limits = ctypes.create_string_buffer(144 if ctypes.sizeof(ctypes.c_void_p) == 8 else 112)
        kill_on_job_close, extended_limits = 0x2000, 9
        ctypes.c_uint32.from_buffer(limits, 16).value = kill_on_job_close
        job = kernel32.CreateJobObjectW(None, None)  # never closed: that is left to the end of this process
        if not (
            job
            and kernel32.SetInformationJobObject(job, extended_limits, limits, len(limits))
            and kernel32.AssignProcessToJobObject(job, kernel32.GetCurrentProcess())
        ):
            sys.stdout.write(f"no job for the program: {ctypes.WinError(ctypes.get_last_error())}\n")
            sys.stdout.flush()


def _end_all(mark: str, number: int) -> None:
    """Send a signal to all that the program started: what bears its mark, and this process group."""
    if os.name != "posix":
        return
    _end_marked(mark, number)
    if os.getpgrp() == os.getpid():  # else it is the group of somebody else
        os.killpg(0, number)


def _end_marked(mark: str, number: int) -> None:
    import psutil  # needed at the end only: the start does not wait for it

    for process in psutil.process_iter():
        try:
            if process.environ().get(_MARK) == mark:
                process.send_signal(number)
        except (psutil.Error, OSError):  # it has ended, or is one of somebody else
            continue


def _guard(mark: str) -> None:
    """Start the process that ends what bears the mark once this process is gone and cannot do it itself."""
    if os.name != "posix":
        return
    ours, guards = os.pipe()
    if os.fork() != 0:
        os.close(ours)  # the other end stays open for as long as this process lives; no program inherits it
        return
    os.close(guards)
    try:
        os.setsid()
        for descriptor in (0, 1, 2):  # or the daemon would wait for the end of its pipes
            os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)
        while os.read(ours, 1):
            pass
        _end_marked(mark, signal.SIGKILL)
    finally:
        os._exit(0)


def _die_with_parent() -> Callable[[], None] | None:
    """Where the kernel offers it, end the program also when this process itself is killed."""
    if sys.platform != "linux":
        return None
    import ctypes

    call = ctypes.CDLL(None, use_errno=True).prctl
    pr_set_pdeathsig, parent = 1, os.getpid()

    def die_with_parent() -> None:
        call(pr_set_pdeathsig, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:  # it was killed a moment before
            os._exit(1)

    return die_with_parent


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
