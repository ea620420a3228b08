"""The body of a request: small, declared as JSON, one object, and nothing in it that two readers read differently."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from typing import Any, Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from bridge_daemon.errors import NotJson, TooLarge
from bridge_daemon.frontends.http.answers import Refused
from bridge_daemon.util import strict_json

_JSON: Final = ("application/json",)


def is_declared(request: web.BaseRequest, types: Collection[str] = _JSON) -> bool:
    """Tell whether the body is declared as one of these types."""
    declared = request.headers.getall("Content-Type", [])
    charset = (request.charset or "utf-8").lower()
    return len(declared) == 1 and request.content_type in types and charset in ("utf-8", "utf8")


def check_length(request: web.BaseRequest, longest: int) -> None:
    """Raise TooLarge for a body that is declared to be too long, and NotJson for a compressed one."""
    if (request.content_length or 0) > longest:
        raise TooLarge(f"The body has {request.content_length} bytes; {longest} are allowed.")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise NotJson("The body must not be compressed.")


async def read_object(request: web.BaseRequest, longest: int) -> dict[str, Any]:
    """Return the JSON object that was sent; an empty body is an empty object.

    Raises TooLarge, or NotJson (415 where it is not declared as JSON, 400 where it is none).
    """
    if not request.body_exists:
        return {}
    check_length(request, longest)
    if request.content_length and not is_declared(request):
        raise NotJson("The body is not declared as JSON.")
    raw = b"".join([chunk async for chunk in chunks(request, longest)])
    if raw and not is_declared(request):  # chunked: whether there is a body shows only when it is read
        raise NotJson("The body is not declared as JSON.")
    return parse_object(raw) if raw else {}


async def chunks(request: web.BaseRequest, longest: int) -> AsyncIterator[bytes]:
    """Yield the body as it comes. Raises TooLarge, and NotJson (400) if it does not arrive whole."""
    if request.headers.get("Expect", "").lower() == "100-continue" and request.version >= (1, 1):
        # Said only here, behind the access checks. The count is set back because the answer proper has not begun.
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    size = 0
    try:
        while chunk := await request.content.readany():
            size += len(chunk)
            if size > longest:
                raise TooLarge(f"The body has more than {longest} bytes.")
            yield chunk
    except (web.RequestPayloadError, HttpProcessingError) as error:
        raise Refused(NotJson("The body did not arrive whole."), status=400) from error


def parse_object(raw: bytes) -> dict[str, Any]:
    """Read one JSON object strictly. Raises NotJson, as 400."""
    try:
        return strict_json.read_object(raw)
    except strict_json.MalformedJson as error:
        raise Refused(NotJson(f"The body is no valid JSON object: {error}."), status=400) from None
