"""How late the end of a job is noticed, and what asking costs: ours beside loops of a fixed pause.

    python -m tests.bench.notice

A simulation of the real function (`pipeline/pace.py`) and the real budget with a clock of its own: jobs of 8..60 s,
200 rounds; the service refuses nothing, because nothing above 50 requests in any minute is ever sent.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence

from bridge_daemon.pipeline.pace import Seen, Share
from tests.bench.figures import Row
from tests.pipeline.simulation import RATE, ROUND_TRIP, Policy, Simulation

ROUNDS = 200


def fixed(pause: float) -> Policy:
    """Return a policy that asks every ``pause`` seconds, whatever it sees."""

    def policy(seen: Seen, earlier: Sequence[float], share: Share, dice: float) -> float:
        return pause - ROUND_TRIP if pause > ROUND_TRIP else 0.001

    return policy


def rows() -> list[Row]:
    """Return the figures for the table."""
    found = []
    for together, progress, target in ((1, True, 0.5), (8, True, 2.0), (1, False, 0.9), (8, False, None)):
        what = f"{'one job' if together == 1 else f'{together} jobs at once'}, "
        what += "progress is told" if progress else "no progress is told"
        ours = Simulation(together, progress).run(ROUNDS)
        mean = statistics.mean(ours.delays)
        found.append(
            Row(f"notice, {what}", _told(ours), f"≤ {target} s" if target else "", mean <= target if target else None)
        )
        for pause in (5.0, 1.5, 0.5, 0.1):
            loop = Simulation(together, progress, policy=fixed(pause), first=pause).run(ROUNDS)
            found.append(Row(f"— a fixed loop of {pause:g} s within the same budget", _told(loop)))
    learned = Simulation(8, False, follows=0.15).run(ROUNDS)
    mean = statistics.mean(learned.delays[160:])
    what = "notice, 8 jobs at once, no progress is told, the time follows length and steps within 15 %, learned"
    found.append(Row(what, _told(learned, mean), "≤ 3 s", mean <= 3.0))
    return found


def _told(done: Simulation, mean: float | None = None) -> str:
    assert done.busiest_minute() <= RATE
    each = len(done.requests) / len(done.delays)
    return (
        f"mean {mean or statistics.mean(done.delays):.2f} s, most {max(done.delays):.1f} s; "
        f"{each:.1f} requests a job, "
        f"{done.busiest_minute()} in the busiest minute"
    )


def main() -> None:
    for row in rows():
        sys.stdout.write(f"{row.what}: {row.figure} {row.target} {row.verdict}\n")


if __name__ == "__main__":
    main()
