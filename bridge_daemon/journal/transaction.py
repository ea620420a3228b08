"""What can be asked of the journal and changed in it, inside of one transaction. All SQL of the project is here."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, and_, func, insert, or_, select, update

from bridge_daemon.errors import NotFound, WrongState
from bridge_daemon.job import MOVES, OPEN, RESERVED, TERMINAL, Charge, Job, Problem, State
from bridge_daemon.journal.rows import from_row, to_row
from bridge_daemon.journal.tables import events, facts, jobs, requests
from bridge_daemon.times import Times


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

    def __init__(self, connection: Connection, times: Times) -> None:
        """Keep the connection; ``changed`` collects what listeners are told after the commit."""
        self._connection = connection
        self._times = times
        self.changed: dict[str, Job] = {}

    # Requests

    def accepted(self, request_id: str) -> Accepted | None:
        """Return what an id was answered, or None where it was never accepted."""
        row = self._connection.execute(select(requests).where(requests.c.id == request_id)).mappings().first()
        if row is None:
            return None
        return Accepted(
            body_hash=row["body_hash"], body=row["body"], answer=row["answer"], created_at=row["created_at"]
        )

    def pressed_at(self, fingerprint: str, *, since: float, until: float) -> float | None:
        """Return when the same press was last accepted between two times (UTC), or None."""
        when = select(func.max(requests.c.created_at)).where(
            requests.c.fingerprint == fingerprint, requests.c.created_at.between(since, until)
        )
        return self._connection.execute(when).scalar()

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
        """Remember an accepted id."""
        self._connection.execute(
            insert(requests).values(
                id=request_id,
                kind=kind,
                client=client,
                body_hash=body_hash,
                fingerprint=fingerprint,
                body=body,
                answer=answer,
                created_at=self._times.now(),
            )
        )

    def add_jobs(self, new: Sequence[Job]) -> None:
        """Write new jobs, with an event for each."""
        now = self._times.now()
        rows = []
        for job in new:
            job = job.evolve(created_at=now, updated_at=now)
            values = {name: getattr(job, name) for name in Job.__dataclass_fields__ if name != "seq"}
            rows.append(to_row(values))
        self._connection.execute(insert(jobs), rows)
        self._connection.execute(
            insert(events),
            [{"job": job.job, "at": now, "kind": "queued", "data": {"price": job.price}} for job in new],
        )
        for job in new:
            self._changed(job.job)

    # Jobs

    def job(self, job: str) -> Job:
        """Return a job. Raises NotFound."""
        row = self._connection.execute(select(jobs).where(jobs.c.job == job)).mappings().first()
        if row is None:
            raise NotFound(f"There is no job {job[:40]}.")
        return from_row(row)

    def jobs_in(self, states: Collection[State]) -> list[Job]:
        """Return the jobs in any of the states, oldest first."""
        query = select(jobs).where(jobs.c.state.in_([str(s) for s in states])).order_by(jobs.c.seq)
        return [from_row(row) for row in self._connection.execute(query).mappings()]

    def jobs_of(self, request_id: str) -> list[Job]:
        """Return the jobs of a request, in the order of their variations."""
        query = select(jobs).where(jobs.c.request == request_id).order_by(jobs.c.seq)
        return [from_row(row) for row in self._connection.execute(query).mappings()]

    def find(
        self,
        *,
        states: Collection[str] = (),
        text: str | None = None,
        client: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> list[Job]:
        """Return jobs, newest first; ``text`` is looked for in the prompt, the job's id and the preset."""
        query = select(jobs).order_by(jobs.c.seq.desc()).limit(limit)
        if states:
            query = query.where(jobs.c.state.in_(list(states)))
        if text:
            pattern = jobs.c.prompt.icontains(text, autoescape=True)
            query = query.where(or_(pattern, jobs.c.job == text, jobs.c.preset == text, jobs.c.request == text))
        if client:
            query = query.where(jobs.c.client == client)
        if before is not None:
            query = query.where(jobs.c.seq < before)
        return [from_row(row) for row in self._connection.execute(query).mappings()]

    def undelivered(self, client: str, *, limit: int = 500) -> list[Job]:
        """Return the jobs whose take lies ready for a client that has not confirmed it (or could not place it)."""
        query = select(jobs).where(
            jobs.c.state == str(State.STORED),
            jobs.c.client == client,
            jobs.c.wanted,
            jobs.c.delivery > 0,
        )
        return [from_row(row) for row in self._connection.execute(query.order_by(jobs.c.seq).limit(limit)).mappings()]

    def with_problems(self, *, limit: int) -> list[Job]:
        """Return the newest jobs that a person should look at: unknown, held, or on their way with a problem."""
        open_ended = jobs.c.state.not_in([str(state) for state in TERMINAL])
        waiting = jobs.c.state.in_([str(State.UNKNOWN), str(State.HELD)])
        query = select(jobs).where(or_(waiting, and_(open_ended, jobs.c.problem.is_not(None))))
        query = query.order_by(jobs.c.seq.desc()).limit(limit)
        return [from_row(row) for row in self._connection.execute(query).mappings()]

    def newest_take(self, *, client: str | None = None, preset: str | None = None) -> Job | None:
        """Return the job whose take was made last, of those that were wanted."""
        made = jobs.c.state.in_([str(State.STORED), str(State.PLACED)])
        query = select(jobs).where(made, jobs.c.wanted, jobs.c.take.is_not(None))
        return self._newest(query.order_by(jobs.c.finished_at.desc(), jobs.c.seq.desc()), client, preset)

    def newest_on_its_way(self, *, client: str | None = None, preset: str | None = None) -> Job | None:
        """Return the job that was admitted last, of those that can still be cancelled."""
        states = [str(state) for state in RESERVED | OPEN | {State.HELD}]
        query = select(jobs).where(jobs.c.state.in_(states), jobs.c.wanted)
        return self._newest(query.order_by(jobs.c.seq.desc()), client, preset)

    def _newest(self, query: Select[Any], client: str | None, preset: str | None) -> Job | None:
        if client is not None:
            query = query.where(jobs.c.client == client)
        if preset is not None:
            query = query.where(jobs.c.preset == preset)
        row = self._connection.execute(query.limit(1)).mappings().first()
        return from_row(row) if row is not None else None

    def count(self) -> dict[str, int]:
        """Return how many jobs are in each state."""
        query = select(jobs.c.state, func.count()).group_by(jobs.c.state)
        return {row[0]: row[1] for row in self._connection.execute(query)}

    def durations(self, base_url: str, model: str, *, limit: int = 50) -> list[float]:
        """Return how long the newest finished jobs of a model took at the service, in seconds."""
        query = (
            select(jobs.c.finished_at - jobs.c.submitted_at)
            .where(
                jobs.c.base_url == base_url,
                jobs.c.model == model,
                jobs.c.finished_at.is_not(None),
                jobs.c.submitted_at.is_not(None),
            )
            .order_by(jobs.c.seq.desc())
            .limit(limit)
        )
        return [value for value in self._connection.execute(query).scalars() if value > 0]

    def remote_id_taken(self, base_url: str, remote_id: str) -> bool:
        """Tell whether the service gave this id to another job before."""
        query = select(func.count()).where(jobs.c.base_url == base_url, jobs.c.remote_id == remote_id)
        return bool(self._connection.execute(query).scalar_one())

    def move(
        self,
        job: Job,
        to: State,
        *,
        event: dict[str, Any] | None = None,
        **changes: Any,
    ) -> Job:
        """Move a job to another state, if it still is in the state that the caller saw, and write the event.

        Raises WrongState where it is not, or where the move is none of MOVES; then nothing is changed.
        """
        if to not in MOVES[job.state]:
            raise WrongState(f"A job cannot go from {job.state} to {to} (job {job.job}).", charge=job.charge)
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
        values = to_row(changes | {"updated_at": self._times.now()})
        guard = and_(jobs.c.job == job.job, jobs.c.state == str(job.state))
        done = self._connection.execute(update(jobs).where(guard).values(**values))
        if done.rowcount != 1:
            raise WrongState(f"The job {job.job} is not {job.state} any more.", charge=job.charge)
        if event_kind is not None:
            self.add_event(job.job, event_kind, {"from": str(job.state)} | event)
        return self._changed(job.job)

    def _changed(self, job: str) -> Job:
        self.changed[job] = self.job(job)
        return self.changed[job]

    # Events

    def add_event(self, job: str, kind: str, data: dict[str, Any]) -> None:
        """Append to what happened to a job."""
        self._connection.execute(insert(events).values(job=job, at=self._times.now(), kind=kind, data=data))

    def events_of(self, job: str) -> list[dict[str, Any]]:
        """Return what happened to a job, oldest first."""
        query = select(events.c.at, events.c.kind, events.c.data).where(events.c.job == job).order_by(events.c.id)
        return [dict(row) for row in self._connection.execute(query).mappings()]

    # Money

    def spent(self) -> Spent:
        """Return what counts against the limits of today and of this month.

        Charges of later days count too: a clock set back gives nothing back.
        """
        today = self._times.day()
        charged = jobs.c.charge.in_([str(Charge.POSSIBLE), str(Charge.CONFIRMED)])

        def total(*where: Any) -> int:
            return int(
                self._connection.execute(select(func.coalesce(func.sum(jobs.c.price), 0)).where(*where)).scalar_one()
            )

        return Spent(
            day=total(charged, jobs.c.charge_day >= today),
            month=total(charged, jobs.c.charge_day >= today[:8] + "01"),
            reserved=total(jobs.c.state.in_([str(s) for s in RESERVED])),
        )

    def last_seq(self, *, before: float | None = None) -> int:
        """Return the number of the job that was admitted last, of all or of those before a time (UTC); 0: none."""
        query = select(func.coalesce(func.max(jobs.c.seq), 0))
        if before is not None:
            query = query.where(jobs.c.created_at < before)
        return int(self._connection.execute(query).scalar_one())

    def spent_by(self, kind: str, *, since: int) -> int:
        """Return the micro-dollars of the jobs after the number ``since`` whose requests are of a kind.

        Counted are those that were charged, perhaps charged, or may still be sent by themselves.
        """
        charged = jobs.c.charge.in_([str(Charge.POSSIBLE), str(Charge.CONFIRMED)])
        reserved = jobs.c.state.in_([str(state) for state in RESERVED])
        query = select(func.coalesce(func.sum(jobs.c.price), 0)).join(requests, jobs.c.request == requests.c.id)
        query = query.where(jobs.c.seq > since, requests.c.kind == kind, or_(charged, reserved))
        return int(self._connection.execute(query).scalar_one())

    # Facts

    def fact(self, key: str) -> Any:
        """Return a single fact of this home, None where it is not known."""
        return self._connection.execute(select(facts.c.value).where(facts.c.key == key)).scalar()

    def set_fact(self, key: str, value: Any) -> None:
        """Write a single fact; None removes it."""
        self._connection.execute(facts.delete().where(facts.c.key == key))
        if value is not None:
            self._connection.execute(insert(facts).values(key=key, value=value))
