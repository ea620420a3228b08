"""How long the page keeps the browser busy at once, by processor time: what else runs on the machine does not count."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Browser, Page


def longest_tasks(browser: Browser, page: Page, turns: int = 40) -> list[float]:
    """Scroll the list of takes with the wheel; return the tasks of the page's main thread, ms of processor time."""
    box = page.get_by_role("list", name="Takes").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 300, box["y"] + 200)
    browser.start_tracing(page=page, categories=["toplevel", "devtools.timeline"])
    for _ in range(turns):
        page.mouse.wheel(0, 600)
        page.wait_for_timeout(30)
    told: list[dict[str, Any]] = json.loads(browser.stop_tracing())["traceEvents"]
    # the page's process is the one whose main thread scripts ran in
    threads = {(one["pid"], one["tid"]) for one in told if one.get("args", {}).get("name") == "CrRendererMain"}
    events = [one for one in told if one.get("ph") == "X" and (one["pid"], one["tid"]) in threads]
    tasks = [one["tdur"] / 1000 for one in events if one["name"].endswith("RunTask") and "tdur" in one]
    assert tasks, f"the browser tells of no task: {sorted({one['name'] for one in events})}"
    return tasks
