"""A job as a row of the journal, and back."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import fields
from typing import Any, TypeVar

from sqlalchemy import RowMapping

from bridge_daemon.domain.job import Charge, Fitted, Job, Parameters, Problem, Publication, State, Take
from bridge_daemon.domain.request import Place, Source

T = TypeVar("T")
#: Fields that have another name as a column.
_COLUMNS = {"id": "job", "request_id": "request"}
#: What is looked for within a place.
_SEARCHED = ("project", "project_id")
_PLAIN = {field.name for field in fields(Job)} - {
    "state",
    "charge",
    "parameters",
    "place",
    "source",
    "publication",
    "take",
    "fitted",
    "notes",
    "tags",
    "problem",
}


def _data(value: Any) -> Any:
    """Return a dataclass whose values are plain data as such, None as None."""
    return None if value is None else {field.name: getattr(value, field.name) for field in fields(value)}


def _searched(text: str) -> str:
    """Return a text as it can be looked for: PostgreSQL has no NUL in texts that it compares."""
    return text.replace("\0", "")


#: How each field that is no plain column value is written.
_WRITERS: dict[str, Callable[[Any], Any]] = {
    "state": str,
    "charge": str,
    "parameters": _data,
    "place": lambda place: {
        name: _searched(value) if name in _SEARCHED else value for name, value in place.as_dict().items()
    },
    "source": lambda source: source.as_dict() if source else None,
    "publication": _data,
    "take": _data,
    "fitted": _data,
    "notes": list,
    "tags": list,
    "problem": _data,
}


def to_row(values: dict[str, Any]) -> dict[str, Any]:
    """Return fields of a Job as column values."""
    row = {
        _COLUMNS.get(name, name): _WRITERS[name](value) if name in _WRITERS else value for name, value in values.items()
    }
    if "parameters" in values:
        row["prompt"] = _searched(values["parameters"].prompt)  # a column of its own, to be searched
    return row


def _known(kind: type[T], data: dict[str, Any]) -> T:
    """Return a dataclass of plain data."""
    return kind(**_only({field.name for field in fields(kind)}, data))  # type: ignore[arg-type]


def _only(names: Container[str], data: dict[str, Any]) -> dict[str, Any]:
    """Leave out what a newer version has added: its journal can still be looked at."""
    return {name: value for name, value in data.items() if name in names}


def from_row(row: RowMapping) -> Job:
    """Return the Job of a row."""
    plain = {name: row[_COLUMNS.get(name, name)] for name in _PLAIN}
    return Job(
        **plain,
        state=State(row["state"]),
        charge=Charge(row["charge"]),
        parameters=_known(Parameters, row["parameters"]),
        place=Place.model_validate(_only(Place.model_fields, row["place"])),
        source=Source.model_validate(_only(Source.model_fields, row["source"])) if row["source"] else None,
        publication=_known(Publication, row["publication"]) if row["publication"] else None,
        take=_known(Take, row["take"]) if row["take"] else None,
        fitted=_known(Fitted, row["fitted"]) if row["fitted"] else None,
        notes=tuple(row["notes"]),
        tags=tuple(row["tags"]),
        problem=_known(Problem, row["problem"]) if row["problem"] else None,
    )
