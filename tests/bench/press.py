"""How long from a press to the request on the wire: OSC datagram sent → POST read by the server, commits included.

    python -m tests.bench.press [--presses 200] [--profile]

Three processes: the daemon as it runs for people, a server that notes when a POST is there, and this one, which
presses. All read the one monotonic clock of the machine. With --profile the daemon runs in this process, and where the
time goes is told besides.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bridge_daemon.app.daemon import Daemon
from bridge_daemon.engine import client
from bridge_daemon.frontends.osc import server as osc_module
from bridge_daemon.home.api_key import KeyStore
from bridge_daemon.home.paths import Home
from bridge_daemon.journal import Journal
from bridge_daemon.pipeline import submit as submit_module
from bridge_daemon.pipeline.conveyor import Conveyor
from bridge_daemon.settings.load import Settings
from bridge_daemon.spending.admit import Admit
from tests.bench import limits
from tests.bench.figures import Row
from tests.bench.process import KEY, Presser, Running, environment, own_process


async def serve() -> None:
    """Note when each POST was read, and refuse it, so that nothing else goes on when the next press comes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
                body = await reader.readexactly(int(fields.get("content-length", 0)))
                if head.startswith("POST"):
                    sys.stdout.write(f"{time.monotonic_ns()} {json.loads(body)['prompt']}\n")
                    sys.stdout.flush()
                writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


@asynccontextmanager
async def this_process(home: Path, port: int):
    where = Home(home)
    where.prepare()
    env = environment(home, port)
    daemon = Daemon(where, Settings.load(where, env), keys=KeyStore(where, {"EMPIRIOLABS_API_KEY": KEY}))
    await daemon.start()
    try:
        yield Running(home, os.getpid(), 0.0)
    finally:
        await daemon.stop()


async def measure(presses: int, profile: Profile | None, **more: str) -> list[float]:
    """Return what each press took, ms; ``more`` is of the environment of the daemon."""
    times: list[float] = []
    arguments = [sys.executable, "-m", "tests.bench.press", "--server"]
    server = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)
    assert server.stdout is not None
    try:
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder) / "home"
            port = int(await server.stdout.readline())
            process = this_process(home, port) if profile else own_process(home, port, **more)
            async with process as daemon:
                presser = Presser(daemon.fact("osc_port"), daemon.token)
                presser.send("/bridge/hello")
                await presser.until("/bridge/welcome")
                await asyncio.sleep(1)  # the catalogue is read at the start
                for number in range(presses + 5):
                    sent = presser.send(
                        "/bridge/generate", id=str(uuid.uuid4()), prompt=f"p{number}", duration="30", position="12.5"
                    )
                    seen = int((await server.stdout.readline()).split()[0])
                    if number >= 5:
                        times.append((seen - sent) / 1e6)
                        if profile:
                            profile.press(sent, seen)
                    await presser.until("/bridge/failed")
                    presser.send("/bridge/hello")
                    await presser.until("/bridge/welcome")
                    await asyncio.sleep(0.05)
                    if profile:
                        profile.marks.clear()
                presser.sock.close()
    finally:
        server.terminate()
        await server.wait()
    return times


class Profile:
    """Notes when each part of the way begins and ends."""

    def __init__(self) -> None:
        self.marks: list[tuple[int, str]] = []
        self.spans: dict[str, list[float]] = defaultdict(list)
        self._wrap(osc_module.OscServer, "datagram_received", "datagram")
        self._wrap(Admit, "admit", "admit")
        self._wrap(Admit, "_resolve", "resolve")
        self._wrap(Conveyor, "_drive", "drive")
        self._wrap(submit_module, "submit", "submit step")
        self._wrap(client, "submit", "client.submit")
        self._journal()

    def _mark(self, name: str) -> None:
        self.marks.append((time.monotonic_ns(), name))

    def _wrap(self, owner: Any, name: str, shown: str) -> None:
        inner = getattr(owner, name)

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            self._mark(f"{shown} begins")
            made = inner(*args, **kwargs)
            if not asyncio.iscoroutine(made):
                self._mark(f"{shown} ends")
                return made
            return self._await(made, shown)

        setattr(owner, name, wrapper)

    async def _await(self, made: Any, shown: str) -> Any:
        try:
            return await made
        finally:
            self._mark(f"{shown} ends")

    def _journal(self) -> None:
        for kind in ("write", "read"):
            inner, inner_thread = getattr(Journal, kind), getattr(Journal, f"_{kind}")

            def outer(journal: Any, *args: Any, _inner: Any = inner, _kind: str = kind) -> Any:
                name = f"{_kind} {args[0]}" if _kind == "write" else "read"
                self._mark(f"{name} begins")
                return self._await(_inner(journal, *args), name)

            def in_thread(journal: Any, *args: Any, _inner: Any = inner_thread, _kind: str = kind) -> Any:
                name = f"  [thread] {_kind} {args[0]}" if _kind == "write" else "  [thread] read"
                self._mark(f"{name} begins")
                try:
                    return _inner(journal, *args)
                finally:
                    self._mark(f"{name} ends")

            setattr(Journal, kind, outer)
            setattr(Journal, f"_{kind}", in_thread)

    def press(self, sent: int, seen: int) -> None:
        last = sent
        names: dict[str, int] = defaultdict(int)
        for at, name in sorted([*self.marks, (seen, "POST read by the server")]):
            if at > seen:
                break
            names[name] += 1
            self.spans[f"{name} #{names[name]}"].append((at - last) / 1e6)
            last = at

    def told(self) -> str:
        rows = [(name, spans) for name, spans in self.spans.items() if len(spans) > 5]
        return "\n".join(f"{statistics.median(s):7.3f} ms  until {name}  ({len(s)})" for name, s in rows)


def row(presses: int = 200) -> Row:
    """Return the figure for the table."""
    times = sorted(asyncio.run(measure(presses, None)))
    median, p95 = statistics.median(times), times[int(len(times) * 0.95)]
    flushes, wire = 2000 * limits.flush(), 1000 * limits.post()
    limit = flushes + wire
    return Row(
        "OSC datagram sent → POST read by the server; the journal and the record of what is sent are flushed between",
        f"median {median:.1f} ms, p95 {p95:.1f} ms, least {times[0]:.1f} ms; {median / limit:.1f} × two flushes "
        f"of this disk ({flushes:.1f} ms, {100 * flushes / median:.0f} % of it) and a bare connection ({wire:.2f} ms)",
        "≤ 4 ms",
        median <= 4,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--presses", type=int, default=200)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--server", action="store_true")
    given = parser.parse_args()
    if given.server:
        asyncio.run(serve())
        return
    profile = Profile() if given.profile else None
    times = sorted(asyncio.run(measure(given.presses, profile)))
    p95 = times[int(len(times) * 0.95)]
    sys.stdout.write(
        f"press → POST: median {statistics.median(times):.2f} ms, p95 {p95:.2f} ms, "
        f"least {times[0]:.2f}, most {times[-1]:.2f} ({len(times)} presses)\n"
    )
    if profile:
        sys.stdout.write(profile.told() + "\n")


if __name__ == "__main__":
    main()
