"""What a press on the page costs when it is repeated, when its answer is lost, and when prices cross on the way."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.e2e.processes import Bridge, FakeService, bridge, fake_service
from tests.page import presses


@pytest.fixture(scope="module")
def service() -> Iterator[FakeService]:
    with fake_service() as made:
        yield made


@pytest.fixture(scope="module")
def paid(service: FakeService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    """A daemon whose engine costs money, at a service that counts what it charges."""
    with bridge(tmp_path_factory.mktemp("paid") / "home", service.url) as made:
        made.start()
        yield made


@pytest.fixture
def shop(browser: Browser, paid: Bridge) -> Iterator[Page]:
    """The page before that daemon, signed in."""
    context = presses.context(browser, viewport={"width": 1280, "height": 820})
    page = context.new_page()
    page.goto(f"{paid.http_url}/#code={paid.api('session/code', {})['code']}")
    page.get_by_role("heading", name="Now", exact=True).wait_for()
    yield page
    context.close()


def fill(page: Page, prompt: str) -> None:
    page.get_by_role("link", name="Make", exact=True).click()
    page.get_by_label("Prompt", exact=True).fill(prompt)
    page.locator("#p-duration").fill("2")


def test_a_double_click_on_again_is_one_charge(shop: Page, paid: Bridge, service: FakeService) -> None:
    paid.until(paid.press(prompt="a bell, once more")["jobs"][0], "placed")
    for name in ("New seed", "Again"):
        before = len(service.charges("a bell, once more"))
        shop.get_by_role("link", name="Takes", exact=True).click()
        shop.reload()
        shop.locator(".take .name", has_text="a bell, once more").first.click()
        button = shop.get_by_role("button", name=re.compile(f"^{name}"))
        expect(button).to_contain_text("$")  # its price stands on it
        button.dblclick()
        for _ in range(100):
            if len(service.charges("a bell, once more")) > before:
                break
            shop.wait_for_timeout(100)
        shop.wait_for_timeout(500)
        assert len(service.charges("a bell, once more")) == before + 1, name


def test_what_no_model_does_is_not_on_the_form(shop: Page) -> None:
    shop.get_by_role("link", name="Make", exact=True).click()
    expect(shop.locator("#p-strength")).to_be_visible()
    expect(shop.locator("[data-parameter^=region_]")).to_have_count(0)


def test_a_lost_answer_is_asked_for_under_the_same_id(shop: Page, paid: Bridge, service: FakeService) -> None:
    lost = []

    def lose(route: Route) -> None:
        if not lost:
            lost.append(route.fetch().status)  # it arrives, and its answer does not
            route.abort()
        else:
            route.continue_()

    shop.route("**/api/requests", lose)
    fill(shop, "an answer on its way")
    press = shop.get_by_role("button", name=re.compile(r"^Make · \$"))
    press.click()
    expect(shop.get_by_role("heading", name="Now", exact=True)).to_be_visible(timeout=15_000)
    assert lost == [202]
    job = shop.locator("[data-job]", has_text="an answer on its way")
    expect(job.get_by_text("placed").first).to_be_visible(timeout=20_000)
    expect(job).to_have_count(1)
    assert len(service.charges("an answer on its way")) == 1


def test_the_price_on_the_button_is_that_of_what_is_asked_now(shop: Page) -> None:
    late: list[Route] = []

    def hold(route: Route) -> None:
        if '"variations":2' in (route.request.post_data or ""):
            late.append(route)
        else:
            route.continue_()

    shop.route("**/api/estimate", hold)
    fill(shop, "four of a kind")
    press = shop.get_by_role("button", name=re.compile(r"^Make · \$"))
    expect(press).to_be_enabled()
    one = float((press.text_content() or "").rpartition("$")[2])
    shop.locator("#p-variations").fill("2")
    while not late:
        shop.wait_for_timeout(50)
    shop.locator("#p-variations").fill("4")
    expect(press).to_contain_text(f"${4 * one:.2f}")
    late[0].continue_()
    shop.wait_for_timeout(500)
    expect(press).to_contain_text(f"${4 * one:.2f}")


def test_while_the_price_is_asked_nothing_can_be_sent(shop: Page) -> None:
    late: list[Route] = []
    fill(shop, "not yet")
    press = shop.locator("button.price")
    expect(press).to_be_enabled()
    shop.route("**/api/estimate", lambda route: late.append(route))
    shop.locator("#p-variations").fill("8")
    expect(press).to_be_disabled()
    while not late:
        shop.wait_for_timeout(50)
    late[0].continue_()
    expect(press).to_be_enabled()


def test_takes_of_a_day(shop: Page, paid: Bridge) -> None:
    paid.until(paid.press(prompt="of today")["jobs"][0], "placed")
    shop.get_by_role("link", name="Takes", exact=True).click()
    shop.get_by_label("From", exact=True).fill("2020-01-01")
    expect(shop.locator(".take", has_text="of today")).to_be_visible()
    shop.get_by_label("From", exact=True).fill("2999-01-01")
    expect(shop.locator(".take", has_text="of today")).to_have_count(0)
    expect(shop.locator(".toast.bad")).to_have_count(0)


def test_an_unknown_job_is_sent_again_once(shop: Page, paid: Bridge, service: FakeService) -> None:
    service.script(post=["accept_then_drop"])
    lost = paid.press(prompt="nobody knows")["jobs"][0]
    paid.until(lost, "unknown")
    need = shop.get_by_role("region", name="Needs you").locator(".problem", has_text="nobody knows")
    need.get_by_role("button", name="Decide").click()
    again = shop.get_by_role("button", name=re.compile(r"^Submit again · \$"))
    again.dblclick()
    expect(shop.locator("[data-job]", has_text="nobody knows").get_by_text("placed").first).to_be_visible(
        timeout=20_000
    )
    assert len(service.charges("nobody knows")) == 2  # the lost one, and this


@pytest.mark.parametrize("by", ["pointer", "pointer from elsewhere", "space"])
def test_a_press_counts_when_the_list_changes_below_it(shop: Page, paid: Bridge, service: FakeService, by: str) -> None:
    """Something happens between down and up, and while a button has the focus, or gets it by this very press."""
    down, up = (
        (lambda: shop.keyboard.down(" "), lambda: shop.keyboard.up(" "))
        if by == "space"
        else (shop.mouse.down, shop.mouse.up)
    )
    service.script(set={"job_seconds": 3590.0})
    try:
        job = paid.press(prompt=f"under the finger, {by}")["jobs"][0]
        paid.until(job, "generating")
        button = shop.locator(f"article[data-job='{job}']").get_by_role("button", name="Do not place")
        button.focus()
        paid.press(prompt=f"another arrives, {by}")
        expect(shop.locator("article", has_text=f"another arrives, {by}")).to_be_visible()
        expect(button).to_be_focused()
        if by == "pointer from elsewhere":
            shop.locator("#pause").focus()
        button.hover()
        down()
        with shop.expect_response("**/api/status"):
            paid.press(prompt=f"a third one, {by}")
        shop.wait_for_timeout(300)
        with shop.expect_request(f"**/api/jobs/{job}/cancel"):
            up()
        expect(shop.locator("article", has_text=f"a third one, {by}")).to_be_visible()
    finally:
        service.script(set={"job_seconds": 0.0}, advance=3590)
