"""Limits of single clients, in a home of its own: beside those of the bridge, and under the same lock."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge_daemon.errors import LimitReached
from bridge_daemon.journal import Journal
from bridge_daemon.util.times import Times
from tests.fakes.service import Service
from tests.studio.pressing import press_at_once
from tests.support import press, running

MINE = {"per_day_usd": 100.0, "per_month_usd": 100.0}
LIMITED = MINE | {"clients": [{"name": "reaper", "per_day_usd": 1.0, "per_month_usd": 100.0}]}


async def test_a_client_is_refused_and_the_others_go_on(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path, service, spend=LIMITED) as daemon:
        await press(daemon, client="reaper")
        with pytest.raises(LimitReached, match=r"day of the client reaper is \$1\.00; .*Nothing was sent"):
            await press(daemon, client="reaper", prompt="snow")
        await press(daemon, client="live", prompt="snow")
        await press(daemon, prompt="hail")


async def test_the_limit_of_a_month_counts_too(tmp_path: Path) -> None:
    monthly = {"name": "reaper", "per_day_usd": 100.0, "per_month_usd": 0.5}
    async with Service() as service, running(tmp_path, service, spend=MINE | {"clients": [monthly]}) as daemon:
        with pytest.raises(LimitReached, match="month of the client reaper"):
            await press(daemon, client="reaper")
        assert service.posts == []


async def test_none_is_passed_by_presses_at_once_from_several_processes(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    first = Journal(home / "journal.sqlite3", Times())
    await first.open()
    await first.close()
    told = await press_at_once([(None, home, "", 10.0, "reaper") for _ in range(4)])
    assert told.count("admitted") == 17, told
    assert all(one == "admitted" or "of the client reaper" in one for one in told)
