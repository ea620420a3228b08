"""No control without a test that presses it: what counts the presses, tests/page/presses.py, is itself tried here."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.page import presses

#: As somebody would add a button: by the helper that makes all of them, in a script of the page.
ADD = """
import { h } from "/page/dom.js";
document.getElementById("main").append(h("button", { type: "button", onclick: () => {} }, "Brand new"));
"""


def test_the_list_is_whole() -> None:
    listed = presses.controls()
    assert len(listed) > 120
    for part in (
        "jobs.js",
        "now.js",
        "make.js",
        "take.js",
        "takes.js",
        "folders.js",
        "pads.js",
        "settings.js",
        "setup.js",
    ):
        assert any(place.startswith(part) for place in listed), part
    lines = [line for file in presses.SOURCES.glob("*.js") for line in file.read_text("utf-8").splitlines()]
    made = sum(line.count('h("button"') for line in lines if not line.startswith("/**"))
    assert sum(text.startswith('h("button"') for text in listed.values()) == made


def test_a_button_that_is_added_and_pressed_by_no_test_is_found(page: Page, controls: presses.Controls) -> None:
    at = "added.js:3:40"  # of the h, as the browser counts
    page.route("**/page/added.js", lambda route: route.fulfill(body=ADD, content_type="text/javascript"))
    page.evaluate("import('/page/added.js')")
    new = page.get_by_role("button", name="Brand new")
    expect(new).to_be_visible()
    page.get_by_role("link", name="Help", exact=True).hover()
    assert at not in controls.pressed
    new.evaluate("(button) => button.click()")  # by a script, as no person does
    page.get_by_role("button", name="Pause", exact=True).focus()
    assert at not in controls.pressed
    new.press("Enter")
    page.get_by_role("link", name="Help", exact=True).hover()
    assert at in controls.pressed


def test_what_no_test_pressed_is_named() -> None:
    places = set(presses.controls())
    some = next(place for place in places if place.startswith("jobs.js"))
    assert presses.unpressed(places, ["named: Cancel"]) == ["named: Cancel"]
    [told] = presses.unpressed(places - {some} | {"named: Cancel"}, ["named: Cancel"])
    assert told.startswith(some)


def test_only_a_run_of_the_whole_folder_is_judged() -> None:
    known = presses.tests()
    assert "test_buttons.py::test_only_a_run_of_the_whole_folder_is_judged" in known
    assert len(known) > 50
