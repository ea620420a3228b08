"""The journal and the record of what was sent: what is written down, what if it cannot be, what is made again of it."""

from __future__ import annotations

import asyncio
import errno
import shutil
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bridge_daemon.domain.job import Charge, Job, State
from bridge_daemon.errors import JournalUnusable
from bridge_daemon.journal import Journal, NotRecorded, Transaction, record
from tests.journal.conftest import add, journal_at


def sends(tx: Transaction, job: Job) -> Job:
    return tx.move(job, State.SUBMITTING, charge=Charge.POSSIBLE, charge_day="2026-03-15")


def kinds(folder: Path) -> list[str]:
    return [line["kind"] for line in record.everything(folder / record.NAME)]


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A disk that is full as often as it says; what was added besides is counted in it as 0."""
    times: list[int] = []
    really = record.Record.add

    def add_(self: record.Record, lines: Sequence[record.Line]) -> None:
        times.append(0)
        if times[0]:
            times[0] -= 1
            raise OSError(errno.ENOSPC, "it is full")
        really(self, lines)

    monkeypatch.setattr(record.Record, "add", add_)
    return times


async def test_what_is_sent_is_recorded_when_write_returns(journal: Journal, tmp_path: Path) -> None:
    job = await journal.write("test", add)
    assert kinds(tmp_path) == [record.COMPARED]
    await journal.write("test", lambda tx: sends(tx, job))
    assert kinds(tmp_path) == [record.COMPARED, "submitting"]


async def test_what_is_no_step_of_money_does_not_touch_the_record(journal: Journal, full: list[int]) -> None:
    job = await journal.write("test", add)
    await journal.write("test", lambda tx: tx.move(job, State.PREPARING))
    assert full == []


async def test_what_is_not_recorded_is_not_sent(journal: Journal, tmp_path: Path, full: list[int]) -> None:
    job = await journal.write("test", add)
    full.append(1)
    with pytest.raises(NotRecorded, match="full"):
        await journal.write("test", lambda tx: sends(tx, job))
    assert (await journal.read(lambda tx: tx.job(job.id))).state is State.SUBMITTING


@pytest.mark.posix("a file that is open can be neither removed nor replaced")
@pytest.mark.parametrize("name", ["journal.sqlite3", record.NAME])
async def test_nothing_is_sent_once_a_file_is_gone(journal: Journal, tmp_path: Path, name: str) -> None:
    job = await journal.write("test", add)
    (tmp_path / name).unlink()
    with pytest.raises(JournalUnusable, match="is gone"):
        await journal.write("test", lambda tx: sends(tx, job))


async def test_what_was_written_is_told_though_nobody_waits_for_it_any_more(journal: Journal) -> None:
    begun, go_on = threading.Event(), threading.Event()
    told: list[Job] = []

    def work(tx: Transaction) -> Job:
        begun.set()
        assert go_on.wait(60)
        return add(tx)

    journal.listen(told.append)
    caller = asyncio.ensure_future(journal.write("test", work))
    assert await asyncio.to_thread(begun.wait, 60)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    go_on.set()
    await journal.write("test", lambda _: None)  # comes after it
    assert len(told) == 1


async def test_what_lets_nothing_be_sent_is_recorded_later(journal: Journal, tmp_path: Path, full: list[int]) -> None:
    job = await journal.write("test", lambda tx: add(tx, state=State.GENERATING))
    full.append(2)
    await journal.write("test", lambda tx: tx.note(job, "attached", {}, remote_id="r"))
    await journal.write("test", lambda tx: tx.move(job, State.FAILED))
    assert kinds(tmp_path) == [record.COMPARED]
    await journal.write("test", lambda _: None)
    assert kinds(tmp_path) == [record.COMPARED, "attached", "failed"]
    await journal.write("test", lambda _: None)
    assert kinds(tmp_path) == [record.COMPARED, "attached", "failed"], "once"


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Journal]:
    journal = journal_at(folder)
    await journal.open()
    yield journal
    await journal.close()


async def test_what_an_older_copy_of_the_journal_lacks_is_made_again_once(tmp_path: Path) -> None:
    file, older = tmp_path / "journal.sqlite3", tmp_path / "older"
    async with opened(tmp_path) as journal:
        job = await journal.write("test", add)
    shutil.copy(file, older)
    async with opened(tmp_path) as journal:
        await journal.write("test", lambda tx: sends(tx, job))
    shutil.copy(older, file)
    for _ in range(2):
        async with opened(tmp_path) as journal:
            found = await journal.read(lambda tx: tx.job(job.id))
            events = await journal.read(lambda tx: tx.events_of(job.id))
        assert (found.state, found.charge) == (State.UNKNOWN, Charge.POSSIBLE)
        assert [event["kind"] for event in events].count("restored") == 1
        assert kinds(tmp_path) == [record.COMPARED, "submitting", record.COMPARED]
