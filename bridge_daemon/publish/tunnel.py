"""One tunnel for all transforms: opened when a source needs it, checked, opened again when it dies, and closed after.

    CLOSED → OPENING → OPEN → CLOSING → CLOSED, and from OPENING to CLOSING if it does not work

Its program runs under a supervisor (supervisor.py), so that it never outlives the daemon.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from bridge_daemon.errors import NotPublished
from bridge_daemon.publish import names
from bridge_daemon.publish.listener import SourceListener
from bridge_daemon.publish.probe import compare
from bridge_daemon.publish.tunnel_command import TunnelCommand, tunnel_command
from bridge_daemon.settings.sections import Publish
from bridge_daemon.util.redact import redact
from bridge_daemon.util.tasks import Tasks, cancel_and_wait
from bridge_daemon.util.times import Times

if TYPE_CHECKING:
    from bridge_daemon.publish.tunnel_program import TunnelProgram

log = logging.getLogger(__name__)

START: Final = 45.0  # s from the start of the program, or from its last word of trying, to a URL that works
MOST: Final = 180.0  # s from the start of the program to a URL that works, whatever it says
REST: Final = 120.0  # s without an open publication, after which the tunnel is closed
_LOOK: Final = 1.0  # s between two looks at whether it is needed
_BETWEEN_PROBES: Final = 1.0  # s
#: Time that a name is given to be known everywhere if its own name servers cannot be asked, s.
_SETTLING: Final = 5.0
_AGAIN: Final = (2.0, 60.0)  # s before it is opened again for what is still open


class Stage(Enum):
    """Where the tunnel is in its life."""

    CLOSED = auto()
    OPENING = auto()  #: its program runs, and its URL is looked for and checked
    OPEN = auto()  #: ``base`` leads to our listener
    CLOSING = auto()  #: its program is being ended


_NEXT: Final = {
    Stage.CLOSED: {Stage.OPENING},
    Stage.OPENING: {Stage.OPEN, Stage.CLOSING},
    Stage.OPEN: {Stage.CLOSING},
    Stage.CLOSING: {Stage.CLOSED},
}


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
        self.stage = Stage.CLOSED
        self.base: str | None = None  #: the URL that leads to our listener, only while OPEN
        self.trouble: NotPublished | None = None  #: why the last try failed
        self._open: dict[str, tuple[str, float]] = {}  # capability → base URL, until (UTC)
        self._used = 0.0
        self._command: tuple[str, str | None] | None = None
        self._opening: asyncio.Future[str] | None = None  # of the newest run, for whoever waits for its URL
        self._life: asyncio.Task[None] | None = None
        self._tasks = Tasks("tunnel")

    def _move(self, to: Stage, base: str | None = None) -> None:
        """Go to another stage, and tell where that changes the URL. The only place that writes stage and base."""
        if to not in _NEXT[self.stage]:
            raise RuntimeError(f"a tunnel does not go from {self.stage.name} to {to.name}")
        was, self.stage, self.base = self.base, to, base
        if was != base:
            self._told(base)

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
        if self.stage is not Stage.CLOSED and wanted != self._command:
            await self.renew()  # the settings were changed
        while self.stage is Stage.CLOSING and self._life is not None:
            await asyncio.wait({self._life})  # what is being closed is not what is needed
        self._used = self._times.monotonic()
        if self.stage is Stage.CLOSED:
            await self._listener.open()
            command = await asyncio.to_thread(tunnel_command, wanted[0], self._listener.port)
            if self.stage is Stage.CLOSED:  # nobody was quicker
                self._move(Stage.OPENING)
                self._command = wanted
                self._opening = asyncio.get_running_loop().create_future()
                self._life = asyncio.create_task(self._live(command, wanted[1], self._opening), name="tunnel")
                self._life.add_done_callback(self._ended)
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
        if not self._tasks:
            self._tasks.start(self._keep(), "tunnel again")

    async def renew(self) -> None:
        """End a tunnel whose program runs and whose URL leads nowhere; the next one who asks opens a new one."""
        life = self._life
        if life is not None:
            await cancel_and_wait(life)
            await asyncio.sleep(0)  # its callback is called

    async def close(self) -> None:
        """End it for good."""
        await self._tasks.close()
        await self.renew()

    # One run of the program

    async def _live(self, command: TunnelCommand, fixed: str | None, opening: asyncio.Future[str]) -> None:
        """Start the program, find and check its URL, and stay until it dies or nobody needs it."""
        from bridge_daemon.publish.tunnel_program import TunnelProgram  # no start waits for it

        program = TunnelProgram(command)
        died = False
        try:
            await program.start()
            base = await self._find(program, command, fixed)
            self.trouble = None
            self._forget_others(base, command)
            self._move(Stage.OPEN, base)
            opening.set_result(base)
            died = await self._until_not_needed(program)
        except NotPublished as error:
            self.trouble = error
            opening.set_exception(error)
        finally:
            was_open = self.stage is Stage.OPEN
            self._move(Stage.CLOSING)
            await program.end()
            if was_open:
                log.info("The tunnel is closed%s", f": {program.last_words()}" if died else "")
        if died and self.open_sources:
            self.keep()

    def _ended(self, life: asyncio.Task[None]) -> None:
        """Close what a run leaves, however it ended: it may have been cancelled before it began."""
        if self.stage is not Stage.CLOSING:
            self._move(Stage.CLOSING)
        self._move(Stage.CLOSED)
        opening = self._opening
        assert opening is not None
        fault = None if life.cancelled() else life.exception()
        if fault is not None:
            log.error("A fault of the bridge itself at the tunnel", exc_info=fault)
        if not opening.done():
            why = "A fault of the bridge itself ended the tunnel" if fault else "The bridge closes the tunnel"
            opening.set_exception(NotPublished(f"{why}. Nothing was sent.", passing=True))
        opening.exception()  # it is told to whoever asks; nobody may

    def _forget_others(self, base: str, command: TunnelCommand) -> None:
        """Forget sources whose URL leads nowhere any more; the service has fetched them, as a rule."""
        lost = [name for name, (before, _) in self._open.items() if before != base]
        for name in lost:
            del self._open[name]
        log.info(
            "A tunnel is open (%s, %s). While a transform is made, its source can be fetched by its secret URL there%s",
            command.name,
            base,
            f"; {len(lost)} source(s) of before cannot be fetched any more" if lost else "",
        )

    async def _find(self, program: TunnelProgram, command: TunnelCommand, fixed: str | None) -> str:
        """Return the URL that leads to our own listener. Raises NotPublished."""
        name = f"{secrets.token_urlsafe(32)}.txt"
        content = secrets.token_hex(32).encode()
        self._listener.serve_bytes(name, content)
        wrong = ""
        tried: list[str] = [fixed] if fixed else []
        end = asyncio.get_running_loop().time() + MOST
        try:
            while (left := min(end, program.last_try + START) - asyncio.get_running_loop().time()) > 0:
                if not fixed:
                    tried = program.urls()
                for base in list(tried):
                    probe = self._probe(base, name, content, settled=bool(fixed) or program.connected_for > _SETTLING)
                    wrong = await _within(left, probe, "it does not answer")
                    if not wrong:
                        return base
                if program.ended:
                    raise _not_open(f"The tunnel program {command.name} ended before the tunnel was open", program)
                await asyncio.sleep(_BETWEEN_PROBES)
        finally:
            self._listener.withdraw(name)
        if tried:
            what = f"The tunnel {tried[-1]} does not lead to the bridge: {wrong or 'it cannot be reached'}"
        else:
            what = f"The tunnel program {command.name} named no URL that works in time"
        raise _not_open(what, program)

    async def _probe(self, base: str, name: str, content: bytes, *, settled: bool) -> str:
        """Tell what is wrong with a URL. Its name is not asked for before it can be there: a no would be kept."""
        host = urlsplit(base).hostname or ""
        found = await names.addresses(host) if not names.is_address(host) else None
        if found == []:
            return f"the name {host} does not exist yet"
        if found is None and not settled and not names.is_address(host):
            return f"the name {host} may not exist yet"
        return await compare(f"{base}/source/{name}", content, len(content)) or ""

    async def _until_not_needed(self, program: TunnelProgram) -> bool:
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
        while self.open_sources:
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


async def _within(seconds: float, probe: Coroutine[Any, Any, str], late: str) -> str:
    try:
        async with asyncio.timeout(seconds):
            return await probe
    except TimeoutError:
        return late


def _not_open(what: str, program: TunnelProgram) -> NotPublished:
    return NotPublished(
        f"{redact(what)}. It said: {program.last_words()}. Nothing was sent and nothing was spent.",
        next="Run the command of [publish] tunnel_command in a terminal to see what is wrong; docs/publishing.md.",
        passing=True,
    )
