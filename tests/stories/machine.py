"""The state machine: whatever people, scripts, DAWs, clocks, crashes and the service do, in any order.

Hypothesis draws the order and, where an invariant breaks, tells the shortest story that breaks it. ``tests/spending``
has a machine of another kind, in which things happen at the same moment; here they happen one after another, in every
order, with the process ending at any failpoint of any of them.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import uuid
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bridge_daemon.domain.job import RESERVED, TERMINAL, Job, State
from tests.stories.by_hand import LIMIT, POLLS, POSTS, PRESETS, ByHand, World, make_template, outside
from tests.stories.conftest import MEMORY

#: Where the process may end: at what is passed between a press and its take, and at what people decide.
_WRITES = (
    "admit", "submitting", "answered", "outcome", "recover", "fetching", "fetched", "stored", "delivery", "placed",
    "confirm", "cancel", "retry", "attach", "dismiss", "deliver", "pause", "resume", "failed", "problem", "hold",
    "nudge",
)  # fmt: skip
POINTS = sorted(
    [f"journal.{name}.{when}:{n}" for name in _WRITES for when in ("commit", "committed") for n in (1, 2)]
    + [f"{name}:{n}" for name in ("record.add", "record.added", "socket.submit.headers", "socket.submit.answered")
       for n in (1, 2)]
    + ["file.original.settle:1", "file.original.settled:1", "file.take.settle:1", "file.take.settled:1"]
)  # fmt: skip
_PROMPTS = ("rain", "snow", "hail")
_NUMBERS = st.integers(0, 7)
_TUNNEL_ENDS, _LATE = 7, 6  # of the numbers of a move
_MOVES = st.lists(_NUMBERS, max_size=6)
_ENDS = st.lists(st.sampled_from(POINTS), max_size=2)
_POSTS = st.sampled_from(["ok", *sorted(POSTS)])
_ALL = tuple(State)
#: Of what a person decides, the states in which there is something to decide; of a retry also where there is nothing.
_DECIDED = {
    "cancel": tuple(set(_ALL) - TERMINAL),
    "retry": tuple(set(_ALL) - RESERVED),
    "resolve": (State.UNKNOWN,),
    "deliver": (State.STORED, State.PLACED),
}


class Bridge(RuleBasedStateMachine):
    """One home and everything that happens to it."""

    template: ClassVar[Path]

    @initialize(limit=st.sampled_from([0.7, 1.2, LIMIT]))
    def begin(self, limit: float) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=self.template.parent))
        self.runner = asyncio.Runner()
        self.outside = outside()
        world: World = self.outside.__enter__()
        self.hand = ByHand(self.folder, world, limit=limit, template=self.template)
        self.run(self.hand.start())
        self.sent: list[dict[str, Any]] = []
        self.retries: list[tuple[str, dict[str, Any]]] = []

    def run(self, doing: Any) -> Any:
        return self.runner.run(doing)

    def pick(self, number: int, *states: State) -> Job | None:
        """Return one of the jobs that are in some states."""
        found = [job for job in self.run(self.hand.jobs()) if job.state in states]
        return found[number % len(found)] if found else None

    def a_uuid(self) -> str:
        """Return an id that is the same each time the story is told."""
        self.ids = getattr(self, "ids", 0) + 1
        return str(uuid.UUID(int=(self.ids << 16) | 0x4000_8000_0000_0000_0000_0000, version=4))

    # What happens. Few rules, so that each is drawn often; most let things move, for else nothing is ever sent

    @rule(
        what=st.sampled_from([*_PROMPTS, "bass"]),
        at_once=st.booleans(),
        variations=st.sampled_from([1, 1, 2]),
        client=st.sampled_from([None, "reaper"]),
        again=st.booleans(),
        valid_for=st.sampled_from([600, 90_000, 5]),
        meanwhile=st.sampled_from(["", "", "passes", "yesterday", "sleeps"]),
        posts=st.lists(_POSTS, max_size=3),
        polls=st.lists(st.sampled_from(POLLS), max_size=4),
        ends=_ENDS,
        moves=_MOVES,
    )
    def press(
        self, what: str, at_once: bool, meanwhile: str, posts: list[str], polls: list[str], ends: list[str],
        moves: list[int], **given: Any,
    ) -> None:  # fmt: skip
        """Press, and know what the service will do with it, and where the process will end."""
        wanted = {"preset": what, "duration": 6} if what in PRESETS else {"action": "generate", "prompt": what}
        body = {"id": self.a_uuid(), "duration": 1} | wanted | given
        self.sent.append(body)
        self.hand.vendor.next_posts.extend(posts)
        self.hand.vendor.next_polls.extend(polls)
        self.end_at(ends)
        self.run(self.hand.press(body, at_once=at_once))
        if meanwhile:
            self.let(meanwhile, 700)
        self.move(moves)

    @precondition(lambda self: self.sent or self.retries)
    @rule(number=_NUMBERS, of_retries=st.booleans(), at_once=st.booleans(), moves=_MOVES)
    def say_it_again(self, number: int, of_retries: bool, at_once: bool, moves: list[int]) -> None:
        """Say a press or a retry once more, as who heard no answer does."""
        if of_retries and self.retries:
            name, data = self.retries[-1 - number % len(self.retries)]
            self.run(self.hand.do(f"the same retry of {name}", self.hand.actions.retry(name, data)))
        elif self.sent:
            self.run(self.hand.press(self.sent[-1 - number % len(self.sent)], at_once=at_once))
        self.move(moves)

    @precondition(lambda self: self.sent)
    @rule(choice=st.sampled_from(["cancel", "retry", "resolve", "deliver"]), number=_NUMBERS, way=_NUMBERS, ends=_ENDS,
          moves=_MOVES)  # fmt: skip
    def decide(self, choice: str, number: int, way: int, ends: list[str], moves: list[int]) -> None:
        """A person decides about one of the jobs."""
        self.end_at(ends)
        job = self.pick(number, *_DECIDED[choice])
        if job is not None:
            getattr(self, f"_{choice}")(job, way)
        self.move(moves)

    def _cancel(self, job: Job, way: int) -> None:
        self.run(self.hand.cancel(job))

    def _deliver(self, job: Job, way: int) -> None:
        self.run(self.hand.do(f"deliver {job.id}", self.hand.actions.deliver(job.id)))

    def _retry(self, job: Job, way: int) -> None:
        self.retries.append((job.id, {"id": self.a_uuid(), "again": way % 2 == 0}))
        self.run(self.hand.do(f"retry {job.id} ({job.state})", self.hand.actions.retry(*self.retries[-1])))

    def _resolve(self, job: Job, way: int) -> None:
        """Who looks at the account sees what was charged, and says that."""
        charged = self.hand.vendor.charged(job.id)
        ways: list[dict[str, Any]] = [
            {"action": "submit_again", "id": self.a_uuid()},
            {"action": "dismiss", "charged": bool(charged)},
        ]
        data = ([{"action": "attach", "remote_id": charged[0]}] if charged else []) + ways
        chosen = data[way % len(data)]
        self.run(self.hand.do(f"resolve {job.id}: {chosen['action']}", self.hand.actions.resolve(job.id, chosen)))

    @precondition(lambda self: self.sent)
    @rule(places=st.booleans(), number=_NUMBERS, ends=_ENDS, moves=_MOVES)
    def the_daw(self, places: bool, number: int, ends: list[str], moves: list[int]) -> None:
        """A DAW places a take, or cannot. While it is away it says nothing."""
        self.end_at(ends)
        job = self.pick(number, State.STORED, State.PLACED)
        if job is not None and job.client is not None and job.wanted and job.delivery:
            if places:
                self.run(self.hand.confirm(job))
            else:
                saying = self.hand.actions.unplaced(job.id, job.delivery, "NO-TRACK", "the track is gone")
                self.run(self.hand.do(f"unplaced {job.id}.{job.delivery}", saying))
        self.move(moves)

    @rule(
        what=st.sampled_from(
            ["passes", "passes", "is set", "yesterday", "sleeps", "pause", "panic", "resume", "resume", "restart"]
        ),
        seconds=st.sampled_from([8, 30, 700, 3600, 90_000]),
        back=st.booleans(),
        moves=_MOVES,
    )
    def time_and_the_process(self, what: str, seconds: int, back: bool, moves: list[int]) -> None:
        """Time passes, the clock is set, everything is paused, or the process is stopped and started."""
        if what in ("passes", "is set", "yesterday", "sleeps"):
            self.let(what, -seconds if back and what == "is set" else seconds)
        elif what == "restart":
            self.hand.told.append(what)
            self.run(self.hand.restart())
        elif what == "resume":
            self.run(self.hand.do("resume", self.hand.actions.resume()))
        else:
            reason = "person" if what == "pause" else what
            self.run(self.hand.do(reason, self.hand.actions.pause(reason)))
        self.move(moves)

    @rule(
        what=st.sampled_from(["limit", "price", "tunnel"]),
        cents=st.sampled_from([58, 70, 120, 300]),
        moves=_MOVES,
    )
    def what_is_around_changes(self, what: str, cents: int, moves: list[int]) -> None:
        """Somebody sets another limit, the service asks for another price, or the tunnel ends and begins."""
        self.hand.told.append(f"{what} {cents / 100 if what != 'tunnel' else ''}")
        if what == "limit":
            self.hand.set_limit(cents / 100)
        elif what == "price":
            self.run(self.hand.ask(0.58 if cents != 70 else 0.7))
        else:
            self.hand.vendor.shelf.end()
        self.move(moves)

    def let(self, what: str, seconds: int) -> None:
        """Let time pass, or the clock be set, or both."""
        self.hand.told.append(f"{what} {seconds}")
        if what == "passes":
            self.hand.clock.offset += seconds
        elif what == "is set":
            self.hand.clock.shift += seconds
        elif what == "yesterday":  # is what the clock is set to
            self.hand.clock.shift -= 86_400
        else:  # it sleeps, and its clock runs again where it stood
            self.hand.clock.offset += seconds
            self.hand.clock.shift -= seconds

    def end_at(self, points: list[str]) -> None:
        if points:
            self.hand.told.append(f"will end at {points}")
            self.hand.plan(*points)

    def move(self, numbers: list[int]) -> None:
        for number in numbers:
            self.hand.clock.offset += 2  # no pause between two polls is over otherwise
            if number == _TUNNEL_ENDS:
                self.hand.vendor.shelf.end()
            self.run(self.hand.step(number, late=number == _LATE))

    @invariant()
    def nothing_is_paid_twice_and_nothing_paid_is_lost(self) -> None:
        if hasattr(self, "hand"):
            self.tell(self.hand.check())

    def teardown(self) -> None:
        if not hasattr(self, "hand"):
            return
        try:
            self.tell(self.hand.finish())
        finally:
            self.run(self.hand.stop())
            self.outside.__exit__(None, None, None)
            self.runner.close()
            shutil.rmtree(self.folder)

    def tell(self, doing: Any) -> None:
        try:
            self.run(doing)
        except BaseException as error:
            error.add_note("\n".join(["the story:", *self.hand.told]))
            raise


def prepare(folder: Path) -> None:
    """Make the journal that every story begins with."""
    Bridge.template = asyncio.run(make_template(folder / "template"))


def memory() -> Path | None:
    """Return a folder in memory, None if there is none."""
    return MEMORY if MEMORY.is_dir() else None
