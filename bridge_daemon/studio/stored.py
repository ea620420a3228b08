"""What lies in the store of a studio, and what is still to be put there: the SQL of it.

There is a row before there is an object, so that none is left behind. Each bridge that has a copy has a row of its own:
whoever of them is alive puts it into the store. `there` is written once the object came back as it was put; `gone`
before it is removed, and from then on nobody counts on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import Connection, bindparam, text

from bridge_daemon.domain.job import TERMINAL, State

SOURCE: Final = "source"
ORIGINAL: Final = "original"  # of a take, as it came
_MARK: Final = "mark"
_NOW: Final = "extract(epoch FROM clock_timestamp())"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """One object, and the copy of it that a bridge has."""

    job: str
    kind: str
    worker: str
    name: str
    sha256: str
    file: str


_COLUMNS: Final = "job, kind, worker, name, sha256, file"
_NOTE: Final = text(
    f"INSERT INTO stored ({_COLUMNS}, there, gone) "
    "VALUES (:job, :kind, :worker, :name, :sha256, :file, false, false) ON CONFLICT (job, kind, worker) DO UPDATE SET "
    "name = excluded.name, sha256 = excluded.sha256, file = excluded.file, there = false"
)
_GOING: Final = text("SELECT 1 FROM stored WHERE name = :name AND gone LIMIT 1")
_THERE: Final = text("UPDATE stored SET there = true WHERE job = :job AND kind = :kind AND worker = :worker")
_LYING: Final = text(f"SELECT {_COLUMNS} FROM stored WHERE job = :job AND kind = :kind AND there AND NOT gone LIMIT 1")
_LOST: Final = text("UPDATE stored SET there = false WHERE name = :name")
#: The room has a take once it made it of its original: nothing is owed to it any more.
_HAS: Final = ", ".join(f"'{state}'" for state in (State.STORED, State.PLACED))
_OWED: Final = text(
    f"SELECT {_COLUMNS} FROM stored s JOIN jobs j USING (job) WHERE worker = :worker AND kind = '{ORIGINAL}' "
    f"AND NOT there AND NOT gone AND j.state NOT IN ({_HAS}) AND NOT EXISTS "
    "(SELECT 1 FROM stored o WHERE o.job = s.job AND o.kind = s.kind AND o.there AND NOT o.gone) ORDER BY job"
)
_OVER: Final = (
    f"(s.gone OR (s.kind = '{ORIGINAL}' AND j.state IN ({_HAS})) "
    f"OR (j.state IN :ended AND j.updated_at < {_NOW} - :keep))"
)
_NEEDED: Final = f"EXISTS (SELECT 1 FROM stored s JOIN jobs j USING (job) WHERE s.name = n.name AND NOT {_OVER})"
_ENDED: Final = sorted(map(str, TERMINAL | {State.STORED}))
_REMOVABLE: Final = text(
    f"SELECT DISTINCT name FROM stored n WHERE kind <> '{_MARK}' AND NOT {_NEEDED} ORDER BY name LIMIT 100"
).bindparams(bindparam("ended", expanding=True))
_GONE: Final = text(f"UPDATE stored n SET gone = true WHERE name = :name AND NOT {_NEEDED}").bindparams(
    bindparam("ended", expanding=True)
)
_FORGET: Final = text("DELETE FROM stored WHERE name = :name AND gone")
_MARKED: Final = text(f"SELECT 1 FROM stored WHERE kind = '{_MARK}' LIMIT 1")
_ADD_MARK: Final = text(
    f"INSERT INTO stored ({_COLUMNS}, there, gone) VALUES ('-', '{_MARK}', :worker, :name, '', '', true, false) "
    "ON CONFLICT DO NOTHING"
)


def note(connection: Connection, row: Stored) -> bool:
    """Write that an object is to be put into the store. False: one of that name is just being removed."""
    if connection.execute(_GOING, {"name": row.name}).first() is not None:
        return False
    connection.execute(_NOTE, asdict(row))
    return True


def there(connection: Connection, row: Stored) -> None:
    """Write that an object lies in the store."""
    connection.execute(_THERE, {"job": row.job, "kind": row.kind, "worker": row.worker})


def lying(connection: Connection, job: str, kind: str) -> Stored | None:
    """Return what of a job lies in the store."""
    found = connection.execute(_LYING, {"job": job, "kind": kind}).mappings().first()
    return Stored(**found) if found is not None else None


def lost(connection: Connection, name: str) -> None:
    """Write that an object does not lie in the store after all: whoever has a copy puts it there again."""
    connection.execute(_LOST, {"name": name})


def owed(connection: Connection, worker: str) -> list[Stored]:
    """Return what a bridge fetched for rooms that do not have it, and that does not lie in the store."""
    return [Stored(**row) for row in connection.execute(_OWED, {"worker": worker}).mappings()]


def removable(connection: Connection, keep: float) -> Sequence[str]:
    """Return the names of objects that nobody needs, or needed for ``keep`` seconds."""
    return connection.execute(_REMOVABLE, _given(keep)).scalars().all()


def going(connection: Connection, name: str, keep: float) -> bool:
    """Write that an object is about to be removed, if nobody needs it still."""
    return connection.execute(_GONE, {"name": name} | _given(keep)).rowcount > 0


def forget(connection: Connection, name: str) -> None:
    """Forget an object that was removed."""
    connection.execute(_FORGET, {"name": name})


def marked(connection: Connection) -> bool:
    """Return whether the store of this studio was ever used."""
    return connection.execute(_MARKED).first() is not None


def add_mark(connection: Connection, worker: str, name: str) -> None:
    """Write that the store of this studio is in use."""
    connection.execute(_ADD_MARK, {"worker": worker, "name": name})


def _given(keep: float) -> dict[str, Any]:
    return {"keep": keep, "ended": _ENDED}
