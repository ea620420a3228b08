"""Where a take goes that waits for the next bars: settled once for each delivery, when its client can be told.

It is written to the journal before it is told: a delivery that is said again, also after a restart, never moves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from bridge_daemon.clock.musical import SAME_TEMPO, Musical, arrival
from bridge_daemon.clock.transport import Clock
from bridge_daemon.domain.job import Job, State
from bridge_daemon.domain.request import Place
from bridge_daemon.journal import Journal, Transaction

_EVENT: Final = "arrival"


def waits(job: Job) -> bool:
    """Return whether the take of a job goes to the next bars once it is ready."""
    return job.place.when == "arrival_bar"


class Placement:
    """Settles where takes go."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        """Nothing is kept here: what was settled stands in the journal."""
        self._journal = journal
        self._clock = clock
        #: Each tells whether it reaches a client now. A take that nobody can be told of yet is settled later.
        self.reach: list[Callable[[str], bool]] = []

    def reached(self, client: str) -> bool:
        """Return whether a client can be told something now."""
        return any(reaches(client) for reaches in self.reach)

    async def settle(self, job: Job) -> Job | None:
        """Return a job that is about to be told to its client, with the place where this delivery of it goes.

        None if its client cannot be told now: it goes to the bars that come next when it can be.
        """
        if not waits(job) or job.client is None:
            return job
        if not self.reached(job.client):
            return None
        return await self._journal.write("arrival", lambda tx: self._settle(tx, job))

    def _settle(self, tx: Transaction, told: Job) -> Job:
        job = tx.job(told.id)
        before = [event["data"].get("delivery") for event in tx.events_of(job.id) if event["kind"] == _EVENT]
        if job.delivery in before or job.state is not State.STORED or job.delivery != told.delivery:
            return job
        found = arrival(
            self._clock.best(job.client), self._clock.monotonic(), bars=job.place.bars, meter=self._clock.meter
        )
        place = _placed(job.place, found)
        notes = tuple(dict.fromkeys((*job.notes, *found.notes, *_tempo_note(job, found))))
        event = {"delivery": job.delivery, "position": place.position, "beats": place.beats}
        return tx.note(job, _EVENT, event, place=place, notes=notes)


def _placed(place: Place, found: Musical) -> Place:
    """Return a place with the bars that were found; what an earlier delivery found is left out."""
    kept = {key: value for key, value in place.as_dict().items() if key not in ("position", "beats")}
    return Place.model_validate(kept | found.place)


def _tempo_note(job: Job, found: Musical) -> tuple[str, ...]:
    before, now = job.place.tempo, found.place.get("tempo")
    if before is None or now is None or abs(before - now) < SAME_TEMPO:
        return ()
    return (f"the tempo was {_bpm(before)} at the press and is {_bpm(now)} at the arrival",)


def _bpm(tempo: Any) -> str:
    return f"{tempo:.1f}".removesuffix(".0")
