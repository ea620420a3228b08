"""A real Chromium on the page of a real daemon."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from tests.page import presses

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
#: Settings under which a bridge meets no other one of this machine.
PORTS = "[osc]\nport = 0\n[http]\nport = 0\n[publish]\nsource_port = 0\n"


@dataclass
class Bridge:
    """A daemon in the background, by the commands that a person types."""

    home: Path
    more: dict[str, str] = field(default_factory=dict)  # of its environment

    @property
    def programs(self) -> Path:
        """A folder whose programs are found first."""
        return self.home.with_name("bin")

    def run(self, *words: str) -> str:
        """Run a command and return what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "bridge_daemon", *words],
            env=os.environ
            | {
                "DAW_BRIDGE_HOME": str(self.home),
                "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
                "PATH": f"{self.programs}:{os.environ['PATH']}",
            }
            | self.more,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode in (0, 3), done.stderr
        return done.stdout.strip()

    @property
    def runtime(self) -> Any:
        """What the running bridge says of itself."""
        return json.loads((self.home / "runtime.json").read_text(encoding="utf-8"))

    def keep_port(self) -> None:
        """Have the next process listen where this one does, as with the settings that come with the bridge."""
        config = self.home / "config.toml"
        port = self.runtime["http_url"].rpartition(":")[2]
        text = config.read_text(encoding="utf-8").replace("[http]\nport = 0", f"[http]\nport = {port}")
        config.write_text(text, encoding="utf-8")

    def kill(self) -> None:
        """As a power cut."""
        os.kill(self.runtime["pid"], signal.SIGKILL)

    @property
    def url(self) -> str:
        """A link to the page that is good once."""
        return self.run("open", "--print")


@pytest.fixture(autouse=True)
def no_task_left() -> None:
    """Take the place of the check for all tests: the driver of the browser has an event loop of its own running."""


@pytest.fixture(autouse=True)
def controls(request: pytest.FixtureRequest) -> Iterator[presses.Controls]:
    """Send home with the report of a test which controls it pressed."""
    presses.now = presses.Controls()
    yield presses.now
    told = {"pressed": sorted(presses.now.pressed), "seen": sorted(presses.now.seen)}
    request.node.user_properties.append((presses.PROPERTY, told))


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    made = Bridge(tmp_path_factory.mktemp("page") / "my höme")
    made.home.mkdir(mode=0o700)
    (made.home / "config.toml").write_text(PORTS + "# kept\n[spend]\nper_day_usd = 10\n", encoding="utf-8")
    # the file manager of this machine: it writes down what it is asked to show
    made.programs.mkdir()
    manager = made.programs / "dbus-send"
    manager.write_text(f'#!/bin/sh\necho "$@" >> "{made.programs / "asked"}"\n', encoding="utf-8")
    manager.chmod(0o755)
    made.run("start")
    try:
        yield made
    finally:
        made.run("stop")


@pytest.fixture(scope="module")
def play() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def browser(play: Playwright) -> Iterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("needs the program chromium: install the package chromium")
        pytest.skip("needs the program chromium: install the package chromium")
    flags = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
    opened = play.chromium.launch(executable_path=CHROMIUM, args=flags)
    yield opened
    opened.close()


@pytest.fixture
def page(browser: Browser, bridge: Bridge) -> Iterator[Page]:
    """The page, signed in. Nothing may go wrong in it: no error of a script, no address with a secret in it."""
    context = presses.context(browser, viewport={"width": 1280, "height": 820})
    made = context.new_page()
    wrong: list[str] = []
    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.on("console", lambda told: wrong.append(told.text) if "Content Security Policy" in told.text else None)
    token = (bridge.home / "token").read_text(encoding="utf-8").strip()
    made.on("request", lambda asked: wrong.append(asked.url) if token in asked.url or "code=" in asked.url else None)
    made.goto(bridge.url)
    made.get_by_role("heading", name="Now", exact=True).wait_for()
    yield made
    context.close()
    assert wrong == []
