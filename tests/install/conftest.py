"""Made-up computers of all three platforms, whose people have names with spaces and accents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bridge_daemon.home.paths import Home
from bridge_daemon.install import shipped
from bridge_daemon.install.machine import Machine

PLATFORMS = ("darwin", "win32", "linux")


@dataclass
class Computer:
    """A machine, and the DAWs that are put on it."""

    machine: Machine
    home: Home

    def with_reaper(self, version: str | None = "7.16", folder: Path | None = None) -> Path:
        """Put a REAPER there that was started once; return its resource folder."""
        where = {
            "darwin": self.machine.user / "Library" / "Application Support" / "REAPER",
            "win32": self.machine.user / "AppData" / "Roaming" / "REAPER",
            "linux": self.machine.user / ".config" / "REAPER",
        }[self.machine.platform]
        base = folder or where
        (base / "Scripts").mkdir(parents=True)
        (base / "reaper.ini").write_text("[REAPER]\nprojecttab=1\n", encoding="utf-8")
        (base / "reaper-kb.ini").write_text('SCR 4 0 RSabc "Custom: mine.lua" mine.lua\n', encoding="utf-8")
        (base / "Scripts" / "mine.lua").write_text("-- mine\n", encoding="utf-8")
        if version is not None:
            (base / "reaper-install-rev.txt").write_text(version, encoding="ascii")
        return base

    def with_ardour(self, version: int = 7) -> Path:
        """Put an Ardour there that was started once; return its settings folder."""
        base = {
            "darwin": self.machine.user / "Library" / "Preferences" / f"Ardour{version}",
            "win32": self.machine.user / "AppData" / "Local" / f"ardour{version}",
            "linux": self.machine.user / ".config" / f"ardour{version}",
        }[self.machine.platform]
        (base / "scripts").mkdir(parents=True)
        (base / "config").write_text("<Ardour/>\n", encoding="utf-8")
        (base / "scripts" / "mine.lua").write_text("-- mine\n", encoding="utf-8")
        return base

    def with_live(self, version: str, library: Path | None = None, *, told: bool = True) -> Path:
        """Put a Live there; return its User Library."""
        windows = self.machine.platform == "win32"
        music = self.machine.documents if windows else self.machine.user / "Music"
        library = library or music / "Ableton" / "User Library"
        (library / "Ableton Folder Info").mkdir(parents=True, exist_ok=True)
        (library / "Presets" / "Audio Effects").mkdir(parents=True, exist_ok=True)
        if told:
            folder = self.preferences / f"Live {version}" / ("Preferences" if windows else "")
            folder.mkdir(parents=True)
            (folder / "Library.cfg").write_text(library_cfg(library), encoding="utf-8")
        return library

    @property
    def preferences(self) -> Path:
        if self.machine.platform == "win32":
            return self.machine.roaming / "Ableton"
        return self.machine.user / "Library" / "Preferences" / "Ableton"


def library_cfg(library: Path) -> str:
    """Return the file in which Live keeps where its libraries are."""
    above = str(library.parent).replace("&", "&amp;")
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Ableton MajorVersion="5">\n\t<ContentLibrary>\n\t\t<UserLibrary>\n'
        '\t\t\t<LibraryProject Id="0">\n\t\t\t\t<ProjectLocation />\n'
        f'\t\t\t\t<ProjectName Value="{library.name}" />\n\t\t\t\t<ProjectPath Value="{above}" />\n'
        "\t\t\t</LibraryProject>\n\t\t</UserLibrary>\n"
        '\t\t<UserFolderInfoList>\n\t\t\t<UserFolderInfo Id="1" Path="/elsewhere" />\n\t\t</UserFolderInfoList>\n'
        "\t</ContentLibrary>\n</Ableton>\n"
    )


@pytest.fixture
def computer(tmp_path: Path) -> Callable[[str], Computer]:
    """Make a computer of a platform."""

    def make(platform: str) -> Computer:
        user = tmp_path / "Users" / "Zoë & Ænne Müller"
        environ = {"APPDATA": str(user / "AppData" / "Roaming")} if platform == "win32" else {}
        documents = user / ("OneDrive" if platform == "win32" else "") / "Documents"
        home = Home(user / "daw bridge", named=True)
        user.mkdir(parents=True)
        return Computer(Machine(platform, environ, user, documents), home)

    return make


@dataclass
class Shipment:
    """What a version of the bridge ships."""

    folder: Path

    def write(self, path: str, text: str) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())

    def remove(self, path: str) -> None:
        (self.folder / path).unlink()


@pytest.fixture
def shipment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shipment]:
    """A small stand-in for the shipped files, which a test may change as a new version would."""
    made = Shipment(tmp_path / "shipped")
    made.write("reaper_scripts/DAW Bridge_Setup.lua", "-- setup 1\n")
    made.write("reaper_scripts/DAW Bridge_Generate.lua", "-- generate 1\n")
    made.write("reaper_scripts/lib/app.lua", "-- app 1\n")
    made.write("reaper_scripts/notes.py", "# not for REAPER\n")
    made.write("max_for_live/built/Daw Bridge.amxd", "ampf audio 1")
    made.write("max_for_live/built/Daw Bridge MIDI.amxd", "ampf midi 1")
    monkeypatch.setattr(shipped, "folder", lambda name: made.folder / name)
    return made
