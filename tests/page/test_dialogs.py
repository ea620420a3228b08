"""Every dialog of the page can be read by everybody, and is left by a key."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.processes import Bridge, FakeService
from tests.page import presses
from tests.page.test_money import fill, paid, service
from tests.page.test_page import serious_faults
from tests.page.test_presses import lost, need

__all__ = ["paid", "service"]  # fixtures


@pytest.fixture
def open_shop(browser: Browser, paid: Bridge) -> Iterator[Page]:
    """The page before a daemon whose engine costs money; what looks for faults may be loaded into it."""
    context = presses.context(browser, viewport={"width": 1280, "height": 820}, bypass_csp=True)
    page = context.new_page()
    page.goto(f"{paid.http_url}/#code={paid.api('session/code', {})['code']}")
    page.get_by_role("heading", name="Now", exact=True).wait_for()
    yield page
    context.close()


def what_became(page: Page, paid: Bridge, service: FakeService) -> None:
    lost(service, paid, "nobody knows")
    need(page, "nobody knows").get_by_role("button", name="Decide …").click()


def send_again(page: Page, paid: Bridge, service: FakeService) -> None:
    service.script(post=["422"])
    job = paid.press(prompt="refused")["jobs"][0]
    paid.until(job, "refused")
    page.locator(f"[data-job='{job}']").get_by_role("button", name=re.compile("^Retry")).click()


def refused_with(code: str) -> Callable[[Page, Bridge, FakeService], None]:
    def make(page: Page, _paid: Bridge, _service: FakeService) -> None:
        error = {"code": code, "message": "This costs $0.58.", "charge": "none", "usd": 0.58}
        page.route("**/api/requests", lambda route: route.fulfill(status=409, json={"error": error}))
        fill(page, "words")
        page.get_by_role("button", name=re.compile(r"^Make · \$")).click()

    return make


def this_render(page: Page, _paid: Bridge, _service: FakeService) -> None:
    told = {"entry": 1, "state": "waiting", "name": "mix.wav", "folder": "renders", "seen_at": time.time(), "jobs": []}
    found = {"renders": [told | {"text": "", "present": True}], "next": None}
    page.route("**/api/folders/renders*", lambda route: route.fulfill(json=found))
    page.get_by_role("link", name="Folders", exact=True).click()
    page.get_by_role("button", name="Start", exact=True).click()


def changed_meanwhile(page: Page, paid: Bridge, _service: FakeService) -> None:
    page.get_by_role("link", name="Settings", exact=True).click()
    page.get_by_label("audio library").fill("~/elsewhere")
    with (paid.home / "config.toml").open("a", encoding="utf-8") as file:
        file.write("\n# another hand\n")
    page.get_by_role("button", name="Save").click()


DIALOGS = {
    "What became of this job?": what_became,
    "Send it again?": send_again,
    "Once more?": refused_with("E-DOUBLE-PRESS"),
    "Agree to the price?": refused_with("E-CONFIRM"),
    "Send this render?": this_render,
    "The file was changed meanwhile": changed_meanwhile,
}


def test_the_list_of_dialogs_is_whole() -> None:
    sources = "\n".join(file.read_text("utf-8") for file in presses.SOURCES.glob("*.js"))
    asked = re.findall(r"await ask\((?:twice \? )?\"([^\"]+)\"(?: : \"([^\"]+)\")?", sources)
    assert {name for names in asked for name in names if name} == set(DIALOGS)


@pytest.mark.parametrize("name", DIALOGS)
def test_a_dialog_can_be_read_by_everybody(open_shop: Page, paid: Bridge, service: FakeService, name: str) -> None:
    DIALOGS[name](open_shop, paid, service)
    dialog = open_shop.get_by_role("dialog", name=name)
    expect(dialog).to_be_visible()
    found = []
    for scheme in ("dark", "light"):
        open_shop.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        found += serious_faults(open_shop, scheme)
    open_shop.set_viewport_size({"width": 360, "height": 640})
    box = dialog.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360
    assert dialog.evaluate("(one) => one.scrollWidth <= one.clientWidth")
    assert found == []
    open_shop.keyboard.press("Tab")
    assert dialog.evaluate("(one) => one.contains(document.activeElement)")
    open_shop.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
