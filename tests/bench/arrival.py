"""How long from "done" at the service to the take on disk and announced, beyond the download: a 30 s take.

    python -m tests.bench.arrival [--takes 20]

The clock runs from when the poll that says "completed" is answered to when the client has the datagram of
`/bridge/result`; the time in which the server sends the file is taken off.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path

import numpy as np
import soundfile

from tests.bench import limits
from tests.bench.figures import Row
from tests.bench.process import Presser, own_process

SECONDS, RATE = 30, 44_100


def take() -> bytes:
    """Return 30 s of stereo noise as WAV, 16 bit."""
    sound = np.random.default_rng(1).normal(0, 0.1, (SECONDS * RATE, 2))
    file = io.BytesIO()
    soundfile.write(file, sound, RATE, format="WAV", subtype="PCM_16")
    return file.getvalue()


class Server:
    """A service whose jobs are done at the first poll. No two of its takes are the same."""

    def __init__(self) -> None:
        self.take = take()
        self.done = self.sending = 0.0  # monotonic, s; sending: how long the last download took
        self._jobs = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
                body = await reader.readexactly(int(fields.get("content-length", 0)))
                verb, path = head.split()[:2]
                if verb == "POST":
                    self.post(writer, body)
                elif path.startswith("/v1/jobs/"):
                    job = path.rpartition("/")[2]
                    url = f"http://{fields['host']}/take/{job}.wav"
                    self._json(writer, {"job_id": job, "status": "completed", "result": {"data": [{"url": url}]}})
                    self.done = time.monotonic()
                elif path.startswith("/take/"):
                    begun = time.monotonic()
                    number = int(path.rpartition("-")[2].removesuffix(".wav"))
                    self._write(writer, "200 OK", self.take[:-4] + number.to_bytes(4, "little"))
                    await writer.drain()
                    self.sending = time.monotonic() - begun
                else:
                    self._write(writer, "404 Not Found", b"")
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.close()

    def post(self, writer: asyncio.StreamWriter, body: bytes) -> None:
        """Answer a POST."""
        self._jobs += 1
        self._json(writer, {"job_id": f"job-{self._jobs}"})

    def _json(self, writer: asyncio.StreamWriter, data: object) -> None:
        self._write(writer, "200 OK", json.dumps(data).encode())

    def _write(self, writer: asyncio.StreamWriter, status: str, body: bytes) -> None:
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        writer.write(body)


async def measure(takes: int) -> list[float]:
    """Return the time of each take, ms."""
    service, times = Server(), []
    server = await asyncio.start_server(service.answer, "127.0.0.1", 0)
    with tempfile.TemporaryDirectory() as folder:
        async with own_process(Path(folder) / "home", server.sockets[0].getsockname()[1]) as daemon:
            presser = Presser(daemon.fact("osc_port"), daemon.token)
            presser.send("/bridge/hello")
            await presser.until("/bridge/welcome")
            await asyncio.sleep(2)  # what is loaded beside the start
            for number in range(takes + 2):
                presser.send("/bridge/generate", id=str(uuid.uuid4()), prompt=f"p{number}", duration="30", position="1")
                result = await presser.until("/bridge/result")
                now = time.monotonic()
                values = dict(zip(result.values[::2], result.values[1::2], strict=True))
                presser.send("/bridge/placed", job=values["job"], delivery=values["delivery"])
                await presser.until("/bridge/ok")
                presser.send("/bridge/hello")
                await presser.until("/bridge/welcome")
                if number >= 2:
                    times.append((now - service.done - service.sending) * 1000)
            presser.sock.close()
    server.close()
    return times


def row(takes: int = 20) -> Row:
    """Return the figure for the table."""
    times = sorted(asyncio.run(measure(takes)))
    median = statistics.median(times)
    what = "done at the service → take of 30 s on disk and announced, beyond the download"
    frames = SECONDS * RATE * 2
    limit = 1000 * (limits.store(frames * 2) + limits.store(frames * 3))  # the original, and the take
    told = f"median {median:.0f} ms, most {times[-1]:.0f} ms; {median / limit:.1f} × writing and flushing both files"
    return Row(what, f"{told} ({limit:.0f} ms)", "≤ 35 ms", median <= 35)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--takes", type=int, default=20)
    sys.stdout.write(row(parser.parse_args().takes).figure + "\n")


if __name__ == "__main__":
    main()
