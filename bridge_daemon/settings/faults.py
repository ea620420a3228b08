"""What is wrong with the settings, in words: where it stands, its value, what is allowed, what was perhaps meant."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from bridge_daemon.util.redact import HIDDEN, redact

#: A place in the settings: section, key, and further where lists and tables are nested.
Loc = tuple[str | int, ...]
_LONGEST_VALUE = 60
_SECRET_NAME = re.compile(r"(?i)(secret|token|passw|credential|api_?key|access_?key|^key$)")


@dataclass(frozen=True, slots=True)
class SettingFault:
    """One thing that is wrong with the settings."""

    where: str  #: ``config.toml:12``, or the variable of the environment
    setting: str  #: ``spend.per_day_usd``; empty when it is the file as a whole
    value: str  #: as it may be shown; empty when there is none
    allowed: str  #: the rest of the sentence

    def __str__(self) -> str:
        """Return it as one line."""
        value = f" = {self.value}" if self.value else ""
        return (
            f"{self.where}: {self.setting}{value}: {self.allowed}" if self.setting else f"{self.where}: {self.allowed}"
        )


@dataclass(frozen=True, slots=True)
class Found:
    """A fault whose place in the file is not looked up yet."""

    loc: Loc
    value: Any  #: :data:`MISSING` when there is none
    allowed: str


#: No value was given.
MISSING: Any = object()


class Schema:
    """The JSON schema of the settings, asked by place."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._root = schema
        self._definitions: Mapping[str, Any] = schema.get("$defs", {})

    def at(self, loc: Iterable[str | int]) -> Mapping[str, Any] | None:
        """Return what the schema says of a place; None when there is no such setting."""
        node: Mapping[str, Any] | None = self.resolve(self._root)
        for step in loc:
            if node is None:
                return None
            if isinstance(step, int):
                inner = node.get("items")
            else:
                inner = node.get("properties", {}).get(step) or node.get("additionalProperties")
            node = self.resolve(inner) if isinstance(inner, Mapping) else None
        return node

    def resolve(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        """Follow references, and look through "or left out"."""
        if "$ref" in node:
            return {**self.resolve(self._definitions[node["$ref"].rpartition("/")[2]]), **_own(node)}
        choices = [choice for choice in node.get("anyOf", ()) if choice.get("type") != "null"]
        return {**self.resolve(choices[0]), **_own(node)} if len(choices) == 1 else node

    def keys(self, loc: Iterable[str | int]) -> list[str]:
        """Return the keys that are known at a place."""
        return list((self.at(loc) or {}).get("properties", {}))


def _own(node: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in node.items() if key not in ("$ref", "anyOf")}


def allowed(node: Mapping[str, Any]) -> str:
    """Say in words what the schema allows, so that it can follow "must be"."""
    if "allowed" in node:
        return str(node["allowed"])
    if "enum" in node:
        shown = [json.dumps(value) for value in node["enum"]]
        return ", ".join(shown[:-1]) + f" or {shown[-1]}"
    kind = node.get("type")
    if kind == "boolean":
        return "true or false"
    if kind in ("integer", "number"):
        return ("a whole number" if kind == "integer" else "a number") + _range(node)
    if kind == "array":
        items = node.get("items", {})
        return f"a list of {allowed(items)}" if "allowed" in items or "type" in items else "a list of tables"
    if kind == "object":
        return "a table"
    least, most = node.get("minLength"), node.get("maxLength")
    if most is None:
        return "text"
    return f"text of {least} to {most} characters" if least else f"text of at most {most} characters"


def _range(node: Mapping[str, Any]) -> str:
    low, high, above = node.get("minimum"), node.get("maximum"), node.get("exclusiveMinimum")
    if low is not None and high is not None:
        return f", {low:g} to {high:.10g}"
    parts = []
    if above is not None:
        parts.append(f"more than {above:g}")
    if low is not None:
        parts.append(f"{low:g} or more")
    if high is not None:
        parts.append(f"at most {high:.10g}")
    return ", " + " and ".join(parts) if parts else ""


def meant(word: str, known: Iterable[str]) -> str:
    """Return "; did you mean X?" for the nearest known word, or nothing."""
    lowered = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
    return f"; did you mean {lowered[near[0]]}?" if near else ""


def from_pydantic(error: ValidationError, schema: Schema) -> list[Found]:
    """Put each of pydantic's errors into our words."""
    found = []
    for part in error.errors():
        loc, kind = tuple(part["loc"]), part["type"]
        node = schema.at(loc) or {}
        value = MISSING if kind == "missing" else part["input"]
        if kind == "extra_forbidden":
            text = _unknown(loc, schema)
        elif kind == "missing":
            text = f"is required: {allowed(node)}"
        elif kind == "value_error":
            text = str(part["ctx"]["error"])
        else:
            text = f"must be {allowed(node)}"
        found.append(Found(loc, value, text))
    return found


def _unknown(loc: Loc, schema: Schema) -> str:
    key, parent = str(loc[-1]), loc[:-1]
    if _SECRET_NAME.search(key):
        return "is not a setting: no secret is kept in config.toml; the API key is set by: daw-bridge key set"
    near = meant(key, schema.keys(parent))
    if not near:
        homes = [name for name in schema.keys(()) if (name,) != parent and key in schema.keys((name,))]
        near = f"; it belongs in [{'] or ['.join(homes)}]" if homes else ""
    return ("is not a section" if len(loc) == 1 and not near.startswith("; it") else "is not a setting") + near


def name_of(loc: Loc) -> str:
    """Write a place as ``midi.bindings[2].channel``; members of lists are counted from 1, as a person does."""
    text = ""
    for step in loc:
        text += f"[{step + 1}]" if isinstance(step, int) else f".{step}"
    return text.lstrip(".")


def shown(loc: Loc, value: Any) -> str:
    """Return a value as it may be shown: short, and hidden when it looks like a secret."""
    if value is MISSING:
        return ""
    if isinstance(loc[-1], str) and _SECRET_NAME.search(loc[-1]):
        return HIDDEN
    text = redact(json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?")
_KEY = re.compile(r"^\s*([A-Za-z0-9_.\"'-]+)\s*=")


def lines_of(text: str) -> dict[Loc, int]:
    """Return the line of each table and key of a TOML text: near enough to point at, and never needed for more."""
    lines: dict[Loc, int] = {}
    table: Loc = ()
    counts: dict[Loc, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _steps(header[2])
            if header[1] == "[[":
                index = counts.get(table, 0)
                counts[table] = index + 1
                table = (*table, index)
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            lines.setdefault((*table, *_steps(key[1])), number)
    return lines


def _steps(dotted: str) -> Loc:
    return tuple(step.strip().strip("\"'") for step in dotted.split("."))


def line_of(loc: Loc, lines: Mapping[Loc, int]) -> int | None:
    """Return the line of a place, or of the nearest table around it."""
    while loc:
        if loc in lines:
            return lines[loc]
        loc = loc[:-1]
    return None
