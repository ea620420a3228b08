"""A commit that returned is there after a power cut, wherever in the log the cut falls."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from bridge_daemon.domain.job import Charge, Job, Publication, State
from bridge_daemon.journal import Journal, Transaction
from bridge_daemon.util.times import Times
from tests.journal.conftest import add

_HEADER, _FRAME = 32, 24 + 4096


async def test_the_settings_that_durability_rests_on_are_really_set(journal: Journal) -> None:
    wanted = {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "fullfsync": 1,
        "checkpoint_fullfsync": 1,
        "foreign_keys": 1,
        "busy_timeout": 10_000,
    }

    def look(tx: Transaction) -> dict[str, Any]:
        return {name: tx._connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in wanted}

    assert await journal.write("test", look) == wanted, "on the connection that writes"
    assert await journal.read(look) == wanted


@pytest.mark.both
async def test_an_error_of_the_database_tells_nothing_of_what_was_written(journal: Journal) -> None:
    """It goes into the log and into the problem of a job: no prompt, no signed URL."""
    secret = Publication(method="s3", url="https://bucket.example/x.wav?X-Amz-Signature=abc123", capability="x.wav")
    job = await journal.write("add", lambda tx: add(tx, publication=secret))
    with pytest.raises(IntegrityError) as caught:
        await journal.write("add", lambda tx: tx.add_jobs([job]))
    assert "abc123" not in str(caught.value)


def picture(path: Path) -> tuple[Any, ...]:
    """Return all that a journal says, and that it is healthy."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA quick_check").fetchall() == [("ok",)]
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'jobs'").fetchone():
            return ()
        return (
            connection.execute("SELECT job, state, charge, charge_day, remote_id FROM jobs ORDER BY seq").fetchall(),
            connection.execute("SELECT job, kind, data FROM events ORDER BY id").fetchall(),
            connection.execute("SELECT id, answer FROM requests ORDER BY id").fetchall(),
            connection.execute("SELECT key, value FROM facts ORDER BY key").fetchall(),
        )


def steps() -> list[Callable[[Transaction], Any]]:
    """What a journal lives through, one commit each."""

    def newest(tx: Transaction) -> Job:
        return tx.find(limit=1)[0]

    return [
        add,
        lambda tx: tx.move(newest(tx), State.SUBMITTING, charge=Charge.POSSIBLE, charge_day="2026-01-01"),
        lambda tx: tx.add_event(newest(tx).id, "answer", {"body": "x" * 20_000}),  # several pages
        lambda tx: tx.move(newest(tx), State.GENERATING, charge=Charge.CONFIRMED, remote_id="remote-1"),
        lambda tx: tx.set_fact("pause", {"reason": "person"}),
        lambda tx: tx.move(newest(tx), State.FETCHING),
        lambda tx: [add(tx) for _ in range(8)],
        lambda tx: tx.set_fact("pause", None),
        lambda tx: tx.move(newest(tx), State.CANCELLED),
    ]


@pytest.mark.fault(9)
async def test_no_commit_that_returned_is_lost_to_a_power_cut(journal: Journal, tmp_path: Path) -> None:
    log = journal.path.with_name(journal.path.name + "-wal")
    copy = tmp_path / "copy.sqlite3"
    shutil.copy(journal.path, copy)

    def now() -> tuple[int, tuple[Any, ...]]:
        return log.stat().st_size, picture(journal.path)

    acknowledged = [(0, ()), now()]
    for step in steps():
        await journal.write("test", step)
        acknowledged.append(now())
    assert journal.path.read_bytes() == copy.read_bytes(), "all of it is still in the log"
    whole = log.read_bytes()
    assert acknowledged[-1][0] == len(whole)
    cuts = [*range(_HEADER, len(whole) + 1, _FRAME)]
    assert cuts[-1] == len(whole)
    cuts += [cut + part for cut in cuts[:-1] for part in (10, _FRAME // 2, _FRAME - 1)]
    for cut in sorted(cuts):
        last = max(number for number, (size, _) in enumerate(acknowledged) if size <= cut)
        # the next one may be whole already: SQLite writes its last page twice, to fill a sector, before it returns
        allowed = [what for _, what in acknowledged[last : last + 2]]
        for torn in (b"", bytes(2 * _FRAME)):  # the file ends there, or goes on with what was never written
            copied = fresh_copy(copy, whole[:cut] + torn, tmp_path / "cut")
            assert picture(copied) in allowed, f"cut at byte {cut}"


def fresh_copy(database: Path, log: bytes, folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    path = folder / "journal.sqlite3"
    shutil.copy(database, path)
    (folder / "journal.sqlite3-wal").write_bytes(log)
    return path


@pytest.mark.fault(9)
async def test_after_a_power_cut_the_journal_opens_and_goes_on(journal: Journal, tmp_path: Path) -> None:
    log = journal.path.with_name(journal.path.name + "-wal")
    copy = tmp_path / "copy.sqlite3"
    shutil.copy(journal.path, copy)
    sizes = [0, log.stat().st_size]
    for _ in range(3):
        await journal.write("test", add)
        sizes.append(log.stat().st_size)
    whole = log.read_bytes()
    for cut, count in ((sizes[0], 0), (sizes[1] - 5000, 0), *zip(sizes[1:], range(4), strict=True)):
        again = Journal(fresh_copy(copy, whole[:cut], tmp_path / "cut"), Times())
        await again.open()
        try:
            assert len(await again.read(lambda tx: tx.find())) == count
            await again.write("test", add)
            assert len(await again.read(lambda tx: tx.find())) == count + 1
        finally:
            await again.close()


@pytest.mark.both
async def test_a_caller_who_is_cancelled_does_not_cut_a_transaction_in_two(journal: Journal) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(tx: Transaction) -> None:
        add(tx)
        begun.set()
        assert go_on.wait(10)
        add(tx)

    task = asyncio.create_task(journal.write("test", slow))
    await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    go_on.set()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    async with asyncio.timeout(10):
        while len(await journal.read(lambda tx: tx.find())) != 2:
            await asyncio.sleep(0.01)


@pytest.mark.both
async def test_readers_do_not_wait_for_the_writer_and_see_one_moment(journal: Journal) -> None:
    await journal.write("test", add)
    begun, go_on = threading.Event(), threading.Event()

    def slow(tx: Transaction) -> None:
        add(tx)
        begun.set()
        assert go_on.wait(10)

    writing = asyncio.create_task(journal.write("test", slow))
    await asyncio.to_thread(begun.wait, 10)
    try:
        async with asyncio.timeout(5):
            assert len(await journal.read(lambda tx: tx.find())) == 1
    finally:
        go_on.set()
    await writing
    assert len(await journal.read(lambda tx: tx.find())) == 2
