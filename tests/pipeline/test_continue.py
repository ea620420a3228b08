"""A take that continues its source: what is sent, where it goes, what is refused, and what is made of both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from bridge_daemon.audio.wav import read_bext
from bridge_daemon.domain.job import State
from bridge_daemon.errors import BridgeError, DoublePress, InvalidRequest, PriceQuestion, SourceRefused
from bridge_daemon.fit.grid import measure
from bridge_daemon.pipeline.measure import wish_of
from bridge_daemon.util import files
from tests.fakes import audio
from tests.fakes.service import Service
from tests.fit import music
from tests.frontends.osc.caller import caller
from tests.support import press, request, running, tone, until

ON = {"measure": True}


@pytest.fixture
def drums(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the service make drums that run at 119 BPM, and begin late."""
    audio.make_instead(monkeypatch, music.drums("house", 119, lead=0.1, seconds=16), music.RATE)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Drums at 120 BPM, 20 s: ten bars."""
    path = tmp_path / "song.wav"
    soundfile.write(path, music.drums("rock", 120, seconds=20, seed=4), music.RATE, subtype="PCM_24")
    return path


def asked(song: Path, **more: Any) -> dict[str, Any]:
    region = {"path": str(song)} | more.pop("region", {})
    whole = {"action": "transform", "source": region, "continue_from": 8.0, "duration": 8.0} | more
    return {key: value for key, value in whole.items() if value is not None}


async def test_the_end_of_the_source_is_sent_and_the_take_goes_behind_it(tmp_path: Path) -> None:
    song = tone(tmp_path / "song.wav", seconds=20)
    place = {"position": 100.0, "beats": 200.0, "tempo": 120.0, "length": 16.0, "track": "Drums"}
    async with (
        Service() as service,
        running(tmp_path / "home", service) as daemon,
        caller(daemon, "live") as client,
    ):
        await client.hello()
        region = {"start": 2.0, "end": 18.0}
        job = await press(daemon, **asked(song, client="live", place=place, region=region))
        told = await client.until("/bridge/result", job=job)
        assert [float(str(told[key])) for key in ("position", "beats", "length")] == [116.0, 232.0, 8.0]
        assert told["track"] == "Drums"
        found = await until(daemon, job, {State.STORED})
        assert found.source_file is not None
        assert soundfile.info(found.source_file).duration == pytest.approx(8.0, abs=0.001)
        assert "continue_from" not in service.charges[0].body
        assert service.charges[0].body["duration"] == pytest.approx(8 + 0.32 + 0.5 + 2), "the price is the same"
        assert found.take is not None
        assert found.take.time_reference == 116 * found.take.rate
        assert (await daemon.actions.job(job))["place"]["position"] == 116.0


async def test_the_moment_of_a_press_counts_more_than_the_source(tmp_path: Path) -> None:
    song = tone(tmp_path / "song.wav", seconds=20)
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        place = {"when": "press", "position": 30.0}
        found = await until(daemon, await press(daemon, **asked(song, place=place)))
        assert found.stands.position == 30.0
        # where it was pressed tells nothing of where its source begins
        of_the_press = found.evolve(place=found.place.model_copy(update={"beats": 61.0}))
        told = wish_of(of_the_press, str(song))["continues"]
        assert (told["last"], told["beats"]) == (8.0, None)


class TestTheCopy:
    """Without a client, source and take are laid together beside the take."""

    async def test_it_goes_on_with_the_bars_of_the_source(self, tmp_path: Path, source: Path, drums: None) -> None:
        before = files.sha256(source)
        place = {"position": 10.0, "tempo": 120.0}
        async with Service() as service, running(tmp_path / "home", service, audio=ON) as daemon:
            job = await until(daemon, await press(daemon, **asked(source, place=place)), {State.PLACED}, seconds=40)
            assert job.fitted is not None
            assert job.take is not None
            assert Path(job.fitted.file).name == f"{Path(job.take.file).stem}.continued.wav"
            sound, rate = soundfile.read(job.fitted.file, always_2d=True, dtype="float32")
            assert len(sound) == 28 * rate
            assert job.fitted.start == 20.0
            song, _ = soundfile.read(source, always_2d=True, dtype="float32")
            kept = round(19.9 * rate)
            assert np.abs(sound[:kept] - song[:kept]).max() < 0.02, "the source is as it was"
            grid = measure(sound, rate, 120)
            assert grid is not None
            assert grid.confidence >= 1
            assert grid.tempo == pytest.approx(120, rel=2e-4)
            late = measure(sound[20 * rate :], rate, 120)
            assert late is not None
            assert abs((late.beat + 0.25) % 0.5 - 0.25) < 0.006
            assert job.grid is not None
            assert job.grid["enter"] == pytest.approx(0.1, abs=0.01)
            assert job.grid["crossfade"] == pytest.approx(0.03)
            bext = read_bext(Path(job.fitted.file))
            assert bext is not None
            assert bext.time_reference == 10 * rate, "it begins with the source"
            assert files.sha256(source) == before
            assert files.sha256(Path(job.take.file)) == job.take.sha256

    async def test_a_source_that_has_changed_since_is_not_taken_for_it(
        self, tmp_path: Path, source: Path, drums: None
    ) -> None:
        async with Service(job_seconds=1.5) as service, running(tmp_path / "home", service, audio=ON) as daemon:
            name = await press(daemon, **asked(source, place={"tempo": 120.0}))
            await until(daemon, name, {State.GENERATING})
            tone(source, seconds=20)
            job = await until(daemon, name, {State.PLACED}, seconds=40)
            assert job.fitted is not None
            assert soundfile.info(job.fitted.file).duration == pytest.approx(16.0, abs=0.001)
            assert any("changed or is gone" in note for note in job.notes)

    async def test_without_a_beat_it_is_blended_in_slowly(self, tmp_path: Path) -> None:
        song = tone(tmp_path / "song.wav", seconds=12)
        async with Service() as service, running(tmp_path / "home", service, audio=ON) as daemon:
            job = await until(daemon, await press(daemon, **asked(song)), {State.PLACED}, seconds=40)
            assert job.fitted is not None
            assert job.grid is not None
            assert job.grid["crossfade"] == pytest.approx(0.25)
            assert any("not on a beat" in note for note in job.notes)
            assert any("It ends" in note for note in job.notes), "the take of this service is 1 s long"


class TestRefused:
    """Before anything can cost."""

    @pytest.mark.parametrize(
        ("more", "error", "words"),
        [
            ({"continue_from": 13.0}, SourceRefused, "its last 13 s cannot be continued"),
            ({"region": {"start": 7.0}}, SourceRefused, "is 5.00 s long"),
            ({"continue_from": 5.0}, InvalidRequest, "must be 6 to 190"),
            ({"continue_from": 191.0}, InvalidRequest, "must be 6 to 190"),
            ({"continue_from": "x"}, InvalidRequest, "continue_from"),
            ({"action": "generate"}, InvalidRequest, "belongs to transform only"),
        ],
    )
    async def test_with_the_reason(
        self, tmp_path: Path, more: dict[str, Any], error: type[BridgeError], words: str
    ) -> None:
        song = tone(tmp_path / "song.wav", seconds=12)
        async with Service() as service, running(tmp_path / "home", service) as daemon:
            with pytest.raises(error, match=words):
                await press(daemon, **asked(song, **more))
            assert service.posts == []

    async def test_the_price_is_asked_for_and_the_same_press_twice_is_one(self, tmp_path: Path) -> None:
        song = tone(tmp_path / "song.wav", seconds=12)
        async with (
            Service() as service,
            running(tmp_path / "home", service, spend={"confirm_above_usd": 0.5}) as daemon,
        ):
            body = asked(song)
            with pytest.raises(PriceQuestion):
                await press(daemon, **body)
            first = request(**body, confirm_usd=0.58)
            await daemon.actions.admit(first)
            assert (await daemon.actions.admit(first))[1], "the same id: the first answer"
            with pytest.raises(DoublePress):
                await press(daemon, **body, confirm_usd=0.58)
            await press(daemon, **body | {"continue_from": 9.0}, confirm_usd=0.58)
            await press(daemon, **body, confirm_usd=0.58, again=True)


async def test_it_goes_on_after_a_restart_and_a_retry_goes_to_the_same_place(tmp_path: Path) -> None:
    song = tone(tmp_path / "song.wav", seconds=20)
    place = {"position": 100.0, "beats": 200.0, "tempo": 120.0}
    async with Service(job_seconds=1000) as service:
        async with running(tmp_path / "home", service) as daemon:
            name = await press(daemon, **asked(song, place=place))
            await until(daemon, name, {State.GENERATING})
        for job in service.jobs.values():
            job.seconds = 0.0
        service.job_seconds = 0.0
        service.script_poll("failed")
        async with running(tmp_path / "home", service) as daemon:
            first = await until(daemon, name)
            assert (first.state, len(service.charges)) == (State.FAILED, 1)
            again = await daemon.actions.retry(name, {"id": request()["id"]})
            second = await until(daemon, again["job"])
            assert second.state is State.PLACED
            assert (second.stands, second.parameters) == (first.stands, first.parameters)
            assert (second.stands.position, second.stands.beats) == (120.0, 240.0)
            assert service.charges[0].body["duration"] == service.charges[1].body["duration"]
            moved = await daemon.actions.deliver(second.id, {"position": 7.0})
            assert moved["place"]["position"] == 7.0


async def test_a_step_of_a_chain_continues_the_take_before_it(tmp_path: Path) -> None:
    presets = {
        "verse": {"action": "generate", "prompt": "verse"},
        "chorus": {"prompt": "chorus", "source": "take", "of": ["verse"], "continue_from": 6.0},
    }
    body = request(preset="chorus", duration=8, place={"position": 10.0})
    del body["action"], body["prompt"]
    async with (
        Service(take_seconds=7.5) as service,  # shorter than was asked for
        running(tmp_path / "home", service, presets=presets) as daemon,
    ):
        answer, _ = await daemon.actions.admit(body)
        verse, chorus = [await until(daemon, job, seconds=30) for job in answer["jobs"]]
        assert verse.stands.position == 10.0
        assert chorus.stands.position == pytest.approx(17.5, abs=0.001), "behind what came, not what was asked for"
        assert chorus.source_file is not None
        assert soundfile.info(chorus.source_file).duration == pytest.approx(6.0, abs=0.001)
        with pytest.raises(SourceRefused, match="cannot be continued"):
            await daemon.actions.admit(body | {"id": request()["id"], "duration": 5})
        assert len(service.charges) == 2
