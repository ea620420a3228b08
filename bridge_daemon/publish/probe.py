"""Whether a published file really comes back by its URL, before anybody pays for telling that URL to the service."""

from __future__ import annotations

import asyncio
import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from bridge_daemon import __version__
from bridge_daemon.engine.address import exact
from bridge_daemon.errors import NotPublished
from bridge_daemon.settings.sections import is_loopback
from bridge_daemon.util.loading import load

if TYPE_CHECKING:
    import aiohttp

_HEAD: Final = 4096  # bytes that are compared
_TOTAL: Final = 20.0  # s
_HEADERS: Final = {"Accept-Encoding": "identity", "User-Agent": f"daw-bridge/{__version__}"}
#: Names that mean something in one network only.
_NEAR: Final = (".local", ".localhost", ".localdomain", ".internal", ".lan", ".home.arpa")


async def fetch_back(url: str, file: Path) -> str | None:
    """Fetch the beginning of ``file`` by its URL. Return what is wrong, None if size and content are right.

    No redirect is followed: what answers has to be what was published. Raises OSError if the file is gone.
    """
    head, size = await asyncio.to_thread(_head, file)
    return await compare(url, head, size)


async def compare(url: str, head: bytes, size: int) -> str | None:
    """Tell what is wrong with what comes from ``url``: it must begin with ``head`` and have ``size`` bytes."""
    await load("bridge_daemon.publish.patient", "bridge_daemon.engine.outgoing")
    import aiohttp

    from bridge_daemon.engine.outgoing import ProxyUnusable, session, through
    from bridge_daemon.publish.patient import PatientResolver

    timeout = aiohttp.ClientTimeout(total=_TOTAL, sock_connect=10.0)
    try:
        address = exact(url)
        async with session(timeout, resolver=PatientResolver()) as wire:
            for ranges in ({"Range": f"bytes=0-{len(head) - 1}"}, {}):
                request = wire.get(address, allow_redirects=False, headers=_HEADERS | ranges, **through(address))
                async with request as answer:
                    if ranges and answer.headers.get("Content-Encoding", "identity") != "identity":
                        continue  # compressed on the way: a part of that says nothing, the whole is unpacked
                    return await _wrong(answer, head, size)
    except ProxyUnusable as error:
        return str(error)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        return f"it cannot be reached ({type(error).__name__})"  # the text of the error may hold the URL
    raise AssertionError("the second request is always judged")


async def _wrong(answer: aiohttp.ClientResponse, head: bytes, size: int) -> str | None:
    """Tell what is wrong with an answer."""
    if 300 <= answer.status < 400:
        return f"it redirects elsewhere (HTTP {answer.status})"
    if answer.status not in (200, 206):
        return f"it answers HTTP {answer.status}"
    if _announced(answer) not in (None, size):
        return "another file came"
    try:
        came = await answer.content.readexactly(len(head))
    except asyncio.IncompleteReadError:
        return "another file came"
    return None if came == head else "another file came"


def _announced(answer: aiohttp.ClientResponse) -> int | None:
    if answer.status == 200:  # the length of what is compressed is not that of the file
        return answer.content_length if "Content-Encoding" not in answer.headers else None
    total = answer.headers.get("Content-Range", "").rpartition("/")[2]
    return int(total) if total.isdecimal() else None


def _head(file: Path) -> tuple[bytes, int]:
    with file.open("rb") as reader:
        return reader.read(_HEAD), file.stat().st_size


def check_for_cloud(url: str, base_url: str) -> None:
    """Raise NotPublished for a URL that a service out there cannot or must not be told."""
    if is_loopback(urlsplit(base_url).hostname or ""):
        return
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "https":
        raise NotPublished(
            "The source would be published at an address that is not https, which the service does not take. "
            "Nothing was sent and nothing was spent.",
            next="Use an https:// address in [publish]; docs/publishing.md.",
        )
    if not _is_public(host):
        raise NotPublished(
            f"The source would be published at {host}, which only your own network can reach. "
            "Nothing was sent and nothing was spent.",
            next="Use an address of the public internet in [publish]; docs/publishing.md.",
        )


def _is_public(host: str) -> bool:
    """Return whether a host may be one of the public internet. Names are not resolved: they may lead elsewhere here."""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        name = host.rstrip(".").lower()
        return "." in name and not name.endswith(_NEAR)
