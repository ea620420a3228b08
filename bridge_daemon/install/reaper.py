"""REAPER: where its resource folder is, and which scripts go there.

``reaper.ini`` and ``reaper-kb.ini`` are never touched: REAPER holds them in memory and writes over them. The actions
are registered by the Setup script, inside of REAPER.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from bridge_daemon import __version__
from bridge_daemon.errors import InstallTrouble
from bridge_daemon.install import shipped
from bridge_daemon.install.machine import Machine
from bridge_daemon.install.manifest import MODE
from bridge_daemon.install.target import InstallPlace, Payload, make_payload, pick_client, read_settings
from bridge_daemon.util import ourselves
from bridge_daemon.util.files import remove, write_whole

FOLDER: Final = "Scripts/DAW Bridge"
SETTINGS: Final = f"{FOLDER}/daw_bridge.json"
SETUP: Final = "DAW Bridge_Setup.lua"
LEAST: Final = (6, 47)
_BLOCK: Final = re.compile(
    rb"^-- >>> DAW Bridge \(added by DAW Bridge_Setup\)[ \t]*\r?\n.*?^-- <<< DAW Bridge[ \t]*(?:\r?\n|\Z)",
    re.MULTILINE | re.DOTALL,
)


class Reaper:
    """REAPER, as a target of the installer."""

    name = "reaper"
    title = "REAPER"
    program = "REAPER"

    def find(self, machine: Machine, known: Sequence[Path]) -> list[InstallPlace]:
        """Return the resource folders: the usual one, and portable ones that were named before."""
        folders = dict.fromkeys([*resource_folders(machine), *known])
        return [_place(folder) for folder in folders if _is_resource_folder(folder)]

    def at(self, path: Path) -> InstallPlace:
        """Return the resource folder that a person named, or a folder or program near it that they took for it."""
        for folder in _meant(path):
            if _is_resource_folder(folder):
                return _place(folder)
        raise InstallTrouble(
            f"{path} is no resource folder of REAPER: there is no reaper.ini in it. Nothing was changed.",
            next="In REAPER: Options > Show REAPER resource path in explorer/finder. Give that folder with --path.",
        )

    def missing(self, machine: Machine) -> InstallTrouble:
        """Say where it was looked for."""
        looked = " and ".join(str(folder) for folder in resource_folders(machine))
        return InstallTrouble(
            f"REAPER was not found: there is no reaper.ini in {looked}. Nothing was changed.",
            next="Start REAPER once and run this again. A portable one is found with --path and its folder.",
        )

    def payload(self, place: InstallPlace, home: Path, taken: Sequence[Path], client: str | None) -> Payload:
        """Return the scripts, and the settings that tell them where the bridge is."""
        patterns = ("DAW Bridge_*.lua", "lib/*.lua", "toolbar_icons/**/*.png")  # Setup brings the icons to REAPER's own
        scripts = shipped.read(shipped.folder(shipped.REAPER), *patterns)
        files = {f"{FOLDER}/{path}": data for path, data in scripts.items()}
        there = read_settings(place.base / SETTINGS)
        name = pick_client(there, [read_settings(base / SETTINGS) for base in taken], client, self.name)
        values: dict[str, Any] = {"version": 1, "home": str(home), "client": name, "bridge_version": __version__}
        values["start"] = ourselves.command("start")  # for the panel, which asks before it runs it
        return make_payload(place.base, files, {SETTINGS: values})

    def next_step(self, place: InstallPlace, first: bool) -> str:
        """Name the one step that only REAPER itself can do."""
        if _is_registered(place):
            return "Nothing: the actions use the new scripts from the next press on."
        return (
            "In REAPER: Actions > Show action list > New action > Load ReaScript, choose "
            f"{place.folder / SETUP} and run it. It adds all actions of DAW Bridge to the list."
        )

    def leave(self, place: InstallPlace, *, dry_run: bool) -> list[str]:
        """Remove our block from ``__startup.lua`` and the icons that Setup has brought, and nothing else."""
        return [*_remove_block(place.base / "Scripts" / "__startup.lua", dry_run), *_remove_icons(place.base, dry_run)]

    def after(self, place: InstallPlace) -> str:
        """Say what REAPER still shows."""
        if not _is_registered(place):
            return "Nothing. Your takes and projects are as they were."
        return (
            "REAPER shows the actions as missing until you remove them: Actions > Show action list, filter for DAW "
            "Bridge, select them, press Delete. Your takes and projects are as they were."
        )


def _remove_block(startup: Path, dry_run: bool) -> list[str]:
    try:
        before = startup.read_bytes()
    except OSError:
        return []
    after = _BLOCK.sub(b"", before)
    if after == before:
        return []
    if not dry_run:
        try:
            if after.strip():
                write_whole(startup, after, point="installed", mode=MODE)
            else:
                remove(startup)
        except OSError as error:
            raise InstallTrouble(
                f"The scripts are removed; the block of DAW Bridge in {startup} could not be: {error.strerror}. It "
                "does no harm there.",
                next="Take the lines between '-- >>> DAW Bridge' and '-- <<< DAW Bridge' out by hand.",
            ) from error
    return [f"the block of DAW Bridge in {startup} is taken out; the rest of the file is as it was"]


def _remove_icons(base: Path, dry_run: bool) -> list[str]:
    found = sorted((base / "Data" / "toolbar_icons").rglob("daw_bridge_*.png"))
    for icon in () if dry_run else found:
        with suppress(OSError):  # REAPER may show it; it does no harm there
            remove(icon)
    return [f"{len(found)} toolbar icons of DAW Bridge in {base / 'Data'}"] if found else []


def resource_folders(machine: Machine) -> list[Path]:
    """Return where REAPER keeps its resources when it is not portable. They need not be there."""
    if machine.platform == "darwin":
        return [machine.user / "Library" / "Application Support" / "REAPER"]
    if machine.platform == "win32":
        return [machine.roaming / "REAPER"]
    own = machine.environ.get("XDG_CONFIG_HOME", "").strip()
    folders = [Path(own) / "REAPER"] if own else []
    return list(dict.fromkeys([*folders, machine.user / ".config" / "REAPER"]))


def _is_resource_folder(folder: Path) -> bool:
    try:
        return (folder / "reaper.ini").is_file()
    except OSError:  # a disk that is gone, a folder of somebody else
        return False


def _is_registered(place: InstallPlace) -> bool:
    """Return whether REAPER has our actions in its list. The file is only read: REAPER alone writes it."""
    try:
        return b"DAW Bridge_" in (place.base / "reaper-kb.ini").read_bytes()
    except OSError:
        return False


def _meant(path: Path) -> list[Path]:
    """Return what a person may mean: the folder, the program or reaper.ini in it, Scripts, or our folder in that."""
    return [path, path.parent, path.parent.parent] if path.name in ("DAW Bridge", "Scripts") or path.suffix else [path]


def _place(folder: Path) -> InstallPlace:
    version = _version(folder)
    title = "REAPER" + ("" if version is None else f" {version[0]}.{version[1]:02d}")
    note = ""
    if version is not None and version < LEAST:
        note = f"The scripts need REAPER {LEAST[0]}.{LEAST[1]} or newer."
    return InstallPlace(title, folder, (FOLDER,), note)


def _version(folder: Path) -> tuple[int, int] | None:
    """Return the version that REAPER's installer noted; only used to tell people."""
    try:
        text = (folder / "reaper-install-rev.txt").read_bytes()[:100].decode("ascii", "replace")
    except OSError:
        return None
    found = re.search(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None
