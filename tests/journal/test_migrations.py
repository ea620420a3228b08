"""The version of the journal: made and brought up to date whole or not at all, and never changed by older code."""

from __future__ import annotations

import asyncio
import multiprocessing
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy.exc import OperationalError

import bridge_daemon.journal.migrations
from bridge_daemon.domain.job import Charge, Job, State
from bridge_daemon.errors import JournalUnusable
from bridge_daemon.journal import Journal, schema
from bridge_daemon.journal.tables import metadata
from bridge_daemon.util.failpoints import EXIT_CODE, arm
from bridge_daemon.util.times import Times
from tests.journal.conftest import add

MIGRATIONS = Path(bridge_daemon.journal.migrations.__file__).parent
POINTS = ["begin", "commit", "committed"]
NOW = schema.HEAD
NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "9998"
down_revision = {head!r}


def upgrade():
    op.add_column("jobs", sa.Column("colour", sa.String(20)))
    op.create_table("more", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("UPDATE jobs SET parameters = json_set(parameters, '$.colour', 'blue')")
    op.execute("UPDATE jobs SET place = json_set(place, '$.bar', 3)")
"""
LAST = """
from alembic import op

revision = "9999"
down_revision = "9998"


def upgrade():
    op.execute("DELETE FROM events")
    {last}
"""


async def opened(path: Path, *, read_only: bool = False) -> Journal:
    journal = Journal(path, Times(), read_only=read_only)
    try:
        await journal.open()
    except BaseException:
        await journal.close()
        raise
    return journal


async def with_a_job(path: Path) -> Job:
    """Make a journal of today's version with one job in it."""
    journal = await opened(path)
    job = await journal.write("test", add)
    await journal.close()
    return job


async def jobs_in(path: Path, *, read_only: bool = False) -> list[Job]:
    journal = await opened(path, read_only=read_only)
    try:
        return await journal.read(lambda tx: tx.find())
    finally:
        await journal.close()


def revision_in(path: Path) -> str | None:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA quick_check").fetchall() == [("ok",)]
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
            return None
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def future(folder: Path, last: str = "pass") -> Path:
    """Write the migrations of a later version: ours and two more, which are run in one piece."""
    scripts = folder / f"migrations {abs(hash(last))}"
    if not scripts.exists():
        shutil.copytree(MIGRATIONS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
        (scripts / "versions" / "9998_next.py").write_text(NEXT.format(head=schema.HEAD))
        (scripts / "versions" / "9999_last.py").write_text(LAST.format(last=last))
    return scripts


def use(scripts: Path, change: Callable[[object, str, Any], None] = setattr) -> None:
    """Be the later version."""

    def config() -> Config:
        made = Config()
        made.set_main_option("script_location", str(scripts))
        made.set_main_option("path_separator", "os")
        return made

    change(schema, "_config", config)
    change(schema, "HEAD", "9999")


class TestTheTables:
    async def test_are_what_the_migrations_make(self, journal: Journal) -> None:
        with journal._database.begin_reading() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, metadata) == []

    async def test_head_is_the_newest_migration(self, journal: Journal) -> None:
        assert schema.known_revisions()[-1] == schema.HEAD
        assert revision_in(journal.path) == schema.HEAD

    async def test_opening_again_changes_nothing(self, tmp_path: Path) -> None:
        path = tmp_path / "journal.sqlite3"
        job = await with_a_job(path)
        for _ in range(3):
            assert await jobs_in(path) == [job]
        names = sorted(file.name for file in tmp_path.iterdir())
        assert names == ["journal.sqlite3", "sent.jsonl"], "no copy where nothing was changed"


class TestALaterVersion:
    async def test_brings_it_up_to_date_and_keeps_a_copy(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "journal.sqlite3"
        job = await with_a_job(path)
        use(future(tmp_path), monkeypatch.setattr)
        assert await jobs_in(path) == [job]
        assert revision_in(path) == "9999"
        assert revision_in(path.with_name(f"{path.name}.before-{NOW}")) == NOW

    async def test_a_migration_that_fails_changes_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "journal.sqlite3"
        job = await with_a_job(path)
        with monkeypatch.context() as later:
            use(future(tmp_path, "op.execute('nonsense')"), later.setattr)
            with pytest.raises(OperationalError):
                await opened(path)
        assert revision_in(path) == NOW
        assert await jobs_in(path) == [job]
        [event] = await events_in(path, job)
        assert event["kind"] == "queued"

    @pytest.mark.fault(32)
    async def test_its_journal_is_not_touched_by_this_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "journal.sqlite3"
        job = await with_a_job(path)
        with monkeypatch.context() as later:
            use(future(tmp_path), later.setattr)
            await jobs_in(path)
        before = path.read_bytes()
        with pytest.raises(JournalUnusable, match="newer daw-bridge") as caught:
            await opened(path)
        assert caught.value.code == "E-JOURNAL"
        assert caught.value.charge == "none"
        assert path.read_bytes() == before
        assert await jobs_in(path, read_only=True) == [job], "but what it says can be read"
        assert path.read_bytes() == before

    @pytest.mark.parametrize(("sent", "safe"), [(False, True), (True, False)])
    async def test_going_back_is_safe_if_nothing_was_sent_since(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: bool, safe: bool
    ) -> None:
        path = tmp_path / "journal.sqlite3"
        job = await with_a_job(path)
        with monkeypatch.context() as later:
            use(future(tmp_path), later.setattr)
            journal = await opened(path)
            if sent:
                await journal.write("test", lambda tx: tx.move(job, State.SUBMITTING, charge=Charge.POSSIBLE))
            await journal.close()
        with pytest.raises(JournalUnusable) as caught:
            await opened(path)
        assert ("Going back is safe" in caught.value.message) is safe
        assert ("is not safe" in caught.value.message) is not safe
        if safe:  # as the message says
            path.rename(tmp_path / "elsewhere")
            path.with_name(f"{path.name}.before-{NOW}").rename(path)
            assert await jobs_in(path) == [job]
        (tmp_path / "sent.jsonl").unlink()
        path.unlink(missing_ok=True)

    async def test_going_back_is_not_safe_without_the_record_or_the_copy(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "journal.sqlite3"
        await with_a_job(path)
        with monkeypatch.context() as later:
            use(future(tmp_path), later.setattr)
            await jobs_in(path)
        (tmp_path / "sent.jsonl").unlink()
        with pytest.raises(JournalUnusable, match="is not safe: journal"):
            await opened(path)
        path.with_name(f"{path.name}.before-{NOW}").unlink()
        with pytest.raises(JournalUnusable, match="is not safe: there is no copy"):
            await opened(path)


async def events_in(path: Path, job: Job) -> list[dict[str, Any]]:
    journal = await opened(path)
    try:
        return await journal.read(lambda tx: tx.events_of(job.id))
    finally:
        await journal.close()


class TestOnlyReading:
    async def test_beside_a_daemon_that_writes(self, journal: Journal) -> None:
        reader = await opened(journal.path, read_only=True)
        try:
            for number in range(3):
                assert len(await reader.read(lambda tx: tx.find())) == number
                await journal.write("test", add)
        finally:
            await reader.close()

    async def test_changes_nothing(self, tmp_path: Path) -> None:
        path = tmp_path / "journal.sqlite3"
        await with_a_job(path)
        before = path.read_bytes()
        reader = await opened(path, read_only=True)
        try:
            with pytest.raises(OperationalError, match="readonly"):
                await reader.write("test", add)
        finally:
            await reader.close()
        assert path.read_bytes() == before

    async def test_what_a_crash_left_behind(self, journal: Journal, tmp_path: Path) -> None:
        await journal.write("test", add)
        (tmp_path / "copy").mkdir()
        for file in ("journal.sqlite3", "journal.sqlite3-wal"):
            shutil.copy(journal.path.with_name(file), tmp_path / "copy")
        assert len(await jobs_in(tmp_path / "copy" / "journal.sqlite3", read_only=True)) == 1

    async def test_a_state_that_a_later_version_knows_is_not_taken_for_another(self, journal: Journal) -> None:
        job = await journal.write("test", add)
        with closing(sqlite3.connect(journal.path)) as connection, connection:
            connection.execute("UPDATE jobs SET state = 'teleported'")
        with pytest.raises(ValueError, match="teleported"):
            await journal.read(lambda tx: tx.job(job.id))


class TestDamage:
    @pytest.mark.parametrize("damage", ["garbage", "a broken page", "cut off"])
    @pytest.mark.parametrize("read_only", [False, True])
    async def test_is_told_and_left_alone(self, tmp_path: Path, damage: str, read_only: bool) -> None:
        path = tmp_path / "journal.sqlite3"
        if damage == "garbage":
            path.write_bytes(b"no database at all" * 500)
        else:
            journal = await opened(path)
            await journal.write("test", lambda tx: [add(tx) for _ in range(100)])
            await journal.close()
            whole = path.read_bytes()
            if damage == "cut off":
                path.write_bytes(whole[: len(whole) // 2])
            else:
                middle = 4096 * (len(whole) // 4096 // 2)
                path.write_bytes(whole[:middle] + b"\xa5" * 4096 + whole[middle + 4096 :])
        path.with_name("sent.jsonl").unlink(missing_ok=True)
        before = path.read_bytes()
        with pytest.raises(JournalUnusable, match="damaged") as caught:
            await opened(path, read_only=read_only)
        assert "Keep it" in caught.value.next_step
        assert "nothing was spent" in caught.value.message
        assert path.read_bytes() == before
        beside = {file for file in tmp_path.iterdir() if file != path and not file.name.endswith("-shm")}
        assert all(file.stat().st_size == 0 for file in beside), "a reader may leave an empty log, and nothing else"

    async def test_an_empty_file_is_a_journal_that_was_not_made_yet(self, tmp_path: Path) -> None:
        path = tmp_path / "journal.sqlite3"
        path.touch()
        assert await jobs_in(path) == []


def _die(path: str, scripts: str | None, point: str) -> None:
    if scripts is not None:
        use(Path(scripts))
    arm(f"journal.migrate.{point}:1", None)
    asyncio.run(opened(Path(path)))


async def die(path: Path, scripts: Path | None, point: str) -> int:
    """Open the journal in a process that ends at a failpoint."""
    context = multiprocessing.get_context("spawn" if sys.platform == "win32" else "forkserver")
    process = context.Process(target=_die, args=(str(path), scripts and str(scripts), point))
    await asyncio.to_thread(process.start)
    await asyncio.to_thread(process.join)
    code = process.exitcode
    process.close()
    return int(code or 0)


class TestEndingInTheMiddle:
    @pytest.mark.parametrize("point", POINTS)
    async def test_of_making_it(self, tmp_path: Path, point: str) -> None:
        path = tmp_path / "journal.sqlite3"
        assert await die(path, None, point) == EXIT_CODE
        assert await jobs_in(path) == []
        assert revision_in(path) == schema.HEAD

    @pytest.mark.parametrize("point", POINTS)
    async def test_of_bringing_it_up_to_date(self, tmp_path: Path, point: str, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "journal.sqlite3"
        job = await with_a_job(path)
        job = await moved(path, job)
        scripts = future(tmp_path)
        assert await die(path, scripts, point) == EXIT_CODE
        assert revision_in(path) == ("9999" if point == "committed" else NOW)
        if point != "committed":
            assert await jobs_in(path) == [job], "this version can still use it"
        use(scripts, monkeypatch.setattr)
        assert await jobs_in(path) == [job]
        assert revision_in(path) == "9999"


async def moved(path: Path, job: Job) -> Job:
    journal = await opened(path)
    try:
        return await journal.write("test", lambda tx: tx.move(job, State.HELD))
    finally:
        await journal.close()
