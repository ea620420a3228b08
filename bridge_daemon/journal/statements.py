"""The statements of the journal, built once: building one anew costs more than running it, and a press waits for it."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    Insert,
    Select,
    Table,
    Text,
    Update,
    and_,
    bindparam,
    cast,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from bridge_daemon.domain.job import OPEN, RESERVED, TERMINAL, Charge, State
from bridge_daemon.journal.tables import events, facts, jobs, requests


def _texts(states: Any) -> list[BindParameter[str]]:
    # each a parameter of its own: a list of any length would be written out at each look
    return [literal(text) for text in sorted(str(state) for state in states)]


def _insert(table: Table) -> Insert:
    """Return the insert of a row of which every column is named but the number that the database gives it."""
    numbered = table.autoincrement_column
    return insert(table).values(
        {column.name: bindparam(column.name, type_=column.type) for column in table.c if column is not numbered}
    )


REQUEST: Final = select(requests).where(requests.c.id == bindparam("id"))
ACCEPTED: Final = select(requests.c.body_hash, requests.c.body, requests.c.answer, requests.c.created_at).where(
    requests.c.id == bindparam("id")
)
PRESSED_AT: Final = select(func.max(requests.c.created_at)).where(
    requests.c.fingerprint == bindparam("fingerprint"),
    requests.c.created_at >= bindparam("since"),
)
ADD_REQUEST: Final = _insert(requests)

JOB: Final = select(jobs).where(jobs.c.job == bindparam("job"))
JOBS_OF: Final = select(jobs).where(jobs.c.request == bindparam("request")).order_by(jobs.c.seq)
RETRIES_OF: Final = select(jobs).where(jobs.c.retry_of == bindparam("job")).order_by(jobs.c.seq.desc()).limit(1)
JOBS_IN: Final = select(jobs).where(jobs.c.state.in_(bindparam("states", expanding=True))).order_by(jobs.c.seq)
UNDELIVERED: Final = (
    select(jobs)
    .where(jobs.c.state == str(State.STORED), jobs.c.client == bindparam("client"), jobs.c.wanted, jobs.c.delivery > 0)
    .order_by(jobs.c.seq)
    .limit(bindparam("most"))
)
#: Unknown, held, or on their way with a problem: what a person should look at.
WITH_PROBLEMS: Final = (
    select(jobs)
    .where(
        or_(
            jobs.c.state.in_(_texts((State.UNKNOWN, State.HELD))),
            and_(jobs.c.state.not_in(_texts(TERMINAL)), jobs.c.problem.is_not(None)),
        )
    )
    .order_by(jobs.c.seq.desc())
    .limit(bindparam("most"))
)
#: Stored since a time and not measured.
UNMEASURED: Final = (
    select(jobs)
    .where(
        jobs.c.state.in_(_texts((State.STORED, State.PLACED))),
        jobs.c.wanted,
        jobs.c.take.is_not(None),
        jobs.c.grid.is_(None),
        jobs.c.updated_at >= bindparam("since"),
    )
    .order_by(jobs.c.seq.desc())
    .limit(bindparam("most"))
)
COUNT: Final = select(jobs.c.state, func.count()).group_by(jobs.c.state)
DURATIONS: Final = (
    select(
        jobs.c.finished_at - jobs.c.submitted_at,
        jobs.c.parameters["duration"].as_float(),
        jobs.c.parameters["steps"].as_integer(),
    )
    .where(
        jobs.c.base_url == bindparam("base_url"),
        jobs.c.model == bindparam("model"),
        jobs.c.finished_at.is_not(None),
        jobs.c.submitted_at.is_not(None),
    )
    .order_by(jobs.c.seq.desc())
    .limit(bindparam("most"))
)
REMOTE_ID_TAKEN: Final = select(func.count()).where(
    jobs.c.base_url == bindparam("base_url"), jobs.c.remote_id == bindparam("remote_id")
)
#: Other paid jobs of a service whose result is this one.
SAME_RESULT: Final = (
    select(jobs)
    .where(
        jobs.c.job != bindparam("job"),
        jobs.c.base_url == bindparam("base_url"),
        jobs.c.price > 0,
        or_(jobs.c.output_url == bindparam("url"), jobs.c.original_sha256 == bindparam("sha256")),
    )
    .order_by(jobs.c.seq)
)
ADD_JOB: Final = _insert(jobs).returning(jobs.c.seq)
_mark: Final = jobs.alias("mark")  # the job that a page begins behind


def _sum(*where: Any) -> Any:
    return select(func.coalesce(func.sum(jobs.c.price), 0)).where(*where).scalar_subquery()


_CHARGED: Final = jobs.c.charge.in_(_texts((Charge.POSSIBLE, Charge.CONFIRMED)))


@cache
def spent(of: frozenset[str]) -> Select[Any]:
    """Return the sums that count against limits: of all, or of one ``room`` or ``client``."""
    whose = tuple(jobs.c[name] == bindparam(name) for name in sorted(of))
    return select(
        _sum(_CHARGED, jobs.c.charge_day >= bindparam("today"), *whose).label("day"),
        _sum(_CHARGED, jobs.c.charge_day >= bindparam("month"), *whose).label("month"),
        _sum(jobs.c.state.in_(_texts(RESERVED)), *whose).label("reserved"),
    )


#: What one kind of request has spent since a job.
SPENT_BY: Final = (
    select(func.coalesce(func.sum(jobs.c.price), 0))
    .join(requests, jobs.c.request == requests.c.id)
    .where(
        jobs.c.seq > bindparam("since"),
        requests.c.kind == bindparam("kind"),
        or_(_CHARGED, jobs.c.state.in_(_texts(RESERVED))),
    )
)
LAST_SEQ: Final = select(func.coalesce(func.max(jobs.c.seq), 0)).where(jobs.c.created_at < bindparam("before"))

ADD_EVENT: Final = _insert(events).returning(events.c.id)
EVENTS_OF: Final = (
    select(events.c.at, events.c.kind, events.c.data).where(events.c.job == bindparam("job")).order_by(events.c.id)
)


@cache
def some_facts(count: int) -> Select[Any]:
    """Return the look for so many facts, ``key0`` and so on."""
    keys = [bindparam(f"key{number}", type_=facts.c.key.type) for number in range(count)]
    return select(facts.c.key, facts.c.value).where(facts.c.key.in_(keys))


REMOVE_FACT: Final = delete(facts).where(facts.c.key == bindparam("key"))
ADD_FACT: Final = insert(facts)


@cache
def of_room(statement: Select[Any]) -> Select[Any]:
    """Return a search for jobs that finds only those of one room."""
    return statement.where(jobs.c.room == bindparam("room"))


@cache
def update_job(columns: tuple[str, ...]) -> Update:
    """Return the guarded update of some columns: of the job ``its_job``, if it still is in ``its_state``."""
    guard = and_(jobs.c.job == bindparam("its_job"), jobs.c.state == bindparam("its_state"))
    return update(jobs).where(guard).values({name: bindparam(name, type_=jobs.c[name].type) for name in columns})


#: What the keys of a search mean; the values are bound under the same names.
_NARROWED: Final[dict[str, Any]] = {
    "states": jobs.c.state.in_(bindparam("states", expanding=True)),
    "q": or_(
        func.lower(jobs.c.prompt).like(func.lower(bindparam("pattern")), escape="\\"),
        func.lower(cast(jobs.c.tags, Text)).like(func.lower(bindparam("tag_pattern")), escape="\\"),
        *(column == bindparam("q") for column in (jobs.c.job, jobs.c.preset, jobs.c.request)),
    ),
    "client": jobs.c.client == bindparam("client"),
    "preset": jobs.c.preset == bindparam("preset"),
    "project": or_(*(jobs.c.place[key].as_string() == bindparam("project") for key in ("project", "project_id"))),
    "tag": cast(jobs.c.tags, Text).like(bindparam("tag"), escape="\\"),
    "since": jobs.c.created_at >= bindparam("since"),
    "until": jobs.c.created_at < bindparam("until"),
    "favourite": jobs.c.favourite == bindparam("favourite"),
    "take": jobs.c.take.is_not(None) == bindparam("take"),
    "trashed": jobs.c.trashed_at.is_not(None) == bindparam("trashed"),
    "before": jobs.c.seq < select(_mark.c.seq).where(_mark.c.job == bindparam("before")).scalar_subquery(),
}


@cache
def find_jobs(keys: frozenset[str]) -> Select[Any]:
    """Return the search for jobs by some keys, newest first."""
    query = select(jobs).order_by(jobs.c.seq.desc()).limit(bindparam("most"))
    return query.where(*(_NARROWED[key] for key in sorted(keys)))


@cache
def newest_take(client: bool, preset: bool) -> Select[Any]:
    """Return the search for the job whose take was made last."""
    made = jobs.c.state.in_(_texts((State.STORED, State.PLACED)))
    query = select(jobs).where(made, jobs.c.wanted, jobs.c.take.is_not(None), jobs.c.trashed_at.is_(None))
    return _one_of(query.order_by(jobs.c.finished_at.desc(), jobs.c.seq.desc()), client, preset)


@cache
def newest_on_its_way(client: bool, preset: bool) -> Select[Any]:
    """Return the search for the job that was admitted last and can still be cancelled."""
    query = select(jobs).where(jobs.c.state.in_(_texts(RESERVED | OPEN | {State.HELD})), jobs.c.wanted)
    return _one_of(query.order_by(jobs.c.seq.desc()), client, preset)


def _one_of(query: Select[Any], client: bool, preset: bool) -> Select[Any]:
    if client:
        query = query.where(jobs.c.client == bindparam("client"))
    if preset:
        query = query.where(jobs.c.preset == bindparam("preset"))
    return query.limit(1)
