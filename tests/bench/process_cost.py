"""What the daemon costs when nobody presses: the start, and the idle hours. Linux only: it reads /proc.

python -m tests.bench.process_cost [--idle 20]
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
from pathlib import Path

from tests.bench import limits
from tests.bench.figures import Row
from tests.bench.process import own_process, processor_seconds


async def measure(starts: int, idle: float) -> tuple[float, list[float], float, float]:
    """Return the first start of a home (s), later ones (s), idle use of a core (0..1) and memory (MB)."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        times = []
        async with own_process(Path(folder) / "first", None):
            pass  # Python compiles what it has not yet
        for _ in range(starts + 1):
            async with own_process(home, None) as daemon:
                times.append(daemon.start_s)
        async with own_process(home, None) as daemon:
            await asyncio.sleep(5)  # what is loaded beside the start
            before = processor_seconds(daemon.pid)
            await asyncio.sleep(idle)
            share = (processor_seconds(daemon.pid) - before) / idle
            memory = _memory(daemon.pid)
    return times[0], times[1:], share, memory


def _memory(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def rows(starts: int = 5, idle: float = 20.0) -> list[Row]:
    """Return the figures for the table."""
    first, later, share, memory = asyncio.run(measure(starts, idle))
    median = statistics.median(later)
    bare, least = limits.python("pass")
    parts, _ = limits.python("import sqlalchemy, pydantic, typer; from pydantic import BaseModel")
    return [
        Row(
            "start of the process → ready",
            f"median {median:.2f} s, best {min(later):.2f} s; a new home {first:.2f} s; {min(later) / parts:.1f} × a "
            f"Python that loads SQLAlchemy, pydantic and typer ({parts:.2f} s; an empty one {bare:.2f} s)",
            "≤ 0.35 s",
            median <= 0.35,
        ),
        Row(f"idle, use of a core over {idle:g} s", f"{share * 100:.2f} %", "≤ 0.5 %", share <= 0.005),
        Row(
            "idle, memory (RSS), until the page is opened or a job is made",
            f"{memory:.0f} MB; {memory / least:.1f} × an empty Python ({least:.0f} MB)",
            "≤ 60 MB",
            memory <= 60,
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--idle", type=float, default=20.0)
    for row in rows(idle=parser.parse_args().idle):
        sys.stdout.write(f"{row.what}: {row.figure} ({row.target}) {row.verdict}\n")


if __name__ == "__main__":
    main()
