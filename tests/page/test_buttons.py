"""No button without a test that presses it: each label in the scripts of the page is one that a test here names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "bridge_daemon" / "frontends" / "http" / "page"
TESTS = "\n".join(file.read_text("utf-8") for file in Path(__file__).parent.glob("test_*.py") if file != Path(__file__))
#: A literal of JavaScript; of a template, what stands before its first value.
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"|`([^`$]*)')
#: Words of calls that make buttons of their first word, beside h("button", …): those of jobs.js and of dialogs.
MADE_OF = re.compile(
    r'\badd\("([^"]+)"|\badd\([^,(]*\? `([^`$]+)|\[\["([^"]+)", null\]|, \["([^"]+)", (?:"\w+"\]|true)|, \[`([^`$]+)'
)
#: Files with such brackets that make no button.
NO_BUTTONS = {"help.js"}


def call_at(text: str, start: int) -> str:
    """Return a call from its name to its closing bracket."""
    depth, at, quote = 0, text.index("(", start), ""
    for index in range(at, len(text)):
        sign = text[index]
        if quote:
            quote = "" if sign == quote and text[index - 1] != "\\" else quote
        elif sign in "\"`'":
            quote = sign
        elif sign in "([{":
            depth += 1
        elif sign in ")]}":
            depth -= 1
            if not depth:
                return text[start : index + 1]
    raise AssertionError("a call without an end")


def label_of(call: str) -> str | None:
    """Return what a button is called: its aria-label, else its text; None if that is made of values alone."""
    named = re.search(r'"aria-label": (.+)', call)
    text = call[call.rindex("},") :] if "}," in call else call
    for part in ([named[1]] if named else []) + [text]:
        words = [a or b for a, b in LITERAL.findall(part) if len((a or b).strip()) > 1]
        if words:
            return words[0].strip(" ·")
    return None


def labels() -> dict[str, str]:
    """Return every label of a button, and the script that it stands in."""
    found: dict[str, str] = {}
    for file in sorted(PAGE.glob("*.js")):
        text = file.read_text("utf-8")
        for match in re.finditer(r'\bh\("button"', text):
            if label := label_of(call_at(text, match.start())):
                found.setdefault(label, file.name)
        for groups in MADE_OF.findall(text) if file.name not in NO_BUTTONS else ():
            found.setdefault(next(one for one in groups if one).strip(" ·"), file.name)
    return found


def test_the_list_is_whole() -> None:
    assert len(labels()) > 30


@pytest.mark.parametrize(("label", "file"), labels().items())
def test_a_test_presses(label: str, file: str) -> None:
    assert label in TESTS, f"no test of tests/page presses {label!r} of {file}"
