"""The renders of one folder that are being sent: those that came, those that a person asks for, and those that were
being asked when the process died.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from bridge_daemon.domain.render import EARLY, Render, RenderState
from bridge_daemon.errors import BridgeError, InvalidRequest, Stale, WrongState
from bridge_daemon.frontends.folders import scan as looks
from bridge_daemon.frontends.folders.catalog import Catalog, Listing
from bridge_daemon.frontends.folders.rules import Rules
from bridge_daemon.frontends.folders.scan import FileFacts, Stamp
from bridge_daemon.frontends.folders.sender import Copy, Parts, Press, Vanished, said_early
from bridge_daemon.frontends.folders.threads import Threads
from bridge_daemon.journal import renders as rows
from bridge_daemon.settings.sections import WatchedFolder
from bridge_daemon.util import files
from bridge_daemon.util.tasks import Tasks

log = logging.getLogger(__name__)

#: How long a render waits for others that come with it, and for its sidecar, s: part of the way to the service.
GATHER: Final = 0.025


class Sending:
    """What of one folder is on its way to a request."""

    def __init__(
        self,
        root: Path,
        settings: Callable[[], WatchedFolder],
        known: Catalog,
        rules: Rules,
        parts: Parts,
        off: Threads,
        *,
        again: Callable[[str], None],
    ) -> None:
        """``again`` is called with the name of a file that changed while it was read: it is looked at once more."""
        self._root = root
        self._settings = settings
        self._known = known
        self._rules = rules
        self._parts = parts
        self._off = off
        self._again = again
        self.busy: set[str] = set()  # names that are being sent
        self.asking: set[int] = set()  # entries whose request is on its way to admit
        self._tasks = Tasks(f"sending renders of {root}")

    # What came

    def begin(self, look: FileFacts) -> None:
        """Send a render that came, in a task of its own."""
        self.busy.add(look.name)
        self._tasks.start(self._send_new(look), f"render {look.name}")

    async def close(self) -> None:
        """End what is being sent: it goes on at the next start."""
        await self._tasks.close()

    async def _send_new(self, look: FileFacts) -> None:
        """Send a render that came, unless it turns out to be one of many."""
        monotonic = self._parts.times.monotonic
        began = monotonic()
        copy: Copy | None = None
        try:
            copy = await self._off(self._parts.sender.copy, self._root / look.name, look.stamp)
            await asyncio.sleep(max(0.0, GATHER - (monotonic() - began)))
            why = self._rules.broken()
            if why is not None:
                await self._known.listed([Listing(look, *why, copy.sha256)])
                return
            old = self._known.files.get(look.name)
            if old is not None and (sent := await self._parts.sender.was_early(old, copy)) is not None:
                files.discard(copy.file)
                await self._known.listed([Listing(look, EARLY, said_early(sent), copy.sha256, sent.id)])
                return
            await self._send(old if old is not None else self._new(look), look.stamp, copy, Press())
        except Vanished:
            self._again(look.name)
        except BridgeError as error:
            await self._not_sent(look, error, copy.sha256 if copy is not None else None)
        finally:
            self.busy.discard(look.name)

    async def _not_sent(self, look: FileFacts, error: BridgeError, sha256: str | None) -> None:
        log.info("%s: %s was not sent: %s", self._settings().name, look.name, error.message)
        if (now := self._known.files.get(look.name)) is None or now.stamp != look.stamp:
            await self._known.listed([Listing(look, error.code, error.message, sha256)])
        elif now.state is RenderState.WAITING and now.code != error.code:
            await self._known.say(now, error.code, error.message)
        if isinstance(error, InvalidRequest) and look.sidecar:
            await self._off(self._parts.sender.note_error, self._root / look.name, error)

    def _new(self, look: FileFacts) -> Render:
        size, mtime_ns = look.stamp
        return Render(
            id=0, folder=self._settings().name, root=str(self._root), name=look.name, size=size, mtime_ns=mtime_ns
        )

    # What somebody asks for

    async def send(self, render: Render, press: Press) -> dict[str, Any]:
        """Send a render because somebody asks for it: no batch, no rule of the folder counts. Raises a BridgeError."""
        if render.name in self.busy:
            raise WrongState("It is being sent already.", next="daw-bridge folders list")
        self.busy.add(render.name)
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
            self.busy.discard(render.name)

    # Asking, and asking again

    async def _send(self, render: Render, stamp: Stamp, copy: Copy, press: Press) -> dict[str, Any]:
        """Make a request of a copied render. Raises a BridgeError."""
        asked = await self._off(self._parts.sender.request_of, self._settings(), copy, render.name, press)
        if render.request is not None and render.sha256 != copy.sha256:  # replaced: another render under its name
            await self._known.replaced(render.name)
            render = render.evolve(id=0, request=None)
        size, mtime_ns = stamp
        claimed = await self._parts.sender.claim(render.evolve(size=size, mtime_ns=mtime_ns), copy, asked, press)
        self._known.keep(claimed)
        if claimed.try_id is None:
            text = claimed.text or "It was sent before."
            raise WrongState(
                f"{claimed.name}: {text} Nothing was sent.", next=f"daw-bridge folders send {claimed.id} --again"
            )
        return await self._ask(claimed)

    async def _ask(self, claimed: Render) -> dict[str, Any]:
        self.asking.add(claimed.id)
        self._parts.sizes.add(claimed.size)
        try:
            sent, answer = await self._parts.sender.ask(claimed)
            if sent.present:
                self._known.keep(sent)
            return answer | {"entry": sent.id}
        except BridgeError:
            await self._known.fresh(claimed)
            raise
        finally:
            self.asking.discard(claimed.id)

    async def resume(self) -> None:
        """Ask again what was asked when the process died, or when whoever asked went away."""
        journal = self._parts.sender.journal
        for render in await journal.read(lambda tx: rows.trying(tx, str(self._root))):
            if render.id in self.asking or render.name in self.busy:
                continue
            old = self._parts.times.now() - render.updated_at > self._parts.valid_for()
            accepted = await journal.read(lambda tx, r=render: tx.accepted(r.try_id or "") is not None)  # type: ignore[misc]
            if old and not accepted:
                error = Stale("It waited for too long to be sent by itself. Nothing was sent.")
                await self._parts.sender.refused(render, error)
                await self._known.fresh(render)
                continue
            with suppress(BridgeError):  # told in the list
                await self._ask(render)
