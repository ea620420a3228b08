"""One rate budget for all rooms: the account allows so many requests in any minute, whoever sends them.

Each request is asked for in a short transaction under one row of its own. What was granted counts until it certainly
arrived more than a minute ago: nobody knows when a request reaches the service, only that it is before its answer. So
a request counts from its grant, and its minute begins at its answer, or, if none is told of, so late that it must have
arrived.

Presses come before polls: polls leave a part of the minute to them. Rooms are served in turn: of those that wait, the
one that was granted least in this minute is the next, and no room may poll more than its share while others want to.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from sqlalchemy import Connection, text
from sqlalchemy.exc import DatabaseError

from bridge_daemon.engine.budget import WINDOW, blocked_for, polls_of
from bridge_daemon.errors import StudioAway
from bridge_daemon.studio.connecting import Rows, at_once
from bridge_daemon.studio.database import Postgres
from bridge_daemon.util.tasks import Tasks

T = TypeVar("T")
Kind = Literal["submit", "poll"]
log = logging.getLogger(__name__)
#: A request whose answer nobody told of has arrived by then, s after its grant: nothing is sent later than that.
_ARRIVED: Final = 30.0
#: More than the window by which clocks of the two sides may differ in a minute, s.
_MARGIN: Final = 0.2
#: Who has not asked again for so long does not wait any more, s.
_WAITING: Final = 3.0
#: A request that was granted and not sent may be sent in its place for so long, s: others wait for it meanwhile.
_SPARE: Final = 5.0
#: So often it is asked again, s.
_ASK: Final = (0.05, 1.0)


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was granted."""

    at: float  # when it had arrived at the latest
    worker: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Waiting:
    """A worker that wants to send, and was told to wait."""

    worker: str
    kind: Kind
    since: float


def seconds_until(
    me: str, kind: Kind, now: float, calls: Sequence[Call], waiting: Sequence[Waiting], allowed: int, window: float
) -> float:
    """Return the seconds until a worker should ask again; 0: it may send now.

    ``calls`` are those that may still count, ``waiting`` the others who want to send.
    """
    counting = sorted(call.at for call in calls)
    most = allowed if kind == "submit" else polls_of(allowed)
    free = most - len(counting)
    ahead = _ahead(me, kind, calls, waiting)
    if free > ahead and (kind == "submit" or _has_share(me, calls, waiting, most)):
        return 0.0
    # the first that leaves the window and makes room for this one; there is always one, or others are ahead
    leaving = min(ahead - free, len(counting) - 1)
    wait = counting[leaving] + window + _MARGIN - now if free <= ahead and counting else _ASK[1]
    return min(max(wait, _ASK[0]), window)


def _ahead(me: str, kind: Kind, calls: Sequence[Call], waiting: Sequence[Waiting]) -> int:
    """Return how many of those who wait come before a worker: submits before polls, then who was granted least."""

    def place(worker: str, its_kind: Kind, since: float) -> tuple[bool, int, float, str]:
        granted = sum(call.worker == worker and call.kind == its_kind for call in calls)
        return its_kind == "poll", granted, since, worker

    own = next((one.since for one in waiting if (one.worker, one.kind) == (me, kind)), float("inf"))
    mine = place(me, kind, own)
    others = [one for one in waiting if one.worker != me or one.kind != kind]
    if kind == "poll":
        others = [one for one in others if one.kind == "submit"]
    return sum(place(one.worker, one.kind, one.since) < mine for one in others)


def _has_share(me: str, calls: Sequence[Call], waiting: Sequence[Waiting], most: int) -> bool:
    """Return whether a worker may poll: the polls are divided by those who want to."""
    wanting = {one.worker for one in waiting if one.kind == "poll"} | {me}
    own = sum(call.worker == me and call.kind == "poll" for call in calls)
    return own < max(1, most // len(wanting))


class SharedBudget:
    """Counts the requests of all rooms to one account; used as :class:`~bridge_daemon.engine.budget.RateBudget`."""

    def __init__(self, database: Postgres, worker: str, per_minute: int, *, window: float = WINDOW) -> None:
        """``per_minute`` is what the service allows in any window, to all of them."""
        self.per_minute = per_minute
        self._database = database
        self._worker = worker
        self._window = window
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="studio-budget")
        self._tasks = Tasks("budget")
        self._order = asyncio.Lock()
        self._sent: deque[int] = deque()  # the calls whose answer was not told of yet
        self._spare: list[int] = []  # granted, and not sent
        self._counting = 0
        self._wait = 0.0

    @property
    def polls_per_minute(self) -> int:
        """What polls may use of it."""
        return polls_of(self.per_minute)

    def spare_polls(self) -> int:
        """Return how many polls could be sent at once, as far as is known."""
        return max(0, self.polls_per_minute - self._counting)

    def wait_for_poll(self) -> float:
        """Return the seconds that the last poll was told to wait."""
        return self._wait

    async def take_poll(self) -> bool:
        """Count a poll that is sent now; False if none may be sent. Raises StudioAway."""
        self._wait = await self._off(lambda: self._ask("poll"))
        return self._wait == 0.0

    async def submit(self) -> None:
        """Return as soon as a submit may be sent, counted; those of this room go in order. Raises StudioAway."""
        async with self._order:
            while (wait := await self._submit()) > 0:  # noqa: ASYNC110 - time is what it waits for
                await asyncio.sleep(min(wait, _ASK[1]))

    async def take_submit(self) -> bool:
        """Count a submit that is sent now; False if it has to wait, for its turn too. Raises StudioAway."""
        if self._order.locked():
            return False
        async with self._order:
            return await self._submit() == 0.0

    async def _submit(self) -> float:
        if self._spare:
            self._sent.append(self._spare.pop())
            return 0.0
        return await self._off(lambda: self._ask("submit"))

    def give_back(self) -> None:
        """Take back a submit that was counted and not sent: the next one of this room may go in its place."""
        if self._sent:
            call = self._sent.pop()
            self._spare.append(call)
            asyncio.get_running_loop().call_later(_SPARE, self._let_go, call)

    def _let_go(self, call: int) -> None:
        if call in self._spare:
            self._spare.remove(call)
            self._told(call)

    def answered(self) -> None:
        """Note that a request that was granted had its answer, or failed: its minute begins now."""
        if self._sent:
            self._told(self._sent.popleft())

    def _told(self, call: int) -> None:
        self._later("answered", lambda connection: connection.execute(_ANSWERED, {"id": call}))

    def block(self, retry_after: float | None) -> None:
        """Have nobody send anything for a while: the service said 429."""
        wait = {"wait": blocked_for(retry_after)}
        self._later("block", lambda connection: connection.execute(_BLOCK, wait))

    def _later(self, name: str, work: Callable[[Connection], object]) -> None:
        def write() -> None:
            with self._database.explained(), self._database.plain() as connection:
                work(connection)

        async def run() -> None:
            try:
                await self._off(write)
            except (DatabaseError, StudioAway) as error:
                log.info("The budget could not be told (%s): %s", name, error)  # it then counts for longer

        self._tasks.start(run(), name)

    async def _off(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def _ask(self, kind: Kind) -> float:
        """Ask in two messages to the database: what there is, under the lock, and what comes of it."""
        given = {"counts": self._window + _MARGIN}
        with self._database.explained():
            connection, [_, [(blocked,)], [(now,)], calls, waiting] = self._database.started(_SEEN, given)
            with connection:
                try:
                    return self._decide(connection, kind, float(now), float(blocked), calls, waiting)
                except BaseException:
                    connection.invalidate()
                    raise

    def _decide(
        self, connection: Connection, kind: Kind, now: float, blocked: float, calls: Rows, waiting: Rows
    ) -> float:
        if blocked > now:
            at_once(connection, "COMMIT")
            return max(_ASK[0], blocked - now)
        self._counting = len(calls)
        counting, others = [Call(*row) for row in calls], [Waiting(*row) for row in waiting]
        wait = seconds_until(self._worker, kind, now, counting, others, self.per_minute, self._window)
        mine = {"worker": self._worker, "kind": kind, "now": now}
        if wait > 0:
            at_once(connection, f"{_WAIT}; COMMIT", mine)
            return wait
        mine |= {"since": now - self._window - _MARGIN, "at": now + _ARRIVED}
        waited = f"{_SERVED}; " if any((one.worker, one.kind) == (self._worker, kind) for one in others) else ""
        forgets = f"{_FORGET}; " if kind == "poll" else ""  # a press waits for no more than it needs
        *_, [(call,)], _ = at_once(connection, f"{waited}{forgets}{_GRANT}; COMMIT", mine)
        self._sent.append(call)
        return 0.0

    async def close(self) -> None:
        """End what is still being told."""
        await self._tasks.close(patience=1.0)
        self._pool.shutdown()


_NOW: Final = "extract(epoch FROM clock_timestamp())"
#: The time is that of the database once it has the lock, so it comes after it.
_SEEN: Final = (
    "BEGIN; SELECT blocked_until FROM budget WHERE one = 1 FOR UPDATE; "
    f"SELECT {_NOW}; "
    f"SELECT at, worker, kind FROM calls WHERE at > {_NOW} - %(counts)s; "
    f"SELECT worker, kind, since FROM waits WHERE asked_at > {_NOW} - {_WAITING}"
)
_FORGET: Final = "DELETE FROM calls WHERE at <= %(since)s"
_GRANT: Final = "INSERT INTO calls (at, worker, kind) VALUES (%(at)s, %(worker)s, %(kind)s) RETURNING id"
#: Never later than it was taken to be: an answer that comes after that says nothing new.
_ANSWERED: Final = text(f"UPDATE calls SET at = least(at, {_NOW}) WHERE id = :id")
_WAIT: Final = (
    "INSERT INTO waits (worker, kind, since, asked_at) VALUES (%(worker)s, %(kind)s, %(now)s, %(now)s) "
    "ON CONFLICT (worker, kind) DO UPDATE SET asked_at = excluded.asked_at, "
    f"since = CASE WHEN waits.asked_at > excluded.asked_at - {_WAITING} THEN waits.since ELSE excluded.since END"
)
_SERVED: Final = "DELETE FROM waits WHERE worker = %(worker)s AND kind = %(kind)s"
_BLOCK: Final = text(f"UPDATE budget SET blocked_until = greatest(blocked_until, {_NOW} + :wait)")
