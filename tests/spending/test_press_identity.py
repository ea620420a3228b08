"""When two presses are one: what is asked, the sound of the source, and the place. Names of files say nothing."""

from __future__ import annotations

import asyncio
import os
import shutil
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from bridge_daemon.domain.job import State
from bridge_daemon.errors import BridgeError
from bridge_daemon.spending.press import RecentPresses
from bridge_daemon.util.times import Times
from tests.fakes.service import Service
from tests.support import Clock, job_of, press, request, running, tone, until

TRANSFORM: dict[str, Any] = {"action": "transform", "duration": None}


async def twice(daemon: Any, **given: Any) -> None:
    """Press, and expect the question about a double press."""
    with pytest.raises(BridgeError) as error:
        await daemon.actions.admit(request(**given))
    assert error.value.code == "E-DOUBLE-PRESS"


@pytest.fixture
async def service() -> Any:
    async with Service() as service:
        yield service


class TestTheSound:
    async def test_the_same_sound_under_another_name_is_the_same_press(self, tmp_path: Path, service: Service) -> None:
        first = tone(tmp_path / "press 1.wav")
        async with running(tmp_path / "home", service) as daemon:
            await press(daemon, **TRANSFORM, source={"path": str(first)})
            for name in ("press 2.wav", "another folder/press 3.wav"):
                second = tmp_path / name
                second.parent.mkdir(exist_ok=True)
                shutil.copy(first, second)
                await twice(daemon, **TRANSFORM, source={"path": str(second)})
            assert len(service.charges) <= 1

    async def test_the_same_sound_in_another_container_is_the_same_press(
        self, tmp_path: Path, service: Service
    ) -> None:
        first = tone(tmp_path / "a.wav")
        sound, rate = soundfile.read(first, dtype="int16")
        soundfile.write(tmp_path / "a.flac", sound, rate, subtype="PCM_16")
        async with running(tmp_path / "home", service) as daemon:
            await press(daemon, **TRANSFORM, source={"path": str(first)})
            await twice(daemon, **TRANSFORM, source={"path": str(tmp_path / "a.flac")})

    async def test_the_same_part_of_a_longer_file_is_the_same_press(self, tmp_path: Path, service: Service) -> None:
        sound = np.random.default_rng(1).uniform(-0.5, 0.5, 8 * 48_000)
        soundfile.write(tmp_path / "long.wav", sound, 48_000, subtype="PCM_24")
        soundfile.write(tmp_path / "part.wav", sound[48_000 : 7 * 48_000], 48_000, subtype="PCM_24")
        async with running(tmp_path / "home", service) as daemon:
            await press(daemon, **TRANSFORM, source={"path": str(tmp_path / "long.wav"), "start": 1, "end": 7})
            await twice(daemon, **TRANSFORM, source={"path": str(tmp_path / "part.wav")})

    async def test_another_sound_under_the_same_name_is_another_press(self, tmp_path: Path, service: Service) -> None:
        source = tone(tmp_path / "render.wav")
        stamp = source.stat()
        async with running(tmp_path / "home", service) as daemon:
            first = await press(daemon, **TRANSFORM, source={"path": str(source)})
            await until(daemon, first, {State.PLACED})
            sound, rate = soundfile.read(source, dtype="int16")
            soundfile.write(source, sound // 2, rate, subtype="PCM_16")
            os.utime(source, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
            await press(daemon, **TRANSFORM, source={"path": str(source)})


HERE: dict[str, Any] = {"project": "song", "project_id": "{1}", "track": "Guitar", "position": 12.25, "length": 8.0}


class TestThePlace:
    @pytest.mark.parametrize(
        "other",
        [
            {"position": 20.25},
            {"position": 12.25 + 1 / 48_000},
            {"track": "Bass"},
            {"project_id": "{2}"},
            {"length": 9.0},
            {"target": "session", "slot": 3},
            {"project": "another song"},
            {"target": "session"},
            {"slot": 3},
            {"when": "arrival_bar", "bars": 2},
        ],
    )
    async def test_another_place_is_another_press(
        self, tmp_path: Path, service: Service, other: dict[str, Any]
    ) -> None:
        async with running(tmp_path / "home", service) as daemon:
            await press(daemon, place=HERE)
            await press(daemon, place=HERE | other)

    @pytest.mark.parametrize(
        "same",
        [
            {},
            {"position": 12.25 + 1e-9},
            {"token": "made anew at each press"},
            {"slot": None},
            {"tempo": 121.3, "beats": 24.6, "time_offset": 0.0, "sample_rate": 44_100, "time_signature": "3/4"},
        ],
    )
    async def test_what_a_script_says_anew_each_time_is_no_other_place(
        self, tmp_path: Path, service: Service, same: dict[str, Any]
    ) -> None:
        async with running(tmp_path / "home", service) as daemon:
            await press(daemon, place=HERE)
            await twice(daemon, place=HERE | same)

    async def test_another_number_of_bars_is_another_press(self, tmp_path: Path, service: Service) -> None:
        async with running(tmp_path / "home", service) as daemon:
            await press(daemon, place={"when": "arrival_bar", "bars": 2, "tempo": 120})
            await press(daemon, place={"when": "arrival_bar", "bars": 4, "tempo": 120})

    async def test_bars_after_the_press_are_not_those_after_the_arrival(self, tmp_path: Path, service: Service) -> None:
        async with running(tmp_path / "home", service) as daemon:
            song = {"playing": True, "tempo": 120.0, "beats": 21.0, "position": 10.5}
            daemon.clock.update("reaper", song, at=daemon.clock.monotonic() + 60)
            for when in ("arrival_bar", "press_bar"):
                await press(daemon, client="reaper", place={"when": when, "bars": 2})

    async def test_another_folder_is_another_press(self, tmp_path: Path, service: Service) -> None:
        async with running(tmp_path / "home", service) as daemon:
            for name in ("one", "two"):
                folder = tmp_path / "home" / "library" / name
                folder.mkdir(parents=True)
                await press(daemon, place={"folder": str(folder)})

    async def test_bars_that_are_found_anew_are_no_other_place(self, tmp_path: Path, service: Service) -> None:
        """The song runs on between two presses, so their bars are others; what was asked is the same."""
        async with running(tmp_path / "home", service) as daemon:
            asked = {"client": "reaper", "place": {"when": "press_bar", "bars": 1}}
            for beats in (21.0, 61.0):
                song = {"playing": True, "tempo": 120.0, "beats": beats, "position": beats / 2}
                # fresh, however slow this machine is
                daemon.clock.update("reaper", song, at=daemon.clock.monotonic() + 60)
                if beats == 21.0:
                    first = await job_of(daemon, await press(daemon, **asked))
                    assert first.place.position is not None
                else:
                    await twice(daemon, **asked)


class Accepted(Times):
    """A clock that stands where it is put, and a journal that knows when a press was accepted."""

    def __init__(self, at: float | None = None) -> None:
        self.at, self.accepted = 0.0, at

    def monotonic(self) -> float:
        return self.at

    def pressed_at(self, fingerprint: str, *, since: float) -> float | None:
        return self.accepted if self.accepted is not None and self.accepted >= since else None


class TestTenSeconds:
    def test_count_to_their_end_in_this_process(self) -> None:
        clock = Accepted()
        presses = RecentPresses(clock)
        presses.remember("rain")
        for clock.at, passed in ((0.0, 0.0), (10.0, 10.0), (10.001, None)):
            assert presses.since(clock, "rain", now=500.0) == passed  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("now", "passed"), [(500.0, 0.0), (504.5, 4.5), (510.0, 10.0), (510.1, None), (499.0, 0.0)]
    )
    def test_count_over_a_restart_by_the_wall_clock(self, now: float, passed: float | None) -> None:
        """One that seems to lie in the future was accepted before the clock was set back: just now, for all we know."""
        clock = Accepted(500.0)
        assert RecentPresses(clock).since(clock, "rain", now=now) == passed  # type: ignore[arg-type]


class TestTheClock:
    @pytest.mark.parametrize("shift", [-3600.0, -11.0, 3600.0, 86_400.0])
    async def test_a_clock_that_is_set_makes_no_second_press_of_one(
        self, tmp_path: Path, service: Service, shift: float
    ) -> None:
        clock = Clock()
        async with running(tmp_path / "home", service, times=clock) as daemon:
            await press(daemon)
            clock.shift = shift
            await twice(daemon)
            clock.offset += 11
            await press(daemon)

    async def test_nor_is_it_after_a_restart(self, tmp_path: Path, service: Service) -> None:
        clock = Clock()
        async with running(tmp_path / "home", service, times=clock) as daemon:
            await press(daemon)
        clock.shift = -3600.0
        async with running(tmp_path / "home", service, times=clock) as daemon:
            await twice(daemon)

    async def test_a_job_does_not_outlive_its_time_by_a_clock_that_is_set_back(
        self, tmp_path: Path, service: Service
    ) -> None:
        clock = Clock()
        async with running(tmp_path / "home", service, times=clock) as daemon:
            daemon.parts.budget.block(1.5)  # it waits for its turn
            job = await press(daemon, valid_for=5)
            await until(daemon, job, {State.QUEUED})
            await asyncio.sleep(0.2)
            clock.shift = -3600.0
            clock.offset += 20
            assert (await until(daemon, job, {State.HELD})).problem is not None
        assert service.charges == []

    async def test_nor_by_one_that_is_set_back_less_than_it_waited(self, tmp_path: Path, service: Service) -> None:
        clock = Clock()
        async with running(tmp_path / "home", service, times=clock) as daemon:
            daemon.parts.budget.block(1.5)  # it waits for its turn
            job = await press(daemon, valid_for=60)
            await asyncio.sleep(0.2)
            clock.offset, clock.shift = 100.0, -90.0  # by the wall clock it is ten seconds old
            assert (await until(daemon, job, {State.HELD})).problem is not None
        assert service.charges == []

    async def test_nor_over_a_restart(self, tmp_path: Path, service: Service) -> None:
        clock = Clock()
        async with running(tmp_path / "home", service, times=clock) as daemon:
            daemon.parts.budget.block(60)
            job = await press(daemon, valid_for=5)
        clock.shift = -3600.0
        clock.offset += 20
        async with running(tmp_path / "home", service, times=clock) as daemon:
            await until(daemon, job, {State.HELD})
        assert service.charges == []


class TestARetry:
    async def test_of_each_of_two_jobs_that_asked_for_the_same_is_no_double_press(
        self, tmp_path: Path, service: Service
    ) -> None:
        service.script_poll("failed", "failed")
        async with running(tmp_path / "home", service) as daemon:
            failed = [await press(daemon, seed=7, again=True) for _ in range(2)]
            for job in failed:
                await until(daemon, job, {State.FAILED})
            new = [await daemon.actions.retry(job, {"id": str(uuid.uuid4())}) for job in failed]
            assert [one["retry_of"] for one in new] == failed
            for job in failed:
                with pytest.raises(BridgeError) as error:
                    await daemon.actions.retry(job, {"id": str(uuid.uuid4())})
                assert error.value.code == "E-DOUBLE-PRESS"
            for one in new:
                await until(daemon, one["job"], {State.PLACED})
        assert len(service.charges) == 4


class TestASourceThatChanges:
    async def test_after_the_press_is_not_sent_and_nothing_is_spent(self, tmp_path: Path, service: Service) -> None:
        source = tone(tmp_path / "render.wav")
        async with running(tmp_path / "home", service, engine={"max_open_jobs": 1}) as daemon:
            service.job_seconds = 1000
            await until(daemon, await press(daemon, prompt="first"), {State.GENERATING})
            job = await press(daemon, **TRANSFORM, source={"path": str(source)})
            sound, rate = soundfile.read(source, dtype="int16")
            soundfile.write(source, sound[::-1] // 2, rate, subtype="PCM_16")
            service.advance(1001)
            held = await until(daemon, job, {State.HELD})
            assert held.problem is not None
            assert held.problem.code == "E-SOURCE"
            assert "since" in held.problem.text
            assert (await job_of(daemon, job)).charge == "none"
        assert len(service.charges) == 1
