"""Runs a program of the system to its end, for a limited time."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from typing import IO

from bridge_daemon.util import ourselves


def run(argv: Sequence[str], seconds: float) -> subprocess.CompletedProcess[str]:
    """Run a program without input and without a window; return how it ended and what it printed.

    What it prints goes into files, not into pipes: the end of a pipe comes only when all that the program started is
    gone too, and Windows' ``subprocess.run`` waits for that without a limit, even after its timeout.

    Raises:
        OSError: it cannot be started.
        TimeoutExpired: it did not end in time, and was killed.
    """
    with _printed() as out, _printed() as err:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=seconds, check=False, **ourselves.hidden()
        )
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(done.args, done.returncode, out.read(), err.read())


def _printed() -> IO[str]:
    return tempfile.TemporaryFile("w+", encoding="locale", errors="replace")
