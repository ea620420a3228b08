"""The check of a real REAPER: where its program is, a resource folder of its own, and the report that it writes.

REAPER is started as ``-cfgfile FOLDER/reaper.ini -nosplash -newinst -noactivate check.lua``: it neither reads nor
writes the person's own settings, and runs the script at once.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from bridge_daemon import __version__
from bridge_daemon.errors import InstallTrouble
from bridge_daemon.install import shipped
from bridge_daemon.install.machine import Machine
from bridge_daemon.install.reaper import FOLDER, SETTINGS

CLIENT: Final = "reaper-check"
_REPORT: Final = "daw_bridge_report.json"
_MARK: Final = "daw_bridge_check.json"
_PAUSE: Final = 0.2  # s between two looks for the report
_END: Final = 5.0  # s that REAPER gets to end when it is asked to


def programs(machine: Machine) -> Iterator[Path]:
    """Yield where REAPER's program may be. They need not be there."""
    if machine.platform == "darwin":
        for folder in (Path("/Applications"), machine.user / "Applications"):
            for name in ("REAPER.app", "REAPER64.app"):
                yield folder / name / "Contents" / "MacOS" / "REAPER"
    elif machine.platform == "win32":
        for folder in _registered_folders():
            yield folder / "reaper.exe"
        for name in ("ProgramFiles", "ProgramW6432", "ProgramFiles(x86)"):
            if given := machine.environ.get(name):
                yield from (Path(given) / each / "reaper.exe" for each in ("REAPER (x64)", "REAPER"))
    else:
        found = shutil.which("reaper", path=machine.environ.get("PATH"))
        yield from [Path(found)] if found else []
        yield from (folder / "REAPER" / "reaper" for folder in (Path("/opt"), machine.user / "opt", machine.user))


def _registered_folders() -> list[Path]:
    """Return where Windows notes that REAPER is installed: it is no entry of App Paths."""
    folders: list[Path] = []
    if sys.platform == "win32":
        import winreg

        path = r"Software\Microsoft\Windows\CurrentVersion\Uninstall"
        for view in (winreg.KEY_WOW64_64KEY, winreg.KEY_WOW64_32KEY):
            for name in ("REAPER", "REAPER (x64)"):
                try:
                    with winreg.OpenKey(
                        winreg.HKEY_LOCAL_MACHINE, rf"{path}\{name}", 0, winreg.KEY_READ | view
                    ) as opened:
                        folders.append(Path(winreg.QueryValueEx(opened, "InstallLocation")[0]))
                except OSError:
                    continue
    return folders


def find_program(machine: Machine, named: Path | None) -> Path:
    """Return REAPER's program. Raises InstallTrouble if there is none."""
    for path in [named] if named else programs(machine):
        if path.is_file():
            return path
    looked = str(named) if named else ", ".join(str(path) for path in programs(machine))
    raise InstallTrouble(
        f"REAPER's program was not found at {looked}. Nothing was started.",
        next="Name it: daw-bridge install reaper --check --program PATH",
    )


def prepare(folder: Path, home: Path | None) -> Path:
    """Make a resource folder of its own, with the scripts in it, and return the script that checks.

    ``home`` is that of the bridge that makes the take; None tries no take.
    """
    scripts = shipped.read(shipped.folder(shipped.REAPER), "DAW Bridge_*.lua", "lib/*.lua", "check/*.lua")
    for name, data in scripts.items():
        path = folder / FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (folder / "reaper.ini").write_text("[REAPER]\n", encoding="utf-8")
    told = {"version": 1, "home": str(home or folder), "client": CLIENT, "bridge_version": __version__}
    (folder / SETTINGS).write_text(json.dumps(told), encoding="utf-8")
    (folder / _MARK).write_text(json.dumps({"version": 1, "take": home is not None}), encoding="utf-8")
    return folder / FOLDER / "check" / "check.lua"


def command(program: Path, folder: Path, script: Path) -> list[str]:
    """Return the command line that starts REAPER for the check."""
    return [
        *(str(program), "-cfgfile", str(folder / "reaper.ini")),
        *("-nosplash", "-newinst", "-noactivate", "-ignoreerrors", str(script)),
    ]


def run(program: Path, folder: Path, script: Path, seconds: float) -> dict[str, Any]:
    """Start REAPER, wait for its report, end that REAPER, and return the report.

    Raises InstallTrouble if no report comes.
    """
    began = time.monotonic()
    process = subprocess.Popen(
        command(program, folder, script), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while (told := _report(folder)) is None:
            if process.poll() is not None:
                raise _without_report(f"REAPER ended (code {process.returncode}) without a report.")
            if time.monotonic() - began > seconds:
                raise _without_report(f"REAPER has written no report in {seconds:.0f} s.")
            time.sleep(_PAUSE)
        return told
    finally:
        _end(process)


def _report(folder: Path) -> dict[str, Any] | None:
    try:
        told = json.loads((folder / _REPORT).read_bytes())
    except (OSError, ValueError):  # not there, or not whole
        return None
    return told if isinstance(told, dict) and told.pop("end", False) is True else None


def _without_report(sentence: str) -> InstallTrouble:
    return InstallTrouble(
        f"{sentence} Your own REAPER was not touched.",
        next="Close the boxes that a fresh REAPER shows (audio device, evaluation) while the check waits, or give "
        "it more time with --seconds.",
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the REAPER that was started, which has nothing of anybody in it."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
