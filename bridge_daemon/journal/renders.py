"""The SQL of renders: what is known of the files in watched folders. Each function runs inside of one transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import RowMapping, Select, func, insert, or_, select, update

from bridge_daemon.domain.job import Job
from bridge_daemon.domain.render import Render, RenderState
from bridge_daemon.errors import NotFound
from bridge_daemon.journal.tables import renders
from bridge_daemon.journal.transaction import Transaction

_FIELDS = tuple(Render.__dataclass_fields__)
_MOST_NAMES = 500  # rows changed by one statement: SQLite bounds the number of parameters


def _render(row: RowMapping) -> Render:
    return Render(**{name: row[name] for name in _FIELDS if name != "state"}, state=RenderState(row["state"]))


def _own(tx: Transaction, query: Select[Any]) -> Select[Any]:
    """Return a search among the renders of this room: another one may have a folder of the same path."""
    return query if tx.room is None else query.where(renders.c.room == tx.room)


def _rows(tx: Transaction, query: Select[Any]) -> list[Render]:
    return [_render(row) for row in tx._connection.execute(_own(tx, query)).mappings()]


def one(tx: Transaction, entry: int) -> Render:
    """Return a render. Raises NotFound."""
    found = _rows(tx, select(renders).where(renders.c.id == entry))
    if not found:
        raise NotFound(f"There is no render {entry} in the list.", next="daw-bridge folders list")
    return found[0]


def present_in(tx: Transaction, root: str) -> list[Render]:
    """Return what is known of the files that were last seen in a folder."""
    return _rows(tx, select(renders).where(renders.c.root == root, renders.c.present))


def trying(tx: Transaction, root: str) -> list[Render]:
    """Return the renders whose request was made and not answered yet."""
    return _rows(tx, select(renders).where(renders.c.root == root, renders.c.try_id.is_not(None)))


def of_request(tx: Transaction, request: str) -> Render | None:
    """Return the render that a request was made of."""
    either = or_(renders.c.request == request, renders.c.try_id == request)
    found = _rows(tx, select(renders).where(either).order_by(renders.c.id.desc()))
    return found[0] if found else None


def sent_with(tx: Transaction, sha256: str, *, but: int | None = None) -> Render | None:
    """Return the first render with this content that was sent, or is being sent; ``but`` is not looked at."""
    sent = or_(renders.c.request.is_not(None), renders.c.try_id.is_not(None))
    query = select(renders).where(renders.c.sha256 == sha256, sent).order_by(renders.c.id)
    return next((found for found in _rows(tx, query) if found.id != but), None)


def sizes_sent(tx: Transaction) -> set[int]:
    """Return the sizes of all that was sent: a file of another size has another content."""
    sent = or_(renders.c.request.is_not(None), renders.c.try_id.is_not(None))
    return set(tx._connection.execute(_own(tx, select(renders.c.size).where(sent).distinct())).scalars())


def add(tx: Transaction, new: Iterable[dict[str, Any]]) -> list[Render]:
    """Write new renders and return them, in their order."""
    now = tx._times.now()
    empty = {"sha256": None, "code": None, "text": "", "same_as": None, "request": None, "try_id": None}
    rows = [
        empty
        | {"try_body": None, "tries": 0, "room": tx.room, "present": True, "seen_at": now, "updated_at": now}
        | values
        for values in new
    ]
    if not rows:
        return []
    done = tx._connection.execute(insert(renders).returning(renders, sort_by_parameter_order=True), rows)
    return [_render(row) for row in done.mappings()]


def change(tx: Transaction, entry: int, *, idle: bool = False, **values: Any) -> Render | None:
    """Change a render and return it; with ``idle`` only while no request is being made of it, else None."""
    where = [renders.c.id == entry]
    if idle:
        where.append(renders.c.try_id.is_(None))
    done = tx._connection.execute(update(renders).where(*where).values(updated_at=tx._times.now(), **values))
    return one(tx, entry) if done.rowcount == 1 else None


def vanish(tx: Transaction, entries: Collection[int]) -> None:
    """Write that the files of renders are not there any more."""
    for start in range(0, len(entries), _MOST_NAMES):
        part = list(entries)[start : start + _MOST_NAMES]
        tx._connection.execute(
            update(renders).where(renders.c.id.in_(part)).values(present=False, updated_at=tx._times.now())
        )


def find(
    tx: Transaction, *, folder: str | None, states: Collection[str], before: int | None, limit: int
) -> list[tuple[Render, list[Job]]]:
    """Return the renders whose files are there, newest first, each with the jobs of its request."""
    query = select(renders).where(renders.c.present).order_by(renders.c.id.desc()).limit(limit)
    if folder is not None:
        query = query.where(renders.c.folder == folder)
    query = query.where(renders.c.state.in_(states)) if states else query.where(renders.c.state != "forgotten")
    if before is not None:
        query = query.where(renders.c.id < before)
    return [(found, jobs_of(tx, found)) for found in _rows(tx, query)]


def jobs_of(tx: Transaction, render: Render) -> list[Job]:
    """Return the jobs of a render, or of the one with the same content that was sent before."""
    request = render.request
    if request is None and render.same_as is not None:
        request = one(tx, render.same_as).request
    return tx.jobs_of(request) if request is not None else []


def count(tx: Transaction) -> dict[str, dict[str, int]]:
    """Return, for each folder, how many of the files that are there are in each state."""
    query = select(renders.c.folder, renders.c.state, func.count()).where(renders.c.present)
    found: dict[str, dict[str, int]] = {}
    for folder, state, number in tx._connection.execute(_own(tx, query.group_by(renders.c.folder, renders.c.state))):
        found.setdefault(folder, {})[state] = number
    return found
