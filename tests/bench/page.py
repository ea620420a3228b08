"""How quick the page is: `python -m tests.bench.page`, with Chromium and a daemon of its own, about two minutes.

Opened on loopback by a browser that is signed in; events from the bridge to what can be seen; ten thousand takes; and
what an open page that nobody touches costs the bridge.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
import urllib.request
import uuid
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import BrowserContext, Page, sync_playwright

from tests.bench.figures import Row
from tests.page.conftest import CHROMIUM, PORTS, Bridge
from tests.page.tasks import longest_tasks
from tests.page.test_many import MANY, multiply

TIMES = 7
IDLE = 20.0  # s
#: Resolves to the time at which something that fits a selector is there.
SEEN = """(wanted) => new Promise((done) => {
  const look = () => document.querySelector(wanted) && done(Date.now()) === undefined;
  const watch = new MutationObserver(() => { if (look()) watch.disconnect(); });
  if (!look()) watch.observe(document, { subtree: true, childList: true, attributes: true });
})"""
#: Goes to the takes, and resolves to the ms until the first of them is drawn.
FIRST = """() => new Promise((done) => {
  const begun = performance.now();
  const look = () => (document.querySelector(".take") ? done(performance.now() - begun) : requestAnimationFrame(look));
  location.hash = "#takes";
  requestAnimationFrame(look);
})"""


def _api(bridge: Bridge, path: str, body: dict[str, Any]) -> dict[str, Any]:
    url = json.loads((bridge.home / "runtime.json").read_text("utf-8"))["http_url"]
    token = (bridge.home / "token").read_text("utf-8").strip()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    asked = urllib.request.Request(f"{url}/api/{path}", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return dict(json.loads(answer.read()))


def _first_paint(context: BrowserContext, url: str) -> list[float]:
    found = []
    for _ in range(TIMES):
        page = context.new_page()
        page.goto(url)
        page.get_by_role("heading", name="Now", exact=True).wait_for()
        paint = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
        page.wait_for_function(paint)
        found.append(float(page.evaluate(paint)))
        page.close()
    return found


def _event(page: Page, bridge: Bridge) -> list[float]:
    """From before the request to the bridge, so more than the event itself, until the page shows what it did."""
    found = []
    for number in range(TIMES):
        paused = number % 2 == 0
        page.evaluate(f"window.seen = ({SEEN})('#pause[aria-pressed=\"{str(paused).lower()}\"]'); 0")
        begun = time.time() * 1000
        _api(bridge, "pause" if paused else "resume", {"reason": "person"} if paused else {})
        found.append(float(page.evaluate("window.seen")) - begun)
        time.sleep(0.6)
    _api(bridge, "resume", {})
    return found


def _list(page: Page) -> list[float]:
    found = []
    for _ in range(TIMES):
        page.get_by_role("link", name="Now", exact=True).click()
        page.wait_for_timeout(300)
        found.append(float(page.evaluate(FIRST)))
    return found


def _idle(bridge: Bridge) -> float:
    daemon = psutil.Process(json.loads((bridge.home / "runtime.json").read_text("utf-8"))["pid"])
    before = daemon.cpu_times()
    time.sleep(IDLE)
    after = daemon.cpu_times()
    return (after.user + after.system - before.user - before.system) / IDLE * 100


def rows() -> list[Row]:
    """Return the figures for the table."""
    folder = Path(tempfile.mkdtemp(prefix="daw-bridge-page-"))
    bridge = Bridge(folder / "home")
    bridge.home.mkdir(mode=0o700)
    (bridge.home / "config.toml").write_text(PORTS, "utf-8")
    bridge.run("start")
    try:
        press = {"version": 1, "id": str(uuid.uuid4()), "action": "generate", "prompt": "rain", "duration": 2}
        _api(bridge, "requests", press)
        time.sleep(5)
        bridge.run("stop")
        multiply(bridge)
        bridge.run("start")
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            context = browser.new_context(viewport={"width": 1280, "height": 820})
            page = context.new_page()
            page.goto(bridge.url)
            page.get_by_role("heading", name="Now", exact=True).wait_for()
            paint = _first_paint(context, page.url.split("#")[0])
            events = _event(page, bridge)
            first = _list(page)
            tasks = longest_tasks(browser, page)
            page.get_by_role("link", name="Now", exact=True).click()
            time.sleep(2)
            idle = _idle(bridge)
            browser.close()
    finally:
        bridge.run("stop")
    most = max(tasks, default=0.0)
    return [
        _row("first paint, signed in, on loopback", paint, 300),
        _row("pause by the API → seen on the page, with the request itself", events, 100),
        _row(f"{MANY:,} takes: from the click to the first of the list", first, 150),
        Row(f"{MANY:,} takes: longest task while scrolling, processor time", f"{most:.0f} ms", "≤ 50 ms", most <= 50),
        Row(f"an open page, use of a core by the bridge over {IDLE:.0f} s", f"{idle:.2f} %", "≤ 0.5 %", idle <= 0.5),
    ]


def _row(what: str, found: list[float], target: float) -> Row:
    middle = statistics.median(found)
    return Row(what, f"median {middle:.0f} ms, least {min(found):.0f} ms", f"≤ {target:.0f} ms", middle <= target)


def main() -> None:
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    sys.stdout.write(f"load before the run {load:.1f}\n\n| what | figure | target | met |\n|---|---|---|---|\n")
    for row in rows():
        sys.stdout.write(f"| {row.what} | {row.figure} | {row.target} | {row.verdict} |\n")


if __name__ == "__main__":
    main()
