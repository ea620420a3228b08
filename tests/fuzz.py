"""Let schemathesis loose on the HTTP API of a real daemon: no answer may be one of a fault of ours.

    make fuzz            (or: python -m tests.fuzz SCHEMATHESIS [its options])

The daemon has a home of its own and the built-in engine, so nothing is spent. What schemathesis counts is every status
from 500 on. Afterwards the daemon must still be there, and its log must tell of no fault.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

from bridge_daemon.care.trial_daemon import TrialDaemon
from bridge_daemon.client.client import BridgeClient
from bridge_daemon.home.paths import Home

#: What is left out: a stream does not end; a paused bridge refuses what the others would be asked; a key that is not
#: there cannot be checked (503, as the description says).
LEFT_OUT = ("/api/events", "/api/pause", "/api/key/check")


async def _ready(daemon: TrialDaemon, home: Home) -> str:
    """Wait for the daemon, and return the id of a job whose take is there."""
    async with BridgeClient(home) as client:
        await daemon.ready(client)
        made = await client.submit({"version": 1, "id": str(uuid.uuid4()), "action": "generate", "prompt": "rain"})
        return str(made["jobs"][0])


def main(argv: list[str]) -> int:
    """Run schemathesis against a daemon; return its exit code, or 1 if the daemon did not bear it."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        home.path.mkdir(mode=0o700)
        with TrialDaemon(home.path) as daemon:
            job = asyncio.run(_ready(daemon, home))
            (Path(folder) / "schemathesis.toml").write_text(f'[parameters]\n"path.job" = "{job}"\n', "utf-8")
            url = json.loads((home.path / "runtime.json").read_text("utf-8"))["http_url"]
            token = (home.path / "token").read_text("utf-8").strip()
            command = [argv[0], "run", f"{url}/api/openapi.json", "--url", url]
            command += ["--header", f"Authorization: Bearer {token}", "--checks", "not_a_server_error"]
            command += ["--max-examples", "40", "--workers", "1", "--request-timeout", "30", "--no-color"]
            command += ["--header", "Sec-Fetch-Site: same-origin", "--suppress-health-check", "all"]
            command += [word for path in LEFT_OUT for word in ("--exclude-path", path)]
            done = subprocess.run([*command, *argv[1:]], check=False, cwd=folder)
            asyncio.run(_ready(daemon, home))
        log = "".join(file.read_text("utf-8") for file in home.path.rglob("*.log"))
        faults = [line for line in log.splitlines() if "E-INTERNAL" in line or "Traceback" in line]
        sys.stdout.write("\n".join(faults[:20]) + "\n")
        return done.returncode or bool(faults)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
