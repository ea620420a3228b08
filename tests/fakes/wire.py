"""HTTP/1.1 by hand, server side: small, strict, and with a hand on the socket, because faults need that."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

MAX_BODY = 1_000_000
MAX_UPLOAD = 50_000_000  # bytes
#: So much is read before it is decided whether a POST is read at all.
FIRST = len(b"POST /v1/")
REASONS = {200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 404: "Not Found", 502: "Bad Gateway"}


class Malformed(Exception):
    """Not HTTP as a real server would take it."""


@dataclass
class Exchange:
    """One request as it came, and the ways to answer it, good and bad."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    fresh: bool  # the first request on its connection
    head: str = ""
    method: str = ""
    target: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    closing: bool = False

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query))

    def header(self, name: str) -> str | None:
        """Return the one value of a header; two of them are refused."""
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        if len(found) > 1:
            raise Malformed(f"{name} came {len(found)} times")
        return found[0] if found else None

    async def read_head(self, first: bytes) -> None:
        try:
            self.head = (first + await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.LimitOverrunError as error:
            raise Malformed("the head is too long") from error
        line, *rest = self.head[:-4].split("\r\n")
        parts = line.split(" ")
        if len(parts) != 3 or parts[2] != "HTTP/1.1":
            raise Malformed(f"not a request line: {line!r}")
        self.method, self.target = parts[0], parts[1]
        for text in rest:
            name, colon, value = text.partition(":")
            if not colon or not name or name != name.strip():
                raise Malformed(f"not a header: {text!r}")
            self.headers.append((name, value.strip()))
        if not self.header("Host"):
            raise Malformed("no Host")
        self.closing = (self.header("Connection") or "").lower() == "close"

    async def read_body(self) -> None:
        length = self.header("Content-Length")
        if self.header("Transfer-Encoding") or (self.method == "POST" and length is None):
            raise Malformed("a body needs a Content-Length")
        most = MAX_UPLOAD if self.path == "/v1/files/upload" else MAX_BODY
        if not (length or "0").isdecimal() or int(length or 0) > most:
            raise Malformed(f"Content-Length {length!r}")
        self.body = await self.reader.readexactly(int(length or 0))

    async def raw(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def start(self, status: int, kind: str = "", headers: Iterable[tuple[str, str]] = ()) -> None:
        """Send the status line and the headers, nothing else."""
        lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}", *(f"{k}: {v}" for k, v in headers)]
        lines += [f"Content-Type: {kind}"] if kind else []
        await self.raw("\r\n".join([*lines, "", ""]).encode("latin-1"))

    async def answer(
        self,
        status: int,
        body: bytes = b"",
        kind: str = "application/json",
        headers: Iterable[tuple[str, str]] = (),
        length: int | None = None,
    ) -> None:
        """Send a whole answer. A ``length`` other than the body's is a lie, after which the connection ends."""
        declared = [] if status == 204 else [("Content-Length", str(len(body) if length is None else length))]
        self.closing = self.closing or length is not None
        await self.start(status, kind, [*headers, *declared])
        await self.raw(body)

    async def json(self, status: int, document: Any, headers: Iterable[tuple[str, str]] = ()) -> None:
        await self.answer(status, json.dumps(document).encode(), headers=headers)

    async def refuse(self, status: int, code: str, message: str, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Answer with the service's envelope of errors."""
        kind = "invalid_request_error" if status < 500 else "api_error"
        await self.json(status, {"error": {"message": message, "type": kind, "code": code}}, headers)

    def drop(self, *, reset: bool = False) -> None:
        """Close at once; ``reset`` with a TCP reset instead of an orderly end."""
        self.closing = True
        if reset:
            sock = self.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def hang(self) -> None:
        """Say nothing more until the other side goes away."""
        self.closing = True
        while await self.reader.read(65536):
            pass

    async def drip(self, block: bytes, pause: float) -> None:
        """Send the same block again and again, for ever, as chunks."""
        self.closing = True
        while True:
            await self.raw(chunk(block))
            await asyncio.sleep(pause)


def chunk(data: bytes) -> bytes:
    """Return one chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)
