"""How long each callback keeps the event loop: in a test, and in a bridge that is a process of its own.

In processor time of its thread: other programs on the machine do not count.
"""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

#: The longest that one callback may keep the loop, s.
LONGEST = 0.020


#: A processor that is shared with others is slow at times: of the callbacks of one bridge so many may be, this far.
_SLOW = (1, 5 * LONGEST)


def _watch(told: Callable[[float, str], None], least: float) -> Callable[[], None]:
    """Tell of each callback that takes longer than ``least`` seconds; return what ends that."""
    inner = asyncio.Handle._run  # type: ignore[attr-defined]

    def run(handle: asyncio.Handle) -> None:
        begun = time.thread_time()
        inner(handle)
        seconds = time.thread_time() - begun
        if seconds > least:
            told(seconds, repr(handle))

    asyncio.Handle._run = run  # type: ignore[attr-defined]
    return lambda: setattr(asyncio.Handle, "_run", inner)


@contextmanager
def watched(least: float = LONGEST / 4) -> Iterator[list[tuple[float, str]]]:
    """Note how long each callback of the loop took; those that took less than ``least`` seconds are left out."""
    taken: list[tuple[float, str]] = []
    end = _watch(lambda seconds, handle: taken.append((seconds, handle)), least)
    gc.disable()  # its pauses depend on what other tests left behind; the daemon freezes what it starts with
    try:
        yield taken
    finally:
        end()
        gc.enable()


def watch_process(report: Path, runtime: Path) -> None:
    """Write each callback of this process that holds the loop up into a file, from when the bridge says where it is.

    While it starts it loads what it needs, and nobody waits for anything else.
    """
    ready = False

    def told(seconds: float, handle: str) -> None:
        nonlocal ready
        if not ready:
            ready = runtime.exists() and f'"pid": {os.getpid()},' in runtime.read_text(encoding="utf-8")
            return
        with report.open("a", encoding="utf-8") as file:
            file.write(f"{seconds:.4f} {handle}\n")

    _watch(told, LONGEST)


def check(report: Path) -> None:
    """Fail if a bridge that was watched held its loop up."""
    lines = report.read_text(encoding="utf-8").splitlines() if report.exists() else []
    most, longest = _SLOW
    worst = max((float(line.split()[0]) for line in lines), default=0.0)
    assert len(lines) <= most and worst <= longest, "the event loop was held up:\n" + "\n".join(lines)
