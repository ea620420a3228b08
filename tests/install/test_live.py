"""Ableton Live on made-up computers of both its platforms."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge_daemon import __version__
from bridge_daemon.errors import InstallTrouble
from bridge_daemon.install.live import Live
from bridge_daemon.install.target import InstallOutcome, install, states, uninstall
from tests.install.conftest import Computer, Shipment, library_cfg
from tests.install.test_folder import content, tree

Make = Callable[[str], Computer]
AUDIO = "Presets/Audio Effects/Max Audio Effect/daw-bridge"
MIDI = "Presets/MIDI Effects/Max MIDI Effect/daw-bridge"


def put(computer: Computer, path: Path | None = None, *, dry_run: bool = False) -> list[InstallOutcome]:
    return install(Live(), computer.machine, computer.home, path=path, dry_run=dry_run)


def take(computer: Computer, path: Path | None = None) -> list[InstallOutcome]:
    return uninstall(Live(), computer.machine, computer.home, path=path, dry_run=False)


@pytest.mark.parametrize("platform", ["darwin", "win32"])
@pytest.mark.parametrize("told", [True, False])
def test_install_update_uninstall(computer: Make, shipment: Shipment, platform: str, told: bool) -> None:
    here = computer(platform)
    library = here.with_live("12.1.5", told=told)
    before = tree(library)
    (done,) = put(here)
    assert done.place.base == library
    assert done.place.title == ("Ableton Live 12.1.5" if told else "Ableton Live")
    settings = {"version": 1, "home": str(here.home.path), "installed_by": __version__}
    found = content(library)
    assert found[f"{AUDIO}/Daw Bridge.amxd"] == b"ampf audio 1"
    assert found[f"{MIDI}/Daw Bridge MIDI.amxd"] == b"ampf midi 1"
    for folder in (AUDIO, MIDI):
        assert json.loads(found[f"{folder}/daw-bridge.json"]) == settings
        assert len(found[f"{folder}/daw-bridge.json"]) < 4096
    assert len([path for path in found if "daw-bridge/" in path]) == 4
    assert "drag the device" in done.next

    shipment.write("max_for_live/built/Daw Bridge.amxd", "ampf audio 2")
    (done,) = put(here)
    assert content(library)[f"{AUDIO}/Daw Bridge.amxd"] == b"ampf audio 2"
    assert "when a set is opened again" in done.next
    take(here)
    assert tree(library) == before


def test_a_library_that_was_moved_is_found_by_what_live_noted(
    computer: Make, shipment: Shipment, tmp_path: Path
) -> None:
    here = computer("darwin")
    here.with_live("11.3.21", told=False)  # what is left in the usual place
    moved = here.with_live("12.0.5", tmp_path / "Volumes" / "Béla's disk & more" / "Meine Library")
    assert [done.place.base for done in put(here)] == [moved]


def test_lives_that_share_a_library_are_one_place_and_old_ones_do_not_count(
    computer: Make, shipment: Shipment, tmp_path: Path
) -> None:
    here = computer("win32")
    old = here.with_live("9.7.7", tmp_path / "old" / "User Library")
    shared = here.with_live("11.3.25")
    here.with_live("12.1b5", shared)
    (here.preferences / "Live Reports").mkdir()
    (done,) = put(here)
    assert done.place.base == shared
    assert done.place.title == "Ableton Live 12.1"
    assert not (old / AUDIO).exists()


def test_two_libraries_get_it_both(computer: Make, shipment: Shipment, tmp_path: Path) -> None:
    here = computer("darwin")
    one = here.with_live("11.3.25")
    two = here.with_live("12.1", tmp_path / "two" / "User Library")
    assert [done.place.base for done in put(here)] == [two, one]


@pytest.mark.parametrize(
    ("version", "places"),
    [("10.1.43", 0), ("11.3.24", 0), ("11.3.25", 1), ("11.3.43", 1), ("12.0.2", 0), ("12.0.5", 1), ("12.1b5", 1)],
)
def test_a_live_that_cannot_place_is_told(computer: Make, shipment: Shipment, version: str, places: int) -> None:
    here = computer("darwin")
    here.with_live(version)
    (done,) = put(here)
    assert (done.place.note == "") is bool(places)


@pytest.mark.parametrize(
    "text", ["", "<Ableton>", "<UserLibrary></UserLibrary>", "\x00\x01binary", library_cfg(Path("/not/there"))]
)
def test_what_live_noted_may_be_of_no_use(computer: Make, shipment: Shipment, text: str) -> None:
    here = computer("darwin")
    library = here.with_live("12.1")
    next(here.preferences.rglob("Library.cfg")).write_text(text, encoding="utf-8")
    assert [done.place.base for done in put(here)] == [library]


def test_the_path_may_be_the_library_itself(computer: Make, shipment: Shipment) -> None:
    here = computer("win32")
    library = here.with_live("12.1")
    noted = next(here.preferences.rglob("Library.cfg"))
    noted.write_text(library_cfg(library / "gone").replace('"gone"', '"gone too"'), encoding="utf-8")
    (done,) = put(here)
    assert done.place.base == library


@pytest.mark.parametrize("platform", ["darwin", "win32", "linux"])
def test_not_found(computer: Make, shipment: Shipment, platform: str) -> None:
    here = computer(platform)
    with pytest.raises(InstallTrouble) as told:
        put(here)
    assert "--path" in told.value.next_step
    with pytest.raises(InstallTrouble, match="is no folder"):
        put(here, here.machine.user / "nothing")
    assert not here.home.path.exists()


def test_any_other_folder(computer: Make, shipment: Shipment, tmp_path: Path) -> None:
    here = computer("linux")
    folder = tmp_path / "Geräte"
    folder.mkdir()
    (done,) = put(here, folder)
    names = {"Daw Bridge.amxd", "Daw Bridge MIDI.amxd", "daw-bridge.json"}
    assert set(content(folder)) == {f"daw-bridge/{name}" for name in names}
    assert str(folder) in done.next
    assert [state.place.base for state in states(Live(), here.machine, here.home)] == [folder]
    take(here)
    assert list(folder.iterdir()) == []


def test_the_folder_above_the_library_is_understood(computer: Make, shipment: Shipment) -> None:
    here = computer("darwin")
    library = here.with_live("12.1", told=False)
    (done,) = put(here, library.parent)
    assert done.place.base == library


def test_a_device_that_a_person_changed_is_kept(computer: Make, shipment: Shipment) -> None:
    here = computer("darwin")
    library = here.with_live("12.1")
    put(here)
    (library / AUDIO / "Daw Bridge.amxd").write_bytes(b"ampf, with my own knob")
    shipment.write("max_for_live/built/Daw Bridge.amxd", "ampf audio 2")
    put(here)
    found = content(library)
    assert found[f"{AUDIO}/Daw Bridge.amxd"] == b"ampf audio 2"
    assert found[f"{AUDIO}/Daw Bridge (your copy).amxd"] == b"ampf, with my own knob"
    told: list[dict[str, Any]] = [state.as_dict() for state in states(Live(), here.machine, here.home)]
    assert told[0]["up_to_date"]
    take(here)
    assert "your copy" in str(tree(library))
