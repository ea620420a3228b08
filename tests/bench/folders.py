"""Watched folders: from the last write of a render to the POST; and what 5,000 files at once do to the event loop.

    python -m tests.bench.folders [--renders 40] [--burst 5000] [--seconds 8]

The daemon runs as it does for people, in a process of its own, and watches a folder that spends; a server notes when a
POST was read. Both read the one monotonic clock of the machine. The burst runs in this process,
where the loop's stalls can be measured: a timer that should fire each millisecond says how late it was. That depends
on what else the machine does; the processor time of the longest callback does not.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import numpy as np
import soundfile

from tests.app.test_loop import watched as longest_callbacks
from tests.bench.press import KEY, environment
from tests.frontends.folders.renders import one, watched, watching
from tests.waiting import eventually

FOLDER = """
[presets.strings]
action = "transform"
prompt = "string quartet"

[[folders]]
name = "renders"
path = {path}
preset = "strings"
spend = true
max_batch = 100
"""


async def serve() -> None:
    """Note when each POST was read, and refuse it: nothing else goes on when the next render comes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
                await reader.readexactly(int(fields.get("content-length", 0)))
                if head.startswith("POST"):
                    sys.stdout.write(f"{time.monotonic_ns()}\n")
                    sys.stdout.flush()
                writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


@asynccontextmanager
async def daemon(home: Path, folder: Path, port: int):
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text(FOLDER.format(path=json.dumps(str(folder))))
    with (home / "told.txt").open("w") as told:
        process = subprocess.Popen(
            [sys.executable, "-m", "bridge_daemon", "run"],
            env=os.environ | environment(home, port) | {"EMPIRIOLABS_API_KEY": KEY},
            stdout=told,
            stderr=told,
        )
        try:
            while not (home / "runtime.json").exists() or not (folder / ".daw-bridge.lock").exists():
                await asyncio.sleep(0.05)
            await asyncio.sleep(2)  # the catalogue is read at the start, and the folder once
            yield
        finally:
            process.terminate()
            process.wait()


def sounds(seconds: float, count: int) -> list[bytes]:
    """Return so many different WAVs, 24 bit, 48 kHz, stereo."""
    made = []
    for number in range(count):
        wave = 0.2 * np.sin(np.arange(round(seconds * 48_000)) * (0.01 + number / 10_000))
        with tempfile.NamedTemporaryFile(suffix=".wav") as file:
            soundfile.write(file.name, np.column_stack([wave, wave]), 48_000, subtype="PCM_24")
            made.append(Path(file.name).read_bytes())
    return made


async def latency(renders: int, seconds: float) -> list[float]:
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.folders", "--server", stdout=asyncio.subprocess.PIPE
    )
    assert server.stdout is not None
    times = []
    try:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "Renders"
            folder.mkdir()
            port = int(await server.stdout.readline())
            async with daemon(Path(temporary) / "home", folder, port):
                for number, data in enumerate(sounds(seconds, renders + 2)):
                    with (folder / f"render {number}.wav").open("wb") as file:
                        file.write(data)
                    closed = time.monotonic_ns()
                    async with asyncio.timeout(20):
                        posted = int(await server.stdout.readline())
                    if number >= 2:
                        times.append((posted - closed) / 1e6)
                    await asyncio.sleep(0.15)
    finally:
        server.terminate()
        await server.wait()
    return sorted(times)


class Stalls:
    """How late the loop comes to what is due."""

    def __init__(self) -> None:
        self.worst = 0.0
        self.at = 0.0

    async def watch(self) -> None:
        began = time.perf_counter()
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            late = time.perf_counter() - before - 0.001
            if late > self.worst:
                self.worst, self.at = late, before - began


async def burst(count: int, *, spend: bool) -> list[str]:
    [data] = sounds(1, 1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "Renders"
        folder.mkdir()
        async with watching(Path(temporary) / "home", None, watched(folder, spend=spend)) as daemon:
            await asyncio.sleep(1.5)
            gc.collect()
            gc.freeze()  # as daemon.run does
            stalls, callbacks = Stalls(), ExitStack()
            taken = callbacks.enter_context(longest_callbacks(least=0.0005))
            gc.enable()  # it is part of what holds the loop up
            watcher = asyncio.create_task(stalls.watch())
            began = time.perf_counter()
            writer = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.bench.folders", "--write", str(folder), "--burst", str(count)
            )
            await writer.wait()
            written = time.perf_counter() - began
            found = one(daemon)
            await eventually(lambda: len(found.known.files) == count and not found.about()["coming"], seconds=120)
            seen = time.perf_counter() - began
            watcher.cancel()
            callbacks.close()
            waiting = found.about()["waiting"]
            jobs = len(await daemon.actions.jobs(states=[], q=None, client=None, before=None, limit=500))
    assert waiting + jobs == count, (waiting, jobs)
    kind = "spends" if spend else "does not spend"
    return [
        f"{count} files of {len(data)} bytes into a folder that {kind}: written in {written:.1f} s by another process,",
        f"  all listed {seen - written:.1f} s later: {waiting} waiting, {jobs} job(s), none lost",
        f"  longest callback of the loop {max(taken, default=(0.0, ''))[0] * 1e3:.1f} ms of processor time; "
        f"worst stall {stalls.worst * 1e3:.1f} ms (at {stalls.at:.1f} s)",
    ]


def write(folder: Path, count: int) -> None:
    [data] = sounds(1, 1)
    for number in range(count):
        (folder / f"sample {number}.wav").write_bytes(data[:-4] + number.to_bytes(4, "little"))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--renders", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--burst", type=int, default=5000)
    parser.add_argument("--server", action="store_true")
    parser.add_argument("--write")
    given = parser.parse_args()
    if given.server:
        asyncio.run(serve())
    elif given.write:
        write(Path(given.write), given.burst)
    else:
        told = []
        if given.renders:
            times = asyncio.run(latency(given.renders, given.seconds))
            told.append(
                f"last write → POST, {given.seconds:g} s of sound: median {statistics.median(times):.1f} ms, "
                f"p95 {times[int(len(times) * 0.95)]:.1f} ms, least {times[0]:.1f}, most {times[-1]:.1f} ({len(times)})"
            )
        for spend in (True, False) if given.burst else ():
            told += asyncio.run(burst(given.burst, spend=spend))
        sys.stdout.write("\n".join(told) + "\n")


if __name__ == "__main__":
    main()
