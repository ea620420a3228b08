"""Controls that no story of the other files needs: filters, fields, links, and the way back out of each dialog."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Route, expect

from tests.e2e.processes import Bridge as PaidBridge
from tests.e2e.processes import FakeService
from tests.page.conftest import Bridge
from tests.page.drag import draw_region
from tests.page.test_forms import PAD, add_preset, config
from tests.page.test_listening import PLACE
from tests.page.test_money import fill, paid, service, shop
from tests.page.test_page import loop, make
from tests.spending.test_new_models import CATALOGUE

__all__ = ["paid", "service", "shop"]  # fixtures


def view(page: Page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()


def test_the_frame_of_the_page(page: Page) -> None:
    view(page, "Help")
    page.get_by_role("link", name="Skip to content").press("Enter")
    expect(page.get_by_role("heading", name="Help", exact=True)).to_be_visible()
    expect(page.locator("#main")).to_be_focused()
    before = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    page.get_by_role("button", name="Switch between dark and light").click()
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") != before
    page.reload()  # it is remembered
    expect(page.get_by_role("heading", name="Help", exact=True)).to_be_visible()
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") != before
    page.get_by_role("button", name="Switch between dark and light").click()
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == before


def test_links_lead_where_they_say(page: Page) -> None:
    page.get_by_role("link", name="Make something").click()
    expect(page.get_by_role("heading", name="Make", exact=True)).to_be_visible()
    view(page, "Pads")
    page.get_by_role("button", name="Arm", exact=True).click()
    view(page, "Help")
    page.locator("#armed").click()
    expect(page.get_by_role("heading", name="Pads", exact=True)).to_be_visible()
    page.get_by_role("button", name="Disarm").click()
    expect(page.locator("#armed")).to_be_hidden()
    page.get_by_role("region", name="Bindings").get_by_role("link", name="Settings").click()
    expect(page.get_by_role("heading", name="Settings", exact=True)).to_be_visible()
    page.get_by_role("navigation", name="Sections").get_by_role("button", name="Presets").click()
    expect(page.get_by_role("region", name="Presets")).to_be_in_viewport()


def test_every_field_of_make_is_in_the_request(page: Page, bridge: Bridge) -> None:
    add_preset(page, "glued", {"prompt": "from a preset"})
    view(page, "Make")
    page.get_by_label("Prompt", exact=True).fill("remembered words")
    page.get_by_label("Preset", exact=True).select_option("glued")
    page.locator("#p-fit").select_option("start")
    page.locator("#p-duration").fill("2")
    page.get_by_text("Seldom needed").click()
    page.locator("#p-valid_for").fill("60")
    with page.expect_request("**/api/requests") as sent:
        page.get_by_role("button", name=re.compile("^Make · free")).click()
    told = sent.value.post_data_json
    assert {name: told[name] for name in ("prompt", "preset", "fit", "duration", "valid_for")} == {
        "prompt": "remembered words",
        "preset": "glued",
        "fit": "start",
        "duration": 2,
        "valid_for": 60,
    }
    expect(page.get_by_role("heading", name="Now", exact=True)).to_be_visible()
    view(page, "Make")
    page.get_by_label("Earlier prompts").select_option("remembered words")
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("remembered words")


def test_a_file_is_dropped_on_the_page(page: Page, tmp_path: Path) -> None:
    view(page, "Make")
    sound = base64.b64encode(loop(tmp_path / "x.wav").read_bytes()).decode()
    page.locator(".drop").evaluate(
        """async (place, sound) => {
          const bytes = Uint8Array.from(atob(sound), (letter) => letter.charCodeAt(0));
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([bytes], "dröpped.wav", { type: "audio/wav" }));
          place.dispatchEvent(new DragEvent("dragover", { dataTransfer, bubbles: true, cancelable: true }));
          place.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
        }""",
        sound,
    )
    expect(page.get_by_text("dröpped.wav", exact=True)).to_be_visible()
    region = page.get_by_role("slider", name=re.compile("Region"))
    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowLeft"):
        region.press(key)
    expect(page.get_by_text("0.16 to 7.92 s")).to_be_visible()
    with page.expect_request(
        lambda asked: asked.url.endswith("/estimate") and "start" in (asked.post_data or "")
    ) as sent:
        page.get_by_label("Prompt", exact=True).fill("strings")
    source = sent.value.post_data_json["source"]
    assert (round(source["start"], 2), round(source["end"], 2)) == (0.16, 7.92)


def test_a_part_of_a_take_is_the_source(page: Page, bridge: Bridge) -> None:
    make(page, "a long pad", seconds=8)
    view(page, "Takes")
    page.locator(".take .name", has_text="a long pad").first.click()
    page.get_by_role("button", name="Use as source").click()
    draw_region(page, 0.25, 0.75)
    expect(page.get_by_text(re.compile(r"^(1\.9|2\.0)\d to (5\.9|6\.0)\d s$"))).to_be_visible()
    make(page, "choir of it", seconds=6)


def test_a_take_is_continued(page: Page, bridge: Bridge) -> None:
    make(page, "to be continued", seconds=8)
    view(page, "Takes")
    page.locator(".take .name", has_text="to be continued").first.click()
    page.get_by_role("button", name="Continue", exact=True).click()
    expect(page.locator("#p-continue_from")).to_have_value("8")
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("to be continued")
    page.locator("#p-tempo").fill("120")
    with page.expect_request("**/api/requests") as sent:
        page.get_by_role("button", name=re.compile("^Transform · free")).click()
    told = sent.value.post_data_json
    assert told["action"] == "transform"
    assert told["continue_from"] == 8
    assert told["source"]["path"].endswith(".wav")
    assert told["place"] == {"tempo": 120}
    job = page.locator("article.job", has_text="to be continued").first
    expect(job.locator(".badge")).to_have_text("placed", timeout=30_000)


def asked_again(page: Page, button: str) -> dict[str, Any]:
    """Press a button of the take that is open, and return what was sent for it."""
    with page.expect_request("**/api/requests") as sent:
        page.get_by_role("button", name=re.compile(f"^{button}")).click()
    expect(page.get_by_text("Accepted, free of charge.").first).to_be_visible()
    told: dict[str, Any] = sent.value.post_data_json
    assert told.pop("id")
    return told


def test_what_is_asked_for_again_is_what_the_bridge_says(page: Page, bridge: Bridge, tmp_path: Path) -> None:
    """Whatever the job was asked for: the page names no parameter by itself."""
    bridge.run("config", "allow", str(tmp_path))
    words = ["a {bright|bright} end", "--source", str(loop(tmp_path / "song.wav", 12)), "--continue-from", "7"]
    more = [
        "--duration",
        "6",
        "--tempo",
        "97",
        "--fit",
        "grid",
        "--loudness",
        "-14",
        "--strength",
        "0.8",
        "--seed",
        "7",
    ]
    (job,) = json.loads(bridge.run("transform", *words, *more, "--json"))
    again = json.loads(bridge.run("jobs", "show", job["job"], "--json"))["again"]
    assert (again["continue_from"], again["place"]["tempo"], again["seed"]) == (7, 97, 7)
    view(page, "Takes")
    page.locator(".take .name", has_text="a bright end").first.click()
    expect(page.locator("dt", has_text="continue from")).to_be_visible()
    assert asked_again(page, "Again, same seed · free") == again
    assert asked_again(page, "New seed · free") == {key: value for key, value in again.items() if key != "seed"}
    page.get_by_role("button", name="Change and run").click()
    expect(page.locator("#p-continue_from")).to_have_value("7")
    expect(page.locator("#p-tempo")).to_have_value("97")
    page.locator("#p-seed").fill("8")
    assert asked_again(page, "Transform · free") == again | {"seed": 8}


def test_takes_are_found_by_each_filter(page: Page, bridge: Bridge) -> None:
    add_preset(page, "found", {"prompt": "found by its preset"})
    bridge.run("generate", "--preset", "found", "--duration", "1", "--client", "reaper-1")
    bridge.run("generate", "of another", "--duration", "1")
    view(page, "Takes")
    ours, other = page.locator(".take", has_text="found by its preset"), page.locator(".take", has_text="of another")
    expect(ours.and_(page.locator(".take"))).to_be_visible(timeout=20_000)
    expect(other).to_be_visible(timeout=20_000)
    clear = page.get_by_role("button", name="Clear")
    for label, choose in (("Client", "reaper-1"), ("Preset", "found")):
        page.get_by_label(label, exact=True).select_option(choose)
        expect(other).to_have_count(0)
        expect(ours).to_be_visible()
        clear.click()
        expect(other).to_be_visible()
    page.get_by_label("Project", exact=True).fill("/nowhere.rpp")
    expect(page.get_by_text("Nothing fits.")).to_be_visible()
    clear.click()
    page.get_by_label("To", exact=True).fill("2020-01-01")
    expect(page.get_by_text("Nothing fits.")).to_be_visible()
    clear.click()
    expect(ours).to_be_visible()


def test_a_take_is_heard_from_its_own_view(page: Page) -> None:
    make(page, "to be heard, 60 bpm", seconds=8, more={"variations": "2"})
    view(page, "Takes")
    page.locator(".take .name", has_text="to be heard").first.click()
    detail = page.get_by_role("region", name="Take", exact=True)
    detail.get_by_role("slider", name="Position in the take").click()
    page.wait_for_function(f"({PLACE})().then((at) => at > 3)")
    loops = detail.get_by_role("button", name="Loop")
    loops.first.click()
    expect(loops.first).to_have_attribute("aria-pressed", "true")
    loops.first.click()
    detail.get_by_role("button", name="❚❚ Pause").click()
    expect(detail.get_by_role("button", name="▶ Play")).to_be_visible()
    page.get_by_role("list", name="Takes").press("Space")
    expect(detail.get_by_role("button", name="❚❚ Pause")).to_be_visible()
    # the comparison has a place and a loop of its own
    detail.get_by_role("button", name="▶ Compare").click()
    expect(page.get_by_text("A plays, equally loud")).to_be_visible(timeout=15_000)
    expect(loops.last).to_have_attribute("aria-pressed", "true")
    loops.last.click()
    expect(loops.last).to_have_attribute("aria-pressed", "false")
    both = detail.get_by_role("slider", name="Position in the comparison")
    both.click()
    expect(both).to_have_attribute("aria-valuenow", re.compile("^(4[5-9]|5[0-9]|6[0-5])$"))
    detail.get_by_role("button", name="❚❚ Stop").click()
    expect(detail.get_by_role("button", name="▶ Compare")).to_be_visible()


def test_settings_of_every_kind(page: Page, bridge: Bridge) -> None:
    view(page, "Settings")
    page.get_by_label("midi arm_at_start").check()
    page.get_by_label("audio read_roots").fill("~\n~/Music")
    page.get_by_label("audio read_roots").blur()
    page.get_by_label("publish method").select_option("upload")
    page.get_by_role("button", name="Add to bindings of pads").click()
    bindings = page.get_by_role("region", name="Bindings of pads")
    bindings.get_by_label("Name of the new one").fill("lit")
    for name, value in (("port", "Nowhere"), ("channel", "1"), ("number", "36")):
        bindings.get_by_label(name, exact=True).fill(value)
    bindings.get_by_label("message", exact=True).select_option("note_on")
    bindings.get_by_label("action", exact=True).select_option("panic")
    bindings.get_by_label("light idle").fill("5")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text(re.compile("^Saved"))).to_be_visible()
    told = config(bridge)
    assert told["midi"]["arm_at_start"] is True
    assert told["audio"]["read_roots"] == ["~", "~/Music"]
    assert told["publish"]["method"] == "upload"
    assert told["midi"]["bindings"][0]["light"] == {"idle": 5}
    # not now: what was typed stays
    page.get_by_label("spend per_day_usd").fill("9")
    with (bridge.home / "config.toml").open("a", encoding="utf-8") as file:
        file.write("\n# another hand\n")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(page.get_by_label("spend per_day_usd")).to_have_value("9")
    page.get_by_role("button", name="Undo").click()
    bindings.locator("summary").click()
    bindings.get_by_role("button", name="Remove").click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text(re.compile("^Saved"))).to_be_visible()
    assert "# another hand" in (bridge.home / "config.toml").read_text(encoding="utf-8")


def test_a_knob_is_learned(page: Page, bridge: Bridge) -> None:
    """No MIDI is on this machine: what comes in is made up."""
    heard = iter([[], [], [PAD[0] | {"message": "control_change", "number": 7, "value": 64, "bytes": "b0 07 40"}]])
    told = {"next": 1, "problem": None, "open": ["Mini Pads 24:0"]}
    page.route("**/api/midi/listen", lambda route: route.fulfill(json=told | {"messages": next(heard, [])}))
    view(page, "Pads")
    page.get_by_label("How a press is confirmed").select_option("twice")
    page.get_by_label("What it does").select_option("set")
    page.get_by_label("Parameter that it sets").select_option("strength")
    page.get_by_label("Name", exact=True).fill("how strong")
    page.get_by_role("button", name="Learn: press the pad").click()
    page.get_by_role("button", name="Bind it").click()
    expect(page.get_by_text("how strong is bound.")).to_be_visible()
    [made] = [one for one in config(bridge)["midi"]["bindings"] if one["name"] == "how strong"]
    assert (made["action"], made["parameter"], made["number"]) == ("set", "strength", 7)
    assert "confirm" not in made, "it belonged to the action before"


def test_what_was_heard_is_read_by_the_keyboard(page: Page) -> None:
    page.route("**/api/midi/listen", many_messages)
    view(page, "Pads")
    page.get_by_role("region", name="Monitor").get_by_role("button", name="Listen").click()
    messages = page.get_by_role("region", name="Messages")
    expect(messages.get_by_role("row")).to_have_count(60)
    page.set_viewport_size({"width": 320, "height": 700})
    messages.press("ArrowRight")
    page.wait_for_function("() => document.querySelector('[aria-label=Messages]').scrollLeft > 0")


def many_messages(route: Route) -> None:
    route.fulfill(json={"next": 1, "problem": None, "open": ["Mini Pads 24:0"], "messages": PAD * 40})


def test_the_log_is_read_by_the_keyboard(page: Page) -> None:
    lines = [f"12:00:{second:02} INFO line" for second in range(60)] * 3
    page.route("**/api/log?*", lambda route: route.fulfill(json={"lines": lines}))
    view(page, "Help")
    log = page.get_by_role("log")
    expect(log).to_contain_text("INFO line")
    page.wait_for_function("() => document.querySelector('.log').scrollTop > 0")
    log.press("Home")
    page.wait_for_function("() => document.querySelector('.log').scrollTop === 0")


def test_a_job_that_waits_its_turn_is_cancelled(shop: Page, paid: PaidBridge, service: FakeService) -> None:
    service.script(set={"job_seconds": 3590.0})
    try:
        for number in range(8):  # as many as may be open at once
            paid.until(paid.press(prompt=f"in front {number}")["jobs"][0], "generating")
        job = paid.press(prompt="never sent")["jobs"][0]
        shop.locator(f"article[data-job='{job}']").get_by_role("button", name="Cancel").click()
        assert paid.until(job, "cancelled")["charge"] == "none"
        assert service.posts("never sent") == []
    finally:
        service.script(set={"job_seconds": 0.0}, advance=3590)


def test_a_price_above_the_limit_of_asking_is_agreed_to(shop: Page, service: FakeService) -> None:
    """The bridge asks for more than what stood on the button: it is shown, and left or agreed to."""
    asked: list[str] = []

    def dearer(route: Route) -> None:
        asked.append(route.request.post_data or "")
        if "confirm_usd" in asked[-1]:
            route.continue_()
        else:
            error = {"code": "E-CONFIRM", "message": "This costs $0.58.", "charge": "none", "usd": 0.58}
            route.fulfill(status=409, json={"error": error})

    shop.route("**/api/requests", dearer)
    fill(shop, "dear words")
    press = shop.get_by_role("button", name=re.compile(r"^Make · \$"))
    press.click()
    dialog = shop.get_by_role("dialog", name="Agree to the price?")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    assert service.charges("dear words") == []
    press.click()
    dialog.get_by_role("button", name=re.compile(r"^Send · \$0\.58")).click()
    expect(shop.get_by_role("heading", name="Now", exact=True)).to_be_visible()
    assert len(asked) == 3


def test_a_model_that_only_the_catalogue_knows_is_agreed_to(shop: Page, service: FakeService) -> None:
    """Exactly what was asked is sent, at exactly the price that was shown."""
    new = "stable-audio-9"
    service.script(set={"models": ["stable-audio-2-0", "stable-audio-2-5", new], "catalogues": {new: CATALOGUE}})
    fill(shop, "of a new model")
    shop.get_by_text("Seldom needed").click()
    shop.locator("#p-model").fill(new)
    shop.locator("#p-model").blur()
    shop.locator("#p-variations").fill("2")
    press = shop.get_by_role("button", name="Make · $1.80")
    expect(press).to_be_enabled(timeout=15_000)
    expect(shop.get_by_text("you have not agreed to that yet")).to_be_visible()
    press.click()
    dialog = shop.get_by_role("dialog", name="Agree to the price?")
    expect(dialog).to_contain_text("$0.90 a generation")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    assert service.posts("of a new model") == []
    expect(press).to_be_enabled()
    press.click()
    with shop.expect_request("**/api/requests") as sent:
        dialog.get_by_role("button", name="Send · $1.80").click()
    expect(shop.get_by_role("heading", name="Now", exact=True)).to_be_visible()
    assert sent.value.post_data_json["confirm_usd"] == 1.8
    for _ in range(200):
        if len(service.charges("of a new model")) == 2:
            break
        shop.wait_for_timeout(50)
    assert {one["body"]["model"] for one in service.charges("of a new model")} == {new}
    fill(shop, "of it once more")  # the price counts from now on
    shop.get_by_text("Seldom needed").click()
    shop.locator("#p-model").fill(new)
    expect(shop.get_by_text(f"One take of 2.0 s, {new}.")).to_be_visible()


def test_a_paid_render_is_asked_for_first(shop: Page, paid: PaidBridge, service: FakeService, tmp_path: Path) -> None:
    renders = paid.home.with_name("renders")
    renders.mkdir()
    loop(renders / "one.wav")
    add_preset(shop, "render", {"prompt": "of a render"})
    view(shop, "Folders")
    shop.get_by_text("Watch a folder").click()
    shop.get_by_label("Name", exact=True).fill("paid")
    shop.get_by_label("Folder", exact=True).fill(str(renders))
    shop.get_by_label("Preset of the folder").select_option("render")
    spends = shop.get_by_label("A render that appears there may cost money without being asked for")
    spends.check()
    spends.uncheck()
    shop.get_by_role("button", name="Watch", exact=True).click()
    expect(shop.get_by_role("region", name="Watched").get_by_text("asks first")).to_be_visible()
    view(shop, "Now")
    shop.get_by_role("link", name="Look at them").click(timeout=30_000)
    render = shop.get_by_role("region", name="Renders").locator("article", has_text="one.wav")
    render.get_by_role("button", name="Start").click()
    dialog = shop.get_by_role("dialog", name="Send this render?")
    dialog.get_by_role("button", name="Cancel").click()
    expect(render.get_by_text("waits", exact=True)).to_be_visible()
    assert service.posts("of a render") == []
    # its price is another one meanwhile: that is asked, too, and can be left
    error = {"code": "E-CONFIRM", "message": "This costs $0.58.", "charge": "none", "usd": 0.58}
    shop.route("**/api/folders/send", lambda route: route.fulfill(status=409, json={"error": error}), times=1)
    render.get_by_role("button", name="Start").click()
    dialog.get_by_role("button", name="Send", exact=True).click()
    dearer = shop.get_by_role("dialog", name="Agree to the price?")
    dearer.get_by_role("button", name="Send · $0.58").click()
    expect(render).to_contain_text(re.compile("placed|stored"), timeout=30_000)
    assert len(service.charges("of a render")) == 1
    render.get_by_role("button", name="Start again, new seed").click()
    dialog.get_by_role("button", name="Send again", exact=True).click()
    for _ in range(200):
        if len(service.charges("of a render")) == 2:
            break
        shop.wait_for_timeout(50)
    assert len(service.charges("of a render")) == 2


def test_a_take_of_a_client_is_brought_once_more(shop: Page, paid: PaidBridge) -> None:
    job = paid.press(prompt="to be brought", client="away")["jobs"][0]
    paid.until(job, "stored")
    view(shop, "Takes")
    shop.locator(".take .name", has_text="to be brought").click()
    with shop.expect_response(f"**/api/jobs/{job}/deliver") as answer:
        shop.get_by_role("region", name="Take", exact=True).get_by_role("button", name="Place again").click()
    assert answer.value.ok
    expect(shop.get_by_text("It is brought once more, free of charge.")).to_be_visible()
