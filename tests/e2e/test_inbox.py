"""A Lua script writes two hundred requests at once, and the daemon is killed in the middle: each is answered once."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.processes import FakeService, bridge, fake_service
from tests.waiting import at_last

pytestmark = pytest.mark.timeout(300)
DOCS = Path(__file__).parents[2] / "docs" / "inbox.md"
REQUESTS = 200
MUCH = {
    "DAW_BRIDGE_SPEND__PER_DAY_USD": "1000",
    "DAW_BRIDGE_SPEND__PER_MONTH_USD": "1000",
    "DAW_BRIDGE_ENGINE__REQUESTS_PER_MINUTE": "10000",
    "DAW_BRIDGE_ENGINE__MAX_OPEN_JOBS": "64",
}


@pytest.fixture
def service() -> Iterator[FakeService]:
    with fake_service() as running:
        yield running


def example(language: str, folder: Path) -> Path:
    """The example of the docs, as a file."""
    (code,) = re.findall(rf"```{language}\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    path = folder / f"example.{language}"
    path.write_text(code, encoding="utf-8")
    return path


def lua(program: str, tmp_path: Path, prompt: str, count: int) -> subprocess.Popen[str]:
    (tmp_path / "home" / "inbox" / "reaper").mkdir(parents=True, exist_ok=True)
    command = [program, str(example("lua", tmp_path)), str(tmp_path / "home"), "reaper", prompt, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def left(home: Path) -> list[Path]:
    return [path for path in (home / "inbox").rglob("*.json") if path.is_file()]


@pytest.mark.needs("lua5.4", "lua5.4")
def test_two_hundred_requests_of_a_lua_script_and_kill_9(tmp_path: Path, service: FakeService) -> None:
    """It dies while it claims, admits, answers, submits and fetches, all at once."""
    home, outbox = tmp_path / "home", tmp_path / "home" / "outbox" / "reaper"
    with bridge(home, service.url, **MUCH) as daemon:
        daemon.start()
        script = lua("lua5.4", tmp_path, 'rain "ü" \\', REQUESTS)
        try:
            for kill in range(1, 4):
                at_last(lambda k=kill: len(list(outbox.glob("*.status.json"))) >= k * 30)
                daemon.kill()
                assert left(home) or script.poll() is None, "it was killed in the middle"
                daemon.start()
            said, _ = script.communicate(timeout=120)
        finally:
            script.kill()
            script.wait()
        assert script.returncode == 0, said
        answers = [line.split("\t") for line in said.splitlines()]
        assert Counter(answer for _, answer in answers) == {"accepted": REQUESTS}
        at_last(lambda: not left(home))
        jobs = list(daemon.api("jobs?limit=500")["jobs"])
        assert Counter(job["id"] for job in jobs) == Counter(id_ for id_, _ in answers), "each once, none lost"
        assert {job["prompt"] for job in jobs} == {f'rain "ü" \\ {number}' for number in range(1, REQUESTS + 1)}
        assert {job["place"]["position"] for job in jobs} == {number / 3 for number in range(1, REQUESTS + 1)}
        told = {path.name: json.loads(path.read_bytes()) for path in outbox.glob("*.status.json")}
        assert sorted(told) == sorted(f"{id_}.status.json" for id_, _ in answers)
        by_id = {job["id"]: job["job"] for job in jobs}
        assert all([job["job"] for job in one["jobs"]] == [by_id[one["id"]]] for one in told.values())
        at_last(lambda: {job["state"] for job in daemon.api("jobs?limit=500")["jobs"]} <= {"stored", "unknown"})
        charges = Counter(charge["body"]["prompt"] for charge in service.charges())
        for job in daemon.api("jobs?limit=500")["jobs"]:
            assert charges[job["prompt"]] <= 1, "paid once at most"
            assert charges[job["prompt"]] == 1 or job["state"] == "unknown"
        assert max(Counter(post["body"]["prompt"] for post in service.posts()).values()) == 1, "asked for once"


@pytest.mark.needs("lua5.3", "lua5.3")
def test_the_examples_of_the_docs_from_press_to_placed(tmp_path: Path, service: FakeService) -> None:
    home = tmp_path / "home"
    with bridge(home, service.url) as daemon:
        daemon.start()
        script = lua("lua5.3", tmp_path, "rain", 3)
        said, _ = script.communicate(timeout=60)
        assert said.count("accepted") == 3, said
        at_last(lambda: len(list((home / "outbox/reaper").glob("*.result.json"))) == 3)
        place = subprocess.run(
            [sys.executable, str(example("python", tmp_path)), str(home), "reaper"],
            capture_output=True, text=True, check=True, env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        )  # fmt: skip
        assert place.stdout.count(".wav at ") == 3
        at_last(lambda: all(job["state"] == "placed" for job in daemon.jobs()))
        assert not list((home / "outbox/reaper").glob("*.result.json"))
        assert len(service.charges()) == 3
        beat = json.loads((home / "outbox/reaper/daemon.json").read_bytes())
        assert (beat["running"], beat["every_s"]) == (True, 2.0)
        assert abs(time.time() - beat["time"]) < 60
        daemon.stop()
        assert json.loads((home / "outbox/reaper/daemon.json").read_bytes())["running"] is False
