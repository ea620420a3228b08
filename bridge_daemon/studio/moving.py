"""Moving the journal of a home into the studio: what was asked, paid, measured and placed becomes the room's.

    mark the file as being moved  →  copy, oldest first  →  compare the money, job by job  →  mark it as moved

Nothing runs on the file from the first mark on, and the room does not start before the second, so neither side changes
while it is copied. A request goes with its jobs and their events in one transaction; what is there already is left
alone. So this can be cut off anywhere and run again: it goes on, and nothing is there twice. Jobs that are on their way
are not moved: somebody has to follow them all the time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Table, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from bridge_daemon.domain.job import MICRO, OPEN, RESERVED
from bridge_daemon.errors import JournalUnusable
from bridge_daemon.journal import moved, schema
from bridge_daemon.journal.sqlite import Sqlite
from bridge_daemon.journal.tables import events, facts, jobs, renders, requests
from bridge_daemon.journal.transaction import fact_of, own_press
from bridge_daemon.studio.database import Postgres
from bridge_daemon.util.failpoints import failpoint

#: Requests in one transaction: others wait for the ledger so long, and not longer.
_BATCH: Final = 100
_LAST: Final = 2**40  # behind every job
#: Facts of the room: by how much the numbers of its jobs differ, and that its renders are there.
_SHIFT: Final = "moved.shift"
_RENDERS: Final = "moved.renders"
_ON_THEIR_WAY: Final = sorted(map(str, RESERVED | OPEN))
#: Of a job, what its money is.
_MONEY: Final = ("price", "charge", "charge_day", "state", "delivery")

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What is in the file of a home, and how far it was moved."""

    mark: str | None  #: moved.MOVING, moved.MOVED, or None: nothing was done yet
    counts: dict[str, int]  #: rows of each table
    on_their_way: int  #: jobs that have to end before
    charged: dict[str, float]  #: US dollars by local day, charged or perhaps charged

    def as_dict(self) -> dict[str, Any]:
        """Return it for ``--json``."""
        return {
            "mark": self.mark,
            "counts": self.counts,
            "on_their_way": self.on_their_way,
            "charged_usd": self.charged,
            "charged_usd_by_month": by_month(self.charged),
        }


def by_month(charged: Mapping[str, float]) -> dict[str, float]:
    """Return the sums of days as those of months."""
    sums: Counter[str] = Counter()
    for day, usd in charged.items():
        sums[day[:7]] += round(usd * MICRO)
    return {month: sums[month] / MICRO for month in sorted(sums)}


def plan(journal: Path) -> Plan:
    """Look at the file of a home; nobody has it open. Raises JournalUnusable if it cannot be moved."""
    found = schema.revision(journal)
    if found is None:
        raise JournalUnusable(f"There is no journal at {journal} that could be moved.", next="daw-bridge start")
    mark = found if found in (moved.MOVING, moved.MOVED) else None
    if mark is None and found != schema.HEAD:
        raise JournalUnusable(
            f"{journal} is of another version of the bridge (revision {found}, this one writes {schema.HEAD}).",
            next="Start the bridge once without [journal] url, which brings it up to date, and stop it.",
        )
    with _reading(journal) as old:
        tables = (jobs, requests, events, renders, facts)
        counts = {
            table.name: int(old.execute(select(func.count()).select_from(table)).scalar_one()) for table in tables
        }
        waiting = select(func.count()).where(jobs.c.state.in_(_ON_THEIR_WAY))
        return Plan(
            mark=mark,
            counts=counts,
            on_their_way=int(old.execute(waiting).scalar_one()),
            charged=_charged(old),
        )


def move(journal: Path, studio: Postgres) -> Plan:
    """Move all of a file into an open database, and return what was moved. The caller holds the home's lock.

    Raises JournalUnusable: jobs are on their way, a job of it is another room's, or the money is not the same after.
    """
    found = plan(journal)
    if found.on_their_way:
        raise JournalUnusable(
            f"{found.on_their_way} job(s) of this home are on their way. Nothing was moved.",
            next="Let the bridge finish or cancel them first: take [journal] url out of config.toml, start it, and "
            "stop it when daw-bridge status shows none.",
        )
    where = {"studio": studio.where, "room": studio.room}
    if found.mark is None:
        failpoint("move.mark")
        moved.mark(journal, moved.MOVING, where)
        failpoint("move.marked")
    with _reading(journal) as old, studio.explained():
        for batch in _batches(old):
            _copy(old, studio, batch)
            failpoint("move.batch")
        _copy_renders(old, studio)
        failpoint("move.renders")
        _copy_facts(old, studio)
        failpoint("move.facts")
        if found.mark != moved.MOVED:  # else the room has gone on since
            _compare(old, studio, found.charged)
    failpoint("move.compared")
    moved.mark(journal, moved.MOVED, where)
    failpoint("move.done")
    return found


@contextmanager
def _reading(journal: Path) -> Iterator[Connection]:
    old = Sqlite(journal, read_only=True)
    try:
        old.open()
        with closing(old.begin_reading()) as connection:
            yield connection
    finally:
        old.close()


@contextmanager
def _writing(studio: Postgres) -> Iterator[Connection]:
    """Begin a transaction that holds the ledger, and commit it at the end."""
    with studio.begin() as connection:
        try:
            yield connection
            studio.commit(connection, ())
        except BaseException:
            connection.invalidate()
            raise


def _charged(connection: Connection, room: str | None = None) -> dict[str, float]:
    query = select(jobs.c.charge_day, func.sum(jobs.c.price)).where(jobs.c.charge != "none")
    if room is not None:
        query = query.where(jobs.c.room == room)
    found = connection.execute(query.group_by(jobs.c.charge_day))
    return {day or "": int(price) / MICRO for day, price in sorted(found, key=lambda row: row[0] or "")}


def _batches(old: Connection) -> Iterator[list[str]]:
    """Yield the ids of requests, those of the oldest jobs first."""
    first = func.coalesce(func.min(jobs.c.seq), _LAST)
    query = select(requests.c.id).outerjoin(jobs, jobs.c.request == requests.c.id).group_by(requests.c.id)
    names = list(old.execute(query.order_by(first, requests.c.created_at, requests.c.id)).scalars())
    for start in range(0, len(names), _BATCH):
        yield names[start : start + _BATCH]


def _rows(connection: Connection, table: Table, column: str, values: list[str], order: str) -> list[Row]:
    query = select(table).where(table.c[column].in_(values)).order_by(table.c[order])
    return [dict(row) for row in connection.execute(query).mappings()]


def _copy(old: Connection, studio: Postgres, batch: list[str]) -> None:
    """Copy requests with their jobs and events, those that are not there yet."""
    asked = _rows(old, requests, "id", batch, "created_at")
    new = _rows(old, jobs, "request", batch, "seq")
    names = [row["job"] for row in new]
    told = _rows(old, events, "job", names, "id")
    with _writing(studio) as connection:
        there = _there(connection, studio.room, new)
        known = set(connection.execute(select(requests.c.id).where(requests.c.id.in_(batch))).scalars())
        missing = [row for row in new if row["job"] not in there]
        shift = _shift(old, connection, studio.room) if missing else 0
        _insert(connection, requests, [row | _pressed(row, studio.room) for row in asked if row["id"] not in known])
        try:
            _insert(connection, jobs, [row | {"room": studio.room, "seq": row["seq"] + shift} for row in missing])
        except IntegrityError as error:
            raise JournalUnusable(
                "The studio knows a paid job of this home already, as another one. It is half moved.",
                next="Is this home a copy of one that was moved? Then move its journal.sqlite3 away.",
            ) from error
        _insert(connection, events, [_without_id(row) for row in told if row["job"] not in there])
        failpoint("move.copied")


def _there(connection: Connection, room: str, new: list[Row]) -> set[str]:
    """Return which jobs are in the studio already. Raises JournalUnusable if one of them is another room's."""
    found = connection.execute(select(jobs.c.job, jobs.c.room).where(jobs.c.job.in_([row["job"] for row in new]))).all()
    for job, owner in found:
        if owner != room:
            raise JournalUnusable(
                f"The job {job} of this home is in the studio already, as one of the room {owner}.",
                next="Is this home a copy of one that was moved? Then move its journal.sqlite3 away.",
            )
    return {job for job, _ in found}


def _shift(old: Connection, connection: Connection, room: str) -> int:
    """Return what is added to the numbers of jobs, so that they come before all that the studio has, in their order.

    The first of them is written in the same transaction, so no other home gets the same numbers.
    """
    key = fact_of(room, _SHIFT)
    kept = connection.execute(select(facts.c.value).where(facts.c.key == key)).scalar_one_or_none()
    least = int(connection.execute(select(func.coalesce(func.min(jobs.c.seq), 1))).scalar_one())
    last = int(old.execute(select(func.max(jobs.c.seq))).scalar_one())
    if kept is not None:
        return int(kept)
    shift = min(least, 1) - 1 - last
    connection.execute(insert(facts), {"key": key, "value": shift})
    return shift


def _pressed(row: Row, room: str) -> Row:
    return {"fingerprint": own_press(room, row["fingerprint"])}


def _without_id(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "id"}


def _insert(connection: Connection, table: Table, rows: list[Row]) -> None:
    if rows:
        connection.execute(insert(table), [_storable(row) for row in rows])


def _storable(row: Row) -> Row:
    """Return a row without NUL in its texts, which PostgreSQL does not have."""
    return {name: value.replace("\0", "") if isinstance(value, str) else value for name, value in row.items()}


def _copy_renders(old: Connection, studio: Postgres) -> None:
    """Copy what is known of files in watched folders, all or nothing."""
    with _writing(studio) as connection:
        key = fact_of(studio.room, _RENDERS)
        if connection.execute(select(facts.c.key).where(facts.c.key == key)).first() is not None:
            return
        numbers: dict[int, int] = {}
        rows = [dict(row) for row in old.execute(select(renders).order_by(renders.c.id)).mappings()]
        for start in range(0, len(rows), _BATCH):
            part = rows[start : start + _BATCH]
            new = [_without_id(row) | {"room": studio.room, "same_as": None} for row in part]
            made = connection.execute(insert(renders).returning(renders.c.id, sort_by_parameter_order=True), new)
            numbers |= dict(zip((row["id"] for row in part), made.scalars(), strict=True))
        for row in rows:
            if row["same_as"] is not None:
                same = numbers.get(row["same_as"])
                connection.execute(update(renders).where(renders.c.id == numbers[row["id"]]).values(same_as=same))
        connection.execute(insert(facts), {"key": key, "value": len(rows)})


def _copy_facts(old: Connection, studio: Postgres) -> None:
    """Copy pause, agreed prices and the rest; what the studio knows already stays: a price is not agreed to anew."""
    wanted = {fact_of(studio.room, key): value for key, value in old.execute(select(facts.c.key, facts.c.value))}
    wanted.pop(fact_of(studio.room, moved.WHERE), None)
    with _writing(studio) as connection:
        there = set(connection.execute(select(facts.c.key).where(facts.c.key.in_(list(wanted)))).scalars())
        _insert(connection, facts, [{"key": key, "value": value} for key, value in wanted.items() if key not in there])


def _compare(old: Connection, studio: Postgres, charged: dict[str, float]) -> None:
    """Find that every job is there with its money. Raises JournalUnusable, and then the file is not marked as moved."""
    columns = (jobs.c.job, *(jobs.c[name] for name in _MONEY))
    sums: Counter[str] = Counter()
    with studio.begin_reading() as connection:
        for batch in _batches(old):
            mine = {row[0]: tuple(row) for row in old.execute(select(*columns).where(jobs.c.request.in_(batch)))}
            theirs = {
                row[0]: tuple(row)
                for row in connection.execute(
                    select(*columns).where(jobs.c.request.in_(batch), jobs.c.room == studio.room)
                )
            }
            if mine != theirs:
                wrong = sorted(job for job in mine.keys() | theirs.keys() if mine.get(job) != theirs.get(job))
                raise JournalUnusable(
                    f"{len(wrong)} job(s) are not in the studio as they are in the file: {', '.join(wrong[:5])}.",
                    next="Please report it; the file knows what was paid, and was not marked as moved.",
                )
            for _, price, charge, day, *_ in theirs.values():
                sums[day or ""] += price if charge != "none" else 0
        connection.exec_driver_sql("ROLLBACK")
    after = {day: micro / MICRO for day, micro in sums.items() if micro}
    assert after == {day: usd for day, usd in charged.items() if usd}, "the sums are those of the jobs"
