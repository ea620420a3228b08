"""The fields of a preset's prompt: ``{tempo}``, ``{name}`` … become what is known at the press.

Only the prompt of a preset has fields: what a person types is sent as typed. A field without a value takes the phrase
between two commas that it stands in out of the prompt, and the job says so: "at {tempo} BPM" without a tempo would
be worse than nothing. Wildcards (``{warm|cold}``) are left for :mod:`bridge_daemon.domain.wildcards`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bridge_daemon.domain import wildcards

#: Every field, and what it stands for.
FIELDS: Final[Mapping[str, str]] = {
    "tempo": "quarter notes a minute",
    "bpm": "the same as tempo",
    "key": "the key, as A minor",
    "meter": "the time signature, as 4/4",
    "numerator": "beats in a bar",
    "denominator": "what one of them is: 4 for a quarter",
    "bars": "length of the place, in bars",
    "name": "of the render in a watched folder, or of the item, without its ending",
    "folder": "name of the watched folder",
    "track": "name of the track",
    "project": "name of the project",
    "client": "name of the client",
}
#: Characters of one value; names of files are no essays.
LONGEST: Final = 120
#: A tempo so near to a whole number is written as that, BPM: what is left is the jitter of a cable.
NEAR: Final = 0.1
#: A prompt that names a tempo or a key itself keeps its own.
_TEMPO: Final = re.compile(r"\d\s*-?bpm\b", re.IGNORECASE)
_KEY: Final = re.compile(r"\b[a-g](#|b|♯|♭|[ -]?sharp|[ -]?flat)?[ -]?(major|minor|maj|min)\b", re.IGNORECASE)
_FIELD: Final = re.compile(r"\\\{|\{\{|\}\}|\{([^{}|]*)\}")
_BAR: Final = re.compile(r"[^{}]*\|")  # before the next brace


@dataclass(frozen=True, slots=True)
class Filled:
    """A prompt as it is sent."""

    text: str
    notes: tuple[str, ...]  # what was left out, for people


def names(prompt: str) -> list[str]:
    """Return the names of the fields in a prompt, in their order; ``{{`` and ``}}`` are braces."""
    found = [match[1] for match in _FIELD.finditer(prompt) if match[1] is not None]
    return list(dict.fromkeys(name.strip() for name in found))


def fill(prompt: str, fields: Mapping[str, object]) -> Filled:
    """Put what is known into the prompt of a preset; a phrase that asks for what is not known is left out."""
    phrases = _phrases(prompt)
    kept: list[str] = []
    notes: list[str] = []
    for phrase in phrases:
        missing = [name for name in names(phrase) if _written(name, fields.get(name)) is None]
        if missing:
            notes.append(f'the prompt was sent without "{_shown(phrase)}": {_unknown(missing)}')
        else:
            kept.append(_FIELD.sub(lambda match: _value(match, fields), phrase))
    text = ",".join(kept) if not notes else ", ".join(phrase.strip() for phrase in kept)
    return Filled(text.strip(), tuple(notes))


def musical(prompt: str, fields: Mapping[str, object], longest: int) -> Filled:
    """Add the tempo and the key to a prompt that names none, where they are known and there is room for them."""
    added = []
    tempo, key = _written("tempo", fields.get("tempo")), _written("key", fields.get("key"))
    if tempo is not None and not _TEMPO.search(prompt):
        added.append(f"{tempo} BPM")
    if key is not None and not _KEY.search(prompt) and key.casefold() not in prompt.casefold():
        added.append(wildcards.escape(key))
    words = ", ".join(added)
    text = f"{prompt.strip().rstrip(',')}, {words}"
    if not words or len(text) > longest:
        return Filled(prompt, ())
    return Filled(text, (f"added to the prompt: {words}",))


def _phrases(prompt: str) -> list[str]:
    """Return what stands between the commas of a prompt; a comma within braces belongs to them."""
    phrases, depth = [""], 0
    for character in prompt:
        depth += (character == "{") - (character == "}")
        if character == "," and depth == 0:
            phrases.append("")
        else:
            phrases[-1] += character
    return phrases if depth == 0 else prompt.split(",")


def _value(match: re.Match[str], fields: Mapping[str, object]) -> str:
    if match[1] is None:
        if match[0] == "{{" and _BAR.match(match.string, match.end()):
            return "\\{"  # else it would become a wildcard
        return match[0] if match[0] == "\\{" else match[0][0]
    value = _written(match[1].strip(), fields.get(match[1].strip())) or ""
    return wildcards.escape(value)


def _written(name: str, value: Any) -> str | None:
    """Return a value as musicians write it, None if there is none."""
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return number(float(value))
    text = " ".join(str(value).split())
    return text[:LONGEST].strip() or None


def number(value: float) -> str:
    """Return a tempo or a count as musicians write it: 120, 87.5."""
    whole = round(value)
    if abs(value - whole) < NEAR:
        return str(whole)
    return f"{value:.1f}".removesuffix(".0")


def _shown(phrase: str) -> str:
    text = " ".join(phrase.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _unknown(missing: list[str]) -> str:
    return f"no {' and no '.join(missing)} is known"
