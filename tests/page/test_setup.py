"""The first run in a real browser, against a real daemon and a stand-in of the service that counts what it charges."""

from __future__ import annotations

import socket
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.processes import KEY, FakeService, fake_service
from tests.page import presses
from tests.page.conftest import PORTS, Bridge

STAND_INS = Path(__file__).parents[1] / "fakes"


@dataclass
class Machine:
    """A machine of its own: a home, a REAPER, a user's service manager, a tunnel program and a service that is paid."""

    bridge: Bridge
    user: Path
    service: FakeService


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("setup")
    user = folder / "üser"
    reaper = user / ".config" / "REAPER"
    reaper.mkdir(parents=True)
    (reaper / "reaper.ini").write_text("[REAPER]\n")
    (user / "Renders").mkdir()
    programs = folder / "bin"
    programs.mkdir()
    for name, file, more in (
        ("systemctl", "systemctl.py", ""),
        ("cloudflared", "tunnel.py", f"--told '{folder / 'told.jsonl'}'"),
    ):
        inner = programs / file
        inner.write_text((STAND_INS / file).read_text())
        (programs / name).write_text(f"#!/bin/sh\nexec '{sys.executable}' '{inner}' {more} \"$@\"\n")
        (programs / name).chmod(0o755)
    with fake_service() as service:
        made = Bridge(folder / "höme", {"HOME": str(user), "XDG_CONFIG_HOME": str(user / ".config")})
        made.home.mkdir(mode=0o700)
        with socket.socket() as free:  # it has to be found again when the service takes over
            free.bind(("127.0.0.1", 0))
            ports = PORTS.replace("[http]\nport = 0", f"[http]\nport = {free.getsockname()[1]}")
        ports += "[midi]\nenabled = false\n"
        (made.home / "config.toml").write_text(
            f'{ports}# kept\n[presets.glue]\nprompt = "tape glue"\n'
            f'[engine]\nname = "auto"\nbase_url = "{service.url}"\n'
        )
        made.run("start")
        try:
            yield Machine(made, user, service)
        finally:
            made.run("stop")


@pytest.fixture
def page(browser: Browser, machine: Machine) -> Iterator[Page]:
    context = presses.context(browser, viewport={"width": 1280, "height": 900})
    made = context.new_page()
    wrong: list[str] = []
    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.on("request", lambda asked: wrong.append(asked.url) if KEY in asked.url or "code=" in asked.url else None)
    made.goto(machine.bridge.url)
    made.get_by_role("heading", name="Now", exact=True).wait_for()
    yield made
    context.close()
    assert wrong == []


def config(machine: Machine) -> dict[str, dict[str, object]]:
    return tomllib.loads((machine.bridge.home / "config.toml").read_text("utf-8"))


def is_done(page: Page, key: str, *, state: str = "done", seconds: float = 30) -> None:
    expect(page.locator(f'[data-step="{key}"] .badge')).to_have_text(state, timeout=seconds * 1000)


@pytest.mark.skipif(sys.platform != "linux", reason="the stand-in plays systemd")
@pytest.mark.timeout(300)
def test_the_whole_first_run(page: Page, machine: Machine) -> None:
    page.get_by_role("region", name="Setup").get_by_role("link", name="Set up").click()
    expect(page.get_by_role("heading", name="Setup", exact=True)).to_be_visible()
    is_done(page, "start")

    # a key that is none, one that the service does not accept, and the right one: only that is kept
    key = page.get_by_label("API key", exact=True)
    for wrong, said in (("short", "must have 8"), ("sk-empiriolabs-wrong", "not accept")):
        key.fill(wrong)
        page.get_by_role("button", name="Check and keep").click()
        expect(page.locator('[data-step="key"] [role=status]')).to_contain_text(said)
        assert not (machine.bridge.home / "key").exists()
    key.fill(KEY)
    page.keyboard.press("Enter")
    is_done(page, "key")
    expect(page.locator("#engine")).to_have_text("stable-audio-2-0")
    assert KEY not in page.content()

    page.get_by_label("Dollars a day", exact=True).fill("7.5")
    page.get_by_role("button", name="Set limits").click()
    is_done(page, "limits")
    assert config(machine)["spend"]["per_day_usd"] == 7.5
    assert "# kept" in (machine.bridge.home / "config.toml").read_text("utf-8")

    # stopped, and run again: it goes on where it was
    page.get_by_role("link", name="Now", exact=True).click()
    page.reload()
    expect(page.get_by_text("Next: Audio to audio")).to_be_visible()
    page.get_by_role("link", name="Help", exact=True).click()
    page.get_by_role("link", name="Set up").click()
    is_done(page, "limits")

    page.get_by_label("Way for sources", exact=True).select_option("address")
    page.get_by_label("Address for sources", exact=True).fill("http://not.secure.example")
    page.get_by_role("button", name="Set and try, free").click()
    expect(page.locator('[data-step="sources"] [role=status]')).to_contain_text("https")
    page.get_by_label("Way for sources", exact=True).select_option("cloudflared")
    page.get_by_role("button", name="Set and try, free").click()
    is_done(page, "sources", seconds=90)
    assert config(machine)["publish"]["tunnel_command"] == "cloudflared"

    page.get_by_label("REAPER", exact=True).uncheck()
    page.get_by_label("REAPER", exact=True).check()
    expect(page.get_by_label("Ableton Live", exact=True)).to_be_disabled()
    page.get_by_role("button", name="Install", exact=True).click()
    is_done(page, "daws")
    assert list((machine.user / ".config" / "REAPER" / "Scripts").rglob("*.lua"))

    folder = page.get_by_label("Folder of renders", exact=True)
    folder.fill(str(machine.user / "nowhere"))
    page.get_by_role("button", name="Watch", exact=True).click()
    expect(page.locator('[data-step="folders"] [role=status]')).to_contain_text("must be a folder")
    folder.fill(str(machine.user / "Renders"))
    page.get_by_label("Preset of the folder", exact=True).select_option("glue")
    page.get_by_role("button", name="Watch", exact=True).click()
    is_done(page, "folders")
    assert tomllib.loads((machine.bridge.home / "config.toml").read_text("utf-8"))["folders"][0]["preset"] == "glue"

    page.get_by_role("button", name="Skip MIDI").click()
    is_done(page, "midi", state="skipped")

    # the service takes the place of this bridge, and the page comes back by itself, still signed in
    page.get_by_role("button", name="Start at login", exact=True).click()
    is_done(page, "service", seconds=120)
    assert list((machine.user / ".config" / "systemd" / "user").glob("*.service"))

    page.get_by_role("button", name="Make two test takes").click()
    is_done(page, "test", seconds=120)
    expect(page.get_by_text("All steps are behind you")).to_be_visible()
    page.get_by_role("link", name="Now", exact=True).click()
    expect(page.get_by_role("link", name="Set up")).to_have_count(0)
    assert machine.service.state()["charges"] == []
    assert machine.service.state()["posts"] == []


@pytest.mark.skipif(sys.platform != "linux", reason="goes on from the test before")
def test_a_step_is_done_again(page: Page, machine: Machine) -> None:
    page.goto(page.url.split("#")[0] + "#setup")
    page.get_by_role("button", name="Open Limits").press("Enter")
    page.get_by_label("Dollars a month", exact=True).fill("44")
    page.get_by_role("button", name="Set limits").click()
    expect(page.locator('[data-step="limits"]')).to_contain_text("$44.00 a month")
    page.get_by_role("button", name="Open Limits").click()
    page.get_by_role("button", name="Close Limits").click()
    expect(page.get_by_label("Dollars a month", exact=True)).to_have_count(0)
    page.get_by_role("button", name="Open MIDI").click()
    page.get_by_label("MIDI input with a clock", exact=True).fill("Clock of the drums")
    page.get_by_role("button", name="Use this clock").click()
    is_done(page, "midi")
    assert config(machine)["midi"]["clock_port"] == "Clock of the drums"
    page.get_by_role("button", name="Open MIDI").click()
    page.get_by_role("link", name="learn a pad").click()
    expect(page.get_by_role("heading", name="Pads", exact=True)).to_be_visible()
