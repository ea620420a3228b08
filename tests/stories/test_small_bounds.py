"""Every end of the process in every short story: press, what the service does with the POST, the same press again.

For each thing that the service can do, the process ends at each failpoint of the story, and is started again. That is
exhaustive within its bounds. The long run has wider ones: ``python -m tests.stories bounds`` presses once more, lets
the process end a second time at each failpoint of what comes after the first end, and fetches what was made.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from bridge_daemon.domain.job import State
from bridge_daemon.util import failpoints
from tests.stories.by_hand import ByHand, World, outside

pytestmark = pytest.mark.timeout(600)
ID: Final = "6b6a3bd0-8a0c-4ea9-9c1b-3a4c2b0e9d{:02}"
PRICE: Final = 0.58


def body(number: int, **given: Any) -> dict[str, Any]:
    return {"id": ID.format(number), "action": "generate", "prompt": f"rain {number}", "duration": 1} | given


@dataclass(frozen=True)
class Bounds:
    """How much happens in a story. One press more is made than the limit has room for."""

    presses: int = 1
    fetched: bool = False  # else the service is never done
    at_once: bool = False  # each press is sent with its transaction, where it can be

    async def tell(self, hand: ByHand, word: str) -> None:
        """Press, let time pass, and say again what may have been lost. ``word`` may be several, of several POSTs."""
        hand.vendor.next_posts.extend(word.split(", "))
        if not self.fetched:
            hand.vendor.always = "going"
        for _ in range(2):
            for number in range(self.presses + 1):
                await hand.press(body(number), at_once=self.at_once)
            await hand.work()
            await hand.pass_time(20)
        await hand.check()

    def hand(self, folder: Path, world: World, template: Path) -> ByHand:
        return ByHand(folder, world, limit=self.presses * PRICE + 0.1, template=template)


async def passes(bounds: Bounds, folder: Path, world: World, template: Path, word: str, *first: str) -> list[str]:
    """Return the failpoints that a story passes, as ``name:n``; with ``first``, those after the process ended there."""
    log = folder.with_suffix(".txt")
    hand = bounds.hand(folder, world, template)
    await hand.start()
    try:
        hand.plan(*first)
        failpoints._log = str(log)
        await bounds.tell(hand, word)
    finally:
        failpoints.arm(None, None)
        await hand.stop()
    names = log.read_text(encoding="utf-8").split()
    for point in first:
        name, _, number = point.rpartition(":")
        names = names[[index for index, one in enumerate(names) if one == name][int(number) - 1] + 1 :]
    counts: Counter[str] = Counter()
    points = []
    for one in names:
        counts[one] += 1
        points.append(f"{one}:{counts[one]}")
    return points


async def ends_at(bounds: Bounds, folder: Path, world: World, template: Path, word: str, *points: str) -> None:
    """Tell a story in which the process ends at the points, and hold what is left against what the service charged."""
    hand = bounds.hand(folder, world, template)
    try:
        await hand.start()
        hand.plan(*points)
        await bounds.tell(hand, word)
        assert hand.crashes == len(points), "it ended less often than was planned"
        jobs = await hand.jobs()
        assert sum(job.state is not State.REFUSED for job in jobs) <= bounds.presses, "the last never fits"
        for job in jobs:
            paid = bool(hand.vendor.charged(job.id))
            assert job.state in _LEFT[paid], f"{job.id} is {job.state}, and was {'' if paid else 'not '}paid"
        await (hand.finish() if bounds.fetched else hand.restart())
        await hand.check()
    except BaseException as error:
        error.add_note("\n".join([f"{word}, ends at {points}", *hand.told]))
        raise
    finally:
        await hand.stop()


#: Where a job may be after the story, by whether it was paid. Only what was certainly not accepted is sent again.
_LEFT: Final = {
    True: {State.GENERATING, State.PLACED, State.UNKNOWN},
    False: {State.QUEUED, State.REFUSED, State.UNKNOWN},
}


#: The rest is for the long run: it comes to the same for the bridge.
_STORIES: Final = {
    "ok": Bounds(),
    "429": Bounds(),
    "offline": Bounds(),
    "ok, old id": Bounds(presses=2),
    "402": Bounds(at_once=True),
    "lost": Bounds(at_once=True),
    "broken off": Bounds(at_once=True),
    "502 and made": Bounds(at_once=True),
    "429, ok": Bounds(at_once=True),
}


@pytest.mark.parametrize("word", _STORIES)
@pytest.mark.fault(1, 2, 3, 4, 5, 6)
async def test_the_process_may_end_at_each_failpoint(folder: Path, template: Path, word: str) -> None:
    bounds = _STORIES[word]
    with outside() as world:
        points = await passes(bounds, folder / "all", world, template, word)
        assert {"journal.admit.commit:1", "socket.submit.headers:1"} <= set(points)
        assert ("journal.submitting.committed:1" in points) is (not bounds.at_once or word == "429, ok")
        # before the transaction and before its commit are the same end of it
        for number, point in enumerate(point for point in points if ".begin:" not in point):
            await ends_at(bounds, folder / str(number), world, template, word, point)


@pytest.mark.parametrize("what", ["the tunnel ends", "a pause"])
async def test_it_may_happen_between_any_two_steps_of_a_chain(folder: Path, template: Path, what: str) -> None:
    with outside() as world:
        for moment in range(100):
            hand = ByHand(folder / str(moment), world, template=template)
            await hand.start()
            try:
                await hand.press({"id": ID.format(1), "preset": "bass", "duration": 6})
                for _ in range(moment):
                    await _onward(hand)
                posts, served = len(hand.vendor.posts), bool(hand.vendor.shelf.lying)
                if what == "a pause":
                    await hand.actions.pause()
                    await hand.step(late=True)
                    await hand.actions.resume()
                else:
                    hand.vendor.shelf.end()
                if served or moment % 4 == 0:  # the rest comes to the same
                    await hand.settle()
                    assert {job.state for job in await hand.jobs()} == {State.PLACED}
                await hand.check()
                if posts == 2:
                    return
            finally:
                await hand.stop()


@pytest.mark.parametrize("word", ["429", "ok", "502 and made", "422"])
async def test_it_may_be_cancelled_while_it_is_on_the_wire(folder: Path, template: Path, word: str) -> None:
    with outside() as world:
        hand = Bounds().hand(folder / "home", world, template)
        await hand.start()
        hand.vendor.next_posts.append(word)

        async def cancel(name: str) -> None:
            await hand.actions.cancel(name)

        await hand.press(body(1))
        hand.vendor.seen = cancel
        await hand.work()
        await hand.settle()
        await hand.check()
        assert len(hand.vendor.posts) == 1
        await hand.stop()


async def test_a_transform_is_not_sent_before_its_source_is_there(folder: Path, template: Path) -> None:
    with outside() as world:
        hand = Bounds(presses=2).hand(folder / "home", world, template)
        await hand.start()
        await hand.press(body(1))
        await hand.settle()
        [take] = await hand.jobs()
        await hand.press(body(2, action="transform", source={"take": take.id}), at_once=True)
        await hand.finish()
        assert len(hand.vendor.posts) == 2
        await hand.stop()


async def _onward(hand: ByHand) -> None:
    """Run the next step, whatever time it waits for."""
    while not await hand.step() and any(job.state is not State.PLACED for job in await hand.jobs()):
        hand.clock.offset += 1


async def test_a_limit_that_has_room_for_one_is_passed_by_one_of_many_at_once(folder: Path, template: Path) -> None:
    with outside() as world:
        hand = Bounds().hand(folder / "home", world, template)
        await hand.start()
        await asyncio.gather(*(hand.press(body(number)) for number in range(12)))
        assert len(await hand.jobs()) == len(hand.answers) == 1
        await hand.work()
        await hand.check()
        await hand.stop()
