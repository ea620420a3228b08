"""Run by the installer and the uninstaller, with the installed Python: what NSIS cannot do well.

``stop``: end every bridge that runs from this folder, in good order; ends with 9 if one goes on.
``login``: have it start at login. ``no-login``: take that back.
``path`` and ``no-path``: the folder in the person's PATH.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

APP = Path(__file__).parent
STILL_RUNS = 9  # no exit code of Python itself, which may be half there after a setup that was cut off
PATIENCE = 60.0  # s; a request on the wire is awaited for 30 s
SEPARATOR = ";"


def with_entry(path: str, folder: str) -> str:
    """Return a PATH with a folder at its end; what is in it stays letter by letter."""
    if folder in path.split(SEPARATOR):
        return path
    return f"{path.rstrip(SEPARATOR)}{SEPARATOR if path.strip(SEPARATOR) else ''}{folder}"


def without_entry(path: str, folder: str) -> str:
    """Return a PATH without a folder; what else is in it stays letter by letter."""
    return SEPARATOR.join(entry for entry in path.split(SEPARATOR) if entry != folder)


def change_path(*, add: bool) -> int:
    """Put the folder into the person's PATH, or take it out. NSIS would cut off a long one."""
    if sys.platform != "win32":
        return 2
    import winreg

    change = with_entry if add else without_entry
    with winreg.CreateKey(winreg.HKEY_CURRENT_USER, "Environment") as key:
        try:
            before, kind = winreg.QueryValueEx(key, "Path")
        except FileNotFoundError:
            before, kind = "", winreg.REG_EXPAND_SZ
        after = change(str(before), str(APP))
        if after and after != before:
            winreg.SetValueEx(key, "Path", 0, kind, after)
        elif not after and before:
            winreg.DeleteValue(key, "Path")
    return 0


def program_of(process: psutil.Process) -> Path:
    """Return the program of a process; where the system does not tell (wine), as it was called."""
    try:
        return Path(process.exe())
    except OSError:
        return Path((process.cmdline() or [""])[0])


def running() -> dict[int, str | None]:
    """Return the processes of this folder's Python but this one, each with the home that it was given."""
    found: dict[int, str | None] = {}
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and program_of(process).is_relative_to(APP / "python"):
                found[process.pid] = process.environ().get("DAW_BRIDGE_HOME")
        except (psutil.Error, OSError):  # it ended meanwhile, or is another user's: then it does not hold our files
            continue
    return found


def stop() -> int:
    """Stop each bridge as its person does, and wait until nothing of this folder runs."""
    end = time.monotonic() + PATIENCE
    bridge("stop")
    while (left := running()) and time.monotonic() < end:
        for home in set(left.values()) - {None}:
            bridge("stop", home=home)
        time.sleep(0.5)
    return STILL_RUNS if running() else 0


def bridge(*words: str, home: str | None = None) -> int:
    """Run one of our commands, and return its exit code."""
    env = os.environ | ({} if home is None else {"DAW_BRIDGE_HOME": home})
    command = [sys.executable, "-m", "bridge_daemon", *words]
    hidden = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    done = subprocess.run(command, env=env, check=False, stdin=subprocess.DEVNULL, creationflags=hidden)
    return done.returncode


def main() -> int:
    """Do what the first word says."""
    verbs = {
        "stop": stop,
        "login": lambda: bridge("service", "install"),
        "no-login": lambda: bridge("service", "uninstall"),
        "path": lambda: change_path(add=True),
        "no-path": lambda: change_path(add=False),
    }
    return verbs[sys.argv[1]]()


if __name__ == "__main__":
    sys.exit(main())
