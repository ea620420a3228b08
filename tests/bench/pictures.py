"""``python -m tests.bench.pictures``: the pictures of the page in docs/, and with a folder, every view at every width.

The takes are sketches of a bridge of its own; the jobs that need a person are those of a stand-in of the service.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.e2e.processes import Bridge, FakeService, bridge, fake_service
from tests.page.conftest import CHROMIUM
from tests.page.drag import draw_region
from tests.page.test_page import loop

DOCS = Path(__file__).parents[2] / "docs"
VIEWS = ("now", "make", "takes", "folders", "pads", "settings", "help", "setup")
PROMPTS = (
    ("tape-worn piano, slow, 70 bpm", 3),
    ("tight drums and deep bass, 120 bpm", 1),
    ("warm strings in D minor, slow swell", 2),
    ("granular vocal texture, airy, no words, wide and very slow, for the bridge of the second song", 1),
    ("marimba and kalimba, 96 bpm", 1),
    ("brass stabs, dry, 104 bpm", 1),
    ("glass pad, evolving", 1),
)


def fill(made: Bridge, clients: dict[int, str]) -> None:
    """Make takes, some of them for clients."""
    for number, (prompt, variations) in enumerate(reversed(PROMPTS)):
        asked = {"prompt": prompt, "variations": variations, "duration": 12}
        client = {"client": clients[number % 3]} if number % 3 in clients else {}
        for job in made.press(**asked, **client)["jobs"]:
            made.until(job, "placed", "stored")


def furnish(made: Bridge, service: FakeService) -> None:
    """Make takes, some that wait for their client, one unknown job, one refused, and one that is under way."""
    fill(made, {0: "reaper-studio", 1: "live-set"})
    service.script(post=["accept_then_drop"])
    made.until(made.press(prompt="lost on its way, 88 bpm", duration=8)["jobs"][0], "unknown")
    service.script(post=["422"])
    made.until(made.press(prompt="refused by the service", duration=8)["jobs"][0], "refused")
    service.script(set={"job_seconds": 3590.0})
    made.until(made.press(prompt="choir, far away", duration=12)["jobs"][0], "generating")


def signed_in(browser: Browser, made: Bridge, width: int, height: int, scheme: str) -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="light" if scheme == "light" else "dark"
    )
    page = context.new_page()
    page.goto(f"{made.http_url}/#code={made.api('session/code', {})['code']}")
    page.get_by_role("heading", name="Now", exact=True).wait_for()
    return page


def show(page: Page, name: str, source: Path) -> None:
    """Open a view as a person who works has it open."""
    page.evaluate("(name) => { location.hash = '#' + name; }", name)
    page.wait_for_timeout(700)
    if name == "make":
        page.get_by_label("Prompt", exact=True).fill("string quartet, warm, 96 bpm")
        page.get_by_label("Source file").set_input_files(source)
        draw_region(page, 0.2, 0.75)
    if name == "takes":
        page.locator(".take .name", has_text="tape-worn piano").first.click()
        page.get_by_role("button", name="▶ Compare").click()
        page.get_by_text("A plays").wait_for()
        page.locator(".take").nth(1).get_by_role("button", name="Favourite").click()
    page.wait_for_timeout(5000 if name in ("takes", "help") else 700)  # what was said for a moment is gone


def main() -> None:
    everything = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory() as folder, fake_service() as service, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        source = loop(Path(folder) / "guitar.wav")
        free = {"DAW_BRIDGE_ENGINE__NAME": "sketch", "DAW_BRIDGE_SPEND__PER_DAY_USD": "10"}
        with bridge(Path(folder) / "sketches", service.url, **free, DAW_BRIDGE_SPEND__PER_MONTH_USD="50") as made:
            made.start()
            fill(made, {})
            for name in ("takes", "make"):
                page = signed_in(browser, made, 1280, 820, "dark")
                show(page, name, source)
                page.screenshot(path=DOCS / f"page-{name}.png")
                page.context.close()
        if everything is not None:
            with bridge(Path(folder) / "home", service.url) as made:
                made.start()
                furnish(made, service)
                everything.mkdir(parents=True, exist_ok=True)
                for scheme in ("dark", "light"):
                    for width in (360, 1280, 2560):
                        page = signed_in(browser, made, width, 900, scheme)
                        for name in VIEWS:
                            show(page, name, source)
                            page.screenshot(path=everything / f"{name}-{scheme}-{width}.png", full_page=width == 360)
                        page.evaluate("location.hash = '#now'")
                        page.get_by_role("button", name="Decide …").first.click()
                        page.screenshot(path=everything / f"dialog-{scheme}-{width}.png")
                        page.context.close()
        browser.close()


if __name__ == "__main__":
    main()
