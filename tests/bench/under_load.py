"""How long a press takes to the wire while 200 takes are being fetched and finished.

    python -m tests.bench.under_load [--takes 200]

Three processes: the daemon as it runs for people, a service whose jobs are done at once and whose takes have 30 s, and
this one, which presses. The service refuses the presses that are measured, and notes when it has read them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path

from tests.bench.arrival import Server
from tests.bench.figures import Row
from tests.bench.process import Presser, own_process

MEASURED = "measured"


class Loaded(Server):
    """Refuses what is measured, and tells when it was read."""

    def post(self, writer: asyncio.StreamWriter, body: bytes) -> None:
        """Answer a POST."""
        if json.loads(body)["prompt"].startswith(MEASURED):
            sys.stdout.write(f"{time.monotonic_ns()}\n")
            sys.stdout.flush()
            self._write(writer, "400 Bad Request", b"")
            return
        super().post(writer, body)


async def serve() -> None:
    server = await asyncio.start_server(Loaded().answer, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


async def measure(takes: int) -> tuple[list[float], float]:
    """Return the times of the presses, ms, and how many takes a second were finished meanwhile."""
    arguments = [sys.executable, "-m", "tests.bench.under_load", "--server"]
    server = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)
    assert server.stdout is not None
    times: list[float] = []
    try:
        port = int(await server.stdout.readline())
        with tempfile.TemporaryDirectory() as folder:
            more = {"DAW_BRIDGE_ENGINE__MAX_OPEN_JOBS": "64", "DAW_BRIDGE_AUDIO__MEASURE": "false"}
            async with own_process(Path(folder) / "home", port, **more) as daemon:
                presser, worker = (Presser(daemon.fact("osc_port"), daemon.token, name) for name in ("bench", "load"))
                for one in (presser, worker):
                    one.send("/bridge/hello")
                    await one.until("/bridge/welcome")
                await asyncio.sleep(2)
                begun, done = time.monotonic(), asyncio.create_task(_count(worker, takes))
                for number in range(takes // 8):
                    worker.send(
                        "/bridge/generate", id=str(uuid.uuid4()), prompt=f"load {number}", variations=8, duration="30"
                    )
                    await asyncio.sleep(0.01)
                while not done.done():
                    sent = presser.send(
                        "/bridge/generate", id=str(uuid.uuid4()), prompt=f"{MEASURED} {len(times)}", duration="30"
                    )
                    times.append((int(await server.stdout.readline()) - sent) / 1e6)
                    await asyncio.sleep(0.05)
                await done  # raises what it met
                rate = (takes // 8 * 8) / (time.monotonic() - begun)
                for one in (presser, worker):
                    one.sock.close()
    finally:
        server.terminate()
        await server.wait()
    return times, rate


async def _count(worker: Presser, takes: int) -> None:
    """Return once every take was announced; they are confirmed, so that none is said again.

    What was lost is said again after the next hello, which clients send every few seconds.
    """
    seen: set[str] = set()
    greeted = time.monotonic()
    while len(seen) < takes // 8 * 8:
        result = await worker.until("/bridge/result", seconds=600.0)
        values = dict(zip(result.values[::2], result.values[1::2], strict=True))
        seen.add(str(values["job"]))
        worker.send("/bridge/placed", job=values["job"], delivery=values["delivery"])
        if time.monotonic() - greeted > 2:
            greeted = time.monotonic()
            worker.send("/bridge/hello")


def row(takes: int = 200) -> Row:
    """Return the figure for the table."""
    times, rate = asyncio.run(measure(takes))
    times.sort()
    median, p95 = statistics.median(times), times[int(len(times) * 0.95)]
    return Row(
        f"a press while {takes} takes of 30 s are being fetched and finished",
        f"median {median:.1f} ms, p95 {p95:.1f} ms ({len(times)} presses, {rate:.0f} takes a second)",
        "p95 ≤ 25 ms",
        p95 <= 25,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--takes", type=int, default=200)
    parser.add_argument("--server", action="store_true")
    given = parser.parse_args()
    if given.server:
        asyncio.run(serve())
        return
    found = row(given.takes)
    sys.stdout.write(f"{found.what}: {found.figure} ({found.target}) {found.verdict}\n")


if __name__ == "__main__":
    main()
