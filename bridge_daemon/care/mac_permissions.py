"""What macOS asks before a program may use a folder, so that it can be said before.

Since macOS 10.15 it asks once for each program and kind of place (Apple, "Controlling app access to files in macOS");
who refuses is not asked again, and the program is told that it may not.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from bridge_daemon.care.finding import Examined, fail, ok
from bridge_daemon.domain.finding import Finding
from bridge_daemon.util.same_place import is_inside

SETTINGS: Final = (
    "System Settings > Privacy & Security > Files and Folders: allow it for the program that is named there"
)
_OWN: Final = ("Desktop", "Documents", "Downloads")
_CLOUD: Final = ("Library/Mobile Documents", "Library/CloudStorage")


def place_of(path: Path, user: Path) -> str | None:
    """Return the kind of place that macOS asks about before ``path`` may be used; None if it does not."""
    for name in _OWN:
        if is_inside(path, user / name):
            return f"your {name} folder"
    if any(is_inside(path, user / name) for name in _CLOUD):
        return "files in a cloud drive"
    return "files on a removable or network volume" if is_inside(path, Path("/Volumes")) else None


def said_before(paths: Iterable[Path], *, user: Path | None = None, platform: str = sys.platform) -> list[str]:
    """Return what macOS is going to ask because of these folders, as sentences; nothing on other systems."""
    if platform != "darwin":
        return []
    found = dict.fromkeys(place_of(path, user or Path.home()) for path in paths)
    return [
        f"macOS will ask once whether {_asked_for()} may access {place}. Allow it: else the bridge sees nothing there. "
        "It asks again for another program, such as the background service."
        for place in found
        if place is not None
    ]


def _asked_for() -> str:
    """Return which program macOS names: what started us, as far as can be told."""
    return {"Apple_Terminal": "Terminal", "iTerm.app": "iTerm"}.get(
        os.environ.get("TERM_PROGRAM", ""), "your terminal (for the service: python3; for the app: DAW Bridge)"
    )


def permissions(it: Examined) -> Finding:
    """Check that macOS lets us into the folders that the settings name. Nothing else is looked at: it would ask."""
    named = {"library": it.home.library(it.settings.audio.library)}
    for folder in it.settings.folders:
        named |= {folder.name: Path(folder.path).expanduser(), f"takes of {folder.name}": folder.results_path}
    asked = {what: path for what, path in named.items() if place_of(path, Path.home()) is not None}
    for what, path in asked.items():
        try:
            with os.scandir(path):
                pass
        except PermissionError:
            return fail(f"macOS does not let us into {path} ({what}).", SETTINGS)
        except OSError:  # not there: another check tells
            continue
    if not asked:
        return ok("macOS asks for none of your folders; the microphone is never used")
    return ok(f"macOS lets us into {', '.join(asked)}; the microphone is never used")
