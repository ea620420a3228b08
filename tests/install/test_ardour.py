"""Ardour on made-up computers of each platform."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge_daemon import __version__
from bridge_daemon.errors import InstallTrouble
from bridge_daemon.frontends.http.bodies import Setup
from bridge_daemon.install.ardour import FOLDER, SHARED, Ardour
from bridge_daemon.install.daws import targets
from bridge_daemon.install.manifest import NAME
from bridge_daemon.install.target import InstallOutcome, install, states, uninstall
from tests.install.conftest import PLATFORMS, Computer, Shipment
from tests.install.test_folder import content, tree

Make = Callable[[str], Computer]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def shared(shipment: Shipment) -> Shipment:
    shipment.write("ardour_scripts/daw_bridge_generate.lua", "-- generate 1\n")
    shipment.write("ardour_scripts/lib/host.lua", "-- host 1\n")
    for name in SHARED:
        shipment.write(f"reaper_scripts/lib/{name}", f"-- {name} 1\n")
    return shipment


def put(computer: Computer, path: Path | None = None, **more: Any) -> list[InstallOutcome]:
    more = {"dry_run": False} | more
    return install(Ardour(), computer.machine, computer.home, path=path, **more)


def settings(base: Path) -> dict[str, Any]:
    return dict(json.loads((base / FOLDER / "daw_bridge.json").read_bytes().decode("utf-8")))


@pytest.mark.parametrize("platform", PLATFORMS)
def test_install_update_uninstall(computer: Make, shared: Shipment, platform: str) -> None:
    here = computer(platform)
    base = here.with_ardour()
    before = tree(base)
    (done,) = put(here)
    assert (done.place.base, done.place.title) == (base, "Ardour 7")
    ours = {"scripts/daw_bridge_generate.lua", f"{FOLDER}/daw_bridge.json", f"{FOLDER}/lib/host.lua"}
    assert set(content(base)) - set(before) == ours | {f"{FOLDER}/lib/{name}" for name in SHARED}
    own = {"version": 1, "home": str(here.home.path), "client": "ardour", "bridge_version": __version__}
    assert settings(base) == own
    assert "Script Manager" in done.next
    assert (here.home.inbox / "ardour" / ".sources").is_dir()  # Ardour's Lua cannot make it

    shared.write("reaper_scripts/lib/json.lua", "-- json 2\n")
    (base / "scripts" / "daw_bridge_generate.lua").write_bytes(b"-- changed by a person\n")
    (base / "ui_scripts").write_text('<LuaCallback name="DAW Bridge: Watch"/>', encoding="utf-8")
    (done,) = put(here)
    assert content(base)[f"{FOLDER}/lib/json.lua"] == b"-- json 2\n"
    assert content(base)["scripts/daw_bridge_generate (your copy).lua"] == b"-- changed by a person\n"
    assert done.next.startswith("Nothing, unless")

    (done,) = uninstall(Ardour(), here.machine, here.home, path=None, dry_run=False)
    assert "Script Manager" in done.next
    (base / "ui_scripts").unlink()
    (base / "scripts" / "daw_bridge_generate (your copy).lua").unlink()
    assert tree(base) == before


def test_a_dry_run_makes_no_folder(computer: Make, shared: Shipment) -> None:
    here = computer("linux")
    before = tree(here.with_ardour())
    (done,) = put(here, dry_run=True)
    assert done.steps
    assert tree(done.place.base) == before
    assert not here.home.path.exists()


def test_each_version_is_a_client_of_its_own(computer: Make, shared: Shipment) -> None:
    here = computer("linux")
    here.with_ardour(6)  # its Lua has another time
    old, new = here.with_ardour(7), here.with_ardour(8)
    done = put(here)
    assert [one.place.base for one in done] == [new, old]
    assert [settings(base)["client"] for base in (new, old)] == ["ardour", "ardour-2"]
    assert [bool(one.place.note) for one in done] == [True, False]  # only 7 was tried
    assert [state.version for state in states(Ardour(), here.machine, here.home)] == [__version__] * 2
    put(here)
    assert [settings(base)["client"] for base in (new, old)] == ["ardour", "ardour-2"]  # for life


@pytest.mark.parametrize(("platform", "variable"), [("linux", "XDG_CONFIG_HOME"), ("win32", "LOCALAPPDATA")])
def test_it_looks_where_the_system_says(
    computer: Make, shared: Shipment, tmp_path: Path, platform: str, variable: str
) -> None:
    here = computer(platform)
    here.machine.environ[variable] = str(tmp_path / "elsewhere")  # type: ignore[index]
    base = tmp_path / "elsewhere" / "ardour8"
    base.mkdir(parents=True)
    (base / "config").touch()
    assert [done.place.base for done in put(here)] == [base]


@pytest.mark.parametrize("near", [".", "scripts", "scripts/daw-bridge"])
def test_a_folder_that_is_named(computer: Make, shared: Shipment, tmp_path: Path, near: str) -> None:
    here = computer("linux")
    base = tmp_path / "portable"
    (base / near).mkdir(parents=True)
    (base / "config").touch()
    (done,) = put(here, path=base / near)
    assert done.place.base == base
    assert (base / FOLDER / NAME).is_file()


@pytest.mark.parametrize("platform", PLATFORMS)
def test_not_found_says_where_it_looked_and_what_to_do(computer: Make, shared: Shipment, platform: str) -> None:
    here = computer(platform)
    with pytest.raises(InstallTrouble) as told:
        put(here)
    assert str(here.machine.user) in told.value.message
    assert "--path" in told.value.next_step
    with pytest.raises(InstallTrouble, match="no settings folder of Ardour"):
        put(here, path=here.machine.user)
    assert not here.home.path.exists()


def test_every_module_that_is_asked_for_is_installed() -> None:
    """The scripts of Ardour, and what they share: no module is missing, and none of those shared needs REAPER."""
    own = {path.name: path for path in (ROOT / "ardour_scripts" / "lib").glob("*.lua")}
    shared = {name: ROOT / "reaper_scripts" / "lib" / name for name in SHARED}
    assert not own.keys() & shared.keys()
    for path in {**own, **shared}.values():
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\breaper\.\w", re.sub(r"--.*", "", text)), path
        for name in re.findall(r'import\("(\w+)"\)', text):
            assert f"{name}.lua" in {**own, **shared}, (path.name, name)


def test_the_page_installs_into_every_daw_that_it_offers() -> None:
    daws = Setup.model_json_schema()["properties"]["daws"]["anyOf"][0]["items"]["enum"]
    assert set(daws) == {target.name for target in targets()}
