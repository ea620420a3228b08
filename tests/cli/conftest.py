"""Real processes: ``python -m bridge_daemon`` on throw-away homes, with the sketch engine."""

from __future__ import annotations

import contextlib
import io
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bridge_daemon.cli import main
from tests.util.ending import INTERRUPT, LONGEST, Process

COMMAND = [sys.executable, "-m", "bridge_daemon"]


@dataclass
class Cli:
    """The command line with a home of its own."""

    home: Path
    more: dict[str, str] = field(default_factory=dict)

    @property
    def env(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("DAW_BRIDGE_") and name not in ("EMPIRIOLABS_API_KEY", "NO_COLOR")
        }
        return kept | {
            "DAW_BRIDGE_HOME": str(self.home),
            "DAW_BRIDGE_HTTP__PORT": "0",
            "DAW_BRIDGE_PUBLISH__SOURCE_PORT": "0",
            "DAW_BRIDGE_OSC__PORT": "0",
            "DAW_BRIDGE_ENGINE__NAME": "sketch",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        } | self.more  # fmt: skip

    def with_(self, **more: str) -> Cli:
        return Cli(self.home, self.more | more)

    def __call__(self, *args: str, stdin: str = "", code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run a command inside of this process, which saves half a second of loading."""
        return self._check(_inside(args, self.env, stdin), args, code)

    def process(self, *args: str, stdin: str = "", code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run a command as a process of its own."""
        done = subprocess.run(
            [*COMMAND, *args], env=self.env, input=stdin, capture_output=True, text=True, timeout=LONGEST, check=False
        )
        return self._check(done, args, code)

    def _check(
        self, done: subprocess.CompletedProcess[str], args: tuple[str, ...], code: int | None
    ) -> subprocess.CompletedProcess[str]:
        assert "Traceback" not in done.stdout + done.stderr, done.stderr
        if code is not None:
            assert done.returncode == code, (args, done.returncode, done.stdout, done.stderr)
        return done

    def json(self, *args: str, code: int = 0) -> Any:
        return json.loads(self(*args, "--json", code=code).stdout)

    def popen(self, *args: str, **more: Any) -> subprocess.Popen[str]:
        usual = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
        }
        return Process([*COMMAND, *args], env=self.env, **(usual | more))

    def at_terminal(self, *args: str, answer: str | None = None, when: str = "[y/N]") -> tuple[int, str, str]:
        """Run with keyboard and stderr as a terminal; return the exit code, stdout, and what the terminal showed."""
        pty = pytest.importorskip("pty", reason="Windows has no terminals that a program can play")
        ours, theirs = pty.openpty()
        process = self.popen(*args, stdin=theirs, stderr=theirs, start_new_session=True)  # no other terminal is near
        os.close(theirs)
        shown, asked = b"", answer is not None
        with process:
            while True:
                ready, _, _ = select.select([ours], [], [], 30)
                if not ready:
                    process.kill()
                assert ready, shown
                try:
                    piece = os.read(ours, 4096)
                except OSError:  # how Linux tells that the other side was closed
                    break
                if not piece:
                    break
                shown += piece
                if asked and when.encode() in shown:
                    os.write(ours, f"{answer}\n".encode())
                    asked = False
            assert process.stdout is not None
            out = process.stdout.read()
        os.close(ours)
        return process.returncode, out, shown.decode("utf-8", "replace")

    @contextlib.contextmanager
    def running(self) -> Iterator[subprocess.Popen[str]]:
        """A daemon that can be used; stopped in the end."""
        process = self.popen("run", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            await_line(process, "stops it.")
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(INTERRUPT)
            try:
                process.wait(10)
            finally:
                process.kill()
                process.communicate()


def _inside(args: tuple[str, ...], env: dict[str, str], stdin: str) -> subprocess.CompletedProcess[str]:
    out, err = (io.TextIOWrapper(io.BytesIO(), env.get("PYTHONIOENCODING", "utf-8"), newline="") for _ in range(2))
    with pytest.MonkeyPatch.context() as patch:
        for name in set(os.environ) - set(env):
            patch.delenv(name)
        for name, value in env.items():
            patch.setenv(name, value)
        for name, value in (("stdin", io.StringIO(stdin)), ("stdout", out), ("stderr", err), ("argv", ["x", *args])):
            patch.setattr(sys, name, value)
        with pytest.raises(SystemExit) as ended:
            main()
    texts = [stream.buffer.getvalue().decode("utf-8") for stream in (out, err)]
    return subprocess.CompletedProcess(args, int(ended.value.code or 0), *texts)


def await_line(process: subprocess.Popen[str], text: str) -> str:
    """Read stdout until a line holds ``text``; return all that was read."""
    assert process.stdout is not None
    read = ""
    deadline = time.monotonic() + LONGEST
    while text not in read:
        line = process.stdout.readline()
        assert line, f"it ended: {read}"
        assert time.monotonic() < deadline, read
        read += line
    return read


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """A command line whose home has never been used."""
    return Cli(tmp_path / "home")


@pytest.fixture(scope="session")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """A running daemon with the free engine; its home has a name that is not ASCII."""
    cli = Cli(tmp_path_factory.mktemp("cli") / "höme")
    with cli.running():
        yield cli


@pytest.fixture(scope="session")
def sketch_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The sketch engine alone: here it plays the paid service."""
    cli = Cli(tmp_path_factory.mktemp("sketch") / "home")
    process = cli.popen("sketch-engine", "--port", "0")
    try:
        yield await_line(process, "http://").strip()
    finally:
        process.send_signal(INTERRUPT)
        out, err = process.communicate(timeout=LONGEST)
        assert process.returncode == 0, (out, err)
        assert "Traceback" not in err


@pytest.fixture(scope="session")
def paid(tmp_path_factory: pytest.TempPathFactory, sketch_url: str) -> Iterator[Cli]:
    """A running daemon whose takes cost: $5 a day, and it asks above $1."""
    cli = Cli(
        tmp_path_factory.mktemp("paid") / "home",
        {
            "DAW_BRIDGE_ENGINE__NAME": "empiriolabs",
            "DAW_BRIDGE_ENGINE__BASE_URL": sketch_url,
            "DAW_BRIDGE_SPEND__PER_DAY_USD": "5",
            "DAW_BRIDGE_SPEND__CONFIRM_ABOVE_USD": "1",
        },
    )
    cli.process("key", "set", stdin="sk-this-is-a-test-key-0001\n")
    with cli.running():
        yield cli


@pytest.fixture
def await_(request: pytest.FixtureRequest) -> Callable[[Callable[[], bool]], None]:
    """Wait until something holds."""

    def wait(holds: Callable[[], bool], seconds: float = 90.0) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, "it did not happen"
            time.sleep(0.05)

    return wait
