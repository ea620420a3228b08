"""What may stand in the query of an address: each value declared once, for reading it and for describing it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Final

from aiohttp import web

from bridge_daemon.errors import Fault, InvalidRequest

_WHOLE: Final = r"[1-9][0-9]{0,8}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One text that matches a pattern."""

    name: str
    meaning: str
    pattern: str
    allowed: str

    def read(self, given: Sequence[str], faults: list[Fault]) -> Any:
        """Return the one value, None if there is none."""
        values = [value for value in given if value]
        if not values:
            return None
        if len(values) > 1 or not re.fullmatch(self.pattern, values[0]) or "\0" in values[0]:
            faults.append(Fault(self.name, values[0], self.allowed))
        return values[0]

    def schema(self) -> dict[str, Any]:
        """Return its JSON schema."""
        return {"type": "string", "description": self.allowed}


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A local day."""

    name: str
    meaning: str

    def read(self, given: Sequence[str], faults: list[Fault]) -> date | None:
        """Return the day, None if there is none."""
        values = [value for value in given if value]
        if not values:
            return None
        try:
            if len(values) == 1 and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", values[0]):
                return date.fromisoformat(values[0])
        except ValueError:  # the 30th of February
            pass
        faults.append(Fault(self.name, values[0], "must be a day, written as 2026-11-28"))
        return None

    def schema(self) -> dict[str, Any]:
        """Return its JSON schema."""
        return {"type": "string", "format": "date"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A whole number from 1 on."""

    name: str
    meaning: str
    most: int
    default: int | None = None

    def read(self, given: Sequence[str], faults: list[Fault]) -> int | None:
        """Return the number, the default if there is none."""
        values = [value for value in given if value]
        if not values:
            return self.default
        if len(values) == 1 and re.fullmatch(_WHOLE, values[0]) and int(values[0]) <= self.most:
            return int(values[0])
        faults.append(Fault(self.name, values[0], f"must be a whole number, 1 to {self.most}"))
        return self.default

    def schema(self) -> dict[str, Any]:
        """Return its JSON schema."""
        return {"type": "integer", "minimum": 1, "maximum": self.most} | (
            {"default": self.default} if self.default is not None else {}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """True or false."""

    name: str
    meaning: str
    default: bool | None = None

    def read(self, given: Sequence[str], faults: list[Fault]) -> bool | None:
        """Return the flag, the default if there is none."""
        values = [value for value in given if value]
        if not values:
            return self.default
        if len(values) > 1 or values[0] not in ("true", "false"):
            faults.append(Fault(self.name, values[0], "must be true or false"))
            return self.default
        return values[0] == "true"

    def schema(self) -> dict[str, Any]:
        """Return its JSON schema."""
        return {"type": "boolean"} | ({"default": self.default} if self.default is not None else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Some of a list of names, with commas between them or one after the other."""

    name: str
    meaning: str
    kind: type[StrEnum]

    def read(self, given: Sequence[str], faults: list[Fault]) -> list[str]:
        """Return the names, each once."""
        known: list[Any] = [str(choice) for choice in self.kind]
        named = dict.fromkeys(name.strip() for name in ",".join(given).split(",") if name.strip())
        faults += [Fault(self.name, name, f"must be one of {', '.join(known)}") for name in named if name not in known]
        return list(named)

    def schema(self) -> dict[str, Any]:
        """Return its JSON schema."""
        return {"type": "array", "items": {"type": "string", "enum": [str(choice) for choice in self.kind]}}


Param = Text | Day | Whole | Flag | Choices


def read_query(request: web.BaseRequest, params: Sequence[Param]) -> dict[str, Any]:
    """Return the value of each parameter. Raises InvalidRequest with every fault, unknown names among them."""
    query = request.query
    known = [one.name for one in params]
    allowed = f"is not one of {', '.join(known)}" if known else "is not known: this address takes no query"
    # the values are not repeated: people do put secrets there
    faults = [Fault(key[:40], None, allowed) for key in dict.fromkeys(query) if key not in known]
    values = {one.name: one.read(query.getall(one.name, []), faults) for one in params}
    if faults:
        raise InvalidRequest(faults)
    return values
