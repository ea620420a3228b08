"""The sketch engine's HTTP side: the paid service's protocol on loopback, without a price.

A client cannot tell the two apart by the protocol. What it makes says that it is a sketch: the model's name in the
catalogue, the ``Server`` header, the name and the comment of each file.
"""

from __future__ import annotations

import asyncio
import errno
import hmac
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from aiohttp import web

from bridge_daemon import __version__
from bridge_daemon.domain.models import AUDIO, INPAINT
from bridge_daemon.engine.sketch import contract, source, store, take
from bridge_daemon.engine.sketch.contract import Rejected
from bridge_daemon.engine.sketch.store import HOUR, WEEK, Record, Store
from bridge_daemon.errors import PortTaken
from bridge_daemon.util import files, strict_json
from bridge_daemon.util.tasks import Tasks

logger = logging.getLogger(__name__)

#: Renderings at once. Each takes a core, and a DAW plays on this machine: one core stays free for it and for the loop.
_AT_ONCE: Final = max(1, min(2, (os.cpu_count() or 1) - 1))
_MAX_BODY: Final = 256 << 10  # bytes
_MOST_OPEN: Final = 64  # jobs that are not finished
_MOST_AUDIO: Final = 4 << 30  # bytes of audio; the oldest goes for what is new
_CLEANING: Final = 60.0  # s between two rounds
_GOODBYE: Final = 2.0  # s that a download under way may still take at the end

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Stopped(Exception):
    """The engine is being closed; the rendering thread ends. The job begins again at the next start."""


class SketchEngine:
    """A server with its jobs. Start it, use the URL, close it; what was not finished goes on at the next start."""

    def __init__(
        self,
        folder: Path,
        *,
        key: str | None = None,
        requests_per_minute: int | None = None,
        clock: Callable[[], float] = time.time,
        sources: Callable[[], str] | None = None,
    ) -> None:
        """Take the folder for jobs and audio; ``key``: the only API key that is let in, None lets in any.

        ``sources``: where the only sources are that it fetches; None: any https, and http on this machine.
        """
        self._sources = sources
        self._key = key
        self._limit = requests_per_minute
        self._clock = clock
        self._store = Store(folder)
        self._folder = folder
        self._records: dict[str, Record] = {}
        self._tasks = Tasks("sketch engine")
        self._recent: deque[float] = deque()  # monotonic times of the last minute's requests
        self._closing = threading.Event()
        self._runner: web.AppRunner | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._base = ""
        self._hosts: frozenset[str] = frozenset()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen, take up the unfinished jobs, and return the base URL (without a slash at its end)."""
        if self._runner is not None:
            raise RuntimeError("the sketch engine is running already")
        self._closing.clear()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        earlier = await asyncio.to_thread(self._store.open)
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="sketch-render")
        self._runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=_GOODBYE)
        try:
            await self._listen(self._runner, host, port)
        except BaseException:
            await self.close()
            raise
        self._records = {record.job_id: record for record in earlier}
        for record in earlier:
            if not record.finished:
                logger.info("sketch: job %s is made again after a restart", record.job_id)
                self._tasks.start(self._work(record), f"sketch job {record.job_id}")
        self._tasks.start(self._clean(), "sketch cleaning")
        return self._base

    async def _listen(self, runner: web.AppRunner, host: str, port: int) -> None:
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                raise PortTaken(f"The sketch engine cannot listen on {host}:{port}: {error.strerror}.") from error
            raise
        name, number = runner.addresses[0][:2]
        self._hosts = frozenset(f"{host}:{number}" for host in ("127.0.0.1", "localhost", "[::1]", name))
        self._base = f"http://[{name}]:{number}" if ":" in name else f"http://{name}:{number}"

    async def close(self) -> None:
        """Stop listening and rendering. Returns when no task, thread or socket is left; may be called twice."""
        self._closing.set()  # seen by the rendering threads at their next progress report
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
        await self._tasks.close()
        pool, self._pool = self._pool, None
        if pool is not None:
            await asyncio.to_thread(pool.shutdown, cancel_futures=True)

    # --- routes

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[self._answer, self._door], client_max_size=_MAX_BODY)
        app.router.add_post("/v1/audio/generations", self._generate)
        app.router.add_get("/v1/jobs/{id}", self._job)
        app.router.add_get("/v1/models/{id}", self._model)
        app.router.add_get("/v1/outputs/{name}", self._output)
        app.on_response_prepare.append(_sign_with_our_name)
        return app

    @web.middleware
    async def _answer(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Give every error the service's envelope."""
        try:
            return await handler(request)
        except Rejected as error:
            headers = {"Retry-After": "2"} if error.status == 429 else None
            return web.json_response(error.envelope(), status=error.status, headers=headers)
        except web.HTTPException as error:
            code = "not_found" if error.status == 404 else "invalid_request"
            body = {"error": contract.error_body(code, error.reason)}
            allowed = error.headers.getall("Allow", [])
            return web.json_response(body, status=error.status, headers={"Allow": allowed[0]} if allowed else None)
        except ConnectionError:
            raise  # the client went away; there is nobody to tell
        except Exception:
            logger.exception("sketch: %s %s failed", request.method, request.path)
            body = {"error": contract.error_body("upstream_error", "The sketch engine made a mistake; see its log.")}
            return web.json_response(body, status=500)

    @web.middleware
    async def _door(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Ask for the right host and the key, and count requests if that is wished."""
        if request.path.startswith("/v1/") and not request.path.startswith("/v1/outputs/"):
            self._check_key(request)
            self._count()
        if request.host not in self._hosts:  # a page of the web that has a name lead here (DNS rebinding)
            raise Rejected(403, "invalid_request", "The request is for another host.")
        return await handler(request)

    def _check_key(self, request: web.Request) -> None:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        given = key.strip() if scheme.lower() == "bearer" else request.headers.get("x-api-key", "").strip()
        if not given:
            raise Rejected(401, "missing_api_key", "Send your key as Authorization: Bearer KEY.")
        if self._key is not None and not _same(given, self._key):
            raise Rejected(401, "invalid_api_key", "This API key is not valid.")

    def _count(self) -> None:
        if self._limit is None:
            return
        now = time.monotonic()
        while self._recent and now - self._recent[0] >= 60:
            self._recent.popleft()
        if len(self._recent) >= self._limit:
            raise Rejected(429, "rate_limit_exceeded", f"More than {self._limit} requests in a minute.")
        self._recent.append(now)

    async def _generate(self, request: web.Request) -> web.Response:
        try:
            body = strict_json.read(await request.read())
        except ValueError as error:
            raise Rejected(400, "invalid_request", "The body is not JSON.") from error
        record = Record(job_id=store.new_id(), asked=contract.check(body), created_at=self._clock())
        if sum(not one.finished for one in self._records.values()) >= _MOST_OPEN:
            raise Rejected(429, "rate_limit_exceeded", f"{_MOST_OPEN} jobs are being made already.")
        try:
            if not await asyncio.to_thread(self._store.make_room, _MOST_AUDIO, self._clock()):
                raise Rejected(503, "model_unavailable", "There is too much audio of the last hour; try again later.")
            await asyncio.to_thread(self._store.save, record)
        except OSError as error:
            logger.exception("sketch: a job could not be written down")
            raise Rejected(503, "model_unavailable", f"The job could not be kept: {error.strerror}.") from error
        self._records[record.job_id] = record
        self._tasks.start(self._work(record), f"sketch job {record.job_id}")
        created = store.timestamp(record.created_at)
        answer = {"job_id": record.job_id, "status": "queued", "model": contract.MODEL, "created_at": created}
        return web.json_response(answer)

    async def _job(self, request: web.Request) -> web.Response:
        record = self._records.get(request.match_info["id"])
        if record is None or self._is_over(record):
            raise Rejected(404, "not_found", "There is no such job. Finished ones are known for an hour.")
        return web.json_response(record.public(self._url))

    async def _model(self, request: web.Request) -> web.Response:
        contract.known_model(request.match_info["id"])
        return web.json_response(contract.catalogue())

    async def _output(self, request: web.Request) -> web.StreamResponse:
        name, expires = request.match_info["name"], request.query.get("expires", "")
        if not store.is_output(name):
            raise Rejected(404, "not_found", "There is no such file.")
        if not (expires.isascii() and expires.isdecimal() and len(expires) <= 12):
            raise Rejected(403, "invalid_request", "The URL is not signed.")
        right = self._store.signature(name, int(expires))
        if not _same(request.query.get("signature", ""), right):
            raise Rejected(403, "invalid_request", "The signature of the URL is wrong.")
        if self._clock() > int(expires):
            raise Rejected(403, "invalid_request", "The URL has expired.")
        path = self._store.audio(name)
        if not await asyncio.to_thread(path.is_file):
            raise Rejected(404, "not_found", "There is no such file.")
        kind = "audio/wav" if path.suffix == ".wav" else "audio/mpeg"
        return web.FileResponse(path, chunk_size=1 << 18, headers={"Content-Type": kind})

    def _url(self, record: Record) -> str:
        # counted from the end of the job, so that each answer names the same URL
        expires = int((record.completed_at or self._clock()) + WEEK)
        query = urlencode({"expires": expires, "signature": self._store.signature(record.output, expires)})
        return f"{self._base}/v1/outputs/{record.output}?{query}"

    # --- work

    async def _work(self, record: Record) -> None:
        """Bring one job to its end, whatever that is."""
        async with self._slots:
            record.status = "processing"
            ended = replace(record)
            try:
                seconds = await self._make(record)
            except _Stopped:
                return  # it lies on the disk as it was accepted, and is made at the next start
            except source.SourceTrouble as error:
                ended.fail(self._clock(), "invalid_request", str(error))
            except Exception as error:
                logger.exception("sketch: job %s failed", record.job_id)
                ended.fail(self._clock(), "upstream_error", f"The sketch could not be made: {type(error).__name__}.")
            else:
                ended.complete(self._clock(), seconds)
            ended.progress = max(ended.progress, record.progress)
            try:
                await asyncio.to_thread(self._store.save, ended)
            except OSError:
                # the audio is there; after a restart it would only be made once more
                logger.exception("sketch: the end of job %s could not be written down", record.job_id)
            self._records[record.job_id] = ended  # told only now: what a client has heard is on the disk

    async def _make(self, record: Record) -> float:
        if self._pool is None:
            raise RuntimeError("the sketch engine is not running")
        asked = record.asked
        reference = None
        if asked.mode in (AUDIO, INPAINT) and asked.audio_url is not None:
            reference = await source.fetch(asked.audio_url, self._sources() if self._sources else None)
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._render, record, reference)

    def _render(self, record: Record, reference: bytes | None) -> float:
        """Make the audio and give it its name; in a worker thread."""

        def progress(fraction: float) -> None:
            if self._closing.is_set():
                raise _Stopped
            record.progress = max(record.progress, min(0.99, fraction))

        part = self._store.part(record)
        try:
            seconds = take.make(record.asked, reference, part, progress)
            self._store.settle(record, part)
        finally:
            files.discard(part)
        return seconds

    def _is_over(self, record: Record) -> bool:
        return record.completed_at is not None and self._clock() - record.completed_at > HOUR

    async def _clean(self) -> None:
        """Forget jobs an hour after their end and remove audio after a week, as the service does."""
        while True:
            for record in [r for r in self._records.values() if self._is_over(r)]:
                del self._records[record.job_id]
                await asyncio.to_thread(self._store.forget, record)
            try:
                await asyncio.to_thread(self._store.remove_old_audio, self._clock())
            except OSError:
                logger.exception("sketch: old audio could not be removed; tried again in a minute")
            await asyncio.sleep(_CLEANING)


def _same(given: str, right: str) -> bool:
    """Compare in a time that tells nothing. Headers may hold bytes that are no text."""
    return hmac.compare_digest(given.encode(errors="surrogateescape"), right.encode())


async def _sign_with_our_name(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = f"daw-bridge-sketch/{__version__}"


async def serve(
    folder: Path, host: str, port: int, *, key: str | None = None, ready: Callable[[str], None] | None = None
) -> None:
    """Run a sketch engine until cancelled; ``ready`` is called with its base URL."""
    engine = SketchEngine(folder, key=key)
    try:
        base = await engine.start(host, port)
        if ready is not None:
            ready(base)
        await asyncio.Event().wait()
    finally:
        await engine.close()
