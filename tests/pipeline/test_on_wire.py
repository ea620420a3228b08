"""What is on the wire outlives whoever asked for it, and what the service said is written until it is written."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import exc

from bridge_daemon.errors import JournalUnusable
from bridge_daemon.pipeline.context import OnWire, until_written


async def test_the_end_waits_for_a_press_and_for_the_post_that_it_begins() -> None:
    on_wire, went = OnWire(), []

    async def post() -> None:
        await asyncio.sleep(0.01)
        went.append("posted")

    async def press() -> None:
        await asyncio.sleep(0.01)
        went.append("admitted")
        on_wire.start(post(), "post")

    caller = asyncio.ensure_future(on_wire.press(press()))
    await asyncio.sleep(0)
    caller.cancel()
    await on_wire.finish(60)
    assert went == ["admitted", "posted"]


async def test_who_asked_may_go_and_it_is_still_answered() -> None:
    on_wire, answered, went = OnWire(), asyncio.Event(), []

    async def post() -> None:
        await answered.wait()
        went.append("answered")

    caller = asyncio.ensure_future(on_wire.run(post(), "post"))
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.wait({caller})
    answered.set()
    await on_wire.finish(60)
    assert went == ["answered"]


async def test_it_knows_what_is_still_awaited() -> None:
    on_wire, seen = OnWire(), []
    waits = on_wire.start(asyncio.Event().wait(), "waits")
    assert "waits" in on_wire
    assert "another" not in on_wire
    ends = on_wire.start(_nothing(), "ends")
    ends.get_loop().call_soon(lambda: seen.append((ends.done(), "ends" in on_wire)))
    await asyncio.sleep(0)
    assert seen == [(True, False)]
    await on_wire.finish(0)
    assert waits.cancelled()
    assert len(on_wire) == 0


async def _nothing() -> None:
    """Come to its end at once."""


@pytest.mark.parametrize(
    ("error", "times"),
    [
        (exc.OperationalError("x", None, Exception()), 2),
        (JournalUnusable("x"), 2),
        (exc.IntegrityError("x", None, Exception()), 1),
    ],
)
async def test_only_what_may_pass_is_tried_again(error: Exception, times: int) -> None:
    tries = []

    async def write() -> str:
        tries.append("")
        if len(tries) == 1:
            raise error
        return "written"

    if times == 1:
        with pytest.raises(type(error)):
            await until_written(write, "it")
    else:
        assert await until_written(write, "it") == "written"
    assert len(tries) == times


async def test_it_is_tried_less_and_less_often_up_to_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async def write() -> None:
        if len(pauses) < 8:
            raise JournalUnusable("x")

    monkeypatch.setattr(asyncio, "sleep", sleep)
    await until_written(write, "it")
    assert pauses == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10])
