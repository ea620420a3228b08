"""One watched folder: opens it, follows it for as long as it is there, and brings what comes to the parts that decide.

folders_watch.py    the lock of the folder, and the system's events
folders_look.py     how a file looks now
folders_coming.py   what something happened to, until it is whole
folders_changed.py  what waits in the list and has another time stamp now
folders_rules.py    what may spend by itself, and why not; batches
folders_known.py    what is listed
folders_sending.py  what is sent, and asked again after a crash
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from bridge_daemon.domain.render import ASKS, Render, RenderState
from bridge_daemon.frontends.folders import scan as looks
from bridge_daemon.frontends.folders import sidecar as sidecars
from bridge_daemon.frontends.folders.catalog import Catalog, Listing
from bridge_daemon.frontends.folders.content_check import ContentCheck
from bridge_daemon.frontends.folders.outgoing import Sending
from bridge_daemon.frontends.folders.pending import Candidate, Patience, PendingFiles
from bridge_daemon.frontends.folders.rules import SIDECAR_BEFORE, Doubt, Rules
from bridge_daemon.frontends.folders.scan import FileFacts
from bridge_daemon.frontends.folders.sender import Parts, Press
from bridge_daemon.frontends.folders.threads import Threads
from bridge_daemon.frontends.folders.watch import CLOSE_EVENTS, FolderWatch, Hint, NotWatchable
from bridge_daemon.settings.sections import WatchedFolder
from bridge_daemon.util import files

#: How long a file whose end nobody told of must not change before it counts as whole, s.
SETTLE: Final = 1.0 if CLOSE_EVENTS else 2.0
#: How long one that is not whole must not change before it is listed as broken, s.
BROKEN: Final = 10.0
#: Between two tries to open a folder that is not there, s.
RETRY: Final = 2.0
_HINTS: Final = 200  # events taken in one turn of the loop


class RenderFolder:
    """Watches one folder for as long as its task runs."""

    def __init__(self, settings: WatchedFolder, parts: Parts) -> None:
        """Open nothing yet."""
        self.settings = settings
        self.root = Path(settings.path).expanduser()
        self._times = parts.times
        self._off = Threads()
        self.known = Catalog(parts.sender.journal, settings.name, self.root, self._off, parts.sizes)
        self._rules = Rules(lambda: self.settings, parts.times.monotonic)
        self._sending = Sending(
            self.root, lambda: self.settings, self.known, self._rules, parts, self._off, again=self._changed
        )
        self._coming = PendingFiles(
            self.root,
            self.known,
            self._rules,
            self._off,
            is_busy=self._is_busy,
            monotonic=parts.times.monotonic,
            patience=Patience(SETTLE, 3 * SETTLE, 15 * SETTLE, BROKEN),
        )
        self._comparing = ContentCheck(self.root, self.known, self._off, coming=self._coming, take=self._take_one)
        self._watch: FolderWatch | None = None
        self._wake = asyncio.Event()
        self.problem: str | None = "It is being opened."
        self._odd = 0

    def _changed(self, name: str) -> None:
        self._coming.touch(name, soon=False)

    def _is_busy(self, name: str) -> bool:
        return name in self._sending.busy or name in self._comparing.names

    # Opening and closing

    async def run(self) -> None:
        """Watch, for ever: the folder may go away and come back."""
        await self._sending.resume()
        while True:
            try:
                await self._open()
            except NotWatchable as error:
                self.problem = str(error)
                await asyncio.sleep(RETRY)
                continue
            try:
                self.problem = None
                await self._follow()
            except OSError as error:
                self.problem = f"It cannot be read: {error.strerror or error}."
            finally:
                await self._let_go()

    async def _open(self) -> None:
        await self.known.load()
        loop = asyncio.get_running_loop()
        watch = FolderWatch(self.root, lambda: self._told(loop))
        opening = self._off.begin(watch.open, empty_is_away=bool(self.known.files))
        self._watch = watch
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:
            with suppress(NotWatchable):
                await opening
            await self._let_go()
            raise
        except NotWatchable:
            await self._let_go()
            raise
        self._rules.unsafe = watch.unsafe
        try:
            await self._begin()
        except OSError as error:
            await self._let_go()
            raise NotWatchable(f"It cannot be read: {error.strerror or error}.") from error
        except BaseException:
            await self._let_go()
            raise

    def _told(self, loop: asyncio.AbstractEventLoop) -> None:
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(self._wake.set)

    async def _let_go(self) -> None:
        watch, self._watch = self._watch, None
        self._coming.files.clear()
        if watch is not None:
            await asyncio.shield(self._off.begin(watch.close))

    async def close(self) -> None:
        """End what is being sent and the threads; the task of :meth:`run` has been ended before."""
        await self._comparing.close()
        await self._sending.close()
        self._off.close()

    def configure(self, settings: WatchedFolder) -> None:
        """Apply other settings of the same folder. What was begun before it may spend does not spend."""
        if settings.spend and not self.settings.spend:
            self._coming.all_before()
        self.settings = settings

    # Following

    async def _begin(self) -> None:
        """List what is there already: nothing of that spends by itself."""
        await self._off(sidecars.clean, self.root)
        found = await self._off(looks.sweep, self.root, self.known.stamps())
        self._odd = found.odd
        await self.known.vanished(found.missing)
        changed = set(found.changed)
        for name in {name for key in found.sidecars for name in self.known.beside(key)}:
            render = self.known.files[name]
            if render.code == ASKS and name not in changed:
                await self.known.say(render, *SIDECAR_BEFORE)
        self._coming.was_there(found)
        fresh = self._times.now() - 2 * SETTLE
        while wanted := self._coming.unseen():  # what is left then is still being written
            await self._arrived(await self._coming.look_at(wanted, older_than=fresh))

    async def _follow(self) -> None:
        """Handle events and sweep; return when the folder is not the same any more."""
        assert self._watch is not None
        watch, sweep_at = self._watch, self._now() + self._watch.sweep_every
        while True:
            self._wake.clear()
            for hint, name in watch.take(_HINTS):
                if hint is Hint.FOLDER:
                    sweep_at = 0.0
                else:
                    self._coming.hinted(hint, name)
            began = self._now()
            if began >= sweep_at:
                if not await self._sweep(watch):
                    return
                # a large folder is looked at as often as costs a hundredth of the time
                sweep_at = self._now() + max(watch.sweep_every, 100 * (self._now() - began))
            if due := self._coming.due():
                await self._arrived(await self._coming.look_at(due))
            elif watch.has_hints:
                await asyncio.sleep(0)
            else:
                await self._rest(self._coming.next_due(sweep_at))

    async def _rest(self, until: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, until - self._now())):
                await self._wake.wait()

    def _now(self) -> float:
        return self._times.monotonic()

    async def _sweep(self, watch: FolderWatch) -> bool:
        """Look for what the events missed; return whether the folder is still the same one."""
        try:
            if await self._off(looks.identity, self.root) != watch.identity:
                self.problem = "It is not there any more."
                return False
            found = await self._off(looks.sweep, self.root, self.known.stamps())
        except OSError as error:
            self.problem = f"It is not there any more ({error.strerror or error})."
            return False
        self._odd = found.odd
        await self._coming.swept(found)
        await self._sending.resume()
        return True

    async def _arrived(self, whole: list[tuple[FileFacts, Candidate]]) -> None:
        """Send or list what is whole, unless it is what was known before."""
        new: list[tuple[FileFacts, bool]] = []
        stays: list[tuple[FileFacts, str | None]] = []
        for look, candidate in whole:
            if self._watch is not None:
                self._watch.taken(look.name)
            if candidate.compare:
                self._rules.dropped(look.name)
                self._comparing.add(look)
                continue
            was, doubt = await self._was(look), self._doubt(look, candidate)
            if was is not None or doubt is not Doubt.NONE:
                self._rules.dropped(look.name)
            if was is not None:
                await self.known.renamed(was, look)
            elif doubt is Doubt.READ:
                self._comparing.add(look)
            elif doubt is Doubt.STAYS:
                stays.append((look, None))
            else:
                new.append((look, candidate.before))
        await self.known.touched(stays)
        await self._take(new)

    async def _was(self, look: FileFacts) -> Render | None:
        """Return the render that vanished and has come back, if this is it: by its content, if that was read."""
        was = self.known.was(look)
        if was is None or was.sha256 is None:
            return was
        try:
            return was if await self._off(files.sha256, self.root / look.name) == was.sha256 else None
        except OSError:  # gone meanwhile: the next look tells
            return None

    def _doubt(self, look: FileFacts, candidate: Candidate) -> Doubt:
        old = self.known.files.get(look.name)
        if old is None:
            return Doubt.NONE
        return self._rules.doubt(
            old, look, before=candidate.before, written=candidate.written, sidecar=candidate.sidecar
        )

    async def _take(self, new: list[tuple[FileFacts, bool]]) -> None:
        """Send or list what is new; each with whether it was there before it could spend."""
        listings = []
        for look, before in new:
            why = self._rules.decide(look, before=before)
            if why is None:
                self._sending.begin(look)
            else:
                listings.append(Listing(look, *why))
        await self.known.listed(listings)

    async def _take_one(self, look: FileFacts) -> None:
        await self._take([(look, False)])

    async def send(self, render: Render, press: Press) -> dict[str, Any]:
        """Send a render because somebody asks for it. Raises a BridgeError."""
        return await self._sending.send(render, press)

    # Facts

    def newest(self) -> Path | None:
        """Return the newest whole render of the folder."""
        render = max(self.known.files.values(), key=lambda render: render.mtime_ns, default=None)
        return render.path if render is not None else None

    def about(self) -> dict[str, Any]:
        """Return what the status tells of the folder."""
        waiting = sum(
            1 for render in self.known.files.values() if render.state is RenderState.WAITING and not render.try_id
        )
        watch = self._watch
        return {
            "name": self.settings.name,
            "path": str(self.root),
            "results": str(self.settings.results_path),
            "preset": self.settings.preset,
            "spend": self.settings.spend,
            "watching": watch is not None and self.problem is None,
            "problem": self.problem,
            "unsafe": watch.unsafe if watch is not None else None,
            "no_events": watch.no_events if watch is not None else None,
            "renders": len(self.known.files),
            "waiting": waiting,
            "coming": len(self._coming.files) + len(self._sending.busy) + len(self._comparing.names),
            "unreadable_names": self._odd,
        }
