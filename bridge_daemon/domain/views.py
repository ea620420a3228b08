"""What is told of a job, and to whom: each view is a choice of the keys of the whole one, ``Job.as_dict``.

Frontends add only what their transport asks for: how a number is written, how long a text may be.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bridge_daemon.domain.job import Job

#: In the list of a watched folder.
OF_A_RENDER: Final = ("job", "state", "charge", "file")
#: In a status file of an outbox.
OF_A_REQUEST: Final = ("job", "variation", "state", "charge", "fraction", "text", "problem", "seed", "wanted")
#: In the list of jobs of ``daemon.json``.
IN_THE_HEARTBEAT: Final = (
    *("job", "id", "state", "charge", "usd", "action", "preset", "prompt", "seed", "variation", "variations"),
    *("fraction", "text", "problem", "delivery", "file", "wanted", "created_at"),
    *("submitted_at", "finished_at", "favourite", "trashed_at"),
)
#: In the list that OSC tells.
IN_THE_LIST: Final = (
    *("job", "id", "client", "state", "charge", "usd", "action", "preset", "prompt", "seed"),
    *("variation", "variations", "delivery", "file", "text", "fraction"),
)
_PROGRESS: Final = ("job", "id", "state", "charge", "fraction")
_FAILURE: Final = ("job", "id", "state", "charge")
_TAKE: Final = ("job", "id", "client", "delivery", "variation", "variations", "seed", "rate", "frames")
_LONGEST_PROMPT: Final = 500  # characters, in a list
_LONGEST_NAME: Final = 60  # characters of the name of an item or clip


def chosen(job: Job | Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """Return the keys of a view."""
    whole = job.as_dict() if isinstance(job, Job) else job
    return {key: whole[key] for key in keys}


def listed(job: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """Return a job as a list tells it, without the end of a long prompt."""
    return chosen(job, keys) | {"prompt": job["prompt"][:_LONGEST_PROMPT]}


def progress(job: Job) -> dict[str, Any]:
    """Return how far a job is."""
    return chosen(job, _PROGRESS) | {"text": what_happens(job)}


def failure(job: Job) -> dict[str, Any]:
    """Return why there is no take, or none that could be placed."""
    code, next_step = (job.problem.code, job.problem.next) if job.problem else ("", None)
    return chosen(job, _FAILURE) | {"code": code, "message": what_happens(job), "next": next_step}


def take(job: Job, file: Path) -> dict[str, Any]:
    """Return what is told of a take to whoever places it, without its place."""
    return chosen(job, _TAKE) | {"file": str(file), "name": item_name(job), "notes": "; ".join(job.notes) or None}


def what_happens(job: Job) -> str:
    """Return what happens now, or what is wrong, for people."""
    return job.problem.text if job.problem is not None else job.text


def item_name(job: Job) -> str:
    """Return what the item or clip is called."""
    sketch = "[sketch] " if job.engine == "sketch" else ""
    words = " ".join(job.parameters.prompt.split())
    words = words if len(words) <= _LONGEST_NAME else words[: _LONGEST_NAME - 1] + "…"
    return sketch + words + (f" ({job.variation}/{job.variations})" if job.variations > 1 else "")
