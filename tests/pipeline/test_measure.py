"""What is measured of a stored take: off its way, in one process, never twice, and never in the way of money.

The takes of these tests are drums at 119 BPM; the service of the tests serves them as any other take.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import soundfile

from bridge_daemon.app.daemon import Daemon
from bridge_daemon.domain.job import Job, State
from bridge_daemon.fit import loudness
from bridge_daemon.pipeline import measure
from bridge_daemon.util import files, ourselves
from tests.fakes import audio
from tests.fakes.service import Service
from tests.fit import music
from tests.frontends.mailbox.scripter import Script
from tests.frontends.osc.caller import caller
from tests.support import PATIENCE, change, events, job_of, press, request, running, tone, until

ON = {"measure": True}
KEYS = {
    *("tempo", "tempo_error", "first_beat", "first_sound", "beat_error", "half_a_beat_off", "confidence", "why_not"),
    *("loudness", "true_peak"),
}


@pytest.fixture
def drums(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the service make drums that run at 119 BPM."""
    audio.make_instead(monkeypatch, music.drums("house", 119, lead=0.1, seconds=12), music.RATE)


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Note each process that measures, and see to it that none is left."""
    started: list[int] = []
    spawn = asyncio.create_subprocess_exec

    async def noted(*command: str, **more: Any) -> Any:
        process = await spawn(*command, **more)
        started.append(process.pid)
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", noted)
    yield started
    assert not [pid for pid in started if psutil.pid_exists(pid)], "killed at the end of the daemon"


def instead(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Have another program measure."""
    monkeypatch.setattr(ourselves, "command", lambda *_: [sys.executable, "-c", script])


async def measured(daemon: Daemon, job: str, *, seconds: float = PATIENCE) -> Job:
    async with asyncio.timeout(seconds):
        while (found := await job_of(daemon, job)).grid is None:
            await asyncio.sleep(0.02)
    return found


def grid_of(job: Job) -> dict[str, Any]:
    assert job.grid is not None
    return job.grid


async def test_the_grid_of_a_take_is_stored_and_told(tmp_path: Path, drums: None, children: list[int]) -> None:
    async with Service() as service, running(tmp_path / "home", service, audio=ON) as daemon:
        job = await measured(daemon, await press(daemon, duration=12, place={"tempo": 120}))
        grid = grid_of(job)
        assert set(grid) == KEYS
        assert grid["tempo"] == pytest.approx(119, abs=0.05)
        assert grid["first_beat"] == pytest.approx(0.1, abs=0.01)
        assert grid["confidence"] >= 1
        assert grid["why_not"] == ""
        assert job.take is not None
        sound, rate = soundfile.read(job.take.file, always_2d=True, dtype="float32")
        assert grid["loudness"] == pytest.approx(loudness.integrated(sound, rate), abs=0.01)
        assert files.sha256(Path(job.take.file)) == job.take.sha256, "nothing is changed by measuring"
        assert job.fitted is None
        assert (await daemon.actions.job(job.id))["grid"] == grid
        assert len(children) == 1


async def test_without_a_tempo_there_is_no_grid_but_a_loudness(tmp_path: Path, children: list[int]) -> None:
    async with Service() as service, running(tmp_path / "home", service, audio=ON) as daemon:
        grid = grid_of(await measured(daemon, await press(daemon)))
        assert (grid["tempo"], grid["confidence"], grid["why_not"]) == (None, 0.0, "no tempo is known")
        assert grid["loudness"] < -3


async def test_the_tempo_of_the_transport_counts_where_the_place_has_none(
    tmp_path: Path, drums: None, children: list[int]
) -> None:
    async with Service() as service, running(tmp_path / "home", service, audio=ON) as daemon:
        daemon.clock.update("reaper", {"playing": True, "position": 0.0, "beats": 0.0, "tempo": 120.0})
        job = await measured(daemon, await press(daemon, duration=12, client="reaper"))
        assert grid_of(job)["tempo"] == pytest.approx(119, abs=0.05)
        assert job.fit == "off", "its length is one in seconds"


async def test_nothing_is_measured_where_that_is_switched_off(tmp_path: Path, children: list[int]) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        await until(daemon, await press(daemon))
        assert children == []


async def test_ten_takes_at_once_start_one_process(tmp_path: Path, children: list[int]) -> None:
    async with (
        Service() as service,
        running(tmp_path / "home", service, audio=ON, spend={"confirm_above_usd": 9}) as daemon,
    ):
        jobs = [await press(daemon, prompt=f"rain {number}") for number in range(10)]
        for job in jobs:
            await measured(daemon, job, seconds=60)
        assert len(children) == 1


class TestClients:
    """What a client is told, at once or a moment later."""

    async def test_a_result_tells_the_grid(self, tmp_path: Path, drums: None, children: list[int]) -> None:
        async with (
            Service(job_seconds=4) as service,  # the process has started until then
            running(tmp_path / "home", service, audio=ON) as daemon,
            caller(daemon, "live") as client,
        ):
            await client.hello()
            job = await client.press(tempo=120, loudness="-14", prompt="{a|b} piano", duration=1)
            told = await client.until("/bridge/result", job=job)
            assert (told["fit"], told["loudness"]) == ("off", "-14")
            later = {} if "grid.tempo" in told else await client.until("/bridge/measured", job=job)
            found = told | later
            assert float(str(found["grid.tempo"])) == pytest.approx(119, abs=0.05)
            assert float(str(found["grid.confidence"])) >= 1
            assert Path(str(found["fitted"])).is_file()
            assert told["name"] in ("a piano", "b piano")

    async def test_what_is_measured_later_is_said_by_itself_and_with_the_result(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, children: list[int]
    ) -> None:
        answer = json.dumps({"grid": dict.fromkeys(KEYS, 1.25), "fitted": None, "notes": []})
        instead(monkeypatch, f"import time; input(); time.sleep(1.5); print('{answer}', flush=True); input()")
        async with (
            Service() as service,
            running(tmp_path / "home", service, audio=ON) as daemon,
            caller(daemon, "live") as client,
        ):
            await client.hello()
            job = await client.press()
            first = await client.until("/bridge/result", job=job)
            assert "grid.tempo" not in first
            said = await client.until("/bridge/measured", job=job, count=2)
            assert (said["grid.tempo"], said["delivery"], said["fit"]) == ("1.25", 1, "off")
            again = await client.until("/bridge/result", job=job, **{"grid.tempo": "1.25"})
            assert again == first | {key: value for key, value in said.items() if key.startswith("grid.")}

    async def test_result_and_status_files_tell_it_later(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, children: list[int]
    ) -> None:
        answer = json.dumps({"grid": dict.fromkeys(KEYS, 1.25), "fitted": None, "notes": []})
        instead(monkeypatch, f"import time; input(); time.sleep(1.5); print('{answer}', flush=True); input()")
        async with Service() as service, running(tmp_path / "home", service, audio=ON):
            script = Script(tmp_path / "home").make()
            name = script.request()
            first = await script.result()
            assert "grid" not in first
            await script.until(lambda: script.results()[0].get("grid"))
            assert script.results() == [first | {"grid": dict.fromkeys(KEYS, 1.25)}]
            await script.until(lambda: "grid" in ((script.status(name) or {}).get("jobs") or [{}])[0])


class TestCopies:
    async def test_a_loop_lies_beside_the_take(self, tmp_path: Path, drums: None, children: list[int]) -> None:
        place = {"tempo": 120, "bars": 4, "when": "press"}
        async with Service() as service, running(tmp_path / "home", service, audio=ON) as daemon:
            job = await until(daemon, await press(daemon, duration=12, place=place, fit="loop"), {State.PLACED})
            assert job.fitted is not None, "placed, for whoever waits for it, when all of it is there"
            assert job.take is not None
            assert Path(job.fitted.file).parent == Path(job.take.file).parent
            assert files.sha256(Path(job.take.file)) == job.take.sha256
            assert soundfile.info(job.fitted.file).frames == round(8.0 * job.take.rate)
            assert (await daemon.actions.job(job.id))["fitted"] == job.fitted.file
            [charge] = service.charges
            assert not {"fit", "loudness"} & set(charge.body), "the service is not asked for it"

    async def test_a_project_folder_gets_both(self, tmp_path: Path, drums: None, children: list[int]) -> None:
        project = tmp_path / "Project é"
        project.mkdir()
        (project / "song.rpp").touch()
        place = {"tempo": 120, "folder": str(project)}
        async with Service() as service, running(tmp_path / "home", service, audio=ON) as daemon:
            job = await until(daemon, await press(daemon, duration=12, place=place, fit="grid"))
            assert job.take is not None
            assert job.fitted is not None
            there = {file.name for file in project.glob("*.wav")}
            assert there == {Path(job.take.file).name, Path(job.fitted.file).name}

    async def test_a_copy_that_was_asked_for_is_made_although_nothing_else_is_measured(
        self, tmp_path: Path, drums: None, children: list[int]
    ) -> None:
        async with Service() as service, running(tmp_path / "home", service) as daemon:
            job = await until(daemon, await press(daemon, duration=8, loudness=-26))
            assert job.fitted is not None
            sound, rate = soundfile.read(job.fitted.file, always_2d=True, dtype="float32")
            assert loudness.integrated(sound, rate) == pytest.approx(-26, abs=0.1)

    async def test_as_loud_as_the_region_that_was_sent(self, tmp_path: Path, drums: None, children: list[int]) -> None:
        loud, _ = soundfile.read(tone(tmp_path / "tone.wav"), always_2d=True, dtype="float32")
        soft = loud * np.float32(0.1)
        soundfile.write(tmp_path / "source.wav", np.concatenate([loud, soft]), 44_100)
        async with Service() as service, running(tmp_path / "home", service, audio=ON) as daemon:
            source = {"path": str(tmp_path / "source.wav"), "start": 8.0, "end": 16.0}
            asked = {"action": "transform", "duration": None, "source": source, "loudness": "source"}
            job = await until(daemon, await press(daemon, **asked))
            assert job.fitted is not None
            expected = loudness.integrated(soft, 44_100)
            assert grid_of(job)["source_loudness"] == pytest.approx(expected, abs=0.1)
            sound, rate = soundfile.read(job.fitted.file, always_2d=True, dtype="float32")
            assert loudness.integrated(sound, rate) == pytest.approx(expected, abs=0.1)

    async def test_what_could_not_be_done_is_told(self, tmp_path: Path, children: list[int]) -> None:
        async with Service() as service, running(tmp_path / "home", service, audio=ON) as daemon:
            job = await until(daemon, await press(daemon, duration=2, loudness="source"))
            assert "Its loudness was left alone: it has no source" in job.notes
            assert job.fitted is None
            job = await until(daemon, await press(daemon, duration=2, fit="loop"))
            assert "It was not made to fit: no tempo is known" in job.notes
            assert job.fitted is None


class TestTrouble:
    async def test_a_process_that_ends_changes_nothing_and_is_not_tried_for_ever(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, children: list[int]
    ) -> None:
        instead(monkeypatch, "import sys; sys.stdin.readline(); sys.exit(1)")
        async with Service() as service:
            async with running(tmp_path / "home", service, audio=ON) as daemon:
                name = await press(daemon, fit="grid", place={"tempo": 120})
                job = await until(daemon, name, {State.PLACED})
                assert grid_of(job)["why_not"] == "it could not be measured"
                assert grid_of(job)["confidence"] == 0
                assert job.problem is None
                assert "there is no copy that fits: it could not be measured" in job.notes
                assert len(children) == 2
            async with running(tmp_path / "home", service, audio=ON) as daemon:
                await asyncio.sleep(0.3)
                assert len(children) == 2
                assert (await events(daemon, name)).count("measured") == 1

    async def test_a_process_that_cannot_be_started_is_no_reason_to_wait(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, children: list[int]
    ) -> None:
        monkeypatch.setattr(ourselves, "command", lambda *_: [str(tmp_path / "nothing")])
        async with Service() as service, running(tmp_path / "home", service, audio=ON) as daemon:
            job = await until(daemon, await press(daemon, fit="start", place={"tempo": 120}), {State.PLACED})
            assert grid_of(job)["why_not"] == "it could not be measured"

    async def test_a_result_does_not_wait_for_a_slow_process(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, children: list[int]
    ) -> None:
        grid = dict.fromkeys(KEYS, 1.5)
        answer = json.dumps({"grid": grid, "fitted": None, "notes": []})
        instead(monkeypatch, f"import time; input(); time.sleep(1.5); print('{answer}', flush=True); input()")
        ready: list[tuple[float, Job]] = []
        async with Service() as service, running(tmp_path / "home", service, audio=ON) as daemon:
            daemon.parts.context.ready.append(lambda job, _: ready.append((time.monotonic(), job)))
            heard: list[Job] = []
            daemon.journal.listen(lambda job: heard.append(job))
            name = await press(daemon, client="reaper", place={"tempo": 120})
            job = await until(daemon, name, {State.STORED})
            stored = time.monotonic()
            await measured(daemon, job.id)
            ((told, without),) = ready
            assert told - stored < measure.MOMENT + 0.5
            assert without.grid is None
            assert heard[-1].grid == grid, "told later, by itself"

    async def test_a_take_that_is_removed_meanwhile(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, children: list[int]
    ) -> None:
        async with Service() as service:
            async with running(tmp_path / "home", service) as daemon:
                job = await until(daemon, await press(daemon))
                assert job.take is not None
                Path(job.take.file).unlink()
            async with running(tmp_path / "home", service, audio=ON) as daemon:
                found = await measured(daemon, job.id)
                assert (found.state, found.problem) == (State.PLACED, None)
                assert grid_of(found)["why_not"] == "it could not be measured"

    async def test_what_the_last_process_did_not_measure_is_measured_at_the_start(
        self, tmp_path: Path, drums: None, children: list[int]
    ) -> None:
        async with Service() as service:
            async with running(tmp_path / "home", service) as daemon:
                job = await until(daemon, await press(daemon, duration=12, place={"tempo": 120}))
                assert job.grid is None
            async with running(tmp_path / "home", service, audio=ON) as daemon:
                assert grid_of(await measured(daemon, job.id))["confidence"] >= 1
                assert len(service.charges) == 1

    async def test_the_process_is_killed_with_the_daemon(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, children: list[int]
    ) -> None:
        instead(monkeypatch, "import time; input(); time.sleep(600)")
        async with Service() as service:
            async with running(tmp_path / "home", service, audio=ON) as daemon:
                job = await until(daemon, await press(daemon), {State.PLACED})
                while not children:
                    await asyncio.sleep(0.01)
                began = time.monotonic()
            assert time.monotonic() - began < 3
            assert not psutil.pid_exists(children[0])
            monkeypatch.undo()
            async with running(tmp_path / "home", service, audio=ON) as daemon:
                assert grid_of(await measured(daemon, job.id))["loudness"] < -3

    async def test_a_setting_that_is_changed_counts_at_once(self, tmp_path: Path, children: list[int]) -> None:
        async with Service() as service, running(tmp_path / "home", service, audio=ON) as daemon:
            change(daemon, audio={"measure": False})
            assert (await until(daemon, await press(daemon))).grid is None
            assert children == []


class TestTheProcess:
    """``daw-bridge fit --serve``, without a daemon."""

    def asked(self, take: Path, **more: Any) -> bytes:
        wish = {"take": str(take), "tempo": None, "fit": "off", "bars": None, "beats": 4, "loudness": None}
        return json.dumps(wish | {"source": None, "to": None, "seconds": 60} | more).encode() + b"\n"

    @pytest.fixture
    def process(self) -> Iterator[subprocess.Popen[bytes]]:
        command = ourselves.command("fit", "--serve", "--json")
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as started:
            yield started

    def test_it_answers_faults_and_goes_on(self, tmp_path: Path, process: subprocess.Popen[bytes]) -> None:
        take = tone(tmp_path / "take.wav", seconds=2)
        said, _ = process.communicate(self.asked(tmp_path / "none.wav") + self.asked(take), timeout=60)
        first, second = map(json.loads, said.splitlines())
        assert "none.wav" in first["error"]
        assert second["grid"]["loudness"] < -3

    def test_it_does_not_outlive_a_daemon_that_was_killed(
        self, tmp_path: Path, process: subprocess.Popen[bytes]
    ) -> None:
        take = tone(tmp_path / "take.wav", seconds=30)
        assert process.stdin is not None
        process.stdin.write(self.asked(take))
        process.stdin.close()  # as the system does it for a process that is gone
        assert process.wait(timeout=60) is not None

    @pytest.mark.posix("Windows has no named pipes in folders")
    def test_a_take_that_keeps_it_too_long_ends_it(self, tmp_path: Path, process: subprocess.Popen[bytes]) -> None:
        os.mkfifo(tmp_path / "take.wav")  # nobody ever writes to it
        assert process.stdin is not None
        process.stdin.write(self.asked(tmp_path / "take.wav", seconds=0.5))
        process.stdin.flush()
        assert process.wait(timeout=60) != 0

    def test_the_daemon_loads_nothing_for_it(self) -> None:
        code = (
            "import sys, bridge_daemon.app.daemon, bridge_daemon.pipeline.measure;"
            "print([name for name in sys.modules if name.startswith(('numpy', 'soundfile', 'bridge_daemon.fit'))])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"


async def test_fit_and_loudness_belong_to_what_is_asked(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        same = request()
        for number, more in enumerate(({}, {"fit": "start"}, {"fit": "start", "loudness": -14}, {"loudness": -16})):
            await press(daemon, **(same | {"id": request()["id"], "client": "live"} | more))
            assert len(await daemon.journal.read(lambda tx: tx.find())) == number + 1
