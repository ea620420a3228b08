"""Every cord of the built devices carries what it is for; a mapped button is a press."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from max_for_live import amxd
from tests.live.bridge import bridge
from tests.live.player import AUDIO, MIDI, Player, player
from tests.live.test_placing import result, take

pytestmark = pytest.mark.needs("node", "nodejs")

#: What a person can do, with a value other than the first one, and what of a request it changes.
CONTROLS: dict[str, tuple[Any, str, Any]] = {
    "Prompt": ("slow strings", "prompt", "slow strings, 120 BPM"),
    "Preset": ("pad", "preset", "pad"),
    "Length Bars": (3, "length", "6"),
    "Length From": (1, "length", "10"),
    "Place In": (1, "target", "arrangement"),
    "Guidance": (9.5, "cfg_scale", "9.5"),
    "Takes": (2, "variations", 2),
    "Seed": (4711, "seed", 4711),
    "Seed Lock": (1, "seed", 4711),
    "Model": ("large", "model", "large"),
    "Negative Prompt": ("drums", "negative_prompt", "drums"),
    "Target Track": (2, "token", '{"w":0,"f":"loop","k":1}'),
    "Fit": (2, "token", '{"w":0,"f":"start","t":0,"n":"Guitar"}'),
    "Loudness": (3, "loudness", "-14"),
    "Tempo In Prompt": (0, "prompt", "rain"),
    "Warp": (1, "token", '{"w":1,"f":"loop","t":0,"n":"Guitar"}'),
    "Launch": (1, "launch", "quantized"),
}


def cords(file: Path) -> set[str]:
    """The cords for messages: those for sound carry none."""
    patcher = amxd.read(file.read_bytes()).patcher
    boxes = {entry["box"]["id"]: entry["box"] for entry in patcher["boxes"]}
    found = set()
    for line in patcher["lines"]:
        (source, outlet), (target, inlet) = line["patchline"]["source"], line["patchline"]["destination"]
        sound = boxes[source]["outlettype"][outlet] in ("signal", "tapconnect")
        notes = boxes[source].get("text") == "midiin"
        if not sound and not notes:
            found.add(f"{source} {outlet} {target} {inlet}")
    return found


@pytest.mark.parametrize("control", CONTROLS)
async def test_each_control_changes_what_is_asked(tmp_path: Path, control: str) -> None:
    value, key, wanted = CONTROLS[control]
    async with bridge(tmp_path) as fake, player(tmp_path, loop=[0, 20]) as live:
        assert fake.welcomes is not None
        fake.welcomes |= {
            "presets": "pad",
            "models": "small\nlarge",
            "models_usd": "0.58\n1.16",
            "negative_prompt": "small",
        }
        await live.open(home=fake.home.path)
        await live.until(lambda panel: "pad" in panel["presets"])
        await live.set(Prompt="rain")
        if control == "Seed":
            await live.set(Seed_Lock=1)
        if control == "Seed Lock":
            await live.set(Seed=4711)
        await live.click("Generate")
        before = await fake.until("/bridge/generate")
        if control == "Seed Lock":
            await live.set(Seed=4711)  # the press before has drawn one
        await live.do("use", control=control, value=value)
        await live.click("Generate")
        after = await fake.until("/bridge/generate", count=2)
        assert before.get(key) != wanted
        assert after.get(key) == wanted


@pytest.mark.parametrize("file", [AUDIO, MIDI], ids=["audio", "midi"])
async def test_every_cord_is_used(tmp_path: Path, file: Path) -> None:
    async with bridge(tmp_path) as fake, player(tmp_path, tempo=480) as live:
        assert fake.welcomes is not None
        fake.welcomes |= {
            "presets": "pad",
            "models": "small\nlarge",
            "models_usd": "0.58\n1.16",
            "negative_prompt": "small",
        }
        await live.open(amxd=file, home=fake.home.path)
        await live.until(lambda panel: "pad" in panel["presets"])
        await live.set(Prompt="rain")
        await live.click("Generate")  # draws a seed
        for control, (value, _, _) in CONTROLS.items():
            await live.do("use", control=control, value=value)
        await live.set(Strength=0.75, Transform_Source=1, Ask_Before_Placing=1)
        await live.click("Generate")
        await fake.until("/bridge/generate", count=2)
        result(fake, take(tmp_path, "held", seconds=0.3))
        await live.until(lambda panel: "Keep" in panel["shown"])
        panel = await live.until(lambda panel: len(panel["history"]) > 1)
        await live.set(More=1, History=panel["history"][1])
        for button in (*(("Hear",) if file == AUDIO else ()), "Favourite"):
            await live.click(button)
            await live.until(lambda panel: "Stop" not in panel["buttons"])  # it was heard to its end
        await fake.until("/bridge/placed")
        for number, button in enumerate(("Keep", "Discard")):
            result(fake, take(tmp_path, button), job=f"j{number}")
            await live.until(lambda panel: "Keep" in panel["shown"])
            await live.click(button)
        for button in ("Transform Clip", "Show File", "Again", "Cancel"):
            await live.click(button)
        if file == AUDIO:
            await capture(live)
            async with asyncio.timeout(30):
                while not any("capture-" in asked["file"] for asked in fake.presses("/bridge/transform")):
                    await asyncio.sleep(0.02)
        left = cords(file) - set(await live.do("cords"))
        assert left == set()


async def capture(live: Player) -> None:
    await live.set(Capture_Which=1, Length_Bars=1)
    await live.live(play=0)
    while (await live.live())["song_time"] < 9:
        await asyncio.sleep(0.02)
    await live.click("Capture")


@pytest.mark.parametrize(("values", "presses"), [([127], 1), ([1, 0], 1), ([0], 0)])
async def test_a_mapped_button_is_pressed_once(tmp_path: Path, values: list[int], presses: int) -> None:
    """A key or a pad of Live's own map sends 127, or 1 and then 0 where it is let go."""
    async with bridge(tmp_path) as fake, player(tmp_path) as live:
        await live.open(home=fake.home.path)
        await live.connected()
        await live.set(Prompt="rain")
        for value in values:
            await live.do("mapped", control="Generate", value=value)
        hellos = len(fake.all("/bridge/transport"))
        await fake.until("/bridge/transport", count=hellos + 1)
        assert len({asked["id"] for asked in fake.presses("/bridge/generate")}) == presses
