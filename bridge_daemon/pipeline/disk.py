"""The disk: nothing is sent while there is no room for what comes back, and sending goes on by itself once there is."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from bridge_daemon.domain.job import OPEN, Charge, Job
from bridge_daemon.errors import DiskTrouble
from bridge_daemon.home import library_mark
from bridge_daemon.pipeline.context import StepContext, Wait
from bridge_daemon.util import files, foreign, long_paths

log = logging.getLogger(__name__)

#: A take of 190 s, its original and what the system needs besides: less free space and nothing is sent.
LEAST_FREE: Final = 500 * 1024 * 1024
#: The journal must be able to keep what the service answers.
LEAST_FREE_HOME: Final = 50 * 1024 * 1024
#: How often a full disk is looked at again, s.
LOOK: Final = 5.0
REASON: Final = "disk"  # of the pause
#: A press that may be sent at once waits so long for a look at the disk, s: writing it as sent later costs less.
_MOMENT: Final = 0.01
_AGAIN = 20.0  # s, until a file that could not be written is tried again


async def no_room(context: StepContext) -> str | None:
    """Tell why the files of another take could not be written, None if they can."""
    library = context.library()
    try:
        return await foreign.off(library, _no_room, library, context.home.path)
    except foreign.NoAnswer:
        return f"the disk of the library {library} does not answer"


class Look:
    """A look at the disks that goes on beside a press, which may be sent only once they have said that there is room.

    It is asked on the thread of the journal, where no turn of the event loop is waited for.
    """

    def __init__(self, context: StepContext) -> None:
        """Begin to look."""
        self._said: list[str | None] = []
        self._over = threading.Event()
        self._task = asyncio.create_task(self._look(context), name="look at the disk")

    async def _look(self, context: StepContext) -> None:
        library = context.library()
        with suppress(foreign.NoAnswer):  # then it has not said that there is room
            await foreign.off(library, self._note, library, context.home.path)

    def _note(self, library: Path, home: Path) -> None:
        try:
            self._said.append(_no_room(library, home))
        finally:
            self._over.set()

    def room(self) -> bool:
        """Return whether they have said that there is room; waits for a moment, as others may wait for the journal."""
        self._over.wait(_MOMENT)
        return self._said == [None]

    def end(self) -> None:
        """Wait for it no more."""
        self._task.cancel()


def _no_room(library: Path, home: Path) -> str | None:
    try:
        if long_paths.is_too_long(library, long_paths.FOR_A_TAKE):
            return f"the library {library} has too long a path for the names of takes ({long_paths.WHAT})"
        if not library_mark.is_there(library, home):
            return f"the library {library} is empty, and takes lay in it: its disk is not there"
        if not os.access(library, os.W_OK | os.X_OK):
            return f"the library {library} cannot be written"
        for folder, least in ((library, LEAST_FREE), (home, LEAST_FREE_HOME)):
            free = files.free_bytes(folder)
            if free < least:
                return f"the disk of {folder} is full ({free >> 20} MB free, {least >> 20} MB are needed)"
    except OSError as error:
        return f"the library {library} cannot be used ({error.strerror or error})"
    return None


async def hold_back(job: Job, why: str, context: StepContext) -> Wait:
    """Do not send a job: there is no room for its take. It is sent by itself once there is."""
    text = f"{why[:1].upper()}{why[1:]}. Nothing was sent and nothing was spent."
    await context.set_problem(job, DiskTrouble(text))
    await context.pause.close(REASON, why)
    return Wait()


async def disk_trouble(job: Job, error: OSError, context: StepContext) -> Wait:
    """Keep the job as it is while the disk does not take its files; if it is full, send nothing new either."""
    full = files.is_disk_full(error)
    what = "The disk is full" if full else f"A file cannot be written ({_named(error)})"
    if full:
        await context.pause.close(REASON, "the disk is full")
    kept = "Nothing was spent" if job.charge is Charge.NONE else "The take is safe at the service for a while"
    trouble = DiskTrouble(f"{what}. {kept}.", charge=job.charge)
    await context.set_problem(job, trouble)
    log.error("%s", trouble.message, extra=job.log_context())
    return Wait(_AGAIN)


def _named(error: OSError) -> str:
    return f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")


async def end_pause(context: StepContext) -> None:
    """End a pause for a full disk once there is room, and nothing that is paid for waits to be written any more.

    The second counts too: a quota is full long before its disk is.
    """
    pause = context.pause
    if pause.current is None or pause.current["reason"] != REASON or await no_room(context):
        return
    jobs = await context.journal.read(lambda tx: tx.jobs_in(OPEN))
    if any(job.problem is not None and job.problem.code == DiskTrouble.code for job in jobs):
        return
    if await pause.open(only=REASON):
        log.info("There is room on the disk again; sending goes on.")
