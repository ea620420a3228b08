"""Moving a home from its file into the studio: everything, once, with the same sums, whatever ends it in the middle."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from bridge_daemon.domain.job import Charge, Job, State, Take
from bridge_daemon.errors import JournalUnusable
from bridge_daemon.home.paths import Home
from bridge_daemon.journal import Journal, Transaction, rebuild, renders, schema
from bridge_daemon.util.times import Times
from tests import postgres
from tests.fakes.service import Service
from tests.journal.conftest import new_job
from tests.studio.pressing import PRICE, room
from tests.support import press, running, until

DAYS = ("2026-10-30", "2026-10-31", "2026-11-01")
REST = (State.PLACED, State.STORED, State.HELD, State.UNKNOWN, State.FAILED, State.CANCELLED, State.DISMISSED)
CHARGED = {State.PLACED: Charge.CONFIRMED, State.STORED: Charge.CONFIRMED, State.UNKNOWN: Charge.POSSIBLE,
           State.FAILED: Charge.CONFIRMED, State.DISMISSED: Charge.POSSIBLE}  # fmt: skip
JOBS = 230  # three batches


def _job(number: int) -> Job:
    state = REST[number % len(REST)]
    charge = CHARGED.get(state, Charge.NONE)
    take = Take(file=f"/library/{number}.wav", rate=44100, frames=1, channels=2, time_reference=0, sha256="x" * 64)
    return new_job(
        price=PRICE + number,
        state=state,
        charge=charge,
        remote_id=f"remote-{number}" if charge is Charge.CONFIRMED else None,
        take=take if state in (State.PLACED, State.STORED) else None,
        delivery=number % 4,
        client="reaper" if number % 2 else None,
        tags=("rain",),
        favourite=number % 5 == 0,
        updated_at=1e9,
    )


def _fill(tx: Transaction) -> None:
    for number in range(JOBS):
        job = _job(number)
        tx.add_request(
            job.request_id, kind="request", client=job.client, body_hash="b", fingerprint=f"press {number}",
            body={"id": job.request_id}, answer={"jobs": [job.id]},
        )  # fmt: skip
        tx.add_jobs([job])
        tx.add_event(job.id, "answer", {"number": number})
    tx.add_request("no-job", kind="retry", client=None, body_hash="b", fingerprint="f", body={}, answer={})
    tx.set_fact("pause", {"reason": "person", "text": "paused by you", "since": 1.0})
    tx.set_fact("price.agreed https://service.example stable-audio-2-0", {"flat": 600_000})
    made = renders.add(tx, [
        {"folder": "f", "root": "/f", "name": f"{n}.wav", "size": n, "mtime_ns": n, "state": "waiting", "sha256": "s"}
        for n in range(3)
    ])  # fmt: skip
    renders.change(tx, made[2].id, same_as=made[0].id)


@pytest.fixture
async def home(tmp_path: Path, studio: str) -> Home:
    """A home with a journal of its own, that has joined a studio as the room left."""
    made = Home(tmp_path / "left")
    made.prepare()
    journal = Journal(made.journal, Times())
    await journal.open()
    await journal.write("test", _fill)
    await journal.close()
    with closing(sqlite3.connect(made.journal)) as connection, connection:
        for number, day in enumerate(DAYS):
            connection.execute("UPDATE jobs SET charge_day = ? WHERE charge <> 'none' AND seq % 3 = ?", (day, number))
    made.config.write_text(f'[journal]\nurl = "{postgres.as_room(studio, "left")}"\nroom = "left"\n', encoding="utf-8")
    return made


def move(home: Home, *words: str, failpoint: str = "") -> subprocess.CompletedProcess[str]:
    """Move as a person does, in a process that may die."""
    environ = os.environ | {"DAW_BRIDGE_HOME": str(home.path), "DAW_BRIDGE_FAILPOINT": failpoint}
    command = [sys.executable, "-m", "bridge_daemon", "studio", "move", *words]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)


def in_studio(url: str, what: str) -> list[dict[str, Any]]:
    with psycopg.connect(url, row_factory=dict_row) as connection:
        return connection.execute(what).fetchall()


def of_file(home: Home, what: str) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(f"{home.journal.as_uri()}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(what)]


SUMS = "SELECT charge_day, CAST(sum(price) AS bigint) AS sum FROM jobs WHERE charge <> 'none' GROUP BY 1 ORDER BY 1"
JOB = (
    "SELECT job, request, state, charge, charge_day, price, remote_id, delivery, client, created_at "
    "FROM jobs ORDER BY seq"
)
EVENTS = "SELECT job, at, kind FROM events ORDER BY job, id"


def assert_moved(home: Home, url: str) -> None:
    for what in (SUMS, JOB, EVENTS):
        assert in_studio(url, what) == of_file(home, what)
    assert {row["room"] for row in in_studio(url, "SELECT room FROM jobs")} == {"left"}
    facts = {row["key"]: row["value"] for row in in_studio(url, "SELECT * FROM facts")}
    assert facts["left pause"]["text"] == "paused by you"
    assert facts["price.agreed https://service.example stable-audio-2-0"] == {"flat": 600_000}
    found = in_studio(url, "SELECT id, name, same_as, room FROM renders ORDER BY id")
    assert [row["same_as"] for row in found] == [None, None, found[0]["id"]]
    assert len(in_studio(url, "SELECT id FROM requests")) == JOBS + 1
    assert schema.revision(home.journal) == "moved-to-studio"


class TestAMove:
    async def test_takes_everything_along(self, home: Home, studio: str, tmp_path: Path) -> None:
        before = of_file(home, SUMS)
        dry = move(home, "--dry-run", "--json")
        assert dry.returncode == 0, dry.stderr
        told = json.loads(dry.stdout)
        assert told["counts"]["jobs"] == JOBS
        assert {day: round(usd * 1e6) for day, usd in told["charged_usd"].items()} == {
            row["charge_day"]: row["sum"] for row in before
        }
        assert in_studio(studio, "SELECT job FROM jobs") == []
        done = move(home)
        assert done.returncode == 0, done.stderr
        assert_moved(home, studio)
        journal = room(postgres.as_room(studio, "left"), tmp_path / "again", "left")
        await journal.open()
        spent = await journal.read(lambda tx: (tx.spent().month, tx.spent_by_client("reaper").month))
        pressed = await journal.read(lambda tx: tx.pressed_at("press 7", since=0))
        await journal.close()
        assert spent[0] == sum(row["sum"] for row in before if row["charge_day"] >= Times().day()[:8] + "01")
        assert pressed is not None, "the same press again is the same press"

    async def test_that_is_run_twice_does_nothing_more(self, home: Home, studio: str) -> None:
        assert move(home).returncode == 0
        assert move(home).returncode == 0
        assert_moved(home, studio)

    async def test_comes_before_what_the_studio_has(self, home: Home, studio: str, tmp_path: Path) -> None:
        """In lists, which are by number; two homes get no number twice."""
        journal = room(postgres.as_room(studio, "right"), tmp_path / "right", "right")
        await journal.open()
        newest = new_job()

        def ask(tx: Transaction) -> None:
            tx.add_request(newest.request_id, kind="request", client=None, body_hash="b", fingerprint="f", body={},
                           answer={})  # fmt: skip
            tx.add_jobs([newest])

        await journal.write("test", ask)
        assert move(home).returncode == 0
        found = await journal.read(lambda tx: tx.find(limit=JOBS + 1))
        assert found[0].id == newest.id
        assert len(found) == JOBS + 1
        await journal.close()

    async def test_is_refused_while_jobs_are_on_their_way(self, home: Home, studio: str) -> None:
        with closing(sqlite3.connect(home.journal)) as connection, connection:
            connection.execute("UPDATE jobs SET state = 'generating' WHERE seq = 1")
        done = move(home)
        assert done.returncode == 1
        assert "1 job(s) of this home are on their way" in done.stderr
        assert schema.revision(home.journal) == schema.HEAD, "it can go on as before"
        assert in_studio(studio, "SELECT job FROM jobs") == []

    async def test_is_refused_while_the_bridge_runs(self, home: Home) -> None:
        with home.lock():
            done = move(home)
        assert (done.returncode, "is running" in done.stderr) == (1, True)

    async def test_of_a_copy_of_a_home_counts_nothing_twice(self, home: Home, studio: str, tmp_path: Path) -> None:
        copy = Home(tmp_path / "copy")
        copy.prepare()
        copy.journal.write_bytes(home.journal.read_bytes())
        copy.config.write_text(
            f'[journal]\nurl = "{postgres.as_room(studio, "copy")}"\nroom = "copy"\n', encoding="utf-8"
        )
        assert move(home).returncode == 0
        done = move(copy)
        assert (done.returncode, "as one of the room left" in done.stderr) == (1, True)
        assert_moved(home, studio)


POINTS = (
    *(f"move.{name}:1" for name in ("mark", "marked", "renders", "facts", "compared", "done")),
    *(f"move.{name}:{count}" for name in ("copied", "batch") for count in (1, 2, 3)),
)


@pytest.mark.thorough
@pytest.mark.parametrize("point", POINTS)
async def test_that_is_cut_off_goes_on_and_charges_nothing_twice(
    home: Home, studio: str, tmp_path: Path, point: str
) -> None:
    assert move(home, failpoint=point).returncode == 137, "it died there"
    if point not in ("move.mark:1", "move.done:1"):
        assert schema.revision(home.journal) == "moving-to-studio"
        with pytest.raises(JournalUnusable, match="did not come to its end"):  # neither on the file …
            async with running(home.path, None):
                raise AssertionError("it runs on a file that is half moved")
        with pytest.raises(JournalUnusable, match="did not come to its end"):  # … nor in the studio
            async with running(home.path, None, journal={"url": postgres.as_room(studio, "left"), "room": "left"}):
                raise AssertionError("it runs in a studio that knows half of it")
    done = move(home)
    assert done.returncode == 0, done.stderr
    assert_moved(home, studio)


async def test_all_points_are_walked(home: Home, tmp_path: Path) -> None:
    log = tmp_path / "passed"
    environ = os.environ | {"DAW_BRIDGE_HOME": str(home.path), "DAW_BRIDGE_FAILPOINT_LOG": str(log)}
    subprocess.run([sys.executable, "-m", "bridge_daemon", "studio", "move"], env=environ, check=True, timeout=60)
    passed = [line for line in log.read_text(encoding="utf-8").split() if line.startswith("move.")]
    assert {f"{name}:{passed[: index + 1].count(name)}" for index, name in enumerate(passed)} == set(POINTS)


class TestTheOldFile:
    async def test_is_not_run_on_and_not_made_again_from_the_record(self, home: Home) -> None:
        assert move(home).returncode == 0
        with pytest.raises(JournalUnusable, match="were moved into a studio"):
            async with running(home.path, None):
                raise AssertionError("it pays twice")
        assert (await rebuild.rebuild(home.journal)).whole

    async def test_is_refused_by_a_bridge_that_knows_no_studios(self, home: Home) -> None:
        """It takes the mark for the revision of a newer version."""
        assert move(home).returncode == 0
        assert schema.revision(home.journal) not in schema.known_revisions()


async def test_a_home_that_has_moved_goes_on_in_the_studio(studio: str, tmp_path: Path) -> None:
    """A take that waits for its client is still delivered, and one more press counts on top of what was spent."""
    home = Home(tmp_path / "left")
    home.prepare()
    async with Service() as service:
        async with running(home.path, service) as daemon:
            waits = (await until(daemon, await press(daemon, client="reaper"), {State.STORED})).id
            await until(daemon, await press(daemon, prompt="snow"))
        where = {"url": postgres.as_room(studio, "left"), "room": "left"}
        home.config.write_text(f'[journal]\nurl = "{where["url"]}"\nroom = "left"\n', encoding="utf-8")
        done = move(home)
        assert done.returncode == 0, done.stderr
        async with running(home.path, service, journal=where) as daemon:
            assert [job.id for job in await daemon.actions.undelivered("reaper")] == [waits]
            status = await daemon.actions.status()
            assert status["spent_today_usd"] == pytest.approx(2 * PRICE / 1e6)
            await until(daemon, await press(daemon, prompt="hail"))
            assert (await daemon.actions.status())["spent_today_usd"] == pytest.approx(3 * PRICE / 1e6)
        assert len(service.posts) == len(service.charges) == 3
