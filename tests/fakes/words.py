"""The tables of words that a script may use; ``post.py`` and ``later.py`` fill them, README.md explains each."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.fakes.wire import Exchange

if TYPE_CHECKING:
    from tests.fakes.memory import Job
    from tests.fakes.service import Service

PAGE = b"<!doctype html><html><body><h1>Just a moment ...</h1></body></html>"
MEGABYTE = 1_000_000


@dataclass
class Act:
    """One request that a word answers. Which of the last fields are filled depends on the kind of request."""

    service: Service
    x: Exchange
    word: str
    arg: str
    accept: Callable[..., Job] = lambda: None  # type: ignore[assignment,return-value]  # POST: charges
    job: Job | None = None  # poll
    document: Any = None  # poll and catalogue: the true answer
    data: bytes = b""  # download: the true file
    kind: str = ""


Handler = Callable[[Act], Awaitable[None]]
Table = dict[str, Handler]
POST: Table = {}
POLL: Table = {}
DOWNLOAD: Table = {}
CATALOGUE: Table = {}


def word(table: Table, *names: str) -> Callable[[Handler], Handler]:
    def keep(handler: Handler) -> Handler:
        table.update(dict.fromkeys(names, handler))
        return handler

    return keep


def parse(text: str, table: Table) -> list[tuple[str, str]]:
    """Read ``word[:argument][*times]``."""
    found = re.fullmatch(r"([^:*]+)(?::(.*?))?(?:\*(\d+))?", text)
    if not found or found[1] not in table:
        raise ValueError(f"no such word: {text!r}; there are {', '.join(sorted(table))}")
    return [(found[1], found[2] or "")] * int(found[3] or 1)


# --- any request -------------------------------------------------------------------------------------------------


async def too_many(act: Act) -> None:
    headers = [("Retry-After", act.arg)] if act.arg else []
    await act.x.refuse(429, "rate_limit_exceeded", "Too many requests", headers)


async def html(act: Act) -> None:
    await act.x.answer(200, PAGE, "text/html; charset=utf-8")


async def silence(act: Act) -> None:
    await act.x.hang()


async def drop(act: Act) -> None:
    act.x.drop()


def refusal(status: int, code: str, message: str) -> Handler:
    async def refuse(act: Act) -> None:
        await act.x.refuse(status, code, message)

    return refuse


TROUBLES = {
    "500": refusal(500, "internal_error", "Something went wrong"),
    "502": refusal(502, "upstream_error", "The upstream failed"),
    "503": refusal(503, "overloaded", "Try again later"),
    "504": refusal(504, "upstream_timeout", "The upstream took too long"),
}
REFUSALS = {
    "400": refusal(400, "invalid_request", "The request is wrong"),
    "401": refusal(401, "invalid_api_key", "The API key is wrong"),
    "402": refusal(402, "insufficient_credits", "There are no credits left"),
    "403": refusal(403, "forbidden", "Not with this key"),
    "404": refusal(404, "not_found", "There is no such thing"),
    "413": refusal(413, "too_large", "Too large"),
    "422": refusal(422, "invalid_request", "A field is wrong"),
}
