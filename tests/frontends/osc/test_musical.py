"""Bars, arrivals and the fields of prompts over OSC, with a whole daemon."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bridge_daemon.clock.transport import CLOCKS, MIDI_CLOCK, STALE
from bridge_daemon.domain.job import State
from bridge_daemon.frontends.osc import announcer, clients
from tests.fakes.service import Service
from tests.frontends.mailbox.scripter import Script
from tests.frontends.osc.caller import OscCaller, caller
from tests.support import events, job_of, running, until
from tests.waiting import eventually

PRESETS = {"loop": {"action": "generate", "prompt": "dub, {tempo} BPM, {bars} bars, like {name}", "duration": 1}}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcer, "REPEATS", (0.1, 0.2))


@asynccontextmanager
async def plays(client: OscCaller, **fields: Any) -> AsyncIterator[None]:
    """Tell a transport that runs, as a DAW does, for as long as it is entered."""
    loop = asyncio.get_running_loop()
    began = loop.time()

    def tell() -> None:
        secs = loop.time() - began
        told = {"playing": True, "tempo": 120.0, "numerator": 4, "denominator": 4} | fields
        client.send("/bridge/transport", position=str(100 + secs), beats=str(200 + secs * told["tempo"] / 60), **told)

    async def run() -> None:
        while True:
            tell()
            await asyncio.sleep(0.1)

    task = asyncio.create_task(run())
    await asyncio.sleep(0.2)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def press(client: OscCaller, **pairs: Any) -> dict[str, Any]:
    """Press the preset, with no prompt of its own."""
    _, told = await client.ask("/bridge/preset", preset="loop", id=str(uuid.uuid4()), **pairs)
    return told


async def test_a_press_on_the_bar(tmp_path: Path) -> None:
    async with running(tmp_path / "home", None, presets=PRESETS) as daemon, caller(daemon, "live-1") as client:
        await client.hello()
        async with plays(client, tempo=119.98):
            sent = {"preset": "loop", "when": "press_bar", "bars": 1, "id": str(uuid.uuid4())}
            answer, told = await client.ask("/bridge/preset", **sent)
            assert answer == "/bridge/accepted"
            await asyncio.sleep(0.3)
            assert (await client.ask("/bridge/preset", **sent))[1]["jobs"] == told["jobs"], "said again: the same"
        job = await job_of(daemon, told["jobs"])
        assert job.place.beats is not None
        assert job.place.beats % 4 == 0
        assert 200 <= job.place.beats <= 240
        assert job.place.length == pytest.approx(4 * 60 / 119.98)
        assert job.parameters.prompt == "dub, 120 BPM, 1 bars"
        assert job.notes[0] == 'the prompt was sent without "like {name}": no name is known'
        result = await client.until("/bridge/result", job=job.id)
        assert (result["when"], result["bars"], result["beats"]) == ("press_bar", 1, f"{job.place.beats:g}")
        assert "no name is known" in result["notes"]


@pytest.mark.parametrize(
    ("prompt", "pairs", "sent"),
    [
        ("rain", {"tempo": "92", "key": "A minor"}, "rain, 92 BPM, A minor"),
        ("rain", {}, "rain, 110 BPM"),  # of the transport
        ("rain, 92 BPM, A minor", {"tempo": "92", "key": "A minor"}, "rain, 92 BPM, A minor"),  # added by the client
    ],
)
async def test_tempo_and_key_in_every_prompt(tmp_path: Path, prompt: str, pairs: dict[str, str], sent: str) -> None:
    music = {"in_prompt": True}
    async with running(tmp_path / "home", None, music=music) as daemon, caller(daemon, "a") as client:
        client.send("/bridge/transport", tempo=110.0)
        asked = {"prompt": prompt, "id": str(uuid.uuid4())} | pairs
        job = await job_of(daemon, (await client.ask("/bridge/generate", **asked))[1]["jobs"])
        assert job.parameters.prompt == sent


async def test_without_the_setting_a_prompt_is_sent_as_typed(tmp_path: Path) -> None:
    async with running(tmp_path / "home", None) as daemon, caller(daemon, "a") as client:
        await client.hello()
        asked = {"prompt": "rain", "tempo": "92", "key": "A minor", "id": str(uuid.uuid4())}
        job = await job_of(daemon, (await client.ask("/bridge/generate", **asked))[1]["jobs"])
        assert job.parameters.prompt == "rain"
        assert (await client.until("/bridge/result", job=job.id))["key"] == "A minor"


async def test_the_same_press_with_a_wobbling_tempo_is_a_double_press(tmp_path: Path) -> None:
    async with running(tmp_path / "home", None, presets=PRESETS) as daemon, caller(daemon, "a") as client:
        client.send("/bridge/transport", tempo=119.8)
        assert "jobs" in await press(client)
        client.send("/bridge/transport", tempo=121.3)
        assert (await press(client))["code"] == "E-DOUBLE-PRESS"


async def test_a_stale_clock_is_told_on_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path / "home", None, presets=PRESETS) as daemon, caller(daemon, "a") as client:
        client.send("/bridge/transport", tempo=120.0, position="3.5", playing=True)
        async with asyncio.timeout(15):
            while daemon.clock.of("a") is None:
                await asyncio.sleep(0.01)
        later = daemon.clock.monotonic
        monkeypatch.setattr(daemon.clock, "monotonic", lambda: later() + STALE + 1)
        job = await job_of(daemon, (await press(client, when="press", bars=2))["jobs"])
        assert (job.place.position, job.place.length, job.parameters.duration) == (None, None, 1.0)
        assert job.parameters.prompt == "dub, 2 bars"
        assert any("too long to be relied on" in note for note in job.notes)


async def test_more_bars_than_the_model_makes_are_refused_before_anything_is_spent(tmp_path: Path) -> None:
    async with running(tmp_path / "home", None) as daemon, caller(daemon, "a") as client:
        pairs = {"prompt": "x", "tempo": 60, "time_signature": "4/4", "bars": 48, "id": str(uuid.uuid4())}
        answer, told = await client.ask("/bridge/generate", **pairs)
        assert answer == "/bridge/refused"
        assert "bars = 48: is 192 s at this tempo, longer than the model makes (190 s)" in told["message"]


async def arrived(client: OscCaller, **pairs: Any) -> dict[str, Any]:
    job = await client.press(when="arrival_bar", bars=2, target="session", launch="quantized", **pairs)
    return await client.until("/bridge/result", job=job)


async def test_an_arrival_goes_to_the_next_bars_and_stays_there(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with running(home, None) as daemon, caller(daemon, "live-1") as client:
        await client.hello()
        async with plays(client):
            first = await arrived(client)
            transport = daemon.clock.of("live-1")
            assert transport is not None
            now = transport.beats_now(daemon.clock.monotonic())
            assert now is not None
            assert float(first["beats"]) % 8 == 0
            assert float(first["beats"]) > now - 2  # the answer itself took a moment
            assert float(first["position"]) == pytest.approx(100 + (float(first["beats"]) - 200) / 2, abs=0.3)
            assert (first["length"], first["launch"], first["when"]) == ("4", "quantized", "arrival_bar")
            await client.until("/bridge/result", count=3)
            assert all(result == first for result in client.all("/bridge/result"))
            assert (await events(daemon, first["job"])).count("arrival") == 1
    async with running(home, None) as daemon, caller(daemon, "live-1") as client:
        await client.hello()
        again = await client.until("/bridge/result", job=first["job"])
        assert (again["beats"], again["position"], again["delivery"]) == (first["beats"], first["position"], 1)
        async with plays(client, tempo=60.0):
            assert (await client.ask("/bridge/deliver", job=first["job"]))[0] == "/bridge/ok"
            second = await client.until("/bridge/result", job=first["job"], delivery=2)
        assert float(second["beats"]) % 8 == 0
        assert second["length"] == "8", "two bars, as they are now"
        assert "the tempo was 120 at the press and is 60 at the arrival" in second["notes"]


async def test_a_client_that_is_away_gets_the_bars_that_come_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path / "home", None) as daemon, caller(daemon, "live-1") as client:
        monkeypatch.setattr(clients, "EXPIRES", 0.0)
        async with plays(client):
            job = await client.press(when="arrival_bar", bars=1)
            found = await until(daemon, job, {State.STORED})
            await client.quiet(0.5)
            assert client.all("/bridge/result") == []
            assert "arrival" not in await events(daemon, job)
            monkeypatch.setattr(clients, "EXPIRES", 15.0)
            await client.hello()
            result = await client.until("/bridge/result", job=job)
            assert float(result["beats"]) % 4 == 0
            assert found.place.beats is None
            assert (await client.ask("/bridge/placed", job=job, delivery=1))[0] == "/bridge/ok"


async def test_an_arrival_without_a_clock_is_told_without_a_place_in_time(tmp_path: Path) -> None:
    async with running(tmp_path / "home", None) as daemon, caller(daemon, "live-1") as client:
        await client.hello()
        result = await arrived(client)
        assert "beats" not in result
        assert "no clock was heard, so the take was sent without a place in time" in result["notes"]


async def test_a_failed_arrival_that_is_asked_for_again_arrives_anew(tmp_path: Path) -> None:
    async with (
        Service() as service,
        running(tmp_path / "home", service) as daemon,
        caller(daemon, "live-1") as client,
    ):
        await client.hello()
        service.script_post("502_after_accept")
        job = await client.press(when="arrival_bar", bars=2)
        await until(daemon, job, {State.UNKNOWN})
        async with plays(client):
            answer, told = await client.ask("/bridge/retry", job=job, id=str(uuid.uuid4()))
            assert answer == "/bridge/ok", told
            result = await client.until("/bridge/result", job=told["new"])
            assert float(result["beats"]) % 8 == 0


@pytest.mark.parametrize("name", sorted(CLOCKS))
async def test_no_client_has_the_name_of_a_clock(tmp_path: Path, name: str) -> None:
    async with running(tmp_path / "home", None) as daemon, caller(daemon, name) as client:
        answer, told = await client.ask("/bridge/transport", tempo=99)
        assert answer == "/bridge/refused"
        assert "clock of the bridge itself" in told["message"]
        assert daemon.clock.of(name) is None


async def test_an_arrival_in_an_outbox(tmp_path: Path) -> None:
    """A client with files only tells no transport: a MIDI clock tells where the song is."""
    async with running(tmp_path / "home", None) as daemon:
        script = Script(tmp_path / "home").make()
        told = {"playing": True, "tempo": 120.0, "beats": 21.0}
        daemon.clock.update(MIDI_CLOCK, told, at=daemon.clock.monotonic() + 60)  # fresh, however slow this machine is
        script.request(place={"when": "arrival_bar", "bars": 2})
        await eventually(script.results)
        [result] = script.results()
        assert (result["place"]["beats"], result["place"]["length"]) == (24.0, 4.0)
        job = await job_of(daemon, result["job"])
        assert "no clock tells the meter, so 4/4 was taken ([clock] meter)" in job.notes
