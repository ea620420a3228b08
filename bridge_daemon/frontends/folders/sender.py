"""From a whole render to a request. What is asked is written down before it is asked, and is the same after a crash.

The content that was looked at is the content that is sent: a render is copied into the home first, so that a DAW that
renders over it while its job waits in the queue changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bridge_daemon.actions.bridge import Actions
from bridge_daemon.domain.render import EARLY, Render, RenderState
from bridge_daemon.errors import BridgeError, DiskTrouble, IdReused, PathRefused, WrongState
from bridge_daemon.frontends.folders import sidecar as sidecars
from bridge_daemon.home.paths import Home
from bridge_daemon.journal import Journal, Transaction
from bridge_daemon.journal import renders as rows
from bridge_daemon.settings.sections import WatchedFolder
from bridge_daemon.spending.parameters import LARGEST_DRAWN_SEED, MAX_VARIATIONS
from bridge_daemon.util import files
from bridge_daemon.util.times import Times

if TYPE_CHECKING:
    from bridge_daemon.audio.render import RenderFacts

log = logging.getLogger(__name__)
_EDGE: Final = 1 << 16  # bytes at the start and the end of a file that its writer may fill in later
_SLUG: Final = 40  # characters of a render's name in the name of its copy


class Vanished(Exception):
    """The file went away, or changed, while it was read."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A render as it is kept in the home, and what was found beside it."""

    file: Path
    sha256: str
    facts: RenderFacts
    sidecar: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Press:
    """What a person, a pad or a script adds when it sends a render."""

    again: bool = False
    request_id: str | None = None
    confirm_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Sender:
    """Makes requests of renders. Keeps nothing between two of them."""

    journal: Journal
    actions: Actions
    home: Home

    # Off the event loop

    def copy(self, path: Path, stamp: tuple[int, int]) -> Copy:
        """Copy a render that has this stamp into the home. Raises Vanished, or a BridgeError."""
        from bridge_daemon.audio.render import render_facts  # loads numpy, which no start waits for

        try:
            sidecar = sidecars.read_sidecar(path)
            slug = re.sub(r"[^A-Za-z0-9]+", "-", path.stem).strip("-")[:_SLUG] or "render"
            target = self.home.sources / f"{slug}-{uuid.uuid4().hex[:12]}{path.suffix.lower()}"
            with files.open_plain(path) as file:  # this is looked at, copied and sent, whatever the name means next
                status = os.fstat(file.fileno())
                if (status.st_size, status.st_mtime_ns) != stamp:
                    raise Vanished
                target = files.copy_open(file, target, point="render", mode=0o600)
                after = os.fstat(file.fileno())
            if (after.st_size, after.st_mtime_ns) != stamp:
                files.discard(target)
                raise Vanished
            try:
                return Copy(target, files.sha256(target), render_facts(target, name=path.name), sidecar)
            except BaseException:
                files.discard(target)
                raise
        except (files.NotPlain, FileNotFoundError):
            raise Vanished from None
        except OSError as error:
            raise DiskTrouble(
                f'"{path.name}" could not be copied into {self.home.sources} ({error.strerror or error}). '
                "Nothing was sent."
            ) from error

    def request_of(self, folder: WatchedFolder, copy: Copy, name: str, press: Press) -> dict[str, Any]:
        """Return {request, fields}: what is asked for a render. Raises a BridgeError; then nothing is asked."""
        results = folder.results_path
        try:
            results.mkdir(exist_ok=True)
            if not os.access(results, os.W_OK):
                raise PermissionError(13, "no permission to write")
        except OSError as error:
            raise PathRefused(
                f"The results folder {results} cannot be used ({error.strerror or error}). Nothing was sent.",
                next="Make it writable, or set results of the folder in the settings.",
            ) from error
        request_id = press.request_id or str(uuid.uuid4())
        body = sidecars.body_of(
            request_id=request_id, source=copy.file, facts=copy.facts, folder=folder, sidecar=copy.sidecar
        )
        if press.request_id or press.again:
            body["id"] = request_id  # an id in the sidecar is for its first press
        if press.again:
            body |= {"again": True, "seed": random.randint(1, LARGEST_DRAWN_SEED - MAX_VARIATIONS)}
        if press.confirm_usd is not None:
            body["confirm_usd"] = press.confirm_usd
        fields = {"name": Path(name).stem, "folder": folder.name, "tempo": copy.facts.tempo}
        return {"request": body, "fields": {key: value for key, value in fields.items() if value is not None}}

    # On the event loop

    async def was_early(self, old: Render, copy: Copy) -> Render | None:
        """Return the render that was sent too early, if this is what it has grown to since."""

        def ancestor(tx: Transaction) -> tuple[Render, Path] | None:
            sent = old if old.request is not None else rows.one(tx, old.same_as) if old.same_as is not None else None
            if sent is None or (old.request is None and old.code != EARLY):
                return None
            source = next((job.source for job in rows.jobs_of(tx, sent) if job.source is not None), None)
            return (sent, Path(source.path)) if source is not None and source.path is not None else None

        found = await self.journal.read(ancestor)
        if found is None:
            return None
        sent, source = found
        return sent if await asyncio.to_thread(has_grown, source, copy.file) else None

    async def claim(self, render: Render, copy: Copy, asked: dict[str, Any], press: Press) -> Render:
        """Write down that a request is made of a render, or that its content was sent before (then it is KNOWN).

        ``render`` with id 0 is new. Raises WrongState if a request is being made of it already.
        """
        return await self.journal.write("render_claim", lambda tx: _claim(tx, render, copy, asked, press))

    async def ask(self, render: Render) -> tuple[Render, dict[str, Any]]:
        """Ask what was written down, and write down what was answered. Returns the render and the answer.

        Raises a BridgeError if it is refused: the render waits then, with the reason. Asked again after a crash it
        is the same request under the same id, so it is paid for once at most.
        """
        assert render.try_body is not None
        asked = render.try_body
        try:
            answer = await self._admit(asked["request"], asked["fields"], f"made of the render {render.path}")
        except BridgeError as error:
            await self.refused(render, error)
            raise
        sent = await self.journal.write(
            "render_sent",
            lambda tx: rows.change(
                tx,
                render.id,
                state=str(RenderState.SENT),
                request=answer["id"],
                try_id=None,
                try_body=None,
                tries=render.tries + 1,
                same_as=None,
                code=None,
                text="",
            ),
        )
        await asyncio.to_thread(self._clear_error, render.path)
        return sent or render, answer

    async def _admit(self, body: dict[str, Any], fields: Mapping[str, object], note: str) -> dict[str, Any]:
        answer, _ = await self.actions.admit(body, fields=fields, notes=(note,))
        return answer

    async def refused(self, render: Render, error: BridgeError) -> Render:
        """Write down why nothing was sent. What was sent before stays so."""
        changed = await self.journal.write(
            "render_waits",
            lambda tx: rows.change(tx, render.id, try_id=None, try_body=None, code=error.code, text=error.message),
        )
        return changed or render

    def note_error(self, path: Path, error: BridgeError) -> None:
        """Tell beside a render what is wrong with its sidecar."""
        try:
            sidecars.note_error(path, error)
        except OSError as trouble:
            log.warning("%s (it could not be written beside %s: %s)", error.message, path, trouble)

    def _clear_error(self, path: Path) -> None:
        try:
            sidecars.clear_error(path)
        except OSError as trouble:
            log.warning("An old note beside %s could not be removed: %s", path, trouble)


def has_grown(before: Path, now: Path) -> bool:
    """Return whether a file is what was sent of it and more behind it. Headers may have been filled in meanwhile.

    What said where it ends, and ended there, was whole: a longer one is another render, however alike they begin.
    """
    from bridge_daemon.audio.completeness import proves_its_end  # no start without folders waits for it

    if not before.is_file() or now.stat().st_size <= before.stat().st_size or proves_its_end(before):
        return False
    size = before.stat().st_size
    edge = min(_EDGE, size // 4)
    with before.open("rb") as older, now.open("rb") as newer:
        older.seek(edge)
        newer.seek(edge)
        left = size - 2 * edge
        while left > 0:
            part = older.read(min(left, _EDGE))
            if not part or newer.read(len(part)) != part:
                return False
            left -= len(part)
    return True


@dataclass(frozen=True, slots=True)
class Parts:
    """What all folders share."""

    sender: Sender
    times: Times
    valid_for: Callable[[], float]  # s
    sizes: set[int] = field(default_factory=set)  # of all that was sent


def _claim(tx: Transaction, render: Render, copy: Copy, asked: dict[str, Any], press: Press) -> Render:
    size, mtime_ns = render.stamp
    if render.id == 0:
        new = {"folder": render.folder, "root": render.root, "name": render.name, "size": size, "mtime_ns": mtime_ns}
        [now] = rows.add(tx, [new | {"state": str(RenderState.WAITING), "sha256": copy.sha256}])
    else:
        now = rows.one(tx, render.id)
    if now.try_id is not None:
        raise WrongState("It is being sent already.", next="daw-bridge folders list tells what became of it.")
    known: dict[str, Any] = {"size": size, "mtime_ns": mtime_ns, "sha256": copy.sha256}
    sent = rows.sent_with(tx, copy.sha256, but=now.id)
    if (sent is not None or now.request is not None) and not press.again:
        if now.request is None and sent is not None:
            known |= {"state": str(RenderState.KNOWN), "same_as": sent.id, "code": None, "text": said_known(sent)}
        return _there(rows.change(tx, now.id, **known), now)
    if now.request is None and now.sha256 != copy.sha256:
        known |= {"state": str(RenderState.WAITING), "same_as": None}
    request_id = asked["request"]["id"]
    other = rows.of_request(tx, str(request_id))
    if other is not None and other.id != now.id:
        raise IdReused(f"The id {str(request_id)[:36]} was used for another render. Nothing was sent for this one.")
    return _there(rows.change(tx, now.id, try_id=str(request_id)[:36], try_body=asked, **known), now)


def said_known(sent: Render) -> str:
    """Say of which render a file has the content."""
    return f"Its content was sent before, as {sent.name} in {sent.folder} (entry {sent.id})."


def said_early(sent: Render) -> str:
    """Say that a file went on growing after it was sent."""
    return (
        f"It was sent too early (entry {sent.id}, {sent.size} bytes), and was written on since. Nothing more was sent; "
        "send it by hand for a take of the whole, which costs again."
    )


def _there(changed: Render | None, before: Render) -> Render:
    return changed if changed is not None else before
