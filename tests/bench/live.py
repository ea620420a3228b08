"""How long from a press on the Live device to the bridge's accepted, on loopback.

    python -m tests.bench.live [--presses 200]

The built device runs under Node, the daemon in a process of its own as it runs for people, with the sketch engine.
The time is taken inside of the device's program: from the click on the control, through the cords of the patcher and
the script, the datagram, the request's durable commit, and the answer, to the device's own socket. What Max itself
needs is not in it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bridge_daemon.home import Home
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


async def press(folder: Path, presses: int) -> list[float]:
    """Press, and return the times, ms. The job is cancelled each time, so that only a press is measured."""
    times = []
    async with player(folder, silent=False) as live:
        await live.open(home=folder / "home")
        await live.connected()
        await live.set(Length_Bars=1)
        for number in range(presses + 1):
            await live.set(Prompt=f"take {number}")
            times.append(await live.do("time", control="Generate", address="/bridge/accepted"))
            await live.click("Cancel")
            await asyncio.sleep(0.15)
    return times[1:]  # the first one warms up


def main() -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.live", description=__doc__)
    parser.add_argument("--presses", type=int, default=200)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        daemon = start(home)
        try:
            while Home(home).read_runtime() is None:
                if daemon.poll() is not None:
                    sys.stdout.write("The daemon did not start.\n")
                    return 1
                asyncio.run(asyncio.sleep(0.05))
            times = sorted(asyncio.run(press(Path(folder), given.presses)))
        finally:
            daemon.terminate()
            daemon.wait(30)
    p95 = times[int(len(times) * 0.95)]
    sys.stdout.write("| press on the device → accepted, ms | median | p95 | max | presses |\n|---|---|---|---|---|\n")
    sys.stdout.write(f"| | {statistics.median(times):.1f} | {p95:.1f} | {times[-1]:.1f} | {len(times)} |\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
