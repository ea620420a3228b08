"""What something happened to in a watched folder, by an event or by a sweep, until it is whole, gone, or none of ours.

Events only say where to look; what counts is how the file looks. It is whole on evidence only: its header agrees with
its size, nobody holds it open for writing, and it was closed, or has not changed for a while. That while is longer for
a file that does not say where it ends (an MP3 without a tag, what was written into a pipe): a rest is no end there.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bridge_daemon.frontends.folders import names as names
from bridge_daemon.frontends.folders import scan as looks
from bridge_daemon.frontends.folders.catalog import Catalog
from bridge_daemon.frontends.folders.rules import Rules
from bridge_daemon.frontends.folders.scan import EntryKind, Evidence, FileFacts, Stamp, Sweep
from bridge_daemon.frontends.folders.threads import Threads, in_pieces
from bridge_daemon.frontends.folders.watch import Hint

_AT_ONCE: Final = 64  # files looked at in one piece of work


@dataclass(slots=True)
class Candidate:
    """A file that may become a render; times are of a clock that never jumps."""

    due: float  # looked at then
    closed: bool = False  # closed by somebody who could write, or renamed into place
    written: bool = False  # content was written, and closed, while the folder was watched
    before: bool = False  # was there, or was begun, before it could spend
    sidecar: bool = False  # its sidecar came or changed
    stamp: Stamp | None = None
    since: float = 0.0  # it has this stamp
    hinted: bool = False  # the system told of it
    compare: bool = False  # its content is to be held against what is known of it


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a file must not change, s."""

    settle: float  #: before it counts as whole, if nobody told of its end, and the file itself does
    unproved: float  #: if the file does not either, and nobody holds it open for writing
    unknown: float  #: if the system does not say whether somebody does
    broken: float  #: before one that is not whole is listed as broken


class PendingFiles:
    """The files of one folder that have to be looked at."""

    def __init__(
        self,
        root: Path,
        known: Catalog,
        rules: Rules,
        off: Threads,
        *,
        is_busy: Callable[[str], bool],
        monotonic: Callable[[], float],
        patience: Patience,
    ) -> None:
        """``is_busy`` tells which names are being sent or read: they are looked at afterwards."""
        self._root = root
        self._known = known
        self._rules = rules
        self._off = off
        self._is_busy = is_busy
        self._now = monotonic
        self._patience = patience
        self.files: dict[str, Candidate] = {}
        self.sidecars: set[str] = set()  # keys of those that lie in the folder

    # Something happened

    def was_there(self, found: Sweep) -> None:
        """Begin with what is there already: nothing of that spends by itself."""
        self.sidecars = set(found.sidecars)
        now = self._now()
        for name in found.changed:
            self.files[name] = Candidate(due=now, before=True)

    def all_before(self) -> None:
        """Say that the folder may spend from now on, and that what was begun before does not."""
        for candidate in self.files.values():
            candidate.before = True

    def hinted(self, hint: Hint, name: str) -> None:
        """Handle an event."""
        sidecar = names.sidecar_of(name)
        if sidecar is None:
            closed = hint in (Hint.CLOSED, Hint.WRITTEN)
            self.touch(name, closed=closed, written=hint is Hint.WRITTEN, soon=hint is not Hint.TOUCHED)
            self.files[name].hinted = True
        else:
            self.sidecars.add(sidecar)
            self._sidecar_came(sidecar)

    async def swept(self, found: Sweep) -> None:
        """Look for what the events missed."""
        new = found.sidecars - self.sidecars
        self.sidecars = set(found.sidecars)
        async for key in in_pieces(new):
            self._sidecar_came(key)
        async for name in in_pieces((*found.missing, *found.changed)):
            if name not in self.files and not self._is_busy(name):
                self.touch(name, soon=True)

    def _sidecar_came(self, key: str) -> None:
        for name in self._known.beside(key):
            if name not in self.files:
                self.files[name] = Candidate(due=self._now(), sidecar=True)

    def touch(self, name: str, *, soon: bool, closed: bool = False, written: bool = False) -> None:
        """Look at a file soon, or once it has rested; ``closed``: most likely it is whole."""
        now = self._now()
        candidate = self.files.get(name)
        if candidate is None:
            candidate = self.files[name] = Candidate(due=now)
            if name not in self._known.files:
                self._rules.appears(name, sidecar=any(key in self.sidecars for key in names.keys(name)))
        candidate.closed = closed
        candidate.written = candidate.written or written
        candidate.due = now if soon else now + self._patience.settle

    def is_written(self, name: str) -> bool:
        """Return whether content was written into a file since it was last taken."""
        return name in self.files and self.files[name].written

    # Looking

    def unseen(self) -> list[str]:
        """Return names that were not looked at yet, as many as are looked at at once."""
        wanted = (name for name, one in self.files.items() if one.stamp is None and not self._is_busy(name))
        return list(itertools.islice(wanted, _AT_ONCE))

    def due(self) -> list[str]:
        """Return the names whose time has come, as many as are looked at at once."""
        now = self._now()
        due = ((candidate.due, name) for name, candidate in self.files.items() if candidate.due <= now)
        return [name for _, name in heapq.nsmallest(_AT_ONCE, due)]

    def next_due(self, otherwise: float) -> float:
        """Return when the next one has to be looked at, or ``otherwise``, whichever comes first."""
        return min([otherwise, *(candidate.due for candidate in self.files.values())])

    async def look_at(self, wanted: list[str], *, older_than: float | None = None) -> list[tuple[FileFacts, Candidate]]:
        """Look at files and return those that are whole, or broken for long. Not the others: they go on coming.

        ``older_than``: what was changed later may still be being written, s since the epoch.
        """
        wanted = [name for name in wanted if not self._put_off(name)]
        if not wanted:
            return []
        seen = await self._off(looks.look, self._root, wanted, self._known.stamps(wanted))
        await self._known.vanished([look.name for look in seen if look.kind is EntryKind.MISSING])
        whole: list[tuple[FileFacts, Candidate]] = []
        rested: list[FileFacts] = []
        for look in seen:
            candidate = self.files[look.name]
            if look.kind is EntryKind.UNSEEN:
                candidate.stamp = look.stamp
                self._later(candidate)
            elif look.kind is not EntryKind.FILE:
                self._leave(look.name)
                if look.spelled is not None:
                    self._spell(candidate, look.spelled)
            elif (known := self._known.files.get(look.name)) is not None and known.stamp == look.stamp:
                self._leave(look.name)
                heeds = self._rules.heeds_sidecar(known, look, before=candidate.before, sidecar=candidate.sidecar)
                # another file may have been put there with its size and its time: its content tells
                candidate.compare = not heeds and candidate.hinted and known.sha256 is not None
                if heeds or candidate.compare:
                    whole.append((look, candidate))
            elif self._may_be_whole(look, candidate, older_than):
                rested.append(look)
        return whole + await self._proved(rested, older_than)

    async def _proved(self, rested: list[FileFacts], older_than: float | None) -> list[tuple[FileFacts, Candidate]]:
        """Return those that are whole on evidence, or broken for long. The others are looked at again."""
        unsure = [look.name for look in rested if look.fault is None and not _is_old(look, older_than)]
        found = await self._off(looks.evidence, self._root, unsure) if unsure else {}
        whole = []
        for look in rested:
            candidate = self.files.get(look.name)
            if candidate is None:
                continue
            if look.name not in unsure or self._is_proved(candidate, found.get(look.name)):
                whole.append((look, self.files.pop(look.name)))
            else:
                self._later(candidate)
        return whole

    def _is_proved(self, candidate: Candidate, evidence: Evidence | None) -> bool:
        if evidence is None or evidence.held:
            return False
        if evidence.proved:
            return True
        patience = self._patience.unknown if evidence.held is None else self._patience.unproved
        return self._now() - candidate.since >= patience

    def _put_off(self, name: str) -> bool:
        if self._is_busy(name):
            self._later(self.files[name])
            return True
        return False

    def _spell(self, candidate: Candidate, name: str) -> None:
        """Go on with a file under the name that it has on the disk: one file is one render."""
        there = name in self.files
        self.touch(name, soon=True, closed=candidate.closed, written=candidate.written)
        now = self.files[name]
        now.hinted = now.hinted or candidate.hinted
        now.sidecar = now.sidecar or candidate.sidecar
        now.before = now.before or (candidate.before and not there)

    def _later(self, candidate: Candidate) -> None:
        candidate.due = self._now() + self._patience.settle

    def _leave(self, name: str) -> None:
        self.files.pop(name, None)
        self._rules.dropped(name)

    def _may_be_whole(self, look: FileFacts, candidate: Candidate, older_than: float | None) -> bool:
        """Return whether a file may be taken (or, not whole for long, be listed as broken); else wait for it."""
        now = self._now()
        if candidate.stamp != look.stamp:
            candidate.stamp, candidate.since = look.stamp, now
        rested = now - candidate.since
        if _is_old(look, older_than):
            return True
        if look.fault is None and (candidate.closed or rested >= self._patience.settle):
            return True
        if look.fault is not None and rested >= self._patience.broken:
            return True
        candidate.closed = False
        self._later(candidate)
        return False


def _is_old(look: FileFacts, older_than: float | None) -> bool:
    """Return whether a file has not changed for so long that nobody is writing it, and nothing is wrong with it."""
    return older_than is not None and look.stamp[1] < older_than * 1e9 and look.fault is None
