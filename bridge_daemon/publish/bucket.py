"""A bucket of the person's own: sources are put there under unguessable names, and deleted when their job is done.

The name of each object stands in the journal before the object is made, so that none is left behind: what is not needed
any more is found in the journal, also after a crash, and deleted as soon as the bucket can be reached.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from bridge_daemon.domain.job import SERVED, Job, Publication
from bridge_daemon.errors import KeyTrouble, NotFound, NotPublished
from bridge_daemon.home.s3_key import S3KeyStore
from bridge_daemon.journal import Journal, Transaction
from bridge_daemon.publish.probe import check_for_cloud, fetch_back
from bridge_daemon.settings.sections import Publish
from bridge_daemon.util.redact import redact
from bridge_daemon.util.times import Times

if TYPE_CHECKING:
    from obstore.store import S3Store

log = logging.getLogger(__name__)

_OBJECTS: Final = "s3_objects"  # the fact: name of each object that is, or may be, in a bucket
FRESH: Final = 10.0  # s
_TIMEOUT: Final = 600.0  # s, all of one request: 33 MB over a slow line
_DELETING: Final = 30.0  # s
_LAST: Final = 1.0  # s
_PAUSE: Final = (5.0, 600.0)  # s before what could not be deleted is tried again
_NOTHING: Final = "Nothing was sent and nothing was spent."
INSTALL: Final = "Install it with: pip install 'daw-bridge[s3]' (uv: uv pip install 'daw-bridge[s3]')"


@dataclass(frozen=True, slots=True)
class Bucket:
    """Which bucket."""

    name: str
    endpoint: str | None
    region: str | None

    @property
    def url(self) -> str:
        """Where its objects will be fetched, for the check whether a service can."""
        return self.endpoint or "https://s3.amazonaws.com"


def installed() -> bool:
    """Tell whether the library for buckets is there."""
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
        self._cleaning: asyncio.Task[None] | None = None
        self._closed = False
        self._poked = asyncio.Event()

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

    async def _put(self, store: S3Store, name: str, content: bytes, ttl_s: int) -> str:
        """Upload and sign. Raises NotPublished."""
        import obstore
        from obstore.exceptions import BaseError

        try:
            await obstore.put_async(store, name, content, attributes={"Content-Type": "audio/wav"}, use_multipart=False)
            return await obstore.sign_async(store, "GET", name, timedelta(seconds=ttl_s))
        except BaseError as error:
            raise _refused(error, self._bucket().name) from error

    async def holds(self, publication: Publication) -> bool:
        """Tell whether the service could fetch it now, with at least half of its time left."""
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

    async def _store(self, bucket: Bucket) -> S3Store:
        try:
            return await asyncio.to_thread(self._open, bucket)
        except KeyTrouble as error:
            raise NotPublished(f"{error.message} {_NOTHING}", next=error.next_step) from error
        except ImportError as error:
            raise not_installed() from error

    def _open(self, bucket: Bucket) -> S3Store:
        """Return a client of the bucket. Raises NotPublished, KeyTrouble."""
        from obstore.exceptions import BaseError
        from obstore.store import S3Store

        key = self._keys.get()
        if key is None:
            raise NotPublished(
                f"There are no credentials for the bucket {bucket.name}. {_NOTHING}",
                next="daw-bridge key s3, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
            )
        given: dict[str, Any] = {
            "access_key_id": key.access_key_id,
            "secret_access_key": key.secret_access_key,
            "region": bucket.region
            or os.environ.get("AWS_REGION")
            or os.environ.get("AWS_DEFAULT_REGION")
            or "us-east-1",
            "virtual_hosted_style_request": False,
        }
        if key.session_token:
            given["token"] = key.session_token
        if bucket.endpoint:
            given["endpoint"] = bucket.endpoint
        try:
            return S3Store(
                bucket.name,
                config=given,  # type: ignore[arg-type]
                client_options={
                    "allow_http": urlsplit(bucket.url).scheme == "http",
                    "timeout": f"{_TIMEOUT:.0f}s",
                    "connect_timeout": "10s",
                },
                retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=20)},
            )
        except BaseError as error:
            raise NotPublished(
                f"The settings of the bucket {bucket.name} cannot be used ({_reason(error)}). {_NOTHING}"
            ) from error

    # What is left behind

    def clean(self) -> None:
        """Delete every object that no job needs any more, now and until it is done."""
        self._poked.set()
        if self._closed:
            return
        if self._cleaning is None or self._cleaning.done():
            self._cleaning = asyncio.create_task(self._clean(), name="bucket")

    async def recover(self) -> None:
        """Delete what the last process left behind. The jobs must have been recovered."""
        if await self._journal.read(lambda tx: tx.fact(_OBJECTS)):
            self.clean()

    async def close(self) -> None:
        """Stop deleting; the next start goes on with it."""
        self._closed = True
        if self._cleaning is not None:
            await asyncio.wait({self._cleaning}, timeout=_LAST)  # of a job that ended just now
            self._cleaning.cancel()
            await asyncio.gather(self._cleaning, return_exceptions=True)

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
        """Delete an object and forget its name; tell whether that worked."""
        bucket = Bucket(about["name"], about["endpoint"], about["region"])
        try:
            store = await self._store(bucket)
            import obstore
            from obstore.exceptions import BaseError, NotFoundError

            try:
                async with asyncio.timeout(_DELETING):
                    await obstore.delete_async(store, name)
            except NotFoundError:
                pass  # it is gone already, which is what was wanted
        except (NotPublished, ImportError, TimeoutError) as error:
            log.warning("A source could not be deleted from the bucket %s yet: %s", bucket.name, error)
            return False
        except BaseError as error:
            log.warning("A source could not be deleted from the bucket %s yet: %s", bucket.name, _reason(error))
            return False
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


def _refused(error: Exception, bucket: str) -> NotPublished:
    """Return what an error of the bucket means. What a person has to change does not pass by itself."""
    from obstore import exceptions

    lasting = (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError, exceptions.NotFoundError)
    if isinstance(error, lasting):
        return NotPublished(
            f"The bucket {bucket} does not take the source ({_reason(error)}). {_NOTHING}",
            next="Check [publish] s3_bucket, s3_region and s3_endpoint, and the credentials: daw-bridge key s3.",
        )
    return NotPublished(
        f"The bucket {bucket} does not take the source now ({_reason(error)}). {_NOTHING}",
        next="Is the network up, and [publish] s3_endpoint right? docs/publishing.md.",
        passing=True,
    )


def _reason(error: Exception) -> str:
    """Return the beginning of an error's text, without keys and signatures."""
    text = redact(" ".join(str(error).split()))
    return f"{type(error).__name__}: {text[:200]}"
