"""The files that are shipped for the DAWs: in a checkout beside the package, in an installed wheel inside of it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import bridge_daemon
from bridge_daemon.errors import InstallTrouble

_PACKAGE: Final = Path(bridge_daemon.__file__).resolve().parent
ARDOUR: Final = "ardour_scripts"
REAPER: Final = "reaper_scripts"
LIVE: Final = "max_for_live"


def folder(name: str, package: Path = _PACKAGE) -> Path:
    """Return the folder with the shipped files for a DAW.

    Raises:
        InstallTrouble: this copy of the bridge was packed without them.
    """
    # the wheel's own first: a folder of the same name may stand beside an installed package by chance
    for found in (package / "install" / "data" / name, package.parent / name):
        if found.is_dir():
            return found
    raise InstallTrouble(
        f"This copy of daw-bridge was packed without its {name}.",
        next="Install daw-bridge again, from a whole package.",
    )


def read(base: Path, *patterns: str) -> dict[str, bytes]:
    """Return the files below ``base`` that match one of the patterns, by their path from there, written with ``/``."""
    found = sorted({file for pattern in patterns for file in base.glob(pattern) if file.is_file()})
    return {file.relative_to(base).as_posix(): file.read_bytes() for file in found}
