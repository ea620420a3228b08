"""``install reaper --check``, with the fake as the program that is started, and a real bridge beside it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from bridge_daemon.errors import InstallTrouble
from bridge_daemon.install import reaper_check
from bridge_daemon.install.machine import Machine
from tests.cli.conftest import Cli, cli
from tests.reaper.reaper import ROOT

__all__ = ["cli"]
pytestmark = [pytest.mark.timeout(180), pytest.mark.slow]

PROGRAM = """#!/bin/sh
'''exec' "{python}" "$0" "$@"
'''
import sys, time
sys.path.insert(0, {root!r})
from pathlib import Path
from tests.reaper.reaper import Reaper, to_lua

assert sys.argv[1] == "-cfgfile" and "-newinst" in sys.argv
ini = Path(sys.argv[2])
assert ini.is_file()
reaper = Reaper("lupa.lua54", ini.parent)
reaper.do("fake.run(" + to_lua(sys.argv[-1]) + ")")
while True:
    reaper.tick(4)
    time.sleep(0.02)
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "reaper"
    path.write_text(PROGRAM.format(python=sys.executable, root=str(ROOT)))
    path.chmod(0o755)
    return path


@pytest.mark.posix("a script cannot be started as a program there")
def test_the_whole_check_with_a_take_of_the_sketch_engine(cli: Cli, program: Path) -> None:
    told = cli.json("install", "reaper", "--check", "--program", str(program))
    assert [(one["text"], one.get("why")) for one in told["take"] if one["result"] != "holds"] == []
    assert [one for one in told["facts"] if one["result"] == "differs"] == []
    assert "problem" not in told
    kept = json.loads(Path(told["report"]).read_text(encoding="utf-8"))
    assert kept["facts"] == told["facts"]
    assert Path(told["report"]).parent.name == "logs"


def test_a_program_that_ends_or_is_not_there_is_told(cli: Cli, tmp_path: Path) -> None:
    told = cli("install", "reaper", "--check", "--program", str(tmp_path / "none"), code=1)
    assert "was not found" in told.stderr
    if os.name != "nt":
        done = cli("install", "reaper", "--check", "--program", "/bin/true", code=1)
        assert "without a report" in done.stderr
        assert "not touched" in done.stderr


def test_a_report_that_never_comes_ends_the_program(tmp_path: Path) -> None:
    script = reaper_check.prepare(tmp_path / "resources", None)
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    with pytest.raises(InstallTrouble, match="no report in 1 s"):
        reaper_check.run(slow, tmp_path / "resources", script, 1.0)


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        ("darwin", "/Applications/REAPER.app/Contents/MacOS/REAPER"),
        ("win32", "C:/Program Files/REAPER (x64)/reaper.exe"),
        ("linux", "/opt/REAPER/reaper"),
    ],
)
def test_where_the_program_is_looked_for(platform: str, expected: str, tmp_path: Path) -> None:
    machine = Machine(platform, {"ProgramFiles": "C:/Program Files", "PATH": ""}, tmp_path, tmp_path)
    assert expected in [path.as_posix() for path in reaper_check.programs(machine)]
