"""``daw-bridge service`` in a real ``systemd --user``: what the unit says is what systemd does."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge_daemon.home.paths import Home
from tests import systemd
from tests.ardour.daw import until
from tests.cli.conftest import Cli
from tests.util.ending import LONGEST

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(systemd.missing() is not None, reason=systemd.missing() or ""),
]


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[systemd.Manager]:
    with systemd.manager(tmp_path) as made:
        yield made


@pytest.fixture
def cli(tmp_path: Path, manager: systemd.Manager) -> Iterator[Cli]:
    path = f"{manager.programs}{os.pathsep}{os.environ['PATH']}"
    made = Cli(tmp_path / "höme of 100% $mine", manager.environ | {"PATH": path, "DAW_BRIDGE_SPEND__PER_DAY_USD": "7"})
    yield made
    if Home(made.home).read_runtime() is not None:
        made.process("stop", code=None)


@pytest.fixture
def unit(cli: Cli, tmp_path: Path) -> str:
    cli.process("service", "install")
    [file] = (tmp_path / "config" / "systemd" / "user").glob("*.service")
    return file.name


def told(cli: Cli) -> dict[str, Any]:
    return dict(json.loads(cli.process("service", "status", "--json").stdout))


def pid(cli: Cli) -> int | None:
    """The process of the bridge that says it runs, if one does."""
    found = Home(cli.home).read_runtime()
    return found.pid if found is not None else None


def hurry(manager: systemd.Manager, tmp_path: Path, unit: str) -> None:
    """Have systemd wait less than our ten seconds before it starts what died."""
    folder = tmp_path / "config" / "systemd" / "user" / f"{unit}.d"
    folder.mkdir()
    (folder / "test.conf").write_text("[Service]\nRestartSec=100ms\n")
    manager.call("daemon-reload")


def test_it_runs_with_the_settings_of_the_terminal(cli: Cli, manager: systemd.Manager, unit: str) -> None:
    status = cli.json("status")
    assert (status["started_by"], status["home"]) == ("service", str(cli.home))
    assert manager.show(unit, "MainPID") == {"MainPID": str(status["pid"])}
    assert manager.call("is-enabled", unit) == "enabled"
    assert told(cli)["detail"] == "active"
    environ = Path(f"/proc/{status['pid']}/environ").read_bytes().split(b"\0")
    assert f"DAW_BRIDGE_HOME={cli.home}".encode() in environ
    assert b"DAW_BRIDGE_SPEND__PER_DAY_USD=7" in environ


def test_what_is_killed_is_started_again(cli: Cli, manager: systemd.Manager, unit: str) -> None:
    before = cli.json("status")["pid"]
    os.kill(before, signal.SIGKILL)
    after = until(lambda: pid(cli) not in (None, before) and pid(cli), LONGEST, "another process")
    assert manager.show(unit, "MainPID", "NRestarts") == {"MainPID": str(after), "NRestarts": "1"}
    assert cli.json("status")["started_by"] == "service"


@pytest.mark.parametrize("by", ["the bridge", "systemd"])
def test_what_is_stopped_stays_so_until_it_is_started(cli: Cli, manager: systemd.Manager, unit: str, by: str) -> None:
    if by == "systemd":
        manager.call("stop", unit)
    else:
        cli.process("stop")
    until(lambda: manager.call("is-active", unit) == "inactive", LONGEST, "its end")
    assert manager.show(unit, "Result") == {"Result": "success"}, "it ended in good order"
    assert (told(cli)["running"], pid(cli)) == (False, None)
    cli.process("service", "restart")
    assert cli.json("status")["started_by"] == "service"


def test_what_dies_too_often_is_given_up_and_restart_begins_anew(
    cli: Cli, manager: systemd.Manager, unit: str, tmp_path: Path
) -> None:
    hurry(manager, tmp_path, unit)
    seen = set()
    while manager.call("is-active", unit) != "failed":
        if (running := pid(cli)) is not None and running not in seen:
            seen.add(running)
            os.kill(running, signal.SIGKILL)
        assert len(seen) < 10
        time.sleep(0.05)
    assert (told(cli)["running"], told(cli)["detail"]) == (False, "failed")
    cli.process("service", "restart")
    assert cli.json("status")["pid"] not in seen


def test_wrong_settings_are_no_reason_to_start_again(
    cli: Cli, manager: systemd.Manager, unit: str, tmp_path: Path
) -> None:
    hurry(manager, tmp_path, unit)
    (cli.home / "config.toml").write_text("[http\n")
    manager.call("restart", unit)
    until(lambda: manager.call("is-active", unit) == "failed", LONGEST, "the refusal")
    assert manager.show(unit, "ExecMainStatus", "NRestarts") == {"ExecMainStatus": "2", "NRestarts": "0"}


def test_uninstall_leaves_nothing_of_it(cli: Cli, manager: systemd.Manager, unit: str) -> None:
    cli.process("service", "uninstall")
    assert manager.show(unit, "LoadState", "ActiveState") == {"LoadState": "not-found", "ActiveState": "inactive"}
    assert pid(cli) is None
    assert manager.call("is-enabled", unit) not in ("enabled", "linked")
    assert (cli.home / "journal.sqlite3").exists()
