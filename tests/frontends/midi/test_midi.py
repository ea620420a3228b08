"""MIDI over a real server, real ports, and controllers that are processes of their own: ports, gestures, lights."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from bridge_daemon.app.daemon import Daemon
from bridge_daemon.domain.job import State
from bridge_daemon.frontends.midi import port_session, port_thread
from bridge_daemon.frontends.midi.driver import MidiSystem, PortTrouble
from bridge_daemon.frontends.midi.port_types import Incoming
from tests.fakes.service import Service
from tests.frontends.midi.controller import control, controller, note, off, program
from tests.frontends.midi.pads import (
    ARM,
    PRESETS,
    add_up,
    all_jobs,
    attached,
    counts,
    in_state,
    intake,
    midi,
    missed,
    pad,
    plugged,
    taken,
)
from tests.frontends.osc.caller import caller, stall
from tests.support import change, running, tone
from tests.waiting import eventually

pytestmark = [pytest.mark.needs("jackd", "jackd2"), pytest.mark.usefixtures("jack")]


async def test_a_pad_does_nothing_until_it_is_armed_and_then_makes_one_post(tmp_path: Path) -> None:
    bindings = midi(ARM, pad("riser", 36, preset="riser"))
    async with (
        Service() as service,
        controller() as keys,
        running(tmp_path / "home", service, midi=bindings, presets=PRESETS) as daemon,
    ):
        await plugged(daemon, keys)
        await keys.play(note(36), off(36))
        await missed(daemon, "riser", "not armed")
        assert service.posts == []
        await keys.play(note(1), off(1))
        await taken(daemon, "arm")
        await keys.play(note(36), off(36))
        await taken(daemon, "riser")
        (job,) = await in_state(daemon, State.PLACED)
        assert (job.preset, job.client, job.parameters.prompt) == ("riser", None, "riser")
        assert len(service.posts) == len(service.charges) == 1
        stage = intake(daemon).about()["stage"]
        assert stage["armed"]
        assert stage["spent_usd"] == 0.58
        assert add_up(daemon, "riser")
        status = await daemon.actions.status()
        assert status["midi"]["presses"] == {"taken": 2, "not_taken": {"not armed": 1}}


async def test_knobs_and_velocity_become_parameters_in_the_range_of_the_model(tmp_path: Path) -> None:
    knobs = [
        pad("cfg", 10, message="control_change", action="set", parameter="cfg_scale", min=1, max=11),
        pad("steps", 11, message="control_change", action="set", parameter="steps", bits=14),
        pad("seed", 12, message="control_change", action="set", parameter="seed", min=7, max=7, preset="riser"),
        pad("other", 13, message="control_change", action="set", parameter="seed", min=9, max=9, preset="drums"),
        pad("two", 14, action="set", parameter="variations", min=2, max=2),
    ]
    turn = pad("turn", 15, message="control_change", action="set", parameter="duration", mode="relative", max=128)
    bindings = midi(*knobs, turn, pad("riser", 36, preset="riser", velocity_to="duration", min=1, max=3))
    async with (
        controller() as keys,
        running(tmp_path / "home", None, midi=bindings | {"arm_at_start": True}, presets=PRESETS) as daemon,
    ):
        await plugged(daemon, keys)
        await keys.play(control(10, 127), control(11, 127), control(43, 127), control(12, 1), control(13, 1), note(14))
        await keys.play(*[control(15, 1)] * 10, *[control(15, 127)] * 4)
        await eventually(lambda: len(intake(daemon).about()["knobs"]) == 6)
        knob = {(one["parameter"], one["preset"]): one["value"] for one in intake(daemon).about()["knobs"]}
        assert knob["cfg_scale", None] == 11
        assert knob["steps", None] == 100
        assert knob["duration", None] == pytest.approx(30 + 6)
        await keys.play(note(36, 127), off(36))
        found = await in_state(daemon, State.PLACED, count=2)
        assert [job.parameters.cfg_scale for job in found] == [11, 11]
        assert [job.parameters.steps for job in found] == [100, 100]
        assert [job.parameters.seed for job in found] == [8, 7]
        assert {job.parameters.duration for job in found} == {3}


async def test_programs_and_switches_press_too_and_only_on_their_channel(tmp_path: Path) -> None:
    bindings = midi(
        pad("arm", 5, message="program_change", action="arm", channel=2),
        pad("disarm", 64, message="control_change", action="disarm"),
        pad("soft", 36, preset="riser", high=60),
        arm_at_start=False,
    )
    async with controller() as keys, running(tmp_path / "home", None, midi=bindings, presets=PRESETS) as daemon:
        await plugged(daemon, keys)
        await keys.play(program(5, channel=1), program(4, channel=2), program(5, channel=2))
        await taken(daemon, "arm")
        await keys.play(note(36, 90), off(36))
        await missed(daemon, "soft", "velocity left out")
        await keys.play(control(64, 127), control(64, 0))
        await taken(daemon, "disarm")
        assert not intake(daemon).stage.armed
        assert counts(daemon, "arm")["pressed"] == 1


async def test_hold_and_twice_confirm(tmp_path: Path) -> None:
    bindings = midi(
        pad("hold", 36, preset="riser", confirm="hold", hold_ms=400),
        pad("twice", 37, preset="riser", confirm="twice"),
        arm_at_start=True,
    )
    async with controller() as keys, running(tmp_path / "home", None, midi=bindings, presets=PRESETS) as daemon:
        await plugged(daemon, keys)
        await keys.play(note(36), off(36))
        await missed(daemon, "hold", "let go too early")
        await keys.play(note(36))
        await taken(daemon, "hold")
        await keys.play(off(36), note(37), off(37))
        await missed(daemon, "twice", "first of two")
        await asyncio.sleep(0.1)  # no bounce
        await keys.play(note(37), off(37))
        await taken(daemon, "twice")
        await in_state(daemon, State.PLACED, count=2)
        assert add_up(daemon, "hold")
        assert add_up(daemon, "twice")


async def test_a_press_stands_where_it_was_pressed_for_the_client_that_plays(tmp_path: Path) -> None:
    bindings = midi(
        pad("here", 36, preset="riser", track="Pads", bars=2, when="press_bar", launch="quantized"),
        arm_at_start=True,
    )
    async with controller() as keys, running(tmp_path / "home", None, midi=bindings, presets=PRESETS) as daemon:
        await plugged(daemon, keys)
        async with caller(daemon, "reaper-1") as reaper, caller(daemon, "idle-1") as idle:
            await reaper.hello()
            await idle.hello()
            idle.send("/bridge/transport", playing=False, position=99.0, tempo=90.0)
            reaper.send(
                "/bridge/transport", playing=True, position=8.5, beats=17.0, tempo=120.0, numerator=4, denominator=4
            )
            await eventually(lambda: len(daemon.clock.all()) == 2)
            await keys.play(note(36), off(36))
            told = await reaper.until("/bridge/result")
        assert (told["track"], told["launch"], told["client"]) == ("Pads", "quantized", "reaper-1")
        assert float(told["position"]) == pytest.approx(8.0)
        assert float(told["length"]) == pytest.approx(4.0)
        (job,) = await all_jobs(daemon)
        assert job.parameters.seconds == 4


async def test_the_newest_take_and_the_newest_render_are_sources(tmp_path: Path) -> None:
    folder = tmp_path / "renders"
    folder.mkdir()
    tone(folder / "old.wav")
    os.utime(folder / "old.wav", (1e9, 1e9))
    bindings = midi(
        pad("riser", 36, preset="riser"),
        pad("again", 37, preset="drums", source="newest_take"),
        pad("render", 38, preset="drums", source="folder:renders"),
        arm_at_start=True,
    )
    watched = [{"name": "renders", "path": str(folder)}]
    async with (
        controller() as keys,
        running(tmp_path / "home", None, midi=bindings, presets=PRESETS, folders=watched) as daemon,
    ):
        await plugged(daemon, keys)
        await keys.play(note(37), off(37))
        await missed(daemon, "again", "no take yet")
        await keys.play(note(36), off(36))
        (made,) = await in_state(daemon, State.PLACED)
        await keys.play(note(37), off(37))
        newest, _ = await in_state(daemon, State.PLACED, count=2)
        assert made.take is not None
        assert newest.source is not None
        assert newest.source.path == made.take.file
        await keys.play(note(38), off(38))
        newest, *_ = await in_state(daemon, State.PLACED, count=3)
        assert newest.source is not None
        assert Path(newest.source.path).name == "old.wav"


async def test_a_take_that_was_made_before_is_launched_for_nothing(tmp_path: Path) -> None:
    bindings = midi(
        pad("fire", 36, action="deliver", preset="riser", launch="quantized"),
        pad("where", 37, action="deliver", when="press", track="Live"),
        pad("that", 38, action="deliver", job="nosuchjob"),
    )
    async with controller() as keys, running(tmp_path / "home", None, midi=bindings, presets=PRESETS) as daemon:
        await plugged(daemon, keys)
        await keys.play(note(36), off(36))
        await missed(daemon, "fire", "no take yet")
        async with caller(daemon, "live-1") as live:
            await live.hello()
            job = await live.press("/bridge/preset", preset="riser", prompt="x", target="session", slot=3)
            first = await live.until("/bridge/result")
            await live.ask("/bridge/placed", job=job, delivery=first["delivery"])
            assert not intake(daemon).stage.armed
            await keys.play(note(36), off(36))
            told = await live.until("/bridge/result", delivery=2)
            assert (told["job"], told["slot"], told["launch"]) == (job, 3, "quantized")
            live.send("/bridge/transport", playing=False, position=33.0, tempo=120.0)
            await eventually(lambda: daemon.clock.all())
            await keys.play(note(37), off(37))
            told = await live.until("/bridge/result", delivery=3)
            assert (told["track"], float(told["position"])) == ("Live", 33.0)
        await keys.play(note(38), off(38))
        await missed(daemon, "that", "E-NOT-FOUND")
        assert len(await all_jobs(daemon)) == 1


async def test_cancel_ends_what_was_asked_for_last(tmp_path: Path) -> None:
    bindings = midi(pad("cancel", 36, action="cancel"), pad("riser", 37, preset="riser"), arm_at_start=True)
    async with (
        Service(job_seconds=1000) as service,
        controller() as keys,
        running(tmp_path / "home", service, midi=bindings, presets=PRESETS) as daemon,
    ):
        await plugged(daemon, keys)
        await keys.play(note(36), off(36))
        await missed(daemon, "cancel", "nothing to cancel")
        await keys.play(note(37), off(37))
        await in_state(daemon, State.GENERATING)
        await keys.play(note(36), off(36))
        await taken(daemon, "cancel")
        assert "spent" in counts(daemon, "cancel")["last"]
        (job,) = await all_jobs(daemon)
        assert not job.wanted


# Lights

LIGHT = {"idle": 1, "armed": 2, "working": 3, "done": 4, "refused": 5}


async def test_lights_are_seen_by_the_controller_and_each_pad_has_its_own(tmp_path: Path) -> None:
    bindings = midi(
        ARM | {"light": {"idle": 10, "armed": 11}},
        pad("riser", 36, preset="riser", light=LIGHT, channel=3),
        pad("knob", 20, message="control_change", action="cancel", light=LIGHT),
    )
    async with (
        Service(job_seconds=1) as service,
        controller() as keys,
        running(tmp_path / "home", service, midi=bindings, presets=PRESETS) as daemon,
    ):
        await eventually(lambda: intake(daemon).about()["lit"] and not intake(daemon)._lights._fresh)
        await keys.until(lambda: len(keys.seen) >= 3)
        assert {tuple(one) for one in keys.seen} == {(0x90, 1, 10), (0x92, 36, 1), (0xB0, 20, 1)}
        await plugged(daemon, keys)
        await keys.play(note(36, channel=3), off(36, channel=3))
        await keys.until(lambda: note(36, 5, channel=3) in keys.seen)
        await keys.play(note(1), off(1))
        await keys.until(lambda: note(1, 11) in keys.seen)
        await keys.until(lambda: keys.seen[-1] == note(36, 2, channel=3))
        await keys.play(note(36, channel=3), off(36, channel=3))
        seen = len(keys.seen)
        await keys.until(lambda: keys.seen[-1] == note(36, 2, channel=3) and len(keys.seen) > seen + 2)
        assert keys.seen[seen:] == [note(36, value, channel=3) for value in (3, 4, 2)]
        await keys.play(control(20, 127), control(20, 0))
        await keys.until(lambda: control(20, 5) in keys.seen)
        await keys.until(lambda: keys.seen[-1] == control(20, 1))
    assert len(service.charges) == 1
    assert note(1, 10) in keys.seen[-4:], "left in the dark"


async def test_a_light_that_comes_back_is_no_press(tmp_path: Path) -> None:
    light = {"idle": 0, "armed": 100, "working": 100, "done": 100, "refused": 100}
    bindings = midi(ARM, pad("riser", 36, preset="riser", light=light))
    async with (
        Service() as service,
        controller() as keys,
        running(tmp_path / "home", service, midi=bindings, presets=PRESETS) as daemon,
    ):
        await plugged(daemon, keys)
        await keys.until(lambda: keys.seen)
        lights = intake(daemon)._lights
        sent = lights._send

        def loop(port: str, data: bytes) -> None:  # a cable from its output to its input
            sent(port, data)
            intake(daemon)._take(Incoming("pad:out", data, daemon.clock.monotonic()))

        lights._send = loop
        await keys.play(note(1), off(1))
        await missed(daemon, "riser", "echo of a light")
        await asyncio.sleep(0.2)
        assert service.posts == []


# Plugging, closing, reloading


async def test_unplugged_and_plugged_in_again(tmp_path: Path) -> None:
    bindings = midi(pad("hold", 36, action="cancel", confirm="hold", hold_ms=10_000, light=LIGHT))
    async with running(tmp_path / "home", None, midi=bindings, presets=PRESETS) as daemon:
        await eventually(lambda: intake(daemon)._ports.problem is None)
        assert intake(daemon).about()["open"] == []
        for times in (1, 2):
            async with controller() as keys:
                await plugged(daemon, keys)
                await keys.until(lambda keys=keys: note(36, 1) in keys.seen)
                await keys.play(note(36))
                await eventually(lambda times=times: counts(daemon, "hold")["pressed"] == times)
            await attached(daemon)
            await missed(daemon, "hold", "unplugged while held", times)


async def test_only_ports_that_are_named_are_opened(tmp_path: Path) -> None:
    async with (
        controller("other") as other,
        controller("pad") as keys,
        running(tmp_path / "home", None, midi=midi(ARM), presets=PRESETS) as daemon,
    ):
        await plugged(daemon, keys)
        assert set(intake(daemon).about()["inputs"]) == {"other:out", "pad:out"}
        await other.play(note(1), off(1))
        await keys.play(note(1), off(1))
        await taken(daemon, "arm")
        assert counts(daemon, "arm")["pressed"] == 1
        assert other.seen == keys.seen == []


def opened(daemon: Daemon) -> object:
    """Return what is open as the input pad:out."""
    thread = intake(daemon)._ports._thread
    assert thread is not None
    assert thread._session is not None
    return thread._session._inputs.open["pad:out"]


async def test_a_reload_opens_and_closes_what_has_changed_and_nothing_else(tmp_path: Path) -> None:
    first = pad("arm", 1, action="arm", port="pad*")
    async with (
        controller("pad") as keys,
        controller("new") as new,
        running(tmp_path / "home", None, midi=midi(first), presets=PRESETS) as daemon,
    ):
        await plugged(daemon, keys)
        kept = opened(daemon)
        await keys.play(note(1), off(1))
        await taken(daemon, "arm")
        change(daemon, midi={"bindings": [first, pad("panic", 5, action="cancel", port="new*")]})
        await intake(daemon).configure()
        await attached(daemon, "pad:out", "new:out")
        assert opened(daemon) is kept
        assert counts(daemon, "arm")["taken"] == 1
        assert intake(daemon).stage.armed
        await plugged(daemon, new, "new")
        await new.play(note(5), off(5))
        await missed(daemon, "panic", "nothing to cancel")
        change(daemon, midi={"bindings": [first]})
        await intake(daemon).configure()
        await attached(daemon, "pad:out")
        assert opened(daemon) is kept
        change(daemon, midi={"enabled": False})
        await intake(daemon).configure()
        await attached(daemon)
        assert not intake(daemon).stage.armed


async def test_closing_while_a_flood_comes_in_does_not_hang(tmp_path: Path) -> None:
    bindings = midi(pad("riser", 36, preset="riser"), clock_port="pad*")
    async with controller() as keys:
        for _ in range(3):
            async with running(tmp_path / "home", None, midi=bindings, presets=PRESETS) as daemon:
                await plugged(daemon, keys)
                flood = asyncio.create_task(keys.play([0xF8], note(36), off(36), gap=0.0005, times=700))
                await eventually(lambda daemon=daemon: counts(daemon, "riser")["pressed"] > 50)
                async with asyncio.timeout(15), stall() as longest:
                    await intake(daemon).close()
                assert longest[0] < 1.0  # wall time of the loop: a loaded machine adds some tenths
            await flood


async def test_the_clock_of_a_port_is_heard(tmp_path: Path) -> None:
    async with (
        controller() as keys,
        running(tmp_path / "home", None, midi={"clock_port": "pad*"}, presets=PRESETS) as daemon,
    ):
        await plugged(daemon, keys)
        await keys.play([0xFA])
        ticking = asyncio.create_task(keys.play([0xF8], gap=0.0208, times=100))
        await eventually(lambda: (found := daemon.clock.best(None)) is not None and found.tempo is not None)
        await ticking
        transport = daemon.clock.best(None)
        assert transport is not None
        assert transport.playing


async def test_a_busy_port_is_told_once_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    inner, tries = MidiSystem.open_input, []

    def open_input(system: MidiSystem, name: str) -> Any:
        tries.append(name)
        if len(tries) < 3:
            raise PortTrouble("MidiInWinMM::openPort: error creating Windows MM MIDI input port")
        return inner(system, name)

    monkeypatch.setattr(MidiSystem, "open_input", open_input)
    monkeypatch.setattr(port_session, "_PORT_AGAIN", (0.1, 0.2))
    monkeypatch.setattr(port_thread, "SCAN", 0.05)
    async with controller(), running(tmp_path / "home", None, midi=midi(ARM), presets=PRESETS) as daemon:
        await eventually(lambda: intake(daemon).about()["trouble"] or len(tries) > 1)
        await attached(daemon, "pad:out")
        assert intake(daemon).about()["trouble"] == {}
    told = [line for line in caplog.messages if "cannot be opened" in line]
    assert len(told) == 1
    assert "another program" in told[0]


async def test_without_midi_everything_else_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDO_BACKEND", "mido.backends.rtmidi/NO_SUCH")
    async with running(tmp_path / "home", None, midi=midi(ARM), presets=PRESETS) as daemon:
        await eventually(lambda: intake(daemon).about()["problem"])
        assert "NO_SUCH" in (await daemon.actions.status())["midi"]["problem"]
    async with running(tmp_path / "home", None, presets=PRESETS) as daemon:  # nothing is named: nothing is looked for
        assert intake(daemon).about()["problem"] is None
        assert intake(daemon)._ports._thread is None
