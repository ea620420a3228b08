"""The examples of CONTRIBUTING.md run as they stand there."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

from aiohttp import web

from bridge_daemon.domain.job import State
from bridge_daemon.errors import NotPublished
from bridge_daemon.frontends.frontend import Intake
from bridge_daemon.publish.publisher import Publisher
from tests.journal.conftest import new_job
from tests.support import press, running, until

PAGE = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text("utf-8")
SHOWN = r"## {}\n.*?<!-- runs in tests/test_contributing.py -->\n```python\n(.*?)```"


def example(heading: str) -> dict[str, Any]:
    """Return the names that the example below a heading defines."""
    found = re.search(SHOWN.format(heading), PAGE, re.DOTALL)
    assert found is not None, heading
    names: dict[str, Any] = {}
    exec(compile(found[1], "CONTRIBUTING.md", "exec"), names)
    return names


async def test_the_frontend_makes_a_job_of_each_line(tmp_path: Path) -> None:
    async with running(tmp_path / "home", None) as daemon:
        lines: Intake = example("Add a frontend")["Lines"](daemon.actions)
        await lines.start()
        for line, key in ((b"slow rain\n", "jobs"), (b"\n", "code")):
            reader, writer = await asyncio.open_connection("127.0.0.1", lines.about()["port"])
            writer.write(line)
            assert key in json.loads(await reader.readline())
            writer.close()
            await writer.wait_closed()
        await lines.configure()
        await lines.close()


async def test_the_engine_makes_takes(tmp_path: Path) -> None:
    runner = web.AppRunner(example("Add an engine")["engine"]())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with running(
            tmp_path / "home", None, key="sk-example-key", engine={"name": "empiriolabs", "base_url": url}
        ) as daemon:
            job = await until(daemon, await press(daemon, duration=2), {State.PLACED})
            assert job.take is not None
            assert job.take.frames == 88_200
    finally:
        await runner.cleanup()


async def test_the_publisher_shows_a_copy_until_it_is_withdrawn(tmp_path: Path) -> None:
    source, shown = tmp_path / "source.wav", tmp_path / "www"
    source.write_bytes(b"RIFF")
    shown.mkdir()
    publisher: Publisher = example("Add a publisher")["WebFolder"](shown, "https://music.example")
    publication = await publisher.publish(new_job(), source)
    [copy] = shown.iterdir()
    assert (publication.url, copy.read_bytes()) == (f"https://music.example/{copy.name}", b"RIFF")
    assert await publisher.holds(publication)
    assert publisher.notice()
    publisher.restore(publication)
    publisher.withdraw(publication)
    assert not await publisher.holds(publication)
    shown.rmdir()
    try:
        await publisher.publish(new_job(), source)
    except NotPublished as error:
        assert "Nothing was spent" in error.message
    else:
        raise AssertionError("it was published nowhere")
