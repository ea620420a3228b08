"""The body of a request: small, declared as JSON, one object, and nothing in it that two readers read differently."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from bridge_daemon.errors import NotJson, TooLarge
from bridge_daemon.frontends.http.answers import Refused
from bridge_daemon.util import strict_json

MAX_BODY: Final = 64 * 1024  # bytes
_JSON: Final = "application/json"


def is_json(request: web.BaseRequest) -> bool:
    """Tell whether the body is declared as JSON, which no form and no other page can do without asking us first."""
    declared = request.headers.getall("Content-Type", [])
    charset = (request.charset or "utf-8").lower()
    return len(declared) == 1 and request.content_type == _JSON and charset in ("utf-8", "utf8")


async def read_object(request: web.BaseRequest) -> dict[str, Any]:
    """Return the JSON object that was sent; an empty body is an empty object.

    Raises TooLarge, or NotJson (415 where it is not declared as JSON, 400 where it is none).
    """
    if not request.body_exists:
        return {}
    if (request.content_length or 0) > MAX_BODY:
        raise TooLarge(f"The body has {request.content_length} bytes; {MAX_BODY} are allowed.")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise NotJson("The body must not be compressed.")
    if request.content_length and not is_json(request):
        raise NotJson("The body is not declared as JSON.")
    raw = await _read(request)
    if raw and not is_json(request):  # chunked: whether there is a body shows only when it is read
        raise NotJson("The body is not declared as JSON.")
    return parse_object(raw) if raw else {}


async def _read(request: web.BaseRequest) -> bytes:
    if request.headers.get("Expect", "").lower() == "100-continue" and request.version >= (1, 1):
        # Said only here, behind the door. The count is set back because the answer proper has not begun.
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    body = bytearray()
    try:
        while chunk := await request.content.readany():
            body += chunk
            if len(body) > MAX_BODY:
                raise TooLarge(f"The body has more than {MAX_BODY} bytes.")
    except (web.RequestPayloadError, HttpProcessingError) as error:
        raise Refused(NotJson("The body did not arrive whole."), status=400) from error
    return bytes(body)


def parse_object(raw: bytes) -> dict[str, Any]:
    """Read one JSON object strictly. Raises NotJson, as 400."""
    try:
        return strict_json.read_object(raw)
    except strict_json.MalformedJson as error:
        raise Refused(NotJson(f"The body is no valid JSON object: {error}."), status=400) from None
