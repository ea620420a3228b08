"""The walk: end the process hard at every failpoint of every scenario, start it again three times, and count the money.

The invariants, checked after each start:
    I1  charges at the service ≤ approvals in the journal
    I2  every charge is one job, which is never lost: placed, kept, failed at the service, or shown as unknown
    I3  never a second POST for one approval after an ambiguous one
    I4  what counts as spent ≤ the limit
    I5  every stored take decodes, and is the file that was recorded
    I6  no unfinished file in the library or in the project
    I7  starting again changes nothing: the second and the third start leave what the first left
"""

from __future__ import annotations

import ast
import asyncio
import json
import re
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import soundfile
from filelock import FileLock, Timeout

from bridge_daemon.domain.job import Charge, Job, State
from bridge_daemon.util import files
from bridge_daemon.util.failpoints import EXIT_CODE
from tests.fakes.service import Service
from tests.faults.scenarios import SCENARIOS, Scenario
from tests.faults.victim import given, perform, run
from tests.support import running

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "bridge_daemon"
#: Passed many times in one run; dying at the first few is dying at each.
MOST_TIMES = 2
#: Failpoints that no scenario passes, each with the reason why that is right.
NOT_WALKED = {
    "journal.restore": "a journal that lost something; tests/app/test_lost_journal.py dies at it",
    "journal.migrate": "walked by tests/journal/test_migrations.py on journals of older versions",
    "journal.lease": "taking over another room's job; tests/studio/test_rooms.py ends the processes that have them",
    **dict.fromkeys(
        ("journal.shared", "journal.store_source", "journal.store_take", "journal.store_going", "journal.store_gone"),
        "needs a studio with a store: walked by tests/studio/test_store.py",
    ),
    **dict.fromkeys(("store.put", "store.copy", "store.get", "store.delete"), "the same"),
    "journal.store_lost": "what a store lost; tests/studio/test_store.py damages what lies there",
    "journal.store_mark": "that a store is in use, before anything lies there; tests/studio/test_store.py",
    "file.store_mark": "the same",
    "file.shared_source": "the source of a room that died; tests/studio/test_store.py",
    **dict.fromkeys(
        (f"move.{step}" for step in ("mark", "marked", "batch", "copied", "renders", "facts", "compared", "done")),
        "a command that moves a home into a studio; tests/studio/test_moving.py dies at each",
    ),
    "journal.fetched": "the original of a room that is not there: walked by tests/studio/test_store.py; of a take that "
    "could not be put into the library: tests/pipeline/test_fetch.py",
    "journal.late_answer": "an answer after the job became unknown; tests/studio/test_rooms.py",
    "file.config": "settings, written before anything can cost; tests/settings",
    "file.key": "the key, written by a command; tests/home/test_api_key.py",
    "file.s3_key": "the credentials of a bucket, written by a command; tests/home/test_s3_key.py",
    "journal.object": "needs a real bucket: walked by tests/publish/test_kill.py",
    "journal.object_gone": "the same",
    "journal.republish": "needs a tunnel that dies: walked by tests/publish/test_kill.py",
    "journal.nudge": "remembers an id and changes no job; tests/actions/test_actions.py says it again later",
    "file.installed": "what was copied into a DAW, by a command that spends nothing; tests/install",
    "file.manifest": "the same; its process ends at three failpoints in tests/install/test_folder.py",
    "file.fit": "a copy, written by a process of its own; tests/pipeline/test_measure.py ends that",
    "file.reaper_check": "a report of what a REAPER does, by a command that spends nothing; tests/reaper",
    "file.service": "the unit of a service, written by a command; tests/install/test_service.py",
    "file.setup": "what setup has done, by a command that sends nothing; tests/cli",
    "file.upload": "a source that was dropped on the page, before anything is asked; tests/frontends/http",
    "journal.mark": "what a person thinks of a take: it moves no job; tests/actions/test_page.py",
    "file.sessions": "who is signed in to the page; it says nothing of jobs and money; tests/frontends/http",
    "file.sketch": "the built-in engine, which costs nothing; tests/engine/sketch",
}


async def _victim(home: Path, service: Service, scenario: Scenario, **points: str) -> int:
    """Run the scenario in a process of its own and return how it ended."""
    code = await run(given(home, service, scenario.ops(home, service), **scenario.settings_of(home)), **points)
    if code not in (0, EXIT_CODE):
        told = home.parent / "told.txt"
        said = told.read_text(encoding="utf-8") if told.exists() else "nothing told"
        pytest.fail(f"the victim ended with {code}: {said}")
    return code


async def _jobs(home: Path, service: Service, scenario: Scenario) -> tuple[list[Job], int, float]:
    """Start the daemon, let it do what there is to do, and return its jobs, approvals and what counts as spent."""
    async with running(home, service, **scenario.settings_of(home)) as daemon:
        await perform(daemon, scenario.ops(home, service))
        jobs = await daemon.journal.read(lambda tx: tx.find(limit=500))
        retries = await daemon.journal.read(_retries)
        spent = await daemon.actions.spend()
        return jobs, len(jobs) + retries, spent["spent_today_usd"]


def _retries(tx: Any) -> int:
    from sqlalchemy import func, select

    from bridge_daemon.journal.tables import requests

    return int(tx._connection.execute(select(func.count()).where(requests.c.kind == "retry")).scalar_one())


def _check(jobs: list[Job], approvals: int, spent: float, service: Service, home: Path) -> None:
    assert len(service.charges) <= approvals, "I1"
    by_remote = Counter(job.remote_id for job in jobs if job.remote_id)
    unknown = sum(job.state in (State.UNKNOWN, State.DISMISSED) and job.remote_id is None for job in jobs)
    orphans = [charge for charge in service.charges if by_remote[charge.remote_id] != 1]
    assert len(orphans) <= unknown, "I2"
    for job in jobs:
        if job.remote_id is not None:
            assert job.charge is Charge.CONFIRMED, "I2"
    accepted = [post for post in service.posts if post.charged]
    assert len(accepted) <= approvals, "I3"
    assert spent <= 10.0, "I4"
    for job in jobs:
        if job.take is not None:
            assert files.sha256(Path(job.take.file)) == job.take.sha256, "I5"
            assert soundfile.info(job.take.file).frames == job.take.frames, "I5"
    parts = [path for path in home.parent.rglob("*.part") if path.parent != home]
    assert all(path.name.startswith(".") for path in parts), "I6"
    if all(job.state is State.PLACED for job in jobs):
        assert parts == [], "I6"


def _picture(jobs: list[Job]) -> list[tuple[Any, ...]]:
    return [(job.id, job.state, job.charge, job.remote_id, job.delivery, job.take) for job in jobs]


async def _prepare(tmp_path: Path, service: Service, scenario: Scenario) -> Path:
    home = tmp_path / "home"
    service.control({"set": scenario.service} if scenario.service else {})
    if scenario.before is not None:
        await scenario.before(home, service)
    if scenario.script:
        service.control(scenario.script)
    return home


async def _record(tmp_path: Path, name: str) -> list[str]:
    """Return every failpoint that a scenario passes, as ``name:n``."""
    scenario, log = SCENARIOS[name], tmp_path / "passed.txt"
    async with Service() as service:
        home = await _prepare(tmp_path, service, scenario)
        assert await _victim(home, service, scenario, log=str(log)) == 0
    counts = Counter(log.read_text(encoding="utf-8").split("\n")[:-1])
    points = [f"{point}:{n}" for point, times in sorted(counts.items()) for n in range(1, min(times, MOST_TIMES) + 1)]
    assert len(points) > 5
    return points


@pytest.fixture
def recordings(tmp_path_factory: pytest.TempPathFactory, worker_id: str, where: str) -> Path:
    """Return the folder of what the scenarios pass, shared by all workers of this run."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / f"walk-{where}"
    folder.mkdir(exist_ok=True)
    return folder


async def _recorded(recordings: Path, tmp_path: Path) -> dict[str, list[str]]:
    """Return the failpoints of each scenario. Each is recorded once in a run, by whichever worker comes first."""
    while left := [name for name in SCENARIOS if not (recordings / f"{name}.json").exists()]:
        for name in left:
            with suppress(Timeout), FileLock(recordings / f"{name}.lock", blocking=False):
                if not (file := recordings / f"{name}.json").exists():
                    folder = tmp_path / f"record {name}"
                    folder.mkdir()
                    part = folder / "points.json"
                    part.write_text(json.dumps(await _record(folder, name)), encoding="utf-8")
                    part.replace(file)  # others read it as soon as it is there
        await asyncio.sleep(0.1)
    return {name: json.loads((recordings / f"{name}.json").read_bytes()) for name in SCENARIOS}


def _family(point: str) -> str:
    """Return ``journal.admit`` for ``journal.admit.commit:1``: what is walked in one test."""
    return ".".join(point.partition(":")[0].split(".")[:2])


def _families_in_code() -> list[str]:
    """Return every family of failpoints that the code can pass."""
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            first = node.args[0] if node.args else None
            literal = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
            if called == "failpoint" and literal:
                found.add(_family(literal))
            elif called in ("write", "_act") and literal and len(node.args) == 2:
                found.add(f"journal.{literal}")
            for keyword in node.keywords:
                if keyword.arg == "point" and isinstance(keyword.value, ast.Constant):
                    found.add(f"file.{keyword.value.value}")
    return sorted(found)


@pytest.mark.both
@pytest.mark.timeout(900)
@pytest.mark.parametrize("family", _families_in_code())
@pytest.mark.fault(8)
async def test_the_process_may_end_anywhere(tmp_path: Path, recordings: Path, family: str) -> None:
    passed = await _recorded(recordings, tmp_path)
    walks = [(name, point) for name, points in passed.items() for point in points if _family(point) == family]
    assert walks or family in NOT_WALKED, "no scenario passes it; add one, or a reason"
    slots = asyncio.Semaphore(6)  # victims wait more than they work

    async def walk(number: int, name: str, point: str) -> None:
        async with slots:
            folder = tmp_path / str(number)
            folder.mkdir()
            await _die_and_start_again(folder, name, point)

    async with asyncio.TaskGroup() as group:
        for number, (name, point) in enumerate(walks):
            group.create_task(walk(number, name, point), name=f"{name} {point}")


@pytest.mark.both
@pytest.mark.timeout(900)
async def test_every_failpoint_is_walked(tmp_path: Path, recordings: Path) -> None:
    """A failpoint whose name is made at run time would belong to no test."""
    passed = await _recorded(recordings, tmp_path)
    assert {_family(point) for points in passed.values() for point in points} <= set(_families_in_code())


async def _die_and_start_again(folder: Path, name: str, point: str) -> None:
    scenario = SCENARIOS[name]
    async with Service() as service:
        home = await _prepare(folder, service, scenario)
        await _victim(home, service, scenario, failpoint=point)
        pictures = []
        try:
            for _ in range(3):
                jobs, approvals, spent = await _jobs(home, service, scenario)
                _check(jobs, approvals, spent, service, home)
                pictures.append((_picture(jobs), len(service.posts), len(service.charges)))
        except Exception as error:
            error.add_note(f"{name} died at {point}")
            raise
        deliveries = any(verb == "deliver" for verb, _ in scenario.ops(home, service))
        if not deliveries:  # an op that counts up is meant to change something
            assert pictures[1] == pictures[2], f"I7, {name} died at {point}"


def test_what_is_not_walked_is_watched_by_tests_that_are_there() -> None:
    named = re.findall(r"tests/[\w/.]+\w", " ".join(NOT_WALKED.values()))
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_no_step_writes_past_the_failpoints() -> None:
    """Files are renamed and the journal is written only by the helpers that have failpoints."""
    allowed = {"files.py", "logs.py", "secret_file.py", "held_folder.py"}  # each has failpoints before and after
    wrong = re.compile(r"\bos\.(replace|rename|link)\(|\.rename\(|\.write_(bytes|text)\(|shutil\.(move|copy)")
    offenders = [
        f"{path.relative_to(PACKAGE)}: {line.strip()}"
        for path in PACKAGE.rglob("*.py")
        if path.name not in allowed and not {"sketch", "install"} & set(path.parts) and path.name != "schema.py"
        for line in path.read_text(encoding="utf-8").splitlines()
        if wrong.search(line)
    ]
    assert offenders == []
