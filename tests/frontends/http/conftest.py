"""A running API over a fake desk, and two ways to talk to it: aiohttp, and bytes on a socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest_asyncio

from bridge_daemon.frontends.http import access, connection
from bridge_daemon.frontends.http.events import EventHub
from bridge_daemon.frontends.http.rate_limit import RateLimit
from bridge_daemon.frontends.http.server import ApiServer
from bridge_daemon.util.times import Times
from tests.fakes.desk import FakeDesk
from tests.support import PATIENCE

TOKEN = "5ec2e7" + "0" * 58


class HandTimes(Times):
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.at = 1000.0
        self.wall = 1_800_000_000.0

    def now(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.at


@dataclass
class Raw:
    """One answer, as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes
    all_headers: list[tuple[str, str]] = field(default_factory=list)

    @property
    def error(self) -> dict[str, Any]:
        """The error in it; fails when it has not the one shape."""
        told = json.loads(self.body)
        assert set(told) == {"error"}, told
        assert {"code", "message", "charge", "next"} <= set(told["error"]), told
        assert all(isinstance(told["error"][key], str) for key in ("code", "message", "charge", "next"))
        assert self.headers["content-type"].startswith("application/json")
        return told["error"]

    @property
    def code(self) -> str:
        return self.error["code"]


@dataclass
class Api:
    desk: FakeDesk
    hub: EventHub
    server: ApiServer
    port: int
    times: HandTimes
    http: aiohttp.ClientSession
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {TOKEN}"}

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection; it is closed after the test."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        return reader, writer

    async def close_all(self) -> None:
        for writer in self.writers:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def raw(self, data: bytes, *, timeout: float = PATIENCE) -> Raw:
        """Send bytes; return the one answer, read to its end."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            async with asyncio.timeout(timeout):
                return await read_answer(reader, head=data.startswith(b"HEAD"))
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def ask(
        self, target: str, *headers: str, method: str = "GET", body: bytes = b"", auth: bool = True, host: bool = True
    ) -> Raw:
        """Send one request with exactly these headers (beside Host, Authorization and Content-Length)."""
        lines = [f"{method} {target} HTTP/1.1"]
        lines += [f"Host: 127.0.0.1:{self.port}"] if host else []
        lines += [f"Authorization: Bearer {TOKEN}"] if auth else []
        lines += [f"Content-Length: {len(body)}"] if body else []
        lines += [line.replace("PORT", str(self.port)) for line in headers]
        return await self.raw("\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body)

    async def log_in(self) -> str:
        """Open a session as the page does; return its cookie."""
        made = await self.ask("/api/session/code", method="POST")
        body = json.dumps({"code": json.loads(made.body)["code"]}).encode()
        opened = await self.ask(
            "/api/session",
            "Content-Type: application/json",
            "Sec-Fetch-Site: same-origin",
            "Origin: http://127.0.0.1:PORT",
            method="POST",
            body=body,
            auth=False,
        )
        assert opened.status == 200, opened
        return opened.headers["set-cookie"].partition(";")[0]


async def read_answer(reader: asyncio.StreamReader, *, head: bool = False) -> Raw:
    top = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in top[1:] if line)]
    headers = dict(pairs)
    length = 0 if head else int(headers.get("content-length", "0"))
    return Raw(int(top[0].split()[1]), headers, await reader.readexactly(length), pairs)


@pytest_asyncio.fixture
async def api(monkeypatch) -> AsyncIterator[Api]:
    monkeypatch.setattr(access, "_REFUSAL_DELAY", 0.001)  # one test looks at the delay itself
    monkeypatch.setattr(connection, "_log_limit", RateLimit())  # the rest of this process's tests used it up
    desk, hub, times = FakeDesk(), EventHub(), HandTimes()
    server = ApiServer(desk, hub, token=TOKEN, host="127.0.0.1", port=0, times=times, timeout=0.5)
    _, port = await server.start()
    await server.ready()
    async with aiohttp.ClientSession() as http:
        api = Api(desk, hub, server, port, times, http)
        yield api
        await api.close_all()
    await server.close()
