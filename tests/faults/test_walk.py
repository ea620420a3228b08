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
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import soundfile

from bridge_daemon.domain.job import Charge, Job, State
from bridge_daemon.util import files
from bridge_daemon.util.failpoints import EXIT_CODE
from tests.fakes.service import Service
from tests.faults.scenarios import SCENARIOS, Scenario
from tests.faults.victim import perform, run
from tests.support import running, settings

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "bridge_daemon"
#: Passed many times in one run; dying at the first few is dying at each.
MOST_TIMES = 2
#: Failpoints that no scenario passes, each with the reason why that is right.
NOT_WALKED = {
    "journal.migrate": "walked by tests/journal/test_migrations.py on journals of older versions",
    "file.config": "settings, written before anything can cost; tests/test_settings.py",
    "file.key": "the key, written by a command; tests/test_key.py",
    "file.s3_key": "the credentials of a bucket, written by a command; tests/publish/test_s3_key.py",
    "journal.object": "needs a real bucket: walked by tests/publish/test_kill.py",
    "journal.republish": "needs a tunnel that dies: walked by tests/publish/test_kill.py",
    "journal.nudge": "remembers an id and changes no job; tests/test_actions.py says it again after the job has ended",
    "file.installed": "what was copied into a DAW, by a command that spends nothing; tests/install",
    "file.manifest": "the same; its process ends at three failpoints in tests/install/test_folder.py",
    "file.sketch": "the built-in engine, which costs nothing; tests/engine/sketch",
}


async def _victim(home: Path, service: Service, scenario: Scenario, **points: str) -> int:
    """Run the scenario in a process of its own and return how it ended."""
    told = home.parent / "told.txt"
    given = {
        "home": str(home),
        "key": service.key,
        "settings": settings(service, **scenario.settings_of(home)).model_dump(mode="json"),
        "ops": scenario.ops(home, service),
        "told": str(told),
    }
    code = await run(given, **points)
    if code not in (0, EXIT_CODE):
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


async def _recorded(tmp_path: Path, name: str) -> list[str]:
    """Return every failpoint that a scenario passes, as ``name:n``."""
    scenario, log = SCENARIOS[name], tmp_path / "passed.txt"
    async with Service() as service:
        home = await _prepare(tmp_path, service, scenario)
        assert await _victim(home, service, scenario, log=str(log)) == 0
    counts = Counter(log.read_text(encoding="utf-8").split("\n")[:-1])
    return [f"{point}:{n}" for point, times in sorted(counts.items()) for n in range(1, min(times, MOST_TIMES) + 1)]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", SCENARIOS)
async def test_the_process_may_end_anywhere(tmp_path: Path, name: str) -> None:
    scenario = SCENARIOS[name]
    (tmp_path / "record").mkdir()
    points = await _recorded(tmp_path / "record", name)
    assert len(points) > 5
    slots = asyncio.Semaphore(6)  # victims wait more than they work

    async def walk(number: int, point: str) -> None:
        async with slots:
            folder = tmp_path / str(number)
            folder.mkdir()
            await _die_and_start_again(folder, scenario, point)

    async with asyncio.TaskGroup() as group:
        for number, point in enumerate(points):
            group.create_task(walk(number, point), name=point)


async def _die_and_start_again(folder: Path, scenario: Scenario, point: str) -> None:
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
            error.add_note(f"died at {point}")
            raise
        deliveries = any(verb == "deliver" for verb, _ in scenario.ops(home, service))
        if not deliveries:  # an op that counts up is meant to change something
            assert pictures[1] == pictures[2], f"I7, died at {point}"


def _names_in_code() -> set[str]:
    """Return every failpoint that the code can pass, as far as its names tell: ``journal.<name>``, ``file.<point>``."""
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            first = node.args[0] if node.args else None
            literal = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
            if called == "failpoint" and literal:
                found.add(literal)
            elif called in ("write", "_act") and literal and len(node.args) == 2:
                found.add(f"journal.{literal}.commit")
            for keyword in node.keywords:
                if keyword.arg == "point" and isinstance(keyword.value, ast.Constant):
                    found.add(f"file.{keyword.value.value}.")
    return found


@pytest.mark.timeout(300)
async def test_every_failpoint_is_walked(tmp_path: Path) -> None:
    passed: set[str] = set()
    for name in SCENARIOS:
        (tmp_path / name).mkdir()
        passed |= {point.rpartition(":")[0] for point in await _recorded(tmp_path / name, name)}
    missing = {
        name
        for name in _names_in_code()
        if not any(point.startswith(name) for point in passed)
        and not any(name.startswith(reason) for reason in NOT_WALKED)
    }
    assert missing == set(), "no scenario passes these; add one, or a reason"


def test_no_step_writes_past_the_failpoints() -> None:
    """Files are renamed and the journal is written only by the helpers that have failpoints."""
    allowed = {"files.py", "logs.py", "secret_file.py"}
    wrong = re.compile(r"\bos\.(replace|rename|link)\(|\.rename\(|\.write_(bytes|text)\(|shutil\.(move|copy)")
    offenders = [
        f"{path.relative_to(PACKAGE)}: {line.strip()}"
        for path in PACKAGE.rglob("*.py")
        if path.name not in allowed and not {"sketch", "install"} & set(path.parts) and path.name != "schema.py"
        for line in path.read_text(encoding="utf-8").splitlines()
        if wrong.search(line)
    ]
    assert offenders == []
