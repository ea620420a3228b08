"""Runs a tunnel program and ends it as soon as whoever started this is gone, however that ended.

A process of its own, started with the program's command line as arguments. Its stdin is a pipe from the daemon: when
the daemon closes it, or dies, also by SIGKILL, the pipe ends and the program with it, on every platform. What the
program prints goes to stdout. Only the standard library is used, and nothing of the bridge is imported: it
starts at once.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

_GRACE = 2.0  # s that a program gets to end by itself
_LAST = 0.5  # s that what it started gets, once it has ended itself
_NOT_STARTED = 127


def main(command: list[str]) -> int:
    """Run ``command`` to its end, or to the end of stdin. Return its exit code."""
    try:
        # no shell reads the command line; this process has one thread here, so preexec_fn is safe
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            preexec_fn=_die_with_parent(),
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError as error:
        sys.stdout.write(f"cannot be started: {error.strerror or error}\n")
        sys.stdout.flush()
        return _NOT_STARTED
    if os.name == "posix":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is sent to the whole group below, this process included
    threading.Thread(target=_end_with_stdin, args=(child,), daemon=True).start()
    code = child.wait()
    _end_group(signal.SIGTERM)  # whatever the program started itself
    if os.name == "posix":
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the daemon sees at once that the tunnel is gone
        time.sleep(_LAST)
        _end_group(signal.SIGKILL)  # and what does not heed that; this process too
    return code if 0 <= code < 128 else 1


def _end_with_stdin(child: subprocess.Popen[bytes]) -> None:
    while os.read(0, 4096):
        pass
    if os.name == "nt":
        subprocess.run(["taskkill", "/T", "/F", "/PID", str(child.pid)], check=False, capture_output=True)
        return
    _end_group(signal.SIGTERM)
    try:
        child.wait(_GRACE)
    except subprocess.TimeoutExpired:
        _end_group(signal.SIGKILL)


def _end_group(number: int) -> None:
    if os.name == "posix" and os.getpgrp() == os.getpid():  # else it is the group of somebody else
        os.killpg(0, number)


def _die_with_parent() -> Callable[[], None] | None:
    """Where the kernel offers it, end the program also when this process itself is killed."""
    if sys.platform != "linux":
        return None
    import ctypes

    call = ctypes.CDLL(None, use_errno=True).prctl
    pr_set_pdeathsig = 1
    return lambda: call(pr_set_pdeathsig, int(signal.SIGKILL), 0, 0, 0) and None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
