"""Ten thousand takes in the browser: searched, scrolled from one end to the other, and never a long wait."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

from playwright.sync_api import Browser, Page, expect

from tests.page.conftest import Bridge
from tests.page.tasks import longest_tasks
from tests.page.test_page import make

MANY = 10_000
COPIES = """
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {many})
    INSERT INTO jobs ({columns}) SELECT {values} FROM jobs, n
"""


def multiply(bridge: Bridge) -> None:
    """Copy the one take that there is, with other names, into the journal of a bridge that is stopped."""
    with closing(sqlite3.connect(bridge.home / "journal.sqlite3")) as journal, journal:
        columns = [row[1] for row in journal.execute("PRAGMA table_info(jobs)") if row[1] != "seq"]
        values = {
            "job": "printf('%010d', i)",
            "remote_id": "printf('copy-%d', i)",
            "prompt": "printf('take number %05d', i)",
            "parameters": "json_set(parameters, '$.prompt', printf('take number %05d', i))",
        }
        listed = ", ".join(f'"{name}"' for name in columns)
        chosen = ", ".join(values.get(name, f'"{name}"') for name in columns)
        journal.execute(COPIES.format(many=MANY, columns=listed, values=chosen))
    journal.close()


def test_ten_thousand_takes(browser: Browser, page: Page, bridge: Bridge) -> None:
    make(page, "the first one", seconds=2)
    page.goto("about:blank")
    bridge.run("stop")
    multiply(bridge)
    bridge.run("start")
    page.goto(bridge.url)
    page.get_by_role("link", name="Takes", exact=True).click()
    takes = page.get_by_role("list", name="Takes")
    expect(page.locator(".take").first).to_be_visible()
    expect(page.get_by_text("100+ takes")).to_be_visible()
    tasks = longest_tasks(browser, page)
    assert max(tasks) <= 50, sorted(tasks)[-5:]
    assert page.locator(".take").count() < 60, "only what can be seen is in the page"
    # to the very end, as with the bar at the side
    whole = page.get_by_text("10,001 takes", exact=True)
    for _ in range(1000):
        takes.evaluate("(list) => { list.scrollTop = list.scrollHeight; }")
        if whole.count():
            break
        page.wait_for_timeout(20)
    expect(whole).to_be_visible()
    takes.evaluate("(list) => { list.scrollTop = list.scrollHeight; }")
    expect(page.locator(".take", has_text="the first one")).to_be_visible()
    page.get_by_label("Search takes").fill("number 00777")
    expect(page.locator(".take")).to_have_count(1)
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_text("100+ takes")).to_be_visible()
    assert json.loads(page.evaluate("JSON.stringify(performance.getEntriesByType('resource').length)")) < 2000
