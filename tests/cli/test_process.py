"""What a command leaves to the system: its exit code at a closed pipe, and the modes of the files that it makes."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import COMMAND, Cli
from tests.support import tone


@pytest.mark.posix("POSIX: SIGPIPE and its exit code")
def test_a_reader_that_has_read_enough(cli: Cli) -> None:
    cli.home.mkdir(mode=0o700)
    (cli.home / "logs").mkdir()
    (cli.home / "logs" / "daemon.log").write_text("a line\n" * 50_000, encoding="utf-8")
    command = subprocess.Popen(
        [*COMMAND, "logs", "-n", "50000"], env=cli.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert command.stdout is not None and command.stderr is not None
    assert command.stdout.readline() == b"a line\n"
    command.stdout.close()
    assert command.stderr.read() == b""
    command.stderr.close()
    assert command.wait(20) == 128 + 13


def open_to_others(home: Path) -> list[str]:
    """Return what others could read or change; takes in the library are for whomever the person likes."""
    kept = [path for path in (home, *home.rglob("*")) if "library" not in path.relative_to(home).parts]
    assert len(kept) > 15
    return [
        f"{path.relative_to(home)} {mode:04o}" for path in kept if (mode := stat.S_IMODE(path.stat().st_mode)) & 0o077
    ]


@pytest.mark.posix("the modes of POSIX say nothing on Windows")
@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_nothing_in_the_home_is_open_to_others(cli: Cli, umask: int) -> None:
    before = os.umask(umask)
    try:
        with cli.running():
            library = cli.home / "library"
            library.mkdir(exist_ok=True)
            cli.process("transform", "brass", "--source", str(tone(library / "loop.wav")))
            assert open_to_others(cli.home) == []
        for path in cli.home.iterdir():
            if path.is_file() and path.name not in ("token", "key"):
                path.chmod(0o666)  # as an earlier version left it
        with cli.running():
            cli.process("generate", "rain", "--duration", "1")
            assert [one for one in open_to_others(cli.home) if one.startswith("journal")] == []
    finally:
        os.umask(before)
