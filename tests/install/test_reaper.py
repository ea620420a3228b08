"""REAPER on made-up computers of each platform."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge_daemon import __version__
from bridge_daemon.errors import InstallTrouble, InvalidRequest
from bridge_daemon.install.manifest import NAME
from bridge_daemon.install.reaper import Reaper
from bridge_daemon.install.target import InstallOutcome, install, states, uninstall
from bridge_daemon.util import ourselves
from tests.install.conftest import PLATFORMS, Computer, Shipment
from tests.install.test_folder import content, tree

Make = Callable[[str], Computer]
FOLDER = "Scripts/DAW Bridge"


def put(computer: Computer, path: Path | None = None, **more: Any) -> list[InstallOutcome]:
    more = {"dry_run": False} | more
    return install(Reaper(), computer.machine, computer.home, path=path, **more)


def take(computer: Computer, path: Path | None = None, *, dry_run: bool = False) -> list[InstallOutcome]:
    return uninstall(Reaper(), computer.machine, computer.home, path=path, dry_run=dry_run)


def settings(base: Path) -> dict[str, Any]:
    return dict(json.loads((base / FOLDER / "daw_bridge.json").read_bytes().decode("utf-8")))


@pytest.mark.parametrize("platform", PLATFORMS)
def test_install_update_uninstall(computer: Make, shipment: Shipment, platform: str) -> None:
    here = computer(platform)
    base = here.with_reaper()
    before = tree(base)
    (done,) = put(here)
    assert done.place.base == base
    assert done.place.title == "REAPER 7.16"
    assert set(content(base)) - set(before) == {
        f"{FOLDER}/{name}"
        for name in ("DAW Bridge_Setup.lua", "DAW Bridge_Generate.lua", "lib/app.lua", "daw_bridge.json")
    }
    assert settings(base) == {
        "version": 1,
        "home": str(here.home.path),
        "client": "reaper",
        "bridge_version": __version__,
        "start": ourselves.command("start"),
    }
    assert str(base / FOLDER / "DAW Bridge_Setup.lua") in done.next
    token = here.home.read_token()
    assert all(token.encode() not in data for data in tree(base).values())

    shipment.write("reaper_scripts/lib/app.lua", "-- app 2\n")
    shipment.remove("reaper_scripts/DAW Bridge_Generate.lua")
    (done,) = put(here)
    assert content(base)[f"{FOLDER}/lib/app.lua"] == b"-- app 2\n"
    assert f"{FOLDER}/DAW Bridge_Generate.lua" not in content(base)
    assert "Load ReaScript" in done.next  # Setup was never run

    (done,) = take(here)
    assert done.next.startswith("Nothing.")
    assert tree(base) == before  # with reaper.ini and reaper-kb.ini as they were
    assert done.version is None
    with pytest.raises(InstallTrouble, match="nothing of daw-bridge is installed"):
        take(here)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_not_found_says_where_it_looked_and_what_to_do(computer: Make, shipment: Shipment, platform: str) -> None:
    here = computer(platform)
    with pytest.raises(InstallTrouble) as told:
        put(here)
    assert str(here.machine.user) in told.value.message
    assert "--path" in told.value.next_step
    assert not here.home.path.exists()


def test_linux_looks_where_xdg_says_too(computer: Make, shipment: Shipment, tmp_path: Path) -> None:
    here = computer("linux")
    here.machine.environ["XDG_CONFIG_HOME"] = str(tmp_path / "xdg")  # type: ignore[index]
    base = here.with_reaper(folder=tmp_path / "xdg" / "REAPER")
    assert [done.place.base for done in put(here)] == [base]


def test_a_portable_reaper_is_another_client_and_is_remembered(
    computer: Make, shipment: Shipment, tmp_path: Path
) -> None:
    here = computer("win32")
    usual = here.with_reaper()
    portable = here.with_reaper(None, tmp_path / "Söhne USB" / "REAPER portable")
    put(here)
    (done,) = put(here, portable)
    assert done.place.title == "REAPER"
    assert settings(usual)["client"] == "reaper"
    assert settings(portable)["client"] == "reaper-2"
    shipment.write("reaper_scripts/lib/app.lua", "-- app 2\n")
    assert {done.place.base for done in put(here)} == {usual, portable}
    assert content(portable)[f"{FOLDER}/lib/app.lua"] == b"-- app 2\n"
    assert settings(portable)["client"] == "reaper-2"
    take(here, portable)
    assert not (portable / FOLDER).exists()
    assert (usual / FOLDER).exists()
    assert [state.place.base for state in states(Reaper(), here.machine, here.home)] == [usual]


@pytest.mark.parametrize("given", ["", "REAPER.app", "reaper.exe", "reaper.ini", "Scripts", "Scripts/DAW Bridge"])
def test_what_a_person_may_name_instead_of_the_folder(
    computer: Make, shipment: Shipment, tmp_path: Path, given: str
) -> None:
    here = computer("darwin")
    portable = here.with_reaper(folder=tmp_path / "portable")
    (portable / "REAPER.app").mkdir()
    (done,) = put(here, portable / given)
    assert done.place.base == portable


def test_a_folder_without_reaper_is_refused(computer: Make, shipment: Shipment, tmp_path: Path) -> None:
    here = computer("linux")
    for path in (tmp_path, tmp_path / "not there"):
        with pytest.raises(InstallTrouble, match="no resource folder of REAPER") as told:
            put(here, path)
        assert "Show REAPER resource path" in told.value.next_step
    assert not list(tmp_path.rglob("*.lua"))[3:]  # those that are shipped


def test_the_client_name_is_kept_for_life_and_can_be_given(computer: Make, shipment: Shipment) -> None:
    here = computer("darwin")
    base = here.with_reaper()
    put(here, client="studio-b")
    put(here)
    assert settings(base)["client"] == "studio-b"
    with pytest.raises(InvalidRequest, match="1 to 40 of a-z"):
        put(here, client="Studio B")
    for device in ("aux", "nul", "com1"):  # Windows has no folder of that name
        with pytest.raises(InvalidRequest, match="device"):
            put(here, client=device)
    for wrong in ("Studio B", 7, None):
        changed = settings(base) | {"client": wrong}
        (base / FOLDER / "daw_bridge.json").write_text(json.dumps(changed), encoding="utf-8")
        put(here)
        assert settings(base)["client"] == "reaper"


def test_settings_that_setup_wrote_are_taken_over(computer: Make, shipment: Shipment) -> None:
    here = computer("linux")
    base = here.with_reaper()
    (base / FOLDER).mkdir()
    wrote = {"version": 1, "home": "/elsewhere", "client": "mine", "later": [1]}
    (base / FOLDER / "daw_bridge.json").write_text(json.dumps(wrote), encoding="utf-8-sig")
    put(here)
    told = settings(base)
    assert told["home"] == str(here.home.path)
    assert told["client"] == "mine"
    assert told["later"] == [1]
    assert "your copy" not in str(tree(base))


def test_settings_that_cannot_be_read_are_kept_beside(computer: Make, shipment: Shipment) -> None:
    here = computer("linux")
    base = here.with_reaper()
    put(here)
    (base / FOLDER / "daw_bridge.json").write_bytes(b"{ my notes \xff")
    put(here)
    assert settings(base)["client"] == "reaper"
    assert (base / FOLDER / "daw_bridge (your copy).json").read_bytes() == b"{ my notes \xff"


STARTUP = b"""-- my own start\r
reaper.ShowConsoleMsg("hi")\r
-- >>> DAW Bridge (added by DAW Bridge_Setup)\r
dofile("x")\r
-- <<< DAW Bridge\r
-- more of mine\r
"""


def test_the_block_in_the_startup_script_is_taken_out_and_nothing_else(computer: Make, shipment: Shipment) -> None:
    here = computer("win32")
    base = here.with_reaper()
    put(here)
    startup = base / "Scripts" / "__startup.lua"
    startup.write_bytes(STARTUP)
    (done,) = take(here, dry_run=True)
    assert done.more
    assert startup.read_bytes() == STARTUP
    (done,) = take(here)
    assert "is taken out" in done.more[0]
    assert startup.read_bytes() == b'-- my own start\r\nreaper.ShowConsoleMsg("hi")\r\n-- more of mine\r\n'


def test_the_icons_that_setup_has_brought_go_and_no_others(computer: Make, shipment: Shipment) -> None:
    base = (here := computer("linux")).with_reaper()
    shipment.write("reaper_scripts/toolbar_icons/150/daw_bridge_panel.png", "icon")
    put(here)
    assert (base / FOLDER / "toolbar_icons" / "150" / "daw_bridge_panel.png").is_file()
    folder = base / "Data" / "toolbar_icons"
    for name in ("daw_bridge_panel.png", "150/daw_bridge_panel.png", "150/mine.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"icon")
    take(here, dry_run=True)
    assert len(list(folder.rglob("*.png"))) == 3
    take(here)
    assert [path.name for path in folder.rglob("*.png")] == ["mine.png"]


def test_a_startup_script_with_nothing_else_goes_and_a_broken_block_stays(computer: Make, shipment: Shipment) -> None:
    here = computer("linux")
    base = here.with_reaper()
    startup = base / "Scripts" / "__startup.lua"
    put(here)
    startup.write_bytes(b"-- >>> DAW Bridge (added by DAW Bridge_Setup)\ndofile('x')\n-- <<< DAW Bridge")
    take(here)
    assert not startup.exists()
    put(here)
    broken = b"-- >>> DAW Bridge (added by DAW Bridge_Setup)\ndofile('x')\n-- mine\n"
    startup.write_bytes(broken)
    take(here)
    assert startup.read_bytes() == broken


def test_the_overview_knows_what_is_there(computer: Make, shipment: Shipment) -> None:
    here = computer("darwin")
    base = here.with_reaper("6.29")

    def state() -> dict[str, Any]:
        (told,) = states(Reaper(), here.machine, here.home)
        return told.as_dict()

    assert state()["version"] is None
    assert "6.47" in state()["note"]
    assert not here.home.path.exists()
    put(here)
    assert (state()["version"], state()["up_to_date"], state()["changed_by_you"]) == (__version__, True, [])
    assert state()["settings"]["client"] == "reaper"
    shipment.write("reaper_scripts/lib/app.lua", "-- app 2\n")
    assert state()["up_to_date"] is False
    put(here)
    (base / FOLDER / "lib" / "app.lua").write_bytes(b"mine")
    assert state()["changed_by_you"] == [f"{FOLDER}/lib/app.lua"]


def test_python_from_the_store_is_refused_where_reaper_would_not_see_the_files(
    computer: Make, shipment: Shipment, tmp_path: Path
) -> None:
    from dataclasses import replace

    here = computer("win32")
    base = here.with_reaper()
    prefix = r"C:\Program Files\WindowsApps\PythonSoftwareFoundation.Python.3.12_3.12.2800.0_x64__qbz5n2kfra8p0"
    here.machine = replace(here.machine, prefix=prefix)
    before = tree(base)
    with pytest.raises(InstallTrouble, match="Microsoft Store"):
        put(here)
    assert tree(base) == before
    portable = here.with_reaper(folder=tmp_path / "portable")
    assert put(here, portable)


def test_a_dry_run_changes_nothing(computer: Make, shipment: Shipment) -> None:
    here = computer("linux")
    base = here.with_reaper()
    before = tree(base)
    (done,) = put(here, dry_run=True)
    assert [step.act for step in done.steps] == ["added"] * 4
    assert tree(base) == before
    assert not here.home.path.exists()
    put(here)
    before = tree(base)
    take(here, dry_run=True)
    assert tree(base) == before
    assert f"{FOLDER}/{NAME}" in before


def test_where_the_second_place_fails_the_first_is_named(computer: Make, shipment: Shipment, tmp_path: Path) -> None:
    here = computer("linux")
    usual, portable = here.with_reaper(), here.with_reaper(folder=tmp_path / "portable")
    put(here, portable)
    (portable / "Scripts" / "DAW Bridge").rename(portable / "elsewhere")
    (portable / "Scripts" / "DAW Bridge").write_bytes(b"a file")
    with pytest.raises(InstallTrouble) as told:
        put(here)
    assert str(portable) in told.value.message
    assert f"Done before that: {usual}" in told.value.message
    assert settings(usual)["client"] == "reaper"


def test_what_is_left_depends_on_what_reaper_has_registered(computer: Make, shipment: Shipment) -> None:
    here = computer("win32")
    base = here.with_reaper()
    put(here)
    known = base / "reaper-kb.ini"
    known.write_text(
        'SCR 4 0 RSa1 "Custom: DAW Bridge_Setup.lua" "DAW Bridge\\DAW Bridge_Setup.lua"\n', encoding="utf-8"
    )
    before = known.read_bytes()
    (done,) = put(here)
    assert done.next.startswith("Nothing:")
    (done,) = take(here)
    assert "press Delete" in done.next
    assert known.read_bytes() == before
