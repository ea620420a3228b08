"""The door: every HTTP request passes it first, also for paths that are not there.

Who may come in is in :data:`SECURITY`. A browser on this machine is not trusted because it is on this machine: any
page that it shows can send requests to us, from its own origin or, by a name that it lets point here, from what looks
like ours. So the checks are, in this order: the host, the origin, the route, who asks, and what is sent.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from aiohttp import web

from bridge_daemon.domain import ids
from bridge_daemon.errors import (
    BridgeError,
    Internal,
    NotFound,
    NotJson,
    NoToken,
    TooBusy,
    WrongHost,
    WrongMethod,
    WrongOrigin,
)
from bridge_daemon.frontends.http.answers import Refused, dress, refusal
from bridge_daemon.frontends.http.body import is_json, read_object
from bridge_daemon.frontends.http.connection import Connection
from bridge_daemon.frontends.http.quota import Quota
from bridge_daemon.frontends.http.sessions import Sessions

log = logging.getLogger(__name__)

HANDLER_TIMEOUT: Final = 30.0  # s, with the reading of the body
_REFUSAL_DELAY: Final = 0.1  # s; nobody guesses 256 bits, but nobody shall try them quickly either
_SAFE: Final = frozenset({"GET", "HEAD"})


class Access(Enum):
    """Who may use a route."""

    #: Everybody who passed the checks of host and origin.
    OPEN = "open"
    #: Who has the token of the home.
    TOKEN = "token"
    #: Who has the token, or a session that was opened with a code.
    SESSION = "session"


Key = tuple[str, str]

#: Every route. One that is missing here cannot be served: the door refuses to be built.
SECURITY: Final[dict[Key, Access]] = {
    ("GET", "/healthz"): Access.OPEN,
    ("POST", "/api/session"): Access.OPEN,  # the code in it is the proof
    ("POST", "/api/session/code"): Access.TOKEN,  # a session cannot make another one
    ("DELETE", "/api/session"): Access.SESSION,
    ("GET", "/api/status"): Access.SESSION,
    ("POST", "/api/requests"): Access.SESSION,
    ("GET", "/api/jobs"): Access.SESSION,
    ("GET", "/api/jobs/{job}"): Access.SESSION,
    ("POST", "/api/jobs/{job}/cancel"): Access.SESSION,
    ("POST", "/api/jobs/{job}/retry"): Access.SESSION,
    ("POST", "/api/jobs/{job}/deliver"): Access.SESSION,
    ("POST", "/api/jobs/{job}/resolve"): Access.SESSION,
    ("GET", "/api/jobs/{job}/audio"): Access.SESSION,
    ("GET", "/api/jobs/{job}/source"): Access.SESSION,
    ("GET", "/api/jobs/{job}/peaks"): Access.SESSION,
    ("POST", "/api/pause"): Access.SESSION,
    ("POST", "/api/resume"): Access.SESSION,
    ("GET", "/api/spend"): Access.SESSION,
    ("GET", "/api/presets"): Access.SESSION,
    ("GET", "/api/events"): Access.SESSION,
    ("GET", "/api/prices"): Access.SESSION,
    ("POST", "/api/prices/agree"): Access.SESSION,
    ("POST", "/api/key/reload"): Access.SESSION,
    ("GET", "/api/key/check"): Access.SESSION,
    ("POST", "/api/settings/reload"): Access.SESSION,
    ("POST", "/api/midi/arm"): Access.SESSION,
    ("POST", "/api/midi/disarm"): Access.SESSION,
    ("POST", "/api/midi/listen"): Access.SESSION,
    ("GET", "/api/folders"): Access.SESSION,
    ("GET", "/api/folders/renders"): Access.SESSION,
    ("POST", "/api/folders/send"): Access.SESSION,
    ("POST", "/api/folders/forget"): Access.SESSION,
}

EVENTS: Final = ("GET", "/api/events")
#: These answer for as long as it takes, and watch over the time by themselves.
STREAMS: Final = frozenset({EVENTS, ("GET", "/api/jobs/{job}/audio"), ("GET", "/api/jobs/{job}/source")})
#: Where one of these breaks off in the middle, nobody knows whether a job was admitted.
MAY_COST: Final = frozenset(
    {("POST", "/api/requests"), ("POST", "/api/jobs/{job}/retry"), ("POST", "/api/jobs/{job}/resolve")}
    | {("POST", "/api/folders/send")}
)


@dataclass(frozen=True, slots=True)
class Call:
    """A request that passed the door."""

    request: web.BaseRequest
    data: dict[str, Any]  # the body; empty where there is none
    job: str  # the {job} of the path; "" where there is none
    session: str | None  # the session that it came with, where it did not come with the token
    port: int  # ours
    cookie: str  # the name of the cookie of sessions


Handler = Callable[[Call], Awaitable[web.StreamResponse]]


class Door:
    """Called with every request; the only way to a handler."""

    def __init__(
        self,
        routes: Mapping[Key, Handler],
        *,
        token: str,
        sessions: Sessions,
        security: Mapping[Key, Access] = SECURITY,
        timeout: float = HANDLER_TIMEOUT,
    ) -> None:
        """Build it. Raises ValueError for an empty token, and for a route without a rule or a rule without a route."""
        if not token:
            raise ValueError("the API needs a token")
        if odd := set(routes) ^ set(security):
            raise ValueError(f"routes and SECURITY differ in {sorted(odd)}")
        self._routes = {key: (security[key], handler) for key, handler in routes.items()}
        self._paths = [(path.split("/"), path) for path in dict.fromkeys(path for _, path in routes)]
        self._token = token.encode("utf-8")
        self._sessions = sessions
        self._timeout = timeout
        self._log_quota = Quota()
        self._hosts: frozenset[str] = frozenset()  # nobody gets in before it is told its port
        self._origins: frozenset[str] = frozenset()
        self._port = 0
        self._cookie = ""

    def open_on(self, port: int) -> None:
        """Set the names by which we are reached; cookies do not tell ports apart, so the name of ours does."""
        names = [f"{host}:{port}" for host in ("127.0.0.1", "localhost", "[::1]")]
        if port == 80:  # browsers leave it out
            names += [name.removesuffix(":80") for name in names]
        self._hosts = frozenset(names)
        self._origins = frozenset(f"http://{name}" for name in names)
        self._port = port
        self._cookie = f"daw-bridge-{port}"

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request. Whatever goes wrong has the one error shape."""
        key: Key | None = None
        try:
            self._check_host(request)
            self._check_origin(request)
            key, job = self._find(request)
            response = await self._serve(request, key, job)
        except Refused as refused:
            response = self._refuse(request, refused.error, refused.status, refused.headers)
        except NoToken as error:
            await asyncio.sleep(_REFUSAL_DELAY)
            response = self._refuse(request, error, NoToken.status, {"WWW-Authenticate": "Bearer"})
        except BridgeError as error:
            response = self._refuse(request, error, type(error).status)
        except Exception as error:  # noqa: BLE001 - the last resort of every handler; what it is goes to the log
            response = self._explain(request, key, error)
        if not response.prepared:
            dress(response, request.path)
        if not request.content.is_eof() and isinstance(request.protocol, Connection):
            # What is left of the body is read away after the answer; when its sender goes, that shall end too.
            request.protocol.on_lost = request.content.feed_eof
        return response

    def _explain(self, request: web.BaseRequest, key: Key | None, error: Exception) -> web.StreamResponse:
        if isinstance(error, ConnectionError) and request.transport is None:
            raise error  # the other side has gone; nobody is there to be answered
        where = " ".join(key) if key else "the door"
        log.error("A request failed in %s.", where, exc_info=error)
        return self._refuse(request, Internal("Something went wrong inside of the bridge.", **_doubt(key)), 500)

    def _refuse(
        self, request: web.BaseRequest, error: BridgeError, status: int, headers: Mapping[str, str] | None = None
    ) -> web.StreamResponse:
        if request.writer.output_size > 0:  # an answer has begun: a second one would be read as a part of it
            raise ConnectionError("broken off")
        if isinstance(error, WrongHost | WrongOrigin | NoToken) and self._log_quota.take():
            # Cut and quoted, for these come from anybody. Never Authorization or Cookie.
            seen = {name: request.headers.get(name, "")[:80] for name in ("Host", "Origin", "Sec-Fetch-Site")}
            log.warning("Refused %s: %s %.80r %r", error.code, request.method, request.path, seen)
        return refusal(error, status, headers)

    def _check_host(self, request: web.BaseRequest) -> None:
        hosts = request.headers.getall("Host", [])
        # A whole address in the request line would stand above the Host header, and nobody sends us one.
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts or not request.raw_path.startswith("/"):
            raise WrongHost("The request is not addressed to the bridge.")

    def _check_origin(self, request: web.BaseRequest) -> None:
        sites = request.headers.getall("Sec-Fetch-Site", [])
        # "none": typed into the address bar, or opened by a program
        typed = sites == ["none"] and request.method in _SAFE and request.headers.get("Sec-Fetch-Mode") == "navigate"
        origins = request.headers.getall("Origin", [])
        if (sites not in ([], ["same-origin"]) and not typed) or len(origins) > 1:
            raise WrongOrigin("Another page asked.")
        if origins and origins[0] not in self._origins:
            raise WrongOrigin("Another origin asked.")

    def _find(self, request: web.BaseRequest) -> tuple[Key, str | None]:
        # The path as it was sent: no route needs an escape, so %2F never becomes a way around a rule.
        parts = request.rel_url.raw_path.split("/")
        for pattern, path in self._paths:
            if len(parts) == len(pattern) and all(p in (part, "{job}") for p, part in zip(pattern, parts, strict=True)):
                methods = [method for method, known in self._routes if known == path]
                method = "GET" if request.method == "HEAD" and ("GET", path) != EVENTS else request.method
                if method not in methods:
                    allowed = ", ".join(sorted(methods))
                    raise Refused(
                        WrongMethod(f"{path} knows {allowed}."), status=WrongMethod.status, headers={"Allow": allowed}
                    )
                return (method, path), parts[pattern.index("{job}")] if "{job}" in pattern else None
        raise NotFound("There is no such path.", next=WrongMethod.next)

    async def _serve(self, request: web.BaseRequest, key: Key, job: str | None) -> web.StreamResponse:
        access, handler = self._routes[key]
        limit = asyncio.timeout(None if key in STREAMS else self._timeout)
        try:
            async with limit:
                session = self._admit(request, access)
                if access is not Access.OPEN and isinstance(request.protocol, Connection):
                    request.protocol.proved = request.protocol.at_work = True
                data = {} if request.method in _SAFE else await read_object(request)
                if job is not None and not ids.is_job(job):
                    raise NotFound("There is no such job.")
                return await handler(Call(request, data, job or "", session, self._port, self._cookie))
        except TimeoutError:
            if not limit.expired():
                raise  # one of the handler's own
            log.warning("%s took longer than %g s and was given up.", " ".join(key), self._timeout)
            raise TooBusy(f"The answer took longer than {self._timeout:g} s.", **_doubt(key)) from None

    def _admit(self, request: web.BaseRequest, access: Access) -> str | None:
        """Return the session that the request came with, or None where it came with the token or needs neither."""
        if access is Access.OPEN:
            return None
        session = None
        if "Authorization" in request.headers:  # a wrong one is refused, whatever else is there
            known = self._has_token(request)
        else:
            session = request.cookies.get(self._cookie) if access is Access.SESSION else None
            known = session is not None and self._sessions.holds(session)
        if not known:
            raise NoToken("The token or session is missing, wrong or over.")
        if request.method not in _SAFE and "Cookie" in request.headers:
            _check_intent(request)
        return session

    def _has_token(self, request: web.BaseRequest) -> bool:
        given = request.headers.getall("Authorization")
        scheme, _, token = given[0].partition(" ")
        secret = token.strip().encode("utf-8", "surrogateescape")
        return len(given) == 1 and scheme.lower() == "bearer" and hmac.compare_digest(secret, self._token)


def _check_intent(request: web.BaseRequest) -> None:
    """Make sure that our own page meant it. A browser adds cookies to what others send; a token beside them changes
    nothing, for whoever has it needs no cookie.
    """
    if not is_json(request):
        raise NotJson("The body is not declared as JSON.")
    if "Origin" not in request.headers and "Sec-Fetch-Site" not in request.headers:  # both were proved to be ours
        raise WrongOrigin("The request does not tell where it comes from.")


def _doubt(key: Key | None) -> dict[str, str]:
    if key not in MAY_COST:
        return {}
    return {"charge": "possible", "next": "Send it again under the same id: what was accepted is not sent twice."}
