"""A bridge that says only what a test tells it to say, for everything that a real one never does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pythonosc.osc_message import OscMessage

from bridge_daemon.home.paths import Home
from bridge_daemon.home.proof import prove
from tests.frontends.osc.caller import Typed, flat, message
from tests.live.player import pretend_running

WELCOME = {
    "version": "0.1.0",
    "engine": "empiriolabs",
    "paused": "",
    "price_usd": "0.58",
    "spent_today_usd": "1.16",
    "limit_today_usd": "10",
}


class Bridge(asyncio.DatagramProtocol):
    """A socket, what came, and where the devices listen."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.secret = home.read_token()
        #: Under which token it answers pings; "": as an old one, without a proof; None: not at all.
        self.proves: str | None = self.secret
        self.pings: list[dict[str, Any]] = []
        self.raw: list[bytes] = []
        self.got: list[tuple[str, dict[str, Any]]] = []
        self.sizes: list[tuple[str, int]] = []
        self.ports: dict[str, int] = {}
        self.welcomes: dict[str, Any] | None = dict(WELCOME)
        self.accepts = True
        self.transport: asyncio.DatagramTransport = None  # type: ignore[assignment]
        self._more = asyncio.Event()

    def datagram_received(self, data: bytes, address: Any) -> None:
        self.raw.append(data)
        values = OscMessage(data).params
        assert len(values) % 2 == 0, values
        pairs = dict(zip(values[::2], values[1::2], strict=True))
        name = OscMessage(data).address
        if name == "/bridge/ping":
            self.pings.append(pairs)
            if self.proves is not None:
                proof = {"proof": prove(self.proves, pairs["nonce"], self.port)} if self.proves else {}
                self.transport.sendto(
                    message("/bridge/pong", *flat({"version": "0.1.0"} | proof)), ("127.0.0.1", pairs["port"])
                )
            return
        if pairs.pop("secret", None) != self.secret:
            return
        self.got.append((name, pairs))
        self.sizes.append((name, len(data)))
        self._more.set()
        if name == "/bridge/hello" and self.welcomes is not None:
            self.ports[pairs["client"]] = pairs["port"]
            self.tell(pairs["client"], "/bridge/welcome", **self.welcomes)
        elif name in ("/bridge/generate", "/bridge/transform") and self.accepts:
            self.tell(pairs["client"], "/bridge/accepted", id=pairs["id"], jobs="job1", usd="0.58")

    @property
    def port(self) -> int:
        return int(self.transport.get_extra_info("sockname")[1])

    def tell(self, client: str, address: str, /, **pairs: Any) -> None:
        # as the real one: i, f and s, since Max knows no others
        values = [Typed(("f", value)) if isinstance(value, float) else value for value in flat(pairs)]
        self.transport.sendto(message(address, *values), ("127.0.0.1", self.ports[client]))

    def all(self, address: str) -> list[dict[str, Any]]:
        return [pairs for name, pairs in self.got if name == address]

    def presses(self, address: str) -> list[dict[str, Any]]:
        """As all, without what was only said again: on a busy machine an answer may take longer than a pause."""
        found: list[dict[str, Any]] = []
        for pairs in self.all(address):
            if pairs not in found:
                found.append(pairs)
        return found

    async def until(
        self, address: str, *, count: int = 1, seconds: float = 20.0, repeats: bool = False
    ) -> dict[str, Any]:
        """Wait for so many messages; those that only say again what was said count where ``repeats`` are wanted."""
        once = address in ("/bridge/generate", "/bridge/transform", "/bridge/cancel") and not repeats
        async with asyncio.timeout(seconds):
            while len(found := self.presses(address) if once else self.all(address)) < count:
                self._more.clear()
                await self._more.wait()
        return found[count - 1]


@asynccontextmanager
async def bridge(folder: Path) -> AsyncIterator[Bridge]:
    """Open one, with a home in which it seems to run."""
    home = Home(folder / "home")
    home.prepare()
    made = Bridge(home)
    loop = asyncio.get_running_loop()
    made.transport, _ = await loop.create_datagram_endpoint(lambda: made, local_addr=("127.0.0.1", 0))
    pretend_running(home.path, made.transport.get_extra_info("sockname")[1])
    try:
        yield made
    finally:
        made.transport.abort()
