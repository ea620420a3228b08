"""What is written to the terminal: plain where it goes into a file or a pipe, and nothing that could harm a terminal.

Texts come from prompts, scripts and the service. Control characters in them are shown as what they are.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TextIO

_CODES: Final = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
_CONTROL: Final = {
    code: f"\\x{code:02x}" for code in (*range(0x20), 0x7F, *range(0x80, 0xA0)) if chr(code) not in "\n\t"
} | dict.fromkeys((0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)), "")  # turn the reading around
_LEAST_CROP: Final = 12
_SIGPIPE: Final = 128 + 13  # what shells tell of a program that wrote to a closed pipe


class OutputClosed(BrokenPipeError):
    """Whoever read our output has read enough (``| head``)."""


def leave_pipe() -> int:
    """Write nothing more, also not at the end of the process; return the exit code of one that SIGPIPE ended."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())
    return _SIGPIPE


def make_safe() -> None:
    """Never fail because a console cannot show a character (ASCII, old code pages of Windows); it shows ``?``."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    if sys.platform == "win32" and is_terminal():
        os.system("")  # switches the escape codes of old consoles on


def is_terminal(*, err: bool = False) -> bool:
    """Return whether a person looks at stdout (or stderr)."""
    stream = _stream(err)
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # it was closed
        return False


def is_person() -> bool:
    """Return whether somebody is there who can be asked: keyboard and screen."""
    return is_terminal(err=True) and sys.stdin is not None and sys.stdin.isatty()


def ask(question: str, *, default: bool = False) -> bool:
    """Ask the person something, on stderr: stdout stays clean. Without an answer it is ``default``, at the end: no."""
    _write(f"{clean(question)} {'[Y/n]' if default else '[y/N]'}: ", err=True)
    line = sys.stdin.readline() if sys.stdin is not None else ""
    answer = line.strip().lower()
    return answer in ("y", "yes") or (default and not answer and bool(line))


def read(question: str) -> str:
    """Ask the person for a text, on stderr; return it without white space around it. No more input means: stop."""
    _write(clean(question), err=True)
    line = sys.stdin.readline() if sys.stdin is not None else ""
    if not line:
        raise KeyboardInterrupt
    return line.strip()


def clean(text: object) -> str:
    """Return a text that does nothing to a terminal but be read."""
    return str(text).translate(_CONTROL)


def one_line(text: object) -> str:
    """Return a text as one clean line."""
    return clean(" ".join(str(text).split()))


def paint(text: str, style: str, *, err: bool = False) -> str:
    """Return the text in a style (words of: bold, dim, red, green, yellow, cyan), if that is wished."""
    if not style or not is_terminal(err=err) or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{';'.join(_CODES[word] for word in style.split())}m{text}\x1b[0m"


def say(text: object = "", style: str = "", *, err: bool = False) -> None:
    """Write a line to stdout (or stderr)."""
    _write(paint(clean(text), style, err=err) + "\n", err=err)


def note(text: object, style: str = "") -> None:
    """Write a line for the person to stderr."""
    say(text, style, err=True)


def note_painted(text: str) -> None:
    """As :func:`note`, for a line that is clean and painted already."""
    _write(text + "\n", err=True)


def fields(pairs: Sequence[tuple[str, str]], *, err: bool = False) -> None:
    """Write names and values in two columns; a pair without a name goes on with the one before."""
    width = max((len(name) for name, _ in pairs), default=0) + 2
    for name, value in pairs:
        lines = clean(value).splitlines() or [""]
        for number, line in enumerate(lines):
            head = paint(f"{name if number == 0 else '':<{width}}", "dim", err=err)
            _write(f"{head}{line}\n", err=err)


def table(names: Sequence[str], rows: Sequence[Sequence[object]], *, crop: int | None = None) -> None:
    """Write aligned columns to stdout. On a terminal the column ``crop`` is cut so that each row is one line."""
    cells = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(width_of(row[i]) for row in [list(names), *cells]) for i in range(len(names))]
    if crop is not None and is_terminal():
        room = shutil.get_terminal_size().columns - sum(widths) - 2 * (len(widths) - 1) + widths[crop]
        widths[crop] = min(widths[crop], max(_LEAST_CROP, room))
    for number, row in enumerate([list(names), *cells]):
        line = "  ".join(_fit(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip()
        _write(paint(line, "" if number else "bold") + "\n")


def bar(fraction: float, width: int = 20) -> str:
    """Return a bar that every console can show."""
    full = round(max(0.0, min(1.0, fraction)) * width)
    return f"[{'#' * full}{'.' * (width - full)}]"


def dump(data: Any) -> None:
    """Write JSON to stdout; ASCII, so that it survives every console."""
    _write(json.dumps(data, indent=2, default=str) + "\n")


def path(file: str | Path) -> None:
    """Write a path to stdout so that a script can use it, whatever characters are in it."""
    text = f"{file}\n"
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        sys.stdout.flush()
        sys.stdout.buffer.write(os.fsencode(text))
        sys.stdout.flush()
    else:
        _write(text)


def width_of(text: str) -> int:
    """Return how many columns a text takes."""
    return sum(
        0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text
    )


def _fit(text: str, width: int) -> str:
    if width_of(text) > width:
        kept = ""
        for one in text:
            if width_of(kept + one) > width - 3:
                break
            kept += one
        text = kept + "..."
    return text + " " * (width - width_of(text))


def _stream(err: bool) -> TextIO | None:
    return sys.stderr if err else sys.stdout  # None in a program without a console


def _write(text: str, *, err: bool = False) -> None:
    stream = _stream(err)
    if stream is not None:
        try:
            stream.write(text)
            stream.flush()
        except BrokenPipeError as error:
            raise OutputClosed(*error.args) from error
