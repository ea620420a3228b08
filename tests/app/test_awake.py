"""The machine stays awake while a paid job is open, and no longer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bridge_daemon.app import awake as module
from bridge_daemon.app.awake import LONGEST, Awake
from bridge_daemon.domain.job import Charge, State
from tests.fakes.service import Service
from tests.journal.conftest import new_job
from tests.support import press, running, until


class Machine:
    """Counts who holds it, and on which threads."""

    def __init__(self) -> None:
        self.held = self.times = 0
        self.threads: set[str] = set()

    @contextmanager
    def hold(self) -> Iterator[None]:
        self.held += 1
        self.times += 1
        self.threads.add(threading.current_thread().name)
        yield
        self.held -= 1
        self.threads.add(threading.current_thread().name)


async def becomes(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def no_lingering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LINGER", 0.05)


async def test_from_the_first_open_job_to_the_end_of_the_last() -> None:
    machine = Machine()
    awake = Awake(lambda: 1000.0, machine.hold)
    awake.start()
    first, second = (new_job(state=State.GENERATING, charge=Charge.CONFIRMED, submitted_at=990.0) for _ in range(2))
    awake.changed(first)
    await becomes(lambda: machine.held == 1)
    awake.changed(second)
    awake.changed(first.evolve(state=State.STORED))
    await asyncio.sleep(0.1)
    assert machine.held == 1
    awake.changed(second.evolve(state=State.FAILED))
    await becomes(lambda: machine.held == 0)
    awake.changed(first)
    await becomes(lambda: machine.held == 1)
    await awake.close()
    assert (machine.held, machine.times, len(machine.threads)) == (0, 2, 1)


@pytest.mark.parametrize(
    "given",
    [
        {"state": State.QUEUED},
        {"state": State.HELD},
        {"state": State.GENERATING, "charge": Charge.CONFIRMED, "price": 0},
        {"state": State.GENERATING, "charge": Charge.CONFIRMED, "submitted_at": 1000.0 - LONGEST - 1},
    ],
)
async def test_what_is_not_worth_a_battery(given: dict[str, object]) -> None:
    machine = Machine()
    awake = Awake(lambda: 1000.0, machine.hold)
    awake.start()
    awake.changed(new_job(**given))
    await asyncio.sleep(0.1)
    await awake.close()
    assert machine.times == 0


async def test_a_machine_that_cannot_be_held_is_no_trouble(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Iterator[None]:
        raise OSError("no such thing here")

    awake = Awake(lambda: 0.0, broken)  # type: ignore[arg-type]
    awake.start()
    awake.changed(new_job(state=State.GENERATING, charge=Charge.CONFIRMED))
    await becomes(lambda: "could not be told" in caplog.text)
    await awake.close()


async def test_the_real_library_is_asked_while_a_daemon_has_a_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether this machine can be held is its own affair; that it is asked, and let go, is ours."""
    asked: list[bool] = []
    inner = Awake._enter

    def enter(self: Awake) -> None:
        inner(self)
        asked.append(self.holding)

    monkeypatch.setattr(Awake, "_enter", enter)
    async with Service(job_seconds=0.5) as service, running(tmp_path / "home", service) as daemon:
        await until(daemon, await press(daemon))
        await becomes(lambda: bool(asked))
    assert asked == [True]
