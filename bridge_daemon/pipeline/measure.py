"""Measure: the grid and the loudness of a stored take, and a copy that fits, in a process of its own.

Nothing waits for it but a delivery, for a moment. One process, of low priority, measures one take after the other; it
is started while a take is being downloaded, so that it is ready when the take is, and ends when there is nothing to do.
What is measured is never needed for money: a take that cannot be measured is told as that, and is not tried again.
"""

from __future__ import annotations

import asyncio
import json
import logging
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from bridge_daemon.domain.job import Fitted, Job, State
from bridge_daemon.journal import Journal, Transaction
from bridge_daemon.settings.load import Settings
from bridge_daemon.util import ourselves
from bridge_daemon.util.tasks import Tasks
from bridge_daemon.util.times import Times

log = logging.getLogger(__name__)

#: A delivery to a client waits so long for what is measured; later it is told by itself, s.
MOMENT: Final = 0.3
#: A delivery without a client, which is to have a copy that fits, waits for that, s.
PATIENCE: Final = 300.0
#: One take may take so long, s: the longest needs about 5.
LIMIT: Final = 60.0
#: The process ends after so long without a take, s.
IDLE: Final = 20.0
_QUICK: Final = 60.0  # s of a take; a longer one is not measured within a moment
_TRIES: Final = 2
_OLDEST: Final = 86_400.0  # s: what was stored before that is not measured at a start
_MOST: Final = 50  # of them
_LONGEST_ANSWER: Final = 1 << 20  # bytes


def wish_of(job: Job, source: str | None = None) -> dict[str, Any]:
    """Return what is asked about the take of a job; ``source`` is the file that it continues."""
    assert job.take is not None, "a stored job has a take"
    take, (beats, bars) = Path(job.take.file), job.bars
    kind = "continued" if job.joins else job.fit if job.parameters.fit not in (None, "off") else "loud"
    return {
        "take": str(take),
        "tempo": job.tempo,
        "fit": job.fit if job.joins else job.parameters.fit or "off",
        "length": job.parameters.seconds if job.joins else job.place.length if bars is not None else None,
        "continues": _continued(job, source),
        "bars": bars,
        "beats": beats,
        "loudness": None if job.loudness == "off" else job.loudness,
        "source": job.source_file,
        "to": str(take.with_name(f"{take.stem}.{kind}.wav")) if job.wants_copy else None,
        "seconds": LIMIT,
    }


def _continued(job: Job, source: str | None) -> dict[str, Any] | None:
    """Return what is told of the source that a take continues."""
    last, region = job.parameters.continue_from, job.source
    if last is None or region is None or job.source_file is None:
        return None
    behind = job.parameters.after is not None  # else its place is where it was pressed, and not where its source lies
    told: dict[str, Any] = {"last": last, "beats": job.place.beats if behind else None, "join": job.joins}
    if source is None:
        return told | {"path": job.source_file, "start": None, "end": None, "sound": None}
    return told | {"path": source, "start": region.start, "end": region.end, "sound": job.sound}


class Measuring:
    """Measures what is stored, one take at a time."""

    def __init__(self, journal: Journal, settings: Callable[[], Settings], times: Times) -> None:
        """Nothing is started before there is something to measure."""
        self._journal = journal
        self._settings = settings
        self._times = times
        self._due: asyncio.Queue[str] = asyncio.Queue()
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._tasks = Tasks("measuring")
        self._working = False

    def changed(self, job: Job) -> None:
        """Handle a committed change of a job."""
        if job.state is State.FETCHING and (self._settings().audio.measure or job.parameters.fit):
            self._work_on()
        elif self._is_due(job):
            self._add(job.id)

    async def recover(self) -> None:
        """Measure what the last process did not live to measure."""
        since = self._times.now() - _OLDEST
        for job in await self._journal.read(lambda tx: tx.unmeasured(since=since, limit=_MOST)):
            self.changed(job)

    async def settled(self, job: Job) -> bool:
        """Wait until a take is measured, or cannot be: for a moment, or for its copy if nobody waits for the take.

        Returns whether the job may be another one now. A take that its client places as it is does not wait: what is
        measured is told to the client by itself.
        """
        known = self._waiting.get(job.id)
        if known is None or job.take is None:
            return True  # it was measured since, perhaps
        if job.client is None and job.wants_copy:
            await asyncio.wait({known}, timeout=PATIENCE)
        elif job.client is not None and job.wants_fit and job.take.frames <= _QUICK * job.take.rate:
            await asyncio.wait({known}, timeout=MOMENT)
        else:
            return False
        return True

    async def close(self) -> None:
        """End the process; what it was at is measured at the next start."""
        await self._tasks.close()

    def _is_due(self, job: Job) -> bool:
        there = job.state in (State.STORED, State.PLACED) and job.wanted and job.take is not None
        return there and job.grid is None and (self._settings().audio.measure or job.wants_copy)

    def _add(self, name: str) -> None:
        if name not in self._waiting and not self._tasks.closed:
            self._waiting[name] = asyncio.get_running_loop().create_future()
            self._due.put_nowait(name)
            self._work_on()

    def _work_on(self) -> None:
        if not self._working and not self._tasks.closed:
            self._working = True
            self._tasks.start(self._work(), "takes", then=self._rest)

    def _rest(self) -> None:
        self._working = False
        if not self._due.empty():  # it came while the process was ending
            self._work_on()

    async def _work(self) -> None:
        """Measure what comes, until nothing has come for a while."""
        child = _Child()
        try:
            with suppress(OSError):  # it is told of the first take then
                await child.start()
            while True:
                try:
                    async with asyncio.timeout(IDLE):
                        name = await self._due.get()
                except TimeoutError:
                    return
                try:
                    await self._measure(name, child)
                except Exception:
                    log.exception("What was measured of job %s could not be written", name)
                finally:
                    self._waiting.pop(name).set_result(None)
        finally:
            await child.end()

    async def _measure(self, name: str, child: _Child) -> None:
        job, source = await self._journal.read(lambda tx: _with_source(tx, name))
        if not self._is_due(job):
            return
        answer: dict[str, Any] = {}
        for number in range(_TRIES):
            answer = await child.ask(wish_of(job, source))
            if "grid" in answer:
                break
            log.warning("The take of job %s was not measured (%d): %s", name, number + 1, answer["error"])
        await self._journal.write("measured", lambda tx: _write(tx, name, answer))


def _with_source(tx: Transaction, name: str) -> tuple[Job, str | None]:
    """Return a job and the file that its source is a region of; None if that is several, or not there any more."""
    job = tx.job(name)
    if job.source is None or job.source.mix is not None or job.parameters.continue_from is None:
        return job, None
    if job.source.path is not None:
        return job, job.source.path
    before = tx.job(job.source.take or "")
    before = before if before.take is not None else tx.newest_retry(before.id)
    return job, before.take.file if before.take is not None else None


def _write(tx: Transaction, name: str, answer: dict[str, Any]) -> None:
    job = tx.job(name)
    grid = answer.get("grid") or {"tempo": None, "confidence": 0.0, "why_not": "it could not be measured"}
    fitted = Fitted(**answer["fitted"]) if answer.get("fitted") else None
    notes = [note.rstrip(".") for note in answer.get("notes", ())]
    if job.wants_copy and fitted is None and not notes:
        notes = ["there is no copy that fits: it could not be measured"]
    event = {"tempo": grid["tempo"], "confidence": grid["confidence"], "error": answer.get("error")}
    event["fitted"] = fitted.file if fitted is not None else None
    tx.note(job, "measured", event, grid=grid, fitted=fitted, notes=tuple(dict.fromkeys((*job.notes, *notes))))


class _Child:
    """The process that measures: ``daw-bridge fit --serve``."""

    def __init__(self) -> None:
        self._process: Process | None = None

    async def start(self) -> None:
        """Start it, if it does not run."""
        if self._process is not None and self._process.returncode is None:
            return
        low = ourselves.apart("BELOW_NORMAL_PRIORITY_CLASS")
        command = ourselves.command("fit", "--serve", "--json")
        self._process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, limit=_LONGEST_ANSWER, **low
        )

    async def ask(self, wish: dict[str, Any]) -> dict[str, Any]:
        """Return what it says, or an ``error``; then it is not the same process any more the next time."""
        try:
            await self.start()
            assert self._process is not None
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            async with asyncio.timeout(LIMIT + 10):
                self._process.stdin.write(json.dumps(wish).encode() + b"\n")
                await self._process.stdin.drain()
                line = await self._process.stdout.readline()
            if line:
                answer: dict[str, Any] = json.loads(line)
                return answer
            error = "its process ended"
        except (OSError, TimeoutError, ValueError) as caught:
            error = str(caught) or "it took too long"
        await self.end()
        return {"error": error}

    async def end(self) -> None:
        """Kill it, if it runs: it holds nothing that would be lost."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.kill()
        with suppress(TimeoutError):  # one that hangs on a disk ends when that answers
            async with asyncio.timeout(2):
                await process.wait()
