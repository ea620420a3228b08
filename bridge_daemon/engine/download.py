"""Download what the service made. Its URL is data of others: where it leads is checked at every hop.

https only, no private addresses, at most three redirects, no API key, no cookies, bounded size and time. The exceptions
are services on this machine (the sketch engine, a test): if the base URL itself is a loopback or private address, such
addresses and http are allowed. What is compressed on the way is unpacked, and bounded in both forms.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import time
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.http_exceptions import ContentEncodingError
from yarl import URL

from bridge_daemon.engine.address import exact, next_hop
from bridge_daemon.engine.outgoing import ProxyUnusable, on_this_machine, session, through
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
_GZIP: Final = b"\x1f\x8b\x08"
#: Hosts that a C library may read as an address (127.1, 0x7f000001, 127.0.0.1.) and a check of names does not.
_NUMERIC = re.compile(r"(^|\.)(\d+|0[xX][0-9a-fA-F]*)\.?$")


class Oversize(DownloadTrouble):
    """More came than a take can have."""


class _NotAsNamed(DownloadTrouble):
    """What came is not packed as its header says, or is damaged."""


class Expired(DownloadTrouble):
    """The URL has run out (any 4xx, each store has its own): the service is asked for a fresh one."""


def is_private(address: str) -> bool:
    """Return whether an IP address is none of the public internet."""
    parsed = ipaddress.ip_address(address)
    return parsed.is_multicast or not parsed.is_global


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_private_number(host: str) -> bool:
    """Return whether a host is the number of an address that is none of the public internet."""
    return _is_ip(host) and is_private(host)


def serves_privately(base_url: str) -> bool:
    """Return whether a service is itself at a loopback or private address, so that its files may be there too."""
    host = urlsplit(base_url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    return is_private_number(host)


class PublicResolver(AbstractResolver):
    """Resolves names, and refuses every address that is not of the public internet."""

    def __init__(self) -> None:
        self._resolver = Resolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the public addresses of a name. Raises OSError if there are none."""
        found = await self._resolver.resolve(host, port, family)
        public = [entry for entry in found if not is_private(entry["host"])]
        if not public:
            raise OSError(f"{host} leads to a private address")
        return public

    async def close(self) -> None:
        """Close the resolver behind."""
        await self._resolver.close()


def check_url(url: str | URL, *, private: bool) -> URL:
    """Return a URL that may be fetched, as it was given. Raises DownloadTrouble for any other."""
    try:
        parsed = exact(url) if isinstance(url, str) else url
    except ValueError as error:
        raise DownloadTrouble(f"The service named a URL that is none ({error}).", charge="confirmed") from error
    host = (parsed.host or "").rstrip(".").lower()
    if _NUMERIC.search(host) and not _is_ip(host):
        raise DownloadTrouble("The service named a URL whose host is a number in disguise.", charge="confirmed")
    allowed = ("https", "http") if private else ("https",)
    if parsed.scheme not in allowed or not host:
        raise DownloadTrouble(f"The service named a URL that is not https ({parsed.scheme}).", charge="confirmed")
    if parsed.raw_user is not None or parsed.raw_password is not None:
        raise DownloadTrouble("The service named a URL with a user name in it.", charge="confirmed")
    if not private and (on_this_machine(host) or (is_private_number(host))):
        raise DownloadTrouble("The service named a URL of a private address.", charge="confirmed")
    return parsed


async def download(url: str, part: Path, *, private: bool, most: int = MAX_BYTES) -> None:
    """Download ``url`` to ``part``; the caller flushes it. Raises Expired, DownloadTrouble or OSError (the disk)."""
    target = check_url(url, private=private)
    for _ in range(MAX_REDIRECTS + 1):
        try:
            hop = await _one(target, part, private=private, most=most, unpack=True)
        except _NotAsNamed:  # what is called compressed is not: the audio itself tells
            hop = await _one(target, part, private=private, most=most, unpack=False)
        if hop is None:
            return
        try:
            target = check_url(next_hop(target, hop), private=private)
        except ValueError as error:
            raise DownloadTrouble("The download was redirected to no URL.", charge="confirmed") from error
    raise DownloadTrouble(f"The download was redirected more than {MAX_REDIRECTS} times.", charge="confirmed")


async def _one(target: URL, part: Path, *, private: bool, most: int, unpack: bool) -> str | None:
    """Ask for one URL. Return where it redirects to, None if it was saved."""
    timeout = aiohttp.ClientTimeout(total=TOTAL, sock_connect=10.0, sock_read=STALL)
    headers = {"Accept-Encoding": "identity", "Accept": "audio/*, */*"}
    try:
        proxy = through(target)
        if proxy and not private:
            await _not_private(target)
        resolver = Resolver() if private or proxy else PublicResolver()  # of a proxy, it looks up the proxy
        async with (
            session(timeout, resolver=resolver, auto_decompress=unpack) as wire,
            wire.get(target, allow_redirects=False, headers=headers, **proxy) as response,
        ):
            if response.status in (301, 302, 303, 307, 308):
                return response.headers.get("Location", "")
            await _save(response, part, most)
            return None
    except (aiohttp.ClientError, TimeoutError, ProxyUnusable) as error:
        kind = _NotAsNamed if unpack and _is_of_encoding(error) else DownloadTrouble
        raise kind(f"The download broke off ({type(error).__name__}: {error}).", charge="confirmed") from error


def _is_of_encoding(error: BaseException | None) -> bool:
    """Return whether aiohttp could not unpack a body."""
    while error is not None and not isinstance(error, ContentEncodingError):
        error = error.__cause__
    return error is not None


async def _not_private(target: URL) -> None:
    """Refuse a name that leads to a private address here, before a proxy is asked for it.

    A name that only the proxy can look up is left to the proxy: the certificate has to be that name's before anything
    is asked for, so nothing inside of a network answers to it.
    """
    assert target.host is not None
    try:
        found = await Resolver().resolve(target.host, target.port or 443, socket.AF_UNSPEC)
    except OSError:
        return
    if any(is_private(entry["host"].partition("%")[0]) for entry in found):
        raise DownloadTrouble("The service named a URL that leads to a private address.", charge="confirmed")


async def _save(response: aiohttp.ClientResponse, part: Path, most: int) -> None:
    if 400 <= response.status < 500 and response.status not in (408, 425, 429):
        raise Expired(f"The URL of the audio has run out (HTTP {response.status}).", charge="confirmed")
    if response.status != 200:
        raise DownloadTrouble(f"The download answered HTTP {response.status}.", charge="confirmed")
    # of what is compressed it is the compressed length, which aiohttp holds the body against
    declared = response.content_length
    if declared is not None and declared > most:
        raise DownloadTrouble(f"The audio is said to have {declared:,} bytes, which no take has.", charge="confirmed")
    size = 0
    files.discard(part)  # what a try before this one left
    file = files.create(part)  # opened and closed right here: a cancelled hop to a thread would leave it open
    try:
        async for block in _unpacked(_unpacked(_blocks(response))):
            size += len(block)
            if size > most:
                raise Oversize(f"More than {most:,} bytes came, which no take has.", charge="confirmed")
            await asyncio.to_thread(file.write, block)
            failpoint("file.download.write")
    finally:
        file.close()
    if size == 0:
        raise DownloadTrouble(f"No byte came, {declared or 'some'} were announced.", charge="confirmed")


async def _unpacked(blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the file out of a gzip around it that no header, or one that aiohttp does not know, tells of.

    No audio begins as gzip does. Its output is bounded by whoever reads it: at each step a block's worth of it is made.
    """
    unpack: Any = None
    first = True
    async for block in blocks:
        if first and block.startswith(_GZIP):
            unpack = zlib.decompressobj(wbits=31)
        first = False
        if unpack is None:
            yield block
        while unpack is not None and block and not unpack.eof:
            try:
                yield await asyncio.to_thread(unpack.decompress, block, _BLOCK)
            except zlib.error as error:
                raise DownloadTrouble(f"What came is damaged ({error}).", charge="confirmed") from error
            block = unpack.unconsumed_tail
            if unpack.eof and unpack.unused_data.startswith(_GZIP):  # of several parts
                block = unpack.unused_data
                unpack = zlib.decompressobj(wbits=31)
    if unpack is not None:
        yield unpack.flush()
        if not unpack.eof:
            raise DownloadTrouble("What came broke off.", charge="confirmed")


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
