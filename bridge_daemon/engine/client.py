"""The client of the service: one POST that is never repeated, and polls that may be.

Each submit has a connection of its own: a kept one may have been closed by the service a moment ago, which would look
like a request that was perhaps charged. What tells "never sent" from "perhaps charged" is not the exception (aiohttp
raises the same bare TimeoutError for both) but whether the headers went out, which its trace signal says.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bridge_daemon import __version__
from bridge_daemon.engine.address import exact
from bridge_daemon.engine.protocol import Answer, Outcome, SubmitOutcome, classify
from bridge_daemon.util.failpoints import failpoint
from bridge_daemon.util.loading import load
from bridge_daemon.util.redact import without_key

if TYPE_CHECKING:
    import aiohttp

_CONNECT = 10.0  # s
_REACH = 20.0  # s, looking up the name too
_SUBMIT = 60.0  # s, all of a submit
_POLL = 15.0  # s, all of a poll
#: More than any true answer has; what is kept of it in the journal is less.
_MAX_BODY = 1 << 20
_AGENT = f"daw-bridge/{__version__}"


async def ready() -> None:
    """Load what sends; no start waits for it, and nothing that may cost is begun before."""
    await load("bridge_daemon.engine.outgoing")


class Sent:
    """What one POST came to: the answer, or the error and whether the headers went out."""

    def __init__(
        self,
        *,
        answer: Answer | None = None,
        error: BaseException | None = None,
        sent: bool = True,
        key: str | None = None,
    ) -> None:
        """Keep what is known; ``key`` is taken out of what the error says."""
        self.answer = answer
        self.error = error
        self.sent = sent
        self._key = key

    def as_event(self) -> dict[str, Any]:
        """Return it for the journal."""
        if self.answer is not None:
            return self.answer.as_event()
        text = without_key(str(self.error), self._key)[:500]
        return {"error": type(self.error).__name__, "text": text, "sent": self.sent}

    def outcome(self) -> Outcome:
        """Tell what it means for the money."""
        if self.answer is not None:
            return classify(self.answer)
        assert self.error is not None
        outcome = classify_error(self.error, sent=self.sent)
        return replace(outcome, text=without_key(outcome.text, self._key))


def classify_error(error: BaseException, *, sent: bool) -> Outcome:
    """Tell what an error of the POST means: never sent where aiohttp had not begun to write, else perhaps charged."""
    import aiohttp

    #: Raised by aiohttp before anything is written.
    never_sent = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)
    text = f"{type(error).__name__}: {error}".rstrip(": ")
    if isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLCertVerificationError):
        return Outcome(
            kind=SubmitOutcome.NOT_SENT, text=f"the service's certificate is not valid ({text})", pause="certificate"
        )
    if isinstance(error, never_sent) or not sent:
        return Outcome(kind=SubmitOutcome.NOT_SENT, text=f"the service could not be reached ({text})")
    return Outcome(kind=SubmitOutcome.UNKNOWN, text=f"the connection broke after the request was sent ({text})")


async def submit(url: str, key: str | None, body: dict[str, Any], *, idempotency_key: str) -> Sent:
    """POST one generation, once. Never raises for what the network or the service does.

    ``idempotency_key`` is sent along: the service documents none, and one that it does not know is harmless.
    """
    await ready()
    import aiohttp

    from bridge_daemon.engine.outgoing import session, through

    written = SimpleNamespace(sent=False)
    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(_mark_sent(written))
    timeout = aiohttp.ClientTimeout(total=_SUBMIT, connect=_REACH, sock_connect=_CONNECT)
    headers = _headers(key) | {"Content-Type": "application/json", "Idempotency-Key": idempotency_key}
    data = json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    try:
        address = exact(f"{url}/v1/audio/generations")
        async with (
            session(timeout, traces=[trace]) as wire,
            wire.post(address, data=data, headers=headers, allow_redirects=False, **through(address)) as response,
        ):
            failpoint("socket.submit.answered")
            return Sent(answer=await _read(response, key))
    except asyncio.CancelledError as error:
        if written.sent:
            raise
        return Sent(error=error, sent=False)  # stopped before it left: it is sent after the next start
    except Exception as error:  # noqa: BLE001 - whatever it is: what may have been charged must be written down
        return Sent(error=error, sent=written.sent, key=key)


def _mark_sent(written: SimpleNamespace) -> Any:
    async def mark(*_: Any) -> None:
        written.sent = True  # before the failpoint, as the real thing: from here on it may cost
        failpoint("socket.submit.headers")

    return mark


async def _read(response: aiohttp.ClientResponse, key: str | None) -> Answer:
    """Read an answer, as much of it as there is: a body that breaks off is evidence too.

    A key that the service echoes is taken out here, before anything of the answer is kept or told.
    """
    body, complete = bytearray(), True
    try:
        async for block in response.content.iter_chunked(65_536):
            body += block
            if len(body) > _MAX_BODY:
                complete = False
                break
    except Exception:  # noqa: BLE001 - aiohttp's parser raises errors of several families
        complete = False
    return Answer(
        status=response.status,
        body=without_key(body.decode("utf-8", "surrogateescape"), key).encode("utf-8", "surrogateescape"),
        retry_after=without_key(response.headers.get("Retry-After", ""), key) or None,
        complete=complete,
    )


class PollSession:
    """Polls of all jobs over kept connections. A poll may be repeated, so here that is safe."""

    def __init__(self) -> None:
        """The session is made with the first poll, inside of the event loop."""
        self._session: aiohttp.ClientSession | None = None

    async def get(self, url: str, path: str, key: str | None) -> Answer | Exception:
        """GET a path of the service; the error is returned, not raised: it decides nothing about a job."""
        await ready()
        import aiohttp

        from bridge_daemon.engine.outgoing import session, through

        if self._session is None:
            self._session = session(aiohttp.ClientTimeout(total=_POLL, sock_connect=_CONNECT), keep=True)
        failpoint("socket.poll")
        try:
            address = exact(f"{url}{path}")
            async with self._session.get(
                address, headers=_headers(key), allow_redirects=False, **through(address)
            ) as response:
                return await _read(response, key)
        except Exception as error:  # noqa: BLE001 - as above
            return error

    async def job(self, url: str, remote_id: str, key: str | None) -> Answer | Exception:
        """Ask for the state of a job."""
        return await self.get(url, f"/v1/jobs/{quote(remote_id, safe='')}", key)

    async def model(self, url: str, model: str, key: str | None) -> Answer | Exception:
        """Ask the catalogue for a model: free, so it is also the check of a key."""
        return await self.get(url, f"/v1/models/{quote(model, safe='')}", key)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)  # the transports close in the next turn of the loop


def _headers(key: str | None) -> dict[str, str]:
    headers = {"User-Agent": _AGENT, "Accept": "application/json", "Accept-Encoding": "identity"}
    return headers | {"Authorization": f"Bearer {key}"} if key else headers
