"""What jobs can be looked for by."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypedDict


class JobSearch(TypedDict, total=False):
    """Each key narrows the search; what is left out, None or empty narrows nothing."""

    states: Collection[str]
    q: str | None  #: in the prompt or a tag; or the whole name of a preset, the id of a job or of a request
    client: str | None
    preset: str | None
    project: str | None  #: of the place, by name or by id
    tag: str | None
    since: float | None  #: admitted at this time or later (UTC, seconds since the epoch)
    until: float | None  #: admitted before this time
    favourite: bool | None
    take: bool | None  #: whether there is a take
    trashed: bool | None
    before: str | None  #: the job that the last page ended with
    limit: int
