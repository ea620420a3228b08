"""The access middleware: every HTTP request passes it first, also for paths that are not there.

A browser on this machine is not trusted because it is on this machine: any page that it shows can send requests to us,
from its own origin or, by a name that it lets point here, from what looks like ours. So the checks are, in this order:
the host, the origin, the route, who asks, how often, and what is sent. Who may use a route stands at the route.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Mapping, Sequence
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
from bridge_daemon.frontends.http import bodies
from bridge_daemon.frontends.http.answers import Refused, dress, refusal
from bridge_daemon.frontends.http.body import is_declared, read_object
from bridge_daemon.frontends.http.connection import Connection
from bridge_daemon.frontends.http.query import read_query
from bridge_daemon.frontends.http.rate_limit import RateLimit
from bridge_daemon.frontends.http.routing import SAFE, Access, Api, Call, Route

log = logging.getLogger(__name__)

HANDLER_TIMEOUT: Final = 30.0  # s, with the reading of the body
_REFUSAL_DELAY: Final = 0.1  # s; nobody guesses 256 bits, but nobody shall try them quickly either
_JSON: Final = ("application/json",)


class AccessMiddleware:
    """Called with every request; the only way to a handler."""

    def __init__(self, routes: Sequence[Route], api: Api, *, timeout: float = HANDLER_TIMEOUT) -> None:
        """Build it. Raises ValueError for an empty token, and for two routes with one address."""
        if not api.token:
            raise ValueError("the API needs a token")
        if len({(route.method, route.path) for route in routes}) != len(routes):
            raise ValueError("two routes have one method and path")
        self._routes = routes
        self._api = api
        self._timeout = timeout
        self._log_limit = RateLimit()
        self._limits = {route.name: RateLimit(route.per_minute) for route in routes if route.per_minute is not None}
        self._hosts: frozenset[str] = frozenset()  # nobody gets in before it is told its port
        self._origins: frozenset[str] = frozenset()

    def open_on(self, port: int) -> None:
        """Set the names by which we are reached; cookies do not tell ports apart, so the name of ours does."""
        names = [f"{host}:{port}" for host in ("127.0.0.1", "localhost", "[::1]")]
        if port == 80:  # browsers leave it out
            names += [name.removesuffix(":80") for name in names]
        self._hosts = frozenset(names)
        self._origins = frozenset(f"http://{name}" for name in names)
        self._api.port = port
        self._api.cookie = f"daw-bridge-{port}"

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request. Whatever goes wrong has the one error shape."""
        route: Route | None = None
        try:
            self._check_host(request)
            self._check_origin(request)
            route, path = self._find(request)
            response = await self._serve(request, route, path)
        except Refused as refused:
            response = self._refuse(request, refused.error, refused.status, refused.headers)
        except NoToken as error:
            await asyncio.sleep(_REFUSAL_DELAY)
            response = self._refuse(request, error, NoToken.status, {"WWW-Authenticate": "Bearer"})
        except BridgeError as error:
            response = self._refuse(request, error, type(error).status)
        except Exception as error:  # noqa: BLE001 - the last resort of every handler; what it is goes to the log
            response = self._explain(request, route, error)
        if not response.prepared:
            dress(response, request.path)
        if not request.content.is_eof() and isinstance(request.protocol, Connection):
            # What is left of the body is read away after the answer; when its sender goes, that shall end too.
            request.protocol.on_lost = request.content.feed_eof
        return response

    def _explain(self, request: web.BaseRequest, route: Route | None, error: Exception) -> web.StreamResponse:
        if isinstance(error, ConnectionError) and request.transport is None:
            raise error  # the other side has gone; nobody is there to be answered
        where = route.name if route else "the access checks"
        log.error("A request failed in %s.", where, exc_info=error)
        return self._refuse(request, Internal("Something went wrong inside of the bridge.", **_doubt(route)), 500)

    def _refuse(
        self, request: web.BaseRequest, error: BridgeError, status: int, headers: Mapping[str, str] | None = None
    ) -> web.StreamResponse:
        if request.writer.output_size > 0:  # an answer has begun: a second one would be read as a part of it
            raise ConnectionError("broken off")
        if isinstance(error, WrongHost | WrongOrigin | NoToken) and self._log_limit.take():
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
        typed = sites == ["none"] and request.method in SAFE and request.headers.get("Sec-Fetch-Mode") == "navigate"
        origins = request.headers.getall("Origin", [])
        if (sites not in ([], ["same-origin"]) and not typed) or len(origins) > 1:
            raise WrongOrigin("Another page asked.")
        if origins and origins[0] not in self._origins:
            raise WrongOrigin("Another origin asked.")

    def _find(self, request: web.BaseRequest) -> tuple[Route, dict[str, str]]:
        # The path as it was sent: no route needs an escape, so %2F never becomes a way around a rule. A # is none
        # of a path: what stands behind it is not cut off.
        sent = request.raw_path.partition("?")[0]
        there = {route: found for route in self._routes if (found := route.pattern.fullmatch(sent))}
        for route, found in there.items():
            if request.method == route.method or (
                request.method == "HEAD" and route.method == "GET" and route.media != "text/event-stream"
            ):
                return route, found.groupdict()
        if not there:
            raise NotFound("There is no such path.", next=WrongMethod.next)
        allowed = ", ".join(sorted({route.method for route in there}))
        path = next(iter(there)).path
        raise Refused(WrongMethod(f"{path} knows {allowed}."), status=WrongMethod.status, headers={"Allow": allowed})

    async def _serve(self, request: web.BaseRequest, route: Route, path: dict[str, str]) -> web.StreamResponse:
        limit = asyncio.timeout(None if route.streams else self._timeout)
        try:
            async with limit:
                session = self._authorise(request, route)
                if route.access is not Access.OPEN and isinstance(request.protocol, Connection):
                    request.protocol.proved = request.protocol.at_work = True
                self._check_rate(route)
                data = await self._read(request, route)
                if "job" in path and not ids.is_job(path["job"]):
                    raise NotFound("There is no such job.")
                query = {} if route.any_query else read_query(request, route.query)
                return await route.handler(Call(request, self._api, path, query, data, session))
        except TimeoutError:
            if not limit.expired():
                raise  # one of the handler's own
            log.warning("%s took longer than %g s and was given up.", route.name, self._timeout)
            raise TooBusy(f"The answer took longer than {self._timeout:g} s.", **_doubt(route)) from None

    async def _read(self, request: web.BaseRequest, route: Route) -> dict[str, Any]:
        """Return the JSON body; empty for a route that has none, or whose handler reads it."""
        if not route.writes or route.raw:
            return {}
        data = await read_object(request, route.longest)
        if not route.verbatim:
            bodies.check(route.body or bodies.Nothing, data)
        return data

    def _check_rate(self, route: Route) -> None:
        # Only callers that are proved come here, so that nobody else can use up the turns of the owner.
        limit = self._limits.get(route.name)
        if limit is not None and not limit.take():
            after = limit.seconds_left()
            error = TooBusy(f"{route.name} may be called {route.per_minute} times a minute.")
            raise Refused(error, status=429, headers={"Retry-After": str(after)})

    def _authorise(self, request: web.BaseRequest, route: Route) -> str | None:
        """Return the session that the request came with, or None if it came with the token or needs neither."""
        if route.access is Access.OPEN:
            return None
        session = None
        if "Authorization" in request.headers:  # a wrong one is refused, whatever else is there
            known = self._has_token(request)
        else:
            session = request.cookies.get(self._api.cookie) if route.access is Access.SESSION else None
            known = session is not None and self._api.sessions.holds(session)
        if not known:
            raise NoToken("The token or session is missing, wrong or over.")
        if route.writes and "Cookie" in request.headers:
            _check_intent(request, route)
        return session

    def _has_token(self, request: web.BaseRequest) -> bool:
        given = request.headers.getall("Authorization")
        scheme, _, token = given[0].partition(" ")
        secret = token.strip().encode("utf-8", "surrogateescape")
        return len(given) == 1 and scheme.lower() == "bearer" and hmac.compare_digest(secret, self._api.token.encode())


def _check_intent(request: web.BaseRequest, route: Route) -> None:
    """Make sure that our own page meant it. A browser adds cookies to what others send; a token beside them changes
    nothing, for whoever has it needs no cookie.
    """
    # none of these types can be sent by a form, or by another page without asking us first
    if not is_declared(request, route.raw or _JSON):
        raise NotJson(f"The body is not declared as {' or '.join(route.raw or ('JSON',))}.")
    if "Origin" not in request.headers and "Sec-Fetch-Site" not in request.headers:  # both were proved to be ours
        raise WrongOrigin("The request does not tell where it comes from.")


def _doubt(route: Route | None) -> dict[str, str]:
    if route is None or not route.may_cost:
        return {}
    return {"charge": "possible", "next": "Send it again under the same id: what was accepted is not sent twice."}
