"""An OSC client for tests. It writes and reads with python-osc alone, so that our own wire is judged by another's."""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from bridge_daemon.app.daemon import Daemon
from tests.support import PATIENCE

Pairs = dict[str, Any]


class Typed(tuple):
    """A value that goes out as a type that Python does not tell: Typed(("f", 0.7))."""


def message(address: str, *values: Any) -> bytes:
    """Write a message; ints go as i or h, floats as d, what is Typed as it says."""
    builder = OscMessageBuilder(address)
    for value in values:
        if isinstance(value, Typed):
            builder.add_arg(value[1], value[0])
        else:
            builder.add_arg(value, "d" if isinstance(value, float) else None)
    return builder.build().dgram


def flat(pairs: Pairs) -> list[Any]:
    return [part for pair in pairs.items() for part in pair]


class OscCaller(asyncio.DatagramProtocol):
    """One client: its socket, and everything that came."""

    def __init__(self, port: int, secret: str, client: str | None = None) -> None:
        self.to = ("127.0.0.1", port)
        self.secret = secret
        self.client = client
        self.got: list[tuple[str, Pairs]] = []
        self.times: list[float] = []
        self._more = asyncio.Event()
        self.transport: asyncio.DatagramTransport = None  # type: ignore[assignment]

    def datagram_received(self, data: bytes, address: Any) -> None:
        assert address == self.to, "an answer from somewhere else"
        values = OscMessage(data).params
        assert len(values) % 2 == 0, values
        self.got.append((OscMessage(data).address, dict(zip(values[::2], values[1::2], strict=True))))
        self.times.append(time.monotonic())
        self._more.set()

    @property
    def port(self) -> int:
        return self.transport.get_extra_info("sockname")[1]

    def raw(self, data: bytes) -> None:
        self.transport.sendto(data, self.to)

    def send(self, address: str, /, **pairs: Any) -> bytes:
        """Send a message with the secret and the client's name; return it."""
        named = {"client": self.client} if self.client else {}
        data = message(address, *flat({"secret": self.secret} | named | pairs))
        self.raw(data)
        return data

    def all(self, address: str, **pairs: Any) -> list[Pairs]:
        """What came at an address, with these values in it."""
        return [told for name, told in self.got if name == address and pairs.items() <= told.items()]

    async def until(self, address: str, *, count: int = 1, seconds: float = PATIENCE, **pairs: Any) -> Pairs:
        """Wait for a message, or so many; return the last of them."""
        async with asyncio.timeout(seconds):
            while len(found := self.all(address, **pairs)) < count:
                self._more.clear()
                await self._more.wait()
        return found[count - 1]

    async def ask(self, address: str, /, **pairs: Any) -> tuple[str, Pairs]:
        """Send, and return the next ok, refused, accepted or welcome."""
        seen = len(self.got)
        self.send(address, **pairs)
        async with asyncio.timeout(PATIENCE):
            while True:
                for name, told in self.got[seen:]:
                    if name in ("/bridge/ok", "/bridge/refused", "/bridge/accepted", "/bridge/welcome"):
                        return name, told
                self._more.clear()
                await self._more.wait()

    async def prove(self) -> None:
        """Make sure that it is the bridge before the secret is sent to it, as every client should."""
        nonce = secrets.token_hex(16)
        self.raw(message("/bridge/ping", "nonce", nonce))
        proof = (await self.until("/bridge/pong"))["proof"]
        text = f"daw-bridge/{self.to[1]}/{nonce}"
        assert hmac.compare_digest(proof, hmac.new(self.secret.encode(), text.encode(), "sha256").hexdigest())
        self.got.clear()
        self.times.clear()

    async def hello(self, **pairs: Any) -> Pairs:
        answer, told = await self.ask("/bridge/hello", **pairs)
        assert answer == "/bridge/welcome", told
        return told

    async def press(self, address: str = "/bridge/generate", /, **pairs: Any) -> str:
        """Ask for one take; return its job."""
        given = {"id": str(uuid.uuid4()), "prompt": "rain on a tin roof", "duration": 1} | pairs
        answer, told = await self.ask(address, **given)
        assert answer == "/bridge/accepted", told
        return told["jobs"]

    async def quiet(self, seconds: float = 0.15) -> None:
        """Wait for what might still come."""
        await asyncio.sleep(seconds)


@asynccontextmanager
async def caller(daemon: Daemon, client: str | None = None, *, secret: str | None = None) -> AsyncIterator[OscCaller]:
    """Open a client of a running daemon."""
    assert daemon.osc_port is not None
    made = OscCaller(daemon.osc_port, daemon.home.read_token() if secret is None else secret, client)
    loop = asyncio.get_running_loop()
    made.transport, _ = await loop.create_datagram_endpoint(lambda: made, local_addr=("127.0.0.1", 0))
    try:
        if secret is None:
            await made.prove()
        yield made
    finally:
        made.transport.abort()


def waited_for_processor() -> float:
    """Return for how long this thread could have run while others did, s. Only Linux tells."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


@asynccontextmanager
async def stall() -> AsyncIterator[list[float]]:
    """Notice the longest time for which the event loop did nothing else, s; without what it waited for a processor."""
    longest = [0.0]

    def now() -> float:
        return time.monotonic() - waited_for_processor()

    async def watch() -> None:
        last = now()
        while True:
            await asyncio.sleep(0.002)
            at = now()
            longest[0], last = max(longest[0], at - last - 0.002), at

    task = asyncio.create_task(watch())
    try:
        yield longest
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
