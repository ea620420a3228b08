"""One tunnel for all transforms: opened when a source needs it, checked, opened again when it dies, and closed after.

Its program runs under a keeper (supervisor.py), so that it never outlives the daemon.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from bridge_daemon.errors import NotPublished
from bridge_daemon.publish import supervisor
from bridge_daemon.publish.listener import SourceListener
from bridge_daemon.publish.probe import compare
from bridge_daemon.publish.tunnel_command import TunnelCommand, tunnel_command
from bridge_daemon.settings.sections import Publish
from bridge_daemon.util.redact import redact, redact_command
from bridge_daemon.util.times import Times

log = logging.getLogger(__name__)

START: Final = 45.0  # s from the start of the program to a URL that works
REST: Final = 120.0  # s without an open publication, after which the tunnel is closed
_LOOK: Final = 1.0  # s between two looks at whether it is needed
_BETWEEN_PROBES: Final = 1.0  # s
_CONNECTING: Final = 10.0  # s that a program may take to say that its URL works
_AGAIN: Final = (2.0, 60.0)  # s before it is opened again for what is still open
_ENDING: Final = 5.0  # s
_LAST_WORDS: Final = 5  # lines
_LONGEST_LINE: Final = 2000
_MOST_URLS: Final = 20  # that are tried: a program may print one for each request, for days
#: What no tunnel program needs to know.
_OURS: Final = ("EMPIRIOLABS_API_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


class Tunnel:
    """The tunnel program of [publish] tunnel_command, and who needs it."""

    def __init__(
        self,
        listener: SourceListener,
        settings: Callable[[], Publish],
        times: Times,
        told: Callable[[str | None], None],
    ) -> None:
        """``told`` gets the URL each time that the tunnel opens, and None when it closes."""
        self._listener = listener
        self._settings = settings
        self._times = times
        self._told = told
        self.base: str | None = None  #: the URL that leads to our listener; None while the tunnel is closed
        self.trouble: NotPublished | None = None  #: why the last try failed
        self._open: dict[str, tuple[str, float]] = {}  # capability → base URL, until (UTC)
        self._used = 0.0
        self._life: asyncio.Task[None] | None = None
        self._command: tuple[str, str | None] | None = None
        self._opening: asyncio.Future[str] | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._ending = False
        self._closed = False

    @property
    def open_sources(self) -> int:
        """How many sources can be fetched through it now."""
        now = self._times.now()
        return sum(until > now for _, until in self._open.values())

    async def url(self) -> str:
        """Return the URL of the tunnel, checked, opening it if need be; whoever asks meanwhile waits for the same.

        Raises NotPublished.
        """
        settings = self._settings()
        wanted = (settings.tunnel_command or "", settings.public_base_url)
        if self._life is not None and wanted != self._command:
            await self._end_life()  # the settings were changed
        while self._ending and self._life is not None and not self._life.done():
            await asyncio.wait({self._life})  # what is being closed is not what is needed
        self._used = self._times.monotonic()
        if self._life is None or self._life.done():
            command = await asyncio.to_thread(tunnel_command, wanted[0], self._listener.port)
            if self._life is None or self._life.done():  # nobody was quicker
                self._command, self._ending = wanted, False
                self._opening = asyncio.get_running_loop().create_future()
                self._life = asyncio.create_task(self._live(command, wanted[1], self._opening), name="tunnel")
        assert self._opening is not None
        return await asyncio.shield(self._opening)

    def hold(self, capability: str, base: str, until: float) -> None:
        """Keep the tunnel open for a source, until a time (UTC) at the latest."""
        self._open[capability] = (base, until)

    def release(self, capability: str) -> None:
        """Need it no more for a source."""
        if self._open.pop(capability, None) is not None:
            self._used = self._times.monotonic()

    def keep(self) -> None:
        """Open it again in the background, while sources are open that the service may not have fetched yet."""
        if not self._closed and (self._keeping is None or self._keeping.done()):
            self._keeping = asyncio.create_task(self._keep(), name="tunnel again")

    async def renew(self) -> None:
        """End a tunnel whose program runs and whose URL leads nowhere; the next one who asks opens a new one."""
        await self._end_life()

    async def close(self) -> None:
        """End it for good."""
        self._closed = True
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        await self._end_life()

    async def _end_life(self) -> None:
        life, opening = self._life, self._opening
        if life is None or opening is None:
            return
        life.cancel()
        await asyncio.gather(life, return_exceptions=True)
        if not opening.done():  # it was cancelled before it began
            _closes(opening)

    # The life of one run of the program

    async def _live(self, command: TunnelCommand, fixed: str | None, opening: asyncio.Future[str]) -> None:
        """Start the program, find and check its URL, and stay until it dies or nobody needs it."""
        program = _Running(command)
        died = False
        try:
            await program.start()
            base = await self._find(program, command, fixed)
            self.trouble = None
            self._opened(base, command)
            opening.set_result(base)
            died = await self._until_not_needed(program)
        except NotPublished as error:
            self.trouble = error
            opening.set_exception(error)
            opening.exception()  # it is told to whoever asks; nobody may
        except Exception:
            log.exception("A fault of the bridge itself at the tunnel")
        finally:
            was, self.base, self._ending = self.base, None, True
            if not opening.done():
                _closes(opening)
            await program.end()
            if was is not None:
                self._told(None)
                log.info("The tunnel is closed%s", f": {program.last_words()}" if died else "")
        if died and self.open_sources:
            self.keep()

    def _opened(self, base: str, command: TunnelCommand) -> None:
        self.base = base
        lost = [name for name, (before, _) in self._open.items() if before != base]
        for name in lost:  # their URL leads nowhere any more; the service has fetched them, as a rule
            del self._open[name]
        log.info(
            "A tunnel is open (%s, %s). While a transform is made, its source can be fetched by its secret URL there%s",
            command.name,
            base,
            f"; {len(lost)} source(s) of before cannot be fetched any more" if lost else "",
        )
        self._told(base)

    async def _find(self, program: _Running, command: TunnelCommand, fixed: str | None) -> str:
        """Return the URL that leads to our own listener. Raises NotPublished."""
        name = f"{secrets.token_urlsafe(32)}.txt"
        content = secrets.token_hex(32).encode()
        self._listener.serve_bytes(name, content)
        wrong = ""
        tried: list[str] = [fixed] if fixed else []
        try:
            async with asyncio.timeout(START):
                while True:
                    if not fixed:
                        tried = program.urls()
                    for base in list(tried):
                        wrong = await compare(f"{base}/source/{name}", content, len(content)) or ""
                        if not wrong:
                            return base
                    if program.ended:
                        raise _ended(command, program)
                    await asyncio.sleep(_BETWEEN_PROBES)
        except TimeoutError:
            if tried:
                what = f"The tunnel {tried[-1]} does not lead to the bridge: {wrong or 'it cannot be reached'}"
            else:
                what = f"The tunnel program {command.name} named no URL within {START:.0f} s"
            raise _not_open(what, program) from None
        finally:
            self._listener.withdraw(name)

    async def _until_not_needed(self, program: _Running) -> bool:
        """Return when the program ended (True), or when nobody has needed it for a while (False)."""
        while not await program.wait(_LOOK):
            now = self._times.now()
            for name in [name for name, (_, until) in self._open.items() if until <= now]:
                self.release(name)
            if not self._open and self._times.monotonic() - self._used > REST:
                return False
        return True

    async def _keep(self) -> None:
        pause, most = _AGAIN
        while self.open_sources and not self._closed:
            try:
                await self.url()
            except NotPublished as error:
                if not error.passing:
                    log.warning("%s %s", error.message, error.next_step)
                    return
                await asyncio.sleep(pause)
                pause = min(most, pause * 2)
            else:
                return


class _Running:
    """A tunnel program that runs under its keeper, and what it prints."""

    def __init__(self, command: TunnelCommand) -> None:
        self._command = command
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._lines: deque[str] = deque(maxlen=_LAST_WORDS)
        self._found: list[str] = []
        self._found_at = 0.0
        self._connected = False

    async def start(self) -> None:
        environ = {name: value for name, value in os.environ.items() if name not in _OURS}
        arguments = [sys.executable, "-I", supervisor.__file__, *self._command.argv]
        try:
            self._process = await asyncio.create_subprocess_exec(
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env=environ,
                start_new_session=True,  # Ctrl-C in a terminal is for the daemon, which ends this in order
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

    async def wait(self, seconds: float) -> bool:
        """Wait for its end, for a while; tell whether it has ended."""
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
        for url in self._command.urls(line):
            if url not in self._found:
                self._found = [*self._found[1 - _MOST_URLS :], url]
                self._found_at = asyncio.get_running_loop().time()
        if self._found and not self._connected:
            self._connected = self._command.connected(line)

    async def end(self) -> None:
        """End it and all that it started."""
        process = self._process
        if process is None or self._reader is None:
            return
        assert process.stdin is not None
        process.stdin.close()  # the sign for the keeper
        try:
            async with asyncio.timeout(_ENDING):
                await process.wait()
        except TimeoutError:
            log.warning("The tunnel program %s did not end; it is killed", self._command.name)
        if process.returncode is None or process.returncode < 0:  # the keeper itself was killed, or hangs
            _kill_group(process)
            await process.wait()
        await asyncio.wait({self._reader}, timeout=_ENDING)
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        with suppress(ConnectionError):
            await process.stdin.wait_closed()


def _closes(opening: asyncio.Future[str]) -> None:
    opening.set_exception(NotPublished("The bridge closes the tunnel. Nothing was sent.", passing=True))
    opening.exception()  # it is told to whoever asks; nobody may


def _kill_group(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)


def _ended(command: TunnelCommand, program: _Running) -> NotPublished:
    return _not_open(f"The tunnel program {command.name} ended before the tunnel was open", program)


def _not_open(what: str, program: _Running) -> NotPublished:
    return NotPublished(
        f"{redact(what)}. It said: {program.last_words()}. Nothing was sent and nothing was spent.",
        next="Run the command of [publish] tunnel_command in a terminal to see what is wrong; docs/publishing.md.",
        passing=True,
    )
