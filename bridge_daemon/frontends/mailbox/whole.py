"""Files that a script writes in place, under their final name, because it cannot rename: when they are whole.

Such a file ends with the member ``"end": true``. An object that is not closed is still being written, or its writer
died: it is left where it lies until it has not changed for long.
"""

from __future__ import annotations

from typing import Any, Final

_END: Final = "end"


def is_unfinished(raw: bytes) -> bool:
    """Return whether this is the beginning of an object, or of nothing yet."""
    text = raw.decode("utf-8", "ignore").lstrip()
    if not text:
        return True
    if not text.startswith("{"):
        return False
    depth, quoted, escaped = 0, False, False
    for mark in text:
        if quoted:
            quoted, escaped = escaped or mark != '"', mark == "\\" and not escaped
        elif mark == '"':
            quoted = True
        elif mark in "{[":
            depth += 1
        elif mark in "}]":
            depth -= 1
            if depth <= 0:
                return False
    return True


def without_end(data: dict[str, Any]) -> dict[str, Any]:
    """Return an object without the member that closes a file written in place. Elsewhere, ``end`` is a key like any."""
    last = next(reversed(data), None)
    return {key: value for key, value in data.items() if key != _END} if last == _END and data[_END] is True else data
