"""A stand-in of the paid service: strict, scriptable, and the oracle of money. README.md tells how to use it.

In a test: ``async with Service() as service``. As a process of its own: ``python -m tests.fakes.service``.
"""

from __future__ import annotations

import argparse
import asyncio
import email
import json
import secrets
import signal
import sys
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

from tests.fakes import audio, later, post, results, rules  # noqa: F401  (later and post fill the tables)
from tests.fakes.memory import TABLES, Charge, Job, Memory, Post
from tests.fakes.wire import FIRST, Exchange, Malformed
from tests.fakes.words import Act

GENERATIONS = "/v1/audio/generations"


class Service(Memory):
    """The paid service. What it saw stands in its lists; what it does next in its scripts."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._errors: list[Exception] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._counted: list[float] = []  # what the rate limit let pass in the last minute
        self._server: asyncio.Server | None = None

    # --- sockets ---------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.save()
        if self._errors and kind is None:
            raise ExceptionGroup("faults of the fake itself", self._errors)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # not a coroutine: asyncio would log each connection that is cancelled at the end as an error
        self._start(self._connection(reader, writer))

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fresh = True
        try:
            while await self._one(Exchange(reader, writer, fresh)):
                fresh = False
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the other side went away
        except Exception as error:
            self._errors.append(error)
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        finally:
            self.save()
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _one(self, x: Exchange) -> bool:
        """Answer one request; return whether the connection lives on."""
        first = await x.reader.readexactly(FIRST)
        waiting = self._scripts["post"]
        if first == b"POST /v1/" and waiting and waiting[0][0] == "drop_before_read":
            self.posts.append(Post(self.now(), "", "", x.fresh, word=waiting.popleft()[0]))
            x.drop(reset=True)
            return False
        try:
            await x.read_head(first)
            try:
                await x.read_body()
            except asyncio.IncompleteReadError as error:
                raw = error.partial.decode("utf-8", "surrogateescape")
                self.posts.append(Post(self.now(), x.head, raw, x.fresh, word="incomplete"))
                raise
            await self._route(x)
        except Malformed as error:
            x.closing = True
            await x.refuse(400, "bad_request", str(error))
        except rules.Refused as error:
            headers = [("Retry-After", self.retry_after)] if error.status == 429 and self.retry_after else []
            await x.refuse(error.status, error.code, error.message, headers)
        self.save()
        return not x.closing

    # --- routes ----------------------------------------------------------------------------------------------

    async def _route(self, x: Exchange) -> None:
        if x.path.startswith("/_fake/"):
            await self._control(x)
            return
        self.requests.append((self.now(), x.method, x.target))
        if self.key in x.target or self.key.encode() in x.body or x.header("Cookie"):
            self.violations.append(f"the key in a URL or body, or a cookie: {x.method} {x.path}")
        if x.path.startswith(GENERATIONS) and (x.method == "POST" or x.path.endswith("/moved")):
            await self._generate(x)
        elif (x.method, x.path) == ("POST", "/v1/files/upload"):
            await self._upload(x)
        elif x.path.startswith("/elsewhere/"):
            self.violations.append(f"polled where an answer pointed: {x.path}")
            raise rules.Refused(404, "not_found", "not here")
        elif x.method == "GET" and x.path.startswith(("/out/", "/hop/")):
            await self._download(x)
        elif x.method == "GET" and x.path.startswith("/v1/jobs/"):
            await self._poll(x, unquote(x.path.removeprefix("/v1/jobs/")))
        elif x.method == "GET" and x.path.startswith("/v1/models/"):
            await self._catalogue(x, unquote(x.path.removeprefix("/v1/models/")))
        else:
            raise rules.Refused(404, "not_found", f"no {x.method} {x.path}")

    async def _control(self, x: Exchange) -> None:
        if (x.method, x.path) == ("POST", "/_fake/script"):
            try:
                self.control(json.loads(x.body))
            except (ValueError, TypeError, KeyError) as error:
                raise rules.Refused(400, "bad_script", str(error)) from error
        elif (x.method, x.path) != ("GET", "/_fake/state"):
            raise rules.Refused(404, "not_found", x.target)
        await x.json(200, self.state())

    def _door(self, x: Exchange) -> None:
        """Check the key and the rate limit."""
        given = x.header("Authorization")
        if given != f"Bearer {self.key}":
            code = "missing_api_key" if given is None else "invalid_api_key"
            raise rules.Refused(401, code, "The API key is missing or wrong")
        self._counted = [at for at in self._counted if at > self.now() - 60]
        if self.enforce_rate and len(self._counted) >= self.rate_per_minute:
            raise rules.Refused(429, "rate_limit_exceeded", "Too many requests a minute")
        self._counted.append(self.now())

    def _next(self, queue: str) -> tuple[str, str]:
        return self._scripts[queue].popleft() if self._scripts[queue] else ("ok", "")

    # --- the money -------------------------------------------------------------------------------------------

    async def _generate(self, x: Exchange) -> None:
        seen = Post(self.now(), x.head, x.body.decode("utf-8", "surrogateescape"), x.fresh)
        self.posts.append(seen)
        name, arg = "ok", ""
        if x.path != GENERATIONS:
            # 301, 302 and 303 followed arrive as a GET without a body
            self.violations.append(f"a submit followed a redirect: {x.method} {x.path}")
        if x.method == "POST":
            self._door(x)
            if x.header("Content-Type") != "application/json":
                raise rules.refused("Content-Type must be application/json")
            seen.body = rules.parse(x.body)
            model = seen.body.get("model")
            rules.check(seen.body, tuple(self.models), self.uploads, self.mask if model in self.replaces else None)
            rules.check_listed(seen.body, self.catalogues.get(str(model), {}).get("supported_parameters"))
            if "audio_url" in seen.body and self.source_trouble == "refuse":
                await self._refuse_bad_source(seen.body["audio_url"])
            name, arg = self._next("post") if x.path == GENERATIONS else ("ok", "")
        seen.word = f"{name}:{arg}" if arg else name
        await TABLES["post"][name](Act(self, x, name, arg, accept=partial(self._accept, seen)))

    def _accept(self, seen: Post, remote_id: str | None = None, *, again: bool = False) -> Job:
        """Charge. It is counted, and on disk, before any byte of an answer leaves."""
        seen.charged, body = True, seen.body or {}
        number, plan = len(self.charges), self.job_seconds
        if again and self.jobs:
            job = list(self.jobs.values())[-1]
        else:
            planned = plan(body) if callable(plan) else plan
            seconds = planned[min(number, len(planned) - 1)] if isinstance(planned, Sequence) else planned
            job = Job(remote_id or f"job-{number + 1:04}-{secrets.token_hex(6)}", body, self.now(), seconds)
            self.jobs[job.remote_id] = job
            if "audio_url" in body and self.source_trouble == "fail":
                job.looking = True
                self._start(self._fail_bad_source(job))
        self.charges.append(Charge(job.remote_id, body, self.now()))
        self.save()
        return job

    async def _upload(self, x: Exchange) -> None:
        """Take a file: one field of a multipart form, and audio as a source must be. It costs nothing."""
        self._door(x)
        if self.upload in ("gone", "html") or self.upload.isdecimal():
            status = {"gone": 410, "html": 200}.get(self.upload) or int(self.upload)
            await x.answer(status, b"<html>no</html>", "text/html")
            return
        kind = (x.header("Content-Type") or "").encode()
        message = email.message_from_bytes(b"Content-Type: " + kind + b"\n\n" + x.body)
        parts = message.get_payload() if message.is_multipart() else []
        names = [part.get_param("name", header="Content-Disposition") for part in parts]
        if names != ["file"] or not parts[0].get_filename():
            raise rules.refused(f"a form with one file is wanted, not {names}")
        data = parts[0].get_payload(decode=True)
        name = f"uploads/{secrets.token_hex(8)}.wav"
        answered = f"{self.url}/{name}" if self.upload == "url" else name
        self.uploads[answered] = await asyncio.to_thread(audio.source_trouble, data)
        if self.upload == "in two parts":
            body = json.dumps({"path": name}).encode()
            await x.start(200, "application/json", [("Content-Length", str(len(body)))])
            await x.raw(body[:5])
            await asyncio.sleep(0.2)
            await x.raw(body[5:])
            return
        await x.json(200, {"path": name} if self.upload == "path" else {"data": [{"url": answered}]})

    async def _fetch(self, url: str) -> str | None:
        if url in self.uploads:
            return self.uploads[url]
        seen: dict[str, Any] = {"at": self.now(), "url": url}
        self.fetches.append(seen)
        seen |= await audio.fetch_source(url, self.source_timeout)
        return str(seen["trouble"]) if seen["trouble"] else None

    async def _refuse_bad_source(self, url: str) -> None:
        if trouble := await self._fetch(url):
            raise rules.Refused(400, "invalid_request", f"audio_url: {trouble}")

    async def _fail_bad_source(self, job: Job) -> None:
        if trouble := await self._fetch(job.body["audio_url"]):
            job.failed, job.error = True, {"message": f"audio_url: {trouble}", "code": "upstream_error"}
        job.looking = False

    # --- what follows ----------------------------------------------------------------------------------------

    async def _poll(self, x: Exchange, remote_id: str) -> None:
        self._door(x)
        job = self.jobs.get(remote_id)
        if job:
            job.polls += 1
        if not job or job.forgotten or self.now() > job.created_at + job.seconds + self.kept_seconds:
            raise rules.Refused(404, "not_found", f"no job {remote_id!r}")
        name, arg = self._next("poll")
        await TABLES["poll"][name](Act(self, x, name, arg, job=job, document=results.document(self, job)))

    async def _download(self, x: Exchange) -> None:
        if x.header("Authorization") or x.header("x-api-key") or self.key in x.head:
            self.violations.append(f"a download carried the key: {x.target}")
            raise rules.Refused(400, "bad_request", "only one way to authorize is allowed")
        if x.path.startswith("/hop/"):
            _, _, left, rest = x.target.split("/", 3)
            onwards = x.target if left == "loop" else f"/{rest}" if left == "0" else f"/hop/{int(left) - 1}/{rest}"
            await x.answer(302, headers=[("Location", onwards)])
            return
        file = x.path.removeprefix("/out/").partition("/")[0]
        seen = {"at": self.now(), "name": file, "head": x.head, "word": "refused"}
        self.downloads.append(seen)
        job = results.of_url(self, x.target)
        if job is None:
            raise rules.Refused(403, "forbidden", "the signature is wrong or has ended")
        data, kind = await asyncio.to_thread(results.rendered, self, job)
        name, arg = self._next("download")
        seen["word"] = name
        await TABLES["download"][name](Act(self, x, name, arg, job=job, data=data, kind=kind))

    async def _catalogue(self, x: Exchange, model: str) -> None:
        self._door(x)
        if model not in self.models:
            raise rules.Refused(404, "model_not_found", f"no model {model!r}")
        if self.price_rows is None:
            self.prices()
        parameters = [{"name": n, "type": "number", "range": list(span)} for n, span in rules.RANGES.items()]
        if model in self.replaces:
            modes = [*rules.MODES, rules.INPAINT]
            parameters += [{"name": "mode", "type": "enum", "enum": modes}, {"name": "audio_url", "type": "string"}]
            parameters += [{"name": n, "type": "number", "range": list(rules.MASK)} for n in self.mask]
        document = {"id": model, "supported_parameters": parameters, "pricing_rows": self.price_rows}
        document |= self.catalogues.get(model, {})
        name, arg = self._next("catalogue")
        await TABLES["catalogue"][name](Act(self, x, name, arg, document=document | self.catalogue_extra))


async def main(arguments: Sequence[str] | None = None) -> None:
    """Run as a process of its own until SIGTERM; the first line printed is the URL."""
    parser = argparse.ArgumentParser(prog="tests.fakes.service")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--state", type=Path, help="kept up to date, and read at the start")
    parser.add_argument("--script", default="{}", help="JSON, as for POST /_fake/script")
    given = parser.parse_args(arguments)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):  # Windows: Ctrl-C only
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    service = Service(port=given.port, state_file=given.state)
    service.control(json.loads(given.script))
    async with service:
        sys.stdout.write(service.url + "\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main())
