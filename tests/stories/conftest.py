"""A folder in memory: a thousand stories flush ten thousand times, and need not survive the machine."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.stories.by_hand import ByHand, make_template, outside

MEMORY = Path("/dev/shm")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    if not os.access(MEMORY, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="stories ") as name:
        yield Path(name)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home with an empty journal, to be copied."""
    return asyncio.run(make_template(tmp_path_factory.mktemp("template")))


@pytest.fixture
async def hand(folder: Path, template: Path) -> AsyncIterator[ByHand]:
    """A bridge that is driven by hand, and held against the service at the end."""
    with outside() as world:
        made = ByHand(folder / "home", world, template=template)
        await made.start()
        try:
            yield made
            await made.check()
        finally:
            await made.stop()
