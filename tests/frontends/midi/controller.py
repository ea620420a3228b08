"""A controller in a process of its own, with real MIDI ports: what a pad sends, and what its lights were told.

    async with controller("pad") as pad:
        await pad.play(note(36))
        await pad.until(lambda: [0x90, 36, 5] in pad.seen)

It shows up as ``pad:out`` and ``pad-lights:in`` on the JACK server of the test session.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import PATIENCE

ROOT = Path(__file__).parents[3]
START = 90.0  # s, on a busy machine
SERVER = {"JACK_NO_AUDIO_RESERVATION": "1", "JACK_NO_START_SERVER": "1"}
BACKEND = "mido.backends.rtmidi/UNIX_JACK"


@dataclass(frozen=True)
class JackServer:
    """A JACK server without hardware, and the environment of its clients."""

    process: subprocess.Popen[bytes]
    env: dict[str, str]


@contextmanager
def jack_server(log: Path, name: str = "bridge", *, patient: bool = True) -> Iterator[JackServer]:
    """Run a JACK server without hardware."""
    env = SERVER | {"JACK_DEFAULT_SERVER": f"{name}-{os.getpid()}", "MIDO_BACKEND": BACKEND}
    # -S: without it the dummy driver loses messages, or repeats the last one; -t: on a busy machine clients are slow
    waits = ["-S", "-t", "10000"] if patient else []
    command = [
        "jackd",
        "-r",
        *waits,
        "-n",
        env["JACK_DEFAULT_SERVER"],
        "--no-mlock",
        "-d",
        "dummy",
        "-r",
        "48000",
    ]
    with log.open("wb") as out:
        server = subprocess.Popen([*command, "-p", "64"], env=os.environ | env, stdout=out, stderr=out)
        try:
            end = time.monotonic() + START
            while subprocess.run(["jack_lsp"], env=os.environ | env, capture_output=True, check=False).returncode:
                assert server.poll() is None, log.read_text(encoding="utf-8", errors="replace")
                assert time.monotonic() < end, "JACK does not start"
                time.sleep(0.05)
            yield JackServer(server, env)
        finally:
            server.terminate()
            server.wait()


def note(number: int, velocity: int = 100, channel: int = 1) -> list[int]:
    return [0x90 | (channel - 1), number, velocity]


def off(number: int, channel: int = 1) -> list[int]:
    return [0x80 | (channel - 1), number, 0]


def control(number: int, value: int, channel: int = 1) -> list[int]:
    return [0xB0 | (channel - 1), number, value]


def program(number: int, channel: int = 1) -> list[int]:
    return [0xC0 | (channel - 1), number]


class Controller:
    """The process, from outside."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.seen: list[list[int]] = []  # what came to it
        self.sent: list[float] = []  # monotonic, when each call of play began to send
        self._more = asyncio.Event()
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            told = json.loads(line)
            if "sent" in told:
                self.sent.append(told["sent"])
            elif "came" in told:
                self.seen.append(told["came"])
            self._more.set()

    async def play(self, *messages: list[int], gap: float = 0.0, times: int = 1) -> float:
        """Send messages, ``gap`` seconds after one another; return when the first one went out (monotonic)."""
        before = len(self.sent)
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"play": messages, "gap": gap, "times": times}).encode() + b"\n")
        await self.until(lambda: len(self.sent) > before)
        return self.sent[-1]

    async def until(self, done: Callable[[], object], *, seconds: float = PATIENCE) -> None:
        async with asyncio.timeout(seconds):
            while not done():
                self._more.clear()
                await self._more.wait()

    async def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        await self.process.wait()
        await self._reader


@asynccontextmanager
async def controller(name: str = "pad") -> AsyncIterator[Controller]:
    """Plug a controller in, and out again."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.frontends.midi.controller", name),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    made = Controller(process)
    try:
        await made.until(lambda: made.sent, seconds=START)
        made.sent.clear()
        yield made
    finally:
        await made.close()


def main(name: str) -> None:  # noqa: C901 - one small program
    """The process: what stdin says goes out, what comes in is told on stdout."""
    import ctypes
    import threading

    ctypes.CDLL("libjack.so.0", mode=ctypes.RTLD_GLOBAL)  # the wheel's own does not understand servers of today
    from supriya_midi.rtmidi_ext import RtMidiAPI, RtMidiIn, RtMidiOut

    def plug(port: Any, own: str) -> None:
        end = time.monotonic() + START
        while True:
            try:
                return port.open_virtual_port(own)
            except RuntimeError:  # a server that is busy says that it is not there
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)

    out = RtMidiOut(RtMidiAPI.UNIX_JACK, name)
    plug(out, "out")
    into = RtMidiIn(RtMidiAPI.UNIX_JACK, f"{name}-lights", 100_000)
    plug(into, "in")
    lock, ended = threading.Lock(), threading.Event()

    def tell(**what: object) -> None:
        with lock:
            sys.stdout.write(json.dumps(what) + "\n")
            sys.stdout.flush()

    def listen() -> None:
        while not ended.is_set():
            while message := into.get_message()[0]:  # noqa: F821
                tell(came=message)
            time.sleep(0.001)

    thread = threading.Thread(target=listen)
    thread.start()
    tell(sent=0)
    for line in sys.stdin:
        asked = json.loads(line)
        first = time.monotonic()
        for _ in range(asked["times"]):
            for message in asked["play"]:
                out.send_message(message)
                if asked["gap"]:
                    time.sleep(asked["gap"])
        tell(sent=first)
    time.sleep(0.02)  # what was sent last leaves with the next period
    ended.set()
    thread.join()
    out.close_port()
    into.close_port()
    del out, thread, listen
    del into


if __name__ == "__main__":
    main(sys.argv[1])
