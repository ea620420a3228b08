"""The conveyor: how many jobs go on at once, what a pause stops and what not, and what faults of disk and code do.

Nothing here may lose a job that is paid for, send one while its take could not be kept, or stop the event loop.
"""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import pytest
from sqlalchemy import exc

from bridge_daemon.app.daemon import Daemon
from bridge_daemon.domain.job import OPEN, Charge, Job, State
from bridge_daemon.errors import Paused, WrongState
from bridge_daemon.journal import Journal
from bridge_daemon.pipeline import context, conveyor, disk, fetch, follow
from bridge_daemon.pipeline.making import keep
from bridge_daemon.util import files
from tests.fakes.service import Service
from tests.support import (
    RESTING,
    Clock,
    events,
    job_of,
    press,
    request,
    running,
    tone,
    until,
    until_event,
    until_seen,
)
from tests.waiting import eventually

MANY = {"spend": {"confirm_above_usd": 100, "per_day_usd": 100}}


async def states(daemon: Daemon, names: list[str]) -> list[State]:
    return [(await job_of(daemon, name)).state for name in names]


async def several(daemon: Daemon, count: int) -> list[str]:
    answer, _ = await daemon.actions.admit(request(variations=count))
    return list(answer["jobs"])


# How many


async def test_no_more_jobs_are_open_than_allowed_and_the_rest_follows(tmp_path: Path) -> None:
    most = 0
    async with (
        Service(job_seconds=0.5) as service,
        running(tmp_path / "home", service, engine={"max_open_jobs": 2}, **MANY) as daemon,
    ):
        open_now: dict[str, State] = {}

        def count(job: Job) -> None:
            nonlocal most
            open_now[job.id] = job.state
            most = max(most, sum(state in OPEN for state in open_now.values()))

        daemon.journal.listen(count)
        names = await several(daemon, 5)
        for name in names:
            assert (await until(daemon, name, seconds=40)).state is State.PLACED
        assert most == 2


async def test_a_job_that_the_service_forgot_does_not_keep_the_others_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conveyor, "_LONG_REST", 0.3)
    async with (
        Service(job_seconds=1000) as service,
        running(tmp_path / "home", service, engine={"max_open_jobs": 1}, **MANY) as daemon,
    ):
        first = await press(daemon)
        await until(daemon, first, {State.GENERATING})
        service.forget(service.charges[0].remote_id)
        service.job_seconds = 0
        second = await press(daemon, prompt="another")
        assert (await until(daemon, second, seconds=30)).state is State.PLACED
        assert (await job_of(daemon, first)).state is State.GENERATING


async def test_open_jobs_of_the_last_process_count(tmp_path: Path) -> None:
    async with Service(job_seconds=1000) as service:
        async with running(tmp_path / "home", service, engine={"max_open_jobs": 2}, **MANY) as daemon:
            names = await several(daemon, 2)
            for name in names:
                await until(daemon, name, {State.GENERATING})
        async with running(tmp_path / "home", service, engine={"max_open_jobs": 2}, **MANY) as daemon:
            await eventually(lambda: daemon.parts.conveyor._slots.locked())
            third = await press(daemon, prompt="third")
            await asyncio.sleep(0.3)
            assert (await job_of(daemon, third)).state is State.QUEUED
            service.advance(1001)
            for name in names:
                await daemon.actions.retry(name, {})
            assert (await until(daemon, third, {State.GENERATING})).charge is Charge.CONFIRMED
        assert len(service.charges) == 3


# Pause


async def test_a_pause_keeps_back_what_waits_and_lets_go_on_what_is_paid(tmp_path: Path) -> None:
    async with (
        Service(job_seconds=1.0) as service,
        running(tmp_path / "home", service, engine={"max_open_jobs": 1}, **MANY) as daemon,
    ):
        names = await several(daemon, 3)
        await until_seen(service)
        await daemon.actions.pause()
        waits = dict(zip(names, [state is State.QUEUED for state in await states(daemon, names)], strict=True))
        first, second, third = sorted(names, key=waits.__getitem__)
        assert (await until(daemon, first)).state is State.PLACED
        await asyncio.sleep(0.3)
        assert await states(daemon, [second, third]) == [State.QUEUED] * 2
        with pytest.raises(Paused):
            await press(daemon, prompt="another")
        await daemon.actions.cancel(third)
        assert (await until(daemon, third, seconds=2)).state is State.CANCELLED, "at once, although it waits"
        await daemon.actions.resume()
        assert (await until(daemon, second)).state is State.PLACED
        assert len(service.charges) == 2


async def test_a_pause_outlives_the_process(tmp_path: Path) -> None:
    async with Service() as service:
        async with running(tmp_path / "home", service, engine={"max_open_jobs": 1}) as daemon:
            service.script_post("402")
            names = await several(daemon, 2)
            await until_seen(service)
            await eventually(lambda: daemon.actions._pause.current)
        async with running(tmp_path / "home", service) as daemon:
            await asyncio.sleep(0.3)
            assert sorted(await states(daemon, names)) == [State.QUEUED, State.REFUSED]
            await daemon.actions.resume()
            await eventually(lambda: len(service.charges) == 1)
            for name in names:
                await until(daemon, name)


async def test_a_panic_between_the_turn_and_the_submit_is_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gate is asked once more in the transaction that spends."""
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        budget, wait = daemon.parts.budget, asyncio.Event()
        submit = budget.submit

        async def slow() -> None:
            await wait.wait()
            await submit()

        monkeypatch.setattr(budget, "submit", slow)
        monkeypatch.setattr(budget, "take_submit", AsyncMock(return_value=False))  # it has to wait for its turn
        name = await press(daemon)
        await asyncio.sleep(0.1)
        await daemon.actions.pause("panic")
        wait.set()
        await asyncio.sleep(0.3)
        assert (await job_of(daemon, name)).state is State.HELD
        await daemon.actions.resume()
        await asyncio.sleep(0.3)
        assert service.posts == []
        await daemon.actions.retry(name, {"id": str(uuid.uuid4())})
        assert (await until(daemon, name, RESTING - {State.HELD})).state is State.PLACED


async def test_a_pause_between_the_turn_and_the_submit_is_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        budget, wait = daemon.parts.budget, asyncio.Event()
        submit = budget.submit

        async def slow() -> None:
            await wait.wait()
            await submit()

        monkeypatch.setattr(budget, "submit", slow)
        monkeypatch.setattr(budget, "take_submit", AsyncMock(return_value=False))  # it has to wait for its turn
        name = await press(daemon)
        await asyncio.sleep(0.1)
        await daemon.actions.pause("person")
        wait.set()
        await asyncio.sleep(0.3)
        assert (await job_of(daemon, name)).state is State.QUEUED
        assert service.posts == []
        await daemon.actions.resume()
        assert (await until(daemon, name)).state is State.PLACED


@pytest.mark.fault(31)
async def test_the_machine_slept_while_the_service_could_not_be_reached(tmp_path: Path) -> None:
    """What was asked for eight hours ago is not sent by itself in the morning."""
    clock = Clock()
    async with Service() as service:
        port = service.port
    async with running(tmp_path / "home", service, times=clock) as daemon:
        name = await press(daemon)
        await until_event(daemon, name, "answer")
        clock.offset = 8 * 3600
        # the service is not back before that is decided: a try may have begun just before the machine slept
        job = await until(daemon, name)
        assert (job.state, job.charge) == (State.HELD, Charge.NONE)
        assert job.problem is not None
        assert job.problem.code == "E-STALE"
        async with Service(port=port) as service:
            await asyncio.sleep(0.3)
            assert service.posts == []
            assert (await job_of(daemon, name)).state is State.HELD


@pytest.mark.fault(31)
async def test_a_clock_that_is_set_back_a_day_disturbs_no_job(tmp_path: Path) -> None:
    clock = Clock()
    async with Service(job_seconds=4) as service, running(tmp_path / "home", service, times=clock) as daemon:
        name = await press(daemon)
        job = await until(daemon, name, {State.GENERATING})
        age = daemon.parts.context.age
        await eventually(lambda: age(job) > 1)
        clock.shift = -86_400
        assert age(job) > 1, "else it would be asked for as one that was sent a moment ago, for a day"
        assert (await until(daemon, name)).state is State.PLACED
        assert "problem" not in await events(daemon, name)


# Start


async def test_who_presses_while_the_bridge_starts_is_not_taken_for_one_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API listens before the jobs of before are on their way: a POST of now must not be called lost."""
    async with Service() as service:
        service.script_post("slow_ok:1")
        pressed: list[str] = []
        start = conveyor.Conveyor.start

        async def early(daemon: Daemon) -> None:
            pressed.append(await press(daemon))
            await until(daemon, pressed[0], {State.SUBMITTING})

        def late(self: conveyor.Conveyor) -> None:
            loop = asyncio.get_running_loop()
            loop.call_later(0.3, start, self)

        monkeypatch.setattr(conveyor.Conveyor, "start", late)
        async with running(tmp_path / "home", service) as daemon:
            await early(daemon)
            assert (await until(daemon, pressed[0])).state is State.PLACED


# Disk


@contextmanager
def full(monkeypatch: pytest.MonkeyPatch, *, free: int = 0) -> Iterator[None]:
    """Let the disk look full."""
    with monkeypatch.context() as patch:
        patch.setattr(disk.files, "free_bytes", lambda _: free)
        yield


@pytest.fixture
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "LOOK", 0.1)
    monkeypatch.setattr(disk, "_AGAIN", 0.2)


async def test_nothing_is_sent_while_there_is_no_room_and_then_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, look_often: None
) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        with full(monkeypatch):
            name = await press(daemon)
            await until_event(daemon, name, "problem")
            job = await job_of(daemon, name)
            assert (job.state, job.charge) == (State.QUEUED, Charge.NONE)
            assert job.problem is not None
            assert job.problem.code == "E-DISK"
            assert "Nothing was sent" in job.problem.text
            await eventually(lambda: daemon.actions._pause.current)
            assert daemon.actions._pause.current["reason"] == "disk"
            with pytest.raises(Paused):
                await press(daemon, prompt="another")
            assert service.posts == []
        job = await until(daemon, name)
        assert (job.state, job.problem) == (State.PLACED, None)
        assert daemon.actions._pause.current is None
        assert len(service.charges) == 1


async def test_resuming_does_not_send_onto_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, look_often: None
) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        with full(monkeypatch):
            name = await press(daemon)
            await eventually(lambda: daemon.actions._pause.current)
            await daemon.actions.resume()
            await eventually(lambda: daemon.actions._pause.current)
            assert service.posts == []
        assert (await until(daemon, name)).state is State.PLACED


async def test_a_pause_of_a_person_does_not_end_with_the_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, look_often: None
) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        await daemon.actions.pause()
        await asyncio.sleep(0.5)
        assert daemon.actions._pause.current["reason"] == "person"


WRITES = ["download", "original", "take"]


@pytest.mark.parametrize("where", WRITES)
@pytest.mark.fault(25)
async def test_a_disk_that_fills_up_loses_nothing_that_is_paid_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, look_often: None, where: str
) -> None:
    """A disk that is full, or a quota, which only the write itself tells."""
    no_space = OSError(errno.ENOSPC, "No space left on device")

    def fail(*_: Any, **__: Any) -> Any:
        raise no_space

    async with Service() as service, running(tmp_path / "home", service) as daemon:
        with monkeypatch.context() as patch:
            if where == "download":
                patch.setattr("bridge_daemon.engine.download.files.create", fail)
            elif where == "original":
                patch.setattr(fetch, "_settle", fail)
            else:
                patch.setattr("bridge_daemon.pipeline.making.make_take", fail)
            name = await press(daemon)
            await until_event(daemon, name, "problem")
            await asyncio.sleep(0.5)  # looked at several times: there is room, and yet it cannot be written
            job = await job_of(daemon, name)
            assert (job.state, job.charge) == (State.FETCHING, Charge.CONFIRMED)
            assert job.problem is not None
            assert job.problem.code == "E-DISK"
            assert daemon.actions._pause.current["reason"] == "disk"
            library = tmp_path / "home" / "library"
            await eventually(lambda: list(library.rglob("*.part")) == [])  # but for a try that goes on just now
        assert (await until(daemon, name)).state is State.PLACED
        await eventually(lambda: daemon.actions._pause.current is None)
        assert len(service.charges) == 1


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounts a small disk")
@pytest.mark.fault(25)
async def test_a_small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, look_often: None) -> None:
    """The same with a true file system that is full."""
    library = tmp_path / "disk"
    library.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(library)]
    if (await asyncio.to_thread(subprocess.run, mount, capture_output=True)).returncode != 0:
        pytest.skip("mount is not allowed here")
    try:
        monkeypatch.setattr(disk, "LEAST_FREE", 100_000)
        audio = {"library": str(library / "takes"), "read_roots": (tempfile.gettempdir(),)}
        async with (
            Service(take_seconds=3.0) as service,
            running(tmp_path / "home", service, audio=audio) as daemon,
        ):
            ballast = library / "ballast"
            ballast.write_bytes(bytes(300_000))
            name = await press(daemon)
            await until_event(daemon, name, "problem")
            job = await job_of(daemon, name)
            assert job.problem is not None
            assert (job.problem.code, job.charge) == ("E-DISK", Charge.CONFIRMED)
            ballast.unlink()
            subprocess.run(["mount", "-o", "remount,size=64m", str(library)], check=True)
            assert (await until(daemon, name)).state is State.PLACED
    finally:
        subprocess.run(["umount", "-l", str(library)], check=True)


@pytest.mark.fault(25)
async def test_a_library_that_cannot_be_written_stops_the_sending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, look_often: None
) -> None:
    access = os.access
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        with monkeypatch.context() as patch:
            patch.setattr(os, "access", lambda path, mode: "library" not in str(path) and access(path, mode))
            name = await press(daemon)
            await until_event(daemon, name, "problem")
            assert (await job_of(daemon, name)).problem.code == "E-DISK"  # type: ignore[union-attr]
            assert service.posts == []
        assert (await until(daemon, name)).state is State.PLACED


@pytest.mark.fault(26)
async def test_a_library_that_is_gone_is_waited_for(tmp_path: Path, look_often: None) -> None:
    """The disk of the library was pulled out while the take was made; something else stands in its place."""
    library = tmp_path / "home" / "library"
    async with Service(job_seconds=1000) as service, running(tmp_path / "home", service) as daemon:
        name = await press(daemon)
        await until(daemon, name, {State.GENERATING})
        library.rename(tmp_path / "away")
        library.write_text("not a folder")
        service.advance(1001)
        await daemon.actions.retry(name, {})
        await until_event(daemon, name, "problem")
        job = await job_of(daemon, name)
        assert (job.state, job.charge) == (State.FETCHING, Charge.CONFIRMED)
        assert job.problem is not None
        assert job.problem.code == "E-DISK"
        assert "None" not in job.problem.text
        library.unlink()
        (tmp_path / "away").rename(library)
        assert (await until(daemon, name)).state is State.PLACED
        assert len(service.charges) == 1


# Faults of ours


@pytest.fixture
def soon_after_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conveyor, "_AFTER_FAULT", (0.05, 1.0))


class Faulty:
    """Raises for the first few times, then does what it stands for."""

    def __init__(self, real: Callable[..., Any], error: Exception, times: int = 2) -> None:
        self.real, self.error, self.left = real, error, times

    def __call__(self, *given: Any, **more: Any) -> Any:
        if self.left > 0:
            self.left -= 1
            raise self.error
        return self.real(*given, **more)


FAULTS = {
    "preparing": "bridge_daemon.pipeline.prepare.check_region",
    "payload": "bridge_daemon.pipeline.submit.payload",
    "asking": "bridge_daemon.pipeline.follow.read_poll",
    "pace": "bridge_daemon.pipeline.follow.next_poll",
    "fetching": "bridge_daemon.pipeline.fetch.stem",
    "proving": "bridge_daemon.pipeline.fetch.make",
    "finishing": "bridge_daemon.pipeline.finish._made",
    "delivering": "bridge_daemon.pipeline.copies.bring",
}


@pytest.mark.parametrize("where", FAULTS)
async def test_a_fault_of_ours_is_told_and_tried_again(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    soon_after_a_fault: None,
    where: str,
) -> None:
    tone(tmp_path / "a.wav")
    async with Service(job_seconds=1.0) as service, running(tmp_path / "home", service) as daemon:
        body = request(action="transform", duration=None, source={"path": str(tmp_path / "a.wav")})
        module, _, name = FAULTS[where].rpartition(".")
        real = getattr(__import__(module, fromlist=[name]), name)
        fault = Faulty(real, RuntimeError("secret of the universe"))
        if where == "preparing":
            fault.left = 0  # admit looks at the region too
        monkeypatch.setattr(FAULTS[where], fault)
        if where == "finishing":
            monkeypatch.setattr("bridge_daemon.pipeline.fetch.keep", Faulty(keep, OSError("no name for it"), 1))
        answer, _ = await daemon.actions.admit(body)
        if where == "preparing":
            fault.left = 2
        job = await until(daemon, answer["jobs"][0])
        assert (job.state, job.problem) == (State.PLACED, None)
        assert fault.left == 0
        assert len(service.charges) == len(service.posts) == 1
        assert "problem" in await events(daemon, job.id)
        assert "A fault of ours" in caplog.text


async def test_a_fault_after_the_post_is_no_second_post(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, soon_after_a_fault: None
) -> None:
    """The answer is in the journal, and what it means is read from there, without a restart."""
    from bridge_daemon.pipeline import submit

    async with Service() as service, running(tmp_path / "home", service) as daemon:
        monkeypatch.setattr(submit, "apply", Faulty(submit.apply, RuntimeError("a fault"), times=1))
        job = await until(daemon, await press(daemon))
        assert (job.state, job.charge) == (State.PLACED, Charge.CONFIRMED)
        assert len(service.posts) == len(service.charges) == 1


async def test_a_fault_in_the_post_itself_leaves_a_doubt_and_no_job_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, soon_after_a_fault: None
) -> None:
    from bridge_daemon.engine import client

    async with Service() as service, running(tmp_path / "home", service) as daemon:
        monkeypatch.setattr(client, "submit", Faulty(client.submit, RuntimeError("a fault"), times=1))
        job = await until(daemon, await press(daemon))
        assert (job.state, job.charge) == (State.UNKNOWN, Charge.POSSIBLE)
        assert service.posts == []


async def test_a_step_that_always_says_that_somebody_was_quicker_does_not_spin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, soon_after_a_fault: None
) -> None:
    calls = 0

    async def never(*_: Any) -> Any:
        nonlocal calls
        calls += 1
        raise WrongState("changed")

    async def nothing(*_: Any) -> None:
        return None

    monkeypatch.setattr(conveyor, "leave", nothing)  # it goes the long way
    monkeypatch.setattr(conveyor, "submit", never)
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        name = await press(daemon)
        await until_event(daemon, name, "problem")
        assert calls < 30
        assert (await job_of(daemon, name)).state is State.QUEUED


def _no_disk() -> exc.OperationalError:
    return exc.OperationalError("INSERT", {}, Exception("database or disk is full"))


@pytest.mark.parametrize("which", ["answered", "outcome"])
@pytest.mark.fault(25)
async def test_an_answer_is_kept_until_the_journal_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, which: str
) -> None:
    write, failed = Journal.write, 0

    async def full_disk(self: Journal, name: str, work: Any) -> Any:
        nonlocal failed
        if name == which and failed < 3:
            failed += 1
            raise _no_disk()
        return await write(self, name, work)

    async with Service() as service, running(tmp_path / "home", service) as daemon:
        monkeypatch.setattr(Journal, "write", full_disk)
        job = await until(daemon, await press(daemon))
        assert (job.state, failed) == (State.PLACED, 3)
        assert len(service.posts) == len(service.charges) == 1
        assert job.remote_id is not None
        assert job.remote_id in caplog.text, "the log is the last place to find it"


async def test_what_does_not_pass_is_not_waited_for_for_ever() -> None:
    async def broken() -> None:
        raise exc.IntegrityError("INSERT", {}, Exception("UNIQUE"))

    with pytest.raises(exc.IntegrityError):
        await context.until_written(broken, "x")


# After the money: where the audio is


async def test_a_job_that_is_forgotten_after_its_url_was_refused_goes_back_to_that_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service knows a job for an hour, the URL lives for days: a 403 of a captive portal must not cost the take."""
    monkeypatch.setattr(follow, "next_poll", lambda *_: 0.05)
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        service.script_download("403")
        name = await press(daemon)
        await until_event(daemon, name, "fetching")
        service.forget(service.charges[0].remote_id)
        job = await until(daemon, name)
        assert (job.state, job.problem) == (State.PLACED, None)
        assert len(service.charges) == 1


async def test_a_url_that_is_always_refused_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "_LONGEST", 0.1)
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        service.script_download("403*1000")
        name = await press(daemon)
        await until_event(daemon, name, "problem")
        assert (await job_of(daemon, name)).charge is Charge.CONFIRMED
        service.control({"clear": True})
        assert (await until(daemon, name)).state is State.PLACED


@pytest.mark.parametrize("word", ["id", "url"])
async def test_words_that_no_column_takes_do_not_lose_a_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    """Half of a surrogate pair is JSON, and no text that can be written."""
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        if word == "url":
            service.hostile_url = "http://127.0.0.1/\ud800"
            job = await until(daemon, await press(daemon), {State.GENERATING})
            await until_event(daemon, job.id, "problem")
            service.hostile_url = None
            await daemon.actions.retry(job.id, {})
            assert (await until(daemon, job.id)).state is State.PLACED
            return
        monkeypatch.setattr("tests.fakes.desk.secrets", SimpleNamespace(), raising=False)
        monkeypatch.setattr("bridge_daemon.engine.client._read", _answering(b'{"job_id": "\\ud800"}'), raising=True)
        job = await until(daemon, await press(daemon))
        assert (job.state, job.charge) == (State.UNKNOWN, Charge.POSSIBLE)


def _answering(body: bytes) -> Callable[[Any], Any]:
    from bridge_daemon.engine.protocol import Answer

    async def read(response: Any) -> Answer:
        return Answer(status=response.status, body=body)

    return read


# The event loop


class Watchdog:
    """Measures how long the event loop does not answer, beyond what a thread that only sleeps is late itself.

    The machine may be busy: then both are late, and only what the loop is late alone counts.
    """

    def __init__(self) -> None:
        self.worst = 0.0
        self._stop = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._watch, name="watchdog")

    def _watch(self) -> None:
        while not self._stop.is_set():
            asked, answered = time.monotonic(), threading.Event()
            self._loop.call_soon_threadsafe(answered.set)
            late = 0.0
            while not answered.is_set() and not self._stop.is_set():
                before = time.monotonic()
                time.sleep(0.002)
                late += max(0.0, time.monotonic() - before - 0.004)
            self.worst = max(self.worst, time.monotonic() - asked - late)
            time.sleep(0.002)

    def __enter__(self) -> Watchdog:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@pytest.mark.fault(36)
async def test_the_event_loop_is_never_stopped_during_a_whole_job(tmp_path: Path) -> None:
    """A transform of a long source, a long take at another rate, and a folder: all the work of a job."""
    source = tone(tmp_path / "long.wav", seconds=100, rate=48_000, subtype="PCM_24")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "song.rpp").touch()
    worst = []
    async with Service(take_seconds=None) as service, running(tmp_path / "home", service) as daemon:
        service.script_post("slow_ok:0.1")
        for number in range(3):
            place = {"folder": str(folder), "sample_rate": 96_000, "position": 1.0}
            with Watchdog() as dog:
                name = await press(
                    daemon,
                    prompt=f"take {number}",
                    action="transform",
                    duration=30,
                    place=place,
                    source={"path": str(source)},
                )
                job = await until(daemon, name, seconds=90)
            assert job.state is State.PLACED
            worst.append(dog.worst)
    assert min(worst) < 0.05, worst


@pytest.mark.fault(36)
async def test_the_watchdog_sees_a_loop_that_stands() -> None:
    with Watchdog() as dog:
        await asyncio.sleep(0.05)
        time.sleep(0.2)
        await asyncio.sleep(0.05)
    assert dog.worst > 0.08


# Files


def test_a_copy_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.wav").write_bytes(b"x" * 1000)
    (tmp_path / "project").mkdir()
    monkeypatch.setattr(files, "flush_to_disk", Faulty(files.flush_to_disk, OSError(errno.ENOSPC, "full"), times=1))
    with pytest.raises(OSError, match="full"):
        files.copy_whole(tmp_path / "a.wav", tmp_path / "project" / "a.wav", point="place")
    assert list((tmp_path / "project").iterdir()) == []
    files.copy_whole(tmp_path / "a.wav", tmp_path / "project" / "a.wav", point="place")
    assert [path.name for path in (tmp_path / "project").iterdir()] == ["a.wav"]
