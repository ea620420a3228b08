"""Chains: presets that are made from the takes of others, so that one press makes and pays for all of them, once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from bridge_daemon.app.daemon import Daemon
from bridge_daemon.domain.job import Job, State
from bridge_daemon.errors import BridgeError
from bridge_daemon.settings.checks import check_together
from bridge_daemon.settings.load import Settings
from tests.fakes.service import Service
from tests.support import change, job_of, press, request, running, until, until_seen

PRICE = 0.58
#: Eight before the last: one too many.
LONG = {"p0": {"prompt": "x"}} | {f"p{n}": {"prompt": "x", "source": "take", "of": [f"p{n - 1}"]} for n in range(1, 9)}
BAND = {
    "drums": {"action": "generate", "prompt": "drums"},
    "bass": {"prompt": "bass", "source": "take", "of": ["drums"], "strength": 0.3},
    "pad": {"prompt": "pad", "source": "take", "of": ["drums", "bass"]},
}


def band(**changes: dict[str, Any]) -> dict[str, Any]:
    return {name: preset | changes.get(name, {}) for name, preset in BAND.items()}


async def play(daemon: Daemon, **given: Any) -> list[str]:
    """Press a preset, and return its jobs."""
    body = request(preset="pad", duration=8) | given
    del body["action"], body["prompt"]
    answer, _ = await daemon.actions.admit(body)
    return list(answer["jobs"])


async def made(daemon: Daemon, jobs: list[str]) -> list[Job]:
    return [await until(daemon, job, seconds=30) for job in jobs]


async def test_one_press_makes_each_from_those_before_it(tmp_path: Path) -> None:
    async with (
        Service(take_seconds=None) as service,
        running(tmp_path / "home", service, presets=band()) as daemon,
    ):
        jobs = await made(daemon, await play(daemon))
        assert [(job.preset, job.action, job.state) for job in jobs] == [
            ("drums", "generate", State.PLACED),
            ("bass", "transform", State.PLACED),
            ("pad", "transform", State.PLACED),
        ]
        assert [post.body["prompt"] for post in service.posts] == ["drums", "bass", "pad"]
        assert [post.body.get("strength") for post in service.posts] == [None, 0.3, 0.5]
        assert len(service.charges) == 3
        drums, bass, pad = jobs
        assert drums.source is None
        assert bass.source is not None
        assert bass.source.takes == (drums.id,)
        assert pad.source is not None
        assert pad.source.takes == (drums.id, bass.id)
        assert [job.variation for job in jobs] == [1, 2, 3]  # a client may keep them apart by that
        assert pad.source_file is not None
        sent, rate = soundfile.read(pad.source_file)
        takes = [soundfile.read(job.take.file)[0] for job in (drums, bass) if job.take]
        assert (rate, len(sent)) == (44_100, 8 * 44_100)
        both = takes[0] + takes[1]
        both = both / max(1.0, float(np.abs(both).max()))
        inner = slice(4410, -4410)
        assert np.corrcoef(sent[inner, 0], both[inner, 0])[0, 1] > 0.999


async def test_its_whole_price_is_asked_for_and_held_by_the_limits(tmp_path: Path) -> None:
    spend = {"confirm_above_usd": 1.0}
    async with (
        Service(job_seconds=1000) as service,
        running(tmp_path / "home", service, presets=band(), spend=spend) as daemon,
    ):
        with pytest.raises(BridgeError) as asked:
            await play(daemon)
        assert (asked.value.code, "1.74" in asked.value.message) == ("E-CONFIRM", True)
        told = await daemon.actions.estimate({"preset": "pad", "variations": 2})
        assert told["usd"] == pytest.approx(6 * PRICE)
        assert told["steps"] == [{"preset": name, "usd": pytest.approx(2 * PRICE)} for name in BAND]
        change(daemon, spend={"per_day_usd": 1.70})
        with pytest.raises(BridgeError) as limited:
            await play(daemon, confirm_usd=1.74)
        assert limited.value.code == "E-LIMIT"
        assert service.posts == []
        change(daemon, spend={"per_day_usd": 1.75})
        await play(daemon, confirm_usd=1.74)
        await until_seen(service)
        assert (await daemon.actions.spend())["reserved_usd"] == pytest.approx(2 * PRICE)  # they wait, and count
        with pytest.raises(BridgeError):
            await press(daemon)  # another one would pass the limit


async def test_the_same_press_twice_is_one_press(tmp_path: Path) -> None:
    async with Service(job_seconds=1000) as service, running(tmp_path / "home", service, presets=band()) as daemon:
        await play(daemon)
        with pytest.raises(BridgeError) as double:
            await play(daemon)
        assert double.value.code == "E-DOUBLE-PRESS"
        assert len(await daemon.actions.jobs(limit=50)) == 3


async def test_each_variation_is_made_from_one_of_those_before_it(tmp_path: Path) -> None:
    async with Service(job_seconds=1000) as service, running(tmp_path / "home", service, presets=band()) as daemon:
        jobs = [await job_of(daemon, job) for job in await play(daemon, variations=2, confirm_usd=10)]
    of = [job.source.takes if job.source else () for job in jobs]
    assert of == [(), (), (jobs[0].id,), (jobs[1].id,), (jobs[0].id, jobs[2].id), (jobs[1].id, jobs[3].id)]
    assert len({(job.request_id, job.variation) for job in jobs}) == 6


async def test_it_goes_on_after_a_restart(tmp_path: Path) -> None:
    async with Service(take_seconds=None, job_seconds=1000) as service:
        async with running(tmp_path / "home", service, presets=band()) as daemon:
            jobs = await play(daemon)
            await until(daemon, jobs[0], {State.GENERATING})
        service.job_seconds = 0.0
        for job in service.jobs.values():
            job.seconds = 0.0
        async with running(tmp_path / "home", service, presets=band()) as daemon:
            assert [job.state for job in await made(daemon, jobs)] == [State.PLACED] * 3
        assert len(service.charges) == 3


async def test_what_cannot_be_made_is_not_paid_for_and_a_retry_goes_on(tmp_path: Path) -> None:
    async with (
        Service(take_seconds=None) as service,
        running(tmp_path / "home", service, presets=band()) as daemon,
    ):
        service.script_poll("failed")
        jobs = await made(daemon, await play(daemon))
        assert [job.state for job in jobs] == [State.FAILED, State.HELD, State.HELD]
        assert jobs[1].problem is not None
        assert (jobs[1].problem.code, jobs[0].id in jobs[1].problem.text) == ("E-SOURCE", True)
        assert "nothing was spent" in jobs[1].problem.text
        assert [job.charge for job in jobs[1:]] == ["none", "none"]
        assert len(service.posts) == 1
        drums = await daemon.actions.retry(jobs[0].id, {"id": request()["id"], "again": True})
        await until(daemon, drums["job"])
        for job in jobs[1:]:
            await daemon.actions.retry(job.id, {"id": request()["id"]})
            assert (await until(daemon, job.id)).state is State.PLACED  # made from the take of the retry
        assert [post.body["prompt"] for post in service.posts] == ["drums", "drums", "bass", "pad"]


async def test_who_cancels_the_first_pays_for_no_other(tmp_path: Path) -> None:
    async with (
        Service(take_seconds=None, job_seconds=1.0) as service,
        running(tmp_path / "home", service, presets=band()) as daemon,
    ):
        jobs = await play(daemon)
        await until(daemon, jobs[0], {State.GENERATING})
        await daemon.actions.cancel(jobs[0])
        assert [job.state for job in await made(daemon, jobs[1:])] == [State.HELD, State.HELD]
        assert len(service.posts) == 1


async def test_a_take_that_was_changed_is_not_sent(tmp_path: Path) -> None:
    async with Service(take_seconds=None) as service, running(tmp_path / "home", service, presets=band()) as daemon:
        jobs = await play(daemon)
        drums = await until(daemon, jobs[0])
        assert drums.take is not None
        other = await press(daemon, preset="bass", action="transform", source={"take": drums.id}, duration=8)
        assert (await until(daemon, other)).state is State.PLACED
        await made(daemon, jobs)
        Path(drums.take.file).write_bytes(Path(drums.take.file).read_bytes()[:-6] + bytes(6))
        before = len(service.posts)
        late = await daemon.actions.admit(
            request(action="transform", source={"take": drums.id}, prompt="x", duration=8)
        )
        held = await until(daemon, late[0]["jobs"][0])
        assert (held.state, held.problem.code if held.problem else "") == (State.HELD, "E-SOURCE")
        assert len(service.posts) == before


async def test_a_source_of_its_own_is_used_instead(tmp_path: Path) -> None:
    """A render in a watched folder whose preset is part of a chain is what is transformed."""
    async with Service(take_seconds=None) as service, running(tmp_path / "home", service, presets=band()) as daemon:
        first = await until(daemon, await press(daemon, duration=8))
        jobs = await play(daemon, source={"take": first.id})
        assert len(jobs) == 1
        assert (await until(daemon, jobs[0])).state is State.PLACED


async def test_without_of_it_is_made_from_the_newest_take(tmp_path: Path) -> None:
    presets = {"again": {"prompt": "warmer", "source": "take"}}
    async with Service(take_seconds=None) as service, running(tmp_path / "home", service, presets=presets) as daemon:
        with pytest.raises(BridgeError) as none:
            await play(daemon, preset="again")
        assert (none.value.code, service.posts) == ("E-SOURCE", [])
        first = await until(daemon, await press(daemon, duration=8))
        job = await until(daemon, (await play(daemon, preset="again"))[0])
        assert job.source is not None
        assert (job.state, job.source.take) == (State.PLACED, first.id)


@pytest.mark.parametrize(
    "source",
    [
        {"take": "nosuchjob"},
        {"take": "0"},
        {"take": "../../etc"},
        {"take": "a", "path": "/tmp/x.wav"},
        {},
        {"take": "a", "mix": []},
        {"path": "/tmp/x.wav", "mix": ["a"]},
        {"take": "a", "mix": ["b"], "end": 3.0},
    ],
)
async def test_a_take_that_is_none_is_refused(tmp_path: Path, source: dict[str, Any]) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        with pytest.raises(BridgeError) as refused:
            await press(daemon, action="transform", source=source)
        assert refused.value.code in ("E-INVALID", "E-NOT-FOUND")
        assert refused.value.charge == "none"
        assert service.posts == []


@pytest.mark.parametrize(
    ("presets", "field", "why"),
    [
        (band(bass={"of": ["nobody"]}), "presets.bass.of", "there is no [presets.nobody]"),
        (band(bass={"of": ["pad"]}), "presets.bass.of", "leads back"),
        (band(bass={"of": ["bass"]}), "presets.bass.of", "leads back"),
        (band(drums={"of": []}), "presets.drums.of", 'is for source = "take"'),
        (band(bass={"action": "generate"}), "presets.bass.source", "is for transforms"),
        (LONG, "presets.p8.of", "more than 8"),
    ],
)
def test_a_chain_that_cannot_be_made_is_no_setting(presets: dict[str, Any], field: str, why: str) -> None:
    found = check_together({"presets": presets}, Settings().model_dump(mode="json"))
    told = [one.allowed for one in found if ".".join(map(str, one.loc)) == field]
    assert [why in one for one in told] == [True]
