"""The long runs: ``python -m tests.stories machine --stories 2000 --seed 7`` and ``python -m tests.stories bounds``.

``machine`` tells stories that are drawn from the seed, and the shortest one that breaks a rule. ``bounds`` is
exhaustive in its bounds: every word of the service, the process ending at every failpoint and, after each of those,
once more at every failpoint of what comes then. It takes about an hour; with ``--once`` it ends once in each story.
``soak`` has processes, sockets and a disk: eight clients, a service in trouble, ``kill -9``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stories.by_hand import POSTS, World, make_template, outside
from tests.stories.machine import Bridge, memory, prepare
from tests.stories.soak import Soak
from tests.stories.test_small_bounds import Bounds, ends_at, passes


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.stories", description=__doc__.splitlines()[0])
    parser.add_argument("run", choices=["machine", "bounds", "soak"])
    parser.add_argument("--stories", type=int, default=1000, metavar="N")
    parser.add_argument("--steps", type=int, default=60, metavar="N", help="the most things that happen in a story")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--seconds", type=float, default=3600.0, metavar="S", help="how long the soak lasts")
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--at-once", action="store_true", help="presses are sent with their transaction")
    parser.add_argument("--words", default=",".join(POSTS), help="what the service does, with commas")
    given = parser.parse_args()
    begun = time.monotonic()
    if given.run == "soak":
        with tempfile.TemporaryDirectory(prefix="soak ") as folder:
            # as many as are made meanwhile: else an hour leaves thousands that wait
            soak = Soak(Path(folder), given.seconds, given.seed, life=300.0, pause=3.0)
            _say(json.dumps(soak.run(), indent=1))
        return 0
    with tempfile.TemporaryDirectory(dir=memory(), prefix="stories ") as folder:
        if given.run == "machine":
            _say(f"seed {given.seed}")
            prepare(Path(folder))
            wanted = settings(
                max_examples=given.stories,
                stateful_step_count=given.steps,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            )
            run_state_machine_as_test(seed(given.seed)(Bridge), settings=wanted)
            told = given.stories
        else:
            bounds = Bounds(presses=2, fetched=True, at_once=given.at_once)
            told = asyncio.run(_bounds(bounds, Path(folder), given.words.split(","), twice=not given.once))
    _say(f"{told} stories in {time.monotonic() - begun:.0f} s: nothing was paid twice, nothing that was paid was lost.")
    return 0


async def _bounds(bounds: Bounds, folder: Path, words: list[str], *, twice: bool) -> int:
    """Tell every story within the bounds; return how many there were."""
    told = 0
    template = await make_template(folder / "template")
    with outside() as world:
        for word in words:
            with tempfile.TemporaryDirectory(dir=folder) as here:
                told += await _word(bounds, Path(here), world, template, word, twice=twice)
            _say(f"{word}: {told} stories so far")
    return told


async def _word(bounds: Bounds, folder: Path, world: World, template: Path, word: str, *, twice: bool) -> int:
    told = 0
    for first in await passes(bounds, folder / "all", world, template, word):
        await ends_at(bounds, folder / f"{told}", world, template, word, first)
        told += 1
        then = await passes(bounds, folder / f"after {told}", world, template, word, first) if twice else []
        for second in then:
            await ends_at(bounds, folder / f"{told}", world, template, word, first, second)
            told += 1
    return told


if __name__ == "__main__":
    sys.exit(main())
