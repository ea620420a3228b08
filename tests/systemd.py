"""A real ``systemd --user`` on Linux, beside whatever the machine has, for root: a manager of its own in a folder.

systemd looks for ``/run/systemd/system`` to see whether it may run (sd_booted(3)), so it gets a mount namespace in
which that is there, and control groups below a new one. ``systemctl`` is called in the same namespace.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MANAGER = Path("/lib/systemd/systemd")
_GROUPS = Path("/sys/fs/cgroup")
_PATIENCE = 30.0  # s


@dataclass(frozen=True)
class Manager:
    """A user manager that runs, and the folder with a ``systemctl`` that talks to it."""

    programs: Path
    environ: dict[str, str]

    def show(self, unit: str, *names: str) -> dict[str, str]:
        """Return properties of a unit."""
        return dict(line.split("=", 1) for line in self.call("show", "-p", ",".join(names), unit).splitlines())

    def call(self, *words: str) -> str:
        """Return what ``systemctl --user`` prints."""
        program = str(self.programs / "systemctl")
        done = subprocess.run(
            [program, "--user", *words], env=os.environ | self.environ, capture_output=True, text=True, check=False,
            timeout=_PATIENCE,
        )  # fmt: skip
        return (done.stdout + done.stderr).strip()


def missing() -> str | None:
    """Return why there can be no systemd of our own here; None if there can."""
    if sys.platform != "linux" or os.getuid() != 0:
        return "a systemd of its own needs Linux and root"
    if absent := [name for name in ("unshare", "nsenter", "systemctl") if shutil.which(name) is None]:
        return f"{absent[0]} is not on this machine"
    if not _MANAGER.exists():
        return f"{_MANAGER} is not on this machine: install the package systemd"
    return None if _roots() else "this machine gives no control groups"


@contextlib.contextmanager
def manager(folder: Path) -> Iterator[Manager]:
    """Run a user manager that reads its units from ``folder/config/systemd/user``."""
    run, programs = folder / "run", folder / "programs"
    for one in (run, programs, folder / "config"):
        one.mkdir()
    run.chmod(0o700)
    environ = {"XDG_RUNTIME_DIR": str(run), "XDG_CONFIG_HOME": str(folder / "config")}
    name = f"daw-bridge-{uuid.uuid4().hex[:8]}"  # one for all: systemd makes what is missing of it
    groups = [root / name for root in _roots()]
    for group in groups:
        group.mkdir()
    join = "; ".join(f"echo $$ > {group}/cgroup.procs" for group in groups)
    start = f"mount -t tmpfs none /run/systemd && mkdir /run/systemd/system && {join} && exec {_MANAGER} --user"
    log = folder / "systemd.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", start], env={"PATH": os.environ["PATH"], "HOME": str(folder)} | environ,
            stdin=subprocess.DEVNULL, stdout=said, stderr=said,
        )  # fmt: skip
    program = programs / "systemctl"
    program.write_text(f'#!/bin/sh\nexec nsenter -t {process.pid} --mount -- {shutil.which("systemctl")} "$@"\n')
    program.chmod(0o755)
    made = Manager(programs, environ)
    try:
        _await(made, process, log)
        yield made
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE)
        process.kill()
        process.wait()
        for group in groups:
            _remove(group)


def _await(made: Manager, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while made.call("is-system-running") not in ("running", "degraded"):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.1)


def _roots() -> list[Path]:
    """Return where systemd keeps its control groups: the one hierarchy, or its own two beside the older ones."""
    found = [root for root in (_GROUPS, _GROUPS / "systemd", _GROUPS / "unified") if (root / "cgroup.procs").exists()]
    return [root for root in found if os.access(root, os.W_OK)]


def _remove(group: Path) -> None:
    """Remove a control group and those below it, once the kernel sees that nothing is in them."""
    until = time.monotonic() + _PATIENCE
    for inner in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
        with contextlib.suppress(FileNotFoundError):
            inner.rmdir()
    while True:
        try:
            group.rmdir()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return
