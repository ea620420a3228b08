"""What a journal does not know (any more) is made again from the record of what was sent.

At each start the newest lines of the record are held against the journal. Where an event is missing, the jobs of the
missing events are brought to where the record says that they stand, and sending is paused until a person has looked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update

from bridge_daemon.domain.job import Charge, State
from bridge_daemon.errors import BridgeError, Duplicate, Stale, SubmitUnknown
from bridge_daemon.journal.record import Line
from bridge_daemon.journal.tables import events, facts, jobs, requests
from bridge_daemon.journal.transaction import fact_of

#: The reason of the pause.
LOST: Final = "journal"
_DAY: Final = 86_400.0  # s
_AT_ONCE: Final = 500  # SQLite bounds the number of parameters
_TEXT: Final = "made again from the record of what was sent"

Row = dict[str, Any]


def missing(connection: Connection, lines: Sequence[Line]) -> set[str]:
    """Return the jobs of which a journal does not know an event that the record was written after."""
    told = {line["event"]: line for line in lines if "event" in line}
    numbers = sorted(told)
    known: set[int] = set()
    for start in range(0, len(numbers), _AT_ONCE):
        look = select(events.c.id, events.c.job, events.c.kind).where(
            events.c.id.in_(numbers[start : start + _AT_ONCE])
        )
        known |= {row.id for row in connection.execute(look) if _same(told[row.id], row.job, row.kind)}
    return {told[number]["job"] for number in numbers if number not in known}


def _same(line: Line, job: str, kind: str) -> bool:
    return bool(line["job"] == job and line["kind"] == kind)


def jobs_of(lines: Iterable[Line], now: float) -> dict[str, Row]:
    """Return the rows of jobs as the record knows them, in the states in which they go on."""
    rows: dict[str, Row] = {}
    for line in lines:
        if "row" in line:
            rows[line["job"]] = dict(line["row"])
        if line.get("job") in rows:
            rows[line["job"]] |= line["changes"]
    return {job: row | _goes_on(row, now) for job, row in rows.items()}


def _goes_on(row: Row, now: float) -> Row:
    """Return what is different of a job that goes on from what is known of it."""
    state, usd = State(row["state"]), f"${row['price'] / 1_000_000:.2f}"
    if state is State.SUBMITTING:
        error: BridgeError = SubmitUnknown(f"The journal was lost while it was being sent. {usd} may be charged.")
        return {"state": str(State.UNKNOWN), "charge": str(Charge.POSSIBLE), "problem": _problem(error, now)}
    if state in (State.QUEUED, State.PREPARING):
        error = Stale("The journal was lost while it waited to be sent. Nothing was spent for it.")
        return {"state": str(State.HELD), "problem": _problem(error, now), "publication": None}
    if state is State.STORED and now - row["updated_at"] > _DAY:
        return {"state": str(State.PLACED)}  # brought long ago; `deliver` brings it again
    return {}


def _problem(error: BridgeError, now: float) -> Row:
    return {"code": error.code, "text": error.message, "since": now, "next": error.next_step}


def restore(
    connection: Connection, lines: Sequence[Line], lost: set[str], now: float, *, room: str | None = None
) -> None:
    """Write what the record knows of the ``lost`` jobs, and pause, inside of a transaction. Done twice, it is the same.

    A job whose row stands in the record goes on from there; its request is known again, so that the same press, said
    again, is the same press.
    """
    _add_requests(connection, [line["asked"] for line in lines if line.get("job") in lost and "asked" in line])
    for job, row in jobs_of(lines, now).items():
        if job in lost:
            _put(connection, job, _without_twin(connection, row, now))
            event = {"job": job, "at": now, "kind": "restored", "data": {"state": row["state"], "from": "the record"}}
            connection.execute(insert(events), event)
    if lost:
        _pause(connection, len(lost), now, fact_of(room, "pause"))


def _add_requests(connection: Connection, asked: Sequence[Row]) -> None:
    """Add the requests that are not known. Jobs of theirs that were not sent are gone: nothing was spent for those."""
    known = set(connection.execute(select(requests.c.id)).scalars())
    for row in asked:
        if row["id"] not in known:
            known.add(row["id"])
            connection.execute(insert(requests), row)


def _without_twin(connection: Connection, row: Row, now: float) -> Row:
    """Return a row whose id at the service is not that of another job in the journal: the two cannot both have it."""
    if row["remote_id"] is None:
        return row
    same = (jobs.c.base_url == row["base_url"], jobs.c.remote_id == row["remote_id"], jobs.c.job != row["job"])
    if connection.execute(select(jobs.c.job).where(*same)).first() is None:
        return row
    error = Duplicate(f"The service's job {row['remote_id']} belongs to another job of the bridge as well.")
    state = {"state": str(State.UNKNOWN), "charge": str(Charge.POSSIBLE), "problem": _problem(error, now)}
    return row | state | {"remote_id": None}


def _put(connection: Connection, job: str, row: Row) -> None:
    """Write a row; of one that is there only what differs: a room of a studio may not write what never changes."""
    there = connection.execute(select(jobs).where(jobs.c.job == job)).mappings().one_or_none()
    if there is None:
        connection.execute(insert(jobs), row)
    elif changes := {name: value for name, value in row.items() if there[name] != value}:
        connection.execute(update(jobs).where(jobs.c.job == job).values(changes))


def _pause(connection: Connection, count: int, now: float, key: str) -> None:
    pause: Mapping[str, Any] | None = connection.execute(
        select(facts.c.value).where(facts.c.key == key)
    ).scalar_one_or_none()
    if pause is not None and pause["reason"] == "panic":
        return
    text = (
        f"the journal had lost {count} job(s) that were sent; they were {_TEXT}. Look at them (daw-bridge jobs list), "
        "for others that were not sent may be missing"
    )
    connection.execute(delete(facts).where(facts.c.key == key))
    fact = {"reason": LOST, "text": text, "since": now}
    connection.execute(insert(facts), {"key": key, "value": fact})
