"""A bucket of the person's own: sources are put there under unguessable names, and deleted when their job is done.

The name of each object stands in the journal before the object is made, so that none is left behind: what is not needed
any more is found in the journal, also after a crash, and deleted as soon as the bucket can be reached.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import secrets
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from bridge_daemon.domain.job import SERVED, Job, Publication
from bridge_daemon.errors import KeyTrouble, NotFound, NotPublished
from bridge_daemon.home.s3_key import S3KeyStore
from bridge_daemon.journal import Journal, Transaction
from bridge_daemon.publish.probe import check_for_cloud, fetch_back
from bridge_daemon.publish.store import Bucket, Learned, Store, StoreRefused
from bridge_daemon.settings.sections import Publish
from bridge_daemon.util.tasks import Tasks
from bridge_daemon.util.times import Times

log = logging.getLogger(__name__)

_OBJECTS: Final = "s3_objects"  # the fact: name of each object that is, or may be, in a bucket
FRESH: Final = 10.0  # s
_DELETING: Final = 30.0  # s
_LAST: Final = 1.0  # s
_PAUSE: Final = (5.0, 600.0)  # s before what could not be deleted is tried again
_NOTHING: Final = "Nothing was sent and nothing was spent."
INSTALL: Final = "Install it with: pip install 'daw-bridge[s3]' (uv: uv pip install 'daw-bridge[s3]')"


def installed() -> bool:
    """Return whether the library for buckets is there."""
    return importlib.util.find_spec("obstore") is not None


class BucketPublisher:
    """Puts sources into the bucket of [publish] s3_bucket and hands out signed URLs."""

    method = "s3"

    def __init__(self, journal: Journal, keys: S3KeyStore, settings: Callable[[], Publish], times: Times) -> None:
        """Nothing is asked of the bucket yet."""
        self._journal = journal
        self._keys = keys
        self._settings = settings
        self._times = times
        self._making: set[str] = set()  # objects that no job names yet
        self._checked: dict[str, float] = {}
        self._tasks = Tasks("bucket")
        self._poked = asyncio.Event()
        self._learned: dict[Bucket, Learned] = {}
        self._left: dict[str, str] = {}  # object that could not be deleted → where it lies and why

    def left(self) -> dict[str, Any] | None:
        """Return what lies in a bucket and could not be deleted, for ``status``; None: nothing."""
        if not self._left:
            return None
        return {"objects": len(self._left), "text": next(iter(self._left.values()))}

    def notice(self) -> str:
        """Return what a person should know of it."""
        return f"its source lies in the bucket {self._settings().s3_bucket} until the take is there"

    async def publish(self, job: Job, file: Path) -> Publication:
        """Put the file into the bucket, sign a URL for it and see it come back. Raises NotPublished."""
        settings, bucket = self._settings(), self._bucket()
        check_for_cloud(bucket.url, job.base_url)
        store = await self._store(bucket)
        name = f"{settings.s3_prefix}{secrets.token_urlsafe(32)}.wav"
        self._making.add(name)
        try:
            await self._journal.write("object", lambda tx: _note(tx, name, {"job": job.id} | asdict(bucket)))
            content = await asyncio.to_thread(file.read_bytes)
            url = await self._put(store, name, content, settings.ttl_s)
            since = self._times.now()
            wrong = await fetch_back(url, file)
            if wrong is not None:
                raise NotPublished(
                    f"The source was put into the bucket {bucket.name} and does not come back by its signed URL: "
                    f"{wrong}. {_NOTHING}",
                    next="May these credentials read (GetObject), and is the clock of this machine right? "
                    "docs/publishing.md.",
                    passing=True,
                )
        except BaseException:
            self._forget(name)
            raise
        self._checked[name] = self._times.monotonic()
        return Publication(method=self.method, url=url, capability=name, file=str(file), since=since)

    async def _put(self, store: Store, name: str, content: bytes, ttl_s: int) -> str:
        """Upload and sign. Raises NotPublished."""
        try:
            await store.put(name, content)
            return await store.sign("GET", name, timedelta(seconds=ttl_s))
        except StoreRefused as error:
            raise _refused(error, store.bucket.name) from error

    async def holds(self, publication: Publication) -> bool:
        """Return whether the service could fetch it now, with at least half of its time left."""
        name, now = publication.capability or "", self._times.now()
        if publication.file is None or not await asyncio.to_thread(Path(publication.file).is_file):
            return False
        if publication.since is None or not -60 < now - publication.since < self._settings().ttl_s / 2:
            return False
        if self._times.monotonic() - self._checked.get(name, -FRESH) < FRESH:
            return True
        if await fetch_back(publication.url, Path(publication.file)) is not None:
            return False
        self._checked[name] = self._times.monotonic()
        return True

    def withdraw(self, publication: Publication) -> None:
        """Have the object deleted, in the background."""
        if publication.capability is not None:
            self._forget(publication.capability)

    def taken(self, publication: Publication) -> None:
        """Know that a job names the object from now on."""
        self._making.discard(publication.capability or "")

    def restore(self, publication: Publication) -> None:
        """The bucket serves it, until the time that was signed."""

    def _forget(self, name: str) -> None:
        self._making.discard(name)
        self._checked.pop(name, None)
        self.clean()

    def _bucket(self) -> Bucket:
        settings = self._settings()
        return Bucket(settings.s3_bucket or "", settings.s3_endpoint, settings.s3_region)

    async def _store(self, bucket: Bucket) -> Store:
        """Return a bucket with its credentials. Raises NotPublished."""
        if not installed():
            raise not_installed()
        try:
            key = await asyncio.to_thread(self._keys.get)
        except KeyTrouble as error:
            raise NotPublished(f"{error.message} {_NOTHING}", next=error.next_step) from error
        if key is None:
            raise NotPublished(
                f"There are no credentials for the bucket {bucket.name}. {_NOTHING}",
                next="daw-bridge key s3, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
            )
        return Store(bucket, key, self._learned.setdefault(bucket, Learned()))

    # What is left behind

    def clean(self) -> None:
        """Delete every object that no job needs any more, now and until it is done."""
        self._poked.set()
        if not self._tasks:
            self._tasks.start(self._clean(), "bucket")

    async def recover(self) -> None:
        """Delete what the last process left behind. The jobs must have been recovered."""
        if await self._journal.read(lambda tx: tx.fact(_OBJECTS)):
            self.clean()

    async def close(self) -> None:
        """Stop deleting; the next start goes on with it."""
        await self._tasks.close(patience=_LAST)  # of a job that ended just now

    async def _clean(self) -> None:
        pause, most = _PAUSE
        while True:
            self._poked.clear()
            failed = False
            try:
                for name, about in (await self._journal.read(self._not_needed)).items():
                    failed |= not await self._delete(name, about)
            except Exception:  # a full disk, or a fault of ours: later it may work
                log.exception("What lies in a bucket could not be cleaned up")
                failed = True
            if failed:
                try:
                    async with asyncio.timeout(pause):
                        await self._poked.wait()
                except TimeoutError:
                    pause = min(most, pause * 2)
            elif not self._poked.is_set():
                return

    def _not_needed(self, tx: Transaction) -> dict[str, dict[str, Any]]:
        return {
            name: about
            for name, about in (tx.fact(_OBJECTS) or {}).items()
            if name not in self._making and not _needed(tx, name, about["job"])
        }

    async def _delete(self, name: str, about: dict[str, Any]) -> bool:
        """Delete an object and forget its name; return whether that worked."""
        bucket = Bucket(about["name"], about["endpoint"], about["region"])
        try:
            store = await self._store(bucket)
            async with asyncio.timeout(_DELETING):
                await store.delete(name)
        except (NotPublished, StoreRefused, TimeoutError) as error:
            why = str(error) or "it does not answer"
            if name not in self._left:
                log.warning("A source could not be deleted from the bucket %s yet: %s", bucket.name, why)
            self._left[name] = f"{why} (bucket {bucket.name}, {name})"
            return False
        self._left.pop(name, None)
        await self._journal.write("object_gone", lambda tx: _note(tx, name, None))
        return True


def _needed(tx: Transaction, name: str, job: str) -> bool:
    try:
        found = tx.job(job)
    except NotFound:
        return False
    return found.state in SERVED and found.publication is not None and found.publication.capability == name


def _note(tx: Transaction, name: str, about: dict[str, Any] | None) -> None:
    objects = dict(tx.fact(_OBJECTS) or {})
    if about is None:
        objects.pop(name, None)
    else:
        objects[name] = about
    tx.set_fact(_OBJECTS, objects or None)


def not_installed() -> NotPublished:
    """Return the error for a bridge that was installed without the library for buckets."""
    return NotPublished(
        f"A bucket is set in [publish], and the library for buckets (obstore) is not installed. {_NOTHING}",
        next=INSTALL,
    )


#: What a person has to change if the store says this.
_REMEDIES: Final = {
    "NoSuchBucket": "Check [publish] s3_bucket and s3_endpoint.",
    "InvalidAccessKeyId": "Set the credentials of this store: daw-bridge key s3.",
    "SignatureDoesNotMatch": "Set the credentials anew: daw-bridge key s3. Is [publish] s3_region right?",
    "ExpiredToken": "The temporary credentials are over: set new ones.",
    "AuthorizationHeaderMalformed": "Check [publish] s3_region.",
    "AuthorizationQueryParametersError": "Check [publish] s3_region.",
    "PermanentRedirect": "Check [publish] s3_region and s3_endpoint.",
    "QuotaExceeded": "Look at the quota of your account at the store.",
}


def _refused(error: StoreRefused, bucket: str) -> NotPublished:
    """Return what a refusal means, the code of the store first. What a person has to change does not pass by itself."""
    now = " now" if error.passing else ""
    text = f"{error.code}: the bucket {bucket} does not take the source{now}"
    remedy = _REMEDIES.get(error.code)
    if error.skew and error.code in ("RequestTimeTooSkewed", "AccessDenied", "SignatureDoesNotMatch", "HTTP 403"):
        way = "ahead of" if error.skew > 0 else "behind"
        remedy = f"Set the clock of this machine: it is {abs(error.skew) / 60:.0f} min {way} that of the store."
    elif remedy is None and "cap" in error.text.lower().split():
        remedy = "Look at the caps of your account at the store."
    if remedy is None and error.passing:
        remedy = "Is the network up, and [publish] s3_endpoint right? docs/publishing.md."
    return NotPublished(
        f"{text}{f' ({error.text})' if error.text else ''}. {_NOTHING}",
        next=remedy or "Check [publish] s3_bucket, s3_region and s3_endpoint, and the credentials: daw-bridge key s3.",
        passing=error.passing,
    )
