"""Run a module as ``python -m`` does, and give it the signal that another process asks for by a named event.

Windows sends Ctrl-C and Ctrl-Break through a console, which wine does not give to a program without a screen. From
Python's handler on, the way is the same.
"""

from __future__ import annotations

import _thread
import ctypes
import runpy
import sys
import threading


def _listen(name: str, number: int) -> None:
    kernel = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined]
    kernel.CreateEventW.restype = ctypes.c_void_p
    event = ctypes.c_void_p(kernel.CreateEventW(None, False, False, f"{name}-{number}"))
    while kernel.WaitForSingleObject(event, -1) == 0:
        _thread.interrupt_main(number)


if __name__ == "__main__":
    for one in map(int, sys.argv[2].split(",")):
        threading.Thread(target=_listen, args=(sys.argv[1], one), daemon=True).start()
    sys.argv[:4] = [sys.argv[3]]
    sys.path[0] = ""  # as with -m
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
