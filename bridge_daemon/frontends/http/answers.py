"""Answers: one shape for what is right, one for what is wrong, and the headers that all of them carry."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from bridge_daemon.errors import BridgeError

#: Nothing from elsewhere, no frames around us, no <base> of somebody else, forms only to us.
POLICY: Final = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
#: For the files of the page: the same, spelt out. blob: and data: hold what the page itself made: a dropped file, a
#: waveform that was drawn.
PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; connect-src 'self'; worker-src 'self'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; manifest-src 'self'; object-src 'none'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
#: For files whose bytes came from a person or from the service: should one of them ever be opened as a page, it is
#: alone in a sandbox and may load nothing.
FILE_POLICY: Final = f"sandbox; default-src 'none'; {POLICY.partition('; ')[2]}"

_EVERYWHERE: Final = {
    "Server": "daw-bridge",  # aiohttp would tell its own version and Python's
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Refused(Exception):
    """An error whose HTTP status or headers differ from those of its class."""

    def __init__(self, error: BridgeError, *, status: int, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.status = status
        self.headers = dict(headers or {})


def dress(response: web.StreamResponse, path: str) -> None:
    """Put on the headers that every answer has, whatever made it. Call it before the headers are sent."""
    for name, value in _EVERYWHERE.items():
        response.headers[name] = value
    response.headers.setdefault("Content-Security-Policy", POLICY)
    if path == "/healthz" or path.startswith("/api"):
        response.headers["Cache-Control"] = "no-store"


def to_json(data: Any) -> str:
    """Return ``data`` as JSON that every browser reads. NaN, which is no JSON, is a fault of ours and raises."""
    return json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def answer(data: Any, status: int = 200) -> web.Response:
    """Answer with data."""
    return web.Response(text=to_json(data), status=status, content_type="application/json")


def refusal(error: BridgeError, status: int | None = None, headers: Mapping[str, str] | None = None) -> web.Response:
    """Answer with the one error shape."""
    return web.Response(
        text=to_json({"error": error.as_dict()}),
        status=type(error).status if status is None else status,
        content_type="application/json",
        headers=headers,
    )
