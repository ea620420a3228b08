"""How long from a press on a pad to the request on the wire, and what an attached controller costs while nobody plays.

    python -m tests.bench.pads [--presses 200] [--idle 10]

Needs jackd (package jackd2). Five processes: a JACK server without hardware, a controller, the daemon as it runs for
people, a server that notes when a POST is there, and this one. All read the one monotonic clock of the machine; the
press is stamped by the controller just before it hands the message to its driver.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.bench import limits
from tests.bench.figures import Row
from tests.bench.press import environment
from tests.frontends.midi.controller import Controller, controller, jack_server, note, off

PERIOD = 64  # frames of 48 kHz: what musicians set for the least delay
PERIOD_OF_JACK = 1024  # what JACK takes where nothing is set
PADS = [
    {"name": "arm", "port": "pad*", "number": 1, "action": "arm"},
    {"name": "go", "port": "pad*", "number": 36, "preset": "go", "repeat_ms": 0, "light": {"idle": 0, "armed": 5}},
]


def midi_environment(attached: bool) -> dict[str, str]:
    return {
        "DAW_BRIDGE_MIDI__ENABLED": "true" if attached else "false",
        "DAW_BRIDGE_MIDI__ARM_BUDGET_USD": "100000",
        "DAW_BRIDGE_MIDI__BINDINGS": json.dumps(PADS if attached else []),
    }


def cpu(pid: int) -> float:
    """Return the seconds of processor time of the threads of a process."""
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


async def idle(pid: int, seconds: float) -> float:
    """Return the percent of a core that a process uses."""
    before, start = cpu(pid), time.monotonic()
    await asyncio.sleep(seconds)
    return 100 * (cpu(pid) - before) / (time.monotonic() - start)


@asynccontextmanager
async def daemon(home: Path, port: int, *, attached: bool) -> AsyncIterator[subprocess.Popen[bytes]]:
    home.mkdir()
    (home / "config.toml").write_text('[presets.go]\naction = "generate"\nprompt = "riser"\n')
    home.chmod(0o700)
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge_daemon", "run"],
        env=os.environ | environment(home, port) | midi_environment(attached),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not (home / "runtime.json").exists():
            assert process.poll() is None
            await asyncio.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait()


async def press(keys: Controller, server: Any, presses: int) -> list[float]:
    times = []
    for number in range(presses + 5):
        sent = await keys.play(note(36), off(36))
        seen = int((await server.stdout.readline()).split()[0]) / 1e9
        if number >= 5:
            times.append((seen - sent) * 1e3)
        await asyncio.sleep(random.uniform(0.1, 0.2))  # no common measure with any poll
    return times


async def measure_presses(presses: int) -> list[float]:
    arguments = [sys.executable, "-m", "tests.bench.press", "--server"]
    server = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)
    assert server.stdout is not None
    try:
        port = int(await server.stdout.readline())
        with tempfile.TemporaryDirectory() as folder:
            async with controller() as keys, daemon(Path(folder) / "home", port, attached=True):
                await keys.until(lambda: keys.seen)  # the idle light: it is attached
                await keys.play(note(1), off(1))
                await keys.until(lambda: note(36, 5) in keys.seen)  # armed
                await asyncio.sleep(1)
                return await press(keys, server, presses)
    finally:
        server.terminate()
        await server.wait()


async def measure_idle(seconds: float, *, attached: bool) -> float:
    with tempfile.TemporaryDirectory() as folder:
        async with controller() as keys, daemon(Path(folder) / "home", 1, attached=attached) as process:
            if attached:
                await keys.until(lambda: keys.seen)
            await asyncio.sleep(35)  # until what is loaded beside the start is there, and it takes nobody for playing
            return await idle(process.pid, seconds)


def measure(presses: int, seconds: float) -> tuple[list[float], float, float, float]:
    """Return the times of presses (ms), and the use of a core (%): without MIDI, with it, and with a hurried JACK."""
    with tempfile.TemporaryDirectory() as folder:
        with jack_server(Path(folder) / "jackd.log", period=PERIOD) as server:
            os.environ.update(server.env)
            times = sorted(asyncio.run(measure_presses(presses)))
            hurried = asyncio.run(measure_idle(seconds, attached=True))
        with jack_server(Path(folder) / "jackd.log", period=PERIOD_OF_JACK) as server:
            os.environ.update(server.env)
            without, attached = (asyncio.run(measure_idle(seconds, attached=each)) for each in (False, True))
    return times, without, attached, hurried


def rows(presses: int = 200, seconds: float = 10.0) -> list[Row]:
    """Return the figures for the table."""
    if shutil.which("jackd") is None:
        return [Row("press on a pad → POST", "jackd is not installed")]
    times, without, attached, hurried = measure(presses, seconds)
    median, p95 = statistics.median(times), times[int(len(times) * 0.95)]
    limit = 2000 * limits.flush() + 1000 * limits.post()
    return [
        Row(
            "press on a pad → POST",
            f"median {median:.1f} ms, p95 {p95:.1f} ms; {median / limit:.1f} × two flushes and a bare connection",
            "≤ 6 ms",
            median <= 6,
        ),
        Row(
            "idle with a controller attached, use of a core",
            f"{attached:.2f} %; without MIDI {without:.2f} %; {hurried:.2f} % where JACK has {PERIOD} frames a period "
            f"and not {PERIOD_OF_JACK}",
            "≤ 0.7 %",
            attached <= 0.7,
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--presses", type=int, default=200)
    parser.add_argument("--idle", type=float, default=10)
    given = parser.parse_args()
    times, without, attached, hurried = measure(given.presses, given.idle)
    sys.stdout.write(
        f"press on a pad → POST: median {statistics.median(times):.2f} ms, p95 {times[int(len(times) * 0.95)]:.2f} ms, "
        f"least {times[0]:.2f}, most {times[-1]:.2f} ({len(times)} presses)\n"
        f"idle: {attached:.2f} % of a core with a controller attached, {without:.2f} % without MIDI, {hurried:.2f} % "
        f"where JACK has {PERIOD} frames a period and not {PERIOD_OF_JACK}\n"
    )


if __name__ == "__main__":
    main()
