"""Talking to the running daemon, from commands that are not asynchronous."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from bridge_daemon.errors import NotRunning
from bridge_daemon.home.paths import Home

if TYPE_CHECKING:
    from bridge_daemon.client.client import BridgeClient

T = TypeVar("T")


def talk(work: Callable[[BridgeClient], Awaitable[T]]) -> T:
    """Run ``work`` with a client of the daemon of this home.

    Raises:
        NotRunning: there is no daemon.
        BridgeError: what the daemon said instead.
    """
    home = Home.locate()
    if home.read_runtime() is None:  # most often so, and it saves loading the client
        raise NotRunning(f"The bridge is not running (home: {home.path}).")
    from bridge_daemon.client.client import BridgeClient

    async def with_client() -> T:
        async with BridgeClient(home) as client:
            return await work(client)

    return asyncio.run(with_client())


def tell(work: Callable[[BridgeClient], Awaitable[T]]) -> T | None:
    """As :func:`talk`, where a daemon that is not running is fine; then None."""
    try:
        return talk(work)
    except NotRunning:
        return None
