"""Waiting for jobs: what is known of them, and when a person need not wait any longer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from bridge_daemon.domain.job import TERMINAL, State

Data = dict[str, Any]

#: Where a person need not wait any longer: done, or nothing happens before somebody acts.
FINISHED: Final = TERMINAL | {State.UNKNOWN, State.HELD}


class JobWatcher:
    """What is known of the jobs that somebody waits for, from whatever source it comes."""

    def __init__(self, job_ids: Sequence[str], on_change: Callable[[Data], None] | None = None) -> None:
        self._known: dict[str, Data] = {job: {} for job in job_ids}
        self._on_change = on_change

    @property
    def jobs(self) -> list[Data]:
        """The jobs in the order in which they were named."""
        return list(self._known.values())

    @property
    def done(self) -> bool:
        """Whether a person need not wait for any of them."""
        return all(is_finished(job) for job in self._known.values())

    def open(self) -> list[str]:
        """Return the jobs that can still change; a held one can, while another is waited for."""
        return [job for job, known in self._known.items() if known.get("state") not in TERMINAL]

    def take(self, data: Mapping[str, Any]) -> None:
        """Update from a job, or a part of one; return whether it is news. An older state is ignored."""
        known = self._known.get(str(data.get("job")))
        if known is None or data.get("updated_at", float("inf")) < known.get("updated_at", -float("inf")):
            return
        if not known and "created_at" not in data:
            return  # a part of a job that we have not seen yet: the poll brings all of it
        if known.get("state") in TERMINAL and "updated_at" not in data:
            return  # progress that was overtaken by the end
        new = {key: value for key, value in data.items() if key != "events"}
        if all(key in known and known[key] == value for key, value in new.items()):
            return
        known.update(new)
        if self._on_change is not None:
            self._on_change(dict(known))


def is_finished(job: Mapping[str, Any]) -> bool:
    """Return whether a person need not wait for this job any longer."""
    state = job.get("state")
    if state != State.STORED:
        return state in FINISHED
    # A take that nobody fetches becomes placed by itself in a moment; one for a client waits until that comes back.
    problem = job.get("problem") or {}
    return bool(job.get("client")) or not job.get("wanted", True) or problem.get("code") == "E-UNPLACED"
