from __future__ import annotations

import json
import subprocess
import time

import pytest

from tests.cli.conftest import Cli, await_line
from tests.util.ending import ENDS, LONGEST


@pytest.mark.parametrize("number", ENDS)
def test_it_ends_within_five_seconds_and_says_no_more_than_that(cli: Cli, number: int) -> None:
    process = cli.popen("run", stderr=subprocess.STDOUT)
    said = await_line(process, "stops it.")
    assert str(cli.home / "config.toml") in said
    assert "not the model" in said
    assert "daw-bridge key set" in said
    assert "$10.00 a day, $50.00 a month" in said
    assert str(cli.home / "library") in said
    assert str(cli.home / "logs" / "daemon.log") in said
    runtime = json.loads((cli.home / "runtime.json").read_text())
    assert runtime["http_url"] in said
    before = time.monotonic()
    process.send_signal(number)
    rest, _ = process.communicate(timeout=LONGEST)
    assert time.monotonic() - before < 5
    assert process.returncode == 0
    assert "Traceback" not in said + rest
    assert rest.rstrip().endswith("Stopped.")
    assert not (cli.home / "runtime.json").exists()
    log = (cli.home / "logs" / "daemon.log").read_text()
    assert "starts (pid" in log
    assert "has stopped" in log
    assert " ERROR " not in log


@pytest.mark.parametrize("number", ENDS)
def test_a_signal_while_it_starts_is_no_error_either(cli: Cli, number: int) -> None:
    process = cli.popen("run", stderr=subprocess.STDOUT)
    assert process.stdout is not None
    process.stdout.readline()  # the settings were written: now the slow part begins
    process.send_signal(number)
    rest, _ = process.communicate(timeout=LONGEST)
    assert process.returncode == 0, rest
    assert "Traceback" not in rest


def test_a_second_run_says_where_the_first_one_is(bridge: Cli) -> None:
    runtime = json.loads((bridge.home / "runtime.json").read_text())
    said = bridge.process("run").stdout
    assert f"already running (pid {runtime['pid']}, {runtime['http_url']}" in said
    # and so it does where the settings became wrong meanwhile
    assert "already running" in bridge.with_(DAW_BRIDGE_SPEND__PER_DAY_USD="lots").process("run").stdout


def test_a_taken_port_is_explained(bridge: Cli, cli: Cli) -> None:
    port = json.loads((bridge.home / "runtime.json").read_text())["http_url"].rpartition(":")[2]
    said = cli.with_(DAW_BRIDGE_HTTP__PORT=port).process("run", code=1).stderr
    assert "E-PORT" in said
    assert port in said
    assert "Money: nothing was spent." in said
    assert "Next:" in said
    assert not (cli.home / "runtime.json").exists()


def test_wrong_settings_are_wrong_use_and_all_told(cli: Cli) -> None:
    wrong = cli.with_(DAW_BRIDGE_SPEND__PER_DAY_USD="lots", DAW_BRIDGE_HTTP__HOST="0.0.0.0")
    said = wrong.process("run", code=2).stderr
    assert "E-SETTINGS" in said
    assert "DAW_BRIDGE_SPEND__PER_DAY_USD" in said
    assert "DAW_BRIDGE_HTTP__HOST" in said


def test_an_unusable_home_is_explained(cli: Cli) -> None:
    cli.home.write_text("a file")
    said = cli.process("run", code=1).stderr
    assert "E-HOME" in said
    assert "is a file" in said


def test_what_a_killed_daemon_left_behind_is_not_believed(cli: Cli) -> None:
    cli.home.mkdir(mode=0o700)
    told = {"pid": 1, "http_url": "http://127.0.0.1:9", "osc_port": None, "version": "0", "started_at": 0.0}
    (cli.home / "runtime.json").write_text(json.dumps(told))
    (cli.home / "token").write_text("ab" * 32)
    (cli.home / "token").chmod(0o600)
    assert "E-NOT-RUNNING" in cli("status", code=3).stderr


def test_an_unknown_level_is_wrong_use(cli: Cli) -> None:
    assert "debug" in cli.process("run", "--log-level", "loud", code=2).stderr
