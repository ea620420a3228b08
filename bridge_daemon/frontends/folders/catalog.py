"""What is known of the files of one folder: a picture in memory of its rows in the journal, which come first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from bridge_daemon.domain.render import Render, RenderState
from bridge_daemon.frontends.folders import names as names
from bridge_daemon.frontends.folders.scan import FileFacts, Stamp
from bridge_daemon.frontends.folders.sender import said_known
from bridge_daemon.frontends.folders.threads import Threads, in_pieces
from bridge_daemon.journal import Journal, Transaction
from bridge_daemon.journal import renders as rows
from bridge_daemon.util import files


@dataclass(frozen=True, slots=True)
class Listing:
    """A render that is listed and not sent, and why."""

    look: FileFacts
    code: str
    text: str
    sha256: str | None = None  # if it was read already
    same_as: int | None = None  # the render that it has to do with


class Catalog:
    """The renders of one folder, by their names."""

    def __init__(self, journal: Journal, folder: str, root: Path, off: Threads, sizes: Collection[int]) -> None:
        """Know nothing yet; :meth:`load` reads. ``sizes`` are those of all that was sent, from any folder."""
        self._journal = journal
        self._folder = folder
        self._root = root
        self._off = off
        self._sizes = sizes
        self.files: dict[str, Render] = {}
        self._gone: dict[Stamp, Render] = {}  # were there a moment ago: what comes with their stamp was renamed
        self._by_key: dict[str, set[str]] = {}

    async def load(self) -> None:
        """Read what was known when the folder was last watched."""
        self.files, self._by_key = await self._journal.read(lambda tx: _indexed(rows.present_in(tx, str(self._root))))

    def keep(self, render: Render) -> None:
        """Remember a render as the journal has it now."""
        self.files[render.name] = render
        for key in names.keys(render.name):
            self._by_key.setdefault(key, set()).add(render.name)

    def stamps(self, wanted: Iterable[str] | None = None) -> dict[str, Stamp]:
        """Return the stamps of renders by their names."""
        if wanted is None:
            return {name: render.stamp for name, render in self.files.items()}
        return {name: self.files[name].stamp for name in wanted if name in self.files}

    def beside(self, sidecar: str) -> set[str]:
        """Return the renders that a sidecar may belong to, by its key."""
        return self._by_key.get(sidecar, set())

    def _drop(self, name: str) -> Render:
        render = self.files.pop(name)
        for key in names.keys(name):
            self._by_key[key].discard(name)
            if not self._by_key[key]:
                del self._by_key[key]
        return render

    async def vanished(self, gone: Sequence[str]) -> None:
        """Write that files are gone."""
        here = [name for name in gone if name in self.files]
        if not here:
            return
        entries = [self.files[name].id for name in here]
        await self._journal.write("render_gone", lambda tx: rows.vanish(tx, entries))
        async for name in in_pieces(here):
            if name in self.files:
                render = self._drop(name)
                self._gone[render.stamp] = render

    def was(self, look: FileFacts) -> Render | None:
        """Return the render that vanished and has come back, here or under another name, if this is it."""
        return self._gone.get(look.stamp)

    async def renamed(self, render: Render, look: FileFacts) -> Render:
        """Write that a render has another name; all else stays as it was."""
        if look.name in self.files:  # it was renamed over another one
            await self.replaced(look.name)
        changed = await self._journal.write(
            "render_renamed", lambda tx: rows.change(tx, render.id, name=look.name, present=True)
        )
        self._gone.pop(look.stamp, None)
        kept = changed or render
        self.keep(kept)
        return kept

    async def replaced(self, name: str) -> None:
        """Part with a render whose file has another content now; one that was sent stays known by its own."""
        entry = self._drop(name).id
        await self._journal.write("render_gone", lambda tx: rows.vanish(tx, [entry]))

    async def say(self, render: Render, code: str, text: str) -> None:
        """Write that a render waits for another reason."""
        changed = await self._journal.write(
            "render_waits", lambda tx: rows.change(tx, render.id, idle=True, code=code, text=text)
        )
        if changed is not None:
            self.keep(changed)

    async def touched(self, looks: Sequence[tuple[FileFacts, str | None]]) -> None:
        """Write that renders have another time stamp, and are what they were; with their hash, if it was read."""
        here = [(self.files[look.name].id, look, sha256) for look, sha256 in looks if look.name in self.files]
        if not here:
            return

        def write(tx: Transaction) -> list[Render | None]:
            return [
                rows.change(tx, entry, idle=True, size=look.stamp[0], mtime_ns=look.stamp[1], sha256=sha256)
                for entry, look, sha256 in here
            ]

        for render in await self._journal.write("render_waits", write):
            if render is not None:
                self.keep(render)

    async def listed(self, new: Sequence[Listing]) -> None:
        """Write that renders are there and wait; those whose content was sent before are known."""
        if not new:
            return
        new = [await self._compared(listing) for listing in new]
        before = {listing.look.name: self.files.get(listing.look.name) for listing in new}
        written = await self._journal.write("render_listed", lambda tx: self._write(tx, new, before))
        for render in written:
            self.keep(render)

    async def _compared(self, listing: Listing) -> Listing:
        """Read the content of a render that has the size of one that was sent."""
        if listing.sha256 is None and listing.look.fault is None and listing.look.stamp[0] in self._sizes:
            with suppress(OSError):  # gone meanwhile: the next look tells
                return replace(listing, sha256=await self._off(files.sha256, self._root / listing.look.name))
        return listing

    def _write(self, tx: Transaction, new: Sequence[Listing], before: Mapping[str, Render | None]) -> list[Render]:
        added, changed = [], []
        for listing in new:
            size, mtime_ns = listing.look.stamp
            values: dict[str, object] = {"size": size, "mtime_ns": mtime_ns, "sha256": listing.sha256}
            sent = rows.sent_with(tx, listing.sha256) if listing.sha256 is not None else None
            values |= {
                "state": str(RenderState.WAITING),
                "code": listing.code,
                "text": listing.text,
                "same_as": listing.same_as,
            }
            if sent is not None:
                values |= {"state": str(RenderState.KNOWN), "same_as": sent.id, "code": None}
                values |= {"text": said_known(sent)}
            old = before[listing.look.name]
            if old is not None and old.request is None:
                change = rows.change(tx, old.id, idle=True, **values)
                changed.append(change if change is not None else rows.one(tx, old.id))
                continue
            if old is not None and old.sha256 == listing.sha256 is not None:  # only its time has changed
                same = rows.change(tx, old.id, size=size, mtime_ns=mtime_ns)
                changed.append(same if same is not None else old)
                continue
            if old is not None:
                rows.vanish(tx, [old.id])
            added.append({"folder": self._folder, "root": str(self._root), "name": listing.look.name} | values)
        return [*changed, *rows.add(tx, added)]

    async def fresh(self, render: Render) -> Render:
        """Read a render again."""
        now = await self._journal.read(lambda tx: rows.one(tx, render.id))
        if now.present:
            self.keep(now)
        return now


def _indexed(found: Iterable[Render]) -> tuple[dict[str, Render], dict[str, set[str]]]:
    """Return renders by their names, and their names by the keys of their sidecars."""
    by_name = {render.name: render for render in found}
    by_key: dict[str, set[str]] = {}
    for name in by_name:
        for key in names.keys(name):
            by_key.setdefault(key, set()).add(name)
    return by_name, by_key
