"""The resolver for names that begin to exist. Loaded when something is published, for it loads aiohttp."""

from __future__ import annotations

import socket
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from bridge_daemon.engine.resolver import Resolver
from bridge_daemon.publish.names import addresses, is_address


class PatientResolver(AbstractResolver):
    """The resolver of the system and, if it knows no such name, the servers of the zone: its no may be an old one."""

    def __init__(self) -> None:
        self._resolver = Resolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a name. Raises OSError if there are none."""
        try:
            return await self._resolver.resolve(host, port, family)
        except socket.gaierror:
            found = await addresses(host) if not is_address(host) else None
            if not found:
                raise
        given: list[Any] = [await self._resolver.resolve(address, port, family) for address in found]
        return [entry | {"hostname": host} for entries in given for entry in entries]

    async def close(self) -> None:
        """There is nothing to close."""
