"""The daemon in the background: start, stop, and what status tells of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bridge_daemon.home.paths import Home
from tests.cli.conftest import Cli
from tests.util.ending import LONGEST, kill
from tests.util.wine import NO_OWNERS


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    made = Cli(tmp_path / "höme of mine")
    yield made
    runtime = Home(made.home).read_runtime()
    if runtime is not None and psutil.pid_exists(runtime.pid):
        kill(runtime.pid)


def test_start_status_stop(cli: Cli) -> None:
    said = cli.process("start").stdout
    assert "runs in the background" in said
    assert str(cli.home / "logs" / "daemon.log") in said
    told = cli.json("status")
    assert told["started_by"] == "start"
    assert told["home"] == str(cli.home)
    assert "in the background" in cli("status").stdout
    again = json.loads(cli.process("start", "--json").stdout)
    assert (again["started"], again["pid"]) == (False, told["pid"])
    process = psutil.Process(told["pid"])
    if sys.platform != "win32":
        assert os.getsid(told["pid"]) == told["pid"] != os.getsid(0)
        assert process.terminal() is None
    assert process.cwd() == str(cli.home)
    said = cli.process("stop").stdout
    assert "Stopped" in said
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    assert "has stopped" in (cli.home / "logs" / "daemon.log").read_text()
    assert "daw-bridge start" in cli.process("stop", code=3).stderr


def test_two_starts_at_once_make_one_daemon(cli: Cli) -> None:
    both = [cli.popen("start", "--json") for _ in range(2)]
    told = []
    for process in both:
        out, err = process.communicate(timeout=LONGEST)
        assert process.returncode == 0, err
        told.append(json.loads(out)["pid"])
    assert told[0] == told[1]
    cli.process("stop")


def test_a_start_that_fails_says_why_and_where(cli: Cli) -> None:
    said = cli.with_(DAW_BRIDGE_SPEND__PER_DAY_USD="lots").process("start", code=3).stderr
    assert "could not start" in said
    assert "E-SETTINGS" in said
    assert "nothing was spent" in said


def test_stop_ends_only_the_daemon_of_this_home(cli: Cli, tmp_path: Path) -> None:
    """A runtime.json that a killed daemon left may name the process of somebody else."""
    cli.process("start")
    runtime = json.loads((cli.home / "runtime.json").read_text())
    kill(runtime["pid"])
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as stranger:
        (cli.home / "runtime.json").write_text(json.dumps(runtime | {"pid": stranger.pid}))
        try:
            cli.process("stop", code=3)
            time.sleep(0.2)
            assert stranger.poll() is None
        finally:
            stranger.kill()


@NO_OWNERS
def test_a_taken_port_names_the_other_home(cli: Cli, tmp_path: Path) -> None:
    cli.process("start")
    port = json.loads((cli.home / "runtime.json").read_text())["http_url"].rpartition(":")[2]
    said = Cli(tmp_path / "other", {"DAW_BRIDGE_HTTP__PORT": port}).process("run", code=1).stderr
    assert f"home {cli.home}" in said
    assert "daw-bridge stop" in said
    cli.process("stop")


def test_stop_without_a_daemon_changes_nothing(cli: Cli) -> None:
    told = cli.json("stop", code=3)
    assert told["error"]["next"] == "daw-bridge start"
    assert not cli.home.exists()


def test_a_bridge_that_does_not_answer_is_not_called_stopped(cli: Cli) -> None:
    home = Home(cli.home)
    home.prepare()
    with home.lock():
        told = cli.json("stop", code=3)
    assert "does not answer" in told["error"]["message"]
    assert told["error"]["next"] != "daw-bridge start"
