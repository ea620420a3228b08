"""Work with folders of others: projects, results, the library, all of which may lie on a disk that does not answer.

A call into such a disk may never return, and cannot be ended. So it runs on a thread of its own that nobody waits for:
not longer than a bound, and not at the end of the process. Each folder has a few such threads at a time, so that one
which hangs holds up its own deliveries only.
"""

from __future__ import annotations

import _thread
import asyncio
import errno
import os
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

P = ParamSpec("P")
T = TypeVar("T")
#: How long an answer is waited for, s: a take is copied in this time also over a slow network.
SECONDS: float = 120.0
#: Calls into one folder at a time.
AT_ONCE: Final = 3


class _Places:
    """The places of one folder, and how many are taken or waited for."""

    def __init__(self) -> None:
        self.free = asyncio.Semaphore(AT_ONCE)
        self.users = 0


#: By folder; each event loop has its own.
_folders: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _Places]]] = WeakKeyDictionary()


class NoAnswer(OSError):
    """The disk of a folder did not answer in time. What was begun there may still be done one day."""

    def __init__(self, folder: Path | str) -> None:
        super().__init__(errno.ETIMEDOUT, "the disk does not answer", os.fspath(folder))


async def off(folder: Path | str, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run ``work``, which touches ``folder``, on a thread, and return what it returns. Raises NoAnswer."""
    loop = asyncio.get_running_loop()
    folders, name = _folders.setdefault(loop, {}), os.fspath(folder)
    places = folders.setdefault(name, _Places())

    def left() -> None:
        places.users -= 1
        if places.users == 0:
            del folders[name]

    def done() -> None:
        places.free.release()
        left()

    places.users += 1
    try:
        async with asyncio.timeout(SECONDS):
            try:
                await places.free.acquire()
            except BaseException:
                left()
                raise
            return await asyncio.shield(_begin(loop, lambda: work(*args, **kwargs), done))
    except TimeoutError:  # ours, or of a network disk that has a bound of its own
        raise NoAnswer(folder) from None


def _begin(loop: asyncio.AbstractEventLoop, work: Callable[[], T], done: Callable[[], None]) -> asyncio.Future[T]:
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits
            future.set_exception(error)
        finally:
            _on(loop, done)

    waited: asyncio.Future[T] = asyncio.wrap_future(future)
    waited.add_done_callback(_looked_at)
    _thread.start_new_thread(run, ())  # a Thread's start() waits until the new one runs, and with it the loop would
    return waited


def _looked_at(future: asyncio.Future[Any]) -> None:
    """Log an error that comes when nobody waits for it any more."""
    if not future.cancelled():
        future.exception()


def _on(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    try:
        loop.call_soon_threadsafe(call)
    except RuntimeError:
        return  # the loop has ended meanwhile
