"""One watched folder: finds what comes, waits until it is whole, and lists or sends it.

A render spends by itself only where all of this is so: it appeared while the folder was being watched; the folder says
``spend = true`` or a sidecar lies beside it; it does not belong to a batch of more than ``max_batch``; the folder is
locked by this daemon and not open to all users; and its content was never sent before. Everything else is listed, with
the reason, and waits for a person.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

from bridge_daemon import files
from bridge_daemon.errors import BridgeError, InvalidRequest, Stale, WrongState
from bridge_daemon.intake import folders_look as looks
from bridge_daemon.intake import folders_names as names
from bridge_daemon.intake import folders_sidecar as sidecars
from bridge_daemon.intake.folders_burst import WINDOW, Burst
from bridge_daemon.intake.folders_known import Known, Listing
from bridge_daemon.intake.folders_look import Kind, Look, Stamp
from bridge_daemon.intake.folders_send import Parts, Press, Vanished
from bridge_daemon.intake.folders_watch import CLOSE_EVENTS, Hint, NotWatchable, Watch
from bridge_daemon.journal import renders as rows
from bridge_daemon.render import ASKS, BATCH, BEFORE, UNSAFE, Render, RenderState
from bridge_daemon.settings_sections import WatchedFolder

log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

#: How long a file whose end nobody told of must not change before it counts as whole, s.
SETTLE: Final = 1.0 if CLOSE_EVENTS else 2.0
#: How long one that is not whole must not change before it is listed as broken, s.
BROKEN: Final = 10.0
#: How long a render waits for others that come with it, and for its sidecar, s: part of the way to the service.
GATHER: Final = 0.025
#: Between two tries to open a folder that is not there, s.
RETRY: Final = 2.0
_AT_ONCE: Final = 64  # files looked at in one piece of work
_HINTS: Final = 1000  # events taken in one turn of the loop

_BEFORE_TEXT: Final = "It was there before the bridge watched the folder."
_SIDECAR_BEFORE: Final = "Its sidecar came while the bridge did not watch the folder."
_ASKS_TEXT: Final = "The folder does not spend by itself, and no sidecar lies beside it."


@dataclass(slots=True)
class Candidate:
    """A file that may become a render; times are of a clock that never jumps."""

    due: float  # looked at then
    closed: bool = False  # written and closed, or renamed into place
    before: bool = False  # was there, or was begun, before it could spend
    sidecar: bool = False  # its sidecar came or changed
    stamp: Stamp | None = None
    since: float = 0.0  # it has this stamp


class RenderFolder:
    """Watches one folder for as long as its task runs."""

    def __init__(self, settings: WatchedFolder, parts: Parts) -> None:
        """Open nothing yet."""
        self.settings = settings
        self.root = Path(settings.path).expanduser()
        self._parts = parts
        self._journal = parts.sender.journal
        self.known = Known(self._journal, settings.name, str(self.root))
        self._candidates: dict[str, Candidate] = {}
        self._sidecars: set[str] = set()
        self._burst = Burst(parts.times.monotonic)
        self._watch: Watch | None = None
        self._wake = asyncio.Event()
        self._busy: set[str] = set()  # names that are being sent
        self._asking: set[int] = set()  # entries whose request is on its way to admit
        self._sending: set[asyncio.Task[None]] = set()
        self._pool = ThreadPoolExecutor(3, thread_name_prefix="folders")
        self.problem: str | None = "It is being opened."
        self._odd = 0

    # Opening and closing

    async def run(self) -> None:
        """Watch, for ever: the folder may go away and come back."""
        await self._resume()
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
        watch = Watch(self.root, lambda: self._told(loop))
        empty_is_away = bool(self.known.files)
        opening = loop.run_in_executor(self._pool, lambda: watch.open(empty_is_away=empty_is_away))
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
        self._candidates.clear()
        if watch is not None:
            await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._pool, watch.close))

    async def close(self) -> None:
        """End what is being sent and the threads; the task of :meth:`run` has been ended before."""
        for task in list(self._sending):
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def configure(self, settings: WatchedFolder) -> None:
        """Heed other settings of the same folder. What was begun before it may spend does not spend."""
        if settings.spend and not self.settings.spend:
            for candidate in self._candidates.values():
                candidate.before = True
        self.settings = settings

    async def _off(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: work(*args, **kwargs))

    # The loop

    async def _begin(self) -> None:
        """List what is there already: nothing of that spends by itself."""
        await self._off(sidecars.clean, self.root)
        found = await self._off(looks.sweep, self.root, self.known.stamps())
        self._sidecars, self._odd = set(found.sidecars), found.odd
        await self.known.vanished(found.missing)
        came = {name for key in found.sidecars for name in self.known.beside(key)}
        for name in came:
            render = self.known.files[name]
            if render.code == ASKS and render.name not in found.changed:
                await self._say(render, BEFORE, _SIDECAR_BEFORE)
        now = self._now()
        for name in found.changed:
            self._candidates[name] = Candidate(due=now, before=True)
        fresh = self._parts.times.now() - 2 * SETTLE
        while self._candidates:
            wanted = [name for name, candidate in self._candidates.items() if candidate.stamp is None]
            wanted = [name for name in wanted if name not in self._busy][:_AT_ONCE]
            if not wanted:
                return  # what is left is still being written
            await self._look_at(wanted, older_than=fresh)

    async def _say(self, render: Render, code: str, text: str) -> None:
        changed = await self._journal.write(
            "render_waits", lambda tx: rows.change(tx, render.id, idle=True, code=code, text=text)
        )
        if changed is not None:
            self.known.keep(changed)

    async def _follow(self) -> None:
        """Heed events and sweep; return when the folder is not the same any more."""
        assert self._watch is not None
        watch, sweep_at = self._watch, self._now() + self._watch.sweep_every
        while True:
            self._wake.clear()
            for hint, name in watch.take(_HINTS):
                if hint is Hint.FOLDER:
                    sweep_at = 0.0
                else:
                    self._hinted(hint, name)
            now = self._now()
            if now >= sweep_at:
                began = now
                if not await self._sweep(watch):
                    return
                # a large folder is looked at as often as costs a hundredth of the time
                sweep_at = self._now() + max(watch.sweep_every, 100 * (self._now() - began))
            due = sorted((c.due, name) for name, c in self._candidates.items() if c.due <= now)
            if due:
                await self._look_at([name for _, name in due[:_AT_ONCE]])
            elif not watch.has_hints:
                await self._rest(min([sweep_at, *(c.due for c in self._candidates.values())]))

    async def _rest(self, until: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, until - self._now())):
                await self._wake.wait()

    def _now(self) -> float:
        return self._parts.times.monotonic()

    def _hinted(self, hint: Hint, name: str) -> None:
        sidecar = names.sidecar_of(name)
        if sidecar is None:
            self._touch(name, closed=hint is Hint.CLOSED, soon=hint is not Hint.TOUCHED)
            return
        self._sidecars.add(sidecar)
        for render in list(self.known.beside(sidecar)):
            if render not in self._candidates:
                self._candidates[render] = Candidate(due=self._now(), sidecar=True)

    def _touch(self, name: str, *, closed: bool, soon: bool) -> None:
        now = self._now()
        candidate = self._candidates.get(name)
        if candidate is None:
            candidate = self._candidates[name] = Candidate(due=now)
            if name not in self.known.files and self._would_spend(name):
                self._burst.came(name)
        candidate.closed = closed
        candidate.due = now if soon else now + SETTLE

    def _would_spend(self, name: str) -> bool:
        return self.settings.spend or any(key in self._sidecars for key in names.keys(name))

    async def _sweep(self, watch: Watch) -> bool:
        """Look for what the events missed; tell whether the folder is still the same one."""
        try:
            if await self._off(looks.identity, self.root) != watch.identity:
                self.problem = "It is not there any more."
                return False
            found = await self._off(looks.sweep, self.root, self.known.stamps())
        except OSError as error:
            self.problem = f"It is not there any more ({error.strerror or error})."
            return False
        self._odd = found.odd
        new = found.sidecars - self._sidecars
        self._sidecars = set(found.sidecars)
        for key in new:
            for name in self.known.beside(key):
                self._candidates.setdefault(name, Candidate(due=self._now(), sidecar=True))
        for name in (*found.missing, *found.changed):
            if name not in self._candidates and name not in self._busy:
                self._touch(name, closed=False, soon=True)
        await self._resume()
        return True

    # Looking

    async def _look_at(self, wanted: list[str], *, older_than: float | None = None) -> None:
        """Look at candidates, and take those that are whole. ``older_than``: others may still be being written."""
        wanted = [name for name in wanted if not self._is_busy(name)]
        if not wanted:
            return
        seen = await self._off(looks.look, self.root, wanted, self.known.stamps(wanted))
        await self.known.vanished([look.name for look in seen if look.kind is Kind.MISSING])
        whole: list[tuple[Look, Candidate]] = []
        for look in seen:
            candidate = self._candidates[look.name]
            if look.kind is not Kind.FILE:
                self._leave(look.name)
            elif (known := self.known.files.get(look.name)) is not None and known.stamp == look.stamp:
                self._leave(look.name)
                if self._sidecar_came(known, look, candidate):
                    whole.append((look, candidate))
            elif self._is_whole(look, candidate, older_than):
                self._candidates.pop(look.name)
                whole.append((look, candidate))
        await self._arrived(whole)

    def _is_busy(self, name: str) -> bool:
        if name in self._busy:
            self._candidates[name].due = self._now() + SETTLE
        return name in self._busy

    def _leave(self, name: str) -> None:
        self._candidates.pop(name, None)
        self._burst.dropped(name)

    def _sidecar_came(self, known: Render, look: Look, candidate: Candidate) -> bool:
        if not look.sidecar or known.state is not RenderState.WAITING or known.try_id is not None or candidate.before:
            return False
        # what waits for another reason than that nobody asked for it waits for a person
        return known.code == ASKS or (candidate.sidecar and known.code == InvalidRequest.code)

    def _is_whole(self, look: Look, candidate: Candidate, older_than: float | None) -> bool:
        """Tell whether a file can be taken (or, not whole for long, be listed as broken); else wait for it."""
        now = self._now()
        if candidate.stamp != look.stamp:
            candidate.stamp, candidate.since = look.stamp, now
        rested = now - candidate.since
        if older_than is not None and look.stamp[1] < older_than * 1e9 and look.fault is None:
            return True
        if look.fault is None and (candidate.closed or rested >= SETTLE):
            return True
        if look.fault is not None and rested >= BROKEN:
            return True
        candidate.closed = False
        candidate.due = now + SETTLE
        return False

    # What came

    async def _arrived(self, whole: Iterable[tuple[Look, Candidate]]) -> None:
        listings = []
        for look, candidate in whole:
            was = self.known.was(look)
            if was is not None:
                self._burst.dropped(look.name)
                await self.known.renamed(was, look)
                continue
            why = self._why_not(look, candidate)
            self._burst.settled(look.name)
            if why is None:
                self._spend(look)
            else:
                listings.append(Listing(look, *why))
        await self._list(listings)

    def _why_not(self, look: Look, candidate: Candidate) -> tuple[str, str] | None:
        """Return why a render does not spend by itself, None where it does."""
        if candidate.before:
            return BEFORE, _BEFORE_TEXT
        if look.fault is not None:
            return "E-SOURCE", f'"{look.name}" {look.fault}. Nothing was sent.'
        if not (self.settings.spend or look.sidecar):
            return ASKS, _ASKS_TEXT
        if self._watch is not None and self._watch.unsafe is not None:
            return UNSAFE, f"Nothing in this folder spends by itself: {self._watch.unsafe}."
        self._burst.came(look.name)
        if self._burst.is_over(self.settings.max_batch):
            return BATCH, self._batch_text()
        return None

    def _batch_text(self) -> str:
        return (
            f"It came with others: more than max_batch = {self.settings.max_batch} in {WINDOW:g} s. "
            "Nothing of what waits was sent."
        )

    async def _list(self, listings: list[Listing]) -> None:
        """List renders that wait; of those with the size of one that was sent, the content is compared."""
        compared = []
        for listing in listings:
            sha256 = None
            if listing.look.fault is None and listing.look.stamp[0] in self._parts.sizes:
                with suppress(OSError):  # gone meanwhile: the next look tells
                    sha256 = await self._off(files.sha256, self.root / listing.look.name)
            compared.append(Listing(listing.look, listing.code, listing.text, sha256))
        await self.known.listed(compared)

    def _spend(self, look: Look) -> None:
        self._burst.spent()
        self._busy.add(look.name)
        task = asyncio.create_task(self._send_new(look), name=f"render {look.name}")
        self._sending.add(task)
        task.add_done_callback(self._sent)

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("%s: a render could not be sent", self.settings.name, exc_info=task.exception())

    async def _send_new(self, look: Look) -> None:
        """Send a render that came, unless it turns out to be one of many."""
        began = self._now()
        try:
            copy = await self._off(self._parts.sender.copy, self.root / look.name, look.stamp)
            await asyncio.sleep(max(0.0, GATHER - (self._now() - began)))
            if self._burst.is_broken(self.settings.max_batch):
                await self._list([Listing(look, BATCH, self._batch_text())])
                return
            old = self.known.files.get(look.name)
            await self._send(old if old is not None else self._new(look), look.stamp, copy, Press())
        except Vanished:
            self._touch(look.name, closed=False, soon=False)
        except BridgeError as error:
            log.info("%s: %s was not sent: %s", self.settings.name, look.name, error.message)
            if (now := self.known.files.get(look.name)) is None or now.stamp != look.stamp:
                await self._list([Listing(look, error.code, error.message)])
            elif now.state is RenderState.WAITING and now.code != error.code:
                await self._say(now, error.code, error.message)
            if isinstance(error, InvalidRequest) and look.sidecar:
                await self._off(self._parts.sender.note_error, self.root / look.name, error)
        finally:
            self._busy.discard(look.name)

    def _new(self, look: Look) -> Render:
        size, mtime_ns = look.stamp
        return Render(
            id=0, folder=self.settings.name, root=str(self.root), name=look.name, size=size, mtime_ns=mtime_ns
        )

    # Sending

    async def _send(self, render: Render, stamp: Stamp, copy: Any, press: Press) -> dict[str, Any]:
        """Make a request of a copied render. Raises a BridgeError."""
        asked = await self._off(self._parts.sender.request_of, self.settings, copy, render.name, press)
        if render.request is not None and render.sha256 != copy.sha256:  # replaced: another render under its name
            await self.known.replaced(render.name)
            render = render.evolve(id=0, request=None)
        size, mtime_ns = stamp
        claimed = await self._parts.sender.claim(render.evolve(size=size, mtime_ns=mtime_ns), copy, asked, press)
        self.known.keep(claimed)
        if claimed.try_id is None:
            text = claimed.text or "It was sent before."
            raise WrongState(
                f"{claimed.name}: {text} Nothing was sent.", next=f"daw-bridge folders send {claimed.id} --again"
            )
        return await self._ask(claimed)

    async def _ask(self, claimed: Render) -> dict[str, Any]:
        self._asking.add(claimed.id)
        self._parts.sizes.add(claimed.size)
        try:
            sent, answer = await self._parts.sender.ask(claimed)
            if sent.present:
                self.known.keep(sent)
            return answer | {"entry": sent.id}
        except BridgeError:
            await self.known.fresh(claimed)
            raise
        finally:
            self._asking.discard(claimed.id)

    async def send(self, render: Render, press: Press) -> dict[str, Any]:
        """Send a render because somebody asks for it: no batch, no rule of the folder counts. Raises a BridgeError."""
        if render.name in self._busy:
            raise WrongState("It is being sent already.", next="daw-bridge folders list")
        self._busy.add(render.name)
        try:
            stamp = await self._off(looks.stamp, render.path)
            copy = await self._off(self._parts.sender.copy, render.path, stamp)
            return await self._send(render, stamp, copy, press)
        except (Vanished, OSError):
            raise WrongState(
                f"{render.name} is not there any more, or is being written. Nothing was sent.",
                next="daw-bridge folders list",
            ) from None
        finally:
            self._busy.discard(render.name)

    async def _resume(self) -> None:
        """Ask again what was asked when the process died, or when whoever asked went away."""
        for render in await self._journal.read(lambda tx: rows.trying(tx, str(self.root))):
            if render.id in self._asking or render.name in self._busy:
                continue
            old = self._parts.times.now() - render.updated_at > self._parts.valid_for()
            accepted = await self._journal.read(lambda tx, r=render: tx.accepted(r.try_id or "") is not None)  # type: ignore[misc]
            if old and not accepted:
                error = Stale("It waited for too long to be sent by itself. Nothing was sent.")
                await self._parts.sender.refused(render, error)
                await self.known.fresh(render)
                continue
            with suppress(BridgeError):  # told in the list
                await self._ask(render)

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
            "coming": len(self._candidates) + len(self._busy),
            "unreadable_names": self._odd,
        }
