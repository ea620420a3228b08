"""The body of a request: small, declared as JSON, one object, and nothing in it that two readers read differently."""

from __future__ import annotations

import json
import math
from typing import Any, Final, NoReturn

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from bridge_daemon.api.answers import Refused
from bridge_daemon.errors import NotJson, TooLarge

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
    """Read one JSON object strictly: UTF-8, no key twice, no NaN, no infinity, no half characters."""
    try:
        text = raw.decode("utf-8")
        data = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
        if "\\u" in text:
            json.dumps(data, ensure_ascii=False).encode("utf-8")  # half of a surrogate pair cannot be stored anywhere
    except RecursionError:
        raise _malformed("it is nested too deeply") from None
    except UnicodeError:
        raise _malformed("it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise _malformed(f"{error.msg.lower()}, line {error.lineno}, column {error.colno}") from None
    except ValueError as error:
        raise _malformed(str(error)) from None
    if not isinstance(data, dict):
        raise _malformed("it is not an object")
    return data


def _malformed(why: str) -> Refused:
    return Refused(NotJson(f"The body is no valid JSON object: {why}."), status=400)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):  # one reader takes the first, another the last: nobody shall guess which was meant
        raise ValueError("a key stands in it twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value
