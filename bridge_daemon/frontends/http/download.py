"""Audio files to the page: whole or a range, from the file that was opened, whatever happens to its name meanwhile.

aiohttp's FileResponse was tried. It takes a name and not an open file, follows links, sends a ``.gz`` beside the file
in its place, ignores an ``If-Range`` with an ETag (the rest of another file would be sent as the rest of this one), and
waits without end for a reader that stands still.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Callable
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

from aiohttp import web

from bridge_daemon.errors import Fault, InvalidRequest, NotFound
from bridge_daemon.frontends.http.answers import FILE_POLICY, Refused, dress
from bridge_daemon.util.files import Changed, open_plain, open_proved

log = logging.getLogger(__name__)
T = TypeVar("T")

_BLOCK: Final = 256 * 1024  # bytes
_STALLED: Final = 60.0  # s; a player that pauses for longer asks for the rest as a range
_RANGE: Final = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")
_TYPES: Final = {
    ".wav": "audio/wav",
    ".aif": "audio/aiff",
    ".aiff": "audio/aiff",
    ".flac": "audio/flac",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
}


async def send_file(request: web.BaseRequest, path: Path, sha256: str | None = None) -> web.StreamResponse:
    """Answer with a file. Where its ``sha256`` is known, nothing else is ever sent under its name.

    Raises:
        NotFound: it is gone, is no plain file, or is not the file that it was.
        Refused: the range lies behind its end (416).
    """
    file = await _in_thread(lambda: _open(path, sha256))
    try:
        about = os.fstat(file.fileno())
        etag = f'"{about.st_mtime_ns:x}-{about.st_size:x}"'
        asked = _range(request, about.st_size, etag)
        start, end = asked or (0, about.st_size)
        response = web.StreamResponse(status=206 if asked else 200)
        response.headers["Content-Type"] = _TYPES.get(path.suffix.lower(), "application/octet-stream")
        response.headers["Content-Disposition"] = f'attachment; filename="{safe_name(path)}"'
        response.headers["Content-Security-Policy"] = FILE_POLICY
        response.headers["Accept-Ranges"] = "bytes"
        response.headers["ETag"] = etag
        if asked:
            response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{about.st_size}"
        response.content_length = end - start
        dress(response, request.path)
        await response.prepare(request)
        if request.method != "HEAD":
            await _pump(request, response, file, start, end)
        return response
    finally:
        await _in_thread(file.close)


def safe_name(path: Path) -> str:
    """Return a file name that no header, and no file system, reads as anything else."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", path.name).strip(".-")[-120:] or "take.wav"


def _open(path: Path, sha256: str | None) -> BufferedReader:
    try:
        return open_plain(path) if sha256 is None else open_proved(path, sha256)
    except Changed:
        raise NotFound(
            "The file is not the one that was stored any more.",
            next="daw-bridge jobs show JOB tells where it lies.",
        ) from None
    except OSError as error:
        log.info("A file of a job cannot be opened: %s", error.strerror)
        raise NotFound("The file is not there any more.", next="daw-bridge jobs show JOB tells where it lay.") from None


def _range(request: web.BaseRequest, size: int, etag: str) -> tuple[int, int] | None:
    """Return the begin and end that are asked for; None for the whole file.

    Several ranges at once, and what is no range, may be ignored (RFC 9110, 14.2). A range of a file that has become
    another one must be.
    """
    match = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    if match is None or request.headers.get("If-Range", etag) != etag:
        return None
    first, last = match.groups()
    if first:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    elif last:
        start, end = max(0, size - int(last)), size
    else:
        return None
    if start >= size:
        fault = Fault("Range", match[0], f"must begin before the end of the file, {size} bytes")
        raise Refused(InvalidRequest([fault]), status=416, headers={"Content-Range": f"bytes */{size}"})
    return start, end


async def _pump(request: web.BaseRequest, response: web.StreamResponse, file: BinaryIO, start: int, end: int) -> None:
    file.seek(start)
    left = end - start
    try:
        while left:
            size = min(_BLOCK, left)
            block = await _in_thread(lambda: file.read(size))  # noqa: B023 - read before it changes
            if not block:
                raise ConnectionError("the file became shorter")  # the length is told: only breaking off is honest
            left -= len(block)
            async with asyncio.timeout(_STALLED):
                await response.write(block)
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()


async def _in_thread(call: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(None, call)
