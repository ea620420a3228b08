"""Watched folders: a render that is dropped there becomes a job, or is listed and waits to be sent.

Each folder has its own task and threads, so that one on a slow network holds up no other. What is known of the files is
in the journal (journal/renders.py); which files may spend by themselves is decided in folders_rules.py.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bridge_daemon.actions.bridge import Actions
from bridge_daemon.domain import ids
from bridge_daemon.domain.render import Render, RenderState
from bridge_daemon.errors import Fault, IdReused, InvalidRequest, NotFound, WrongState
from bridge_daemon.frontends.folders import names as names
from bridge_daemon.frontends.folders.sender import Parts, Press, Sender
from bridge_daemon.home.paths import Home
from bridge_daemon.journal import Journal, Transaction
from bridge_daemon.journal import renders as rows
from bridge_daemon.settings.load import Settings
from bridge_daemon.settings.sections import WatchedFolder
from bridge_daemon.util.same_place import is_inside, steps_below
from bridge_daemon.util.times import Times

if TYPE_CHECKING:
    from bridge_daemon.frontends.folders.folder import RenderFolder

log = logging.getLogger(__name__)
#: How long a folder that does not answer may hold up the end of the daemon, s.
_PATIENCE: Final = 3.0


class Folders:
    """The intake of watched folders.

    For other intakes: :meth:`newest` is the newest render of a folder, :meth:`send` makes a job of one in the list.
    """

    name = "folders"

    def __init__(
        self, actions: Actions, journal: Journal, home: Home, settings: Callable[[], Settings], times: Times
    ) -> None:
        """Open nothing yet."""
        self._journal = journal
        self._home = home
        self._settings = settings
        self._parts = Parts(Sender(journal, actions, home), times, lambda: self._settings().defaults.valid_for)
        self._folders: dict[str, RenderFolder] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._barred: dict[str, str] = {}  # folders that must not be watched, and why

    # An intake

    async def start(self) -> None:
        """Watch every folder of the settings. One that is not there is watched as soon as it is."""
        self._parts.sizes.update(await self._journal.read(rows.sizes_sent))
        await self.configure()

    async def configure(self) -> None:
        """Apply the settings: folders that are new are watched, those left out are let go."""
        wanted = {folder.name: folder for folder in self._settings().folders}
        if wanted:  # loads watchdog, which no start without folders waits for
            await asyncio.to_thread(importlib.import_module, "bridge_daemon.frontends.folders.folder")
        self._barred = await asyncio.to_thread(self._bar, list(wanted.values()))
        for name in list(self._folders):
            now = wanted.get(name)
            if now is None or name in self._barred or now.path != self._folders[name].settings.path:
                await self._end(name)
        for name, settings in wanted.items():
            if name in self._barred:
                log.warning("The folder %s is not watched: %s", name, self._barred[name])
            elif name in self._folders:
                self._folders[name].configure(settings)
            else:
                self._begin(settings)

    def _begin(self, settings: WatchedFolder) -> None:
        from bridge_daemon.frontends.folders.folder import RenderFolder

        folder = self._folders[settings.name] = RenderFolder(settings, self._parts)
        task = self._tasks[settings.name] = asyncio.create_task(folder.run(), name=f"folder {settings.name}")
        task.add_done_callback(lambda task: self._ended(folder, task))

    def _ended(self, folder: RenderFolder, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            folder.problem = f"It is not watched any more, by a fault of the bridge ({type(error).__name__})."
            log.error("The folder %s is not watched any more", folder.settings.name, exc_info=error)

    async def _end(self, name: str) -> None:
        folder, task = self._folders.pop(name), self._tasks.pop(name)
        task.cancel()
        await asyncio.wait({task}, timeout=_PATIENCE)
        await folder.close()

    async def close(self) -> None:
        """Let go of all folders. A request that is being made goes on at the next start, under the same id."""
        await asyncio.gather(*(self._end(name) for name in list(self._folders)))

    def _bar(self, wanted: list[WatchedFolder]) -> dict[str, str]:
        """Find folders in which takes of ours would come in again. Runs off the event loop: it follows links."""
        own = {
            "the home of the bridge": self._home.path,
            "the library": self._home.library(self._settings().audio.library),
        }
        own = {what: path.resolve() for what, path in own.items()}
        results = {folder.results_path.resolve(): folder.name for folder in wanted}
        barred = {}
        for folder in wanted:
            path = Path(folder.path).expanduser().resolve()
            inside = [what for what, place in own.items() if is_inside(path, place)]
            takes_of = [name for place, name in results.items() if steps_below(path, place) == ()]
            if inside:
                barred[folder.name] = f"it lies in {inside[0]}."
            elif takes_of:
                barred[folder.name] = f'the takes of "{takes_of[0]}" go there, and would come in again.'
        return barred

    def about(self) -> dict[str, Any]:
        """Return the facts for the status: each folder, what it waits for, what is in the way."""
        watched = [folder.about() for folder in self._folders.values()]
        barred = [
            {"name": name, "path": folder.path, "watching": False, "problem": why, "waiting": 0, "renders": 0}
            for name, why in self._barred.items()
            for folder in self._settings().folders
            if folder.name == name
        ]
        return {"folders": [*watched, *barred], "waiting": sum(folder["waiting"] for folder in watched)}

    # For people, and for other ways in

    async def newest(self, name: str) -> Path | None:
        """Return the newest whole render in the watched folder ``name``: the file that changed last.

        None if there is none, also while the folder is not there. It may have been sent before; whoever makes a
        request of it by itself pays for that, while :meth:`send` knows what was sent. Raises NotFound for a name that
        is none of the settings.
        """
        path = self._folder(name).newest()
        return path if path is not None and await asyncio.to_thread(path.is_file) else None

    async def send(
        self,
        entry: int | str | Path,
        *,
        again: bool = False,
        request_id: str | None = None,
        confirm_usd: float | None = None,
    ) -> dict[str, Any]:
        """Make a job of a render in the list: {id, jobs, usd, entry}.

        ``entry`` is its number, its path, or its name if only one folder has it. ``again`` asks once more for what
        was sent before, with a new seed, and costs again. ``request_id`` is the UUID of the press: said again, it gets
        the first answer. ``confirm_usd`` answers the question of the price.

        Raises a BridgeError that says what happened; E-STATE if the content was sent before and ``again`` is not
        given. Nothing is spent then, and the render stays in the list with the reason.
        """
        if request_id is not None:
            request_id = _uuid(request_id)
            before = await self._journal.read(lambda tx: _answered(tx, request_id))
            if before is not None:
                return before
        render = await self._find(entry)
        folder = self._folder(render.folder)
        if str(folder.root) != render.root:
            raise NotFound(f"The folder {render.folder} is another one now. Nothing was sent.")
        return await folder.send(render, Press(again=again, request_id=request_id, confirm_usd=confirm_usd))

    async def forget(self, entry: int | str | Path) -> dict[str, Any]:
        """Remove a waiting render from the list, but not its file. What was sent stays known: it was paid for."""
        render = await self._find(entry)
        if render.state is not RenderState.WAITING or render.try_id is not None:
            raise WrongState(
                f"{render.name} was sent, and what was paid for stays known.", next="daw-bridge folders list"
            )
        changed = await self._journal.write(
            "render_forget", lambda tx: rows.change(tx, render.id, idle=True, state=str(RenderState.FORGOTTEN))
        )
        if changed is None:
            raise WrongState(f"{render.name} is being sent.", next="daw-bridge folders list")
        if (folder := self._folders.get(changed.folder)) is not None:
            folder.known.keep(changed)
        return changed.as_dict() | {"message": f"{changed.name} is off the list. The file was not touched."}

    async def renders(
        self, *, folder: str | None = None, states: list[str] | None = None, before: int | None = None, limit: int = 50
    ) -> list[dict[str, Any]]:
        """Return the renders in the list, newest first, with the jobs of those that were sent."""
        found = await self._journal.read(
            lambda tx: rows.find(tx, folder=folder, states=states or [], before=before, limit=limit)
        )
        return [render.as_dict(jobs) for render, jobs in found]

    def _folder(self, name: str) -> RenderFolder:
        if name not in self._folders:
            raise NotFound(f'There is no watched folder "{name[:100]}".', next="daw-bridge folders list")
        return self._folders[name]

    async def _find(self, entry: int | str | Path) -> Render:
        """Return the render that a number, a path or a name means. Raises NotFound, or InvalidRequest for two."""
        if isinstance(entry, int) or str(entry).isdecimal():
            number = int(str(entry)) if len(str(entry)) <= 15 else 0
            return await self._journal.read(lambda tx: rows.one(tx, number))
        wanted = names.key(str(entry))
        renders = [render for folder in self._folders.values() for render in folder.known.files.values()]
        found = await asyncio.to_thread(_called, renders, wanted)
        if not found:
            raise NotFound(
                f'There is no render "{wanted[:200]}" in the list.', next="daw-bridge folders list tells what there is."
            )
        if len(found) > 1:
            numbers = ", ".join(str(render.id) for render in found)
            raise InvalidRequest(
                [Fault("entry", str(entry), f"is the name of several; say which by its number: {numbers}")]
            )
        return found[0]


def _called(renders: list[Render], wanted: str) -> list[Render]:
    return [render for render in renders if wanted in (names.key(render.name), names.key(str(render.path)))]


def _uuid(given: str) -> str:
    try:
        return ids.as_uuid(given)
    except ValueError:
        raise InvalidRequest([Fault("id", given, "must be a UUID, made new for each press: this may cost")]) from None


def _answered(tx: Transaction, request_id: str) -> dict[str, Any] | None:
    accepted = tx.accepted(request_id)
    if accepted is None:
        return None
    render = rows.of_request(tx, request_id)
    if render is None:
        raise IdReused(f"The id {request_id} was accepted before for something else. Nothing was sent for this one.")
    return accepted.answer | {"entry": render.id}
