"""Make the installers: `python -m tools.installers [windows | deb | macos | homebrew …]`; without a word, all."""

from __future__ import annotations

import sys
import tempfile
from argparse import ArgumentParser
from pathlib import Path

from tools.installers import deb, macos, windows
from tools.installers.pieces import ROOT, Missing, pack_wheel
from tools.windows_python import PYTHONS, NotAvailable


def main() -> int:
    """Make what is asked for; return the exit code."""
    parser = ArgumentParser(prog="python -m tools.installers", description=__doc__)
    kinds = ["windows", "deb", "macos", "homebrew"]
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"one of {', '.join(kinds)}; without one, all")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="where they go (dist)")
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    usual = ours if ours in PYTHONS else "3.13"  # its modules can be compiled here
    parser.add_argument("--python", default=usual, help=f"the Python that goes into setup.exe and the app ({usual})")
    parser.add_argument(
        "--deb-python", action="append", help="a Python of Debian or Ubuntu; may be said again (3.11 to 3.14)"
    )
    parser.add_argument("--mac-python", type=Path, help="a relocatable Python for macOS, which the app then holds")
    parser.add_argument("--mac-machine", choices=list(macos.MACHINES), default="arm64")
    parser.add_argument("--quick", action="store_true", help="pack setup.exe in seconds, and twice as large")
    parser.add_argument("--url", default="", help="where the source package of this release will be, for Homebrew")
    given = parser.parse_args()
    if unknown := set(given.kinds) - set(kinds):
        parser.error(f"no installer is called {', '.join(sorted(unknown))}")
    wanted = given.kinds or kinds
    out = given.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="daw-bridge-installers-") as folder:
            work = Path(folder)
            wheel = pack_wheel(work)
            if "windows" in wanted:
                _say(windows.make(out, wheel, work / "windows", given.python, quick=given.quick))
            if "deb" in wanted:
                for python in given.deb_python or deb.PYTHONS:
                    _say(deb.make(out, wheel, work / f"deb-{python}", python))
            if "macos" in wanted:
                _say(macos.make(out, wheel, work / "macos", given.python, given.mac_machine, given.mac_python))
            if "homebrew" in wanted:
                _say(macos.formula(out, given.python, given.url))
    except (Missing, NotAvailable) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _say(made: Path) -> None:
    size = f"{made.stat().st_size / 1e6:.1f} MB" if made.is_file() else "a folder"
    sys.stdout.write(f"{made} ({size})\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
