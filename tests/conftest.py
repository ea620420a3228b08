"""Shared by all tests: missing programs are named, and nothing may be left running behind a test."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import pytest_asyncio

from bridge_daemon.domain import models
from bridge_daemon.journal import Journal
from bridge_daemon.pipeline import pace
from tests import again, postgres
from tests.page import presses

# A shell starts what it runs in the background with SIGINT ignored, and children inherit that; the tests send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# on a machine that does other things, too: a fault is no matter of milliseconds
hypothesis.settings.register_profile("patient", hypothesis.settings.default, deadline=None)
hypothesis.settings.load_profile("patient")

#: Threads that live as long as the process does, by the start of their names.
LASTING_THREADS = ("asyncio_", "ThreadPoolExecutor", "MainThread", "pytest_timeout", "decoders")


#: What takes long and watches the whole: left out by `make test`, run by `make test-all`.
THOROUGH = (
    "tests/ardour/",
    "tests/faults/",
    "tests/e2e/",
    "tests/app/test_loop.py",
    "tests/page/",
    "tests/reaper/test_e2e.py",
    "tests/reaper/test_walk.py",
)
#: The Lua that `make test` runs the REAPER scripts in; `make test-all` has the others, too.
QUICK_LUA = "lupa.lua54"


def pytest_configure(config: pytest.Config) -> None:
    """Have the controls counted that the tests of the page press, and what tests share made anew for a further run."""
    config.pluginmanager.register(presses.Count())
    config.pluginmanager.register(again)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is thorough: by where it lies, and the REAPER scripts in further Luas."""
    for item in items:
        callspec = getattr(item, "callspec", None)
        lua = callspec.params.get("lua", QUICK_LUA) if callspec is not None else QUICK_LUA
        if item.nodeid.startswith(THOROUGH) or lua != QUICK_LUA:
            item.add_marker("thorough")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what Windows has not; and a test whose system program is missing, with the one thing to do.

    Under CI the latter is a failure.
    """
    for mark in item.iter_markers("posix"):
        if sys.platform == "win32":
            pytest.skip(f"Windows: {mark.args[0]}")
    for mark in item.iter_markers("needs"):
        program, package = mark.args
        if shutil.which(program) is None:
            sentence = f"needs the program {program}: install the package {package}"
            if os.environ.get("CI"):
                pytest.fail(sentence)
            pytest.skip(sentence)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the transactions that are written."""
    names: list[str] = []
    write = Journal.write

    async def note(self: Journal, name: str, work: Any) -> Any:
        names.append(name)
        return await write(self, name, work)

    monkeypatch.setattr(Journal, "write", note)
    return names


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Cluster]:
    """A PostgreSQL of this process of pytest."""
    if sys.platform == "win32":
        pytest.skip("Windows: the PostgreSQL of the tests is that of Debian")
    with postgres.cluster() as made:
        yield made


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what is marked so on a journal of SQLite and on one of PostgreSQL; the second half is thorough."""
    if metafunc.definition.get_closest_marker("both") is not None:
        metafunc.fixturenames.insert(0, "where")
        second = pytest.param("postgresql", marks=pytest.mark.thorough)
        # the walk there takes half an hour: a command of its own, `make walk-postgresql`
        walk = metafunc.module.__name__.endswith("test_walk") and "WALK_POSTGRESQL" not in os.environ
        metafunc.parametrize("where", ["sqlite"] if walk else ["sqlite", second], indirect=True)


@pytest.fixture
def where(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where the journals of a test are; see the marker ``both``."""
    if request.param == "sqlite":
        yield "sqlite"
        return
    with postgres.journals_in(request.getfixturevalue("server")):
        yield "postgresql"


@pytest.fixture(autouse=True)
def nothing_told() -> Iterator[None]:
    """Let every test begin with the models of the table: what a catalogue told of others is known to the process."""
    yield
    models.forget()


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """Fail a test that leaves a thread of its own running."""
    before = set(threading.enumerate())
    yield
    left = [t for t in set(threading.enumerate()) - before if not t.name.startswith(LASTING_THREADS)]
    for thread in left:
        thread.join(2)
    left = [t for t in left if t.is_alive()]
    assert not left, f"threads left behind: {left}"


def _of_windows(task: asyncio.Task[object]) -> bool:
    """Tell whether it is the task that Windows' event loop leaves waiting for a server that was closed."""
    return "IocpProactor.accept" in getattr(task.get_coro(), "__qualname__", "")


@pytest_asyncio.fixture(autouse=True)
async def no_task_left() -> AsyncIterator[None]:
    """Fail a test that leaves a task running on its event loop."""
    before = asyncio.all_tasks()
    yield
    for _ in range(20):  # closed connections finish in the next turns of the loop
        left = [t for t in asyncio.all_tasks() - before if t is not asyncio.current_task() and not _of_windows(t)]
        if not left:
            return
        await asyncio.sleep(0.01)
    assert not left, f"tasks left behind: {left}"


@pytest.fixture(autouse=True)
def quiet_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test reads the settings, the key or the keyring of the person who runs it."""
    for name in list(os.environ):
        if name.startswith("DAW_BRIDGE_") or name == "EMPIRIOLABS_API_KEY":
            monkeypatch.delenv(name)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.setenv("DAW_BRIDGE_HOME", str(tmp_path / "home"))


@pytest.fixture(autouse=True)
def quick_first_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake service is done at once; waiting for the usual first poll would only make the tests slow."""
    monkeypatch.setattr(pace, "FIRST", 0.1)
