"""What a job is made from, if it is the takes of other jobs: waits until they are there, and lays them together."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bridge_daemon.audio.mix import mix
from bridge_daemon.domain.job import Job, Take
from bridge_daemon.domain.request import Source
from bridge_daemon.errors import SourceRefused
from bridge_daemon.journal import Transaction
from bridge_daemon.util import files

#: How often a job looks whether the takes are there that it is made from, s.
LOOK: Final = 1.0


def takes_of(tx: Transaction, source: Source) -> list[Take] | None:
    """Return the takes that a source is made of, None if they are not all there yet.

    A job that was retried stands for the newest of its retries. Raises SourceRefused if one will not come.
    """
    found = []
    for name in source.takes:
        job = tx.job(name)
        if _ended_without(job):
            job = tx.newest_retry(name)
        if not job.wanted or _ended_without(job):
            what = f"is {job.state}" if job.wanted else "was cancelled"
            raise SourceRefused(
                f"The job {job.id}, whose take this one is made from, {what}. Nothing was sent and nothing was spent.",
                next=f"Make that take first (daw-bridge jobs retry {job.id}), then retry this job; or cancel this one.",
            )
        found.append(job.take)
    takes = [take for take in found if take is not None]
    return takes if len(takes) == len(found) else None


def _ended_without(job: Job) -> bool:
    return job.terminal and job.take is None


def file_of(job: Job, takes: list[Take], folder: Path) -> Path:
    """Return the file that a job is made from: its one take, or all of them as one.

    Raises SourceRefused if one of them is not what was stored, OSError.
    """
    for take in takes:
        try:
            files.open_proved(Path(take.file), take.sha256).close()
        except OSError as error:
            raise SourceRefused(
                f"The take {take.file} is not what was stored any more ({error.strerror or error}). Nothing was spent.",
                next="Put the take back from a copy and retry, or cancel this job.",
            ) from error
    if len(takes) == 1:
        return Path(takes[0].file)
    target = folder / f"{job.id}.mix.wav"
    mix([Path(take.file) for take in takes], target)
    return target
