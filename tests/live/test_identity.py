"""Who a device is when its set is saved for the first time, saved under another name, or made from another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tests.live.bridge import Bridge
from tests.live.player import Player, placed
from tests.live.test_placing import ready, result, take

pytestmark = pytest.mark.needs("node", "nodejs")


async def press(fake: Bridge, live: Player, prompt: str, count: int) -> dict[str, Any]:
    await live.set(Prompt=prompt)
    await live.click("Generate")
    asked = await fake.until("/bridge/generate", count=count)
    await live.until_status("Accepted")
    return asked


async def reopened(live: Player, saved: dict[str, Any], file: Path) -> None:
    await live.do("close")
    await live.do("renumber")
    await live.live(file=str(file))
    await live.open(saved=saved)
    await live.connected()


def song(folder: Path, name: str) -> Path:
    file = folder / f"{name}.als"
    file.write_bytes(b"")
    return file


async def test_a_set_that_is_saved_for_the_first_time_keeps_its_device(tmp_path: Path) -> None:
    async with ready(tmp_path) as (fake, live):
        first = fake.presses("/bridge/generate")[0]
        await live.live(file=str(song(tmp_path, "A")))  # saved
        asked = await press(fake, live, "more", 2)
        assert asked["client"] == first["client"]
        saved = await live.do("save")
        assert unquote(saved["Identity"][2]) == str(tmp_path / "A.als")
        await reopened(live, saved, tmp_path / "A.als")
        again = await press(fake, live, "again", 3)
        assert (again["client"], again["project_id"]) == (first["client"], first["project_id"])


async def test_a_set_that_is_saved_as_another_one_is_found_by_its_takes(tmp_path: Path) -> None:
    """What was asked in the copy waits for the copy, and comes to it also when it is opened again."""
    async with ready(tmp_path, file=str(song(tmp_path, "A"))) as (fake, live):
        of_the_first = await live.do("save")
        await live.live(file=str(song(tmp_path, "B")))  # Save As, and the device goes on
        asked = await press(fake, live, "in the copy", 2)
        of_the_copy = await live.do("save")
        await reopened(live, of_the_first, tmp_path / "A.als")
        told = result(fake, take(tmp_path), target="session", slot=0)
        assert told["project"].endswith("B.als")
        await live.until_status("A take waits for the set B.als")
        assert placed(await live.live()) == []
        await reopened(live, of_the_copy, tmp_path / "B.als")
        fake.tell(asked["client"], "/bridge/result", **told)
        await fake.until("/bridge/placed")
        assert len(placed(await live.live())) == 1


async def test_a_set_made_from_an_unsaved_one_is_somebody_else_for_good(tmp_path: Path) -> None:
    """Its device was never used there: when it is opened again it is not taken for the one of the template."""
    async with ready(tmp_path) as (fake, live):
        template = await live.do("save")
        assert template["Identity"][2] == "-"
        first = fake.presses("/bridge/generate")[0]
        await live.do("close")
        await live.do("renumber")
        await live.live(file="")
        await live.open(saved=template)
        await live.connected()
        made = await live.do("save")
        assert made["Identity"][:2] != template["Identity"][:2]
        await reopened(live, made, song(tmp_path, "C"))
        asked = await press(fake, live, "in C", 2)
        assert asked["client"] == made["Identity"][0]
        assert asked["project_id"] != first["project_id"]
