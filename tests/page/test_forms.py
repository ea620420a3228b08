"""What is written by forms: presets, folders and bindings, and what comes of them."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.page.conftest import Bridge
from tests.page.test_page import loop

PAD = [
    {"port": "Mini Pads 24:0", "message": "note_on", "channel": 1, "number": 36, "value": 100, "bytes": "90 24 64"},
    {"port": "Mini Pads 24:0", "message": "note_off", "channel": 1, "number": 36, "value": 0, "bytes": "80 24 00"},
]


def config(bridge: Bridge) -> Any:
    return tomllib.loads((bridge.home / "config.toml").read_text(encoding="utf-8"))


def add_preset(page: Page, name: str, values: dict[str, str]) -> None:
    """Write a preset by the form, and save it."""
    page.get_by_role("link", name="Settings", exact=True).click()
    page.get_by_role("button", name="Add to presets").click()
    presets = page.get_by_role("region", name="Presets")
    presets.get_by_label("Name of the new one").fill(name)
    for key, value in values.items():
        presets.locator("details[open]").get_by_label(key, exact=True).fill(value)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved, and in use.")).to_be_visible()


@pytest.fixture
def with_preset(page: Page, bridge: Bridge) -> Page:
    """A preset that was made by the form."""
    if "presets" in config(bridge):
        return page
    page.get_by_role("link", name="Settings", exact=True).click()
    page.get_by_role("button", name="Add to presets").click()
    presets = page.get_by_role("region", name="Presets")
    presets.get_by_label("Name of the new one").fill("glue")
    presets.get_by_role("textbox", name="prompt", exact=True).fill("tape glue, 90 bpm")
    presets.get_by_label("action").select_option("transform")
    presets.get_by_label("duration").fill("200")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Nothing was written.")).to_be_visible()
    expect(page.locator(".faults")).to_contain_text("duration")
    presets.get_by_label("duration").fill("6")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved, and in use.")).to_be_visible()
    assert config(bridge)["presets"] == {"glue": {"prompt": "tape glue, 90 bpm", "action": "transform", "duration": 6}}
    return page


def test_a_preset_is_renamed_undone_and_removed(with_preset: Page, bridge: Bridge) -> None:
    page = with_preset
    page.get_by_role("link", name="Settings", exact=True).click()
    presets = page.get_by_role("region", name="Presets")
    presets.get_by_role("group").first.locator("summary").click()
    presets.get_by_label("Name of glue").fill("gold")
    page.get_by_role("button", name="Undo").click()
    expect(presets.locator("summary")).to_contain_text("glue")
    presets.locator("summary").click()
    presets.get_by_label("Name of glue").fill("gold")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved, and in use.")).to_be_visible()
    assert list(config(bridge)["presets"]) == ["gold"]
    presets.locator("summary").click()
    presets.get_by_role("button", name="Remove").click()
    page.get_by_role("button", name="Save").click()
    expect(presets.get_by_text("None yet.")).to_be_visible()
    expect(page.get_by_text("Saved, and in use.")).to_be_visible()
    assert not config(bridge).get("presets")


def test_a_change_elsewhere_is_not_overwritten(page: Page, bridge: Bridge) -> None:
    page.get_by_role("link", name="Settings", exact=True).click()
    page.get_by_label("spend per_month_usd").fill("44")
    with (bridge.home / "config.toml").open("a", encoding="utf-8") as file:
        file.write("\n# by hand\n")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("dialog").get_by_role("button", name="Read again").click()
    expect(page.get_by_label("spend per_month_usd")).not_to_have_value("44")
    assert "# by hand" in (bridge.home / "config.toml").read_text(encoding="utf-8")


def test_a_folder_is_watched_and_its_render_is_started(with_preset: Page, bridge: Bridge, tmp_path: Path) -> None:
    page = with_preset
    renders = Path.home() / f"daw-bridge-test-{tmp_path.name}"
    renders.mkdir()
    try:
        loop(renders / "before.wav")
        page.get_by_role("link", name="Folders", exact=True).click()
        page.get_by_text("Watch a folder").click()
        page.get_by_label("Name", exact=True).fill("renders")
        page.get_by_label("Folder", exact=True).fill("not a path")
        page.get_by_role("button", name="Watch", exact=True).click()
        expect(page.get_by_text("folders[1].path")).to_be_visible()
        page.get_by_label("Folder", exact=True).fill(str(renders))
        page.get_by_label("Preset of the folder").select_option("glue")
        page.get_by_role("button", name="Watch", exact=True).click()
        expect(page.get_by_role("region", name="Watched").get_by_text("asks first")).to_be_visible()
        render = page.get_by_role("region", name="Renders").locator("article", has_text="before.wav")
        expect(render.get_by_text("waits", exact=True)).to_be_visible(timeout=20_000)
        render.get_by_role("button", name="Start").click()
        expect(render.get_by_role("button", name="Start again, new seed")).to_be_visible(timeout=20_000)
        expect(render).to_contain_text(re.compile("placed|stored"), timeout=30_000)
        first = re.search(r"(\w{10}): (?:placed|stored)", render.inner_text())
        assert first
        render.get_by_role("button", name="Start again, new seed").click()
        expect(render).not_to_contain_text(first[1])
        expect(render).to_contain_text(re.compile("placed|stored"), timeout=30_000)
        loop(renders / "another.wav", 7)
        other = page.get_by_role("region", name="Renders").locator("article", has_text="another.wav")
        other.get_by_role("button", name="Forget").click(timeout=30_000)
        expect(other).to_have_count(0)
        assert (renders / "another.wav").is_file()
    finally:
        for folder in (renders, renders.with_name(f"{renders.name} takes")):
            shutil.rmtree(folder, ignore_errors=True)


def test_a_pad_is_learned_by_pressing_it(with_preset: Page, bridge: Bridge) -> None:
    """No MIDI is on this machine: what comes in is made up. The routes themselves have tests with real ports."""
    page = with_preset
    asked: list[dict[str, Any]] = []

    def answer(route: Route) -> None:
        asked.append(json.loads(route.request.post_data or "{}"))
        messages = PAD if len(asked) == 3 else []
        told = {"messages": messages, "next": len(asked), "problem": None, "open": ["Mini Pads 24:0"]}
        route.fulfill(json=told)

    page.route("**/api/midi/listen", answer)
    page.get_by_role("link", name="Pads", exact=True).click()
    page.get_by_label("Preset that it plays").select_option("glue")
    page.get_by_label("What it is made from").select_option("selection")
    page.get_by_role("button", name="Learn: press the pad").click()
    expect(page.get_by_text("Heard Mini Pads: note on 36, channel 1.")).to_be_visible()
    assert all(one["mute"] for one in asked if "stop" not in one), "the press does nothing else"
    page.get_by_role("button", name="Bind it").click()
    expect(page.get_by_text("glue is bound.")).to_be_visible()
    assert config(bridge)["midi"]["bindings"] == [
        {"name": "glue", "port": "Mini Pads", "message": "note_on", "channel": 1, "number": 36}
        | {"action": "preset", "preset": "glue", "source": "selection"}
    ]
    expect(page.get_by_role("region", name="Bindings").locator("article", has_text="glue")).to_be_visible()


def test_the_monitor_shows_what_comes_in(page: Page) -> None:
    page.get_by_role("link", name="Pads", exact=True).click()
    sent = iter([[], PAD])
    told = {"next": 1, "problem": None, "open": ["Mini Pads 24:0"]}
    page.route("**/api/midi/listen", lambda route: route.fulfill(json=told | {"messages": next(sent, [])}))
    monitor = page.get_by_role("region", name="Monitor")
    monitor.get_by_role("button", name="Listen").click()
    expect(monitor.get_by_role("cell", name="90 24 64")).to_be_visible()
    monitor.get_by_role("button", name="Stop").click()
    expect(monitor.get_by_role("button", name="Listen")).to_be_visible()
    page.unroute("**/api/midi/listen")
    monitor.get_by_role("button", name="Listen").click()
    expect(monitor.get_by_text(re.compile("There is no MIDI here|No controller is there|Listening"))).to_be_visible()
