"""What macOS will ask is said before it does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bridge_daemon.care import mac_permissions
from bridge_daemon.care.finding import Examined
from bridge_daemon.care.mac_permissions import permissions, place_of, said_before
from bridge_daemon.home.paths import Home

USER = Path("/Users/ana")


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/Users/ana/Documents/Renders", "Documents"),
        ("/Users/ana/Desktop", "Desktop"),
        ("/Users/ana/Downloads/a/b", "Downloads"),
        ("/Users/ana/Library/Mobile Documents/com~apple~CloudDocs/Renders", "cloud"),
        ("/Volumes/USB/Renders", "removable"),
        ("/Users/ana/Music/daw-bridge", None),
        ("/Users/ana/Documents2", None),
    ],
)
def test_the_kind_of_place(path: str, place: str | None) -> None:
    found = place_of(Path(path), USER)
    assert found is None if place is None else place in str(found)
    said = said_before([Path(path), Path(path)], user=USER, platform="darwin")
    assert len(said) == (0 if place is None else 1)
    assert said_before([Path(path)], user=USER, platform="linux") == []


def test_doctor_says_what_macos_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    (tmp_path / "Documents" / "Renders").mkdir(parents=True)
    home = Home(tmp_path / "home")
    home.path.mkdir()
    examined = Examined(home, None)
    assert "none of your folders" in permissions(examined).text
    text = f'[[folders]]\nname = "renders"\npath = "{(tmp_path / "Documents" / "Renders").as_posix()}"\n'
    home.config.write_text(text, encoding="utf-8")
    assert permissions(examined).state == "ok"

    def refused(path: Path) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    monkeypatch.setattr(mac_permissions.os, "scandir", refused)
    found = permissions(examined)
    monkeypatch.setattr(mac_permissions.os, "scandir", os.scandir)
    assert found.state == "fail"
    assert "Files and Folders" in found.fix
