"""A stand-in of ``systemctl --user`` that runs one service, as far as the bridge uses it.

Rules, from systemctl(1) and systemd.service(5): the unit is read from ``$XDG_CONFIG_HOME/systemd/user``. What has no
unit file is refused with 5 (``restart``) or 1 (``enable``, ``disable``). ``is-active`` prints the state and answers 0
if it is ``active``, else 3. ``ExecStart`` is split as quoted words in which ``%%`` is ``%`` and ``$$`` is ``$``.
A service gets the ``Environment`` of its unit beside that of the user manager, and no terminal. It is ended by SIGTERM.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
UNITS = Path(os.environ["XDG_CONFIG_HOME"]) / "systemd" / "user"


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def pid_of(unit: str) -> int | None:
    with contextlib.suppress(OSError):
        pid = int((HERE / f"{unit}.pid").read_text())
        return pid if alive(pid) else None
    return None


def words(text: str) -> list[str]:
    return [word.replace("%%", "%") for word in shlex.split(text)]


def start(unit: str) -> None:
    lines = (UNITS / unit).read_text().splitlines()
    command = next(line.partition("=")[2] for line in lines if line.startswith("ExecStart="))
    given = [words(line.partition("=")[2])[0] for line in lines if line.startswith("Environment=")]
    environ = {"HOME": os.environ["HOME"]} | dict(one.split("=", 1) for one in given)
    process = subprocess.Popen(
        [word.replace("$$", "$") for word in words(command)], env=environ, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    (HERE / f"{unit}.pid").write_text(str(process.pid))


def stop(unit: str) -> None:
    if (pid := pid_of(unit)) is not None:
        os.kill(pid, signal.SIGTERM)
        while alive(pid):
            time.sleep(0.02)


def main(args: list[str]) -> int:
    with (HERE / "calls").open("a") as log:
        log.write(json.dumps(args) + "\n")
    if (HERE / "refuses").exists():
        sys.stderr.write("Failed to connect to bus: No medium found\n")
        return 1
    assert args[0] == "--user"
    verb, unit = args[1], args[-1]
    if verb == "daemon-reload":
        return 0
    if not (UNITS / unit).exists():
        sys.stderr.write(f"Unit {unit} does not exist\n")
        return {"restart": 5, "is-active": 4}.get(verb, 1)
    if verb in ("restart", "disable"):
        stop(unit)
    if verb == "restart":
        start(unit)
    if verb == "is-active":
        active = pid_of(unit) is not None
        sys.stdout.write("active\n" if active else "inactive\n")
        return 0 if active else 3
    assert verb in ("restart", "disable", "enable", "reset-failed"), args
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
