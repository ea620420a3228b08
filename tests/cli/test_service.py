"""``daw-bridge service``: through a stand-in of systemctl that really runs what the unit says."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge_daemon.home.paths import Home
from tests.cli.conftest import Cli

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the stand-in plays systemd")
STAND_IN = Path(__file__).parents[1] / "fakes" / "systemctl.py"


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    folder = tmp_path / "programs"
    folder.mkdir()
    program = folder / "systemctl"
    inner = folder / "systemctl.py"
    inner.write_text(STAND_IN.read_text())
    program.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{inner}' \"$@\"\n")
    program.chmod(0o755)
    return folder


@pytest.fixture
def cli(tmp_path: Path, programs: Path) -> Iterator[Cli]:
    made = Cli(
        tmp_path / "höme of 100% mine",
        {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "XDG_CONFIG_HOME": str(tmp_path / "config")},
    )
    yield made
    if Home(made.home).read_runtime() is not None:
        made.process("stop", code=None)


def unit(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "config" / "systemd" / "user").glob("*.service"))


def test_install_status_restart_uninstall(cli: Cli, tmp_path: Path) -> None:
    assert "service install" in cli.process("service", "status", code=3).stdout
    said = cli.process("service", "install").stdout
    assert "starts at each login" in said
    [file] = unit(tmp_path)
    assert str(file) in said
    status = cli.json("status")
    assert (status["started_by"], status["home"]) == ("service", str(cli.home))
    assert status["engine"]["name"] == "sketch"  # as this terminal's environment says
    told = json.loads(cli.process("service", "status", "--json").stdout)
    assert (told["installed"], told["current"], told["running"]) == (True, True, True)
    changed = cli.with_(DAW_BRIDGE_SPEND__PER_DAY_USD="3")
    assert "other settings" in changed.process("service", "status").stderr
    again = json.loads(cli.process("service", "install", "--json").stdout)
    assert (again["changed"], again["answers"]) == (False, True)
    before = cli.json("status")["pid"]
    assert "runs again" in cli.process("service", "restart").stdout
    assert cli.json("status")["pid"] != before
    assert "removed" in cli.process("service", "uninstall").stdout
    assert unit(tmp_path) == []
    assert cli.json("status", code=3)["running"] is False
    assert (cli.home / "journal.sqlite3").exists()


def test_it_takes_the_place_of_a_bridge_that_was_started(cli: Cli) -> None:
    before = json.loads(cli.process("start", "--json").stdout)["pid"]
    cli.process("service", "install")
    status = cli.json("status")
    assert (status["started_by"], status["pid"] != before) == ("service", True)


def test_if_the_system_does_not_take_it_what_ran_runs_again(cli: Cli, tmp_path: Path, programs: Path) -> None:
    cli.process("start")
    (programs / "refuses").touch()
    said = cli.process("service", "install", code=1).stderr
    assert "E-INSTALL" in said
    assert "No medium found" in said
    assert "nothing was spent" in said.lower()
    assert unit(tmp_path) == []
    assert cli.json("status")["started_by"] == "start"


def test_without_systemd_it_says_what_works(cli: Cli, programs: Path, tmp_path: Path) -> None:
    shutil.rmtree(programs)
    programs.mkdir()
    told = cli.with_(PATH=str(programs)).json("service", "install", code=1)
    assert told["error"]["code"] == "E-INSTALL"
    assert "daw-bridge start" in told["error"]["next"]
    assert unit(tmp_path) == []


@pytest.mark.parametrize("verb", ["uninstall", "restart"])
def test_without_a_service_nothing_is_done(cli: Cli, programs: Path, verb: str) -> None:
    assert "service install" in cli.process("service", verb, code=1).stderr
    assert not (programs / "calls").exists()


def test_no_secret_of_the_terminal_goes_along(cli: Cli, tmp_path: Path) -> None:
    secret = "sk-never-0123456789abcdef"
    said = cli.with_(EMPIRIOLABS_API_KEY=secret, HTTPS_PROXY=f"http://ana:{secret}@proxy:1").process(
        "service", "install"
    )
    assert "key set" in said.stderr
    assert "HTTPS_PROXY" in said.stderr
    assert secret not in said.stdout + said.stderr + unit(tmp_path)[0].read_text()
