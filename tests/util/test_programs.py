"""Programs that are run to their end: how long is waited for them, and what of them holds nobody up."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bridge_daemon.util import programs

#: Starts a process that keeps the streams for longer than any of these tests, tells its number, and ends or stays.
PARENT = """
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
print("done")
print("no bus", file=sys.stderr)
sys.stdout.flush()
time.sleep(float(sys.argv[2]))
sys.exit(3)
"""


@pytest.fixture
def pid(tmp_path: Path) -> Iterator[Path]:
    """Return the file for the number of the process that is left behind; end that one after the test."""
    file = tmp_path / "pid"
    yield file
    left = psutil.Process(int(file.read_text()))
    left.kill()
    left.wait(60)


def test_what_a_program_leaves_running_is_not_waited_for(pid: Path) -> None:
    since = time.monotonic()
    done = programs.run([sys.executable, "-c", PARENT, str(pid), "0"], 200)
    assert time.monotonic() - since < 150
    assert (done.returncode, done.stdout.split(), done.stderr.split()) == (3, ["done"], ["no", "bus"])


def test_the_time_for_a_program_holds_for_what_it_started_too(pid: Path) -> None:
    since = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        programs.run([sys.executable, "-c", PARENT, str(pid), "300"], 20)
    assert time.monotonic() - since < 150


def test_what_is_no_text_is_read_all_the_same() -> None:
    done = programs.run([sys.executable, "-c", "import os; os.write(1, b'\\xff ok\\r\\n')"], 200)
    assert done.stdout.endswith(" ok\n")


def test_it_has_no_input() -> None:
    done = programs.run([sys.executable, "-c", "import sys; print(repr(sys.stdin.read()))"], 200)
    assert done.stdout == "''\n"
