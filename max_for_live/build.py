"""Makes the devices: ``python -m max_for_live.build``. With ``--check`` nothing is written."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Final

from max_for_live import amxd, device, panel

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
    parts = [(HERE / "js" / f"{name}.js").read_text(encoding="utf-8") for name in MODULES]
    inside = "\n".join(parts)
    head = f'// daw-bridge {version()}, made of max_for_live/js\nvar DawBridge = (function () {{\n"use strict";\n'
    tail = "\nreturn { Device: Device, VERSION: VERSION };\n}());\n"
    constant = f'var VERSION = "{version()}";\nvar LINES = {json.dumps(panel.lines())};\n'
    constant += f"var PAGES = {json.dumps(panel.pages())};\nvar BUTTONS = {json.dumps(panel.button_rooms())};\n\n"
    return head + constant + inside + tail + "\n" + (HERE / "js" / "main.js").read_text(encoding="utf-8")


def build(kind: device.Kind) -> bytes:
    """Return the frozen file of a device."""
    entry = amxd.Entry(device.SCRIPT, "TEXT", script().encode("utf-8"))
    return amxd.write(kind.name, kind.letters, device.document(kind), [entry])


def main(arguments: list[str] | None = None) -> int:
    """Write the devices, or say which are out of date."""
    parser = argparse.ArgumentParser(prog="python -m max_for_live.build", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where a device is out of date")
    check = parser.parse_args(arguments).check
    old = []
    for kind in device.KINDS:
        file, data = BUILT / kind.name, build(kind)
        if file.is_file() and file.read_bytes() == data:
            continue
        old.append(kind.name)
        if not check:
            BUILT.mkdir(exist_ok=True)
            file.write_bytes(data)
    if old:
        sys.stdout.write(f"{'out of date' if check else 'written'}: {', '.join(old)}\n")
    return 1 if check and old else 0


if __name__ == "__main__":
    sys.exit(main())
