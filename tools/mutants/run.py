"""Run the tests of a mutant in a copy of the tree, in a process that is forked with the large libraries loaded.

The fork saves the two seconds that importing them takes; nothing of the project is imported before it.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tools.mutants.rules import ROOT, Mutant

#: What the tests import from elsewhere. No library that starts threads of its own when it is loaded: we fork.
_LIBRARIES: Final = (
    "pytest",
    "xdist",
    "pytest_asyncio",
    "aiohttp.web",
    "sqlalchemy",
    "pydantic",
    "hypothesis",
    "typer",
)
_OPTIONS: Final = (
    "-x",
    "-q",
    "-n0",
    "--no-header",
    "-p",
    "no:cacheprovider",
    "-W",
    "ignore::pytest.PytestAssertRewriteWarning",
)
_OURS: Final = ("tools", "tests", "bridge_daemon", "max_for_live")
_WHOLE: Final = 10  # times the time of a mutant: for the tests of a module where none is red
_KILLERS: Final = 4  # tests that turned red for the same module are run first


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a mutant: ``killer`` is the test that turned red, or ``""``."""

    mutant: Mutant
    killer: str
    seconds: float
    late: bool = False

    @property
    def survived(self) -> bool:
        """Whether no test turned red."""
        return not self.killer


@dataclass(slots=True)
class _Running:
    mutant: Mutant
    process: Any
    told: Path
    begun: float


@dataclass(slots=True)
class Copy:
    """A copy of the tree, in which one mutant at a time lives."""

    folder: Path
    running: _Running | None = None

    @classmethod
    def make(cls, folder: Path) -> Copy:
        """Copy what git knows, and what it does not know yet and does not ignore."""
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True
        )
        for name in filter(None, listed.stdout.decode().split("\0")):
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        return cls(folder)

    def start(self, mutant: Mutant, killers: Iterable[str]) -> None:
        """Begin to run the tests of a mutant, those of ``killers`` first."""
        self._write(mutant.path, mutant.source)
        told = self.folder.with_suffix(".json")
        told.unlink(missing_ok=True)
        given = (str(self.folder), [*killers], [*mutant.tests], str(told))
        process = multiprocessing.get_context("fork").Process(target=_in_copy, args=given)
        process.start()
        self.running = _Running(mutant, process, told, time.monotonic())

    def ended(self, timeout: float) -> Verdict | None:
        """Return what became of the mutant once it is known, and put its file back."""
        running = self.running
        assert running is not None
        seconds = time.monotonic() - running.begun
        late = seconds > (timeout * _WHOLE if running.mutant.changes_nothing else timeout)
        if running.process.is_alive() and not late:
            return None
        self.end(at_once=late)
        if running.process.exitcode and not late:
            said = Path(f"{self.folder}.txt").read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(f"the tests of {running.mutant.name!r} could not be run: {said[-2000:]}")
        killer = json.loads(running.told.read_bytes()) if running.told.exists() else ""
        self.running = None
        self._write(running.mutant.path, (ROOT / running.mutant.path).read_text(encoding="utf-8"))
        return Verdict(running.mutant, killer, seconds, late=late and not killer)

    def end(self, *, at_once: bool = True) -> None:
        """End the tests, and whatever they have started."""
        if self.running is not None:
            process = self.running.process
            if at_once:
                process.kill()
            process.join()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def _write(self, path: str, source: str) -> None:
        file = self.folder / path
        file.write_text(source, encoding="utf-8")
        for old in file.parent.glob(
            f"__pycache__/{file.stem}.*.pyc"
        ):  # known by second and size, which may be the same
            old.unlink()


class _FirstRed:
    """A plugin that writes down which test turned red."""

    def __init__(self, told: Path) -> None:
        self._told = told

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and not self._told.exists():
            self._told.write_text(json.dumps(report.nodeid), encoding="utf-8")

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed and not self._told.exists():
            self._told.write_text(json.dumps(f"{report.nodeid} (cannot be imported)"), encoding="utf-8")


def _in_copy(folder: str, killers: list[str], tests: list[str], told: str) -> None:
    os.setsid()
    sink = os.open(f"{folder}.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    os.chdir(folder)
    os.environ["PYTHONPATH"] = folder  # before the tree that the environment was installed from
    sys.path[:] = [folder, *(path for path in sys.path if Path(path or ".").resolve() != ROOT)]
    for name in [name for name in sys.modules if name.partition(".")[0] in _OURS]:
        del sys.modules[name]
    import pytest

    if any(test.startswith("tests/live/") for test in tests):  # they run the built devices
        from max_for_live import build

        build.main([])
    for chosen in (killers, tests):
        code = pytest.main([*_OPTIONS, *chosen], plugins=[_FirstRed(Path(told))]) if chosen else 0
        if code != 0 and not Path(told).exists():
            Path(told).write_text(json.dumps(f"pytest ended with {code}"), encoding="utf-8")
        if code != 0:
            break
    os._exit(0)  # threads that a broken test left behind are waited for by nobody


def verdicts(mutants: Iterable[Mutant], folder: Path, *, workers: int, timeout: float) -> Iterator[Verdict]:
    """Yield what becomes of each mutant, as it becomes known. Tests that are given no mutant have more time."""
    for name in _LIBRARIES:
        importlib.import_module(name)
    copies = [Copy.make(folder / str(number)) for number in range(workers)]
    known: dict[tuple[str, ...], list[str]] = {}
    left = iter(mutants)
    try:
        yield from _each(copies, left, known, timeout)
    finally:
        for copy in copies:
            copy.end()


def _each(
    copies: list[Copy], left: Iterator[Mutant], known: dict[tuple[str, ...], list[str]], timeout: float
) -> Iterator[Verdict]:
    busy = True
    while busy:
        busy = False
        for copy in copies:
            if copy.running is None and (mutant := next(left, None)) is not None:
                copy.start(mutant, known.get((mutant.path, *mutant.tests), ())[:_KILLERS])
            if copy.running is None:
                continue
            busy = True
            verdict = copy.ended(timeout)
            if verdict is not None:
                if verdict.killer.startswith("tests/") and "(" not in verdict.killer:
                    found = known.setdefault((verdict.mutant.path, *verdict.mutant.tests), [])
                    found[:] = [verdict.killer, *(name for name in found if name != verdict.killer)]
                yield verdict
        time.sleep(0.02)
