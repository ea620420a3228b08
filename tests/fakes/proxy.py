"""A real, small HTTP proxy: CONNECT for https, whole URLs for http (RFC 9110, 9.3.6, and RFC 9112, 3.2.2).

``leads`` maps a host and port to where its connections really go, as the names of a network that only the proxy knows.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Proxy:
    def __init__(self, leads: dict[str, tuple[str, int]], sign: str | None) -> None:
        self.leads = leads
        self.sign = sign and "Basic " + base64.b64encode(sign.encode()).decode()
        self.lines: list[str] = []  # request lines
        self.port = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *headers = head.split("\r\n")
        self.lines.append(line)
        given = {name.lower(): value.strip() for name, _, value in (h.partition(":") for h in headers)}
        if self.sign is not None and given.get("proxy-authorization") != self.sign:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        method, target, version = line.split(" ")
        place = target if method == "CONNECT" else target.split("/")[2]
        if place not in self.leads:
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            return
        far_reader, far_writer = await asyncio.open_connection(*self.leads[place])
        try:
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                path = "/" + target.split("/", 3)[3]
                kept = [h for h in headers if not h.lower().startswith("proxy-")]
                far_writer.write("\r\n".join([f"{method} {path} {version}", *kept]).encode("latin-1"))
            await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        finally:
            far_writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    if writer.can_write_eof():
        with suppress(OSError):
            writer.write_eof()


@asynccontextmanager
async def proxy(leads: dict[str, tuple[str, int]], sign: str | None = None) -> AsyncIterator[Proxy]:
    served, tasks = Proxy(leads, sign), set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await served(reader, writer)
            writer.close()
        except asyncio.CancelledError:
            writer.transport.abort()
            raise

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)
