"""A tunnel program that runs under its supervisor, and what it prints."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import sys
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final

from bridge_daemon.errors import NotPublished
from bridge_daemon.publish import supervisor
from bridge_daemon.publish.tunnel_command import TunnelCommand
from bridge_daemon.util import ourselves
from bridge_daemon.util.redact import redact_command
from bridge_daemon.util.tasks import cancel_and_wait

log = logging.getLogger(__name__)

_CONNECTING: Final = 10.0  # s that a program may take to say that its URL works
_ENDING: Final = 5.0  # s
_LAST_WORDS: Final = 5  # lines
_LONGEST_LINE: Final = 2000
_MOST_URLS: Final = 20  # that are tried: a program may print one for each request, for days
#: What a program says that is still trying. cloudflared 617: without UDP it falls back after more than a minute.
_TRYING: Final = re.compile(r"(?i)retry|re-?connect|connecting|trying|fallback|falling back|failed to dial|attempt")
#: What no tunnel program needs to know.
_OURS: Final = ("EMPIRIOLABS_API_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


class TunnelProgram:
    """One run of a tunnel program."""

    def __init__(self, command: TunnelCommand) -> None:
        """Nothing is started yet."""
        self._command = command
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._lines: deque[str] = deque(maxlen=_LAST_WORDS)
        self._found: list[str] = []
        self._found_at = 0.0
        self._connected = False
        self._connected_at = 0.0
        self.last_try = 0.0  #: when it said last that it is trying, or was started (loop time)

    async def start(self) -> None:
        """Start it. Raises NotPublished."""
        await _whole(self._start(), "tunnel start")

    async def _start(self) -> None:
        self.last_try = asyncio.get_running_loop().time()
        environ = {name: value for name, value in os.environ.items() if name not in _OURS}
        arguments = ourselves.supervised(supervisor.__file__, self._command.argv)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env=environ,
                **ourselves.apart(),  # the daemon ends it in order
            )
        except OSError as error:
            raise NotPublished(
                f"The tunnel program {self._command.name} cannot be started: {error.strerror or error}. "
                "Nothing was sent and nothing was spent.",
                passing=True,
            ) from error
        self._reader = asyncio.create_task(self._read(), name="tunnel output")

    @property
    def ended(self) -> bool:
        """Whether it has ended, and all that it printed was read."""
        return self._reader is None or self._reader.done()

    def urls(self) -> list[str]:
        """Return the URLs that it named, once it says that they work (or has had the time to)."""
        waited = asyncio.get_running_loop().time() - self._found_at
        return self._found if self._connected or waited > _CONNECTING else []

    @property
    def connected_for(self) -> float:
        """The seconds since it said that its newest URL works, or should have."""
        since = self._connected_at if self._connected else self._found_at + _CONNECTING
        return asyncio.get_running_loop().time() - since

    async def wait(self, seconds: float) -> bool:
        """Wait for its end, for a while; return whether it has ended."""
        assert self._reader is not None
        done, _ = await asyncio.wait({self._reader}, timeout=seconds)
        return bool(done)

    def last_words(self) -> str:
        """Return what it printed last, without secrets, in one line."""
        return redact_command(" / ".join(self._lines))[:400] or "it printed nothing"

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        rest = ""
        while block := await self._process.stdout.read(4096):
            *lines, rest = (rest + block.decode("utf-8", "replace")).replace("\r", "\n").split("\n")
            rest = rest[-_LONGEST_LINE:]
            for line in lines:
                self._take(line[:_LONGEST_LINE])
        self._take(rest)

    def _take(self, line: str) -> None:
        if line.strip():
            self._lines.append(line.strip())
        if _TRYING.search(line):
            self.last_try = asyncio.get_running_loop().time()
        for url in self._command.urls(line):
            if url not in self._found:
                self._found = [*self._found[1 - _MOST_URLS :], url]
                self._found_at = asyncio.get_running_loop().time()
        if self._found and not self._connected:
            self._connected = self._command.connected(line)
            self._connected_at = asyncio.get_running_loop().time()

    async def end(self) -> None:
        """End it and all that it started."""
        await _whole(self._end(), "tunnel end")

    async def _end(self) -> None:
        process = self._process
        if process is None or self._reader is None:
            return
        assert process.stdin is not None
        process.stdin.close()  # the sign for the supervisor
        try:
            async with asyncio.timeout(_ENDING):
                await process.wait()
        except TimeoutError:
            log.warning("The tunnel program %s did not end; it is killed", self._command.name)
        if process.returncode is None or process.returncode < 0:  # the supervisor itself was killed, or hangs
            _kill_group(process)
            await process.wait()
        await asyncio.wait({self._reader}, timeout=_ENDING)
        await cancel_and_wait(self._reader)
        with suppress(ConnectionError):
            await process.stdin.wait_closed()


async def _whole(work: Coroutine[Any, Any, None], name: str) -> None:
    """Run ``work`` to its end, also when the caller is cancelled: cut in two it would leave a program behind."""
    task = asyncio.create_task(work, name=name)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise


def _kill_group(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
