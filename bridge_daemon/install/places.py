"""Where something was installed: kept in the home, so that an update and an uninstall find portable DAWs again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from bridge_daemon.home.paths import Home
from bridge_daemon.util.files import write_whole

NAME: Final = "installed.json"


def known(home: Home, target: str) -> list[Path]:
    """Return the folders of a DAW that something was installed into, the oldest first; they may be gone."""
    return [Path(folder) for folder in _read(home).get(target, [])]


def remember(home: Home, target: str, base: Path) -> None:
    """Note that something is installed below ``base``."""
    told = _read(home)
    if str(base) not in told.setdefault(target, []):
        told[target].append(str(base))
        _write(home, told)


def forget(home: Home, target: str, base: Path) -> None:
    """Note that nothing is installed there any more."""
    told = _read(home)
    if str(base) in told.get(target, []):
        told[target].remove(str(base))
        _write(home, told)


def _read(home: Home) -> dict[str, list[str]]:
    try:
        data = json.loads((home.path / NAME).read_text(encoding="utf-8"))
        return {str(target): [str(one) for one in folders] for target, folders in data["installed"].items()}
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return {}  # the DAWs in their usual places are found without it


def _write(home: Home, told: dict[str, list[str]]) -> None:
    text = json.dumps({"version": 1, "installed": told}, indent=2, ensure_ascii=False) + "\n"
    write_whole(home.path / NAME, text.encode("utf-8"), point="installed")
