"""What a script with files does in a scenario. What it wrote before a crash it does not write again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.frontends.mailbox.scripter import Script
from tests.waiting import eventually

_PATIENCE = 60.0


async def script(home: Path, given: dict[str, Any]) -> None:
    """Write a file, once in all lives."""
    note = home.parent / f"written {given['name']}"
    if note.exists():
        return
    writer = Script(home, given["client"]).make()
    await eventually(writer.inbox.is_dir)
    data = dict(given["data"]) if isinstance(given["data"], dict) else given["data"]
    if isinstance(data, dict) and "job_of" in data:  # a command about the job of a request
        data["job"] = (await writer.answer(data.pop("job_of")))["jobs"][0]["job"]
    writer.write(given["name"], data)
    note.touch()


async def answered(home: Path, given: dict[str, Any]) -> None:
    """Wait until everything that was written is answered, and nothing is left in the inbox."""
    reader = Script(home, given["client"])
    for name in given["names"]:
        await eventually(lambda name=name: reader.status(name), seconds=_PATIENCE)
    await _nothing(lambda: _left(reader))


async def confirm(home: Path, given: dict[str, Any]) -> None:
    """Say of each take that it is placed, until none is told any more. What died on the wire stays unknown."""
    reader = Script(home, given["client"]).make()
    async with asyncio.timeout(_PATIENCE):
        while any(state["state"] not in ("placed", "unknown") for state in _jobs(reader, given["names"])):
            for result in reader.results():
                reader.confirm(result)
            await asyncio.sleep(0.05)
    await _nothing(lambda: [*(f"{one['job']}.{one['delivery']}" for one in reader.results()), *_left(reader)])


def _left(reader: Script) -> list[str]:
    """What the daemon has to deal with. A script that died with it may have left half a file, which is nobody's."""
    return [name for name in reader.left() if not name.endswith(".tmp")]


async def _nothing(left: Callable[[], list[str]]) -> None:
    """Wait until nothing is left, and say what was where that does not happen."""
    try:
        async with asyncio.timeout(_PATIENCE):
            while left():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"left in inbox and outbox: {left()}") from None


def _jobs(reader: Script, names: list[str]) -> list[dict[str, Any]]:
    return [job for name in names for job in (reader.status(name) or {})["jobs"]]
