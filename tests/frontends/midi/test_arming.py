"""The money of pads: arming, its time and its sum, mashes, selections of a DAW, and panic."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

import pytest

from bridge_daemon.domain.job import State
from bridge_daemon.errors import Disarmed, Paused
from bridge_daemon.frontends.midi.arming import OverBudget
from tests.fakes.service import Service
from tests.frontends.midi.controller import controller, note, off
from tests.frontends.midi.pads import (
    ARM,
    PANIC,
    PRESETS,
    add_up,
    all_jobs,
    counts,
    in_state,
    intake,
    midi,
    missed,
    pad,
    plugged,
    taken,
)
from tests.frontends.osc.caller import caller
from tests.support import Clock, change, job_of, press, running, until, until_seen
from tests.waiting import eventually

pytestmark = [pytest.mark.needs("jackd", "jackd2"), pytest.mark.usefixtures("jack")]
LIMITS = {"per_day_usd": 100.0, "per_month_usd": 100.0}


@pytest.mark.parametrize(("repeat_ms", "charged"), [(500, 1), (0, 8)])
async def test_a_thousand_mashes_spend_what_arming_and_repeat_allow_and_each_is_counted(
    tmp_path: Path, repeat_ms: int, charged: int
) -> None:
    bindings = midi(ARM, pad("riser", 36, preset="riser", repeat_ms=repeat_ms), arm_budget_usd=5.0)
    async with (
        Service() as service,
        controller() as keys,
        running(tmp_path / "home", service, midi=bindings, presets=PRESETS, spend=LIMITS) as daemon,
    ):
        await plugged(daemon, keys)
        await keys.play(note(1), off(1))
        await taken(daemon, "arm")
        await keys.play(note(36), off(36), gap=0.002, times=1000)
        await eventually(lambda: counts(daemon, "riser")["pressed"] == 1000 and add_up(daemon, "riser"))
        found = await in_state(daemon, State.PLACED, count=charged)
        assert len(service.charges) == len(found) == counts(daemon, "riser")["taken"] == charged
        if repeat_ms:
            assert counts(daemon, "riser")["not_taken"] == {"too soon after the last one": 999}
        else:
            assert not intake(daemon).stage.armed
            assert counts(daemon, "riser")["not_taken"]["E-LIMIT"] >= 1


async def test_the_limit_of_the_day_holds_for_pads_too(tmp_path: Path) -> None:
    bindings = midi(pad("riser", 36, preset="riser"), arm_at_start=True)
    async with (
        Service() as service,
        controller() as keys,
        running(tmp_path / "home", service, midi=bindings, presets=PRESETS, spend={"per_day_usd": 1.2}) as daemon,
    ):
        await plugged(daemon, keys)
        await keys.play(note(36), off(36), gap=0.05, times=4)
        await missed(daemon, "riser", "E-LIMIT", 2)
        assert len(service.posts) == 2
        assert intake(daemon).stage.armed, "that was not its own budget"


async def test_two_presses_at_once_cannot_both_have_the_last_of_the_budget(tmp_path: Path) -> None:
    async with (
        Service() as service,
        running(tmp_path / "home", service, midi={"arm_budget_usd": 1.0}, presets=PRESETS) as daemon,
    ):
        stage = intake(daemon).stage
        await stage.arm()
        body = {"version": 1, "preset": "riser", "again": True}
        asked = [
            daemon.actions.admit(body | {"id": str(uuid.uuid4())}, guard=stage.guard())  # whatever each saw before
            for _ in range(4)
        ]
        done = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(one) for one in done].count(OverBudget) == 3
        stage.disarm("for the test")
        with pytest.raises(Disarmed):
            await daemon.actions.admit(body | {"id": str(uuid.uuid4())}, guard=stage.guard())


async def test_what_was_not_charged_is_free_again_and_other_ways_in_do_not_count(tmp_path: Path) -> None:
    async with (
        Service() as service,
        running(tmp_path / "home", service, midi={"arm_budget_usd": 0.6}, presets=PRESETS, spend=LIMITS) as daemon,
    ):
        stage = intake(daemon).stage
        await stage.arm()
        service.script_post("400")
        body = {"version": 1, "preset": "riser", "again": True}
        answer, _ = await daemon.actions.admit(body | {"id": str(uuid.uuid4())}, guard=stage.guard())
        await until(daemon, answer["jobs"][0], {State.REFUSED})
        await press(daemon, prompt="by hand")
        await daemon.actions.admit(body | {"id": str(uuid.uuid4())}, guard=stage.guard())
        with pytest.raises(OverBudget, match=r"\$0\.58 are spent"):
            await daemon.actions.admit(body | {"id": str(uuid.uuid4())}, guard=stage.guard())
        await stage.arm()  # a person arms again, and means it
        await daemon.actions.admit(body | {"id": str(uuid.uuid4())}, guard=stage.guard())


async def test_arming_survives_no_restart_and_its_time_ends(tmp_path: Path) -> None:
    async with running(tmp_path / "home", None, midi={"arm_minutes": 0.005}) as daemon:
        await daemon.actions.arm_pads()
        assert intake(daemon).about()["stage"]["armed"]
        await eventually(lambda: not intake(daemon).stage.armed)
        assert intake(daemon).about()["stage"] == {"armed": False, "why": "its time is over"}
    async with running(tmp_path / "home", None) as daemon:
        await daemon.actions.arm_pads()
    async with running(tmp_path / "home", None) as daemon:
        assert not intake(daemon).stage.armed


async def test_a_daemon_that_is_started_again_and_again_is_given_no_new_budget(tmp_path: Path) -> None:
    clock, budget = Clock(), {"arm_at_start": True, "arm_budget_usd": 0.6, "arm_minutes": 60}
    body = {"version": 1, "preset": "riser", "again": True}
    async with Service() as service:
        for number in range(3):
            async with running(tmp_path / "home", service, midi=budget, presets=PRESETS, times=clock) as daemon:
                guard = intake(daemon).stage.guard()
                if number == 1:
                    with pytest.raises(OverBudget):
                        await daemon.actions.admit(body | {"id": str(uuid.uuid4())}, guard=guard)
                else:
                    answer, _ = await daemon.actions.admit(body | {"id": str(uuid.uuid4())}, guard=guard)
                    await until(daemon, answer["jobs"][0])
            if number == 1:
                clock.offset += 3700
        assert len(service.charges) == 2


async def test_a_selection_is_sent_by_the_daw_and_watched_over_all_the_same(tmp_path: Path) -> None:
    bindings = midi(pad("sel", 36, preset="drums", source="selection", track="T"), ARM, arm_budget_usd=0.6)
    async with (
        Service() as service,
        controller() as keys,
        running(tmp_path / "home", service, midi=bindings, presets=PRESETS, spend=LIMITS) as daemon,
    ):
        await plugged(daemon, keys)
        await keys.play(note(36), off(36))
        await missed(daemon, "sel", "not armed")
        await keys.play(note(1), off(1))
        await taken(daemon, "arm")
        await keys.play(note(36), off(36))
        await missed(daemon, "sel", "no client")
        async with caller(daemon, "reaper-1") as reaper:
            await reaper.hello()
            for number in (1, 2, 3):
                await keys.play(note(36), off(36))
                told = await reaper.until("/bridge/do", count=number)
                assert (told["action"], told["preset"], told["track"]) == ("transform_selection", "drums", "T")
                if number == 3:
                    intake(daemon).disarm()
                # (publishing a source is not part of this: what the client sends is generated)
                answer, said = await reaper.ask(
                    "/bridge/generate", id=told["id"], prompt="drums", duration=1, again=True
                )
                if number == 1:
                    assert answer == "/bridge/accepted"
                else:
                    assert said["code"] == ("E-LIMIT" if number == 2 else "E-DISARMED")
        assert len(service.posts) == 1


async def test_panic_holds_what_is_not_sent_and_stops_deliveries_until_resume(tmp_path: Path) -> None:
    bindings = midi(ARM, PANIC, pad("riser", 36, preset="riser"), pad("fire", 37, action="deliver"))
    async with (
        Service(job_seconds=1000) as service,
        controller() as keys,
        running(
            tmp_path / "home", service, midi=bindings, presets=PRESETS, spend=LIMITS, engine={"max_open_jobs": 1}
        ) as daemon,
    ):
        await plugged(daemon, keys)
        async with caller(daemon, "reaper-1") as reaper:
            await reaper.hello()
            reaper.send("/bridge/transport", playing=True, position=1.0)
            await eventually(lambda: daemon.clock.all())
            await keys.play(note(1), off(1))
            await taken(daemon, "arm")
            await keys.play(note(36), off(36), gap=0.1, times=2)
            await until_seen(service)
            await taken(daemon, "riser", 2)
            await keys.play(note(2), off(2))
            await taken(daemon, "panic")
            await keys.until(lambda: note(2, 99) in keys.seen)
            waiting, sent = await in_state(daemon, State.HELD, State.GENERATING, count=2)
            assert (waiting.state, sent.state) == (State.HELD, State.GENERATING)
            assert waiting.problem is not None
            assert waiting.problem.code == "E-PAUSED"
            assert not intake(daemon).stage.armed
            service.advance(2000)
            await until(daemon, sent.id, {State.STORED})
            for number, reason in ((36, "not armed"), (1, "E-PAUSED"), (37, "panic")):
                await keys.play(note(number), off(number))
                await missed(daemon, {36: "riser", 1: "arm", 37: "fire"}[number], reason)
            with pytest.raises(Paused):
                await daemon.actions.arm_pads()
            await reaper.hello()
            await reaper.quiet(0.5)
            assert reaper.all("/bridge/result") == []
            await daemon.actions.resume()
            await reaper.until("/bridge/result", job=sent.id)
            await reaper.quiet(0.3)
            assert (await job_of(daemon, waiting.id)).state is State.HELD, "it waits for a person"
            assert len(service.posts) == 1


async def test_panic_silences_a_result_that_is_being_said_again(tmp_path: Path) -> None:
    async with running(tmp_path / "home", None) as daemon, caller(daemon, "reaper-1") as reaper:
        await reaper.hello()
        job = await reaper.press()
        await reaper.until("/bridge/result", job=job)
        await daemon.actions.pause("person")
        await daemon.actions.pause("panic")
        said = len(reaper.all("/bridge/result"))
        await reaper.quiet(2.2)  # it is due after 1 and 2 s
        assert len(reaper.all("/bridge/result")) == said
        assert daemon.parts.pause.panic, "a panic stands above the pause of a person"
        await daemon.actions.resume()
        await reaper.until("/bridge/result", count=said + 1)


async def test_a_panic_survives_a_restart_and_an_arming_does_not_pass_it(tmp_path: Path) -> None:
    async with running(tmp_path / "home", None) as daemon:
        await daemon.actions.pause("panic")
    async with running(tmp_path / "home", None, midi={"arm_at_start": True}) as daemon:
        assert daemon.parts.pause.panic
        assert not intake(daemon).stage.armed
        assert await all_jobs(daemon) == []
        await daemon.actions.resume()
        change(daemon, midi={"arm_at_start": False})
        assert not intake(daemon).stage.armed
