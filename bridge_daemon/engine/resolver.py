"""Looking up names without holding up the end of the process.

The resolver of the system may take half a minute if there is no network, and a thread that waits for it cannot be
stopped. asyncio runs it in its pool, whose threads are waited for at the end; these here are not.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

_FLAGS = socket.AI_ADDRCONFIG
_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


class Resolver(AbstractResolver):
    """Asks the resolver of the system."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a name. Raises OSError if there are none."""
        found = await _look_up(host, port, family)
        return [
            ResolveResult(hostname=host, host=_host(address), port=address[1], family=kind, proto=proto, flags=_NUMERIC)
            for kind, _, proto, _, address in found
            if len(address) in (2, 4)  # others are what a Python without IPv6 says of it
        ]

    async def close(self) -> None:
        """There is nothing to close."""


def _host(address: tuple[Any, ...]) -> str:
    scope = address[3] if len(address) == 4 else 0
    return f"{address[0]}%{scope}" if scope and "%" not in address[0] else str(address[0])


async def _look_up(host: str, port: int, family: socket.AddressFamily) -> list[Any]:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[list[Any]] = loop.create_future()

    def tell(result: list[Any] | None, error: Exception | None) -> None:
        if future.done():  # cancelled meanwhile
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result or [])

    def look_up() -> None:
        result, error = None, None
        try:
            flags = 0 if host == "localhost" else _FLAGS  # which a machine without any network has too
            result = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM, flags=flags)
        except (OSError, UnicodeError) as problem:
            error = problem if isinstance(problem, OSError) else OSError(f"{host!r} is no name")
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(tell, result, error)

    threading.Thread(target=look_up, name="resolver", daemon=True).start()
    return await future
