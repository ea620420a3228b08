"""A pool of threads that the end of the process does not wait for: one may hang on a disk that does not answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
_MOMENT = 1.0  # s
_Work = tuple[Future[Any], Callable[[], Any]]


class DaemonPool(ThreadPoolExecutor):
    """As its base, which asyncio asks for; but its threads are daemons, and :meth:`shutdown` waits for none that hangs.

    The base joins its threads at the end of the process, and offers no way not to.
    """

    def __init__(self, threads: int, name: str) -> None:
        """Start none yet: each is started when all others have work."""
        super().__init__(threads)
        self._most = threads
        self._name = name
        self._work: SimpleQueue[_Work | None] = SimpleQueue()
        self._free = 0
        self._started: list[threading.Thread] = []
        self._closed = False
        self._lock = threading.Lock()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run ``fn`` on one of the threads."""
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError("the pool is closed")
            self._work.put((future, lambda: fn(*args, **kwargs)))
            self._free -= 1
            if self._free < 0 and len(self._started) < self._most:
                self._free += 1
                thread = threading.Thread(target=self._run, name=f"{self._name}_{len(self._started)}", daemon=True)
                self._started.append(thread)
                thread.start()
        return future

    def _run(self) -> None:
        while (taken := self._work.get()) is not None:
            future, work = taken
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(work())
                except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits
                    future.set_exception(error)
            del future, work, taken
            with self._lock:
                self._free += 1

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Accept no more work. What was begun is waited for only for a moment, whatever ``wait`` says."""
        with self._lock:
            self._closed = True
            if cancel_futures:
                while not self._work.empty() and (left := self._work.get()) is not None:
                    left[0].cancel()
            for _ in self._started:
                self._work.put(None)
        end = time.monotonic() + _MOMENT
        for thread in self._started if wait else ():
            thread.join(max(0.0, end - time.monotonic()))
