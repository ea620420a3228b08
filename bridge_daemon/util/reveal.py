"""Shows a file in the file manager of the system, selected where that can be done."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

_PATIENCE: Final = 5.0  # s; all of these hand over and return at once
_FILE_MANAGER: Final = "org.freedesktop.FileManager1"


def commands(file: Path, platform: str = sys.platform) -> list[list[str] | str]:
    """Return what shows a file, the best first."""
    if platform == "darwin":
        return [["open", "-R", str(file)]]
    if platform == "win32":
        # as one line: Explorer takes the quotes only around the path, which has none of its own on Windows
        return [f'explorer.exe /select,"{file}"']
    ask = ["dbus-send", "--session", "--print-reply", f"--dest={_FILE_MANAGER}", "/org/freedesktop/FileManager1"]
    # as_uri writes a comma as %2C; dbus-send would take one for the end of an item
    show: list[list[str] | str] = [[*ask, f"{_FILE_MANAGER}.ShowItems", f"array:string:{file.as_uri()}", "string:"]]
    if shutil.which("xdg-open") is not None:
        show.append(["setsid", "--fork", "xdg-open", str(file.parent)])  # it may stay as long as the window does
    return show


def reveal(file: Path) -> bool:
    """Show a file; tell whether a file manager was asked. Blocks for a moment."""
    for command in commands(file):
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=_PATIENCE,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0 or sys.platform == "win32":  # Explorer says 1 when all is well
            return True
    return False
