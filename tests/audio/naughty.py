"""A worker whose decoder misbehaves: ``python naughty.py WAY``; see test_apart.py.

What it does, real decoders have done: libsndfile and ffmpeg are C. Its own code is the real worker's.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from bridge_daemon.audio import worker
from bridge_daemon.audio.decoders import Samples, SoundFile

_MIB = 1 << 20


def hang() -> None:
    time.sleep(600)


def hang_with_the_lock() -> None:
    """As a C loop that never returns to Python."""
    if os.name == "posix":
        ctypes.PyDLL(None).sleep(600)
    else:
        ctypes.PyDLL("kernel32").Sleep(600_000)  # ms


def fill_the_memory() -> None:
    held = []
    while True:
        held.append(b"x" * (16 * _MIB))


def claim_it_all() -> None:
    """At once, so that no look from outside comes in time."""
    bytearray(1 << 46)


def crash() -> None:
    if os.name == "posix":
        ctypes.string_at(8)
    else:
        os.abort()  # there ctypes makes an exception of what ends a process elsewhere


def print_something() -> None:
    os.write(1, b"[mp3 @ 0x55] some library has something to say\n" * 100)


def talk_nonsense() -> None:
    for descriptor in range(3, 20):
        try:
            os.write(descriptor, b"nonsense" * 100)
        except OSError:  # not open, or for reading
            continue


def fail() -> None:
    raise ZeroDivisionError("a fault of ours")


WAYS: dict[str, Callable[[], None]] = {
    way.__name__: way
    for way in (hang, hang_with_the_lock, fill_the_memory, claim_it_all, crash, print_something, talk_nonsense, fail)
}


def main() -> int:
    way, read = WAYS[sys.argv[1]], SoundFile.read

    def misread(self: Any, first: int) -> Iterator[Samples]:
        for number, block in enumerate(read(self, first)):
            if number == 2:
                way()
            yield block

    SoundFile.read = misread  # type: ignore[method-assign]
    return worker.main()


if __name__ == "__main__":
    sys.exit(main())
