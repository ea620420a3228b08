"""Fetch: bring what was paid for onto the disk, whole and proved, beside the take that will be made of it."""

from __future__ import annotations

import asyncio
import logging
import random
import re
from pathlib import Path

from bridge_daemon import files
from bridge_daemon.audio.take import Verified, verify
from bridge_daemon.engine.choice import SKETCH
from bridge_daemon.engine.download import Expired, download, serves_privately
from bridge_daemon.errors import BridgeError, DiskTrouble, DownloadTrouble, Undecodable
from bridge_daemon.job import Job, State
from bridge_daemon.pipeline.tools import GO_ON, Tools, Wait

log = logging.getLogger(__name__)

_ENDINGS = {"MP3": "mp3", "FLAC": "flac", "OGG": "ogg", "AIFF": "aiff", "CAF": "caf", "W64": "w64"}
_LONGEST = 600.0  # s between two tries; the URL lives for days
_DISK_PAUSE = 20.0  # s


async def fetch(job: Job, tools: Tools) -> Wait | None:
    """Download the original of a job and prove it; a job that has one already goes on to be finished."""
    if job.output_url is None:
        return await _ask_again(job, tools, "there is no URL")
    watch = tools.watch(job)
    try:
        await _fetch(job, tools)
    except Expired as error:
        watch.expired += 1
        await _ask_again(job, tools, error.message)
        return Wait(min(_LONGEST, 2.0 ** min(watch.expired, 10) - 2))
    except (DownloadTrouble, Undecodable) as error:
        watch.errors += 1
        if watch.errors >= 2 or isinstance(error, Undecodable):
            await tools.set_problem(job, error)
        log.warning("%s", error.message, extra=job.log_context())
        return Wait(min(_LONGEST, 2.0 ** min(watch.errors, 10)) * random.uniform(0.5, 1.0))
    except OSError as error:
        return await disk_trouble(job, error, tools)
    watch.errors = 0
    return GO_ON


async def _ask_again(job: Job, tools: Tools, why: str) -> Wait:
    """Go back to following: the next poll brings a fresh URL."""
    await tools.journal.write(
        "expired",
        lambda tx: tx.move(job, State.GENERATING, event={"why": why}, output_url=None, text="asks for a fresh URL"),
    )
    return GO_ON


async def disk_trouble(job: Job, error: OSError, tools: Tools) -> Wait:
    """Keep the job as it is while the disk does not take its files; where it is full, send nothing new either."""
    full = files.is_disk_full(error)
    what = "The disk is full" if full else f"A file cannot be written ({error.strerror or error}: {error.filename})"
    if full:
        await tools.pause.close("disk", "the disk of the library is full")
    trouble: BridgeError = DiskTrouble(f"{what}. The take is safe at the service for a while.", charge=job.charge)
    await tools.set_problem(job, trouble)
    log.error("%s", trouble.message, extra=job.log_context())
    return Wait(_DISK_PAUSE)


async def _fetch(job: Job, tools: Tools) -> None:
    assert job.output_url is not None
    folder = await asyncio.to_thread(tools.day_folder, job)
    part = folder / f".{job.job}.original.part"
    await download(job.output_url, part, private=job.engine == SKETCH or serves_privately(job.base_url))
    watch = tools.watch(job)
    try:
        verified, notes = await asyncio.to_thread(_prove, part, await _declared(job, tools), watch.refused_download)
    except Undecodable:
        watch.refused_download = await asyncio.to_thread(files.sha256, part)
        part.unlink(missing_ok=True)
        raise
    target = folder / f"{stem(job)}.original.{_ENDINGS.get(verified.container, 'wav')}"
    original, digest = await asyncio.to_thread(_settle, part, target)
    await tools.journal.write(
        "fetched",
        lambda tx: tx.note(
            job,
            "fetched",
            {"file": str(original), "container": verified.container, "rate": verified.rate, "frames": verified.frames},
            original=str(original),
            original_sha256=digest,
            notes=tuple(dict.fromkeys(job.notes + verified.notes + notes)),
            text="is being finished",
        ),
    )


async def _declared(job: Job, tools: Tools) -> float | None:
    """Return the length that the service told with the URL, in seconds."""
    events = await tools.journal.read(lambda tx: tx.events_of(job.job))
    told = [event["data"].get("seconds") for event in events if event["kind"] == str(State.FETCHING)]
    return told[-1] if told else None


def _prove(part: Path, declared: float | None, last: str) -> tuple[Verified, tuple[str, ...]]:
    """Decode the download to its end, and hold it against its declared length.

    Where the very same bytes came twice, the declaration is what is wrong: the audio is whole, and it is paid for.
    """
    try:
        return verify(part, declared_seconds=declared), ()
    except Undecodable:
        if declared is None or files.sha256(part) != last:
            raise
        verified = verify(part)
        return verified, (f"the service said {declared:g} s, and {verified.seconds:.2f} s came, twice",)


def _settle(part: Path, target: Path) -> tuple[Path, str]:
    digest = files.sha256(part)
    return files.settle(part, target, point="original"), digest


def stem(job: Job) -> str:
    """Return the start of the names of a job's files: words of the prompt, and the job."""
    words = re.sub(r"[^A-Za-z0-9]+", "-", job.parameters.prompt).strip("-").lower()[:40].strip("-")
    kind = "sketch-" if job.engine == SKETCH else ""
    return f"{kind}{words or 'take'}-{job.job}"
