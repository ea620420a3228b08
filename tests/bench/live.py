"""How long from a press on the Live device to the bridge's accepted, on loopback.

    python -m tests.bench.live [--presses 200]

The built device runs under Node, the daemon in a process of its own as it runs for people, with the sketch engine.
The time is taken inside of the device's program: from the click on the control, through the cords of the patcher and
the script, the datagram, the request's durable commit, and the answer, to the device's own socket. What Max itself
needs is not in it. The second row is the same way to a bare socket that answers at once: what the device takes of it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bridge_daemon.home.paths import Home
from tests.live.bridge import bridge
from tests.live.player import player


def start(home: Path) -> subprocess.Popen[bytes]:
    """Start a daemon as people do."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("DAW_BRIDGE_", "EMPIRIOLABS"))}
    environ |= {"DAW_BRIDGE_HOME": str(home), "DAW_BRIDGE_ENGINE__NAME": "sketch"}
    environ |= {f"DAW_BRIDGE_{name}": "0" for name in ("HTTP__PORT", "OSC__PORT", "PUBLISH__SOURCE_PORT")}
    environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    return subprocess.Popen(
        [sys.executable, "-m", "bridge_daemon", "run"],
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


async def press(folder: Path, home: Path, presses: int) -> list[float]:
    """Press, and return the times, ms. The job is cancelled each time, so that only a press is measured."""
    times = []
    async with player(folder, silent=False) as live:
        await live.open(home=home)
        await live.connected()
        await live.set(Length_Bars=1)
        for number in range(presses + 1):
            await live.set(Prompt=f"take {number}")
            times.append(await live.do("time", control="Generate", address="/bridge/accepted"))
            await live.click("Cancel")
            await asyncio.sleep(0.15)
    return sorted(times[1:])  # the first one warms up


async def alone(folder: Path, presses: int) -> list[float]:
    """Press against a socket that only answers."""
    async with bridge(folder) as socket:
        return await press(folder, socket.home.path, presses)


def with_daemon(folder: Path, presses: int) -> list[float]:
    """Press against a daemon. Raises RuntimeError where it does not start."""
    home = folder / "home"
    daemon = start(home)
    try:
        while Home(home).read_runtime() is None:
            if daemon.poll() is not None:
                raise RuntimeError("the daemon did not start")
            time.sleep(0.05)
        return asyncio.run(press(folder, home, presses))
    finally:
        daemon.terminate()
        daemon.wait(30)


def main() -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.live", description=__doc__)
    parser.add_argument("--presses", type=int, default=200)
    presses = parser.parse_args().presses
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        rows = {
            "the bridge": with_daemon(Path(one), presses),
            "a bare socket": asyncio.run(alone(Path(other), presses)),
        }
    sys.stdout.write(
        "| press on the device → accepted, ms | median | p95 | least | most | presses |\n|---|---|---|---|---|---|\n"
    )
    for name, times in rows.items():
        p95 = times[int(len(times) * 0.95)]
        told = " | ".join(f"{value:.1f}" for value in (statistics.median(times), p95, times[0], times[-1]))
        sys.stdout.write(f"| {name} | {told} | {len(times)} |\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
