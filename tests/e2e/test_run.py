"""The command as people start it: how it ends, how it starts where something is missing, and what it says."""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.processes import Bridge, FakeService, bridge, fake_service
from tests.util.ending import INTERRUPT, TERMINATE
from tests.waiting import at_last

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def service() -> Iterator[FakeService]:
    with fake_service() as running:
        yield running


def stop_cleanly(daemon: Bridge, number: int, *, again: bool = False) -> str:
    daemon.signal(number)
    if again:
        time.sleep(0.5)
        daemon.signal(number)
    code, said, _ = daemon.ended()
    assert code == 0, said
    assert "Traceback" not in said, said
    return said


def test_sigterm_with_a_post_in_flight_waits_for_the_answer(tmp_path: Path, service: FakeService) -> None:
    prompt = f"sigterm {uuid.uuid4()}"
    with bridge(tmp_path / "home", service.url) as daemon:
        service.script(post=["slow_ok:3"])
        daemon.start()
        name = daemon.press(prompt=prompt)["jobs"][0]
        at_last(lambda: service.posts(prompt))
        said = stop_cleanly(daemon, TERMINATE)
        assert "awaited" in said
        daemon.start()
        assert daemon.until(name)["state"] == "placed"
    assert len(service.charges(prompt)) == len(service.posts(prompt)) == 1


def test_a_second_sigint_leaves_it_unknown(tmp_path: Path, service: FakeService) -> None:
    prompt = f"sigint {uuid.uuid4()}"
    with bridge(tmp_path / "home", service.url) as daemon:
        service.script(post=["silence"])
        daemon.start()
        name = daemon.press(prompt=prompt)["jobs"][0]
        at_last(lambda: service.posts(prompt))
        stop_cleanly(daemon, INTERRUPT, again=True)
        service.script(clear=True)
        daemon.start()
        job = daemon.job(name)
        assert (job["state"], job["charge"]) == ("unknown", "possible")
    assert len(service.posts(prompt)) == 1


def test_it_starts_without_a_service(tmp_path: Path) -> None:
    """Offline is no error: it says so at the job, and goes on once the service is there."""
    with fake_service() as gone:
        url = gone.url
    with bridge(tmp_path / "home", url) as daemon:
        daemon.start()
        name = daemon.press()["jobs"][0]
        job = at_last(lambda: found if (found := daemon.job(name))["problem"] else None)
        assert (job["state"], job["charge"], job["problem"]["code"]) == ("queued", "none", "E-NOT-SENT")
        assert daemon.api("status")["engine"]["ready"]
        daemon.stop()


@pytest.mark.fault(30)
def test_the_second_one_says_where_the_first_is_and_ends_with_0(tmp_path: Path, service: FakeService) -> None:
    with bridge(tmp_path / "home", service.url, real=True) as daemon:
        daemon.start()
        second = daemon.popen()
        said, _ = second.communicate(timeout=60)
        assert second.returncode == 0
        assert daemon.process is not None
        assert f"already running (pid {daemon.process.pid}, {daemon.http_url}" in said
        begun = time.monotonic()
        stop_cleanly(daemon, TERMINATE)
        assert time.monotonic() - begun < 5, "nothing is on the wire"
        assert not (tmp_path / "home" / "runtime.json").exists()


@pytest.mark.parametrize("section", ["HTTP__PORT"])
def test_a_taken_port_is_explained_before_anything_is_sent(tmp_path: Path, service: FakeService, section: str) -> None:
    """A job waits in the journal: it must not be sent by a start that fails."""
    with bridge(tmp_path / "home", service.url, DAW_BRIDGE_ENGINE__MAX_OPEN_JOBS="1") as daemon:
        service.script(set={"job_seconds": 1000.0})
        daemon.start()
        first = daemon.press()["jobs"][0]
        daemon.until(first, "generating")
        waiting = daemon.press()["jobs"][0]
        daemon.kill()
        service.script(set={"job_seconds": 0.0}, advance=1000)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            daemon.more |= {f"DAW_BRIDGE_{section}": port, "DAW_BRIDGE_ENGINE__MAX_OPEN_JOBS": "4"}
            daemon.process = daemon.popen()
            code, said, _ = daemon.ended()
        assert code == 1
        assert "E-PORT" in said
        assert port in said
        assert len(service.posts()) == 1
        del daemon.more[f"DAW_BRIDGE_{section}"]
        daemon.start()
        assert daemon.until(waiting)["state"] == "placed"
