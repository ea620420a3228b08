"""Ableton Live: where its User Library is, and which devices go there."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from bridge_daemon import __version__
from bridge_daemon.errors import InstallTrouble
from bridge_daemon.install import shipped
from bridge_daemon.install.machine import Machine
from bridge_daemon.install.target import InstallPlace, Payload, make_payload

FOLDER: Final = "daw-bridge"
AUDIO: Final = f"Presets/Audio Effects/Max Audio Effect/{FOLDER}"
MIDI: Final = f"Presets/MIDI Effects/Max MIDI Effect/{FOLDER}"
SETTINGS: Final = "daw-bridge.json"
LIBRARY: Final = "User Library"
#: Live puts this folder into each of its own libraries and projects.
MARK: Final = "Ableton Folder Info"
#: The least version that the devices open in, and the least of each line in which they can place takes.
LEAST: Final = (11,)
PLACES: Final = ((11, 3, 25), (12, 0, 5))
_CONFIG: Final = "Library.cfg"
_SHOW: Final = "In Live's browser, right-click User Library > Show in Finder (or Explorer)."
_BLOCK: Final = re.compile(r"<UserLibrary>(.*?)</UserLibrary>", re.DOTALL)

Version = tuple[int, ...]


class Live:
    """Ableton Live, as a target of the installer."""

    name = "live"
    title = "Ableton Live"
    program = "Live"

    def find(self, machine: Machine, known: Sequence[Path]) -> list[InstallPlace]:
        """Return the User Libraries of the Lives on this machine, and folders that were named before."""
        versions: dict[Path, list[Version]] = {}
        for version, library in _libraries(machine):
            versions.setdefault(library, []).append(version)
        if any(max(found) >= LEAST for found in versions.values()):
            versions = {library: found for library, found in versions.items() if max(found) >= LEAST}
        places = [_place(library, max(found)) for library, found in versions.items()]
        usual = [] if places else [folder for folder in usual_libraries(machine) if folder.is_dir()]
        more = [folder for folder in (*usual, *known) if folder not in versions and folder.is_dir()]
        return [*places, *(_place(folder, None) for folder in dict.fromkeys(more))]

    def at(self, path: Path) -> InstallPlace:
        """Return the User Library that a person named, or any other folder."""
        inner = path / LIBRARY
        if inner.is_dir() and not (path / MARK).is_dir():
            path = inner
        if path.is_dir():
            return _place(path, None)
        raise InstallTrouble(
            f"{path} is no folder. Nothing was changed.",
            next=f"{_SHOW} Give that folder with --path.",
        )

    def missing(self, machine: Machine) -> InstallTrouble:
        """Say where it was looked for."""
        folders = usual_libraries(machine)
        if not folders:
            return InstallTrouble(
                "Ableton Live is for macOS and Windows, so it was not looked for here. Nothing was changed.",
                next="daw-bridge install live --path FOLDER copies the devices into a folder that you name.",
            )
        looked = f"{_preferences(machine)} names none, and {folders[0]} is not there"
        return InstallTrouble(
            f"Live's User Library was not found: {looked}. Nothing was changed.",
            next=f"Start Live once and run this again. Or: {_SHOW} Give that folder with --path.",
        )

    def payload(self, place: InstallPlace, home: Path, taken: Sequence[Path], client: str | None) -> Payload:
        """Return the devices, and the settings that tell them where the bridge is."""
        devices = shipped.read(shipped.folder(shipped.LIVE) / "built", "*.amxd")
        files = {f"{_folder_for(name, place)}/{name}": data for name, data in devices.items()}
        values = {"version": 1, "home": str(home), "installed_by": __version__}
        return make_payload(place.base, files, {f"{folder}/{SETTINGS}": values for folder in place.own})

    def next_step(self, place: InstallPlace, first: bool) -> str:
        """Name what only Live itself can do."""
        if place.own == (FOLDER,):
            where = f"drag the device from {place.folder} onto a track (Places > Add Folder shows it in Live's browser)"
        else:
            where = f"in the browser, User Library > {AUDIO.replace('/', ' > ')}: drag the device onto a track"
        if first:
            return f"In Live: {where}."
        return f"Sets refer to this file: Live loads the new one when a set is opened again. To add another, {where}."

    def leave(self, place: InstallPlace, *, dry_run: bool) -> list[str]:
        """Nothing of Live lies outside of our folder."""
        return []

    def after(self, place: InstallPlace) -> str:
        """Say what Live still shows."""
        return "Sets that hold the device show it as missing until you delete it there. Your takes are as they were."


def usual_libraries(machine: Machine) -> list[Path]:
    """Return where Live makes its User Library; nowhere on a platform without Live."""
    if machine.platform == "darwin":
        return [machine.user / "Music" / "Ableton" / LIBRARY]
    if machine.platform == "win32":
        return [machine.documents / "Ableton" / LIBRARY]
    return []


def _preferences(machine: Machine) -> Path:
    if machine.platform == "win32":
        return machine.roaming / "Ableton"
    return machine.user / "Library" / "Preferences" / "Ableton"


def _libraries(machine: Machine) -> Iterator[tuple[Version, Path]]:
    """Yield the User Libraries that the Lives of this machine name, the newest Live first."""
    if not usual_libraries(machine):
        return
    found = [(_version(folder.name), folder) for folder in _preferences(machine).glob("Live *")]
    for version, folder in sorted(found, reverse=True):
        for config in (folder / "Preferences" / _CONFIG, folder / _CONFIG):
            library = _library_of(config)
            if version and library is not None:
                yield version, library


def _version(name: str) -> Version:
    """Return the version in the name of a folder: ``Live 12.1b5`` is 12.1."""
    found = re.fullmatch(r"Live (\d+(?:\.\d+)*).*", name)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def _library_of(config: Path) -> Path | None:
    """Return the User Library that a Live is set to, if that is there."""
    try:
        text = config.read_bytes().decode("utf-8", "replace")
    except OSError:
        return None
    block = _BLOCK.search(text)
    above = _value("ProjectPath", block[1]) if block else ""
    if not block or not above:
        return None
    name = _value("ProjectName", block[1]) or LIBRARY
    library = Path(above) / name
    if library.is_dir():
        return library
    return Path(above) if (Path(above) / MARK).is_dir() else None


def _value(tag: str, text: str) -> str:
    found = re.search(rf'<{tag} Value="([^"]*)"', text)
    return html.unescape(found[1]) if found else ""


def _place(library: Path, version: Version | None) -> InstallPlace:
    title = "Ableton Live" + (f" {'.'.join(map(str, version))}" if version else "")
    note = ""
    if version is not None and not _places(version):
        note = "Takes are placed by Live 11.3.25 or newer and 12.0.5 or newer; this one only shows the file."
    is_library = library.name == LIBRARY or (library / MARK).is_dir() or (library / "Presets").is_dir()
    return InstallPlace(title, library, (AUDIO, MIDI) if is_library else (FOLDER,), note)


def _places(version: Version) -> bool:
    old, new = PLACES
    return version >= new or old <= version < new[:1]


def _folder_for(device: str, place: InstallPlace) -> str:
    return place.own[-1] if "MIDI" in device else place.own[0]
