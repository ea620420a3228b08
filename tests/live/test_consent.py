"""What a press agrees to: what was asked on the panel, with the controls as they were, at the price that was shown."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.live.bridge import Bridge, bridge
from tests.live.player import Player, player
from tests.live.test_placing import result, take
from tests.live.test_presses import READ, ready

pytestmark = pytest.mark.needs("node", "nodejs")
CHAIN = {"models": "small\nlarge", "models_usd": "0.58\n1.16", "presets": "drums\nbass\npad"}
CHAIN |= {"presets_models": "small\nsmall large\nsmall large small"}


async def question(fake: Bridge, live: Player, *, address: str = "/bridge/generate", **told: Any) -> dict[str, Any]:
    """Answer the last press with a question, and give a person time to read it."""
    asked = fake.presses(address)[-1]
    about = {"re": address.rpartition("/")[2], "id": asked["id"], "code": "E-CONFIRM", "message": "It costs more."}
    fake.tell(asked["client"], "/bridge/refused", **about | told)
    await live.until_status("agree")
    await asyncio.sleep(READ)
    return asked


@pytest.mark.parametrize(
    "controls",
    [
        {"Length_Bars": 16},
        {"Length_From": 1},
        {"Place_In": 1},
        {"Target_Track": 2},
        {"Fit": 2},
        {"Warp": 1},
        {"Launch": 1},
        {"Seed": 4711, "Seed_Lock": 1},
    ],
    ids=lambda controls: next(iter(controls)),
)
async def test_whoever_changes_a_control_agrees_to_nothing(tmp_path: Path, controls: dict[str, Any]) -> None:
    async with ready(tmp_path) as (fake, live):
        fake.accepts = False
        await live.click("Generate")
        await fake.until("/bridge/generate")
        asked = await question(fake, live)
        await live.set(**controls)
        await live.click("Generate")
        later = await fake.until("/bridge/generate", count=2)
        assert later["id"] != asked["id"]
        assert "confirm_usd" not in later


async def test_a_take_that_comes_hides_no_button_that_a_question_is_for(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        await live.set(Ask_Before_Placing=1)
        await live.click("Generate")
        await live.until_status("Accepted")
        fake.accepts = False
        await live.click("Again")
        await fake.until("/bridge/generate", count=2)
        await question(fake, live)
        result(fake, take(tmp_path), target="session", slot=0)
        hellos = len(fake.all("/bridge/transport"))
        await fake.until("/bridge/transport", count=hellos + 2)
        assert "Again" in (await live.panel())["shown"]
        await live.click("Again")
        assert "confirm_usd" in await fake.until("/bridge/generate", count=3)
        await live.until(lambda panel: "Keep" in panel["shown"])


async def test_a_capture_of_other_bars_is_another_one(tmp_path: Path) -> None:
    async with ready(tmp_path, tempo=480) as (fake, live):
        fake.accepts = False
        await live.set(Length_Bars=1)
        await live.live(play=0)
        await live.click("Capture")
        await fake.until("/bridge/transform", seconds=30)
        await question(fake, live, address="/bridge/transform")
        await live.set(Length_Bars=2)
        await live.click("Capture")
        later = await fake.until("/bridge/transform", count=2, seconds=30)
        assert float(later["length"]) == 1
        assert "confirm_usd" not in later


async def test_what_is_typed_while_a_capture_goes_on_counts(tmp_path: Path) -> None:
    async with ready(tmp_path, tempo=240) as (fake, live):
        await live.set(Length_Bars=1)
        await live.live(play=0)
        await live.click("Capture")
        await live.until_status("Recording")
        await live.type("Prompt", "steel drums")
        assert (await fake.until("/bridge/transform", seconds=30))["prompt"] == "steel drums, 240 BPM"


async def test_a_capture_is_not_agreed_to_without_a_bridge(tmp_path: Path) -> None:
    async with ready(tmp_path, tempo=480, speed=3) as (fake, live):
        fake.accepts = False
        await live.set(Length_Bars=1)
        await live.live(play=0)
        await live.click("Capture")
        await fake.until("/bridge/transform", seconds=30)
        fake.welcomes = fake.proves = None
        await question(fake, live, address="/bridge/transform")
        await live.until(lambda panel: panel["light"] == 0)
        await live.click("Capture")
        await live.until_status("The bridge does not answer")
        fake.proves = fake.secret
        await asyncio.sleep(1)
        assert len(fake.presses("/bridge/transform")) == 1


@pytest.mark.parametrize("lock", [0, 1])
async def test_a_double_click_on_again_is_one_press_for_the_bridge(tmp_path: Path, lock: int) -> None:
    """It asks about the second one, which would have had a seed of its own and would have been paid for."""
    async with ready(tmp_path) as (fake, live):
        await live.set(Seed=4711, Seed_Lock=lock)
        await live.click("Generate")
        await live.until_status("Accepted")
        fake.accepts = False
        for _ in range(2):
            await live.click("Again")
        await fake.until("/bridge/generate", count=3)
        first, one, other = fake.presses("/bridge/generate")
        assert first["seed"] != one["seed"]
        assert one["id"] != other["id"]
        assert one | {"id": ""} == other | {"id": ""}
        await question(fake, live, code="E-DOUBLE-PRESS")
        await live.click("Again")
        agreed = await fake.until("/bridge/generate", count=4)
        assert agreed["again"] == 1
        assert agreed["seed"] not in (first["seed"], one["seed"])


@pytest.mark.parametrize("code", ["E-CONFIRM", "E-PRICE"])
async def test_a_price_that_rises_while_it_is_agreed_to_is_asked_about_again(tmp_path: Path, code: str) -> None:
    """The key of the consent is in the message once: twice, the bridge refuses the message."""
    async with ready(tmp_path) as (fake, live):
        fake.accepts = False
        await live.click("Generate")
        await fake.until("/bridge/generate")
        for count, usd in ((2, "0.7"), (3, "1.4")):
            await question(fake, live, usd=usd, code=code)
            assert f"Send · ${float(usd):.2f}" in (await live.panel())["buttons"]
            await live.click("Generate")
            assert (await fake.until("/bridge/generate", count=count))["confirm_usd"] == usd
        keys = [message[1::2] for message in (entry["message"] for entry in (await live.logs())["sent"]) if message[1:]]
        assert all(len(set(one)) == len(one) for one in keys)


async def test_the_price_of_a_chain_is_that_of_all_its_takes(tmp_path: Path) -> None:
    async with bridge(tmp_path) as fake, player(tmp_path) as live:
        assert fake.welcomes is not None
        fake.welcomes |= CHAIN
        await live.open(home=fake.home.path)
        await live.until(lambda panel: "pad" in panel["presets"])
        await live.set(Preset="pad", Takes=2)
        panel = await live.until(lambda panel: "Generate · $4.64" in panel["buttons"])
        assert "Transform · $1.16" in panel["buttons"]  # of a source of its own, and of no other take
        await live.set(Model="large")  # of the last take
        await live.until(lambda panel: {"Generate · $5.80", "Transform · $2.32"} <= set(panel["buttons"]))
        await live.set(Preset="bass", Model="Default model", Takes=1)
        await live.until(lambda panel: {"Generate · $1.74", "Transform · $1.16"} <= set(panel["buttons"]))
        assert (await live.panel())["money"].startswith("$1.16 a take")


async def test_a_negative_prompt_goes_where_the_model_of_the_preset_takes_one(tmp_path: Path) -> None:
    async with bridge(tmp_path) as fake, player(tmp_path) as live:
        assert fake.welcomes is not None
        fake.welcomes |= CHAIN | {"negative_prompt": "small"}
        await live.open(home=fake.home.path)
        await live.until(lambda panel: "pad" in panel["presets"])
        await live.set(Prompt="rain", More=1, Negative_Prompt="drums")
        for count, (preset, sent) in enumerate((("drums", True), ("bass", False), ("pad", True)), 1):
            await live.set(Preset=preset)
            await live.click("Generate")
            assert ("negative_prompt" in await fake.until("/bridge/generate", count=count)) == sent


async def test_the_line_of_the_money_is_about_the_model_that_is_chosen(tmp_path: Path) -> None:
    async with bridge(tmp_path) as fake, player(tmp_path) as live:
        assert fake.welcomes is not None
        fake.welcomes |= {"models": "small\nlarge\nnew", "models_usd": "0.58\n1.16"}
        await live.open(home=fake.home.path)
        await live.until(lambda panel: "large" in panel["models"])
        await live.set(Model="large")
        await live.until(lambda panel: panel["money"].startswith("$1.16 a take"))
        await live.set(Model="new")
        panel = await live.until(lambda panel: panel["money"].startswith("price not known"))
        assert "Generate" in panel["buttons"]


async def test_nothing_is_called_free_whose_price_is_not_known(tmp_path: Path) -> None:
    async with bridge(tmp_path) as fake, player(tmp_path) as live:
        assert fake.welcomes is not None
        del fake.welcomes["price_usd"]
        await live.open(home=fake.home.path)
        await live.connected()
        await live.set(Prompt="rain")
        fake.accepts = False
        await live.click("Generate")
        asked = await fake.until("/bridge/generate")
        await question(fake, live)
        assert not any("free" in label for label in (await live.panel())["buttons"])
        sent = len(fake.all("/bridge/generate"))
        await live.click("Generate")
        await fake.until("/bridge/generate", count=sent + 1, repeats=True)
        fake.tell(asked["client"], "/bridge/progress", job="j", id=asked["id"], state="queued", fraction=0.0)
        assert "free" not in (await live.until_status("Accepted"))["status"]


async def test_what_does_not_fit_into_a_message_is_not_sent(tmp_path: Path) -> None:
    """Also what does so by the negative prompt: udpsend would drop it and say nothing."""
    async with bridge(tmp_path) as fake, player(tmp_path) as live:
        assert fake.welcomes is not None
        fake.welcomes |= {"models": "small", "models_usd": "0.58", "negative_prompt": "small"}
        await live.open(home=fake.home.path)
        await live.connected()
        await live.set(Prompt="r" * 5000, More=1, Negative_Prompt="雨" * 1500)
        await live.click("Generate")
        await live.until_status("too long for a message")
        assert fake.presses("/bridge/generate") == []
        await live.set(Negative_Prompt="雨" * 500)
        await live.click("Generate")
        assert (await fake.until("/bridge/generate"))["negative_prompt"] == "雨" * 500
