"""The rate budget: the service allows so many requests in any minute, submits and polls of all jobs together.

A sliding window over the times of the requests, not a leaky bucket: a bucket of 50 lets 100 pass in its first minute.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

from bridge_daemon.util.times import Times

WINDOW = 60.0  # s
#: Requests that polls leave to submits: a press never waits for a poll.
KEPT_FOR_SUBMITS = 10
#: Longest time that a Retry-After makes everything wait; absurd ones are not believed.
LONGEST_BLOCK = 120.0
#: The service counts when a request arrives, which may be later for an old one (a new connection) than for a new one.
_MARGIN = 0.5  # s


def blocked_for(retry_after: float | None) -> float:
    """Return for how long nothing is sent after a 429, s."""
    return min(max(retry_after if retry_after is not None else 5.0, 1.0), LONGEST_BLOCK)


def polls_of(per_minute: int) -> int:
    """Return what polls may use of the requests of a minute."""
    return max(1, per_minute - KEPT_FOR_SUBMITS)


class Budget(Protocol):
    """What whoever calls the service asks before, and tells after."""

    @property
    def polls_per_minute(self) -> int:
        """What polls may use of it."""
        ...

    def block(self, retry_after: float | None) -> None:
        """Send nothing for a while: the service said 429."""
        ...

    def spare_polls(self) -> int:
        """Return how many polls could be sent at once."""
        ...

    def wait_for_poll(self) -> float:
        """Return the seconds until a poll may be sent."""
        ...

    async def take_poll(self) -> bool:
        """Count a poll that is sent now; False if none may be sent."""
        ...

    async def submit(self) -> None:
        """Return as soon as a submit may be sent, counted."""
        ...

    async def take_submit(self) -> bool:
        """Count a submit that is sent now; False if it has to wait, for its turn too."""
        ...

    def give_back(self) -> None:
        """Take back a submit that was counted and not sent."""
        ...

    def answered(self) -> None:
        """Note that what was counted had its answer, or failed."""
        ...


class RateBudget:
    """Counts every request to one account of the service."""

    def __init__(self, per_minute: int, times: Times) -> None:
        """``per_minute`` is what the service allows in any 60 s."""
        self.per_minute = per_minute
        self._times = times
        self._sent: deque[float] = deque()
        self._blocked_until = 0.0
        self._order = asyncio.Lock()

    def block(self, retry_after: float | None) -> None:
        """Send nothing for a while: the service said 429."""
        self._blocked_until = max(self._blocked_until, self._times.monotonic() + blocked_for(retry_after))

    def spare_polls(self) -> int:
        """Return how many polls could be sent at once."""
        self._forget()
        return max(0, self.polls_per_minute - len(self._sent))

    @property
    def polls_per_minute(self) -> int:
        """What polls may use of it."""
        return polls_of(self.per_minute)

    def wait_for_poll(self) -> float:
        """Return the seconds until a poll may be sent."""
        return self._wait(self.polls_per_minute)

    def answered(self) -> None:
        """One process sends at once what it counts."""

    async def take_poll(self) -> bool:
        """Count a poll that is sent now; False if none may be sent."""
        if self.wait_for_poll() > 0:
            return False
        self._sent.append(self._times.monotonic())
        return True

    async def take_submit(self) -> bool:
        """Count a submit that is sent now; False if it has to wait, for its turn too."""
        if self._order.locked() or self._wait(self.per_minute) > 0:
            return False
        self._sent.append(self._times.monotonic())
        return True

    def give_back(self) -> None:
        """Take back a submit that was counted and not sent."""
        if self._sent:
            self._sent.pop()

    async def submit(self) -> None:
        """Return as soon as a submit may be sent, counted; submits go in the order in which they came."""
        async with self._order:
            while (wait := self._wait(self.per_minute)) > 0:  # noqa: ASYNC110 - time is the only event there is
                await asyncio.sleep(wait)
            self._sent.append(self._times.monotonic())

    def _wait(self, allowed: int) -> float:
        self._forget()
        now = self._times.monotonic()
        full = self._sent[-allowed] + WINDOW + _MARGIN - now if len(self._sent) >= allowed else 0.0
        return max(0.0, full, self._blocked_until - now)

    def _forget(self) -> None:
        old = self._times.monotonic() - WINDOW - _MARGIN
        while self._sent and self._sent[0] < old:
            self._sent.popleft()
