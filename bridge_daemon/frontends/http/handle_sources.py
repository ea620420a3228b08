"""Sources that are dropped on the page: kept in the home by their content, and named in a request by their path."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from bridge_daemon.errors import NotJson, TooBusy
from bridge_daemon.frontends.http.answers import answer
from bridge_daemon.frontends.http.body import check_length, chunks, is_declared
from bridge_daemon.frontends.http.download import send_file
from bridge_daemon.frontends.http.routing import Call

LONGEST: Final = 256 * 1024 * 1024  # bytes
#: Types that no form, and no other page without asking us first, can send.
TYPES: Final = ("application/octet-stream", "audio/wav", "audio/x-wav", "audio/aiff", "audio/flac", "audio/mpeg")
_STALLED: Final = 10.0  # s without a byte


async def add(call: Call) -> web.StreamResponse:
    """Keep a file as a source: 201 for a new one, 200 for one that is there already."""
    check_length(call.request, LONGEST)
    if not is_declared(call.request, TYPES):
        raise NotJson(f"The body is not declared as {' or '.join(TYPES)}.", next="Send the bytes of the file.")
    told, new = await call.api.actions.add_source(_watched(chunks(call.request, LONGEST)), call.query["name"])
    return answer(told, 201 if new else 200)


async def _watched(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Give up a body that stands still."""
    while True:
        try:
            async with asyncio.timeout(_STALLED):
                chunk = await anext(body, None)
        except TimeoutError:
            raise TooBusy(f"No byte of the file came for {_STALLED:g} s.", next="Send it again.") from None
        if chunk is None:
            return
        yield chunk


async def audio(call: Call) -> web.StreamResponse:
    """Answer with a source that was added."""
    return await send_file(call.request, call.api.actions.added_source(call.path["source"]))


async def peaks(call: Call) -> web.StreamResponse:
    """Answer with its waveform."""
    return answer(await call.api.actions.added_source_peaks(call.path["source"], call.query["buckets"]))
