"""Showing how jobs go on: bars on a terminal, a line for each new state everywhere else. All of it on stderr."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from bridge_daemon.cli import terminal

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Follow:
    """Shows the jobs that somebody waits for; give :meth:`change` to ``BridgeClient.wait``."""

    def __init__(self, names: Mapping[str, str] | None = None) -> None:
        """``names``: how jobs are called, by their ids; else they are called by their id."""
        self._names = dict(names or {})
        self._states: dict[str, str] = {}
        self._tasks: dict[str, TaskID] = {}
        self._bars: Progress | None = None

    def __enter__(self) -> Self:
        if terminal.is_terminal(err=True):
            self._bars = _bars()
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def change(self, job: dict[str, Any]) -> None:
        """Show a job as it is now."""
        name, state = str(job["job"]), str(job["state"])
        shown = self._names.get(name, name)
        if self._bars is None:
            if self._states.get(name) != state:
                terminal.note(f"{shown}: {state}{_text(job)}")
        else:
            if name not in self._tasks:
                self._tasks[name] = self._bars.add_task(shown, total=1.0, what="")
            done = 1.0 if state in ("stored", "placed") else float(job.get("fraction") or 0.0)
            what = terminal.one_line(f"{state}{_text(job)}")
            self._bars.update(self._tasks[name], completed=done, what=what)
        self._states[name] = state


def _text(job: Mapping[str, Any]) -> str:
    problem = job.get("problem") or {}
    text = problem.get("text") or job.get("text") or ""
    return f", {text}" if text and text != job["state"] else ""


def _bars() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn(
            "{task.fields[what]}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)
        ),
        console=Console(stderr=True, markup=False, highlight=False, emoji=False),
        transient=True,
        expand=True,
    )
