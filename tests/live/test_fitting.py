"""Every sentence fits on the panel, or is shortened so that what to do about it stays; all of it is at the pointer."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

from bridge_daemon import errors
from max_for_live import amxd, build, panel
from tests.live.bridge import bridge
from tests.live.player import AUDIO, MIDI, player

WIDTHS: dict[str, int] = json.loads((Path(__file__).parent / "data" / "arial_bold.json").read_text(encoding="utf-8"))
LONG = "the bridge of somebody with a very long name who keeps everything in folders of folders of folders "


def width(text: str) -> float:
    return sum(WIDTHS.get(letter, 1000) for letter in text) / 100


def boxes(file: Path) -> list[dict[str, Any]]:
    return [entry["box"] for entry in amxd.read(file.read_bytes()).patcher["boxes"]]


def literals() -> list[str]:
    """Whatever in the script looks like a sentence."""
    lines = [line.split(" // ")[0] for line in build.script().splitlines()]
    code = "\n".join(line for line in lines if not line.strip().startswith(("*", "/")))
    found = [ast.literal_eval(word) for word in re.findall(r'"(?:[^"\\\n]|\\.)*"', code)]
    return [word for word in found if len(word.split()) >= 3 and word[:1].isupper()]


def daemons() -> list[str]:
    """What the bridge says in an error, with what to do about it."""
    kinds, found = [errors.BridgeError], []
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        found.append(getattr(kind, "next", "") or "")
    return [words for words in found if words]


@pytest.mark.parametrize("file", [AUDIO, MIDI], ids=["audio", "midi"])
def test_what_stands_on_the_panel_fits(file: Path) -> None:
    for box in boxes(file):
        if box["maxclass"] in ("live.text", "live.comment") and box.get("presentation"):
            assert width(box["text"]) <= box["presentation_rect"][2], box["text"]


@pytest.mark.needs("node", "nodejs")
async def test_every_sentence_fits_or_has_a_short_form(tmp_path: Path) -> None:
    """All that the script holds and the bridge says, alone and behind something long. The rig refuses what is cut."""
    sentences = [*literals(), *daemons()]
    assert len(sentences) > 60
    async with bridge(tmp_path) as fake, player(tmp_path) as live:
        await live.open(home=fake.home.path)
        await live.connected()
        client = next(iter(fake.ports))
        for number, sentence in enumerate([*sentences, *(LONG * 3 + ". " + one for one in sentences)]):
            fake.tell(client, "/bridge/failed", job="j", id="x", code=f"E-{number}", message=sentence)
            shown = await live.until_status(f"(E-{number})")
            words = " ".join(re.sub(r"[,;]\s", " - ", sentence).replace('"', "'").split())
            assert shown["status"] == f"{words} (E-{number})" or shown["whole"] == f"{sentence} (E-{number})"
            assert shown["whole"] == " " or "…" in shown["status"]


@pytest.mark.needs("node", "nodejs")
@pytest.mark.parametrize("code", ["E-CONFIRM", "E-LIMIT"])
async def test_what_to_do_stays(tmp_path: Path, code: str) -> None:
    async with bridge(tmp_path) as fake, player(tmp_path) as live:
        await live.open(home=fake.home.path)
        await live.connected()
        await live.set(Prompt="rain")
        fake.accepts = False
        await live.click("Generate")
        asked = await fake.until("/bridge/generate")
        message = "It costs " + LONG * 4
        fake.tell(asked["client"], "/bridge/refused", re="generate", id=asked["id"], code=code, message=message + ".")
        wanted = {"E-CONFIRM": "Press it again to agree", "E-LIMIT": "(E-LIMIT)"}[code]
        shown = await live.until_status(wanted)
        assert shown["status"].startswith("It costs the bridge")
        assert "…" in shown["status"]
        assert LONG.strip() in shown["whole"]
        assert shown["hint"] == shown["whole"]


@pytest.mark.needs("node", "nodejs")
async def test_a_long_path_keeps_its_end_and_the_way_out(tmp_path: Path) -> None:
    async with player(tmp_path) as live:
        await live.open(home=tmp_path / ("x" * 90) / ("y" * 90) / "home")
        shown = await live.until_status("daw-bridge start")
        assert "home." in shown["status"]


def test_the_script_knows_the_lines_of_the_panel() -> None:
    assert panel.lines() == {"connection": [122, 1], "status": [416, 2], "money": [482, 1]}
