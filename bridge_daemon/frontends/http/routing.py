"""What a route is: its address, its handler, who may use it, and what it takes. The table is in ``route_table``."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel

from bridge_daemon.actions.bridge import Actions
from bridge_daemon.frontends.http.events import EventHub
from bridge_daemon.frontends.http.query import Param
from bridge_daemon.frontends.http.sessions import Sessions

MAX_BODY: Final = 64 * 1024  # bytes
#: Methods that change nothing.
SAFE: Final = frozenset({"GET", "HEAD"})


class Access(Enum):
    """Who may use a route."""

    #: Everybody who passed the checks of host and origin.
    OPEN = "open"
    #: Who has the token of the home.
    TOKEN = "token"
    #: Who has the token, or a session that was opened with a code.
    SESSION = "session"


@dataclass(slots=True)
class Api:
    """What handlers work with."""

    actions: Actions
    hub: EventHub
    sessions: Sessions
    token: str
    port: int = 0  # ours, once it is open
    cookie: str = ""  # the name of the cookie of sessions
    routes: Sequence[Route] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """A request that passed the access middleware."""

    request: web.BaseRequest
    api: Api
    path: Mapping[str, str]  # the variable parts of the path
    query: Mapping[str, Any]
    data: dict[str, Any]  # the body; empty if there is none
    session: str | None  # the session that it came with, if it did not come with the token

    @property
    def job(self) -> str:
        """The job that the path names."""
        return self.path["job"]


Handler = Callable[[Call], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Route:
    """One route. The app, the table of docs/http.md and the OpenAPI description are made from these."""

    method: str
    #: With variable parts: {job}, {source}; {file} is the rest of the path.
    path: str
    handler: Handler
    access: Access = Access.SESSION
    #: What it answers, for people (Markdown).
    summary: str
    query: tuple[Param, ...] = ()
    #: The keys of its JSON body; None: there are none.
    body: type[BaseModel] | None = None
    #: The verb itself checks the body, and tells its faults together with others.
    verbatim: bool = False
    #: The types of a body that is no JSON; the handler reads it.
    raw: tuple[str, ...] = ()
    #: Bytes of the body at most.
    longest: int = MAX_BODY
    #: Calls a minute at most, for what costs the service or the disk something; None: as many as come.
    per_minute: int | None = None
    #: It answers for as long as it takes, and watches over the time by itself.
    streams: bool = False
    #: If it breaks off in the middle, nobody knows whether a job was admitted.
    may_cost: bool = False
    #: Statuses of its answers, if all is well.
    answers: tuple[int, ...] = (200,)
    #: The type of its answers.
    media: str = "application/json"
    #: Any query is let pass: whoever links to it may add one.
    any_query: bool = False
    pattern: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Compile the pattern of its path."""
        pattern = re.escape(self.path).replace(r"\{file\}", "(?P<file>.+)")
        object.__setattr__(self, "pattern", re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", pattern)))

    @property
    def name(self) -> str:
        """Method and path, as the log and the docs name it."""
        return f"{self.method} {self.path}"

    @property
    def writes(self) -> bool:
        """Whether it may change something."""
        return self.method not in SAFE
