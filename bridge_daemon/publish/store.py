"""One bucket, by what every S3-compatible store has: a signed URL for one object, and PUT, GET and DELETE of it.

obstore signs. Its own requests are not used: it deletes by the multi-object call that Google, Alibaba and older MinIO
lack (arrow-rs-object-store 731), may add checksum headers that Backblaze refuses, takes proxies for loopback too, and
its errors bury the code of the store. A region, or a way to name the bucket, that a store names in a refusal is used.
"""

from __future__ import annotations

import asyncio
import io
import os
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

from bridge_daemon import __version__
from bridge_daemon.engine.address import exact
from bridge_daemon.home.s3_key import S3Key
from bridge_daemon.util.loading import load
from bridge_daemon.util.redact import redact

if TYPE_CHECKING:
    import aiohttp

_TIMEOUT: Final = 600.0  # s, all of one request: 33 MB over a slow line
_VALID: Final = timedelta(seconds=900)  # of the signature of an upload or a deletion
_MOST: Final = 1 << 16  # bytes of a refusal that are read
_TRIES: Final = 3  # with what was learned from a refusal
_BLOCK: Final = 1 << 18  # bytes that are worth a hop to a thread
_TEXT: Final = 300  # letters of what the store says, after its code
_SKEW: Final = 240.0  # s by which a clock may be wrong
#: What stores say that want the name of the bucket in the host (Alibaba OSS, Tencent COS).
_BY_HOST: Final = ("SecondLevelDomainForbidden", "PathStyleDomainForbidden")
_PASSING: Final = ("RequestTimeTooSkewed", "RequestTimeout", "SlowDown", "OperationAborted", "InternalError")
_EXPECTED: Final = re.compile(r"expecting '([a-z0-9-]{1,40})'")


Method = Literal["GET", "PUT", "DELETE"]
_Save = Callable[["aiohttp.ClientResponse"], Awaitable[None]]


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


@dataclass(slots=True)
class Learned:
    """What a store said of itself when it refused."""

    region: str | None = None
    by_host: bool = False


class StoreRefused(Exception):
    """The store did not do it. ``code`` is its own word for why."""

    def __init__(self, code: str, text: str, *, passing: bool, skew: float = 0.0) -> None:
        """``skew``: seconds by which the clock of this machine is ahead of the store's."""
        super().__init__(f"{code}: {text}" if text else code)
        self.code = code
        self.text = text
        self.passing = passing
        self.skew = skew
        #: There is no such object.
        self.missing = code in ("NoSuchKey", "NoSuchBucket", "HTTP 404", "HTTP 410")


@dataclass(frozen=True, slots=True)
class Store:
    """A bucket with the credentials for it."""

    bucket: Bucket
    key: S3Key
    learned: Learned = field(default_factory=Learned)

    async def put(self, name: str, content: bytes) -> None:
        """Make an object. Raises StoreRefused."""
        await self._ask("PUT", name, content)

    async def get(self, name: str, write: Callable[[bytes], object], *, most: int) -> None:
        """Give the bytes of an object to ``write``, on a thread, in order. Raises StoreRefused."""
        await self._ask("GET", name, save=lambda answer: _save(answer, write, most))

    async def delete(self, name: str) -> None:
        """Delete an object; one that is gone already is fine. Raises StoreRefused."""
        try:
            await self._ask("DELETE", name)
        except StoreRefused as error:
            if not error.missing:
                raise

    async def sign(self, method: Method, name: str, valid: timedelta) -> str:
        """Return a URL by which one thing may be done with one object for a while. Raises StoreRefused."""
        import obstore
        from obstore.exceptions import BaseError
        from obstore.store import S3Store

        def sign() -> str:
            store = S3Store(
                self.bucket.name,
                config=self._config(),  # type: ignore[arg-type]
                client_options={"allow_http": urlsplit(self.bucket.url).scheme == "http"},
            )
            return obstore.sign(store, method, name, valid)

        try:
            return await asyncio.to_thread(sign)
        except BaseError as error:
            text = redact(" ".join(str(error).split()))[:_TEXT]
            raise StoreRefused(type(error).__name__, text, passing=False) from error

    def _config(self) -> dict[str, Any]:
        environ = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        given: dict[str, Any] = {
            "access_key_id": self.key.access_key_id,
            "secret_access_key": self.key.secret_access_key,
            "region": self.learned.region or self.bucket.region or environ or "us-east-1",
            "virtual_hosted_style_request": self.learned.by_host,
        }
        if self.key.session_token:
            given["token"] = self.key.session_token
        if self.bucket.endpoint:
            parts = urlsplit(self.bucket.endpoint)
            host = f"{self.bucket.name}.{parts.netloc}" if self.learned.by_host else parts.netloc
            given["endpoint"] = parts._replace(netloc=host).geturl()
        return given

    async def _ask(self, method: Method, name: str, content: bytes | None = None, save: _Save | None = None) -> None:
        for turn in range(_TRIES):
            try:
                await self._send(method, await self.sign(method, name, _VALID), content, save)
                return
            except _Hint as hint:
                if turn + 1 == _TRIES or not self._learn(hint):
                    raise hint.refused from None

    def _learn(self, hint: _Hint) -> bool:
        """Adopt what the store wants; return whether anything changed."""
        before = (self._config()["region"], self.learned.by_host)
        self.learned.region = hint.region or self.learned.region
        self.learned.by_host |= hint.refused.code in _BY_HOST
        return before != (self._config()["region"], self.learned.by_host)

    async def _send(self, method: str, url: str, content: bytes | None, save: _Save | None) -> None:
        await load("bridge_daemon.engine.outgoing")
        import aiohttp

        from bridge_daemon.engine.outgoing import session, through

        timeout = aiohttp.ClientTimeout(total=_TIMEOUT, sock_connect=10.0, sock_read=60.0)
        headers = {"User-Agent": f"daw-bridge/{__version__}", "Content-Type": "audio/wav"}
        try:
            address = exact(url)
            async with (
                session(timeout) as wire,
                wire.request(
                    method,
                    address,
                    data=io.BytesIO(content) if content is not None else None,
                    headers=headers if content is not None else {"User-Agent": headers["User-Agent"]},
                    allow_redirects=False,
                    **through(address),
                ) as answer,
            ):
                if 200 <= answer.status < 300:
                    return await save(answer) if save is not None else None
                body = (await answer.content.read(_MOST)).decode("utf-8", "replace")
                raise _read(answer.status, answer.headers, body)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            # the text of the error may hold the URL, which is signed
            text = redact(str(error))[:_TEXT] if not isinstance(error, aiohttp.ClientResponseError) else ""
            raise StoreRefused(type(error).__name__, text, passing=True) from error


async def _save(answer: aiohttp.ClientResponse, write: Callable[[bytes], object], most: int) -> None:
    size = 0
    async for block in answer.content.iter_chunked(_BLOCK):
        size += len(block)
        if size > most:
            raise StoreRefused("TooLarge", f"more than {most:,} bytes came", passing=False)
        await asyncio.to_thread(write, block)


class _Hint(Exception):
    """A refusal, with the region that the store names in it."""

    def __init__(self, refused: StoreRefused, region: str | None) -> None:
        super().__init__(str(refused))
        self.refused = refused
        self.region = region


def _read(status: int, headers: Any, body: str) -> _Hint:
    """Return what a refusal of a store says."""
    code, text = _element("Code", body) or f"HTTP {status}", _element("Message", body) or ""
    expected = _EXPECTED.search(text)
    region = headers.get("x-amz-bucket-region") or _element("Region", body) or (expected[1] if expected else None)
    if region is not None and not re.fullmatch(r"[a-z0-9-]{1,40}", region):
        region = None
    passing = status >= 500 or status in (408, 425, 429) or code in _PASSING
    return _Hint(StoreRefused(code, redact(text)[:_TEXT], passing=passing, skew=_skew(headers.get("Date"))), region)


def _element(name: str, body: str) -> str | None:
    found = re.search(rf"<{name}>([^<]{{1,2000}})</{name}>", body)
    return " ".join(found[1].split()) if found else None


def _skew(date: str | None) -> float:
    """Return by how many seconds the clock of this machine is ahead of the store's, 0 if that is nothing."""
    try:
        there = parsedate_to_datetime(date or "")
    except ValueError:
        return 0.0
    off = (datetime.now(UTC) - there.astimezone(UTC)).total_seconds()
    return off if abs(off) > _SKEW else 0.0
