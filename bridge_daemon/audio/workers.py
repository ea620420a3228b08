"""The processes that decode what others made: started when first needed, kept warm, ended at a limit.

libsndfile and ffmpeg are C parsers. A file that makes one of them crash, hang or fill the memory ends a process that
holds nothing: no key, no journal, no take. One thread of ours watches them. It is written to be cheap while nothing is
decoded, and works on every platform; where the system itself limits a process's memory, that holds too (worker.py).

Nothing in here loads numpy.
"""

from __future__ import annotations

import atexit
import logging
import os
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bridge_daemon.errors import SourceRefused
from bridge_daemon.util import ourselves

if TYPE_CHECKING:
    import psutil

log = logging.getLogger(__name__)
#: What the environment of a decoder keeps: no setting of ours, and no secret of anybody.
_ENVIRONMENT: Final = frozenset(
    {"PATH", "HOME", "TMPDIR", "TEMP", "TMP", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "VIRTUAL_ENV"}
    | {"SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "USERPROFILE", "LOCALAPPDATA", "APPDATA", "NUMBER_OF_PROCESSORS"}
    | {"DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH", "__CF_USER_TEXT_ENCODING", "WINEPREFIX", "WINEDEBUG"}
)
#: How a worker ends that has no memory left.
OUT_OF_MEMORY: Final = 77
HEAD: Final = struct.Struct("<cI")  # of a message of a worker: its kind, and the length of what follows
_LONGEST: Final = 64 << 20  # bytes of a message
_PIPE: Final = 1 << 20  # bytes
_MANY: Final = 8  # at a time


class Died(SourceRefused):
    """A decoder had to be ended, or ended by itself. Nothing is known of the file but that."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a decoder may use of this machine."""

    start: float = 120.0  # s until it is ready
    answer: float = 120.0  # s until it answers; ffmpeg decodes all of a file in one
    in_all: float = 600.0  # s of waiting for it, for one file
    memory: int = 1 << 30  # bytes
    idle: float = 120.0  # s without work, then it ends
    look: float = 0.1  # s between two looks at one that works


class Worker:
    """One process, which decodes one file at a time."""

    def __init__(self, command: list[str]) -> None:
        """Start it. Raises OSError."""
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=_environment(),
            **ourselves.apart(),
        )
        _widen(self._process.stdout)
        self._is_ready = False
        #: What decodes. It says so when it is ready: what was started may be a launcher, which only waits for it.
        self._decoder: psutil.Process | None = None
        self.used = False
        self.idle_since = time.monotonic()
        self._asked: float | None = None  # since when it is waited for
        self._waited = 0.0  # s, for this file
        self._ended_for: str | None = None

    def begin(self) -> None:
        """Count the time from here on: another file."""
        self._waited = 0.0

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    @property
    def was_ended(self) -> bool:
        """Whether it was ended at a limit."""
        return self._ended_for is not None

    def say(self, line: bytes) -> None:
        """Send it a line. Raises Died."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + b"\n")
        except OSError as error:
            raise self.died() from error

    def hear(self) -> tuple[bytes, bytearray]:
        """Return the kind and the content of its next message. Raises Died."""
        import psutil  # where it is first needed

        self._asked = time.monotonic()
        try:
            if not self._is_ready:
                _, told = self._message()
                with suppress(psutil.Error, OSError):  # it has ended
                    self._decoder = psutil.Process(int(told))
                self._is_ready, self._asked = True, time.monotonic()
            return self._message()
        finally:
            self._waited += time.monotonic() - self._asked
            self._asked = None

    def _message(self) -> tuple[bytes, bytearray]:
        kind, length = HEAD.unpack(self._read(HEAD.size))
        if length > _LONGEST:
            raise self.end("it does not answer as it should")
        return kind, self._read(length)

    def _read(self, count: int) -> bytearray:
        assert self._process.stdout is not None
        data, at = bytearray(count), 0
        view = memoryview(data)
        while at < count:
            got = self._process.stdout.readinto(view[at:])  # type: ignore[attr-defined]  # it is not buffered
            if not got:
                raise self.died()
            at += got
        return data

    def look(self, limits: Limits) -> None:
        """End it if it has passed a limit."""
        import psutil

        since = self._asked
        if since is not None:
            now = time.monotonic() - since
            most = limits.answer if self._is_ready else limits.start
            if now > most:
                self.end(f"it took more than {most:g} s")
            elif now + self._waited > limits.in_all:
                self.end(f"it took more than {limits.in_all:g} s in all")
        with suppress(psutil.Error, OSError):  # it has ended, or the system does not tell; the other limits hold
            if self._decoder is not None and self._decoder.memory_info().rss > limits.memory:
                self.end(f"it needs more than {limits.memory >> 20} MiB of memory")

    def end(self, why: str | None = None) -> Died:
        """Kill it: it holds nothing. Returns what to say of that."""
        import psutil

        self._ended_for = self._ended_for or why
        for process in (self._process, self._decoder):  # psutil kills none that got the number of one that ended
            with suppress(psutil.Error, OSError):
                if process is not None:
                    process.kill()
        return self.died()

    def died(self) -> Died:
        """Say why it is not there any more."""
        with suppress(subprocess.TimeoutExpired):  # one that hangs on a disk ends when that answers
            self._process.wait(2)
        code = self._process.returncode
        if self._ended_for is not None:
            return Died(self._ended_for)
        if code == OUT_OF_MEMORY:
            return Died("it needs more memory than a decoder may have")
        return Died(f"its decoder crashed ({f'signal {-code}' if code is not None and code < 0 else f'exit {code}'})")

    def close(self) -> None:
        """End it, and let go of its pipes."""
        self.end()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


def _widen(pipe: Any) -> None:
    """Let more samples lie in a pipe, on Linux, so that both sides are woken less often."""
    if sys.platform == "linux":
        import fcntl

        with suppress(OSError):  # all that this user may have is in use
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE)


def _environment() -> dict[str, str]:
    known = {name: value for name, value in os.environ.items() if name.upper() in _ENVIRONMENT}
    python = {name: value for name, value in os.environ.items() if name.startswith("PYTHON")}
    return known | python | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # whose threads reserve memory


class Workers:
    """All of them."""

    def __init__(self, command: Callable[[], list[str]] = ourselves.decoder, limits: Limits | None = None) -> None:
        """Nothing is started before there is something to decode."""
        self._command = command
        self._limits = limits or Limits()
        self._free = threading.BoundedSemaphore(_MANY)
        self._lock = threading.Lock()
        self._all: set[Worker] = set()
        self._idle: list[Worker] = []
        self._busy = threading.Event()
        self._warden: threading.Thread | None = None

    def warm(self) -> None:
        """See to it that one is there, for what is decoded next."""
        with self._lock:
            if self._idle and self._idle[-1].is_alive:
                self._idle[-1].idle_since = time.monotonic()
                return
        try:
            worker = self._start()
        except OSError as error:
            log.warning("No decoder could be started ahead: %s", error)
            return
        with self._lock:
            self._idle.append(worker)

    def take(self) -> Worker:
        """Return one for a file, started if need be. It is to be given back."""
        self._free.acquire()
        try:
            with self._lock:
                worker = self._idle.pop() if self._idle else None
            while worker is not None and not worker.is_alive:
                self._drop(worker)
                with self._lock:
                    worker = self._idle.pop() if self._idle else None
            worker = worker or self._start()
        except BaseException:
            self._free.release()
            raise
        worker.begin()
        self._busy.set()
        return worker

    def give_back(self, worker: Worker) -> None:
        """Keep one for the next file, if none is kept yet."""
        worker.used = True
        worker.idle_since = time.monotonic()
        with self._lock:
            keep = worker.is_alive and not self._idle and worker in self._all
            if keep:
                self._idle.append(worker)
        if not keep:
            self._drop(worker)
        self._free.release()

    def close(self) -> None:
        """End all of them."""
        with self._lock:
            workers, self._all = self._all, set()
            self._idle.clear()
        self._busy.set()
        for worker in workers:
            worker.close()

    def _start(self) -> Worker:
        worker = Worker(self._command())
        with self._lock:
            self._all.add(worker)
            if self._warden is None:
                self._warden = threading.Thread(target=self._watch, name="decoders", daemon=True)
                self._warden.start()
        return worker

    def _drop(self, worker: Worker) -> None:
        with self._lock:
            self._all.discard(worker)
        worker.close()

    def _watch(self) -> None:
        """Look at those that work, and end those that nobody needs."""
        while True:
            with self._lock:
                if not self._all:
                    self._warden = None
                    return
                idle = [worker for worker in self._idle if self._rests(worker) <= 0]
                for worker in idle:
                    self._idle.remove(worker)
                working = self._all.difference(self._idle, idle)
                until = min((self._rests(worker) for worker in self._idle), default=self._limits.idle)
                self._busy.clear()
            for worker in idle:
                self._drop(worker)
            for worker in working:
                worker.look(self._limits)
            if working:
                time.sleep(self._limits.look)
            elif not idle:
                self._busy.wait(max(0.0, until))

    def _rests(self, worker: Worker) -> float:
        """Return for how long an idle worker is kept, s."""
        return worker.idle_since + self._limits.idle - time.monotonic()


#: Those of this process.
WORKERS: Final = Workers()
atexit.register(WORKERS.close)
