"""``config reload`` and SIGHUP, as a person or a service manager uses them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from tests.cli.conftest import COMMAND, Cli

POSIX = pytest.mark.posix("Windows has no SIGHUP")


def test_reload_prints_what_changed_what_waits_and_the_faults(cli: Cli) -> None:
    assert "E-NOT-RUNNING" in cli("config", "reload", code=3).stderr
    cli.home.mkdir(mode=0o700)
    config = cli.home / "config.toml"
    config.write_text("[spend]\nper_day_usd = 5\n")
    with cli.running():
        assert "Nothing has changed." in cli("config", "reload").stdout
        config.write_text("[spend]\nper_day_usd = 7.5\n[engine]\nmax_open_jobs = 2\n")
        said = cli("config", "reload").stdout
        assert "spend.per_day_usd: 5.0 → 7.5" in said
        assert "engine.max_open_jobs counts after the next start of the bridge." in said
        assert cli.json("status")["limit_today_usd"] == 7.5
        config.write_text("[spend]\nper_day_usd = -1\nper_mnth_usd = 3\n")
        faults = cli("config", "reload", code=2).stderr
        assert "E-SETTINGS" in faults
        assert "per_day_usd" in faults
        assert "per_month_usd" in faults
        assert cli.json("status")["limit_today_usd"] == 7.5
        assert cli.json("config", "reload", code=2)["error"]["code"] == "E-SETTINGS"
        config.write_text("")
        told = cli.json("config", "reload")
        assert told["changed"] == {"engine.max_open_jobs": [2, 8], "spend.per_day_usd": [7.5, 10.0]}
        assert told["after_restart"] == []


def _at_terminal(cli: Cli, *, nohup: bool) -> tuple[int, int]:
    """Run the bridge with a terminal of its own; return its pid and our end of the terminal."""
    import pty

    pid, ours = pty.fork()
    if pid == 0:
        # not as it was inherited: the tests themselves may be run under nohup
        signal.signal(signal.SIGHUP, signal.SIG_IGN if nohup else signal.SIG_DFL)
        os.execve(COMMAND[0], [*COMMAND, "run"], cli.env)
    return pid, ours


def _until(look: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


@POSIX
@pytest.mark.parametrize("nohup", [False, True])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_closed_terminal_ends_it_in_good_order_but_not_under_nohup(cli: Cli, nohup: bool) -> None:
    pid, ours = _at_terminal(cli, nohup=nohup)
    log = cli.home / "logs" / "daemon.log"
    try:
        _until((cli.home / "runtime.json").exists)
        os.kill(pid, signal.SIGHUP)
        _until(lambda: "Settings read again" in log.read_text())
        os.close(ours)
        if nohup:
            _until(lambda: log.read_text().count("Settings read again") == 2)
            assert cli.json("status")["running"]
            os.kill(pid, signal.SIGTERM)
        _, status = os.waitpid(pid, 0)
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    assert os.waitstatus_to_exitcode(status) == 0, log.read_text()
    assert "daw-bridge has stopped" in log.read_text()
    assert "Traceback" not in log.read_text()
    assert not (cli.home / "runtime.json").exists()
