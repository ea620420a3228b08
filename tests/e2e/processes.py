"""Real processes: `daw-bridge run` against the fake service, which is a process of its own too.

A bridge is forked from a process that has everything imported already, and then does what `python -m bridge_daemon run`
does: it dies as hard as any, and starts in a fraction of the time. With ``real=True`` it is that very command.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests import watchdog
from tests.util.ending import TERMINATE, Process
from tests.waiting import at_last

START = 60.0  # s, on a busy machine
KEY = "sk-empiriolabs-test"
ROOT = Path(__file__).parents[2]
RESTING = {"placed", "cancelled", "refused", "failed", "unknown", "dismissed", "held"}


class Forked:
    """A process that was forked to run the command, with the part of Popen's interface that is used here."""

    def __init__(self, env: dict[str, str], said: Path) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tests.e2e.processes", "bridge_daemon.cli.run", "bridge_daemon.app.daemon"])
        self._said = said
        self._process = context.Process(target=_run, args=(env, str(said)), name="bridge")
        self._process.start()

    @property
    def pid(self) -> int | None:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()

    def send_signal(self, number: int) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("bridge", timeout or 0.0)
        return self._said.read_text(encoding="utf-8"), ""


def _run(env: dict[str, str], said: str) -> None:
    from bridge_daemon.cli import main

    os.environ.clear()
    os.environ.update(env)
    for number in (1, 2):
        os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), number)
    sys.argv = ["daw-bridge", "run"]
    home = Path(env["DAW_BRIDGE_HOME"])
    watchdog.watch_process(_report(home), home / "runtime.json")
    main()


def _report(home: Path) -> Path:
    return home.with_name(f"{home.name} held up.txt")


def ask(url: str, body: Any = None, *, token: str = "") -> Any:
    """Ask a server of ours for JSON; an error of ours is returned as it is told."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=30) as answer:
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        with error:
            return json.loads(error.read())


@dataclass
class FakeService:
    """The paid service: what it was charged for is the oracle."""

    url: str

    def script(self, **order: Any) -> None:
        ask(f"{self.url}/_fake/script", order)

    def state(self) -> dict[str, Any]:
        return dict(ask(f"{self.url}/_fake/state"))

    def charges(self, prompt: str | None = None) -> list[dict[str, Any]]:
        return [one for one in self.state()["charges"] if prompt in (None, one["body"]["prompt"])]

    def posts(self, prompt: str | None = None) -> list[dict[str, Any]]:
        return [one for one in self.state()["posts"] if prompt in (None, (one["body"] or {}).get("prompt"))]


@contextmanager
def fake_service(**settings: Any) -> Iterator[FakeService]:
    command = [sys.executable, "-m", "tests.fakes.service", "--script", json.dumps({"set": settings})]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield FakeService(process.stdout.readline().strip())
    finally:
        process.terminate()
        process.communicate(timeout=30)


@dataclass
class Bridge:
    """A home, and the daemon that runs on it or not."""

    home: Path
    service_url: str
    more: dict[str, str] = field(default_factory=dict)
    real: bool = False
    process: subprocess.Popen[str] | Forked | None = None
    http_url: str = ""

    @property
    def env(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DAW_BRIDGE_")}
        return kept | {
            "DAW_BRIDGE_HOME": str(self.home),
            "DAW_BRIDGE_HTTP__PORT": "0",
            "DAW_BRIDGE_OSC__PORT": "0",
            "DAW_BRIDGE_PUBLISH__SOURCE_PORT": "0",
            "DAW_BRIDGE_ENGINE__NAME": "empiriolabs",
            "DAW_BRIDGE_ENGINE__BASE_URL": self.service_url,
            "DAW_BRIDGE_SPEND__PER_DAY_USD": "100",
            "DAW_BRIDGE_SPEND__PER_MONTH_USD": "100",
            "DAW_BRIDGE_SPEND__CONFIRM_ABOVE_USD": "100",
            "DAW_BRIDGE_AUDIO__READ_ROOTS": json.dumps([str(self.home.parent)]),
            "EMPIRIOLABS_API_KEY": KEY,
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        } | self.more  # fmt: skip

    def popen(self) -> subprocess.Popen[str] | Forked:
        if not self.real and sys.platform != "win32":  # nothing is forked there
            return Forked(self.env, self.home.with_name(f"said-{uuid.uuid4()}.txt"))
        command = [sys.executable, "-m", "bridge_daemon", "run"]
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return Process(command, cwd=ROOT, env=self.env, **streams)

    def start(self) -> Bridge:
        self.process = self.popen()
        runtime = at_last(self._runtime)
        self.http_url = runtime["http_url"]
        return self

    def _runtime(self) -> Any:
        assert self.process is not None
        assert self.process.poll() is None, self.process.communicate()
        with suppress(OSError, ValueError):
            told = json.loads((self.home / "runtime.json").read_text(encoding="utf-8"))
            return told if self._is_ours(told["pid"]) else None
        return None

    def _is_ours(self, pid: int) -> bool:
        # on Windows the Python of an environment is a launcher, and the bridge its child
        assert self.process is not None
        return pid == self.process.pid or (sys.platform == "win32" and psutil.Process(pid).ppid() == self.process.pid)

    def kill(self) -> None:
        """As a power cut: no handler, no flush, no goodbye."""
        assert self.process is not None
        self.process.kill()
        self.process.communicate()
        self.process = None

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def ended(self, *, seconds: float = START) -> tuple[int, str, float]:
        """Wait for the end; return the exit code, what was said, and how long it took."""
        assert self.process is not None
        begun = time.monotonic()
        said, _ = self.process.communicate(timeout=seconds)
        code, self.process = self.process.returncode, None
        return code, said, time.monotonic() - begun

    def stop(self) -> None:
        if self.process is not None:
            self.signal(TERMINATE)
            code, said, _ = self.ended()
            assert code == 0, said
            assert "Traceback" not in said, said

    def api(self, path: str, body: Any = None) -> Any:
        token = (self.home / "token").read_text(encoding="ascii").strip()
        return ask(f"{self.http_url}/api/{path}", body, token=token)

    def press(self, **given: Any) -> dict[str, Any]:
        body = {"version": 1, "id": str(uuid.uuid4()), "action": "generate", "prompt": f"{uuid.uuid4()}", "duration": 1}
        return dict(self.api("requests", body | given))

    def jobs(self) -> list[dict[str, Any]]:
        return list(self.api("jobs?limit=200")["jobs"])

    def job(self, name: str) -> dict[str, Any]:
        return dict(self.api(f"jobs/{name}"))

    def until(self, name: str, *states: str) -> dict[str, Any]:
        """Wait until a job is in one of the states."""
        return dict(at_last(lambda: found if (found := self.job(name))["state"] in (states or RESTING) else None))


@contextmanager
def bridge(home: Path, service_url: str, *, real: bool = False, **more: str) -> Iterator[Bridge]:
    made = Bridge(home, service_url, more, real)
    try:
        yield made
    finally:
        if made.process is not None:
            made.process.kill()
            made.process.communicate()
    watchdog.check(_report(home))
