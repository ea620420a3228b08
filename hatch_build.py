"""Packs what is installed into the DAWs into the wheel: the scripts of REAPER and Ardour, the built devices of Live.

A checkout that is installed as editable has them beside the package already.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

#: Patterns of the files, and what none of them would mean.
SHIPPED: Final = (
    *("reaper_scripts/*.lua", "reaper_scripts/lib/*.lua", "reaper_scripts/check/*.lua"),
    *("ardour_scripts/*.lua", "ardour_scripts/lib/*.lua"),
    "max_for_live/built/*.amxd",
)
TARGET: Final = "bridge_daemon/install/data"


class ShippedFiles(BuildHookInterface):  # type: ignore[misc]
    """Adds the files to a wheel; a wheel without them is refused."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before the wheel is packed."""
        if version == "editable":
            return
        root = Path(self.root)
        for pattern in SHIPPED:
            files = sorted(root.glob(pattern))
            if not files:
                raise FileNotFoundError(f"No {pattern}: a wheel without it could not install it.")
            for file in files:
                build_data["force_include"][str(file)] = f"{TARGET}/{file.relative_to(root).as_posix()}"
