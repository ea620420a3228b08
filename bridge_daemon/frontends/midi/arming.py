"""The stage: whether pads may spend, for how long, and how much.

Armed by a person, for a time and a sum, and by nothing else: a start finds it disarmed (unless the settings say
otherwise), and whatever ends early ends it for good. What was spent is counted in the journal, in the transaction that
admits a request, so neither two presses at once nor a reload of the settings make the sum larger.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bridge_daemon.domain.job import MICRO, RESERVED, Charge, Job
from bridge_daemon.errors import Disarmed, LimitReached
from bridge_daemon.journal import Journal, Transaction
from bridge_daemon.settings.sections import MidiSettings
from bridge_daemon.spending.limits import PAD, Guard
from bridge_daemon.util.times import Times

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ArmedPeriod:
    """One arming, from a press to its end."""

    since: int  # jobs after this number count
    until: float  # monotonic
    budget: int  # micro-dollars


class Arming:
    """Armed or not."""

    def __init__(
        self, journal: Journal, settings: Callable[[], MidiSettings], times: Times, on_change: Callable[[bool], None]
    ) -> None:
        """Disarmed. ``on_change`` is told, on the event loop, when that changes."""
        self._journal = journal
        self._settings = settings
        self._times = times
        self._on_change = on_change
        self._arming: ArmedPeriod | None = None
        self._end: asyncio.TimerHandle | None = None
        self._spent: dict[str, int] = {}  # of each job since it was armed, for the status
        self.why = "nobody has armed the pads since the start"

    @property
    def armed(self) -> bool:
        """Whether a pad may spend."""
        return self._arming is not None and self._times.monotonic() < self._arming.until

    async def arm(self, *, at_start: bool = False) -> None:
        """Arm, for as long and as much as the settings say; what was armed before ends.

        At the start, what pads have spent in the minutes before counts too: a program that is started again and again
        is given no new sum each time.
        """
        minutes, budget = self._settings().arm_minutes, self._settings().arm_budget_micro
        before = self._times.now() - minutes * 60 if at_start else None
        since = await self._journal.read(lambda tx: tx.last_seq(before=before))
        self._stop_timer()
        self._arming = ArmedPeriod(since, self._times.monotonic() + minutes * 60, budget)
        self._spent.clear()
        self._end = asyncio.get_running_loop().call_later(minutes * 60, self.disarm, "its time is over")
        log.info("Pads are armed for %g min and $%.2f.", minutes, budget / MICRO)
        self._on_change(True)

    def disarm(self, why: str) -> bool:
        """Disarm; return whether it was armed."""
        was, self._arming = self._arming, None
        self._stop_timer()
        if was is None:
            return False
        self.why = why
        log.info("Pads are disarmed: %s.", why)
        self._on_change(False)
        return True

    def _stop_timer(self) -> None:
        if self._end is not None:
            self._end.cancel()
            self._end = None

    def guard(self) -> Guard:
        """Return what watches over one press of this arming; it is called in the journal's thread."""
        arming = self._arming

        def check(tx: Transaction, total: int) -> None:
            if arming is None or self._arming is not arming or self._times.monotonic() >= arming.until:
                raise Disarmed("The pads were disarmed meanwhile. Nothing was sent.")
            spent = tx.spent_by(PAD, since=arming.since)
            if total > 0 and spent + total > arming.budget:
                raise OverBudget(
                    f"Pads may spend ${arming.budget / MICRO:.2f} in one arming ([midi] arm_budget_usd); "
                    f"${spent / MICRO:.2f} are spent or reserved, and this costs ${total / MICRO:.2f}. "
                    "Nothing was sent, and the pads are disarmed.",
                )

        return check

    def take(self, job: Job) -> None:
        """Handle a change of a job that a pad asked for."""
        if self._arming is None or job.seq <= self._arming.since:
            return
        counts = job.charge in (Charge.POSSIBLE, Charge.CONFIRMED) or job.state in RESERVED
        self._spent[job.id] = job.price if counts else 0

    def about(self) -> dict[str, Any]:
        """Return it for the status."""
        arming = self._arming
        if arming is None or not self.armed:
            return {"armed": False, "why": self.why}
        return {
            "armed": True,
            "minutes_left": round((arming.until - self._times.monotonic()) / 60, 1),
            "budget_usd": arming.budget / MICRO,
            "spent_usd": sum(self._spent.values()) / MICRO,
        }


class OverBudget(LimitReached):
    """What may be spent in one arming is used up."""

    next = "Arm again if you mean it, or raise [midi] arm_budget_usd."
