"""The script inbox: a way in for whoever has only files. See docs/inbox.md for the contract with the scripts.

An event, or the slow look, only says whose inbox to look into; what lies there decides. Each client is served by one
task, oldest file first; clients do not wait for each other.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from bridge_daemon.actions.bridge import Actions
from bridge_daemon.frontends.mailbox import files
from bridge_daemon.frontends.mailbox.files import Claim, FileKind, RejectedFile
from bridge_daemon.frontends.mailbox.outbox import Outbox
from bridge_daemon.frontends.mailbox.verbs import InboxVerbs, Unusable
from bridge_daemon.frontends.mailbox.watch import InboxWatch
from bridge_daemon.home.paths import Home
from bridge_daemon.journal import Journal
from bridge_daemon.settings.load import Settings
from bridge_daemon.util.tasks import Tasks
from bridge_daemon.util.times import Times

log = logging.getLogger(__name__)
T = TypeVar("T")

#: What is looked for again where events are not told, s.
WITHOUT_EVENTS: Final = 1.0
#: A file at which we failed ourselves is tried again after this, doubled each time, s.
_AFTER_FAULT: Final = (2.0, 300.0)
_HOUR: Final = 3600.0


class Inbox:
    """The inboxes of all clients, and the outboxes that answer them."""

    name = "inbox"

    def __init__(
        self,
        home: Home,
        actions: Actions,
        journal: Journal,
        settings: Callable[[], Settings],
        times: Times,
    ) -> None:
        """Watch nothing yet."""
        self.outbox = Outbox(home.outbox, actions, journal, times)
        self._inbox, self._outbox = home.inbox, home.outbox
        self._times = times
        self._verbs = InboxVerbs(actions, self.outbox, journal, settings, times)
        self._watch = InboxWatch(home.inbox, self.look)
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="inbox")
        self._dirty: set[str] = set()
        self._serving: set[str] = set()  # clients
        self._tasks = Tasks("inbox")
        self._timers: dict[str, asyncio.TimerHandle] = {}  # of each client: when it is looked at again
        self._faults: dict[Path, tuple[int, float]] = {}
        self._finding = asyncio.Lock()
        self._meeting = False
        self._problem = "not started"
        self._root: tuple[int, int] | None = None
        self._others: set[str] = set()
        self._broken: dict[str, str] = {}  # clients that cannot be served now, and why
        self._counts: Counter[str] = Counter()
        self._trimmed = float("-inf")

    # Opening and closing

    async def start(self) -> None:
        """Watch the inboxes, and take up what lies there."""
        await self._watch_root()
        self._tasks.start(self.outbox.beat(self._sweep), "outboxes")

    async def configure(self) -> None:
        """Tell the scripts of the presets and limits that count now."""
        self.outbox.hurry()

    async def close(self) -> None:
        """Stop reading. What is claimed and not answered is done at the next start."""
        await self._tasks.close()
        await self._run(self._watch.stop)
        await self.outbox.close()
        await asyncio.to_thread(self._threads.shutdown)

    def _run(self, work: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _later(self, seconds: float, client: str) -> None:
        """Look into an inbox after a while, or before: each look finds out anew when the next one is due."""
        timer = self._timers.get(client)
        if timer is not None:
            if timer.when() <= asyncio.get_running_loop().time() + seconds:
                return
            timer.cancel()
        later = self._tasks.after(seconds, self._due, client)
        if later is not None:
            self._timers[client] = later

    def _due(self, client: str) -> None:
        del self._timers[client]
        self.look(client)

    # Finding clients

    async def _watch_root(self) -> None:
        loop = asyncio.get_running_loop()
        self._root = await self._run(partial(files.make_root, self._inbox))
        problem = await self._run(lambda: self._watch.start(loop))
        if problem and problem != self._problem:
            log.warning("The inboxes are looked at every second: %s", problem)
        self._problem = problem

    async def _sweep(self) -> None:
        """Find clients that came and went, and look into every inbox, since an event may have been missed."""
        async with self._finding:
            if await self._run(partial(files.make_root, self._inbox)) != self._root:  # somebody removed the whole of it
                await self._run(self._watch.stop)
                await self._watch_root()
            elif self._problem:
                await self._watch_root()
            await self._find()
        for client in self.outbox.clients():
            self.look(client)
        if self._times.monotonic() - self._trimmed >= _HOUR:
            self._trimmed = self._times.monotonic()
            for client in self.outbox.clients():
                await self._run(partial(files.trim_rejected, self._outbox, client, self._times.now()))

    async def _find(self) -> None:
        """Register clients of which a folder exists, and make the other one; forget those without any."""
        inboxes, others = await self._run(lambda: files.clients_in(self._inbox))
        outboxes = await self.outbox.folders()
        claimed = await self._run(lambda: files.claimed_clients(self._inbox))
        if others - self._others:
            log.warning("What is no folder of a client lies in the inbox: %s", ", ".join(sorted(others)))
        self._others = others
        broken = {}
        for client in sorted(inboxes | outboxes | claimed):
            try:
                await self._run(partial(files.make_folder, self._inbox / client))
                if client not in self.outbox.clients():
                    await self.outbox.add(client)
                elif client not in outboxes:
                    await self.outbox.made_again(client)
            except Exception as error:  # it is tried again at the next look; the others need not wait for that
                broken[client] = str(error)
                if self._broken.get(client) != str(error):
                    log.exception("The client %s cannot be served now", client)
        self._broken = broken
        for client in self.outbox.clients() - inboxes - outboxes - claimed:
            if not self.outbox.forget(client):
                await self._run(partial(files.make_folder, self._inbox / client))
                await self.outbox.made_again(client)

    async def _meet(self) -> None:
        """Register a client whose folder has just been made."""
        async with self._finding:
            self._meeting = False  # what comes from here on may be missed by this look
            before = self.outbox.clients()
            await self._find()
        for client in self.outbox.clients() - before:
            self.look(client)

    # Serving them

    def look(self, client: str) -> None:
        """Look into an inbox: something appeared there."""
        if self._tasks.closed:
            return
        if client not in self.outbox.clients():
            if client not in self._others and not self._meeting:
                self._meeting = True
                self._tasks.start(self._meet(), "new client")
            return
        self._dirty.add(client)
        if client not in self._serving:
            self._serving.add(client)
            self._tasks.start(self._serve(client), f"inbox of {client}", then=lambda: self._served(client))

    def _served(self, client: str) -> None:
        self._serving.discard(client)
        if client in self._dirty:
            self.look(client)
        elif self._problem and not self._tasks.closed:
            self._later(WITHOUT_EVENTS, client)

    async def _serve(self, client: str) -> None:
        """Do what lies in an inbox, until nothing more does."""
        while client in self._dirty:
            self._dirty.discard(client)
            now = self._times.monotonic()
            leave = {path: until for path, (_, until) in self._faults.items() if until > now}
            if leave:
                self._later(min(leave.values()) - now + 0.1, client)
            try:
                work = partial(files.look, self._inbox, client, self._times.now(), leave)
                found = await self._run(work)
            except FileNotFoundError:
                return  # the folder was removed; the next look makes it again
            if found.claims or found.poison:
                self.outbox.touch(client)
            for claim in found.claims:
                await self._do(claim)
            for poison in found.poison:
                await self._set_aside(poison)
            if found.more:
                self._dirty.add(client)
            if found.later:
                self._later(files.SETTLED + 0.2, client)

    async def _do(self, claim: Claim) -> None:
        """Do what a claimed file asks for, have it answered, and let go of it."""
        try:
            try:
                await self._verbs.do(claim)
            except Unusable as error:
                named = claim.name.id if claim.name.kind in (FileKind.REQUEST, FileKind.COMMAND) else ""
                await self._set_aside(RejectedFile(client=claim.client, path=claim.path, id=named, error=error.error))
            else:
                await self._run(partial(files.done, claim))
                self._counts[f"taken: {claim.name.kind}"] += 1
            self._faults.pop(claim.path, None)
        except Exception:
            self._again(claim.client, claim.path)  # it stays claimed, and is done again: its id makes that harmless
            log.exception("The file %s of %s could not be done; it is tried again", claim.path.name, claim.client)

    def _again(self, client: str, path: Path) -> None:
        """Pass a file over for a while, longer each time, and then look at it again."""
        count = self._faults.get(path, (0, 0.0))[0] + 1
        seconds = min(_AFTER_FAULT[1], _AFTER_FAULT[0] * 2.0 ** min(count - 1, 10))
        self._faults[path] = (count, self._times.monotonic() + seconds)
        self._later(seconds + 0.1, client)

    async def _set_aside(self, poison: RejectedFile) -> None:
        """Tell why a file cannot be used, and move it out of the way."""
        name = poison.path.name
        try:
            if poison.id:
                await self.outbox.refused(poison.client, poison.id, "", poison.error)
            where = await self._run(partial(files.set_aside, self._outbox, poison))
        except OSError as error:
            self._again(poison.client, poison.path)
            log.warning("The file %s of %s cannot be set aside: %s", name, poison.client, error)
            return
        self._faults.pop(poison.path, None)
        self._counts["set aside"] += 1
        shown = name.encode("utf-8", "replace").decode()
        log.warning(
            "The file %s of %s was set aside: %s It lies at %s", shown, poison.client, poison.error.message, where
        )

    def about(self) -> dict[str, Any]:
        """Return what the status tells of the inboxes."""
        return {
            "folder": os.fspath(self._inbox),
            "watched": not self._problem,
            "problem": self._problem or None,
            "clients": self.outbox.about(),
            "no_clients": sorted(name.encode("utf-8", "replace").decode() for name in self._others),
            "tried_again": len(self._faults),
            "counts": dict(sorted(self._counts.items())),
        }
