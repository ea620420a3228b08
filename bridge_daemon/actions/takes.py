"""What can be done with takes: look, mark, put into the trash and back. Nothing here costs, or removes a file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bridge_daemon.domain.job import State
from bridge_daemon.errors import NotFound, WrongState
from bridge_daemon.journal import Journal, Transaction
from bridge_daemon.util.loading import load
from bridge_daemon.util.reveal import reveal
from bridge_daemon.util.times import Times

if TYPE_CHECKING:
    from bridge_daemon.domain.job import Job

#: Waveforms that are kept in memory: a page asks for those of its list again and again.
_MOST_PEAKS: Final = 512


class TakeActions:
    """The verbs of takes."""

    _journal: Journal
    _times: Times
    #: Tells those who watch over HTTP; the wiring sets it.
    announce: Callable[[str, dict[str, Any]], None] = staticmethod(lambda kind, data: None)

    def __init__(self) -> None:
        self._peaks: dict[tuple[str, int, int, int], dict[str, Any]] = {}

    async def mark(self, job: str, marks: dict[str, Any]) -> dict[str, Any]:
        """Note what a person thinks of a take: favourite, tags, trashed. What is left out stays. Raises WrongState."""

        def write(tx: Transaction) -> Job:
            found = tx.job(job)
            changes = {name: marks[name] for name in ("favourite",) if marks.get(name) is not None}
            if marks.get("tags") is not None:
                changes["tags"] = tuple(dict.fromkeys(marks["tags"]))
            if marks.get("trashed") is not None:
                changes["trashed_at"] = self._trash_time(found, trashed=marks["trashed"])
            changes = {name: value for name, value in changes.items() if getattr(found, name) != value}
            marked = tx.note(found, "marks", changes, **changes) if changes else found
            tx.changed.pop(job, None)  # no client is told that a job has failed because somebody marks it
            return marked

        told = (await self._journal.write("mark", write)).as_dict()
        self.announce("job", told)
        return told

    def _trash_time(self, job: Job, *, trashed: bool) -> float | None:
        if not trashed:
            return None
        if not (job.terminal or job.state is State.STORED):  # it would hide money that is still open
            raise WrongState(
                f"The job is {job.state}; only what has ended can be put into the trash.", charge=job.charge
            )
        return job.trashed_at if job.trashed_at is not None else self._times.now()

    async def stored_take(self, job: str) -> tuple[Path, str]:
        """Return the file of a job's take, and the hash of what was stored."""
        take = (await self._journal.read(lambda tx: tx.job(job))).take
        return plain_file(take.file if take else None, "take", job), take.sha256 if take else ""

    async def reveal(self, job: str) -> dict[str, Any]:
        """Show a job's take in the file manager of this machine."""
        file, _ = await self.stored_take(job)
        if not await asyncio.to_thread(reveal, file):
            raise NotFound("No file manager could be started here.", next=f"The take is {file}")
        return {"file": str(file)}

    async def source_file(self, job: str) -> Path:
        """Return the file of the source as it was sent."""
        found = await self._journal.read(lambda tx: tx.job(job))
        return plain_file(found.source_file, "source", job)

    async def peaks(self, job: str, buckets: int) -> dict[str, Any]:
        """Return the waveform of a job's take."""
        file, _ = await self.stored_take(job)
        return await self.peaks_of(file, buckets)

    async def source_peaks(self, job: str, buckets: int) -> dict[str, Any]:
        """Return the waveform of the source as it was sent."""
        return await self.peaks_of(await self.source_file(job), buckets)

    async def peaks_of(self, file: Path, buckets: int) -> dict[str, Any]:
        """Return the waveform of a file, which is computed once for each state of it."""
        await load("bridge_daemon.audio.peaks")
        from bridge_daemon.audio.peaks import peaks

        about = await asyncio.to_thread(file.stat)
        key = (str(file), about.st_size, about.st_mtime_ns, buckets)
        if key not in self._peaks:
            found = (await asyncio.to_thread(peaks, file, buckets)).as_dict()
            while len(self._peaks) >= _MOST_PEAKS:
                del self._peaks[next(iter(self._peaks))]
            self._peaks[key] = found
        return self._peaks[key]


def plain_file(path: str | None, what: str, job: str) -> Path:
    """Return the path of a file that is there. Raises NotFound."""
    if path is None or Path(path).is_symlink() or not Path(path).is_file():
        raise NotFound(f"The job {job[:20]} has no {what} on this disk.")
    return Path(path)
