"""Fetch: bring what was paid for onto the disk, whole and proved, beside the take that will be made of it."""

from __future__ import annotations

import asyncio
import logging
import random
from pathlib import Path

from bridge_daemon.domain.job import Job, State, Take
from bridge_daemon.domain.sound_files import ending_of
from bridge_daemon.engine.choice import SKETCH
from bridge_daemon.engine.download import MAX_BYTES, Expired, download, serves_privately
from bridge_daemon.errors import DecoderDied, DownloadTrouble, StoreAway, Undecodable
from bridge_daemon.journal import Transaction
from bridge_daemon.pipeline.context import GO_ON, StepContext, Wait
from bridge_daemon.pipeline.disk import disk_trouble
from bridge_daemon.pipeline.follow import another_url, with_twins
from bridge_daemon.pipeline.making import Made, keep, make, stem, store
from bridge_daemon.util import files, foreign

log = logging.getLogger(__name__)

_LONGEST = 600.0  # s between two tries; the URL lives for days
#: URLs in a row that had run out before a person is told.
_PATIENCE = 3
_LEAST_BOUND = 128 * 1024 * 1024  # bytes that any take may have
#: Tries to decode what makes the decoder die, before it is tried only once a day (or when a person asks).
_MOST_DEATHS = 9
#: Bytes of a job that came and were no take, before it is tried only once a day (or when a person asks).
_MOST_WASTED = 1 << 30
_DAY = 86_400.0  # s
_STORE_AWAY = 10.0  # s until a store that does not answer is asked again


async def fetch(job: Job, context: StepContext) -> Wait | None:
    """Download the original of a job and prove it; a job that has one already goes on to be finished."""
    useless = await _useless(job, context)
    if useless is not None:
        await _ask_again(job, context, useless)
        return GO_ON
    watch = context.watch(job)
    context.expect_a_take()
    try:
        await _fetch(job, context)
    except StoreAway as error:  # the take lies there, and its URL leads to nothing any more
        await context.set_problem(job, error)
        return Wait(_STORE_AWAY)
    except Expired as error:
        watch.expired += 1
        asking = await _ask_again(job, context, error.message)
        if watch.expired >= _PATIENCE:
            await context.set_problem(asking, error)
        return Wait(min(_LONGEST, 2.0 ** min(watch.expired, 10) - 2))
    except (DownloadTrouble, Undecodable) as error:
        watch.errors += 1
        if watch.errors >= 2 or isinstance(error, Undecodable):
            await context.set_problem(job, error)
        log.warning("%s", error.message, extra=job.log_context())
        fresh = await another_url(job, context)
        if watch.wasted > _MOST_WASTED:
            text = f"{error.message} {watch.wasted:,} bytes came that were no take, so it is tried only once a day now."
            await context.set_problem(job, DownloadTrouble(text, charge=job.charge))
            return Wait(_DAY)
        if fresh is not None and watch.errors == 1:
            return GO_ON
        return Wait(min(_LONGEST, 2.0 ** min(watch.errors, 10)) * random.uniform(0.5, 1.0))
    except (DecoderDied, OSError) as error:
        return await kept_back(job, error, context)
    watch.errors = 0
    return GO_ON


async def _useless(job: Job, context: StepContext) -> str | None:
    """Return why there is nothing to download from, None if there is."""
    if context.store is not None and await context.store.has_original(job):
        return None
    if job.output_url is None:
        return "there is no URL"
    if job.engine == SKETCH and not job.output_url.startswith(await context.engines.sketch_url()):
        return "the built-in engine has another port in this process"
    return None


async def kept_back(job: Job, error: DecoderDied | OSError, context: StepContext) -> Wait:
    """Keep what came, and try again: with a decoder that dies more and more rarely, and once a day in the end."""
    if isinstance(error, OSError):
        return await disk_trouble(job, error, context)
    watch = context.watch(job)
    watch.deaths += 1
    await context.set_problem(job, error)
    log.error("%s", error.message, extra=job.log_context())
    return Wait(2.0**watch.deaths if watch.deaths <= _MOST_DEATHS else _DAY)


async def _ask_again(job: Job, context: StepContext, why: str) -> Job:
    """Go back to following: the next poll brings a fresh URL. The old one is kept, it may be the last that there is."""
    return await context.journal.write(
        "expired", lambda tx: tx.move(job, State.GENERATING, event={"why": why}, text="asks for a fresh URL")
    )


async def _fetch(job: Job, context: StepContext) -> None:
    part, kept = await foreign.off(context.library(), _part, job, context)
    folder = part.parent
    watch = context.watch(job)
    try:
        declared = await _declared(job, context)
        if part != kept:
            await _bring(job, part, context)
        hashing = asyncio.create_task(asyncio.to_thread(_flush, part), name=f"hash {job.id}")
        try:
            async with context.making.turn():
                made, notes = await asyncio.to_thread(_prove, job, part, folder, context, declared)
        finally:
            digest = await hashing  # also if the file is removed next
        verified = made.verified
        target = folder / f"{stem(job)}.original{ending_of(verified.container)}"
        here = context.ownership.asked_here(job)
        original, kept_take = await asyncio.to_thread(_settle, job, part, target, made, here=here)
    except DecoderDied as error:  # the bytes are paid for, and nothing is known against them
        file = await asyncio.to_thread(_keep, part, kept)
        raise DecoderDied(f"{error.message} The file that came is kept: {file}", charge=job.charge) from error
    except Undecodable:
        watch.refused_download = await asyncio.to_thread(files.sha256, part)
        watch.wasted += await asyncio.to_thread(_discard, part)
        raise
    except (DownloadTrouble, StoreAway, OSError):
        watch.wasted += await asyncio.to_thread(_discard, part)
        await asyncio.to_thread(files.sweep, folder / f"{job.id}.take")
        raise

    def write(tx: Transaction) -> Job:
        if not here and context.store is not None:
            context.store.owe(tx, job, original, digest)
        twins = [twin for twin in tx.same_result(job, sha256=digest) if twin.parameters != job.parameters]
        told = with_twins(tuple(dict.fromkeys(job.notes + verified.notes + notes)), twins if job.price else [])
        event = {
            "file": str(original),
            "container": verified.container,
            "rate": verified.rate,
            "frames": verified.frames,
        }
        lies = {"original": str(original), "original_sha256": digest}
        if kept_take is None:
            return tx.note(job, "fetched", event, **lies, notes=told, text="is being finished")
        take, of_take = kept_take
        tx.add_event(job.id, "fetched", {"from": str(job.state)} | event)
        return store(tx, job, take, told + of_take, **lies)

    if kept_take is None:
        await context.journal.write("fetched", write)
    else:
        await context.journal.write("stored", write)
    if not here and context.store is not None:
        context.store.pay()


async def _bring(job: Job, part: Path, context: StepContext) -> None:
    """Bring what the service made into a file: from the store of the studio if it lies there, else from its URL.

    Raises Expired, DownloadTrouble, OSError; StoreAway if only the store can have it, and does not answer.
    """
    away: StoreAway | None = None
    try:
        if context.store is not None and await context.store.bring(job, part):
            return
    except StoreAway as error:
        away = error
        log.warning("%s", error.message, extra=job.log_context())
    try:
        if job.output_url is None:
            raise Expired("there is no URL", charge=job.charge)
        private = job.engine == SKETCH or serves_privately(job.base_url)
        await download(job.output_url, part, private=private, most=_most(job))
    except Expired:
        if away is not None:
            raise away from None
        raise


def _most(job: Job) -> int:
    """Return the most bytes that the take of a job can have: twice its length, 8 channels of 32 bit at 96 kHz."""
    return min(MAX_BYTES, max(_LEAST_BOUND, int(2 * job.parameters.duration * 8 * 4 * 96_000)))


def _discard(part: Path) -> int:
    """Remove what came, and return how much it was."""
    try:
        size = part.stat().st_size
    except FileNotFoundError:
        return 0
    files.discard(part)
    return size


async def _declared(job: Job, context: StepContext) -> float | None:
    """Return the length that the service told with the URL, in seconds."""
    events = await context.journal.read(lambda tx: tx.events_of(job.id))
    told = [event["data"].get("seconds") for event in events if event["kind"] in (State.FETCHING, "fresh_url")]
    return told[-1] if told else None


def _flush(part: Path) -> str:
    """Return the hash of a download once it lies on the medium."""
    with files.open_to_flush(part) as file:
        return files.flush_and_hash(file, part)


def _prove(
    job: Job, part: Path, folder: Path, context: StepContext, declared: float | None
) -> tuple[Made, tuple[str, ...]]:
    """Decode the download to its end, hold it against its declared length, and write its take meanwhile.

    If the very same bytes came twice, the declaration is what is wrong: the audio is whole, and it is paid for.
    """
    try:
        return make(job, part, folder, context.times, declared), ()
    except Undecodable:
        if declared is None or files.sha256(part) != context.watch(job).refused_download:
            raise
        made = make(job, part, folder, context.times)
        return made, (f"the service said {declared:g} s, and {made.verified.seconds:.2f} s came, twice",)


def _part(job: Job, context: StepContext) -> tuple[Path, Path]:
    """Return where the download goes, and where it is kept if its decoder dies: both the same if it did before."""
    folder = context.day_folder(job)
    target, kept = folder / f"{job.id}.original", folder / f"{stem(job)}.undecoded"
    files.sweep(target)
    return kept if kept.is_file() and not kept.is_symlink() else files.part_of(target), kept


def _keep(part: Path, kept: Path) -> Path:
    return part if part == kept else files.settle(part, kept, point="original")


def _settle(
    job: Job, part: Path, target: Path, made: Made, *, here: bool
) -> tuple[Path, tuple[Take, tuple[str, ...]] | None]:
    """Give the original its name, and then the take.

    Without the take the job goes on to be finished: the original lies there, and that is what was paid for.
    """
    original = files.settle(part, target, point="original")
    if here:
        try:
            return original, keep(job, made, target.parent)
        except Exception:  # whatever it was: finish tries it again, and tells
            log.warning("The take could not be put into the library", exc_info=True, extra=job.log_context())
    files.discard(made.part)  # that of another room is made by its own bridge
    return original, None
