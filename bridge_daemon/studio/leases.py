"""Who is there, and who works on which job: the SQL of workers and leases.

procrastinate was tried first, as the engine that runs steps (3.10, with PostgreSQL 15). Its own test of ours: a worker
that was stopped for 10 s (a laptop that sleeps) and a second one that took over its stalled task both went on to send;
it found out afterwards, when it wrote the end of the task. A lease that counts has to be looked at in the transaction
that writes `submitting`, under the row that all writers lock, so leases lie in this database anyway, and a second list
of who works on what could only contradict them. Nor does it know "the room that asked first, others only if it is
dead". What is left to do beside that is this module: one statement that takes a job, and one that finds those that
nobody alive has.

A worker is a home: it is the same one after a restart, and finds its jobs as its own. `run` tells its processes apart.
All times are those of the server's clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, bindparam, text

from bridge_daemon.domain.job import OPEN, RESERVED

#: So often a worker says that it is there, s.
BEAT: Final = 3.0
#: Who was silent for so long is dead, s.
DEAD: Final = 10.0
ROOM: Final = "room"
KEEPER: Final = "keeper"

_NOW: Final = "extract(epoch FROM clock_timestamp())"
_ALIVE: Final = f"seen_at > {_NOW} - {DEAD}"


def is_alive(worker: str) -> str:
    """Return the condition that a row of workers is of one that is there."""
    return f"{worker}.{_ALIVE}"


#: Of a row ``j`` of jobs, that others may go on with it: its room is not there, or somebody dead was sending it.
LEFT_ALONE: Final = (
    "j.state = 'submitting' OR NOT EXISTS "
    f"(SELECT 1 FROM workers r WHERE r.room = j.room AND r.kind = '{ROOM}' AND {is_alive('r')})"
)
#: States in which there is work that another one can do.
_OPEN: Final = sorted(map(str, OPEN))
_RESERVED: Final = sorted(map(str, RESERVED))


@dataclass(frozen=True, kw_only=True, slots=True)
class Worker:
    """One bridge of the studio, as this process is."""

    id: str  # of its home
    run: str  # of this process
    room: str
    kind: str  # ROOM or KEEPER


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """One bridge of the studio, as the others see it."""

    id: str
    room: str
    kind: str
    about: dict[str, Any]
    started_at: float
    silent: float  # s since it was last heard of

    @property
    def alive(self) -> bool:
        """Whether it counts as being there."""
        return self.silent < DEAD


_OTHER_OF_ROOM: Final = text(
    f"SELECT about FROM workers WHERE room = :room AND kind = :kind AND id <> :id AND {_ALIVE} LIMIT 1"
)
_JOIN: Final = text(
    "INSERT INTO workers (id, run, room, kind, about, started_at, seen_at) "
    f"VALUES (:id, :run, :room, :kind, CAST(:about AS json), {_NOW}, {_NOW}) ON CONFLICT (id) DO UPDATE SET "
    "run = excluded.run, room = excluded.room, kind = excluded.kind, about = excluded.about, "
    "started_at = excluded.started_at, seen_at = excluded.seen_at"
)
_BEAT: Final = text(f"UPDATE workers SET seen_at = {_NOW} WHERE id = :id AND run = :run")
_LEAVE: Final = text("UPDATE workers SET seen_at = 0 WHERE id = :id AND run = :run")
_HELD: Final = text("SELECT job FROM leases WHERE worker = :id")
_ROOMS: Final = text(f"SELECT DISTINCT room FROM workers WHERE kind = '{ROOM}' AND {_ALIVE}")
_ALL: Final = text(
    f"SELECT id, room, kind, about, started_at, {_NOW} - seen_at AS silent FROM workers ORDER BY kind DESC, room"
)
#: Takes a job that is ours already, that nobody has, or whose worker is dead; only for a worker that is alive itself,
#: and of a room that is there only its own. The rights of its role say the same.
_TAKE: Final = text(
    "INSERT INTO leases (job, worker) "
    f"SELECT j.job, me.id FROM workers me, jobs j WHERE me.id = :id AND me.run = :run AND {is_alive('me')} "
    f"AND j.job = :job AND (j.room = me.room OR me.kind = '{KEEPER}' OR {LEFT_ALONE}) "
    "ON CONFLICT (job) DO UPDATE SET worker = excluded.worker WHERE leases.worker = excluded.worker "
    f"OR NOT EXISTS (SELECT 1 FROM workers w WHERE w.id = leases.worker AND w.{_ALIVE}) RETURNING job"
)
_GIVE_BACK: Final = text("DELETE FROM leases WHERE job = :job AND worker = :id")
_GIVE_ALL_BACK: Final = text("DELETE FROM leases WHERE worker = :id")
_SWEEP: Final = text(
    "DELETE FROM leases l USING jobs j WHERE l.worker = :id AND l.job = j.job AND j.state NOT IN :states"
).bindparams(bindparam("states", expanding=True))
#: Jobs with work to do that nobody alive has: of our own room, or of a room that is not there.
_FREE: Final = text(
    f"""
    SELECT j.job FROM jobs j
    LEFT JOIN leases l ON l.job = j.job
    LEFT JOIN workers w ON w.id = l.worker AND w.{_ALIVE}
    LEFT JOIN workers r ON r.room = j.room AND r.kind = '{ROOM}' AND r.{_ALIVE}
    WHERE w.id IS NULL AND (
        (j.room = :room AND :kind = '{ROOM}' AND (j.state IN :open OR (j.state IN :reserved)))
        OR (r.id IS NULL AND j.engine = :engine AND j.base_url = :base_url AND (
            (j.state IN :open AND j.original IS NULL)
            OR (:kind = '{KEEPER}' AND j.state IN :reserved AND j.valid_until > {_NOW}
                AND (j.action = 'generate' OR (:sources AND EXISTS (
                    SELECT 1 FROM stored s WHERE s.job = j.job AND s.kind = 'source' AND s.there AND NOT s.gone)))
                AND NOT EXISTS (SELECT 1 FROM facts f WHERE f.key = j.room || ' pause'))
        ))
    ) ORDER BY j.seq LIMIT 200
    """
).bindparams(bindparam("open", expanding=True), bindparam("reserved", expanding=True))


def name_of(token: str, kind: str, room: str) -> str:
    """Return the id of a worker: its home's, without telling the secret of it.

    A home that becomes another room is another worker: the rows of the one that it was are not its role's.
    """
    return hashlib.sha256(f"worker of {token} as {kind} {room}".encode()).hexdigest()[:32]


def other_of_room(connection: Connection, worker: Worker) -> dict[str, Any] | None:
    """Return what another bridge tells of itself that has the name of this room, None if there is none alive."""
    given = {"room": worker.room, "kind": worker.kind, "id": worker.id}
    found: dict[str, Any] | None = connection.execute(_OTHER_OF_ROOM, given).scalar_one_or_none()
    return found


def join(connection: Connection, worker: Worker, about: str) -> None:
    """Write that a worker is there, which has no job yet; ``about`` is JSON.

    What its last process had is free: nobody else could take it while this one is alive.
    """
    given = {"id": worker.id, "run": worker.run, "room": worker.room, "kind": worker.kind, "about": about}
    connection.execute(_JOIN, given)
    connection.execute(_GIVE_ALL_BACK, {"id": worker.id})


def beat(connection: Connection, worker: Worker) -> bool:
    """Write that a worker is still there. False: another process has its home's name now."""
    return connection.execute(_BEAT, {"id": worker.id, "run": worker.run}).rowcount == 1


def leave(connection: Connection, worker: Worker) -> None:
    """Write that a worker has gone: others need not wait."""
    connection.execute(_LEAVE, {"id": worker.id, "run": worker.run})


def held(connection: Connection, worker: Worker) -> set[str]:
    """Return the jobs that a worker has."""
    return set(connection.execute(_HELD, {"id": worker.id}).scalars())


def rooms_alive(connection: Connection) -> set[str]:
    """Return the rooms that are there."""
    return set(connection.execute(_ROOMS).scalars())


def everybody(connection: Connection) -> list[Seen]:
    """Return all who were ever there, rooms first."""
    return [Seen(**row) for row in connection.execute(_ALL).mappings()]


def take(connection: Connection, worker: Worker, job: str) -> bool:
    """Make a job the worker's own, if nobody alive has it and the worker counts as alive itself.

    Only within a transaction that holds the ledger does the answer last until something else is written.
    """
    given = {"job": job, "id": worker.id, "run": worker.run}
    return connection.execute(_TAKE, given).first() is not None


def give_back(connection: Connection, worker: Worker, job: str) -> None:
    """Let others take a job."""
    connection.execute(_GIVE_BACK, {"job": job, "id": worker.id})


def sweep(connection: Connection, worker: Worker) -> None:
    """Forget the leases of jobs that nobody has to work on any more."""
    connection.execute(_SWEEP, {"id": worker.id, "states": [*_OPEN, *_RESERVED]})


def free(connection: Connection, worker: Worker, engine: str, base_url: str, *, sources: bool) -> Sequence[str]:
    """Return jobs that a worker should take, oldest first; of other rooms only what it can go on with.

    ``sources``: it can publish what lies in the store.
    """
    given = {"room": worker.room, "kind": worker.kind, "engine": engine, "base_url": base_url, "sources": sources}
    return connection.execute(_FREE, given | {"open": _OPEN, "reserved": _RESERVED}).scalars().all()
