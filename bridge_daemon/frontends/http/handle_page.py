"""The files of the page, from the package: each by its own name, none by a way around, and never a list of them."""

from __future__ import annotations

import asyncio
import hashlib
import re
from pathlib import Path
from typing import Final

from aiohttp import web

from bridge_daemon.errors import NotFound
from bridge_daemon.frontends.http.answers import PAGE_POLICY
from bridge_daemon.frontends.http.routing import Call
from bridge_daemon.util.files import open_plain

FOLDER: Final = Path(__file__).with_name("page")
_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
#: Types by ending; a file with another one is not served. Python's own table asks the system, which may be wrong.
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}


async def index(call: Call) -> web.StreamResponse:
    """Answer with the page."""
    return await _answer(call, "index.html")


async def file(call: Call) -> web.StreamResponse:
    """Answer with a file of the page."""
    return await _answer(call, call.path["file"])


async def _answer(call: Call, name: str) -> web.StreamResponse:
    media = _TYPES.get(Path(name).suffix)
    if media is None or not _NAME.fullmatch(name):
        raise NotFound("The page has no such file.")
    data = await asyncio.to_thread(_read, name)
    etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache", "Content-Security-Policy": PAGE_POLICY}
    known = [each.strip().removeprefix("W/") for each in call.request.headers.get("If-None-Match", "").split(",")]
    if etag in known:
        return web.Response(status=304, headers=headers)
    return web.Response(body=data, headers=headers | {"Content-Type": media})


def _read(name: str) -> bytes:
    try:
        with open_plain(FOLDER.joinpath(*name.split("/"))) as opened:
            return opened.read()
    except OSError:
        raise NotFound("The page has no such file.") from None
