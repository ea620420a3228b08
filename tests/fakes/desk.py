"""A desk for tests of the HTTP API and its client: keeps jobs in a dictionary and every call in a list.

Usage::

    desk = FakeDesk()
    desk.add("j1", state="generating")      # a job as Job.as_dict() tells it, with what the test is about
    desk.fail["cancel"] = WrongState("…")   # the next calls of cancel raise this
    desk.hold["status"] = asyncio.Event()   # calls of status wait for it
    assert desk.calls == [("cancel", "j1")]

It has those of the daemon's verbs (``actions.bridge.Actions``) that the HTTP API uses, and nothing more: like the
real one, it admits an id once, answers the same id with the first answer, and knows no job that was not added or
admitted.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from bridge_daemon.errors import Fault, InvalidRequest, NotFound

Data = dict[str, Any]


class FakeDesk:
    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.all: dict[str, Data] = {}
        self.answers: dict[str, Data] = {}
        self.files: dict[str, Path] = {}
        self.hashes: dict[str, str] = {}  # of takes as they were stored
        self.fail: dict[str, Exception] = {}
        self.hold: dict[str, asyncio.Event] = {}
        self.searches: list[Data] = []
        self.sources: set[bytes] = set()
        self.status_answer: Data = {"version": "1", "paused": None}

    def add(self, job: str, **fields: Any) -> Data:
        self.all[job] = {
            "job": job,
            "state": "queued",
            "charge": "none",
            "client": None,
            "wanted": True,
            "problem": None,
            "fraction": None,
            "text": "",
            "created_at": 1.0,
            "updated_at": float(len(self.calls) + 1),
        } | fields
        return self.all[job]

    async def _called(self, name: str, *arguments: Any) -> None:
        self.calls.append((name, *arguments))
        if name in self.hold:
            await self.hold[name].wait()
        if name in self.fail:
            raise self.fail[name]

    def _known(self, job: str) -> Data:
        if job not in self.all:
            raise NotFound(f"There is no job {job}.")
        return self.all[job]

    async def admit(self, data: Data) -> tuple[Data, bool]:
        await self._called("admit", data)
        if not isinstance(data.get("id"), str):
            raise InvalidRequest([Fault("id", data.get("id"), "is required")])
        if data["id"] in self.answers:
            return self.answers[data["id"]], True
        job = f"j{len(self.all) + 1}"
        self.add(job)
        self.answers[data["id"]] = {"id": data["id"], "jobs": [job], "usd": 0.58}
        return self.answers[data["id"]], False

    async def cancel(self, job: str) -> Data:
        await self._called("cancel", job)
        return self._known(job)

    async def retry(self, job: str, data: Data) -> Data:
        await self._called("retry", job, data)
        return self._known(job)

    async def deliver(self, job: str) -> Data:
        await self._called("deliver", job)
        return self._known(job)

    async def resolve(self, job: str, data: Data) -> Data:
        await self._called("resolve", job, data)
        return self._known(job)

    async def pause(self, reason: str) -> Data:
        await self._called("pause", reason)
        return {"paused": reason}

    async def resume(self) -> Data:
        await self._called("resume")
        return {"paused": None}

    async def status(self) -> Data:
        await self._called("status")
        return self.status_answer

    async def spend(self) -> Data:
        await self._called("spend")
        return {"day": {"spent_usd": 1.16}}

    def presets(self) -> Data:
        return {"presets": {}}

    async def jobs(self, **asked: Any) -> list[Data]:
        self.searches.append(asked)
        states, limit = asked.get("states", []), asked["limit"] - 1  # one more tells whether there is another page
        await self._called("jobs", states, asked.get("q"), asked.get("client"), asked.get("before"), limit)
        return [job for job in self.all.values() if not states or job["state"] in states][: limit + 1]

    async def estimate(self, data: Data) -> Data:
        await self._called("estimate", data)
        return {"usd": 0.58, "faults": []}

    async def mark(self, job: str, marks: Data) -> Data:
        await self._called("mark", job, marks)
        return self._known(job) | marks

    async def job(self, job: str) -> Data:
        await self._called("job", job)
        return self._known(job) | {"events": []}

    async def stored_take(self, job: str) -> tuple[Path, str | None]:
        await self._called("stored_take", job)
        if job not in self.files:
            raise NotFound(f"Job {job} has no take.")
        return self.files[job], self.hashes.get(job)

    async def reveal(self, job: str) -> Data:
        await self._called("reveal", job)
        return {"file": self._known(job)["job"]}

    async def log_end(self, lines: int) -> Data:
        await self._called("log_end", lines)
        return {"file": "daemon.log", "lines": []}

    async def source_file(self, job: str) -> Path:
        await self._called("source_file", job)
        if job not in self.files:
            raise NotFound(f"Job {job} has no source.")
        return self.files[job]

    async def peaks(self, job: str, buckets: int) -> Data:
        await self._called("peaks", job, buckets)
        return {"peaks": [[0.0, 0.0]] * buckets}

    async def source_peaks(self, job: str, buckets: int) -> Data:
        await self._called("source_peaks", job, buckets)
        if job not in self.files:
            raise NotFound(f"Job {job} has no source.")
        return {"peaks": [[0.0, 0.0]] * buckets}

    async def add_source(self, body: AsyncIterator[bytes], name: str | None) -> tuple[Data, bool]:
        data = b"".join([chunk async for chunk in body])
        await self._called("add_source", data, name)
        new = data not in self.sources
        self.sources.add(data)
        return {"source": hashlib.sha256(data).hexdigest(), "name": name}, new

    def added_source(self, source: str) -> Path:
        self.calls.append(("added_source", source))
        if source not in self.files:
            raise NotFound("There is no such source.")
        return self.files[source]

    async def added_source_peaks(self, source: str, buckets: int) -> Data:
        return {"peaks": [self.added_source(source)] and [[0.0, 0.0]] * buckets}

    async def read_settings(self) -> Data:
        await self._called("read_settings")
        return {"settings": {}, "revision": "1"}

    async def change_settings(self, patch: Data, *, by_session: bool, revision: str | None) -> Data:
        await self._called("change_settings", patch, by_session, revision)
        return {"changed": {}, "after_restart": [], "revision": "2"}

    async def prices(self, model: str | None = None) -> list[Data]:
        await self._called("prices")
        return [{"model": "stable-audio-2-0", "usd": 0.58}]

    async def agree_price(self, data: Data) -> Data:
        await self._called("agree_price", data)
        return {"agreed": True}

    async def reload_key(self) -> Data:
        await self._called("reload_key")
        return {"key": True}

    async def try_sources(self) -> Data:
        await self._called("try_sources")
        return {"method": "public_url", "tried": True, "seconds": 0.1, "text": ""}

    async def setup(self) -> Data:
        await self._called("setup")
        return {"steps": []}

    async def set_up(self, data: Data, *, by_session: bool) -> Data:
        await self._called("set_up", data, by_session)
        return {"step": data["step"], "result": "done", "text": ""}

    async def check_key(self) -> Data:
        await self._called("check_key")
        return {"good": True}

    def watched_folders(self) -> Data:
        return {"folders": [], "waiting": 0}

    async def renders(self, *, folder: str | None, states: list[str], before: int | None, limit: int) -> list[Data]:
        await self._called("renders", folder, states, before, limit)
        return []

    async def send_render(self, data: Data) -> Data:
        await self._called("send_render", data)
        return {"id": data.get("id"), "jobs": ["j1"], "usd": 0.58, "entry": data.get("entry")}

    async def forget_render(self, data: Data) -> Data:
        await self._called("forget_render", data)
        return {"entry": data.get("entry"), "message": "off the list"}

    async def reload_settings(self) -> Data:
        await self._called("reload_settings")
        return {"changed": []}

    async def arm_pads(self) -> Data:
        await self._called("arm_pads")
        return {"armed": True}

    def disarm_pads(self) -> Data:
        self.calls.append(("disarm_pads",))
        return {"armed": False}

    async def listen_midi(self, data: Data) -> Data:
        await self._called("listen_midi", data)
        return {"messages": [], "next": 0}
