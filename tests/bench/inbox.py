"""How quick the inbox is, and what it costs while nothing happens.

    python -m tests.bench.inbox [--presses 100] [--clients 50] [--idle 30]

File renamed → POST read by the server, and → status visible, with the daemon in a process of its own as people run it.
Idle cost: processor time of that process, with so many clients that do nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import asynccontextmanager
from pathlib import Path

from tests.bench.press import environment
from tests.bench.process import processor_seconds

_MS = 1e6


@asynccontextmanager
async def bridge(home: Path, port: int):
    """Run the daemon; yield its process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge_daemon", "run"],
        env=os.environ | environment(home, port),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not (home / "runtime.json").exists():
            await asyncio.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait()


def write(inbox: Path, name: str, data: object) -> int:
    temporary = inbox / f"{name}.tmp"
    temporary.write_text(json.dumps(data), encoding="utf-8")
    at = time.monotonic_ns()
    temporary.rename(inbox / name)
    return at


def switches(pid: int) -> int:
    """Times that a thread of the process went to sleep by itself: how often it was woken."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                total += int(line.split()[1])
    return total


async def presses(home: Path, server: asyncio.subprocess.Process, count: int) -> None:
    inbox, outbox = home / "inbox" / "bench", home / "outbox" / "bench"
    inbox.mkdir()
    while not (outbox / "daemon.json").exists():
        await asyncio.sleep(0.05)
    await asyncio.sleep(1)
    posted, seen = [], []
    assert server.stdout is not None
    for number in range(count + 5):
        name = str(uuid.uuid4())
        data = {"version": 1, "id": name, "action": "generate", "prompt": f"p{number}", "duration": 30}
        at = write(inbox, f"{name}.json", data)
        line = asyncio.create_task(server.stdout.readline())
        while not (outbox / f"{name}.status.json").exists():
            await asyncio.sleep(0.0002)
        status = time.monotonic_ns()
        post = int((await line).split()[0])
        if number >= 5:
            posted.append((post - at) / _MS)
            seen.append((status - at) / _MS)
        await asyncio.sleep(0.1)
    for what, times in (("POST", sorted(posted)), ("status", sorted(seen))):
        p95, most = times[int(len(times) * 0.95)], times[-1]
        sys.stdout.write(
            f"file renamed → {what:6}: median {statistics.median(times):6.2f} ms, p95 {p95:6.2f} ms, most {most:6.2f}\n"
        )


async def idle(home: Path, pid: int, clients: int, seconds: float) -> None:
    for number in range(clients):
        (home / "inbox" / f"idle-{number}").mkdir(exist_ok=True)
    await asyncio.sleep(75)  # until nobody counts as active
    cpu, woken = processor_seconds(pid), switches(pid)
    await asyncio.sleep(seconds)
    used, times = processor_seconds(pid) - cpu, switches(pid) - woken
    sys.stdout.write(
        f"idle, {clients:3} clients: {100 * used / seconds:.2f} % of a core, {times / seconds:.1f} wake-ups a second\n"
    )


async def measure(given: argparse.Namespace) -> None:
    arguments = [sys.executable, "-m", "tests.bench.press", "--server"]
    server = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)
    assert server.stdout is not None
    try:
        with tempfile.TemporaryDirectory() as folder:
            home, port = Path(folder) / "home", int(await server.stdout.readline())
            async with bridge(home, port) as process:
                await presses(home, server, given.presses)
                if given.idle:
                    await idle(home, process.pid, 0, given.idle)
                    await idle(home, process.pid, given.clients, given.idle)
    finally:
        server.terminate()
        await server.wait()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--presses", type=int, default=100)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--idle", type=float, default=30.0)
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
