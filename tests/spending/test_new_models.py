"""A model that our table does not have: learned from the service's catalogue, and paid for at an agreed price only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bridge_daemon.app.daemon import Daemon
from bridge_daemon.domain.job import State
from bridge_daemon.domain.models import forget, models
from bridge_daemon.errors import BridgeError
from tests.fakes.service import Service
from tests.support import job_of, press, request, running, tone, until
from tests.waiting import eventually

NEW = "stable-audio-3"
ROWS: list[dict[str, Any]] = [
    {"name": "prompt", "type": "string"},
    {"name": "mode", "type": "enum", "enum": ["text-to-audio", "audio-to-audio"]},
    {"name": "duration", "type": "number", "range": [2, 90]},
    {"name": "steps", "type": "number", "range": "30-60", "default": 40},
    {"name": "seed", "type": "number", "range": [0, 1_000_000]},
    {"name": "random_seed", "type": "boolean"},
    {"name": "audio_url", "type": "string"},
    {"name": "output_format", "enum": ["mp3", "wav"]},
]
PRICE = [{"type": "Base Cost", "spec": "per generation", "rate": "$0.90"}]
CATALOGUE = {"supported_parameters": ROWS, "pricing_rows": PRICE}


def service(catalogue: dict[str, Any] | None = None, **given: Any) -> Service:
    told = CATALOGUE if catalogue is None else CATALOGUE | catalogue
    return Service(models=("stable-audio-2-0", NEW), catalogues={NEW: told}, **given)


@asynccontextmanager
async def learned(home: Path, cloud: Service, *, agreed: bool = True, **sections: Any) -> AsyncIterator[Daemon]:
    """Run a daemon that knows the new model."""
    async with running(home, cloud, **sections) as daemon:
        await daemon.actions.prices(NEW)
        assert NEW in models()
        if agreed:
            await daemon.actions.agree_price({"model": NEW, "usd": 0.90})
        yield daemon


async def refused(daemon: Daemon, code: str, **given: Any) -> BridgeError:
    with pytest.raises(BridgeError) as error:
        await daemon.actions.admit(request(**given))
    assert (error.value.code, error.value.charge) == (code, "none"), error.value.message
    assert error.value.next_step
    return error.value


async def price_of(daemon: Daemon, model: str = NEW) -> dict[str, Any]:
    return next(one for one in await daemon.actions.prices() if one["model"] == model)


class TestLearning:
    async def test_a_press_that_names_it_has_it_looked_for(self, tmp_path: Path) -> None:
        async with service() as cloud, running(tmp_path / "home", cloud) as daemon:
            error = await refused(daemon, "E-MODEL", model=NEW)
            assert "has not told" in error.message
            assert f"--model {NEW}" in error.next_step
            await eventually(lambda: NEW in models())
            error = await refused(daemon, "E-PRICE", model=NEW, duration=5)
            assert "$0.90" in error.message
            assert f"daw-bridge price agree --model {NEW}" in error.next_step
            assert (await price_of(daemon))["usd"] == 0.90, "it is shown before anything is agreed to"
            assert cloud.posts == []
            await daemon.actions.agree_price({"model": NEW, "usd": 0.90})
            job = await until(daemon, await press(daemon, model=NEW, duration=5))
            assert (job.state, job.price, job.model) == (State.PLACED, 900_000, NEW)
            [post] = cloud.posts
            assert set(post.body) == {
                *("model", "prompt", "mode", "duration", "seed", "random_seed", "output_format"),
            }
            assert post.body["seed"] <= 1_000_000

    async def test_settings_may_name_it_before_anybody_knows_it(self, tmp_path: Path) -> None:
        presets = {"fresh": {"action": "generate", "prompt": "rain", "model": NEW, "duration": 5.0}}
        async with service() as cloud:
            async with running(tmp_path / "home", None, engine={"model": NEW, "name": "sketch"}) as daemon:
                assert (await daemon.actions.status())["price_usd"] is None
                await refused(daemon, "E-MODEL")
            async with running(tmp_path / "home", cloud, presets=presets) as daemon:
                await eventually(lambda: NEW in models())
                await refused(daemon, "E-PRICE", preset="fresh", prompt=None, action=None, duration=None)

    async def test_it_is_remembered(self, tmp_path: Path) -> None:
        async with service() as cloud:
            async with learned(tmp_path / "home", cloud):
                pass
            forget()  # as a new process knows them
            cloud.script_catalogue("500*20")
            async with running(tmp_path / "home", cloud) as daemon:
                assert NEW in models(), "before anybody can press"
                job = await until(daemon, await press(daemon, model=NEW, duration=5))
                assert job.price == 900_000

    async def test_what_another_service_told_is_not_believed_here(self, tmp_path: Path) -> None:
        async with service() as cloud, Service() as other:
            async with learned(tmp_path / "home", cloud):
                pass
            async with running(tmp_path / "home", other) as daemon:
                assert NEW not in models()
                await refused(daemon, "E-MODEL", model=NEW)

    async def test_a_price_of_another_service_is_no_price(self, tmp_path: Path) -> None:
        """Right after the settings changed, the old service's models may still be known: they cost nothing certain."""
        async with service() as cloud, Service() as other, learned(tmp_path / "home", cloud) as daemon:
            settings = daemon.settings
            daemon.settings = settings.model_copy(
                update={"engine": settings.engine.model_copy(update={"base_url": other.url})}
            )
            await refused(daemon, "E-MODEL", model=NEW, duration=5)
            assert other.posts == []

    async def test_a_name_that_nobody_has(self, tmp_path: Path) -> None:
        async with service() as cloud, running(tmp_path / "home", cloud) as daemon:
            with pytest.raises(BridgeError) as error:
                await daemon.actions.prices("stable-audio-9")
            assert error.value.code == "E-MODEL"
            assert "no model of this name" in error.value.message
            assert "stable-audio-2-0" in error.value.next_step
            await refused(daemon, "E-MODEL", model="stable-audio-9")
            await refused(daemon, "E-MODEL", model="../../v1/jobs")
            await refused(daemon, "E-MODEL", model="a\nb")
            for no_name in (["stable-audio-2-0"], {"stable-audio-2-0": 1}, 2):
                assert "model" in (await refused(daemon, "E-INVALID", model=no_name)).message
            assert not [path for _, _, path in cloud.requests if "jobs" in path or "%0A" in path]

    async def test_wrong_names_do_not_use_up_the_rate(self, tmp_path: Path) -> None:
        async with service() as cloud, running(tmp_path / "home", cloud) as daemon:
            for number in range(40):
                await refused(daemon, "E-MODEL", model=f"x-{number}")
                await refused(daemon, "E-MODEL", model="x-0")
            await asyncio.sleep(0.3)
            asked = [path for _, _, path in cloud.requests if "/models/x-" in path]
            assert len(asked) <= 8
            assert len(asked) == len(set(asked))

    async def test_other_faults_are_told_with_it(self, tmp_path: Path) -> None:
        async with service() as cloud, running(tmp_path / "home", cloud) as daemon:
            error = await refused(daemon, "E-INVALID", model="x-1", prompt="")
            assert "model" in error.message
            assert "prompt" in error.message


SILLY: list[tuple[dict[str, Any], str]] = [
    ({"pricing_rows": []}, "price"),
    ({"pricing_rows": [PRICE[0] | {"rate": "soon"}]}, "price"),
    ({"pricing_rows": [PRICE[0] | {"rate": -1}]}, "price"),
    ({"pricing_rows": [PRICE[0] | {"rate": "$0.00"}]}, "price"),
    ({"pricing_rows": [*PRICE, {"type": "Time", "spec": "per second", "rate": "$0.10"}]}, "price"),
    ({"supported_parameters": []}, "duration"),
    ({"supported_parameters": "prompt, duration"}, "duration"),
    ({"supported_parameters": [row for row in ROWS if row["name"] != "duration"]}, "duration"),
    ({"supported_parameters": [*(row for row in ROWS if row["name"] != "mode"), {"name": "mode", "enum": ["video"]}]},
     "mode"),
]  # fmt: skip


class TestWhatIsNotUsable:
    @pytest.mark.parametrize(("catalogue", "why"), SILLY, ids=range(len(SILLY)))
    async def test_is_refused_with_the_reason(self, tmp_path: Path, catalogue: dict[str, Any], why: str) -> None:
        async with service(catalogue) as cloud, running(tmp_path / "home", cloud) as daemon:
            with pytest.raises(BridgeError):
                await daemon.actions.prices(NEW)
            error = await refused(daemon, "E-MODEL", model=NEW)
            assert why in error.message
            assert cloud.posts == []

    async def test_a_price_that_cannot_be_read_any_more_is_refused_whatever_was_agreed(self, tmp_path: Path) -> None:
        async with service() as cloud:
            async with learned(tmp_path / "home", cloud) as daemon:
                await until(daemon, await press(daemon, model=NEW, duration=5))
                await daemon.actions.pause()
                cloud.catalogues[NEW] = CATALOGUE | {"pricing_rows": [{"spec": "per second", "rate": "$1"}]}
                await daemon.parts.catalogue.refresh()
                await daemon.actions.resume()
                await refused(daemon, "E-MODEL", model=NEW, duration=5)
            forget()
            async with running(tmp_path / "home", cloud) as daemon:
                await refused(daemon, "E-MODEL", model=NEW, duration=5)
                assert len(cloud.charges) == 1
                cloud.catalogues[NEW] = CATALOGUE
                await daemon.parts.catalogue.refresh()
                await until(daemon, await press(daemon, model=NEW, duration=6))  # agreed to before, and no dearer

    async def test_a_job_that_waits_is_held_once_its_price_is_not_certain(self, tmp_path: Path) -> None:
        one = {"max_open_jobs": 1}
        async with service(job_seconds=1000) as cloud, learned(tmp_path / "home", cloud, engine=one) as daemon:
            before = await press(daemon, model=NEW, duration=5)
            await until(daemon, before, {State.GENERATING})
            waits = await press(daemon, model=NEW, duration=6)
            cloud.catalogues[NEW] = CATALOGUE | {"pricing_rows": []}
            await daemon.parts.catalogue.refresh()
            cloud.advance(1001)
            await daemon.actions.retry(before, {})  # looks now
            job = await until(daemon, waits, {State.HELD})
            assert job.problem is not None
            assert (job.problem.code, len(cloud.charges)) == ("E-PRICE", 1)


class TestItsPrice:
    async def test_is_agreed_to_at_what_it_is(self, tmp_path: Path) -> None:
        async with service() as cloud, learned(tmp_path / "home", cloud, agreed=False) as daemon:
            facts = await price_of(daemon)
            assert (facts["usd"], facts["table_usd"], facts["catalogue_usd"], facts["new"]) == (0.9, None, 0.9, True)
            for usd in (0, 0.58, 0.89, None, "0.90"):
                with pytest.raises(BridgeError):
                    await daemon.actions.agree_price({"model": NEW, "usd": usd})
            await refused(daemon, "E-PRICE", model=NEW, duration=5)
            told = await daemon.actions.estimate(request(model=NEW, duration=5))
            assert told["refused"]["code"] == "E-PRICE"

    async def test_a_request_that_names_it_exactly_agrees_to_it(self, tmp_path: Path) -> None:
        """Every client that can answer the question of a sum can answer this one: by the sum of its request."""
        async with service() as cloud, learned(tmp_path / "home", cloud, agreed=False) as daemon:
            asked = {"model": NEW, "duration": 5, "variations": 2}
            for usd in (None, 0, 0.9, 1.79, 1.82, 5.0, 1000.0):
                error = await refused(daemon, "E-PRICE", **asked, confirm_usd=usd)
                assert error.as_dict()["usd"] == 1.8
            told = await daemon.actions.estimate(request(**asked))
            assert (told["usd"], told["confirm"], told["refused"]["usd"]) == (1.8, True, 1.8)
            assert (await price_of(daemon))["new"], "what was refused changed nothing"
            assert cloud.posts == []
            await press(daemon, **asked, confirm_usd=1.8)
            await press(daemon, model=NEW, duration=6)  # it is agreed to from now on

    async def test_what_is_refused_for_another_reason_agrees_to_nothing(self, tmp_path: Path) -> None:
        spend = {"per_day_usd": 1.0}
        async with service() as cloud, learned(tmp_path / "home", cloud, agreed=False, spend=spend) as daemon:
            await refused(daemon, "E-LIMIT", model=NEW, duration=5, variations=2, confirm_usd=1.8)
            assert (await price_of(daemon))["new"]

    async def test_all_presets_of_a_chain_are_agreed_to_at_once(self, tmp_path: Path) -> None:
        presets = {
            "drums": {"action": "generate", "prompt": "drums", "duration": 8.0},
            "bass": {"prompt": "bass", "source": "take", "of": ("drums",), "model": NEW},
        }
        async with service() as cloud, learned(tmp_path / "home", cloud, agreed=False, presets=presets) as daemon:
            cloud.prices("$0.70")  # dearer than the table's, and nobody has agreed to that either
            await daemon.parts.catalogue.refresh()
            asked = {"preset": "bass", "prompt": None, "action": None, "duration": None}
            error = await refused(daemon, "E-PRICE", **asked)
            assert error.as_dict()["usd"] == 1.6
            answer, _ = await daemon.actions.admit(request(**asked, confirm_usd=1.6))
            assert [(await job_of(daemon, job)).price for job in answer["jobs"]] == [700_000, 900_000]

    async def test_dearer_later_is_asked_for_again(self, tmp_path: Path) -> None:
        async with service() as cloud, learned(tmp_path / "home", cloud) as daemon:
            cloud.catalogues[NEW] = CATALOGUE | {"pricing_rows": [PRICE[0] | {"rate": "$1.20"}]}
            await daemon.parts.catalogue.refresh()
            error = await refused(daemon, "E-PRICE", model=NEW, duration=5)
            assert "$1.20" in error.message
            await daemon.actions.agree_price({"model": NEW, "usd": 1.20})
            assert (await job_of(daemon, await press(daemon, model=NEW, duration=5))).price == 1_200_000

    async def test_more_steps_by_default_are_dearer(self, tmp_path: Path) -> None:
        """What a request without steps costs is what was agreed to, not what the catalogue makes of it later."""
        each = [*PRICE, {"type": "Per Step Cost", "spec": "per step", "rate": "$0.01"}]
        more = [row | {"default": 60} if row["name"] == "steps" else row for row in ROWS]
        cloud = service({"pricing_rows": each})
        async with cloud, learned(tmp_path / "home", cloud, agreed=False) as daemon:
            await daemon.actions.agree_price({"model": NEW, "usd": 1.30})  # 40 steps
            assert (await job_of(daemon, await press(daemon, model=NEW, duration=5))).price == 1_300_000
            cloud.catalogues[NEW] = CATALOGUE | {"pricing_rows": each, "supported_parameters": more}
            await daemon.parts.catalogue.refresh()
            error = await refused(daemon, "E-PRICE", model=NEW, duration=6)
            assert "$1.50" in error.message

    async def test_limits_hold_with_it(self, tmp_path: Path) -> None:
        async with service() as cloud, learned(tmp_path / "home", cloud, spend={"per_day_usd": 1.0}) as daemon:
            await until(daemon, await press(daemon, model=NEW, duration=5))
            await refused(daemon, "E-LIMIT", model=NEW, duration=6)
            await refused(daemon, "E-CONFIRM", model=NEW, duration=6, variations=3)
            assert len(cloud.charges) == 1

    async def test_it_is_shown_wherever_prices_are(self, tmp_path: Path) -> None:
        async with service() as cloud, learned(tmp_path / "home", cloud, agreed=False) as daemon:
            assert (await daemon.actions.model_prices("empiriolabs"))[NEW] == 0.9


class TestItsRanges:
    @pytest.mark.parametrize(
        ("given", "field"),
        [
            ({"duration": 1}, "duration"),
            ({"duration": 91}, "duration"),
            ({"steps": 29}, "steps"),
            ({"steps": 61}, "steps"),
            ({"seed": 2_000_000}, "seed"),
            ({"cfg_scale": 7}, "cfg_scale"),
            ({"negative_prompt": "drums"}, "negative_prompt"),
            ({"action": "transform", "strength": 0.5}, "strength"),
        ],
    )
    async def test_are_the_catalogues(self, tmp_path: Path, given: dict[str, Any], field: str) -> None:
        async with service() as cloud, learned(tmp_path / "home", cloud) as daemon:
            source = {"source": {"path": str(tone(tmp_path / "a.wav"))}} if "action" in given else {}
            error = await refused(daemon, "E-INVALID", **({"model": NEW, "duration": 5} | given | source))
            assert f"{field} = " in error.message
            assert cloud.posts == []

    async def test_a_transform_without_a_strength(self, tmp_path: Path) -> None:
        async with service() as cloud, learned(tmp_path / "home", cloud) as daemon:
            source = {"path": str(tone(tmp_path / "a.wav"))}
            job = await until(daemon, await press(daemon, model=NEW, action="transform", source=source, duration=None))
            assert job.state is State.PLACED, job.problem
            assert "strength" not in cloud.posts[0].body

    async def test_without_a_seed_it_says_so(self, tmp_path: Path) -> None:
        rows = [row for row in ROWS if row["name"] not in ("seed", "random_seed", "output_format", "mode")]
        async with service({"supported_parameters": rows}) as cloud, learned(tmp_path / "home", cloud) as daemon:
            job = await until(daemon, await press(daemon, model=NEW, duration=5))
            assert set(cloud.posts[0].body) == {"model", "prompt", "duration"}
            assert any("cannot be made again" in note for note in job.notes)
            source = {"path": str(tone(tmp_path / "a.wav"))}
            error = await refused(daemon, "E-INVALID", model=NEW, action="transform", source=source, duration=None)
            assert "is not done by" in error.message

    async def test_a_failed_one_is_asked_for_again_as_it_was(self, tmp_path: Path) -> None:
        async with service() as cloud, learned(tmp_path / "home", cloud) as daemon:
            cloud.script_poll("failed")
            job = await until(daemon, await press(daemon, model=NEW, duration=5, steps=50))
            again = await daemon.actions.retry(job.id, {"id": "0a7e1d8e-0f4c-4d0e-9a53-3f4f3f9d2c11", "again": True})
            await until(daemon, again["job"])
            assert cloud.posts[0].body == cloud.posts[1].body

    async def test_of_a_model_of_the_table_the_catalogue_changes_them(self, tmp_path: Path) -> None:
        extra = {"supported_parameters": [{"name": "duration", "range": [1, 60]}, {"name": "steps", "range": [20, 40]}]}
        async with Service(catalogue_extra=extra) as cloud, running(tmp_path / "home", cloud) as daemon:
            await daemon.parts.catalogue.refresh()
            error = await refused(daemon, "E-INVALID", duration=61, steps=41)
            assert "1 to 60" in error.message
            assert "20 to 40" in error.message
            model = models()["stable-audio-2-0"]
            assert model.range("steps", "transform") == (6, 100), "the page's notes still allow it"

    async def test_the_form_of_the_page_knows_them(self, tmp_path: Path) -> None:
        rows = [row | {"range": [2, 300]} if row["name"] == "duration" else row for row in ROWS]
        async with service({"supported_parameters": rows}) as cloud, learned(tmp_path / "home", cloud) as daemon:
            found = {row["name"]: row for row in (await asked(daemon, "/api/parameters"))["parameters"]}
            assert (found["duration"]["low"], found["duration"]["high"]) == (1, 300)
            assert NEW in found["model"]["known"]

    async def test_the_api_asks_for_a_model(self, tmp_path: Path) -> None:
        async with service() as cloud, running(tmp_path / "home", cloud) as daemon:
            prices = (await asked(daemon, f"/api/prices?model={NEW}"))["prices"]
            assert [one["catalogue_usd"] for one in prices if one["model"] == NEW] == [0.9]


async def asked(daemon: Daemon, path: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {daemon.home.read_token()}"}
    async with aiohttp.ClientSession(headers=headers) as session, session.get(daemon.http_url + path) as answer:
        assert answer.status == 200, await answer.text()
        found: dict[str, Any] = await answer.json()
        return found
