"""What can be asked of the journal and changed in it, inside of one transaction."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Unpack

from sqlalchemy import Connection, Executable, Select

from bridge_daemon.domain.job import MOVES, RESERVED, Charge, Job, Problem, State
from bridge_daemon.domain.search import JobSearch
from bridge_daemon.errors import NotFound, WrongState
from bridge_daemon.journal import statements as sql
from bridge_daemon.journal.database import Database
from bridge_daemon.journal.ready import run
from bridge_daemon.journal.record import Line
from bridge_daemon.journal.rows import from_row, to_row
from bridge_daemon.util.times import Times

#: Of a Job; a row has columns besides that are only looked for.
_FIELDS = frozenset(Job.__dataclass_fields__)
#: What is known of the money of a job, and what was paid for: a change of these is recorded.
_MONEY = frozenset({"charge", "remote_id", "take"})
#: How the names of facts begin that are the same for all rooms of an account.
ACCOUNT = ("price.", "account.")
#: Of a job in these nothing was sent.
_UNSENT = RESERVED | {State.HELD, State.CANCELLED}
_ENDS = frozenset({State.FAILED, State.DISMISSED})


@dataclass(frozen=True, kw_only=True, slots=True)
class Spent:
    """Micro-dollars of jobs that were charged, or perhaps charged, and what is reserved for those not sent yet."""

    day: int
    month: int
    reserved: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """An id that was accepted before, and what it was answered."""

    body_hash: str
    body: dict[str, Any]
    answer: dict[str, Any]
    created_at: float


class Transaction:
    """One transaction. Made by the journal only."""

    def __init__(self, connection: Connection, times: Times, database: Database) -> None:
        """Keep the connection.

        ``changed`` collects what listeners are told after the commit, ``recorded`` what is added to the record of what
        was sent; ``database`` must still be the one that was opened where money is decided about.
        """
        #: For what a studio keeps in tables of its own, in the same transaction.
        self.connection = self._connection = connection
        self._times = times
        # nobody else changes a job or a fact while this transaction lasts
        self._seen: dict[str, Job] = {}
        self._facts: dict[str, Any] = {}
        self._sums: dict[tuple[str, str | None, str | None], Spent] = {}  # by day, room and client
        self._asked: dict[str, dict[str, Any]] = {}  # requests that were added
        self.changed: dict[str, Job] = {}
        self.recorded: list[Line] = []
        self._database = database
        #: The room whose jobs, clients and presses these are; None: all there are.
        self.room = database.room

    # Requests

    def accepted(self, request_id: str) -> Accepted | None:
        """Return what an id was answered, or None if it was never accepted."""
        found = run(self._connection, sql.ACCEPTED, {"id": request_id}).rows
        if not found:
            return None
        [(body_hash, body, answer, created_at)] = found
        return Accepted(body_hash=body_hash, body=body, answer=answer, created_at=created_at)

    def pressed_at(self, fingerprint: str, *, since: float) -> float | None:
        """Return when the same press was last accepted since a time (UTC), or None."""
        given = {"fingerprint": self._own_press(fingerprint), "since": since}
        pressed: float | None = run(self._connection, sql.PRESSED_AT, given).value
        return pressed

    def add_request(
        self,
        request_id: str,
        *,
        kind: str,
        client: str | None,
        body_hash: str,
        fingerprint: str,
        body: dict[str, Any],
        answer: dict[str, Any],
    ) -> None:
        """Remember an accepted id. Raises JournalUnusable where it would not be remembered for long."""
        self._database.check()
        row = {
            "id": request_id,
            "kind": kind,
            "client": client,
            "body_hash": body_hash,
            "fingerprint": self._own_press(fingerprint),
            "body": body,
            "answer": answer,
            "created_at": self._times.now(),
        }
        run(self._connection, sql.ADD_REQUEST, row)
        self._asked[request_id] = row

    def _own_press(self, fingerprint: str) -> str:
        """Return a fingerprint that is no other room's: two people may press the same at once."""
        return fingerprint if self.room is None else own_press(self.room, fingerprint)

    def add_jobs(self, new: Sequence[Job]) -> None:
        """Write new jobs, with an event for each."""
        now = self._times.now()
        for job in new:
            job = job.evolve(created_at=now, updated_at=now, room=self.room)
            row = to_row({name: getattr(job, name) for name in _FIELDS if name != "seq"}) | {"charge_day": None}
            self._changed(job.evolve(seq=run(self._connection, sql.ADD_JOB, row).value))
        for job in new:
            self.add_event(job.id, str(State.QUEUED), {"price": job.price})
        self._reserve(new)

    def _reserve(self, new: Sequence[Job]) -> None:
        """Add new jobs to the sums that are known, which nothing else has changed."""
        if any(job.state is not State.QUEUED for job in new):
            self._sums.clear()
        for (day, room, client), spent in self._sums.items():
            more = sum(job.price for job in new if room in (None, self.room) and client in (None, job.client))
            self._sums[day, room, client] = replace(spent, reserved=spent.reserved + more)

    # Jobs

    def job(self, job: str) -> Job:
        """Return a job. Raises NotFound."""
        if job not in self._seen and not self._jobs(sql.JOB, job=job):
            raise NotFound(f"There is no job {job[:40]}.")
        return self._seen[job]

    def own_job(self, job: str) -> Job:
        """Return a job that this room asked for. Raises NotFound, and WrongState if it is another room's."""
        found = self.job(job)
        if found.room != self.room:
            raise WrongState(
                f"The job {found.id} belongs to the room {found.room}. Nothing was changed.",
                next=f"Decide about it in the room {found.room}.",
                charge=found.charge,
            )
        return found

    def _jobs(self, statement: Executable, **given: Any) -> list[Job]:
        found = [from_row(row) for row in self._connection.execute(statement, given).mappings()]
        self._seen |= {job.id: job for job in found}
        return found

    def _own(self, statement: Select[Any], **given: Any) -> list[Job]:
        """Return those of the jobs that this room asked for."""
        if self.room is None:
            return self._jobs(statement, **given)
        return self._jobs(sql.of_room(statement), **given, room=self.room)

    def jobs_in(self, states: Collection[State]) -> list[Job]:
        """Return the jobs of this room in any of the states, oldest first."""
        return self._own(sql.JOBS_IN, states=[str(state) for state in states])

    def newest_retry(self, job: str) -> Job:
        """Return the newest job that asks again for what a job asked for; the job itself if there is none."""
        found = self.job(job)
        while retries := self._jobs(sql.RETRIES_OF, job=found.id):
            found = retries[0]
        return found

    def jobs_of(self, request_id: str) -> list[Job]:
        """Return the jobs of a request, in the order of their variations."""
        return self._jobs(sql.JOBS_OF, request=request_id)

    def find(self, **asked: Unpack[JobSearch]) -> list[Job]:
        """Return jobs, newest first, 50 at most unless a limit is given. Raises NotFound for an unknown ``before``."""
        given: dict[str, Any] = {name: value for name, value in asked.items() if value not in (None, "", [], ())}
        most = given.pop("limit", 50)
        if "before" in given:
            self.job(given["before"])
        keys = frozenset(given)
        if "q" in given:
            text = _escaped(given["q"])
            given |= {"pattern": f"%{text}%", "tag_pattern": f"%{_escaped(_in_json(given['q']))}%"}
        if "tag" in given:
            given["tag"] = f'%"{_escaped(_in_json(given["tag"]))}"%'
        return self._jobs(sql.find_jobs(keys), **given, most=most)

    def undelivered(self, client: str, *, limit: int = 500) -> list[Job]:
        """Return the jobs whose take lies ready for a client that has not confirmed it (or could not place it)."""
        return self._own(sql.UNDELIVERED, client=client, most=limit)

    def unmeasured(self, *, since: float, limit: int) -> list[Job]:
        """Return the newest jobs whose take was stored since a time (UTC) and never measured."""
        return self._own(sql.UNMEASURED, since=since, most=limit)

    def with_problems(self, *, limit: int) -> list[Job]:
        """Return the newest jobs that a person should look at: unknown, held, or on their way with a problem."""
        return self._own(sql.WITH_PROBLEMS, most=limit)

    def newest_take(self, *, client: str | None = None, preset: str | None = None) -> Job | None:
        """Return the job whose take was made last, of those that were wanted."""
        return self._newest(sql.newest_take, client, preset)

    def newest_on_its_way(self, *, client: str | None = None, preset: str | None = None) -> Job | None:
        """Return the job that was admitted last, of those that can still be cancelled."""
        return self._newest(sql.newest_on_its_way, client, preset)

    def _newest(
        self, statement: Callable[[bool, bool], Select[Any]], client: str | None, preset: str | None
    ) -> Job | None:
        given = {name: value for name, value in (("client", client), ("preset", preset)) if value is not None}
        found = self._own(statement("client" in given, "preset" in given), **given)
        return found[0] if found else None

    def count(self) -> dict[str, int]:
        """Return how many jobs are in each state."""
        return {row[0]: row[1] for row in self._connection.execute(sql.COUNT)}

    def durations(self, base_url: str, model: str, *, limit: int = 100) -> list[tuple[float, float, int | None]]:
        """Return how long the newest finished jobs of a model took at the service, with length (both s) and steps."""
        given = {"base_url": base_url, "model": model, "most": limit}
        found = self._connection.execute(sql.DURATIONS, given)
        return [(seconds, length, steps) for seconds, length, steps in found if seconds > 0]

    def remote_id_taken(self, base_url: str, remote_id: str) -> bool:
        """Tell whether the service gave this id to another job before."""
        given = {"base_url": base_url, "remote_id": remote_id}
        return bool(self._connection.execute(sql.REMOTE_ID_TAKEN, given).scalar_one())

    def same_result(self, job: Job, *, url: str | None = None, sha256: str | None = None) -> list[Job]:
        """Return the other paid jobs that the service gave the same URL, or the same audio."""
        return self._jobs(sql.SAME_RESULT, job=job.id, base_url=job.base_url, url=url, sha256=sha256)

    def move(
        self,
        job: Job,
        to: State,
        *,
        event: dict[str, Any] | None = None,
        **changes: Any,
    ) -> Job:
        """Move a job to another state, if it still is in the state that the caller saw, and write the event.

        Raises WrongState if it is not, or if the move is none of MOVES; then nothing is changed. From submitting it
        goes back to where it would be sent only together with the certainty that it is not charged.
        """
        back = to in _UNSENT and changes.get("charge", job.charge) is not Charge.NONE
        if to not in MOVES[job.state] or back:
            raise WrongState(f"A job cannot go from {job.state} to {to} (job {job.id}).", charge=job.charge)
        if to is State.SUBMITTING:
            self._database.check()
        return self._update(job, event_kind=str(to), event=event or {}, state=to, **changes)

    def note(self, job: Job, kind: str, event: dict[str, Any], **changes: Any) -> Job:
        """Write an event, and change fields other than the state, if the job still is in the state the caller saw."""
        return self._update(job, event_kind=kind, event=event, **changes)

    def touch(self, job: Job, **changes: Any) -> Job:
        """Change fields that are no event (progress), if the job still is in the state that the caller saw."""
        return self._update(job, event_kind=None, event={}, **changes)

    def set_problem(self, job: Job, problem: Problem | None) -> Job:
        """Set or clear the problem of a job; the same problem again keeps the time since when it is there."""
        if problem is not None and job.problem is not None and job.problem.code == problem.code:
            if job.problem.text == problem.text:
                return job
            problem = Problem(code=problem.code, text=problem.text, since=job.problem.since, next=problem.next)
        kind = "problem" if problem else "problem_over"
        return self._update(job, event_kind=kind, event=problem.as_dict() if problem else {}, problem=problem)

    def _update(self, job: Job, *, event_kind: str | None, event: dict[str, Any], **changes: Any) -> Job:
        changes["updated_at"] = self._times.now()
        values = to_row(changes)
        self._sums.clear()
        guard = {"its_job": job.id, "its_state": str(job.state)}
        if run(self._connection, sql.update_job(tuple(sorted(values))), values | guard).count != 1:
            raise WrongState(f"The job {job.id} is not {job.state} any more.", charge=job.charge)
        number = self.add_event(job.id, event_kind, {"from": str(job.state)} | event) if event_kind is not None else 0
        # what the caller holds may be older than this transaction in all but its state
        seen = self._seen.get(job.id)
        if seen is None:
            now = self._changed(self.job(job.id))
        else:
            now = self._changed(seen.evolve(**{name: changes[name] for name in changes.keys() & _FIELDS}))
        if event_kind is not None and job.price and (changes.keys() & _MONEY or now.state in _ENDS):
            self._record(now, number, event_kind, values)
        return now

    def _record(self, job: Job, event: int, kind: str, changes: dict[str, Any]) -> None:
        """Note a step of money for the record: all of the job and its request if it is being sent."""
        line: Line = {"at": changes["updated_at"], "event": event, "kind": kind, "job": job.id, "price": job.price}
        line |= {"request": job.request_id, "remote_id": job.remote_id, "changes": changes}
        if job.state is State.SUBMITTING:
            line["row"] = to_row({name: getattr(job, name) for name in _FIELDS if name != "seq"})
            asked = self._asked.get(job.request_id)
            if asked is None:
                asked = dict(self._connection.execute(sql.REQUEST, {"id": job.request_id}).mappings().one())
            line["asked"] = asked
        self.recorded.append(line)

    def _changed(self, job: Job) -> Job:
        self._seen[job.id] = self.changed[job.id] = job
        return job

    # Events

    def add_event(self, job: str, kind: str, data: dict[str, Any]) -> int:
        """Append to what happened to a job, and return its number."""
        row = {"job": job, "at": self._times.now(), "kind": kind, "data": data}
        return int(run(self._connection, sql.ADD_EVENT, row).value)

    def events_of(self, job: str) -> list[dict[str, Any]]:
        """Return what happened to a job, oldest first."""
        return [dict(row) for row in self._connection.execute(sql.EVENTS_OF, {"job": job}).mappings()]

    # Money

    def spent(self) -> Spent:
        """Return what counts against the limits of this room, today and this month.

        Charges of later days count too: a clock set back gives nothing back.
        """
        return self._spent(self.room)

    def spent_by_all(self, *, room: str | None = None, client: str | None = None) -> Spent:
        """Return what all rooms have spent, or of that what one room or one client has."""
        return self._spent(room, client)

    def spent_by_client(self, client: str) -> Spent:
        """Return what a client of this room has spent."""
        return self._spent(self.room, client)

    def _spent(self, room: str | None, client: str | None = None) -> Spent:
        today = self._times.day()
        known = self._sums.get((today, room, client))
        if known is not None:
            return known
        whose = {name: value for name, value in (("room", room), ("client", client)) if value is not None}
        given = {"today": today, "month": today[:8] + "01"} | whose
        [(day, month, reserved)] = run(self._connection, sql.spent(frozenset(whose)), given).rows
        known = self._sums[today, room, client] = Spent(day=int(day), month=int(month), reserved=int(reserved))
        return known

    def last_seq(self, *, before: float | None = None) -> int:
        """Return the number of the job that was admitted last, of all or of those before a time (UTC); 0: none."""
        given = {"before": math.inf if before is None else before}
        return int(self._connection.execute(sql.LAST_SEQ, given).scalar_one())

    def spent_by(self, kind: str, *, since: int) -> int:
        """Return the micro-dollars of this room's jobs after the number ``since`` whose requests are of a kind.

        Counted are those that were charged, perhaps charged, or may still be sent by themselves.
        """
        given = {"kind": kind, "since": since} | ({} if self.room is None else {"room": self.room})
        statement = sql.SPENT_BY if self.room is None else sql.of_room(sql.SPENT_BY)
        return int(self._connection.execute(statement, given).scalar_one())

    # Facts

    def fact(self, key: str) -> Any:
        """Return a single fact, None if it is not known."""
        return self.facts(key)[0]

    def facts(self, *keys: str) -> list[Any]:
        """Return several facts in one look, each None if it is not known."""
        return self._facts_named([fact_of(self.room, key) for key in keys])

    def _facts_named(self, names: list[str]) -> list[Any]:
        missing = [name for name in names if name not in self._facts]
        if missing:
            given = {f"key{number}": name for number, name in enumerate(missing)}
            found = {row[0]: row[1] for row in run(self._connection, sql.some_facts(len(missing)), given).rows}
            self._facts |= {name: found.get(name) for name in missing}
        return [self._facts[name] for name in names]

    def paused(self, job: Job) -> bool:
        """Return whether sending is paused here, or in the room that asked for a job."""
        pauses = self._facts_named([fact_of(room, "pause") for room in (self.room, job.room)])
        return any(pause is not None for pause in pauses)

    def set_fact(self, key: str, value: Any) -> None:
        """Write a single fact; None removes it."""
        key = fact_of(self.room, key)
        self._connection.execute(sql.REMOVE_FACT, {"key": key})
        if value is not None:
            self._connection.execute(sql.ADD_FACT, {"key": key, "value": value})
        self._facts[key] = value


def own_press(room: str, fingerprint: str) -> str:
    """Return a fingerprint as it is known of the presses of a room."""
    return hashlib.sha256(f"{room} {fingerprint}".encode()).hexdigest()


def fact_of(room: str | None, key: str) -> str:
    """Return the name of a fact in the table: rooms share what belongs to the account, and nothing else."""
    return key if room is None or key.startswith(ACCOUNT) else f"{room} {key}"


def _escaped(text: str) -> str:
    """Return a text as a pattern that stands for itself alone."""
    return re.sub(r"([\\%_])", r"\\\1", text)


def _in_json(text: str) -> str:
    """Return a text as it stands within a JSON string of the journal."""
    return json.dumps(text)[1:-1]
