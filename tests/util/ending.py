"""What ends a process of ours on each system, in good order and in bad."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

#: s, the longest that a process of ours takes on a machine that does other things; wine needs several times as long.
LONGEST = 300.0 if sys.platform == "win32" else 60.0

#: What a person sends, and what a service manager does; on Windows that is Ctrl-C and Ctrl-Break.
INTERRUPT: Final = signal.SIGINT
TERMINATE: Final = signal.SIGBREAK if sys.platform == "win32" else signal.SIGTERM
ENDS: Final = [INTERRUPT, TERMINATE]


def kill(pid: int) -> None:
    """End a process as a power cut would."""
    # on Windows, whatever is no event of the console is the exit code of a process that is ended at once
    os.kill(pid, getattr(signal, "SIGKILL", 9))


class Process(subprocess.Popen[str]):
    """A process ``python -m MODULE …`` that takes INTERRUPT and TERMINATE on every system."""

    def __init__(self, args: Sequence[str], **more: Any) -> None:
        self._event = f"daw-bridge-tests-{uuid.uuid4()}"
        if sys.platform == "win32":
            python, option, *words = args
            assert option == "-m", args
            numbers = ",".join(str(int(one)) for one in ENDS)
            args = [python, str(Path(__file__).with_name("interruptible.py")), self._event, numbers, *words]
        super().__init__(args, **({"text": True} | more))

    def send_signal(self, number: int) -> None:
        """Send a signal."""
        if sys.platform != "win32" or number not in ENDS:
            super().send_signal(number)
            return
        import ctypes

        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.OpenEventW.restype = ctypes.c_void_p
        event = ctypes.c_void_p(kernel.OpenEventW(2, False, f"{self._event}-{int(number)}"))  # EVENT_MODIFY_STATE
        assert event, ctypes.WinError(ctypes.get_last_error())
        kernel.SetEvent(event)
        kernel.CloseHandle(event)
