"""``daw-bridge install`` and ``uninstall``, as a person types them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bridge_daemon import __version__
from tests.cli.conftest import Cli

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the made-up person has the folders of Linux")


@pytest.fixture
def user(cli: Cli, tmp_path: Path) -> Cli:
    """A person with a REAPER."""
    folder = tmp_path / "Zoë Ünal"
    base = folder / ".config" / "REAPER"
    base.mkdir(parents=True)
    (base / "reaper.ini").write_text("[REAPER]\n", encoding="utf-8")
    (base / "reaper-install-rev.txt").write_text("7.16/linux-x86_64\n", encoding="ascii")
    return cli.with_(HOME=str(folder), XDG_CONFIG_HOME="", DAW_BRIDGE_HOME=str(folder / "my home"))


def base_of(user: Cli) -> Path:
    return Path(user.env["HOME"]) / ".config" / "REAPER"


def test_alone_it_shows_what_is_there(user: Cli) -> None:
    said = user("install").stdout
    assert "REAPER 7.16" in said
    assert str(base_of(user)) in said
    assert "nothing installed.  Next: daw-bridge install reaper" in said
    assert "Ableton Live" in said
    assert "not found" in said
    assert not (Path(user.env["HOME"]) / "my home").exists()
    told = user.json("install")
    assert told["version"] == __version__
    assert told["live"] == []
    user("install", "reaper")
    assert f"version {__version__} is installed, and up to date" in user("install").stdout
    (base_of(user) / "Scripts" / "DAW Bridge" / "lib" / "version.lua").write_text("mine", encoding="utf-8")
    assert "changed by you: Scripts/DAW Bridge/lib/version.lua" in user("install").stdout


def test_the_version_tells_what_is_of_another_one(user: Cli) -> None:
    user("install", "reaper")
    said = user("--version")
    assert (said.stdout, said.stderr) == (f"daw-bridge {__version__}\n", "")
    manifest = base_of(user) / "Scripts" / "DAW Bridge" / "daw-bridge-installed.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text("utf-8")) | {"version": "0.0.9"}), encoding="utf-8")
    runtime = {"pid": 1, "http_url": "http://127.0.0.1:1", "osc_port": None, "version": "0.0.8", "started_at": 1.0}
    (Path(user.env["DAW_BRIDGE_HOME"]) / "runtime.json").write_text(json.dumps(runtime), encoding="utf-8")
    said = user("--version")
    assert said.stdout == f"daw-bridge {__version__}\n"
    assert "REAPER 7.16 has version 0.0.9" in said.stderr
    assert "daw-bridge install reaper" in said.stderr
    assert "0.0.8" in said.stderr


def test_install_says_the_one_step_that_is_left(user: Cli) -> None:
    said = user("install", "reaper").stdout
    assert f"REAPER 7.16: version {__version__} is installed" in said
    assert said.count("Next:") == 1
    assert str(base_of(user) / "Scripts" / "DAW Bridge" / "DAW Bridge_Setup.lua") in said
    assert "was there already" in user("install", "reaper").stdout
    said = user("uninstall", "reaper").stdout
    assert f"version {__version__} is removed" in said
    assert "takes and projects are as they were" in said
    assert not (base_of(user) / "Scripts" / "DAW Bridge").exists()


def test_a_dry_run_names_every_file(user: Cli) -> None:
    said = user("install", "reaper", "--dry-run").stdout
    assert "added: Scripts/DAW Bridge/DAW Bridge_Setup.lua" in said
    assert "nothing was changed" in said
    assert not (base_of(user) / "Scripts").exists()
    assert json.loads(user("install", "--json", "reaper", "-n").stdout)["dry_run"] is True
    told = user.json("install", "reaper", "-n")
    assert told["dry_run"] is True


def test_a_changed_file_is_told(user: Cli) -> None:
    user("install", "reaper")
    script = base_of(user) / "Scripts" / "DAW Bridge" / "DAW Bridge_Setup.lua"
    script.write_text("-- mine", encoding="utf-8")
    said = user("install", "reaper").stdout
    assert "your copy is kept as Scripts/DAW Bridge/DAW Bridge_Setup (your copy).lua" in said
    script.write_text("-- mine again", encoding="utf-8")
    said = user("uninstall", "reaper").stdout
    assert "You had changed Scripts/DAW Bridge/DAW Bridge_Setup.lua: it is left where it is" in said
    assert script.read_text(encoding="utf-8") == "-- mine again"


def test_errors_have_one_next_step(user: Cli, tmp_path: Path) -> None:
    said = user("install", "live", code=1).stderr
    assert "E-INSTALL" in said
    assert "Money: nothing was spent." in said
    assert said.count("Next:") == 1
    assert user.json("install", "live", code=1)["error"]["code"] == "E-INSTALL"
    assert "E-INSTALL" in user("uninstall", "reaper", code=1).stderr
    assert "no reaper.ini" in user("install", "reaper", "--path", str(tmp_path), code=1).stderr
    assert "1 to 40" in user("install", "reaper", "--client", "My REAPER", code=2).stderr


def test_live_into_a_folder(user: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "Geräte"
    folder.mkdir()
    told = user.json("install", "live", "--path", str(folder))
    assert told["places"][0]["folders"] == ["daw-bridge"]
    settings = json.loads((folder / "daw-bridge" / "daw-bridge.json").read_text(encoding="utf-8"))
    assert settings["home"] == str(Path(user.env["HOME"]) / "my home")
    user("uninstall", "live")
    assert list(folder.iterdir()) == []


def test_the_home_is_written_as_a_whole_path(user: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    user.with_(DAW_BRIDGE_HOME="other home")("install", "reaper")
    settings = json.loads((base_of(user) / "Scripts" / "DAW Bridge" / "daw_bridge.json").read_text(encoding="utf-8"))
    assert settings["home"] == str(tmp_path / "other home")
