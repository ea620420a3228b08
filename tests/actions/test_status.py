"""What `status` says of transforms: whether a source can reach the engine that is set, and why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support import running

CLOUD = "https://api.example.com"


@pytest.mark.parametrize(
    ("sections", "key", "able", "why"),
    [
        ({"engine": {"name": "sketch"}}, None, True, None),
        ({"engine": {"name": "empiriolabs", "base_url": CLOUD}}, None, False, "key"),
        ({"engine": {"name": "empiriolabs", "base_url": CLOUD}}, "sk-test-0001", False, "cannot reach files"),
        (
            {
                "engine": {"name": "empiriolabs", "base_url": CLOUD},
                "publish": {"method": "public_url", "public_base_url": "https://sources.example.com", "source_port": 0},
            },
            "sk-test-0001",
            True,
            None,
        ),
    ],
    ids=["sketch", "no key", "nothing publishes", "a proxy"],
)
async def test_it_says_whether_a_source_can_reach_the_engine(
    tmp_path: Path, sections: dict[str, Any], key: str | None, able: bool, why: str | None
) -> None:
    async with running(tmp_path / "home", None, key=key, **sections) as daemon:
        status = await daemon.actions.status()
    assert status["can_transform"] is able
    assert status["why_not"] is None if why is None else why in status["why_not"]
