"""From a wheel, in a fresh environment and an empty folder: what a person gets who never saw the checkout."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bridge_daemon import __version__
from bridge_daemon.install import ardour, shipped
from tests.install.test_folder import content, tree
from tests.util.ending import LONGEST

ROOT = Path(__file__).parents[2]


@dataclass
class Installed:
    """The command line as a wheel installed it."""

    wheel: Path
    program: Path
    python: Path

    def run(self, user: Path, *args: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        empty = user / "empty"
        empty.mkdir(parents=True, exist_ok=True)
        kept = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "TEMP", "TMP")
        env = {name: os.environ[name] for name in kept if name in os.environ}
        env |= {"HOME": str(user), "APPDATA": str(user / "AppData" / "Roaming"), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [str(self.program), *args]
        done = subprocess.run(command, cwd=empty, env=env, capture_output=True, text=True, timeout=LONGEST, check=False)
        assert done.returncode == code, (args, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done

    def json(self, user: Path, *args: str, code: int = 0) -> Any:
        return json.loads(self.run(user, *args, "--json", code=code).stdout)


def pack_and_install(folder: Path) -> Installed:
    """Pack a wheel, and install it with pip. What it depends on is taken from the environment of the tests."""
    if importlib.util.find_spec("ensurepip") is None:
        sentence = "needs the module ensurepip: install the package python3-venv"
        pytest.fail(sentence) if os.environ.get("CI") else pytest.skip(sentence)
    quiet = {"check": True, "capture_output": True, "text": True, "timeout": 100}
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=ROOT, **quiet)
    (wheel,) = folder.glob("*.whl")
    venv = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], **quiet)
    scripts = venv / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / f"python{'.exe' if os.name == 'nt' else ''}"
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "-q", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--no-compile", str(wheel)], **quiet)
    ask = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    purelib = Path(subprocess.run(ask, **quiet).stdout.strip())
    (purelib / "others.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return Installed(wheel, scripts / f"daw-bridge{'.exe' if os.name == 'nt' else ''}", python)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(sys.platform != "linux", reason="the made-up person has the folders of Linux")
def test_a_wheel_brings_everything(tmp_path: Path) -> None:
    """One test, so that the wheel is packed once, however the tests are spread."""
    (tmp_path / "wheel").mkdir()
    installed = pack_and_install(tmp_path / "wheel")
    holds_what_the_checkout_ships(installed)
    holds_the_page(installed)
    installs_for_reaper(installed, tmp_path / "Zoë Ünal")
    installs_for_ardour(installed, tmp_path / "Åsa Öberg")
    installs_for_live(installed, tmp_path / "user", tmp_path / "Söhne" / "User Library")


def holds_what_the_checkout_ships(installed: Installed) -> None:
    wanted = {
        f"{name}/{path}": data
        for name in (shipped.ARDOUR, shipped.REAPER, shipped.LIVE)
        for path, data in shipped.read(ROOT / name, "*.lua", "lib/*.lua", "check/*.lua", "built/*.amxd").items()
    }
    with zipfile.ZipFile(installed.wheel) as wheel:
        base = "bridge_daemon/install/data/"
        found = {name.removeprefix(base): wheel.read(name) for name in wheel.namelist() if name.startswith(base)}
    assert found == wanted
    assert "reaper_scripts/DAW Bridge_Setup.lua" in found
    assert len([name for name in found if name.endswith(".amxd")]) == 3


def holds_the_page(installed: Installed) -> None:
    """Every file of the page is there, and each of them is of a type that is served."""
    folder = ROOT / "bridge_daemon" / "frontends" / "http" / "page"
    wanted = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with zipfile.ZipFile(installed.wheel) as wheel:
        found = {
            name: wheel.read(name) for name in wheel.namelist() if name.startswith("bridge_daemon/frontends/http/page/")
        }
    assert found == wanted
    assert {Path(name).suffix for name in wanted} == {".html", ".css", ".js", ".svg"}
    assert "bridge_daemon/frontends/http/page/index.html" in wanted


def installs_for_reaper(installed: Installed, user: Path) -> None:
    base = user / ".config" / "REAPER"
    (base / "Scripts").mkdir(parents=True)
    (base / "reaper.ini").write_text("[REAPER]\n", encoding="utf-8")
    before = tree(base)
    assert installed.json(user, "install")["reaper"][0]["version"] is None
    assert "Load ReaScript" in installed.run(user, "install", "reaper").stdout
    found = content(base)
    for path, data in shipped.read(ROOT / shipped.REAPER, "DAW Bridge_*.lua", "lib/*.lua").items():
        assert found[f"Scripts/DAW Bridge/{path}"] == data
    home = Path(json.loads(found["Scripts/DAW Bridge/daw_bridge.json"])["home"])
    assert home == user / ".local" / "share" / "daw-bridge"
    assert (home / "token").is_file()
    assert installed.json(user, "install")["reaper"][0]["up_to_date"] is True
    assert installed.json(user, "uninstall", "reaper")["places"][0]["version_before"] == __version__
    assert tree(base) == before


def installs_for_ardour(installed: Installed, user: Path) -> None:
    base = user / ".config" / "ardour7"
    base.mkdir(parents=True)
    (base / "config").touch()
    before = tree(base)
    assert "Script Manager" in installed.run(user, "install", "ardour").stdout
    found = content(base)
    for path, data in shipped.read(ROOT / shipped.ARDOUR, "*.lua").items():
        assert found[f"scripts/{path}"] == data
    shared = shipped.read(ROOT / shipped.REAPER / "lib", *ardour.SHARED)
    for path, data in (shared | shipped.read(ROOT / shipped.ARDOUR / "lib", "*.lua")).items():
        assert found[f"{ardour.FOLDER}/lib/{path}"] == data
    installed.json(user, "uninstall", "ardour")
    assert tree(base) == before


def installs_for_live(installed: Installed, user: Path, library: Path) -> None:
    library.mkdir(parents=True)
    (place,) = installed.json(user, "install", "live", "--path", str(library))["places"]
    assert place["version"] == __version__
    devices = shipped.read(ROOT / shipped.LIVE / "built", "*.amxd")
    found = {path.rpartition("/")[2]: data for path, data in content(library).items() if path.endswith(".amxd")}
    assert found == devices
    installed.json(user, "uninstall", "live")
    assert not list(library.iterdir())


@pytest.mark.slow
def test_a_wheel_without_the_scripts_is_not_packed(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "bridge_daemon").mkdir()
    (tmp_path / "bridge_daemon" / "__init__.py").write_text(f'__version__ = "{__version__}"\n', encoding="utf-8")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "out")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=LONGEST, check=False)
    assert done.returncode != 0
    assert "reaper_scripts/*.lua" in done.stderr + done.stdout
