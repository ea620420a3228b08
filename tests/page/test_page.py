"""The page in a real browser, against the real daemon with its sketch engine."""

from __future__ import annotations

import re
import struct
import wave
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.page import presses
from tests.page.conftest import Bridge
from tests.page.drag import draw_region

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
VIEWS = ["Now", "Make", "Takes", "Folders", "Pads", "Settings", "Help"]


def loop(file: Path, seconds: float = 8) -> Path:
    """Write a source: a saw that decays twice a second."""
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(44_100)
        frames = (int((i * 97 % 30_000 - 15_000) * (1 - i % 22_050 / 22_050)) for i in range(int(seconds * 44_100)))
        out.writeframes(b"".join(struct.pack("<h", frame) for frame in frames))
    return file


def serious_faults(page: Page, name: str) -> list[str]:
    """Return what keeps somebody from using what is shown now. Needs a context without our CSP."""
    page.add_script_tag(path=str(AXE))
    told = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{name}: {one['id']}: {one['nodes'][0]['html'][:160]}"
        for one in told["violations"]
        if one["impact"] in ("serious", "critical")
    ]


def make(page: Page, prompt: str, *, seconds: float = 3, more: dict[str, str] | None = None) -> None:
    """Press for a take, and wait until it is there."""
    page.get_by_role("link", name="Make", exact=True).click()
    page.get_by_label("Prompt", exact=True).fill(prompt)
    page.locator("#p-duration").fill(str(seconds))
    for name, value in (more or {}).items():
        page.locator(f"#p-{name}").fill(value)
    press = page.get_by_role("button", name=re.compile("^(Make|Transform) · free"))
    expect(press).to_be_enabled()
    press.click()
    expect(page.get_by_role("heading", name="Now", exact=True)).to_be_visible()
    job = page.locator("article.job", has_text=prompt).first
    expect(job.locator(".badge")).to_have_text("placed", timeout=20_000)


def test_a_link_is_good_once_and_a_stranger_sees_nothing(browser: Browser, bridge: Bridge) -> None:
    url = bridge.url
    first, second = presses.context(browser).new_page(), presses.context(browser).new_page()
    first.goto(url)
    expect(first.get_by_role("heading", name="Now", exact=True)).to_be_visible()
    assert "code=" not in first.url
    second.goto(url)
    expect(second.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(second.get_by_text("daw-bridge open", exact=True)).to_be_visible()


def test_a_press_is_followed_to_its_take_and_heard(page: Page, bridge: Bridge) -> None:
    make(page, "marimba, 96 bpm", more={"variations": "2"})
    page.get_by_role("link", name="Takes", exact=True).click()
    expect(page.locator(".take")).to_have_count(2)
    page.locator(".take").first.get_by_role("button", name="Play").click()
    expect(page.locator(".take").first.get_by_role("button", name="Pause")).to_be_visible()
    page.locator(".take .name").first.click()
    page.get_by_role("radio", name=re.compile("^B Variation 2")).click()
    expect(page.get_by_text("B plays, equally loud")).to_be_visible(timeout=10_000)
    expect(page.locator(".take").first.get_by_role("button", name="Play")).to_be_visible()  # one sound at a time
    page.keyboard.press("a")
    expect(page.get_by_text("A plays, equally loud")).to_be_visible()
    page.get_by_role("button", name="Stop", exact=False).click()
    page.locator(".take").first.get_by_role("button", name="Favourite").click()
    page.get_by_label("Which takes").select_option("favourite")
    expect(page.locator(".take")).to_have_count(1)
    page.get_by_role("button", name="Discard").click()
    expect(page.locator(".take")).to_have_count(0)
    page.get_by_label("Which takes").select_option("trashed")
    page.locator(".take .name").first.click()
    page.get_by_role("button", name="Restore").click()
    page.get_by_label("Which takes").select_option("")
    expect(page.locator(".take")).to_have_count(2)
    page.get_by_label("Search takes").fill("nothing like it")
    expect(page.locator(".take")).to_have_count(0)
    assert len(list((bridge.home / "library").rglob("*marimba*[!l].wav"))) == 2, "the files were never touched"


def test_a_part_of_a_source_is_replaced(page: Page, bridge: Bridge, tmp_path: Path) -> None:
    page.get_by_role("link", name="Make", exact=True).click()
    start, end = page.locator("#p-region_start"), page.locator("#p-region_end")
    expect(page.get_by_role("button", name=re.compile("free$"))).to_be_visible()
    expect(start).to_be_hidden()  # there is no source yet
    page.get_by_label("Source file").set_input_files(loop(tmp_path / "part.wav"))
    expect(start).to_be_visible(timeout=10_000)
    start.fill("2")
    end.fill("1")
    expect(page.get_by_text("region_end must be more than")).to_be_visible(timeout=10_000)
    end.fill("4.5")
    page.get_by_label("Prompt", exact=True).fill("a fill of toms")
    page.get_by_role("button", name=re.compile(r"^Transform · free")).click()
    expect(page.get_by_role("heading", name="Now", exact=True)).to_be_visible(timeout=15_000)
    job = page.locator("[data-job]", has_text="a fill of toms")
    expect(job.get_by_text("placed").first).to_be_visible(timeout=60_000)
    page.get_by_role("link", name="Takes", exact=True).click()
    page.locator(".take .name", has_text="a fill of toms").click()
    expect(page.get_by_text("region end")).to_be_visible()
    page.get_by_role("button", name="Change and run").click()
    expect(start).to_have_value("2")
    expect(end).to_have_value("4.5")
    expect(end).to_be_visible(timeout=10_000)


def test_a_region_of_a_dropped_file_is_transformed(page: Page, tmp_path: Path) -> None:
    page.get_by_role("link", name="Make", exact=True).click()
    page.get_by_label("Source file").set_input_files(loop(tmp_path / "lööp.wav"))
    draw_region(page, 0.1, 0.9)
    expect(page.get_by_text(re.compile(r"^0\.\d\d to 7\.\d\d s$"))).to_be_visible()
    make(page, "brass stabs", seconds=6)
    page.get_by_role("link", name="Takes", exact=True).click()
    page.locator(".take .name", has_text="brass stabs").click()
    page.get_by_role("radio", name=re.compile("^A Source")).click()
    expect(page.get_by_text("A plays, equally loud")).to_be_visible(timeout=10_000)
    page.get_by_role("button", name="Change and run").click()
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("brass stabs")


def test_the_keyboard_is_enough(page: Page) -> None:
    page.keyboard.press("Alt+2")
    expect(page.get_by_label("Prompt", exact=True)).to_be_focused()
    page.keyboard.type("one key at a time")
    page.keyboard.press("Control+Enter")
    expect(page.locator("article.job", has_text="one key at a time").first).to_be_visible()
    page.keyboard.press("Alt+3")
    expect(page.locator(".take .name", has_text="one key at a time")).to_be_visible(timeout=20_000)
    page.get_by_role("list", name="Takes").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".take.chosen")).to_have_count(1)
    page.keyboard.press("f")
    expect(page.locator(".take.chosen").get_by_role("button", name="Favourite")).to_have_attribute(
        "aria-pressed", "true"
    )


def test_settings_are_checked_written_and_in_use(page: Page, bridge: Bridge) -> None:
    page.get_by_role("link", name="Settings", exact=True).click()
    field = page.get_by_label("spend per_day_usd")
    field.fill("-3")
    field.blur()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Nothing was written")).to_be_visible()
    field.fill("7")
    field.blur()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved, and in use.")).to_be_visible()
    expect(page.locator("#money")).to_contain_text("of $7.00")
    assert "# kept" in (bridge.home / "config.toml").read_text(encoding="utf-8")


def test_pause_pads_folders_and_help(page: Page) -> None:
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_text("Sending is paused")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("Sending is paused")).to_be_hidden()
    page.get_by_role("link", name="Pads", exact=True).click()
    page.get_by_role("button", name="Arm", exact=True).click()
    page.get_by_role("button", name="Disarm").click()
    expect(page.get_by_role("button", name="Arm", exact=True)).to_be_visible()
    page.get_by_role("link", name="Folders", exact=True).click()
    expect(page.get_by_text("No folder is watched")).to_be_visible()
    page.get_by_role("link", name="Help", exact=True).click()
    expect(page.locator(".finding", has_text="journal").first).to_be_visible(timeout=20_000)
    page.get_by_role("button", name="Look again").click()
    expect(page.locator(".finding", has_text="journal").first).to_be_visible(timeout=20_000)
    expect(page.get_by_role("log")).to_contain_text("INFO")


def test_the_bridge_is_killed_and_comes_back(page: Page, bridge: Bridge) -> None:
    bridge.kill()
    expect(page.get_by_text("The bridge is gone")).to_be_visible(timeout=10_000)
    bridge.keep_port()
    bridge.run("start")
    # by itself: the session is good for the new process, too
    expect(page.get_by_text("The bridge is gone")).to_be_hidden(timeout=20_000)
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_text("Sending is paused")).to_be_visible()
    page.get_by_role("button", name="Resume").click()


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_every_view_can_be_read_by_everybody(browser: Browser, bridge: Bridge, scheme: str, tmp_path: Path) -> None:
    context = presses.context(browser, color_scheme="light" if scheme == "light" else "dark", bypass_csp=True)
    page = context.new_page()
    page.goto(bridge.url)
    page.get_by_role("heading", name="Now", exact=True).wait_for()
    found = []
    for name in VIEWS:
        page.get_by_role("link", name=re.compile(f"^{name}")).first.click()
        page.wait_for_timeout(400)
        found += serious_faults(page, name)
        for width in (360, 1280, 2560):
            page.set_viewport_size({"width": width, "height": 800})
            wide = page.evaluate("document.documentElement.scrollWidth")
            if wide > width:
                found.append(f"{name}: {wide} px wide in a window of {width}")
            page.screenshot(path=str(tmp_path / f"{name}-{scheme}-{width}.png"))
    context.close()
    assert found == []
