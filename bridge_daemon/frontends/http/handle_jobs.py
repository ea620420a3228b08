"""Requests and jobs: asking, looking, deciding, and the audio of each."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Final

from aiohttp import web

from bridge_daemon.domain.search import JobSearch
from bridge_daemon.frontends.http.answers import answer
from bridge_daemon.frontends.http.download import send_file
from bridge_daemon.frontends.http.routing import Call

_DAY: Final = timedelta(days=1)


async def admit(call: Call) -> web.StreamResponse:
    """Take a request: 202 for a new one, 200 for one that was accepted before."""
    data, repeated = await call.api.actions.admit(call.data)
    return answer(data, 200 if repeated else 202)


async def estimate(call: Call) -> web.StreamResponse:
    """Answer with what a request would cost."""
    return answer(await call.api.actions.estimate(call.data))


async def jobs(call: Call) -> web.StreamResponse:
    """Answer with jobs, newest first, and where the next page begins."""
    query = dict(call.query)
    first, last = query.pop("from"), query.pop("to")
    search: JobSearch = {"states": query.pop("state"), **query}  # type: ignore[typeddict-item]
    search |= {"since": _midnight(first), "until": _midnight(last + _DAY if last else None)}
    limit = query["limit"]
    found = await call.api.actions.jobs(**search | {"limit": limit + 1})
    more = len(found) > limit
    return answer({"jobs": found[:limit], "next": found[limit - 1]["job"] if more else None})


def _midnight(day: date | None) -> float | None:
    """Return when a local day begins, in seconds since the epoch."""
    return None if day is None else datetime.combine(day, time.min).astimezone().timestamp()


async def job(call: Call) -> web.StreamResponse:
    """Answer with one job."""
    return answer(await call.api.actions.job(call.job))


async def mark(call: Call) -> web.StreamResponse:
    """Note on a job what a person thinks of its take."""
    return answer(await call.api.actions.mark(call.job, call.data))


async def cancel(call: Call) -> web.StreamResponse:
    """Cancel a job."""
    return answer(await call.api.actions.cancel(call.job))


async def retry(call: Call) -> web.StreamResponse:
    """Retry a job."""
    return answer(await call.api.actions.retry(call.job, call.data))


async def deliver(call: Call) -> web.StreamResponse:
    """Deliver a take once more."""
    return answer(await call.api.actions.deliver(call.job))


async def reveal(call: Call) -> web.StreamResponse:
    """Show a take in the file manager."""
    return answer(await call.api.actions.reveal(call.job))


async def resolve(call: Call) -> web.StreamResponse:
    """Resolve an unknown job."""
    return answer(await call.api.actions.resolve(call.job, call.data))


async def audio(call: Call) -> web.StreamResponse:
    """Answer with the take."""
    return await send_file(call.request, *await call.api.actions.stored_take(call.job))


async def source(call: Call) -> web.StreamResponse:
    """Answer with the source."""
    return await send_file(call.request, await call.api.actions.source_file(call.job))


async def peaks(call: Call) -> web.StreamResponse:
    """Answer with the wave form of the take."""
    return answer(await call.api.actions.peaks(call.job, call.query["buckets"]))


async def source_peaks(call: Call) -> web.StreamResponse:
    """Answer with the wave form of the source as it was sent."""
    return answer(await call.api.actions.source_peaks(call.job, call.query["buckets"]))
