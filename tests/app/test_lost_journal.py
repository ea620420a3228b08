"""The journal is lost, emptied, damaged or set back: nothing is paid twice, nothing paid is lost, and it is told."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge_daemon.app.daemon import Daemon
from bridge_daemon.domain.job import Charge, Job, State
from bridge_daemon.errors import BridgeError, JournalUnusable
from bridge_daemon.home.paths import Home
from bridge_daemon.journal import Journal, rebuild, record
from bridge_daemon.util.failpoints import EXIT_CODE
from bridge_daemon.util.times import Times
from tests.cli.conftest import Cli
from tests.fakes.service import Service
from tests.faults.victim import run
from tests.support import job_of, press, request, running, settings, until, until_seen

_ENDS = ("", "-wal", "-shm")


def _files(home: Path) -> list[Path]:
    return [home / f"journal.sqlite3{end}" for end in _ENDS]


def _delete(home: Path) -> None:
    for file in _files(home):
        file.unlink(missing_ok=True)


def _empty(home: Path) -> None:
    for file in _files(home)[:2]:  # not -shm: SQLite has it in memory, and the system ends a process whose file is cut
        if file.exists():
            file.write_bytes(b"")


def _empty_main(home: Path) -> None:
    (home / "journal.sqlite3").write_bytes(b"")


def _delete_log(home: Path) -> None:
    (home / "journal.sqlite3-wal").unlink()


def _replace(home: Path) -> None:
    copy = home / "copy"
    shutil.copy(home / "journal.sqlite3", copy)
    copy.replace(home / "journal.sqlite3")


async def _seen(daemon: Daemon, job: str) -> Job | None:
    """Return a job of a journal that was lost; nothing where a connection that is new looks, which finds none."""
    try:
        return await job_of(daemon, job)
    except JournalUnusable:
        return None


#: What SQLite and Python have open is opened without FILE_SHARE_DELETE.
removes = pytest.mark.posix("a file that is open can be neither removed nor replaced")


class TestWhileItRuns:
    @pytest.mark.parametrize(
        "lose",
        [
            pytest.param(_delete, marks=removes),
            _empty,
            _empty_main,
            pytest.param(_delete_log, marks=removes),
            pytest.param(_replace, marks=removes),
        ],
    )
    async def test_nothing_is_taken_or_sent_any_more(self, tmp_path: Path, lose: Callable[[Path], None]) -> None:
        async with Service() as service, running(tmp_path / "home", service) as daemon:
            await until(daemon, await press(daemon))
            lose(tmp_path / "home")
            with pytest.raises(BridgeError) as caught:
                await press(daemon, prompt="another")
            assert caught.value.code == "E-JOURNAL"
            assert "rebuild" in caught.value.next_step
            assert len(service.posts) == 1

    @pytest.mark.parametrize(
        "lose", [pytest.param(_delete, marks=removes), _empty_main, pytest.param(_replace, marks=removes)]
    )
    async def test_what_was_taken_before_is_not_sent(self, tmp_path: Path, lose: Callable[[Path], None]) -> None:
        async with Service() as service, running(tmp_path / "home", service) as daemon:
            answer, _ = await daemon.actions._admit.admit(request())  # and not driven
            (job,) = answer["jobs"]
            lose(tmp_path / "home")
            daemon.actions._drive([job])
            async with asyncio.timeout(30):
                while (found := await _seen(daemon, job)) is None or found.problem is None:
                    await asyncio.sleep(0.02)
            assert found.problem.code == "E-JOURNAL"
            assert (found.state, found.charge) == (State.QUEUED, Charge.NONE)
            assert service.posts == []

    @removes
    @pytest.mark.parametrize("lose", [_delete, _replace])
    async def test_a_connection_that_is_new_takes_no_other_file(
        self, tmp_path: Path, lose: Callable[[Path], None]
    ) -> None:
        journal = Journal(tmp_path / "journal.sqlite3", Times())
        await journal.open()
        one = journal._database.begin_reading()  # so that the next needs a connection of its own
        lose(tmp_path)
        with pytest.raises(JournalUnusable):
            await journal.read(lambda tx: tx.count())
        assert (tmp_path / "journal.sqlite3").exists() == (lose is _replace), "none is made in its place"
        one.close()
        await journal.close()

    @removes
    async def test_the_record_is_looked_at_too(self, tmp_path: Path) -> None:
        async with Service() as service, running(tmp_path / "home", service) as daemon:
            await until(daemon, await press(daemon))
            (tmp_path / "home" / "sent.jsonl").unlink()
            with pytest.raises(JournalUnusable):
                await press(daemon, prompt="another")


class TestAtTheStart:
    @pytest.mark.parametrize("lose", [_delete, _empty])
    async def test_a_journal_that_should_be_there_is_not_made_anew(
        self, tmp_path: Path, lose: Callable[[Path], None]
    ) -> None:
        home = tmp_path / "home"
        async with Service() as service:
            async with running(home, service) as daemon:
                await until(daemon, await press(daemon))
            lose(home)
            with pytest.raises(JournalUnusable) as caught:
                async with running(home, service):
                    pass
            assert "jobs rebuild" in caught.value.next_step

    @pytest.mark.parametrize("main", ["missing", "empty"])
    @pytest.mark.parametrize("record", [True, False])
    async def test_a_log_without_its_journal_is_kept(self, tmp_path: Path, main: str, record: bool) -> None:
        home, journal = tmp_path / "home", tmp_path / "home" / "journal.sqlite3"
        async with Service() as service:
            async with running(home, service) as daemon:
                for number in range(3):
                    await until(daemon, await press(daemon, prompt=f"rain {number}"))
                log = (home / "journal.sqlite3-wal").read_bytes()
            assert len(log) > 100_000
            (home / "journal.sqlite3-wal").write_bytes(log)
            journal.unlink()
            if main == "empty":
                journal.write_bytes(b"")
            if not record:
                (home / "sent.jsonl").unlink()
            with pytest.raises(JournalUnusable):
                async with running(home, service):
                    pass
            assert (home / "journal.sqlite3-wal").read_bytes() == log

    @pytest.mark.parametrize("answered", [True, False])
    async def test_a_journal_of_before_the_submit_sends_nothing_twice(self, tmp_path: Path, answered: bool) -> None:
        """A damaged log, or a copy that was put back: what it does not know any more was paid all the same."""
        home, kept = tmp_path / "home", tmp_path / "kept"
        async with Service(job_seconds=600) as service:
            given = request()
            async with running(home, service) as daemon:
                await daemon.actions._admit.admit(given)  # and not driven
            shutil.copytree(home, kept)
            service.script_post("ok" if answered else "accept_then_drop")
            async with running(home, service) as daemon:
                await until_seen(service)
                job = (await daemon.journal.read(lambda tx: tx.find()))[0].id
                await until(daemon, job, {State.GENERATING, State.UNKNOWN})
            for file in _files(home):
                file.unlink(missing_ok=True)
                if (kept / file.name).exists():
                    shutil.copy(kept / file.name, file)
            for _ in range(2):
                async with running(home, service) as daemon:
                    found = await job_of(daemon, job)
                    paused = (await daemon.actions.status())["paused"]
                    assert paused is not None
                    assert paused["reason"] == "journal"
                    if answered:
                        assert (found.state, found.charge) == (State.GENERATING, Charge.CONFIRMED)
                        assert found.remote_id == service.charges[0].remote_id
                    else:
                        assert (found.state, found.charge) == (State.UNKNOWN, Charge.POSSIBLE)
                    assert (await daemon.actions.spend())["spent_today_usd"] == 0.58
            async with running(home, service) as daemon:
                await daemon.actions.resume()
                _, again = await daemon.actions.admit(given)
                assert again, "the same press is the same press"
            async with running(home, service) as daemon:
                assert (await daemon.actions.status())["paused"] is None, "a person has looked"
            assert len(service.posts) == len(service.charges) == 1

    @pytest.mark.parametrize("part", range(10))
    @pytest.mark.parametrize("damage", ["cut", "flip"])
    @pytest.mark.fault(9, 32)
    async def test_a_damaged_log_pays_nothing_twice(self, tmp_path: Path, damage: str, part: int) -> None:
        home = tmp_path / "home"
        async with Service(job_seconds=600) as service:
            given = request()
            async with running(home, service) as daemon:
                answer, _ = await daemon.actions.admit(given)
                await until(daemon, answer["jobs"][0], {State.GENERATING})
                kept = {file: file.read_bytes() for file in _files(home) if not file.name.endswith("-shm")}
            for file, data in kept.items():
                file.write_bytes(data)
            log = home / "journal.sqlite3-wal"
            data = bytearray(log.read_bytes())
            at = len(data) * part // 10 + 40
            if damage == "cut":
                del data[at:]
            else:
                data[at] ^= 0x10
            log.write_bytes(data)
            (home / "journal.sqlite3-shm").unlink(missing_ok=True)
            try:
                async with running(home, service) as daemon:
                    try:
                        _, again = await daemon.actions.admit(given)
                        assert again
                    except BridgeError as error:
                        assert error.code == "E-PAUSED"
                    jobs = await daemon.journal.read(lambda tx: tx.find())
                    assert [job.remote_id for job in jobs] == [service.charges[0].remote_id]
            except JournalUnusable:
                pass  # told, and nothing was sent
            assert len(service.posts) == 1

    @pytest.mark.parametrize("point", ["journal.restore.commit", "journal.restore.committed"])
    async def test_the_process_may_end_while_it_is_made_again(self, tmp_path: Path, point: str) -> None:
        home, kept = tmp_path / "home", tmp_path / "kept"
        async with Service(job_seconds=600) as service:
            async with running(home, service) as daemon:
                await daemon.actions._admit.admit(request())
            shutil.copytree(home, kept)
            async with running(home, service) as daemon:
                (job,) = await daemon.journal.read(lambda tx: tx.find())
                await until(daemon, job.id, {State.GENERATING})
            for file in _files(home):
                file.unlink(missing_ok=True)
                if (kept / file.name).exists():
                    shutil.copy(kept / file.name, file)
            given = {"home": str(home), "key": service.key, "ops": [], "told": str(tmp_path / "told.txt")}
            given["settings"] = settings(service).model_dump(mode="json")
            assert await run(given, failpoint=f"{point}:1") == EXIT_CODE
            async with running(home, service) as daemon:
                assert (await job_of(daemon, job.id)).state is State.GENERATING
                assert (await daemon.actions.status())["paused"]["reason"] == "journal"
            assert len(service.posts) == 1


class TestRebuild:
    @pytest.mark.fault(32)
    async def test_a_lost_journal_is_made_again(self, tmp_path: Path) -> None:
        home = tmp_path / "home"
        async with Service(job_seconds=600) as service:
            async with running(home, service) as daemon:
                going = await press(daemon, client="studio", place={"position": 4.0})
                await until(daemon, going, {State.GENERATING})
                service.script_post("accept_then_drop", "400")
                lost = await until(daemon, await press(daemon, prompt="lost"))
                no = await until(daemon, await press(daemon, prompt="no"))
            before = (home / "sent.jsonl").read_bytes()
            _delete(home)
            assert {job["job"] for job in rebuild.plan(home / "journal.sqlite3").jobs} == {going, lost.id, no.id}
            assert (home / "sent.jsonl").read_bytes() == before
            assert not (home / "journal.sqlite3").exists(), "a plan changes nothing"
            await rebuild.rebuild(home / "journal.sqlite3")
            async with running(home, service) as daemon:
                states = {job.id: job for job in await daemon.journal.read(lambda tx: tx.find())}
                assert states[going].state is State.GENERATING
                assert (states[going].client, states[going].place.position) == ("studio", 4.0)
                assert states[lost.id].state is State.UNKNOWN
                assert states[no.id].state is State.REFUSED
                assert (await daemon.actions.spend())["spent_today_usd"] == pytest.approx(1.16)
                service.advance(601)
                await until(daemon, going, {State.STORED})
            assert len(service.posts) == 3

    async def test_what_lay_there_is_kept_aside(self, tmp_path: Path) -> None:
        home = tmp_path / "home"
        async with Service() as service:
            async with running(home, service) as daemon:
                await until(daemon, await press(daemon))
                log = (home / "journal.sqlite3-wal").read_bytes()
            (home / "journal.sqlite3").write_bytes(b"")
            (home / "journal.sqlite3-wal").write_bytes(log)
            await rebuild.rebuild(home / "journal.sqlite3")
            (aside,) = home.glob("journal.lost-*")
            assert (aside / "journal.sqlite3-wal").read_bytes() == log

    async def test_a_whole_journal_is_left_alone(self, tmp_path: Path) -> None:
        home = tmp_path / "home"
        async with Service() as service:
            async with running(home, service) as daemon:
                await until(daemon, await press(daemon))
            assert rebuild.plan(home / "journal.sqlite3").whole


class TestTheRecord:
    async def test_is_on_the_disk_before_the_post(self, tmp_path: Path) -> None:
        home = tmp_path / "home"
        async with Service() as service, running(home, service) as daemon:
            service.script_post("silence")
            job = await press(daemon)
            await until_seen(service)
            lines = [json.loads(line) for line in (home / "sent.jsonl").read_text("utf-8").splitlines()]
            sent = [line for line in lines if line.get("job") == job]
            assert [(line["kind"], line["price"]) for line in sent] == [("submitting", 580_000)]
            assert os.name == "nt" or (home / "sent.jsonl").stat().st_mode & 0o777 == 0o600
            await daemon.cut()

    async def test_a_record_that_cannot_be_written_sends_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with Service() as service, running(tmp_path / "home", service) as daemon:

            def full(*_: object) -> None:
                raise OSError(28, "No space left on device")

            monkeypatch.setattr(record.Record, "add", full)
            job = await press(daemon)
            async with asyncio.timeout(10):
                while (found := await job_of(daemon, job)).problem is None or found.problem.code != "E-DISK":
                    await asyncio.sleep(0.02)
            assert (found.state, found.charge, service.posts) == (State.QUEUED, Charge.NONE, [])

    @pytest.mark.fault(9)
    async def test_a_torn_line_is_no_line(self, tmp_path: Path) -> None:
        home = tmp_path / "home"
        async with Service() as service:
            async with running(home, service) as daemon:
                await until(daemon, await press(daemon))
            with (home / "sent.jsonl").open("ab") as file:
                file.write(b'{"job": "torn')
            async with running(home, service) as daemon:
                await until(daemon, await press(daemon, prompt="another"))
            async with running(home, service) as daemon:
                assert (await daemon.actions.status())["paused"] is None

    async def test_the_built_in_engine_is_not_in_it(self, tmp_path: Path) -> None:
        home = tmp_path / "home"
        async with running(home, None) as daemon:
            job = await until(daemon, await press(daemon))
        assert job.id not in (home / "sent.jsonl").read_text("utf-8")


def test_the_command(tmp_path: Path) -> None:
    home = tmp_path / "home"
    cli = Cli(home)

    async def paid() -> None:
        async with Service() as service, running(home, service) as daemon:
            await until(daemon, await press(daemon, prompt="rain for sure"))

    asyncio.run(paid())
    _delete(home)
    told = cli("jobs", "rebuild", "--dry-run")
    assert "rain for sure" in told.stdout
    assert "Nothing was changed" in told.stderr
    assert not (home / "journal.sqlite3").exists()
    with Home(home).lock():
        assert "daw-bridge stop" in cli("jobs", "rebuild", code=None).stderr
    assert [job["state"] for job in cli.json("jobs", "rebuild")["jobs"]] == ["stored"]
    assert "can be used as it is" in cli("jobs", "rebuild").stdout
    assert "rain for sure" in cli("jobs", "list", "--offline").stdout
