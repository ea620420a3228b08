"""The process is killed, in each state and at random moments, and started again: nothing is paid twice or lost."""

from __future__ import annotations

import random
import time
import urllib.error
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bridge_daemon.util import files
from tests.e2e.processes import FakeService, bridge, fake_service
from tests.support import tone
from tests.waiting import at_last

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def service() -> Iterator[FakeService]:
    with fake_service() as running:
        yield running


@pytest.fixture
def fresh(service: FakeService) -> Iterator[FakeService]:
    """The service without scripts; what it was charged for before stays in its lists."""
    service.script(clear=True, set={"job_seconds": 0.0})
    yield service
    service.script(clear=True, set={"job_seconds": 0.0})


def whole(job: dict[str, Any]) -> bool:
    """Whether the take of a job is there, and is the one that was proved."""
    import soundfile

    return bool(soundfile.info(job["file"]).frames == job["frames"] and files.sha256(Path(job["file"])))


#: state in which it is killed → what the service is told before, and what becomes of the job after the next start
STATES: dict[str, tuple[dict[str, Any], str, int]] = {
    "submitting": ({"post": ["silence"]}, "unknown", 1),
    "generating": ({"set": {"job_seconds": 3590.0}}, "placed", 1),
    "fetching": ({"download": ["silence"]}, "placed", 1),
    "unknown": ({"post": ["accept_then_drop"]}, "unknown", 1),
    "refused": ({"post": ["422"]}, "refused", 0),
    "failed": ({"poll": ["failed"]}, "failed", 1),
    "placed": ({}, "placed", 1),
}


@pytest.mark.parametrize("state", STATES)
def test_killed_in_each_state(tmp_path: Path, fresh: FakeService, state: str) -> None:
    script, after, charged = STATES[state]
    prompt = f"killed while {state} {uuid.uuid4()}"
    with bridge(tmp_path / "home", fresh.url) as daemon:
        fresh.script(**script)
        daemon.start()
        (name,) = daemon.press(prompt=prompt)["jobs"]
        daemon.until(name, state)
        if state == "submitting":
            at_last(lambda: fresh.posts(prompt))
        daemon.kill()
        fresh.script(clear=True, set={"job_seconds": 0.0}, advance=3590)
        daemon.start()
        job = daemon.until(name, after)
        daemon.stop()
        daemon.start()
        assert daemon.job(name)["state"] == after, "a second start changes nothing"
        assert job["charge"] == {"unknown": "possible", "refused": "none"}.get(after, "confirmed")
        assert after != "placed" or whole(job)
    assert len(fresh.charges(prompt)) == charged
    assert len(fresh.posts(prompt)) == 1


def test_killed_while_queued_and_while_preparing(tmp_path: Path, fresh: FakeService) -> None:
    """Nothing was sent: it goes on by itself."""
    source = tone(tmp_path / "source.wav", seconds=20)
    prompts = [f"queued {uuid.uuid4()}", f"preparing {uuid.uuid4()}", f"first {uuid.uuid4()}"]
    with bridge(tmp_path / "home", fresh.url, DAW_BRIDGE_ENGINE__MAX_OPEN_JOBS="1") as daemon:
        fresh.script(set={"job_seconds": 3590.0})
        daemon.start()
        first = daemon.press(prompt=prompts[2])["jobs"][0]
        daemon.until(first, "generating")
        names = [
            daemon.press(prompt=prompts[0])["jobs"][0],
            daemon.press(prompt=prompts[1], action="transform", duration=None, source={"path": str(source)})["jobs"][0],
        ]
        assert {daemon.job(name)["state"] for name in names} <= {"queued", "preparing"}
        daemon.kill()
        fresh.script(set={"job_seconds": 0.0}, advance=3590)
        daemon.start()
        for name in (first, *names):
            assert whole(daemon.until(name, "placed"))
    for prompt in prompts:
        assert len(fresh.charges(prompt)) == len(fresh.posts(prompt)) == 1


def test_killed_while_a_take_waits_for_its_client(tmp_path: Path, fresh: FakeService) -> None:
    with bridge(tmp_path / "home", fresh.url) as daemon:
        daemon.start()
        name = daemon.press(prompt="for a client", client="reaper")["jobs"][0]
        daemon.until(name, "stored")
        daemon.kill()
        daemon.start()
        job = daemon.job(name)
        assert (job["state"], job["delivery"]) == ("stored", 1)
        assert whole(job)


@pytest.mark.parametrize("seed", range(4))
def test_killed_at_random_moments(tmp_path: Path, fresh: FakeService, seed: int) -> None:
    """Four homes, each killed three times a moment after a press; every sender repeats what got no answer."""
    dice = random.Random(seed)
    source = tone(tmp_path / "source.wav")
    prompts: dict[str, dict[str, Any]] = {}
    with bridge(tmp_path / "home", fresh.url) as daemon:
        for round_ in range(3):
            daemon.start()
            for given in prompts.values():
                assert "jobs" in daemon.api("requests", given), "the same id again gets the first answer"
            prompt = f"seed {seed} round {round_} {uuid.uuid4()}"
            body: dict[str, Any] = {
                "version": 1,
                "id": str(uuid.uuid4()),
                "prompt": prompt,
                "action": "generate",
                "duration": 1,
            }
            if dice.random() < 0.4:
                body |= {
                    "action": "transform",
                    "source": {"path": str(source), "start": 0.5, "end": 7.0},
                    "duration": 2,
                }
            prompts[prompt] = body
            with suppress(urllib.error.URLError, ConnectionError):
                daemon.api("requests", body)
            time.sleep(dice.choice([0.0, 0.01, 0.03, 0.06, 0.1, 0.2, 0.4, 0.8]) * dice.uniform(0.5, 1.5))
            daemon.kill()
        daemon.start()
        for given in prompts.values():
            daemon.api("requests", given)
        at_last(lambda: all(job["state"] in ("placed", "unknown") for job in daemon.jobs()))
        jobs = {job["prompt"]: job for job in daemon.jobs()}
        assert set(jobs) == set(prompts)
        for prompt, job in jobs.items():
            charged = fresh.charges(prompt)
            assert len(charged) <= 1, "I1"
            assert len(fresh.posts(prompt)) <= 1, "I3"
            if job["state"] == "placed":
                assert [charge["remote_id"] for charge in charged] == [job["remote_id"]], "I2"
                assert whole(job), "I5"
        assert not list((tmp_path / "home" / "library").rglob("*.part")) or any(
            job["state"] != "placed" for job in jobs.values()
        ), "I6"
        daemon.stop()
    assert fresh.state()["violations"] == []
