"""The page of a room: who else is there, and what all of them spend; nothing of that in a home of its own."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect

from bridge_daemon.home.paths import Home
from tests import postgres
from tests.e2e.processes import Bridge, FakeService, bridge, fake_service
from tests.page import presses

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a PostgreSQL of Debian")


@pytest.fixture(scope="module")
def service() -> Iterator[FakeService]:
    with fake_service() as made:
        yield made


@pytest.fixture(scope="module")
def url(server: postgres.Cluster) -> str:
    return server.new()


@pytest.fixture
def room(tmp_path: Path, url: str, service: FakeService) -> Iterator[Bridge]:
    """The bridge of the room left."""
    where = {"DAW_BRIDGE_JOURNAL__URL": postgres.as_room(url, "left"), "DAW_BRIDGE_JOURNAL__ROOM": "left"}
    with bridge(tmp_path / "left", service.url, **where) as made:
        made.start()
        yield made


def opened(browser: Browser, one: Bridge) -> Page:
    page = presses.context(browser, viewport={"width": 1280, "height": 820}).new_page()
    page.goto(f"{one.http_url}/#code={one.api('session/code', {})['code']}")
    page.get_by_role("heading", name="Now", exact=True).wait_for()
    return page


def test_rooms_are_seen(browser: Browser, room: Bridge, url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO workers VALUES ('k', 'run', 'upstairs', 'keeper', '{\"host\": \"tower\"}', 0, 0)"
        )
        connection.execute("INSERT INTO facts VALUES ('account.limits', '{\"per_day_usd\": 7, \"per_month_usd\": 70}')")
    room.until(room.press()["jobs"][0], "placed")
    page = opened(browser, room)
    card = page.get_by_role("region", name="Rooms")
    expect(card).to_be_visible()
    items = card.get_by_role("listitem")
    expect(items).to_have_count(2)
    expect(items.filter(has_text="left")).to_contain_text("this one")
    expect(items.filter(has_text="upstairs")).to_contain_text("keeper, tower, silent for")
    expect(card).to_contain_text("$0.58 of $7.00")
    expect(card).to_contain_text("of 50 requests")
    page.context.close()


def test_a_database_that_is_away_is_told_before_and_while_it_runs(
    browser: Browser, tmp_path: Path, service: FakeService
) -> None:
    with postgres.cluster(durable=True) as server:
        where = {
            "DAW_BRIDGE_JOURNAL__URL": postgres.as_room(server.new(), "left"),
            "DAW_BRIDGE_JOURNAL__ROOM": "left",
            "DAW_BRIDGE_HTTP__PORT": str(postgres.free_port()),
        }
        server.stop()
        with bridge(tmp_path / "left", service.url, **where) as left:
            left.process = left.popen()
            while (runtime := Home(left.home).read_runtime()) is None:
                time.sleep(0.05)
            page = presses.context(browser, viewport={"width": 1280, "height": 820}).new_page()
            left.http_url = runtime.http_url
            page.goto(f"{left.http_url}/#code={left.api('session/code', {})['code']}")
            told = page.locator("#link")
            expect(told).to_contain_text("waits for the database of its studio")
            expect(told).to_contain_text("Look at the network")
            server.start()
            expect(told).to_be_hidden(timeout=30_000)
            expect(page.get_by_role("region", name="Rooms")).to_be_visible()
            server.stop()
            expect(told).to_contain_text("does not answer", timeout=30_000)
            server.start()
            expect(told).to_be_hidden(timeout=30_000)
            page.context.close()


def test_a_home_of_its_own_has_no_rooms(browser: Browser, tmp_path: Path, service: FakeService) -> None:
    with bridge(tmp_path / "alone", service.url) as alone:
        alone.start()
        page = opened(browser, alone)
        expect(page.get_by_role("region", name="Bridge")).to_be_visible()
        expect(page.get_by_role("region", name="Rooms")).to_be_hidden()
        page.context.close()
