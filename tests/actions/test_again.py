"""A request made of a job asks for the same: every parameter of the table, every way of asking, whoever makes it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bridge_daemon.app.daemon import Daemon
from bridge_daemon.domain.again import NOT_REPEATED, WHERE, request_of
from bridge_daemon.domain.job import Job
from bridge_daemon.domain.models import models
from bridge_daemon.domain.parameters import REGION, TABLE, Parameter
from bridge_daemon.domain.request import Place
from bridge_daemon.engine.protocol import payload
from tests.actions.test_actions import close_gate
from tests.fakes import rules
from tests.fakes.service import Service
from tests.support import job_of, press, request, running, tone

MODEL = "stable-audio-2-5"
#: What the service's catalogue tells of it: everything that a request may ask for.
LISTED = [
    {"name": "mode", "type": "enum", "enum": [*rules.MODES, rules.INPAINT]},
    *({"name": name, "type": "string"} for name in ("prompt", "audio_url", "negative_prompt")),
    *({"name": name, "type": "number", "range": list(span)} for name, span in rules.RANGES.items()),
    *({"name": name, "type": "number", "range": list(rules.MASK)} for name in ("mask_start", "mask_end")),
]
#: What belongs to the press or to what becomes of the job, beside what is asked of the model.
OTHERS = ("negative_prompt", "fit", "loudness", "tempo", "continue_from", "after", "cut", "spare")


@asynccontextmanager
async def bridge(tmp_path: Path) -> AsyncIterator[Daemon]:
    """Run a daemon whose model takes every parameter, and that sends nothing."""
    tone(tmp_path / "a.wav", seconds=20)
    told = {MODEL: {"supported_parameters": LISTED}}
    async with Service(models=("stable-audio-2-0", MODEL), replaces=(MODEL,), catalogues=told) as service:
        service.prices("$0.58")
        async with running(tmp_path / "home", service, spend={"per_day_usd": 1000, "confirm_above_usd": 100}) as daemon:
            async with asyncio.timeout(10):
                while models()[MODEL].region is None or not models()[MODEL].takes("negative_prompt"):
                    await asyncio.sleep(0.02)
            close_gate(daemon)
            yield daemon


def a_value(one: Parameter) -> Any:
    """Return a value that is nobody's default."""
    if one.choices:
        return one.choices[-1]
    if one.kind == "text":
        return MODEL if one.name == "model" else "{warm|cold|tape-worn} piano \\{slow"
    assert one.low is not None
    assert one.high is not None
    middle = {"duration": 7.5, "seed": 4711, "steps": 60}.get(one.name, (one.low + min(one.high, 16)) / 2)
    return round(middle) if one.kind == "whole" else middle


def asking_for(one: Parameter, tmp_path: Path) -> dict[str, Any]:
    """Return what a request says that sets a parameter, and what has to go with it."""
    source = {"action": "transform", "source": {"path": str(tmp_path / "a.wav")}}
    if one.name in REGION:
        return source | dict(zip(REGION, (2.0, 6.5), strict=True)) | {"model": MODEL, "duration": None}
    model = {"model": MODEL} if one.listed else {}
    return model | (source if "generate" not in one.actions else {}) | {one.name: a_value(one)}


def what_is_asked(job: Job) -> dict[str, Any]:
    found = {name: getattr(job.parameters, name) for name in OTHERS}
    url = "https://x/source.wav" if job.source is not None else None
    return found | {"sent": payload(job, url), "model": job.model, "source": job.source, "sound": job.sound}


async def once_more(daemon: Daemon, name: str, *, placed: bool) -> tuple[Job, Job]:
    """Ask for the same as a job did, and return both."""
    job = await job_of(daemon, name)
    body = (await daemon.actions.job(name))["again"] if not placed else request_of(job, placed=True)
    answer, _ = await daemon.actions.admit(body | {"id": str(uuid.uuid4()), "again": True})
    return job, await job_of(daemon, answer["jobs"][0])


async def test_every_parameter_of_the_table_is_asked_for_again(tmp_path: Path) -> None:
    async with bridge(tmp_path) as daemon:
        for one in TABLE:
            given = asking_for(one, tmp_path)
            name = await press(daemon, again=True, **given)
            told = await daemon.actions.job(name)
            for placed in (True, False):
                job, new = await once_more(daemon, name, placed=placed)
                assert what_is_asked(new) == what_is_asked(job), (one.name, placed)
            if one.name in NOT_REPEATED:
                assert one.name not in told["again"]
                continue
            assert one.name in told, f"the job does not tell {one.name}"
            value = told["again"][one.name]
            assert value == given[one.name] or one.name == "prompt", one.name
    assert {one.name for one in TABLE} >= set(NOT_REPEATED)


async def test_whatever_is_asked_for_the_same_is_asked_for_again(tmp_path: Path) -> None:
    source = {"action": "transform", "source": {"path": str(tmp_path / "a.wav"), "start": 1.0, "end": 19.0}}
    bars = {"tempo": 120.0, "time_signature": "4/4", "length": 8.0, "position": 4.0, "beats": 8.0, "track": "Drums"}
    cases: dict[str, dict[str, Any]] = {
        "whole bars of a DAW": {"client": "reaper", "duration": None, "place": bars},
        "a loop in a slot": {"client": "live", "duration": None, "place": bars | {"slot": 2, "target": "session"}},
        "a loop without a client": {"fit": "loop", "duration": None, "place": bars},
        "shorter than the model makes": {"duration": 1},
        "continued": source | {"continue_from": 8.0, "duration": 8, "place": {"tempo": 120.0, "beats": 3.0}},
        "continued in a DAW": source | {"continue_from": 8.0, "duration": 8, "client": "live", "place": bars},
        "continued, no length": source | {"continue_from": 8.0, "duration": None, "place": bars},
        "a transform in a DAW": source | {"duration": None, "client": "live", "place": bars},
        "wildcards": {"prompt": "{warm|cold} piano, {a|b|c} \\{d|e}", "seed": 5},
        "as loud as the source": source | {"loudness": "source", "duration": None},
    }
    async with bridge(tmp_path) as daemon:
        for label, given in cases.items():
            name = await press(daemon, again=True, **given)
            for placed in (True, False):
                job, new = await once_more(daemon, name, placed=placed)
                before, after = what_is_asked(job), what_is_asked(new)
                if not placed and job.parameters.fit is None and job.fit != "off":
                    assert after.pop("fit") in (None, job.fit)
                    del before["fit"]
                assert after == before, (label, placed)
                there = (job.client, job.place.track) if placed else (None, None)
                assert (new.client, new.place.track) == there, (label, placed)
                assert new.stands.length == job.stands.length, (label, placed)


async def test_a_tempo_that_was_heard_at_the_press_counts_again(tmp_path: Path) -> None:
    async with bridge(tmp_path) as daemon:
        daemon.clock.update("live", {"playing": True, "tempo": 120.0, "numerator": 4, "denominator": 4})
        given = {"client": "live", "duration": None, "place": {"length": 8.0}}
        name = await press(daemon, again=True, **given)
        daemon.clock.update("live", {"playing": True, "tempo": 97.0, "numerator": 4, "denominator": 4})
        for placed in (True, False):
            job, new = await once_more(daemon, name, placed=placed)
            assert (job.fit, job.parameters.spare) == ("grid", pytest.approx(0.82))
            assert (new.fit, new.parameters.spare, new.tempo) == (job.fit, job.parameters.spare, 120.0), placed


async def test_the_prompt_of_a_retry_stays_as_it_was_sent(tmp_path: Path) -> None:
    async with bridge(tmp_path) as daemon:
        name = await press(daemon, client="live")
        daemon.settings = daemon.settings.model_copy(
            update={"music": daemon.settings.music.model_copy(update={"in_prompt": True})}
        )
        daemon.clock.update("live", {"playing": True, "tempo": 97.0, "numerator": 4, "denominator": 4})
        job = await daemon.actions.cancel(name)
        said = await daemon.actions.retry(job["job"], {"id": str(uuid.uuid4()), "again": True})
        assert said["prompt"] == request()["prompt"]


def test_every_key_of_a_place_says_where_or_how() -> None:
    """A new key of a place must be put to one of them: else a take would go somewhere, or sound otherwise."""
    how = ("bars", "position", "beats", "length", "time_offset", "tempo", "key", "time_signature", "sample_rate")
    assert sorted((*WHERE, *how)) == sorted(Place.model_fields)
