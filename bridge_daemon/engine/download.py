"""Download what the service made. Its URL is data of others: where it leads is checked at every hop.

https only, no private addresses, at most three redirects, no API key, no cookies, no proxy of the environment, bounded
size and time. The exceptions are services on this machine (the sketch engine, a test): where the base URL itself is a
loopback or private address, such addresses and http are allowed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from bridge_daemon.engine.resolver import Resolver
from bridge_daemon.errors import DownloadTrouble
from bridge_daemon.util import files
from bridge_daemon.util.failpoints import failpoint

MAX_REDIRECTS: Final = 3
#: 190 s of 8 channels at 96 kHz in 32 bit would be 580 MB; nothing that is asked for here comes near.
MAX_BYTES: Final = 600 * 1024 * 1024
TOTAL: Final = 3600.0  # s, all of a download: 33 MB over the telephone of somebody on a train take a while
STALL: Final = 30.0  # s without a byte
#: Less than this over a minute is no download, bytes a second.
SLOWEST: Final = 1024
_MINUTE = 60.0  # s
_BLOCK = 1 << 18
#: Hosts that a C library may read as an address (127.1, 0x7f000001, 127.0.0.1.) and a check of names does not.
_NUMERIC = re.compile(r"(^|\.)(\d+|0[xX][0-9a-fA-F]*)\.?$")


class Expired(DownloadTrouble):
    """The URL has run out (any 4xx, each store has its own): the service is asked for a fresh one."""


def is_private(address: str) -> bool:
    """Tell whether an IP address is none of the public internet."""
    parsed = ipaddress.ip_address(address)
    return parsed.is_multicast or not parsed.is_global


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def serves_privately(base_url: str) -> bool:
    """Tell whether a service is itself at a loopback or private address, so that its files may be there too."""
    host = urlsplit(base_url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    return _is_ip(host) and is_private(host)


class _PublicResolver(AbstractResolver):
    """Resolves names, and refuses every address that is not of the public internet."""

    def __init__(self) -> None:
        self._resolver = Resolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the public addresses of a name. Raises OSError where there are none."""
        found = await self._resolver.resolve(host, port, family)
        public = [entry for entry in found if not is_private(entry["host"])]
        if not public:
            raise OSError(f"{host} leads to a private address")
        return public

    async def close(self) -> None:
        """Close the resolver behind."""
        await self._resolver.close()


def check_url(url: str, *, private: bool) -> URL:
    """Return a URL that may be fetched. Raises DownloadTrouble for any other."""
    try:
        parsed = URL(url)
        host = parsed.host
    except ValueError as error:
        raise DownloadTrouble(f"The service named a URL that is none ({error}).", charge="confirmed") from error
    if host and _NUMERIC.search(host) and not _is_ip(host):
        raise DownloadTrouble("The service named a URL whose host is a number in disguise.", charge="confirmed")
    allowed = ("https", "http") if private else ("https",)
    if parsed.scheme not in allowed or not host:
        raise DownloadTrouble(f"The service named a URL that is not https ({parsed.scheme}).", charge="confirmed")
    if parsed.user is not None:
        raise DownloadTrouble("The service named a URL with a user name in it.", charge="confirmed")
    if not private and (host == "localhost" or (_is_ip(host) and is_private(host))):
        raise DownloadTrouble("The service named a URL of a private address.", charge="confirmed")
    return parsed


async def download(url: str, part: Path, *, private: bool) -> None:
    """Download ``url`` to ``part``, flushed to the disk. Raises Expired, DownloadTrouble or OSError (the disk)."""
    connector = aiohttp.TCPConnector(force_close=True, resolver=Resolver() if private else _PublicResolver())
    timeout = aiohttp.ClientTimeout(total=TOTAL, sock_connect=10.0, sock_read=STALL)
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
    ) as session:
        target = check_url(url, private=private)
        for _ in range(MAX_REDIRECTS + 1):
            try:
                async with session.get(
                    target, allow_redirects=False, headers={"Accept-Encoding": "identity", "Accept": "audio/*, */*"}
                ) as response:
                    if response.status not in (301, 302, 303, 307, 308):
                        await _save(response, part)
                        return
                    target = _next_hop(response, target, private=private)
            except (aiohttp.ClientError, TimeoutError) as error:
                raise DownloadTrouble(
                    f"The download broke off ({type(error).__name__}: {error}).", charge="confirmed"
                ) from error
        raise DownloadTrouble(f"The download was redirected more than {MAX_REDIRECTS} times.", charge="confirmed")


def _next_hop(response: aiohttp.ClientResponse, target: URL, *, private: bool) -> URL:
    location = response.headers.get("Location", "")
    try:
        hop = target.join(URL(location))
    except ValueError as error:
        raise DownloadTrouble("The download was redirected to no URL.", charge="confirmed") from error
    return check_url(str(hop), private=private)


async def _save(response: aiohttp.ClientResponse, part: Path) -> None:
    if 400 <= response.status < 500 and response.status not in (408, 425, 429):
        raise Expired(f"The URL of the audio has run out (HTTP {response.status}).", charge="confirmed")
    if response.status != 200:
        raise DownloadTrouble(f"The download answered HTTP {response.status}.", charge="confirmed")
    declared = response.content_length
    if declared is not None and declared > MAX_BYTES:
        raise DownloadTrouble(f"The audio is said to have {declared:,} bytes, which no take has.", charge="confirmed")
    size = 0
    file = part.open("wb")  # opened and closed right here: a cancelled hop to a thread would leave it open
    try:
        async for block in _blocks(response):
            size += len(block)
            if size > MAX_BYTES:
                raise DownloadTrouble(f"More than {MAX_BYTES:,} bytes came, which no take has.", charge="confirmed")
            await asyncio.to_thread(file.write, block)
            failpoint("file.download.write")
        await asyncio.to_thread(files.flush_to_disk, file)
    finally:
        file.close()
    if size == 0 or (declared is not None and size != declared):
        raise DownloadTrouble(f"{size:,} bytes came, {declared or 'some'} were announced.", charge="confirmed")


async def _blocks(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Yield the body in blocks that are worth a hop to a thread."""
    collected = bytearray()
    chunks: Any = response.content.iter_any()
    size, begun = 0, time.monotonic()
    async for chunk in chunks:
        size += len(chunk)
        if time.monotonic() - begun > _MINUTE:
            if size < SLOWEST * _MINUTE:
                raise DownloadTrouble(f"Only {size:,} bytes came in a minute.", charge="confirmed")
            size, begun = 0, time.monotonic()
        collected += chunk
        if len(collected) >= _BLOCK:
            yield bytes(collected)
            collected.clear()
    if collected:
        yield bytes(collected)
