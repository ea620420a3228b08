"""Makes the devices: ``python -m max_for_live.build``. With ``--check`` nothing is written."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from max_for_live import amxd, check, device, panel

HERE: Final = Path(__file__).parent
BUILT: Final = HERE / "built"
VERSION_FILE: Final = HERE.parent / "bridge_daemon" / "__init__.py"
#: The files of the script in the order in which each finds what it uses.
MODULES: Final = (
    *("text", "fitting", "files", "home", "live", "ledger", "identity", "proof", "wire", "port", "connection", "panel"),
    *("timeline", "tracks", "fit", "clips", "session", "arrangement", "search", "placer", "held"),
    *("sources", "wave", "recorder"),
    *("requests", "jobs", "parameters", "asking", "presses", "device"),
)


def version() -> str:
    """Return the version that the devices say they have: that of the bridge."""
    found = re.search(r'^__version__ = "([^"]+)"', VERSION_FILE.read_text(encoding="utf-8"), re.M)
    if found is None:
        raise SystemExit(f"{VERSION_FILE} names no version")
    return found[1]


def script() -> str:
    """Return the one script of the devices: all modules in a scope of their own, then what Max calls."""
    constants = {"LINES": panel.lines(), "PAGES": panel.pages(), "BUTTONS": panel.button_rooms()}
    return _joined(MODULES, "main", constants, "Device: Device, VERSION: VERSION")


def check_script() -> str:
    """Return the script of the check."""
    return _joined(check.MODULES, "check/main", {"LINES": check.lines()}, "Check: Check")


def _joined(modules: Sequence[str], main: str, constants: Mapping[str, Any], given: str) -> str:
    parts = [(HERE / "js" / f"{name}.js").read_text(encoding="utf-8") for name in modules]
    head = f'// daw-bridge {version()}, made of max_for_live/js\nvar DawBridge = (function () {{\n"use strict";\n'
    named = "".join(f"var {name} = {json.dumps(value)};\n" for name, value in constants.items())
    tail = f"\nreturn {{ {given} }};\n}}());\n"
    own = (HERE / "js" / f"{main}.js").read_text(encoding="utf-8")
    return head + f'var VERSION = "{version()}";\n' + named + "\n" + "\n".join(parts) + tail + "\n" + own


def build(kind: device.Kind) -> bytes:
    """Return the frozen file of a device."""
    if kind is check.KIND:
        entry = amxd.Entry(check.SCRIPT, "TEXT", check_script().encode("utf-8"))
        return amxd.write(kind.name, kind.letters, check.document(), [entry])
    entry = amxd.Entry(device.SCRIPT, "TEXT", script().encode("utf-8"))
    return amxd.write(kind.name, kind.letters, device.document(kind), [entry])


def main(arguments: list[str] | None = None) -> int:
    """Write the devices, or say which are out of date."""
    parser = argparse.ArgumentParser(prog="python -m max_for_live.build", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where a device is out of date")
    is_check = parser.parse_args(arguments).check
    old = []
    for kind in (*device.KINDS, check.KIND):
        file, data = BUILT / kind.name, build(kind)
        if file.is_file() and file.read_bytes() == data:
            continue
        old.append(kind.name)
        if not is_check:
            BUILT.mkdir(exist_ok=True)
            file.write_bytes(data)
    if old:
        sys.stdout.write(f"{'out of date' if is_check else 'written'}: {', '.join(old)}\n")
    return 1 if is_check and old else 0


if __name__ == "__main__":
    sys.exit(main())
