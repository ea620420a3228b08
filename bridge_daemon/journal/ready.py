"""Statements that a press waits for, made ready once for each kind of database: what is left is to run their text.

SQLAlchemy makes the key of a statement, its parameters and the types of its rows anew each time that it is executed,
which takes longer than SQLite needs for all of it. What it says of them is kept here, and they are run on its
connection: errors and lost connections mean the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Dialect, Select, UpdateBase
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.selectable import ReturnsRows
from sqlalchemy.types import TypeEngine

Statement = Select[Any] | UpdateBase
Convert = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Found:
    """What a statement found or did."""

    rows: Sequence[tuple[Any, ...]]
    count: int  # rows that were changed

    @property
    def value(self) -> Any:
        """The first value of the first row; None if there is no row."""
        return self.rows[0][0] if self.rows else None


@dataclass(slots=True)
class _Ready:
    """A statement as one kind of database takes it."""

    text: str
    in_order: tuple[str, ...] | None  # None: its parameters go by their names
    fixed: dict[str, Any]  # values that belong to the statement
    writers: Mapping[str, Convert]
    columns: tuple[TypeEngine[Any], ...]
    #: Of the columns; empty: none of them needs one; None until the driver has named the types that it gives.
    readers: tuple[Convert | None, ...] | None = None


_ready: Final[WeakKeyDictionary[Dialect, dict[Statement, _Ready]]] = WeakKeyDictionary()


def run(connection: Connection, statement: Statement, given: Mapping[str, Any]) -> Found:
    """Run a statement that is kept, which names every parameter that it takes and knows the types of all of them."""
    kept = _ready.setdefault(connection.dialect, {})
    ready = kept.get(statement) or kept.setdefault(statement, _make(statement, connection.dialect))
    values = ready.fixed | {
        name: value if (write := ready.writers.get(name)) is None else write(value) for name, value in given.items()
    }
    parameters = values if ready.in_order is None else tuple([values[name] for name in ready.in_order])
    rows, count, given_types = _execute(connection, ready.text, parameters)
    if ready.readers is None:
        each = zip(ready.columns, given_types, strict=True)
        readers = tuple(kind.result_processor(connection.dialect, given) for kind, given in each)
        ready.readers = readers if any(readers) else ()
    if ready.readers:
        rows = [tuple([_read(*one) for one in zip(ready.readers, row, strict=True)]) for row in rows]
    return Found(rows, count)


def _execute(connection: Connection, text: str, parameters: Any) -> tuple[Sequence[tuple[Any, ...]], int, list[Any]]:
    """Run a text on the driver's connection; return the rows, how many were changed, and the driver's types.

    Its errors are those that SQLAlchemy makes of the driver's.
    """
    dialect, driver = connection.dialect, connection.connection
    with closing(driver.cursor()) as cursor:
        try:
            cursor.execute(text, parameters)
            kinds = [column[1] for column in cursor.description or ()]
            return cursor.fetchall() if kinds else (), cursor.rowcount, kinds
        except dialect.loaded_dbapi.Error as error:
            lost = dialect.is_disconnect(error, driver, cursor)
            if lost:
                connection.invalidate(error)
            base: Any = dialect.loaded_dbapi.Error
            raise DBAPIError.instance(
                text, None, error, base, hide_parameters=True, connection_invalidated=lost, dialect=dialect
            ) from error


def _read(read: Convert | None, value: Any) -> Any:
    return value if read is None else read(value)


def _make(statement: Statement, dialect: Dialect) -> _Ready:
    compiled = statement.compile(dialect=dialect)
    assert isinstance(compiled, SQLCompiler)
    assert not compiled.post_compile_params, "a list of any length cannot be made ready"
    kinds = {name: bind.type.dialect_impl(dialect) for name, bind in compiled.binds.items()}
    writers = {name: write for name, kind in kinds.items() if (write := kind.bind_processor(dialect)) is not None}
    columns = statement.exported_columns if isinstance(statement, ReturnsRows) else ()
    fixed = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
    return _Ready(
        text=compiled.string,
        in_order=None if compiled.positiontup is None else tuple(compiled.positiontup),
        fixed={name: writers[name](value) if name in writers else value for name, value in fixed.items()},
        writers=writers,
        columns=tuple(column.type.dialect_impl(dialect) for column in columns),
    )
