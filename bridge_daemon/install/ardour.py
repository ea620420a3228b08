"""Ardour: where it keeps a person's scripts, and which scripts go there.

``ui_scripts``, in which Ardour keeps the actions and hooks of a person, is never touched: Ardour holds it in memory and
writes over it. The scripts are added in Ardour's own window, once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from bridge_daemon import __version__
from bridge_daemon.errors import InstallTrouble
from bridge_daemon.install import shipped
from bridge_daemon.install.machine import Machine
from bridge_daemon.install.target import InstallPlace, Payload, make_payload, pick_client, read_settings

SCRIPTS: Final = "scripts"  #: Ardour looks for scripts here, and not in the folders below
FOLDER: Final = f"{SCRIPTS}/daw-bridge"
SETTINGS: Final = f"{FOLDER}/daw_bridge.json"
#: Modules of the REAPER scripts that are not bound to REAPER: there is one source of them, and each DAW gets a copy.
SHARED: Final = (
    *("config.lua", "files.lua", "form.lua", "json.lua", "log.lua", "mailbox.lua", "memory.lua"),
    *("names.lua", "parameters.lua", "place_of_scripts.lua", "request_body.lua", "version.lua", "wav.lua", "words.lua"),
)
LEAST: Final = 7
_NAME: Final = re.compile(r"ardour(\d+)", re.IGNORECASE)


class Ardour:
    """Ardour, as a target of the installer."""

    name = "ardour"
    title = "Ardour"
    program = "Ardour"

    def find(self, machine: Machine, known: Sequence[Path]) -> list[InstallPlace]:
        """Return the settings folders of the Ardours on this machine, the newest first, and folders named before."""
        found = [path for base in settings_folders(machine) for path in _below(base)]
        return [_place(path) for path in dict.fromkeys([*found, *known]) if _is_settings_folder(path)]

    def at(self, path: Path) -> InstallPlace:
        """Return the settings folder that a person named, or one of the folders in it."""
        for folder in (path, path.parent, path.parent.parent):
            if _is_settings_folder(folder):
                return _place(folder)
        raise InstallTrouble(
            f"{path} is no settings folder of Ardour: there is no file named config in it. Nothing was changed.",
            next="Start Ardour once, close it, and give its folder (such as ~/.config/ardour8) with --path.",
        )

    def missing(self, machine: Machine) -> InstallTrouble:
        """Say where it was looked for."""
        looked = " and ".join(f"{base / 'ardour'}*" for base in settings_folders(machine))
        return InstallTrouble(
            f"Ardour {LEAST} or newer was not found: there is no {looked} with a file named config in it. Nothing was "
            "changed.",
            next="Start Ardour once, close it, and run this again. Another folder is given with --path.",
        )

    def payload(self, place: InstallPlace, home: Path, taken: Sequence[Path], client: str | None) -> Payload:
        """Return the scripts, the modules that they share with REAPER's, and the settings."""
        own = shipped.read(shipped.folder(shipped.ARDOUR), "*.lua", "lib/*.lua")
        lib = shipped.read(shipped.folder(shipped.REAPER) / "lib", *SHARED)
        files = {(f"{FOLDER}/{path}" if "/" in path else f"{SCRIPTS}/{path}"): data for path, data in own.items()}
        files |= {f"{FOLDER}/lib/{path}": data for path, data in lib.items()}
        there = read_settings(place.base / SETTINGS)
        name = pick_client(there, [read_settings(base / SETTINGS) for base in taken], client, self.name)
        values: dict[str, Any] = {"version": 1, "home": str(home), "client": name, "bridge_version": __version__}
        # Ardour's Lua cannot make a folder
        folders = (home / "inbox" / name / ".sources", home / "inbox" / name / ".unsaved")
        return replace(make_payload(place.base, files, {SETTINGS: values}), folders=folders)

    def next_step(self, place: InstallPlace, first: bool) -> str:
        """Name what only Ardour itself can do."""
        if _is_registered(place):
            return (
                "Nothing, unless this version names another script than the last: the actions use the new modules from "
                "the next press on, and the hook from the next session on."
            )
        return (
            "In Ardour: Edit > Lua Scripts > Script Manager. Action Scripts: choose a line, Add/Set, and DAW Bridge: "
            "Generate; the same for Transform and Place takes. Action Hooks: New Hook, DAW Bridge: Watch."
        )

    def leave(self, place: InstallPlace, *, dry_run: bool) -> list[str]:
        """Nothing of ours lies outside of our folders: what Ardour keeps of the scripts is its own."""
        return []

    def after(self, place: InstallPlace) -> str:
        """Say what Ardour still has."""
        if not _is_registered(place):
            return "Nothing. Your takes and sessions are as they were."
        return (
            "Ardour keeps the actions and the hook in its list until you remove them there: Edit > Lua Scripts > "
            "Script Manager. Your takes and sessions are as they were."
        )


def settings_folders(machine: Machine) -> list[Path]:
    """Return the folders in which Ardour makes one for each of its versions."""
    if machine.platform == "darwin":
        return [machine.user / "Library" / "Preferences"]
    if machine.platform == "win32":
        return [machine.local]
    own = machine.environ.get("XDG_CONFIG_HOME", "").strip()
    return list(dict.fromkeys([*([Path(own)] if own else []), machine.user / ".config"]))


def _below(base: Path) -> list[Path]:
    try:
        found = [path for path in base.iterdir() if _version(path) >= LEAST]
    except OSError:
        return []
    return sorted(found, key=_version, reverse=True)


def _version(folder: Path) -> int:
    found = _NAME.fullmatch(folder.name)
    return int(found[1]) if found else 0


def _is_settings_folder(folder: Path) -> bool:
    try:
        return (folder / "config").is_file()
    except OSError:  # a disk that is gone, a folder of somebody else
        return False


def _is_registered(place: InstallPlace) -> bool:
    """Return whether Ardour has a hook of ours in its list. The file is only read: Ardour alone writes it."""
    try:
        return b'name="DAW Bridge' in (place.base / "ui_scripts").read_bytes()
    except OSError:
        return False


def _place(folder: Path) -> InstallPlace:
    version = _version(folder)
    note = "" if version in (0, 7) else "Tried with Ardour 7.3; nobody has run the scripts in this version yet."
    return InstallPlace(f"Ardour {version}" if version else "Ardour", folder, (FOLDER, SCRIPTS), note)
