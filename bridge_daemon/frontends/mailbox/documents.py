"""What stands in the files of the outboxes: one JSON object each, made for small readers such as those in Lua.

UTF-8 without escapes beyond those that JSON asks for, no NaN, no null (what is not there is left out), and numbers so
that they are read back to the last bit: a position is exact to the sample.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bridge_daemon.domain import views
from bridge_daemon.domain.job import Job
from bridge_daemon.errors import BridgeError

_OF_THE_STATUS: Final = (
    *("version", "price_usd", "spent_today_usd", "limit_today_usd", "spent_month_usd", "limit_month_usd"),
    *("confirm_above_usd", "library", "can_transform", "why_not"),
)


def to_bytes(data: Mapping[str, Any]) -> bytes:
    """Write an object."""
    text = json.dumps(_without_null(data), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return f"{text}\n".encode("utf-8", "replace")  # a file name that is no text cannot be told in JSON


def _without_null(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_null(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_null(item) for item in value]
    return value


def refusal(error: BridgeError) -> dict[str, Any]:
    """Return the head of the status of what was refused."""
    told = error.as_dict()
    return {"refused": {key: told[key] for key in told if key != "usd"}, "usd": told.get("usd", 0.0)}


def result(job: Job, file: Path) -> dict[str, Any]:
    """Return what a result file tells: the take, and its place."""
    return views.take(job, file) | {"place": job.stands.as_dict()}


def beat(status: Mapping[str, Any], presets: Mapping[str, Any], jobs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what ``daemon.json`` tells, but for the client's name and the time."""
    engine = status["engine"]
    told = {key: status[key] for key in _OF_THE_STATUS}
    told |= {"engine": engine["name"], "engine_ready": engine["ready"], "problem": engine.get("problem")}
    told |= {"paused": status["paused"] or False, "presets": dict(presets)}
    return told | {"jobs": [views.listed(job, views.IN_THE_HEARTBEAT) for job in jobs]}
