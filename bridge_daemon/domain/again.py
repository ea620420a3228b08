"""A request made of a job: it asks for the same once more. Every place that needs one gets it from here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from bridge_daemon.domain import wildcards
from bridge_daemon.domain.job import Job
from bridge_daemon.domain.parameters import TABLE
from bridge_daemon.domain.request import VERSION

#: Parameters that no such request has, and why.
NOT_REPEATED: Final[Mapping[str, str]] = {
    "variations": "one take is asked for, not all of its press",
    "valid_for": "it counts from the press",
}
#: What a place says of where a take goes; the rest of it says how the take is made and made to fit.
WHERE: Final = ("project", "project_id", "track", "target", "slot", "launch", "when", "folder", "token")


def request_of(job: Job, *, placed: bool) -> dict[str, Any]:
    """Return a request, without an id, that asks for exactly what a job asked for, its seed included.

    Its preset and the defaults are already in it. ``placed``: for the same client and place; else for the library.
    """
    body: dict[str, Any] = {"version": VERSION, "action": job.action}
    given = {one.name: _value(job, one.name) for one in TABLE if one.name not in NOT_REPEATED}
    body |= {name: value for name, value in given.items() if value is not None}
    if job.source is not None:
        body["source"] = job.source.as_dict()
    place = job.place.as_dict()
    if job.parameters.tempo is not None:  # of the transport then; now it may run at another one
        place.setdefault("tempo", job.parameters.tempo)
    if placed:
        return body | {"place": place} | ({"client": job.client} if job.client is not None else {})
    if job.parameters.spare is not None and job.parameters.continue_from is None:
        body["fit"] = job.fit  # for this it was asked for a little longer, also where nobody but its client says so
    return body | {"place": {key: value for key, value in place.items() if key not in WHERE}}


def _value(job: Job, name: str) -> Any:
    """Return what a job was asked for by the name of a parameter; None: it is not said."""
    parameters = job.parameters
    if name == "model":
        return job.model
    if name == "prompt":
        return wildcards.escape(parameters.prompt)  # what was chosen then is asked for again
    if name != "duration":
        return getattr(parameters, name)
    if parameters.continue_from is not None:
        return parameters.seconds
    said = parameters.spare is None and parameters.cut in (None, parameters.duration)
    return parameters.duration if said else None  # else its place or source says it again
