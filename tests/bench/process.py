"""The daemon as it runs for people, in a process of its own, for the benchmarks; and what talks OSC to it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge_daemon.frontends.osc.wire import Message, build, parse

KEY = "bench-bench-bench"
#: For people Python keeps what it has compiled.
_AS_USERS = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@dataclass(frozen=True)
class Running:
    """A daemon that is ready."""

    home: Path
    pid: int
    start_s: float  # from its process to ready

    def fact(self, name: str) -> Any:
        """Return a field of runtime.json."""
        return json.loads((self.home / "runtime.json").read_text(encoding="utf-8"))[name]

    @property
    def token(self) -> str:
        """The secret of its home."""
        return (self.home / "token").read_text(encoding="utf-8").strip()


def processor_seconds(pid: int) -> float:
    """Return the processor time of a process, s, in steps of 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def environment(home: Path, port: int | None) -> dict[str, str]:
    """Return the settings of a daemon whose service is at a port of this machine; None: the built-in engine."""
    engine = (
        {"DAW_BRIDGE_ENGINE__NAME": "sketch"}
        if port is None
        else {
            "DAW_BRIDGE_ENGINE__NAME": "empiriolabs",
            "DAW_BRIDGE_ENGINE__BASE_URL": f"http://127.0.0.1:{port}",
            "EMPIRIOLABS_API_KEY": KEY,
        }
    )
    return engine | {
        "DAW_BRIDGE_HOME": str(home),
        "DAW_BRIDGE_HTTP__PORT": "0",
        "DAW_BRIDGE_OSC__PORT": "0",
        "DAW_BRIDGE_PUBLISH__SOURCE_PORT": "0",
        "DAW_BRIDGE_MIDI__ENABLED": "false",
        "DAW_BRIDGE_ENGINE__REQUESTS_PER_MINUTE": "10000",
        "DAW_BRIDGE_SPEND__PER_DAY_USD": "100000",
        "DAW_BRIDGE_SPEND__PER_MONTH_USD": "100000",
        "DAW_BRIDGE_SPEND__CONFIRM_ABOVE_USD": "100000",
    }


@asynccontextmanager
async def own_process(home: Path, port: int | None, **more: str) -> AsyncIterator[Running]:
    """Run a daemon, with more of its environment; leave it as a normal end does."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge_daemon", "run"],
        env=_AS_USERS | environment(home, port) | more,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not (home / "runtime.json").exists():
            if process.poll() is not None:
                raise RuntimeError(f"the daemon ended with {process.returncode}")
            await asyncio.sleep(0.005)
        yield Running(home, process.pid, time.perf_counter() - begun)
    finally:
        process.terminate()
        process.wait()


class Presser:
    """An OSC client: presses, and waits for what becomes of it."""

    def __init__(self, port: int, token: str, client: str = "bench") -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.setblocking(False)
        self.to, self.token, self.client = ("127.0.0.1", port), token, client

    def send(self, address: str, **pairs: Any) -> int:
        data = build(address, {"secret": self.token, "client": self.client} | pairs)
        at = time.monotonic_ns()
        self.sock.sendto(data, self.to)
        return at

    async def until(self, address: str, *, seconds: float = 30.0) -> Message:
        """Wait for a message."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(seconds):
            while (message := parse(await loop.sock_recv(self.sock, 65_536))[0]).address != address:
                if message.address == "/bridge/refused":
                    raise RuntimeError(f"the bridge refused: {message.values}")
        return message
