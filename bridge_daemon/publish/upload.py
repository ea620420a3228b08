"""The service's own upload. Only if it is chosen in the settings: its newer documentation does not name it any more.

What is known comes from an older version of that documentation: a multipart POST that answers a storage path. How long
the service keeps the file, who can fetch it, and how it is deleted is not documented; nothing can be withdrawn.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bridge_daemon import __version__
from bridge_daemon.domain.job import Job, Publication
from bridge_daemon.engine.address import exact
from bridge_daemon.engine.budget import Budget
from bridge_daemon.engine.choice import Engines
from bridge_daemon.errors import NotPublished
from bridge_daemon.settings.sections import Publish
from bridge_daemon.util import strict_json
from bridge_daemon.util.loading import load
from bridge_daemon.util.times import Times

if TYPE_CHECKING:
    import aiohttp

_TOTAL: Final = 900.0  # s: 33 MB over a slow line
_MOST: Final = 1 << 16  # bytes of an answer
_WRAPPERS: Final = ("data", "file", "result")
#: Where a file may be named in an answer, the likeliest first.
_NAMES: Final = ("url", "file_url", "audio_url", "path", "file_path", "storage_path")
_OTHERS: Final = "Choose another way in [publish] method; docs/publishing.md."


class UploadPublisher:
    """Sends sources to the service itself."""

    method = "upload"

    def __init__(self, engines: Engines, budget: Budget, settings: Callable[[], Publish], times: Times) -> None:
        """An upload counts as a request of the account, so it waits for its turn in ``budget``."""
        self._engines = engines
        self._budget = budget
        self._settings = settings
        self._times = times

    def notice(self) -> str:
        """Return what a person should know of it."""
        return "its source is uploaded to the service, which does not tell how long it keeps it"

    async def publish(self, job: Job, file: Path) -> Publication:
        """Upload the file. Raises NotPublished, KeyTrouble."""
        await load("bridge_daemon.engine.outgoing")
        import aiohttp

        from bridge_daemon.engine.outgoing import session, through

        endpoint = await self._engines.endpoint(job)
        content = await asyncio.to_thread(file.read_bytes)
        await self._budget.submit()
        form = aiohttp.FormData()
        form.add_field("file", io.BytesIO(content), filename="source.wav", content_type="audio/wav")
        headers = {"Authorization": f"Bearer {endpoint.key}", "User-Agent": f"daw-bridge/{__version__}"}
        timeout = aiohttp.ClientTimeout(total=_TOTAL, sock_connect=10.0, sock_read=60.0)
        address = exact(f"{endpoint.url}/v1/files/upload")
        try:
            async with (
                session(timeout) as wire,
                wire.post(address, data=form, headers=headers, allow_redirects=False, **through(address)) as answer,
            ):
                status, body = answer.status, await _body(answer)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NotPublished(
                f"The upload of the source broke off ({type(error).__name__}). No generation was asked for, and "
                "nothing was spent.",
                next="It is tried again. " + _OTHERS,
                passing=True,
            ) from error
        finally:
            self._budget.answered()
        return Publication(method=self.method, url=read(status, body), file=str(file), since=self._times.now())

    async def holds(self, publication: Publication) -> bool:
        """Return whether the service may still have it: an upload older than half of ttl_s is made anew."""
        return publication.since is not None and (self._times.now() - publication.since < self._settings().ttl_s / 2)

    def withdraw(self, publication: Publication) -> None:
        """Nothing is documented by which the service forgets a file."""

    def restore(self, publication: Publication) -> None:
        """The service has it."""


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    """Return the beginning of an answer, which may come in several parts."""
    body = bytearray()
    async for block in answer.content.iter_chunked(_MOST):
        body += block
        if len(body) >= _MOST:
            break
    return bytes(body[:_MOST])


def read(status: int, body: bytes) -> str:
    """Return the name that the service gave to the file. Raises NotPublished."""
    if status in (404, 405, 410):
        raise NotPublished(
            f"The service has no upload of files any more (HTTP {status}). Nothing was spent.", next=_OTHERS
        )
    if status == 429 or status >= 500:
        raise NotPublished(f"The service did not take the upload now (HTTP {status}). Nothing was spent.", passing=True)
    if status in (401, 403):
        raise NotPublished(
            f"The service did not take the upload: it refuses the API key (HTTP {status}). Nothing was spent.",
            next="daw-bridge key check",
        )
    if not 200 <= status < 300:
        raise NotPublished(f"The service did not take the upload (HTTP {status}). Nothing was spent.", next=_OTHERS)
    try:
        found = _named(strict_json.read(body))
    except ValueError:
        found = None
    if found is None:
        raise NotPublished("The answer to the upload names no file. Nothing was spent.", next=_OTHERS)
    return found


def _named(document: Any, depth: int = 0) -> str | None:
    if isinstance(document, list) and document:
        document = document[0]
    if not isinstance(document, dict) or depth > 2:
        return None
    for name in _NAMES:
        value = document.get(name)
        if isinstance(value, str) and 0 < len(value) <= 2000 and value.isprintable() and " " not in value:
            return value
    for name in _WRAPPERS:
        if (found := _named(document.get(name), depth + 1)) is not None:
            return found
    return None
