"""The buttons that wait for a person: each way out of an unknown job, and what is pressed when something went wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.processes import Bridge, FakeService
from tests.page.test_money import paid, service, shop
from tests.page.test_page import loop

__all__ = ["paid", "service", "shop"]  # fixtures


def lost(service: FakeService, paid: Bridge, prompt: str) -> str:
    """Press for a job whose answer is lost."""
    service.script(post=["accept_then_drop"])
    job = str(paid.press(prompt=prompt)["jobs"][0])
    paid.until(job, "unknown")
    return job


def need(page: Page, prompt: str) -> Locator:
    return page.get_by_role("region", name="Needs you").locator(".problem", has_text=prompt)


@pytest.mark.parametrize(
    ("button", "state", "charge"),
    [("Close: not charged", "dismissed", "none"), ("Close: charged", "dismissed", "confirmed")],
)
def test_an_unknown_job_is_closed(
    shop: Page, paid: Bridge, service: FakeService, button: str, state: str, charge: str
) -> None:
    job = lost(service, paid, f"to be closed {charge}")
    need(shop, f"to be closed {charge}").get_by_role("button", name="Decide …").click()
    dialog = shop.get_by_role("dialog", name="What became of this job?")
    expect(dialog).to_contain_text("$0.58 count as spent")  # each way, in money
    dialog.get_by_role("button", name="Not now").click()
    expect(dialog).to_be_hidden()
    assert paid.job(job)["state"] == "unknown"
    need(shop, f"to be closed {charge}").get_by_role("button", name="Decide …").press("Enter")
    dialog.get_by_role("button", name=button, exact=True).press("Enter")
    assert paid.until(job, state)["charge"] == charge
    expect(need(shop, f"to be closed {charge}")).to_have_count(0)


def test_an_unknown_job_is_attached_to_the_one_at_the_service(shop: Page, paid: Bridge, service: FakeService) -> None:
    job = lost(service, paid, "to be attached")
    [charge] = service.charges("to be attached")
    need(shop, "to be attached").get_by_role("button", name="Decide …").click()
    shop.get_by_label("The job's id at the service").fill(charge["remote_id"])
    shop.get_by_role("button", name="Attach", exact=True).click()
    assert paid.until(job, "placed")["charge"] == "confirmed"
    assert len(service.charges("to be attached")) == 1, "nothing was paid again"


def test_a_refused_job_is_retried_after_its_price_was_asked(shop: Page, paid: Bridge, service: FakeService) -> None:
    service.script(post=["422"])
    job = paid.press(prompt="refused once")["jobs"][0]
    paid.until(job, "refused")
    retry = shop.locator(f"[data-job='{job}'], .problem", has_text="refused once").get_by_role(
        "button", name=re.compile(r"^Retry · \$0\.58")
    )
    retry.first.click()
    shop.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert service.charges("refused once") == []
    retry.first.click()
    shop.get_by_role("dialog").get_by_role("button", name=re.compile(r"^Send · \$0\.58")).click()
    for _ in range(200):
        if service.charges("refused once"):
            break
        shop.wait_for_timeout(50)
    assert len(service.charges("refused once")) == 1


def test_a_download_that_fails_is_looked_for_at_once(shop: Page, paid: Bridge, service: FakeService) -> None:
    service.script(download=["garbage*4"])
    job = paid.press(prompt="garbage came")["jobs"][0]
    look = shop.locator(f"[data-job='{job}'], .problem", has_text="garbage came").get_by_role("button", name="Look now")
    with shop.expect_request(f"**/api/jobs/{job}/retry"):
        look.first.click(timeout=30_000)
    service.script(clear=True)
    paid.until(job, "placed")
    assert len(service.charges("garbage came")) == 1


def test_a_take_that_waits_for_its_client_is_placed_again(shop: Page, paid: Bridge) -> None:
    job = paid.press(prompt="for a client", client="away")["jobs"][0]
    paid.until(job, "stored")
    place = shop.locator(f"article[data-job='{job}']").get_by_role("button", name="Place again")
    with shop.expect_request(f"**/api/jobs/{job}/deliver"):
        place.click()


def test_a_pause_is_ended_where_it_is_told(shop: Page) -> None:
    shop.get_by_role("button", name="Pause", exact=True).click()
    shop.get_by_role("region", name="Needs you").get_by_role("button", name="Go on sending").click()
    expect(shop.get_by_role("button", name="Pause", exact=True)).to_be_visible()
    expect(shop.get_by_text("Sending is paused")).to_have_count(0)


def test_a_source_is_chosen_heard_and_a_take_kept(shop: Page, paid: Bridge, tmp_path: Path) -> None:
    job = paid.press(prompt="to be kept")["jobs"][0]
    paid.until(job, "placed")
    shop.get_by_role("link", name="Make", exact=True).click()
    with shop.expect_file_chooser() as chosen:
        shop.get_by_role("button", name="choose one").click()
    chosen.value.set_files(loop(tmp_path / "chosen.wav"))
    shop.get_by_role("button", name="Play source").click()
    expect(shop.locator("#player")).to_be_visible()
    shop.get_by_role("link", name="Takes", exact=True).click()
    shop.locator(".take .name", has_text="to be kept").click()
    shop.get_by_role("button", name="Keep as a favourite").click()
    expect(shop.locator(".take", has_text="to be kept").get_by_role("button", name="Favourite")).to_have_attribute(
        "aria-pressed", "true"
    )


def test_listening_is_ended(shop: Page) -> None:
    shop.get_by_role("link", name="Pads", exact=True).click()
    shop.get_by_role("button", name=re.compile("^Learn")).click()
    stop = shop.get_by_role("button", name="Stop listening")
    told = shop.locator(".toast, [role=status]", has_text="MIDI")
    expect(stop.or_(told.first).first).to_be_visible()
    if stop.count():  # a machine without MIDI has said so
        stop.click()
        expect(shop.get_by_role("button", name=re.compile("^Learn"))).to_be_visible()


def test_what_is_left_of_the_first_run_is_skipped(shop: Page) -> None:
    shop.get_by_role("link", name="Set up").first.click()
    shop.get_by_role("button", name="Skip what is left").click()
    expect(shop.get_by_text("All steps are behind you")).to_be_visible()
    shop.get_by_role("link", name="Now", exact=True).click()
    expect(shop.get_by_role("link", name="Set up")).to_have_count(0)
