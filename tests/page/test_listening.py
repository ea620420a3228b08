"""Listening: the bar of the player, comparisons that are equally loud, and our meter in the browser."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Page, expect

from bridge_daemon.fit.loudness import integrated
from tests.page.conftest import Bridge
from tests.page.test_page import make

LUFS = """async ([text, rate]) => {
  const { integrated } = await import("/page/loudness.js");
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const sound = await new OfflineAudioContext(2, 1, rate).decodeAudioData(bytes.buffer);
  return integrated(sound);
}"""
PLACE = "async () => (await import('/page/player.js')).player.audio.currentTime"


@pytest.mark.parametrize(
    ("channels", "rate", "sound"),
    [(2, 48_000, "sine"), (2, 44_100, "noise"), (1, 48_000, "noise"), (2, 48_000, "late"), (2, 48_000, "silence")],
)
def test_the_meter_in_the_browser_agrees_with_ours(
    page: Page, tmp_path: Path, channels: int, rate: int, sound: str
) -> None:
    time = np.arange(rate * 4)[:, None] / rate * np.ones(channels)
    noise = np.random.default_rng(7).normal(0, 0.1, time.shape)
    samples = {
        "sine": 0.3 * np.sin(2 * np.pi * 997 * time),
        "noise": noise,
        "late": np.where(time > 3, noise, noise * 1e-3),  # the relative gate leaves out what is quiet
        "silence": time * 0,
    }[sound]
    soundfile.write(tmp_path / "x.wav", samples, rate, subtype="FLOAT")
    told = page.evaluate(LUFS, [base64.b64encode((tmp_path / "x.wav").read_bytes()).decode(), rate])
    ours = integrated(samples.astype(np.float32), rate)
    if ours is None:
        assert told is None
    else:
        # one channel is heard on both sides
        assert told == pytest.approx(ours + (10 * np.log10(2) if channels == 1 else 0), abs=0.15)


def test_the_player_plays_seeks_loops_and_goes(page: Page) -> None:
    make(page, "a bell, 60 bpm", seconds=8)
    lately = page.locator("article.job", has_text="a bell").first
    lately.get_by_role("button", name=re.compile("^Play")).click()
    player = page.get_by_role("region", name="Player")
    expect(player.get_by_text("a bell, 60 bpm")).to_be_visible()
    page.wait_for_function(f"({PLACE})().then((at) => at > 0.2)")
    player.get_by_role("button", name="Pause what plays").click()
    place = player.get_by_role("slider", name="Position")
    box = place.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.75, box["y"] + box["height"] / 2)
    assert page.evaluate(PLACE) == pytest.approx(6, abs=0.3)
    place.press("ArrowLeft")
    assert page.evaluate(PLACE) == pytest.approx(6 - 0.16, abs=0.3)
    place.press("End")
    player.get_by_role("button", name="Loop").click()
    expect(player.get_by_role("button", name="Loop")).to_have_attribute("aria-pressed", "true")
    player.get_by_role("button", name="Go on playing").click()
    page.wait_for_function(f"({PLACE})().then((at) => at > 0.1 && at < 5)")  # it began again
    page.get_by_role("link", name="Settings", exact=True).click()
    expect(player.get_by_role("button", name="Pause what plays")).to_be_visible()  # it plays on
    player.get_by_role("button", name="Close the player").click()
    expect(player).to_be_hidden()


def test_compared_takes_are_in_step_and_equally_loud(page: Page, bridge: Bridge) -> None:
    """Two takes of other requests, of which one is pinned."""
    for prompt in ("quiet pad", "loud drums, 120 bpm"):
        make(page, prompt, seconds=5)
    page.get_by_role("link", name="Takes", exact=True).click()
    page.locator(".take .name", has_text="quiet pad").first.click()
    page.get_by_role("button", name="Pin").click()
    page.locator(".take .name", has_text="loud drums").first.click()
    rows = page.get_by_role("radio")
    expect(rows).to_have_count(2)
    page.get_by_role("button", name="▶ Compare").click()
    expect(page.get_by_text("A plays, equally loud")).to_be_visible(timeout=15_000)
    told = [re.search(r"−([0-9.]+) LUFS, (?:0 dB|−([0-9.]+) dB)", row.inner_text()) for row in rows.all()]
    assert all(told)
    heard = [-float(one[1]) - float(one[2] or 0) for one in told if one]
    assert heard[0] == pytest.approx(heard[1], abs=0.11)
    rows.nth(1).click()
    expect(page.get_by_text("B plays, equally loud")).to_be_visible()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_text("A plays, equally loud")).to_be_visible()
    page.locator(".take").first.get_by_role("button", name="Play").click()
    expect(page.get_by_role("button", name="▶ Compare")).to_be_visible()  # one sound at a time


def test_a_take_is_used_again(page: Page, bridge: Bridge) -> None:
    """Every other button of a take."""
    asked = bridge.programs / "asked"
    make(page, "again and again", seconds=3)
    page.get_by_role("link", name="Takes", exact=True).click()
    page.locator(".take .name", has_text="again and again").first.click()
    detail = page.get_by_role("region", name="Take", exact=True)
    with page.expect_download() as download:
        detail.get_by_role("link", name="Drag out or download").click()
    assert download.value.suggested_filename.endswith(".wav")
    data = detail.get_by_role("link", name="Drag out or download").evaluate(
        """(link) => {
          const event = new DragEvent("dragstart", { dataTransfer: new DataTransfer(), bubbles: true });
          link.dispatchEvent(event);
          return event.dataTransfer.getData("DownloadURL");
        }"""
    )
    assert re.fullmatch(r"audio/wav:[^:/]+\.wav:http://127\.0\.0\.1:\d+/api/jobs/\w+/audio", data)
    detail.get_by_role("button", name="Show in folder").click()
    expect(page.get_by_text("It is shown in its folder.")).to_be_visible()
    assert "again-and-again" in asked.read_text(encoding="utf-8")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    detail.get_by_role("button", name="Copy path").click()
    expect(page.get_by_text("The path is copied.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").endswith(".wav")
    detail.get_by_label("Tags").fill("riser, dark")
    detail.get_by_label("Tags").press("Enter")
    expect(page.locator(".take", has_text="#dark")).to_have_count(1)
    detail.get_by_text("What happened").click()
    expect(detail.get_by_text("generating")).to_be_visible()
    detail.get_by_role("button", name="Again, same seed").click()
    expect(page.locator(".take", has_text="again and again")).to_have_count(2, timeout=20_000)
    detail.get_by_role("button", name="New seed").click()
    expect(page.locator(".take", has_text="again and again")).to_have_count(3, timeout=20_000)
    detail.get_by_role("button", name="Use as source").click()
    expect(page.get_by_role("slider", name=re.compile("^Region"))).to_be_visible()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("Drop an audio file here")).to_be_visible()
