"""The page of a room: who else is there, and what all of them spend; nothing of that in a home of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect

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


def test_a_home_of_its_own_has_no_rooms(browser: Browser, tmp_path: Path, service: FakeService) -> None:
    with bridge(tmp_path / "alone", service.url) as alone:
        alone.start()
        page = opened(browser, alone)
        expect(page.get_by_role("region", name="Bridge")).to_be_visible()
        expect(page.get_by_role("region", name="Rooms")).to_be_hidden()
        page.context.close()
