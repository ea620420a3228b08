"""A network between two machines that can be cut: a TCP relay that drops what it carries, and takes no more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Relay:
    """Leads to one address, unless it is cut."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._carried: set[asyncio.StreamWriter] = set()
        self._is_cut = False
        self.port = 0
        self.connections = 0

    def cut(self) -> None:
        """Drop every connection, and each new one before it carries anything."""
        self._is_cut = True
        for writer in self._carried:
            writer.transport.abort()

    def mend(self) -> None:
        """Carry again."""
        self._is_cut = False

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self._is_cut:
            writer.transport.abort()
            return
        self._carried.add(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._to)
            self._carried.add(far_writer)
            try:
                await asyncio.gather(_carry(reader, far_writer), _carry(far_reader, writer))
            finally:
                self._carried.discard(far_writer)
                far_writer.transport.abort()
        except OSError:
            return
        finally:
            self._carried.discard(writer)
            writer.transport.abort()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while block := await reader.read(1 << 16):
        writer.write(block)
        await writer.drain()
    with suppress(OSError):
        writer.write_eof()


@asynccontextmanager
async def relay(host: str, port: int) -> AsyncIterator[Relay]:
    """Run one on a free port of this machine."""
    made = Relay(host, port)
    server = await asyncio.start_server(made, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        made.cut()
        await asyncio.sleep(0)
