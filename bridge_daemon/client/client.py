"""The client of our own HTTP API: what every command that talks to a running daemon goes through.

It finds the daemon by the home, and shows its token only to a program that proved to be the daemon (see
:mod:`bridge_daemon.home.proof`). Errors of the API come out as the same classes that the daemon raised.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import math
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from types import TracebackType
from typing import Any, Final, Protocol, Self
from urllib.parse import quote

import aiohttp
from yarl import URL

from bridge_daemon.client.waiting import JobWatcher
from bridge_daemon.errors import (
    CODES,
    BridgeError,
    Fault,
    InvalidRequest,
    NotRunning,
    PriceChanged,
    PriceQuestion,
    TooBusy,
)
from bridge_daemon.home.proof import NONCE_HEADER, PROOF_HEADER, prove

Data = dict[str, Any]

_TIMEOUT: Final = aiohttp.ClientTimeout(total=40, sock_connect=5)  # the daemon itself answers within 30 s
_TRIAL_TIMEOUT: Final = aiohttp.ClientTimeout(total=240, sock_connect=5)  # a tunnel has three minutes to open
_PROOF_TIMEOUT: Final = aiohttp.ClientTimeout(total=20, sock_connect=5)  # a machine may be busy, and it may just start
_EVENTS_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=45)  # it says something every 15 s
#: What says that nobody answers, or not in HTTP. A wrong address or argument is a fault of ours and stays one.
_GONE: Final = (
    aiohttp.ClientConnectionError,
    aiohttp.ClientPayloadError,
    aiohttp.ClientResponseError,
    TimeoutError,
)
_LARGEST_EVENT: Final = 4 << 20  # bytes
_RECONNECT: Final = 1.0  # s
_POLL: Final = 2.0  # s
#: How long a daemon may be away, to be restarted, before we give up.
PATIENCE: Final = 30.0  # s


class RunningDaemon(Protocol):
    """What ``runtime.json`` tells of a daemon; see ``home.Runtime``."""

    @property
    def http_url(self) -> str:
        """Where it is reached."""
        ...


class HomeLike(Protocol):
    """What the client needs of a home; see ``home.Home``."""

    def read_runtime(self) -> RunningDaemon | None:
        """Return what ``runtime.json`` tells, if it is there."""
        ...

    def read_token(self) -> str:
        """Return the token of the home."""
        ...


class RemoteError(BridgeError):
    """The daemon told an error whose code this version does not know."""

    def __init__(self, code: str, message: str, *, next: str | None = None, charge: str = "none") -> None:
        """Keep the code as it came, without making it one of ours."""
        super().__init__(message, next=next, charge=charge)
        object.__setattr__(self, "code", code)


class BridgeClient:
    """Talks to the daemon of a home. An async context manager; one for each command."""

    def __init__(self, home: HomeLike, *, patience: float = PATIENCE) -> None:
        """Prepare; nothing is opened yet. ``patience``: how long ``events`` and ``wait`` bear a daemon that is away."""
        self._home = home
        self._patience = patience
        self._session: aiohttp.ClientSession | None = None
        self._answered = -math.inf  # when the daemon last answered, on the clock for waiting

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    # --- what can be asked

    async def status(self) -> Data:
        """Return what the daemon tells of itself."""
        return await self._call("GET", "/api/status")

    async def submit(self, request: Mapping[str, Any]) -> Data:
        """Send a request; return {id, jobs, usd}.

        Where the answer is lost it is asked for again: under the same id nothing is ever admitted twice.
        """
        lost: NotRunning | None = None
        for pause in (0.2, _RECONNECT, 0):
            try:
                return await self._call("POST", "/api/requests", dict(request))
            except NotRunning as error:
                if lost is None and error.charge == "none":
                    raise
                lost = lost or error  # what is not known of the first is not known better by failing again
                await asyncio.sleep(pause)
        assert lost is not None
        raise lost

    async def jobs(self, **query: str | int | Iterable[str] | None) -> list[Data]:
        """Return jobs, newest first. Keys: state (one or several), q, client, limit, before."""
        found: list[Data] = (await self._call("GET", "/api/jobs", query=_pairs(query)))["jobs"]
        return found

    async def job(self, job: str) -> Data:
        """Return one job with its events."""
        return await self._call("GET", _job_path(job))

    async def act(self, job: str, action: str, data: Mapping[str, Any] | None = None) -> Data:
        """Cancel, retry, deliver or resolve a job."""
        return await self._call("POST", f"{_job_path(job)}/{quote(action, safe='')}", dict(data or {}))

    async def pause(self, reason: str = "person") -> Data:
        """Stop all sending."""
        return await self._call("POST", "/api/pause", {"reason": reason})

    async def resume(self) -> Data:
        """Go on sending."""
        return await self._call("POST", "/api/resume", {})

    async def spend(self) -> Data:
        """Return what was spent, reserved and allowed."""
        return await self._call("GET", "/api/spend")

    async def presets(self) -> Data:
        """Return the presets."""
        return await self._call("GET", "/api/presets")

    async def prices(self, model: str | None = None) -> list[Data]:
        """Return our prices beside those of the service, which is asked for a model that nobody knows."""
        query = f"?model={quote(model, safe='')}" if model is not None else ""
        found: list[Data] = (await self._call("GET", f"/api/prices{query}"))["prices"]
        return found

    async def agree_price(self, data: Mapping[str, Any]) -> Data:
        """Accept a price of the service."""
        return await self._call("POST", "/api/prices/agree", dict(data))

    async def reload_key(self) -> Data:
        """Let the daemon read the API key again."""
        return await self._call("POST", "/api/key/reload", {})

    async def check_key(self) -> Data:
        """Let the daemon ask the service whether the key is good."""
        return await self._call("GET", "/api/key/check")

    async def try_sources(self) -> Data:
        """Let the daemon try the way for sources, free of charge; a tunnel may take minutes to open."""
        return await self._call("POST", "/api/sources/try", {}, timeout=_TRIAL_TIMEOUT)

    async def folders(self) -> Data:
        """Return the watched folders."""
        return await self._call("GET", "/api/folders")

    async def renders(self, **query: str | int | Iterable[str] | None) -> list[Data]:
        """Return renders of watched folders, newest first. Keys: folder, state (one or several), limit, before."""
        found: list[Data] = (await self._call("GET", "/api/folders/renders", query=_pairs(query)))["renders"]
        return found

    async def send_render(self, data: Mapping[str, Any]) -> Data:
        """Make a job of a render: {entry, id, again, confirm_usd}."""
        return await self._call("POST", "/api/folders/send", dict(data))

    async def forget_render(self, entry: int | str) -> Data:
        """Remove a waiting render from the list."""
        return await self._call("POST", "/api/folders/forget", {"entry": entry})

    async def reload_settings(self) -> Data:
        """Let the daemon read the settings again."""
        return await self._call("POST", "/api/settings/reload", {})

    async def arm_pads(self) -> Data:
        """Let pads spend money, for a time and a sum."""
        return await self._call("POST", "/api/midi/arm", {})

    async def disarm_pads(self) -> Data:
        """Let pads spend nothing."""
        return await self._call("POST", "/api/midi/disarm", {})

    async def listen_midi(self, port: str, **more: Any) -> Data:
        """Return what came in over MIDI. Keys: since (the ``next`` of the last answer), wait (s), mute, stop."""
        return await self._call("POST", "/api/midi/listen", {"port": port} | more)

    async def page_url(self) -> str:
        """Return the address of the page with a one-time code in it, which is good for 60 s."""
        code = (await self._call("POST", "/api/session/code", {}))["code"]
        return f"{self._address()}/#code={code}"

    # --- what happens

    async def events(self) -> AsyncGenerator[tuple[str, Data], None]:
        """Yield (kind, data) of all that happens, for as long as it is asked.

        It connects again by itself when the daemon is away for less than the patience; each connection begins with
        ``hello``, after which what was known must be asked for again. Raises NotRunning when none answers at first, or
        for too long.
        """
        connected = False
        while True:
            try:
                async with aclosing(self._one_stream()) as stream:
                    async for event in stream:
                        connected = True
                        yield event
            except (NotRunning, TooBusy):
                if self._is_gone() or not connected:
                    raise
            await asyncio.sleep(_RECONNECT)

    async def wait(self, job_ids: Sequence[str], on_change: Callable[[Data], None] | None = None) -> list[Data]:
        """Return the jobs once a person need not wait for any of them; tell every change until then.

        Events make it quick; a poll beside them makes it sure. Raises NotRunning when the daemon is away for longer
        than the patience.
        """
        watch = JobWatcher(job_ids, on_change)
        queue: asyncio.Queue[tuple[str, Data]] = asyncio.Queue()
        feeder = asyncio.create_task(self._feed(queue), name="events")
        try:
            while True:
                try:
                    for job in watch.open():
                        watch.take(await self.job(job))
                except (NotRunning, TooBusy):
                    if self._is_gone():
                        raise
                if watch.done or await _take_events(queue, watch):
                    return watch.jobs
        finally:
            feeder.cancel()
            with suppress(asyncio.CancelledError):
                await feeder

    async def _feed(self, queue: asyncio.Queue[tuple[str, Data]]) -> None:
        with suppress(BridgeError):  # without events the poll alone has to do
            async with aclosing(self.events()) as events:
                async for event in events:
                    queue.put_nowait(event)

    def _is_gone(self) -> bool:
        """Return whether the daemon never answered, or not for longer than it takes to start it again."""
        return time.monotonic() - self._answered > self._patience

    async def _one_stream(self) -> AsyncGenerator[tuple[str, Data], None]:
        async with self._open("GET", "/api/events", timeout=_EVENTS_TIMEOUT) as response:
            if response.status != 200:
                raise await _error(response)
            buffer = b""
            async for chunk in response.content.iter_any():
                self._answered = time.monotonic()
                *frames, buffer = (buffer + chunk).split(b"\n\n")
                if len(buffer) > _LARGEST_EVENT:
                    raise NotRunning("What answers there is not the bridge.")
                for frame in frames:
                    if event := _event(frame):
                        yield event

    # --- how it is asked

    async def _call(
        self,
        method: str,
        path: str,
        data: Data | None = None,
        query: Sequence[tuple[str, str]] = (),
        timeout: aiohttp.ClientTimeout = _TIMEOUT,
    ) -> Data:
        async with self._open(method, path, data, query, timeout) as response:
            if response.status >= 400:
                raise await _error(response)
            answer = await _json(response)
            if answer is None:
                raise NotRunning("What answers there is not the bridge.")
            return answer

    @asynccontextmanager
    async def _open(
        self,
        method: str,
        path: str,
        data: Data | None = None,
        query: Sequence[tuple[str, str]] = (),
        timeout: aiohttp.ClientTimeout = _TIMEOUT,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        address, token = self._address(), self._home.read_token()
        # Until it answers, nobody knows whether a request that was sent has arrived.
        charge = "possible" if path in ("/api/requests", "/api/folders/send") else "none"
        try:
            await self._prove(address, token)
        except _GONE as error:
            raise NotRunning(f"No bridge answers at {address}.") from error
        try:
            url = URL(address + path, encoded=True).extend_query(list(query))
            headers = {"Authorization": f"Bearer {token}"}
            async with self._http().request(
                method, url, json=data, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                self._answered = time.monotonic()
                yield response
        except _GONE as error:
            raise NotRunning(f"The connection to the bridge at {address} was lost.", charge=charge) from error

    def _address(self) -> str:
        runtime = self._home.read_runtime()
        if runtime is None:
            raise NotRunning("The bridge is not running.")
        url = URL(runtime.http_url)
        if url.scheme != "http" or url.host not in ("127.0.0.1", "localhost", "::1") or url.port is None:
            raise NotRunning("runtime.json names no address on this machine.")
        return str(url.origin())

    async def _prove(self, address: str, token: str) -> None:
        """Make sure that it is the daemon of this home that listens there, each time: it may have died meanwhile."""
        nonce = secrets.token_hex(16)
        port = URL(address).port or 0
        async with self._http().get(
            f"{address}/healthz", headers={NONCE_HEADER: nonce}, timeout=_PROOF_TIMEOUT, allow_redirects=False
        ) as response:
            proof = response.headers.get(PROOF_HEADER, "")
            if response.status == 503 and (busy := await _json(response)) is not None:
                raise _rebuild(busy)
        if not hmac.compare_digest(proof.encode("utf-8", "replace"), prove(token, nonce, port).encode()):
            raise NotRunning(f"The bridge is not running; another program answers at {address}.")

    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            # No proxy of the environment, no cookies: this goes to this machine and to nobody else.
            self._session = aiohttp.ClientSession(trust_env=False, cookie_jar=aiohttp.DummyCookieJar())
        return self._session


async def _take_events(queue: asyncio.Queue[tuple[str, Data]], watch: JobWatcher) -> bool:
    """Handle events until the next poll is due; return whether all is done."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_POLL):
            while not watch.done:
                kind, data = await queue.get()
                if kind in ("job", "progress"):
                    watch.take(data)
                elif kind in ("hello", "lost"):
                    break  # something may have been missed
    return watch.done


def _pairs(query: Mapping[str, str | int | Iterable[str] | None]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for key, value in query.items():
        values = [value] if isinstance(value, str | int) else list(value or ())
        pairs += [(key, str(one)) for one in values]
    return pairs


def _job_path(job: str) -> str:
    return f"/api/jobs/{quote(job, safe='')}"


def _event(frame: bytes) -> tuple[str, Data] | None:
    kind, text = "", ""
    for line in frame.decode("utf-8", "replace").splitlines():
        name, _, value = line.partition(": ")
        if name == "event":
            kind = value
        elif name == "data":
            text = value
    if not kind:
        return None  # a comment that keeps the connection open
    try:
        data = json.loads(text)
    except ValueError:
        return None
    return (kind, data) if isinstance(data, dict) else None


async def _json(response: aiohttp.ClientResponse) -> Data | None:
    try:
        data = json.loads(await response.read())
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


async def _error(response: aiohttp.ClientResponse) -> BridgeError:
    data = await _json(response)
    if data is None or not isinstance(data.get("error"), dict):
        return NotRunning("What answers there is not the bridge.")
    return _rebuild(data)


def _rebuild(data: Data) -> BridgeError:
    """Make the error that the daemon raised."""
    told = data.get("error")
    if not isinstance(told, dict):
        return NotRunning("What answers there is not the bridge.")
    code, message = str(told.get("code")), str(told.get("message"))
    next_step, charge = str(told.get("next", "")), str(told.get("charge", "none"))
    kind = CODES.get(code)
    if kind is None:
        return RemoteError(code, message, next=next_step, charge=charge)
    error = kind.__new__(kind)
    BridgeError.__init__(error, message, next=next_step, charge=charge)  # classes differ in what they are made from
    if isinstance(error, PriceQuestion):
        error.usd = float(told.get("usd", 0.0))
    if isinstance(error, PriceChanged) and "usd" in told:
        error.usd = float(told["usd"])
    if isinstance(error, InvalidRequest):
        faults = told.get("faults") or []
        error.faults = tuple(Fault(f.get("field", ""), f.get("value"), f.get("allowed", "")) for f in faults)
    return error
