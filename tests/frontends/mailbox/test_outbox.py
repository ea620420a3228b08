"""The outbox: a result until it is confirmed, a status that is current and never written too often, a heartbeat."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from bridge_daemon.domain.job import Charge, Job, State
from bridge_daemon.frontends.mailbox import disk, outbox, results, statuses
from bridge_daemon.frontends.mailbox.documents import to_bytes
from bridge_daemon.frontends.mailbox.inbox import Inbox
from bridge_daemon.util import files
from tests.fakes.service import Service
from tests.frontends.mailbox.scripter import Script
from tests.frontends.osc.caller import caller
from tests.journal.conftest import new_job
from tests.support import change, events, job_of, press, running, tone, until
from tests.waiting import eventually


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "IDLE", 0.3)
    monkeypatch.setattr(outbox, "ACTIVE", 0.1)


def outbox_of(daemon: Any) -> Any:
    return next(intake for intake in daemon.intakes if isinstance(intake, Inbox)).outbox


# Results


async def test_a_result_is_there_until_it_is_placed(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        script = Script(tmp_path / "home").make()
        name = script.request(variations=2, seed=5, place={"position": 4.5, "track": "Pad", "token": "x"})
        await script.in_state(name, "stored")
        await eventually(lambda: len(script.results()) == 2)
        found = {one["variation"]: one for one in script.results()}
        one = found[1]
        assert set(one) == {
            *("job", "id", "client", "delivery", "file", "variation", "variations", "seed", "name", "rate", "frames"),
            *("place", "fit", "loudness"),
        }
        assert (one["id"], one["client"], one["delivery"], one["seed"]) == (name, "reaper", 1, 5)
        assert one["place"] == {"position": 4.5, "track": "Pad", "token": "x"}
        assert files.sha256(Path(one["file"]))
        script.confirm(one)
        await eventually(lambda: script.results() == [found[2]])
        assert (await job_of(daemon, one["job"])).state is State.PLACED
        script.confirm(one)  # said again: nothing happens
        script.confirm(found[2])
        await script.in_state(name, "placed")
        await eventually(lambda: not script.left() and not script.results())
        assert (await events(daemon, one["job"])).count("placed") == 1


async def test_a_copy_lies_in_the_folder_of_the_project_before_it_is_told(tmp_path: Path) -> None:
    project = tmp_path / "Söng"
    project.mkdir()
    (project / "song.rpp").touch()
    async with Service() as service, running(tmp_path / "home", service):
        script = Script(tmp_path / "home").make()
        script.request(place={"folder": str(project)})
        found = await script.result()
        assert Path(found["file"]).parent == project


async def test_deliver_raises_the_number_and_the_old_file_goes(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path / "home", service):
        script = Script(tmp_path / "home").make()
        name = script.request()
        first = await script.result()
        told = await script.answer(script.command("deliver", job=first["job"]))
        assert told["usd"] == 0.0
        second = await eventually(lambda: [one for one in script.results() if one["delivery"] == 2])
        await eventually(lambda: len(script.results()) == 1)
        script.confirm(first)  # late: changes nothing
        await eventually(lambda: not script.left())
        assert script.results() == second
        script.confirm(second[0])
        await script.in_state(name, "placed")
        script.command("deliver", job=first["job"])
        third = await script.result()
        assert third["delivery"] == 3
        await script.in_state(name, "stored")


async def test_unplaced_takes_the_result_away_until_somebody_asks(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        script = Script(tmp_path / "home").make()
        name = script.request()
        found = await script.result()
        script.unplaced(found, code="E-NO-TRACK", message="There is no track Pad.")
        await eventually(lambda: not script.results())
        told = await eventually(lambda: (s := script.status(name)) and "problem" in s["jobs"][0] and s)
        assert "There is no track Pad. (E-NO-TRACK)" in told["jobs"][0]["problem"]["text"]
        assert set(told["jobs"][0]["problem"]) == {"code", "text", "since", "next"}
        await daemon.actions.deliver(found["job"])
        assert (await script.result())["delivery"] == 2


async def test_a_take_cancelled_after_its_money_is_not_told(tmp_path: Path) -> None:
    async with Service(job_seconds=1000) as service, running(tmp_path / "home", service) as daemon:
        script = Script(tmp_path / "home").make()
        name = script.request()
        job = (await script.in_state(name, "generating"))["jobs"][0]["job"]
        assert (await script.answer(script.command("cancel", job=job)))["accepted"]
        service.advance(1000)
        await until(daemon, job, {State.STORED})
        await script.in_state(name, "stored")
        assert script.results() == []


async def test_results_survive_a_restart_and_old_ones_go(tmp_path: Path) -> None:
    async with Service() as service:
        async with running(tmp_path / "home", service):
            script = Script(tmp_path / "home").make()
            name = script.request()
            found = await script.result()
            done = script.request()
            await eventually(lambda: len(script.results()) == 2)
            other = next(one for one in script.results() if one["id"] == done)
            await script.in_state(name, "stored")
        # while it was away: one removed, one stale, one damaged status
        (script.outbox / f"{found['job']}.1.result.json").unlink()
        (script.outbox / f"{other['job']}.7.result.json").write_text("{}")
        (script.outbox / f"{name}.status.json").write_bytes(b"")
        (script.outbox / ".x.123.part").write_text("half")
        async with running(tmp_path / "home", service):
            await eventually(lambda: sorted(map(str, script.results())) == sorted(map(str, [found, other])))
            assert not (script.outbox / ".x.123.part").exists()
            script.confirm(found)
            await script.in_state(name, "placed")


async def test_a_result_that_was_removed_without_a_word_comes_again(tmp_path: Path, quick: None) -> None:
    async with Service() as service, running(tmp_path / "home", service):
        script = Script(tmp_path / "home").make()
        script.request()
        found = await script.result()
        (script.outbox / f"{found['job']}.1.result.json").unlink()
        assert await script.result() == found


async def test_a_client_of_both_ways_hears_by_both_under_one_number(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        script = Script(tmp_path / "home").make()
        async with caller(daemon, "reaper") as osc, caller(daemon, "live") as other:
            await osc.hello()
            await other.hello()
            script.request()
            found = await script.result()
            told = await osc.until("/bridge/result")
            assert (told["job"], told["delivery"]) == (found["job"], found["delivery"])
            script.confirm(found)
            await eventually(lambda: not script.results())
            await other.press()
            await other.until("/bridge/result")
            assert script.results() == []
        assert not (tmp_path / "home" / "outbox" / "live").exists(), "who has no inbox has no outbox"


# Statuses


async def test_a_status_is_written_at_most_four_times_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[float] = []
    whole = disk.OutboxDisk.write

    def write(disk: Any, client: str, name: str, data: bytes, **how: Any) -> None:
        if name.endswith(".status.json"):
            written.append(time.monotonic())
        whole(disk, client, name, data, **how)

    monkeypatch.setattr(disk.OutboxDisk, "write", write)
    async with Service(job_seconds=1000) as service, running(tmp_path / "home", service) as daemon:
        script = Script(tmp_path / "home").make()
        name = script.request()
        job = (await script.in_state(name, "generating"))["jobs"][0]["job"]
        written.clear()
        for number in range(100):
            fraction = number / 100
            await daemon.journal.write("test", lambda tx, f=fraction: tx.touch(tx.job(job), fraction=f))
            await asyncio.sleep(0.01)
        await eventually(lambda: (script.status(name) or {})["jobs"][0]["fraction"] == 0.99)
        gaps = [later - before for before, later in itertools.pairwise(written)]
        assert len(written) >= 2
        assert sum(gap < 0.2 for gap in gaps) == 0, gaps


async def test_a_status_that_cannot_be_replaced_is_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows, while a script holds it open."""
    held = True
    whole = disk.OutboxDisk.write

    def write(disk: Any, client: str, name: str, data: bytes, **how: Any) -> None:
        if held and how["point"] in ("status_again", "result"):
            raise PermissionError(13, "in use")
        whole(disk, client, name, data, **how)

    monkeypatch.setattr(disk.OutboxDisk, "write", write)
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        script = Script(tmp_path / "home").make()
        name = script.request()
        job = (await script.answer(name))["jobs"][0]["job"]
        await until(daemon, job, {State.STORED})
        held = False
        await script.in_state(name, "stored")
        await script.result()


async def test_old_status_files_go_and_those_of_open_jobs_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        script = Script(tmp_path / "home").make()
        stored = script.request()
        await script.in_state(stored, "stored")
        refused, wrong = script.request(duration=1000), script.command("explode")
        for name in (refused, wrong):
            await script.answer(name)
        old = time.time() - statuses.KEEP - 10
        for name in (stored, refused):
            os.utime(script.outbox / f"{name}.status.json", (old, old))
        assert await outbox_of(daemon)._statuses.clean("reaper") == 1
        assert script.status(refused) is None
        assert script.status(stored)
        assert script.status(wrong)
        monkeypatch.setattr(statuses, "MOST", 1)
        await outbox_of(daemon)._statuses.clean("reaper")
        assert script.status(stored), "its take is not placed yet"
        await script.in_state(stored, "stored")


async def test_what_changed_while_nobody_ran_is_told_at_the_start(tmp_path: Path) -> None:
    async with Service() as service:
        service.script_post("silence")
        async with running(tmp_path / "home", service) as daemon:
            script = Script(tmp_path / "home").make()
            name = script.request()
            await script.in_state(name, "submitting")
            await daemon.cut()
        async with running(tmp_path / "home", service):
            told = await script.in_state(name, "unknown")
            assert told["jobs"][0]["charge"] == "possible"
            assert told["accepted"]


async def test_a_status_of_jobs_that_the_journal_does_not_know_is_left_alone(tmp_path: Path) -> None:
    script = Script(tmp_path / "home").make()
    async with running(tmp_path / "home", None):
        await script.in_state(script.request(), "stored")
        result = await script.result()
    strange = {
        "of-another-journal": b'{"accepted":true,"jobs":[{"job":"nosuchjob1","state":"placed"}]}',
        "no-number": b'{"accepted":true,"jobs":[{"job":"nosuchjob1","fraction":NaN}]}',
    }
    for name, content in strange.items():
        (script.outbox / f"{name}.status.json").write_bytes(content)
    (script.outbox / f"{result['job']}.{result['delivery']}.result.json").unlink()
    async with running(tmp_path / "home", None):
        assert await script.result() == result, "what was not confirmed is told at the start"
        assert (await script.answer(script.request()))["accepted"]
    for name, content in strange.items():
        assert (script.outbox / f"{name}.status.json").read_bytes() == content


async def test_a_client_whose_folder_could_not_be_made_misses_nothing(
    tmp_path: Path, quick: None, caplog: pytest.LogCaptureFixture
) -> None:
    script = Script(tmp_path / "home").make()
    async with running(tmp_path / "home", None):
        await script.in_state(script.request(), "stored")
        result = await script.result()
    shutil.rmtree(script.outbox)
    script.outbox.write_text("in the way")
    async with running(tmp_path / "home", None) as daemon:
        await eventually(lambda: "reaper cannot be served" in caplog.text)
        assert (await daemon.actions.status())["inbox"]["clients"] == []
        script.outbox.unlink()
        assert await script.result() == result


def test_the_json_is_for_small_readers() -> None:
    raw = to_bytes({"a": None, "b": [{"c": None, "d": 0.1 + 0.2}], "text": 'é "\n', "e": {}, "f": []})
    assert raw == '{"b":[{"d":0.30000000000000004}],"text":"é \\"\\n","e":{},"f":[]}\n'.encode()
    with pytest.raises(ValueError, match="JSON"):
        to_bytes({"a": float("nan")})
    assert json.loads(to_bytes({"a": "\udcff"}))["a"] == "?"


# The heartbeat


async def test_the_heartbeat(tmp_path: Path, quick: None) -> None:
    async with Service() as service:
        async with running(tmp_path / "home", service, spend={"per_month_usd": 20.0}) as daemon:
            script = Script(tmp_path / "home").make()
            first = await eventually(lambda: script.read("daemon.json"))
            assert (first["client"], first["running"], first["engine"], first["paused"]) == (
                *("reaper", True, "empiriolabs", False),
            )
            assert (first["can_transform"], "why_not" in first) == (True, False)
            assert (first["price_usd"], first["limit_today_usd"], first["limit_month_usd"]) == (0.58, 10.0, 20.0)
            for number in range(22):
                change(daemon, spend={"per_day_usd": 100.0, "per_month_usd": 100.0})
                await press(daemon, client="reaper" if number else "other", prompt=f"rain {number}")
            await daemon.actions.pause("panic")
            told = await eventually(lambda: (d := script.read("daemon.json")) and d["paused"] and d)
            assert told["paused"]["reason"] == "panic"
            assert told["beat"] > first["beat"]
            assert told["time"] > first["time"]
            assert [job["prompt"] for job in told["jobs"]] == [f"rain {number}" for number in range(21, 1, -1)]
        last = script.read("daemon.json")
        assert last is not None
        assert (last["running"], last["beat"] > told["beat"]) == (False, True)


async def test_the_heartbeat_names_the_results_for_who_cannot_list_a_folder(tmp_path: Path, quick: None) -> None:
    def told(script: Script) -> list[str] | None:
        return (script.read("daemon.json") or {}).get("results")

    async with Service() as service:
        async with running(tmp_path / "home", service):
            script = Script(tmp_path / "home").make()
            await eventually(lambda: told(script) == [])
            script.request()
            found = await script.result()
            name = f"{found['job']}.1.result.json"
            await eventually(lambda: told(script) == [name])
        assert told(script) is None
        async with running(tmp_path / "home", service):  # it lies there still, and nothing was written anew
            await eventually(lambda: told(script) == [name])
            script.confirm(found)
            await eventually(lambda: told(script) == [])


async def test_an_idle_client_gets_ten_seconds_and_an_active_one_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (outbox.ACTIVE, outbox.IDLE) == (2.0, 10.0)
    monkeypatch.setattr(outbox, "STAYS_ACTIVE", 0.0)
    async with Service(job_seconds=1000) as service, running(tmp_path / "home", service):
        script = Script(tmp_path / "home").make()
        idle = await eventually(lambda: script.read("daemon.json"))
        assert idle["every_s"] == 10.0
        script.request()  # a job on its way makes it active
        told = await eventually(lambda: (d := script.read("daemon.json")) and d["every_s"] == 2.0 and d)
        assert told["beat"] > idle["beat"]


async def test_fifty_clients_are_told_of_a_press_each(tmp_path: Path) -> None:
    async with running(tmp_path / "home", None):
        scripts = [Script(tmp_path / "home", f"client-{number}").make() for number in range(50)]
        names = [script.request() for script in scripts]
        for script, name in zip(scripts, names, strict=True):
            await script.answer(name)
        await asyncio.gather(*(eventually(lambda s=script: s.read("daemon.json")) for script in scripts))


async def test_a_transform_by_files(tmp_path: Path) -> None:
    source = tone(tmp_path / "quelle ü.wav")
    async with Service() as service, running(tmp_path / "home", service):
        script = Script(tmp_path / "home").make()
        given = {"path": str(source), "start": 0.5, "end": 7.25}
        await script.in_state(script.request(action="transform", source=given, duration=2), "stored")
        assert (await script.result())["rate"] == 44_100


@pytest.mark.parametrize("changed_while_looking", [False, True])
async def test_a_result_of_the_last_process_goes_when_another_delivery_comes_first(
    tmp_path: Path, changed_while_looking: bool
) -> None:
    """Between the start and its being brought again: a script would place both."""
    store = disk.OutboxDisk(tmp_path)
    job = new_job(state=State.STORED, client="reaper", delivery=1, charge=Charge.CONFIRMED)
    later = job.evolve(delivery=2)
    store.make("reaper")
    file = store.folder("reaper") / f"{job.id}.1.result.json"
    file.write_text("{}")

    class Takes:
        async def undelivered(self, client: str) -> list[Job]:
            if changed_while_looking:
                told.changed(later)
            return [job]

        def bring(self, job: str) -> None:
            """It takes a while."""

    told = results.Results(store, Takes(), lambda _: True)
    await told.restore("reaper")
    if not changed_while_looking:
        assert file.exists()
        told.changed(later)
    await store.run(lambda: None)
    assert not file.exists()
    await told.close()
    await asyncio.to_thread(store.close)
