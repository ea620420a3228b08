"""What lasts: words that are typed while the bridge dies, a page whose session is over, and changes by two tabs."""

from __future__ import annotations

import json
import re
import secrets
import urllib.request

import pytest
from playwright.sync_api import Page, expect

from tests.page.conftest import Bridge
from tests.page.test_forms import config

END = """fetch("/api/session", { method: "DELETE", headers: { "Content-Type": "application/json" }, body: "{}" })
    .then((answer) => answer.status)"""


def beside(page: Page, view: str) -> Page:
    """Open one more tab of the same browser, at a view."""
    tab = page.context.new_page()
    tab.goto(page.url.partition("#")[0] + f"#{view}")
    tab.get_by_role("heading", name=view.capitalize(), exact=True).wait_for()
    return tab


def type_in(tab: Page, fields: dict[str, str]) -> None:
    for label, text in fields.items():
        field = tab.get_by_label(label, exact=True)
        field.fill(text)
        field.blur()


def expect_typed(tab: Page, fields: dict[str, str]) -> None:
    for label, text in fields.items():
        expect(tab.get_by_label(label, exact=True)).to_have_value(text)


WORDS = {
    "make": {"Prompt": "half a thou"},
    "takes": {"Search takes": "half a wo"},
    "folders": {"Name": "half a na", "Folder": "~/half"},
    "pads": {"Name": "half a kno"},
    "settings": {"spend per_month_usd": "44"},
    "setup": {"Folder of renders": "~/half"},
}


def half_filled(page: Page, view: str) -> Page:
    """Open one more tab at a view, and type in its form."""
    tab = beside(page, view)
    if view == "folders":
        tab.get_by_text("Watch a folder").click()
    if view == "setup":
        tab.locator("[data-step=folders]").get_by_role("button", name=re.compile("^Open")).click()
    if view == "pads":
        tab.get_by_label("What it does").select_option("set")
    if view == "make":
        tab.locator("#p-duration").fill("3.5")
    type_in(tab, WORDS[view])
    return tab


@pytest.mark.parametrize("views", [("make", "takes", "folders"), ("pads", "settings", "setup")])
def test_what_is_typed_outlives_the_bridge(page: Page, bridge: Bridge, views: tuple[str, ...]) -> None:
    bridge.keep_port()
    tabs = {view: half_filled(page, view) for view in views}
    every = [page, *tabs.values()]
    bridge.kill()
    for tab in every:
        expect(tab.get_by_text("The bridge is gone")).to_be_visible(timeout=10_000)
    # a view that is opened meanwhile is there as soon as the bridge is
    page.get_by_role("link", name="Settings", exact=True).click()
    expect(page.get_by_text("The bridge does not answer.").first).to_be_visible()
    bridge.run("start")
    for tab in every:
        expect(tab.get_by_text("The bridge is gone")).to_be_hidden(timeout=20_000)
    expect(page.get_by_label("spend per_month_usd")).to_be_visible()
    page.wait_for_timeout(1000)  # what is read again has been read
    for view, tab in tabs.items():
        expect_typed(tab, WORDS[view])
    # and it can be sent
    if "settings" in tabs:
        expect(tabs["pads"].get_by_label("What it does")).to_have_value("set")
        tabs["settings"].get_by_role("button", name="Save").click()
        expect(tabs["settings"].get_by_text(re.compile("^Saved"))).to_be_visible()
        assert config(bridge)["spend"]["per_month_usd"] == 44
    else:
        expect(tabs["make"].locator("#p-duration")).to_have_value("3.5")
        tabs["make"].get_by_role("button", name=re.compile("^Make · free")).click()
        job = tabs["make"].locator("article.job", has_text="half a thou")
        expect(job.locator(".badge")).to_have_text("placed", timeout=20_000)


def test_pages_that_nobody_sees_leave_the_connections_to_those_that_are_seen(page: Page) -> None:
    """A browser has six connections to a server, for all its pages."""
    for _ in range(7):
        for seen in page.context.pages:
            hide(seen, True)
        beside(page, "help")
    with page.expect_response("**/api/status"):
        hide(page, False)
    last = page.context.pages[-1]
    last.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_text("Sending is paused")).to_be_visible()  # it is told again
    last.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("Sending is paused")).to_be_hidden()


@pytest.mark.parametrize("why", ["expired", "the token is another one"])
@pytest.mark.parametrize("seen_by", ["itself", "a press"])
def test_a_page_whose_session_is_over_says_so(page: Page, bridge: Bridge, why: str, seen_by: str) -> None:
    page.get_by_role("link", name="Takes", exact=True).click()  # a view that asks for nothing by itself
    expect(page.get_by_role("list", name="Takes").get_by_role("listitem").first).to_be_visible()
    if why == "expired":
        assert page.evaluate(END) == 200
    else:
        replace_token(bridge)
    if seen_by == "a press":
        page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible(timeout=20_000)
    expect(page.get_by_role("alert")).to_contain_text("Your session is over")
    expect(page.get_by_text("The bridge is gone")).to_be_hidden()  # it is not
    expect(page.get_by_text("Bearer")).to_have_count(0)
    expect(page.locator("main code")).to_have_text("daw-bridge open")  # the one next step
    page.get_by_role("link", name="Now", exact=True).click()  # there is nothing to see
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    again = page.context.new_page()
    again.goto(bridge.url)
    again.get_by_role("heading", name="Now", exact=True).wait_for()
    page.bring_to_front()
    page.evaluate("window.dispatchEvent(new Event('focus'))")  # a browser without windows has no focus to give
    expect(page.get_by_role("heading", name="Now", exact=True)).to_be_visible()
    assert not json.loads(bridge.run("status", "--json")).get("paused"), "what was refused was not done"


@pytest.mark.parametrize("signed_in", ["in another tab", "in the tab itself"])
def test_what_is_typed_outlives_the_session(page: Page, bridge: Bridge, signed_in: str) -> None:
    views = ("make", "folders", "settings")
    tabs = {view: half_filled(page, view) for view in views}
    assert page.evaluate(END) == 200
    for tab in tabs.values():
        expect(tab.get_by_role("heading", name="Sign in")).to_be_visible(timeout=20_000)
    if signed_in == "in another tab":
        page.goto(bridge.url)
    else:
        tabs["make"].goto(bridge.url)  # what stands before its # is the same: nothing is loaded anew
    for view, tab in tabs.items():
        tab.bring_to_front()
        tab.evaluate("window.dispatchEvent(new Event('focus'))")
        expect(tab.get_by_role("heading", name=view.capitalize(), exact=True)).to_be_visible()
        expect_typed(tab, WORDS[view])
    tabs["settings"].get_by_role("button", name="Save").click()
    expect(tabs["settings"].get_by_text(re.compile("^Saved"))).to_be_visible()


def replace_token(bridge: Bridge) -> None:
    """Write another token, and have the bridge read it."""
    file = bridge.home / "token"
    old = file.read_text(encoding="utf-8").strip()
    file.write_text(secrets.token_hex(len(old) // 2), encoding="utf-8")
    url = f"{bridge.runtime['http_url']}/api/settings/reload"
    headers = {"Authorization": f"Bearer {old}", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, b"{}", headers), timeout=30) as answer:
        assert answer.status == 200


def hide(tab: Page, hidden: bool) -> None:
    """A browser without windows hides no page: it is told to."""
    tab.evaluate(
        """(hidden) => {
          Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
          document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def test_settings_that_were_not_seen_are_read_again(page: Page, bridge: Bridge) -> None:
    first, second = beside(page, "settings"), beside(page, "settings")
    hide(second, True)
    first.get_by_label("spend per_month_usd").fill("33")
    first.get_by_role("button", name="Save").click()
    expect(first.get_by_text(re.compile("^Saved"))).to_be_visible()
    hide(second, False)
    expect(second.get_by_label("spend per_month_usd")).to_have_value("33")


def test_two_tabs_change_the_same_setting(page: Page, bridge: Bridge) -> None:
    first, second, third = (beside(page, "settings") for _ in range(3))
    limit = "spend per_day_usd"
    second.get_by_label(limit).fill("6")
    first.get_by_label(limit).fill("5")
    first.get_by_role("button", name="Save").click()
    expect(first.get_by_text(re.compile("^Saved"))).to_be_visible()
    expect(third.get_by_label(limit)).to_have_value("5")  # nobody types there
    expect(second.get_by_text("config.toml was changed elsewhere.")).to_be_visible()
    expect(second.get_by_label(limit)).to_have_value("6")
    second.get_by_role("button", name="Save").click()
    dialog = second.get_by_role("dialog", name="The file was changed meanwhile")
    dialog.get_by_role("button", name="Cancel").click()
    expect(second.get_by_label(limit)).to_have_value("6")
    assert config(bridge)["spend"]["per_day_usd"] == 5
    second.get_by_role("button", name="Save").click()
    dialog.get_by_role("button", name="Read again").click()
    expect(second.get_by_label(limit)).to_have_value("5")
    second.get_by_label(limit).fill("6")
    second.get_by_role("button", name="Save").click()
    expect(second.get_by_text(re.compile("^Saved"))).to_be_visible()
    assert config(bridge)["spend"]["per_day_usd"] == 6
    for tab in (first, third):
        expect(tab.get_by_label(limit)).to_have_value("6")


def test_a_folder_is_added_to_what_another_tab_has_saved(page: Page, bridge: Bridge) -> None:
    (bridge.home.parent / "renders").mkdir()
    folders, settings = beside(page, "folders"), beside(page, "settings")
    folders.get_by_text("Watch a folder").click()
    settings.get_by_label("spend per_day_usd").fill("8")
    settings.get_by_role("button", name="Save").click()
    expect(settings.get_by_text(re.compile("^Saved"))).to_be_visible()
    type_in(folders, {"Name": "mixes", "Folder": str(bridge.home.parent / "renders")})
    folders.get_by_role("button", name="Watch", exact=True).click()
    expect(folders.get_by_role("region", name="Watched").get_by_text("asks first")).to_be_visible()
    told = config(bridge)
    assert (told["spend"]["per_day_usd"], [one["name"] for one in told["folders"]]) == (8, ["mixes"])
