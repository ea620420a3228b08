"""Which controls of the page the tests press, told by the browser; a control that no test presses makes the run fail.

A script in each browser writes down where in the page's sources a control is made (the stack of its ``createElement``)
and which controls a person's event reaches. What was reached goes home with the report of its test, so that the process
which counts sees all of it, whatever process the test ran in and however often it was run again. When the run ends, and
was one of the whole folder, the places that make controls are compared with those that tests reached which passed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

HERE = Path(__file__).parent
SOURCES = HERE.parents[1] / "bridge_daemon" / "frontends" / "http" / "page"
PROPERTY = "controls"

#: What makes a control: an element that a person acts on, or a helper of the page that makes such elements.
MAKES = re.compile(
    r'(?<![\w.])(?:h\("(?:button|input|select|textarea|a|summary)"|h\("\w+", \{[^{}]*tabindex'
    r"|(?:add|ask|once|chooser|widget|region|button|input)\((?!\)|label, [{a-z]|name, props|title, text)"
    r"|wave\(\{ label)"
)
#: The same in the one file of markup.
MARKUP = re.compile(r"<(?:button|a|input|select)\b[^>]*>")

RECORDER = r"""(() => {
  Error.stackTraceLimit = 60;
  const made = new WeakMap();
  const create = Document.prototype.createElement;
  Document.prototype.createElement = function (...given) {
    const one = create.apply(this, given);
    made.set(one, [...new Error().stack.matchAll(/\/page\/(\w+\.js:\d+:\d+)/g)].map((found) => found[1]));
    return one;
  };
  const CONTROL = "button, input, select, textarea, a[href], summary, [tabindex='0'], [role=slider]";
  const NAMED = "#ask button, #tabs a, .steps [type=submit]";  // made in one place, and each does something else
  const named = (one) => (one.matches(NAMED) ? [`named: ${one.textContent.replace(/\$[\d.]+|\d+$/g, "")}`] : []);
  const marked = (one) => (one.id ? `index.html#${one.id}` : `index.html${one.getAttribute("href")}`);
  const places = (one) => [...(made.get(one) || [marked(one)]), ...named(one)];
  const told = (kind, one) => window.__control?.({ kind, places: places(one) });
  const pressed = (event) => {
    const one = event.target.closest?.(CONTROL);
    // the driver of a browser tells of files, days and choices by events of its own
    if (one && (event.isTrusted || ["input", "change"].includes(event.type))) told("pressed", one);
  };
  const KINDS = {
    click: "button, a[href], summary, input[type=checkbox]", pointerdown: "[role=slider]",
    keydown: "[tabindex='0']", input: "input, textarea", change: "input, select, textarea",
  };
  for (const [kind, which] of Object.entries(KINDS)) {
    window.addEventListener(kind, (event) => { if (event.target.closest?.(which)) pressed(event); }, true);
  }
  const seen = new WeakSet();
  new MutationObserver(() => {
    for (const one of document.querySelectorAll(NAMED)) if (!seen.has(one)) { seen.add(one); told("seen", one); }
  }).observe(document, { childList: true, subtree: true });
})();"""


class Controls:
    """What the browsers of one test told."""

    def __init__(self) -> None:
        self.pressed: set[str] = set()
        self.seen: set[str] = set()

    def note(self, _source: Any, told: dict[str, Any]) -> None:
        (self.pressed if told["kind"] == "pressed" else self.seen).update(told["places"])


#: Of the test that runs now.
now = Controls()


def context(browser: Browser, **options: Any) -> BrowserContext:
    """Return a context of a browser that tells which controls are pressed in it."""
    made = browser.new_context(**options)
    made.expose_binding("__control", lambda source, told: now.note(source, told))
    made.add_init_script(RECORDER)
    return made


def controls() -> dict[str, str]:
    """Return each place in the page's sources that makes a control, and what stands there."""
    found: dict[str, str] = {}
    for file in sorted(SOURCES.glob("*.js")):
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
            if line.lstrip().startswith(("/**", "*", "//", "export function", "function", "async function")):
                continue
            for match in MAKES.finditer(line):
                found[f"{file.name}:{number}:{match.start() + 1}"] = line[match.start() : match.start() + 100]
    for match in MARKUP.finditer((SOURCES / "index.html").read_text("utf-8")):
        name = re.search(r'\bid="(\w+)"', match[0]) or re.search(r'href="(#\w+)"', match[0])
        assert name is not None, match[0]
        found[f"index.html#{name[1].lstrip('#')}"] = match[0]
    return found


def unpressed(pressed: set[str], seen: Iterable[str]) -> list[str]:
    """Return what was not pressed: of the sources, and of what has a name each though it is made in one place."""
    return [f"{place}  {text}" for place, text in controls().items() if place not in pressed] + [
        place for place in sorted(seen) if place.startswith("named: ") and place not in pressed
    ]


def tests() -> set[str]:
    """Return the names of all tests of this folder, without parameters."""
    return {
        f"{file.name}::{one.name}"
        for file in HERE.glob("test_*.py")
        for one in ast.parse(file.read_text("utf-8")).body
        if isinstance(one, ast.FunctionDef) and one.name.startswith("test_")
    }


class Count:
    """Counts over a whole run, in the process that the reports come home to."""

    def __init__(self) -> None:
        self.pressed: set[str] = set()
        self.seen: set[str] = set()
        self.passed: set[str] = set()
        self.wrong: set[str] = set()
        self.left: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        folder, _, name = report.nodeid.partition("tests/page/")
        if folder or not name:
            return
        name = name.partition("[")[0]
        if report.outcome in ("failed", "skipped"):
            self.wrong.add(name)
        elif report.when == "teardown" and report.outcome == "passed":
            self.passed.add(name)
            for told in [value for key, value in report.user_properties if key == PROPERTY]:
                self.pressed.update(told["pressed"])
                self.seen.update(told["seen"])

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if hasattr(session.config, "workerinput") or self.passed - self.wrong != tests():
            return
        self.left = unpressed(self.pressed, self.seen)
        if self.left and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.left:
            terminalreporter.section("controls of the page that no test presses", red=True)
            terminalreporter.write_line("\n".join(self.left))
