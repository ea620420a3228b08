"""Admit: the door between what is asked and what may cost. The rules of money 2 to 6, each where it can be read.

Every refusal here must leave nothing behind: no job, no remembered id, and no POST at the service, which counts them.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
import soundfile

from bridge_daemon.app.daemon import Daemon
from bridge_daemon.domain.job import MICRO, State
from bridge_daemon.errors import BridgeError
from bridge_daemon.util.times import Times
from tests.fakes.service import Service
from tests.support import Clock, change, job_of, press, request, running, tone, until, until_seen

PRICE = 0.58
pytestmark = pytest.mark.both


class Day(Times):
    """A clock that stands still until it is set, in local time."""

    def __init__(self, local: str) -> None:
        self.set(local)

    def set(self, local: str) -> None:
        self.when = datetime.fromisoformat(local).astimezone().timestamp()

    def now(self) -> float:
        return self.when


@pytest_asyncio.fixture
async def service() -> AsyncIterator[Service]:
    """A service whose jobs take their time, so that what is admitted stays reserved or charged."""
    async with Service(job_seconds=1000) as fake:
        yield fake


async def refused(daemon: Daemon, code: str, **given: Any) -> BridgeError:
    """Press, see it refused, and see that the refusal left nothing behind."""
    body = request(**given)
    before = await daemon.journal.read(lambda tx: tx.count())
    with pytest.raises(BridgeError) as caught:
        await daemon.actions.admit(body)
    assert caught.value.code == code, caught.value.message
    assert caught.value.charge == "none"
    kept, count = await daemon.journal.read(lambda tx: (tx.accepted(body["id"]), sum(tx.count().values())))
    assert kept is None, "only an accepted id is remembered"
    assert count == sum(before.values())
    return caught.value


async def spend(daemon: Daemon) -> tuple[float, float]:
    """Return what counts as spent today, and what is reserved, in dollars."""
    said = await daemon.actions.spend()
    return said["spent_today_usd"], said["reserved_usd"]


class TestTheSameIdAgain:
    async def test_gets_the_first_answer_and_nothing_else_happens(self, tmp_path: Path, service: Service) -> None:
        async with running(tmp_path / "home", service) as daemon:
            body = request(variations=2)
            first, again = await daemon.actions.admit(body)
            assert not again
            assert first == {"id": body["id"], "jobs": first["jobs"], "usd": 1.16}
            await until_seen(service, posts=2)
            for _ in range(3):
                assert await daemon.actions.admit(dict(reversed(body.items()))) == (first, True)
            assert len(await daemon.journal.read(lambda tx: tx.find())) == 2
        async with running(tmp_path / "home", service) as daemon:
            assert await daemon.actions.admit(body) == (first, True), "also after a restart"
        assert len(service.posts) == 2

    async def test_whatever_has_changed_since(self, tmp_path: Path, service: Service) -> None:
        source = tone(tmp_path / "a.wav")
        async with running(tmp_path / "home", service, presets={"p": {"prompt": "pad"}}) as daemon:
            body = request(action="transform", preset="p", source={"path": str(source)})
            first, _ = await daemon.actions.admit(body)
            await until(daemon, first["jobs"][0], {State.GENERATING})
            source.unlink()
            change(daemon, spend={"per_day_usd": 0.0, "confirm_above_usd": 0.0}, engine={"name": "sketch"}, presets={})
            await daemon.actions.pause()
            assert await daemon.actions.admit(body) == (first, True)

    async def test_twenty_times_at_once_is_one_job(self, tmp_path: Path, service: Service) -> None:
        async with running(tmp_path / "home", service) as daemon:
            body = request()
            answers = await asyncio.gather(*(daemon.actions.admit(dict(body)) for _ in range(20)))
            assert [again for _, again in answers].count(False) == 1
            assert len({answer["jobs"][0] for answer, _ in answers}) == 1
            await until(daemon, answers[0][0]["jobs"][0], {State.GENERATING})
        assert len(service.posts) == 1

    @pytest.mark.parametrize("change", [{"prompt": "snow"}, {"variations": 2}, {"steps": "nonsense"}, {"place": {}}])
    async def test_with_another_body_is_refused(self, tmp_path: Path, service: Service, change: dict[str, Any]) -> None:
        async with running(tmp_path / "home", service) as daemon:
            body = request()
            first, _ = await daemon.actions.admit(body)
            with pytest.raises(BridgeError, match="another body") as caught:
                await daemon.actions.admit(body | change)
            assert caught.value.code == "E-ID-REUSED"
            assert await daemon.actions.admit(body) == (first, True)

    async def test_in_another_spelling_is_the_same_id(self, tmp_path: Path, service: Service) -> None:
        async with running(tmp_path / "home", service) as daemon:
            body = request()
            await daemon.actions.admit(body)
            with pytest.raises(BridgeError) as caught:
                await daemon.actions.admit(body | {"id": body["id"].upper(), "prompt": "snow"})
            assert caught.value.code == "E-ID-REUSED"

    async def test_after_a_refusal_may_come_with_any_body(self, tmp_path: Path, service: Service) -> None:
        async with running(tmp_path / "home", service) as daemon:
            fresh = str(uuid.uuid4())
            await refused(daemon, "E-INVALID", id=fresh, steps=1)
            await refused(daemon, "E-CONFIRM", id=fresh, variations=8)
            answer, again = await daemon.actions.admit(request(id=fresh))
            assert (len(answer["jobs"]), again) == (1, False)

    async def test_a_press_whose_caller_was_cut_off_is_on_its_way_once_it_is_repeated(
        self, tmp_path: Path, service: Service
    ) -> None:
        async with running(tmp_path / "home", service) as daemon:
            body = request()
            await daemon.actions._admit.admit(body)  # committed, and then the caller went away
            answer, again = await daemon.actions.admit(body)
            assert again
            await until(daemon, answer["jobs"][0], {State.GENERATING})


class TestThePriceQuestion:
    """The default passes $2.00 unasked: three variations for $1.74, not four for $2.32."""

    async def test_is_asked_above_what_passes_unasked(self, tmp_path: Path, service: Service) -> None:
        async with running(tmp_path / "home", service, engine={"max_open_jobs": 1}) as daemon:
            error = await refused(daemon, "E-CONFIRM", variations=4)
            assert "$2.32" in error.message
            assert "$2.00" in error.message
            assert service.posts == []
            await press(daemon, variations=3)
            await press(daemon, prompt="at exactly", variations=4, confirm_usd=2.32)

    @pytest.mark.parametrize("enough", [2.32, 2.33, 100, 2.315, 1e308])
    async def test_is_answered_by_the_price_or_more(self, tmp_path: Path, service: Service, enough: float) -> None:
        async with running(tmp_path / "home", service) as daemon:
            await press(daemon, variations=4, confirm_usd=enough)

    @pytest.mark.parametrize("low", [0, 0.58, 2.0, 2.31, 2.3149])
    async def test_is_not_answered_by_less(self, tmp_path: Path, service: Service, low: float) -> None:
        async with running(tmp_path / "home", service) as daemon:
            await refused(daemon, "E-CONFIRM", variations=4, confirm_usd=low)

    async def test_is_about_the_whole_request(self, tmp_path: Path, service: Service) -> None:
        async with running(tmp_path / "home", service, spend={"confirm_above_usd": 0.58}) as daemon:
            await press(daemon)
            await refused(daemon, "E-CONFIRM", prompt="two", variations=2, confirm_usd=0.58)

    @pytest.mark.parametrize("each", [575_000, 585_000, 595_000, 580_001, 584_999])
    async def test_the_price_that_is_shown_is_always_enough(self, tmp_path: Path, service: Service, each: int) -> None:
        service.prices(each / MICRO, 0)
        async with running(tmp_path / "home", service, spend={"confirm_above_usd": 0.0}) as daemon:
            await daemon.actions._catalogue.refresh()
            [price] = [p for p in await daemon.actions.prices() if p["model"] == "stable-audio-2-0"]
            if price["dearer"]:
                await daemon.actions.agree_price({"usd": float(f"{price['catalogue_usd']:.2f}")})
            error = await refused(daemon, "E-CONFIRM")
            shown = float(error.message.split("$")[1].split(",")[0])
            await press(daemon, confirm_usd=shown)

    async def test_does_not_answer_the_double_press(self, tmp_path: Path, service: Service) -> None:
        async with running(tmp_path / "home", service) as daemon:
            await press(daemon)
            await refused(daemon, "E-DOUBLE-PRESS", confirm_usd=100)
            await refused(daemon, "E-CONFIRM", variations=4, again=True)


class TestTheDoublePress:
    SAME: tuple[dict[str, Any], ...] = (
        {},
        {"place": {"tempo": 99.0, "token": "other"}},
        {"duration": 1.0},
        {"prompt": " rain on a tin roof "},
        {"valid_for": 5},
        {"confirm_usd": 3},
        {"steps": None},
        {"version": 1.0},
    )
    OTHER: tuple[dict[str, Any], ...] = (
        {"client": "reaper-2"},
        {"prompt": "snow"},
        {"duration": 2},
        {"seed": 4},
        {"variations": 2},
        {"preset": "p"},
        {"model": "stable-audio-2-0"},  # as sent: this one names it
    )

    @pytest.mark.parametrize("same", SAME)
    @pytest.mark.fault(29)
    async def test_is_the_same_within_ten_seconds_under_another_id(
        self, tmp_path: Path, service: Service, same: dict[str, Any]
    ) -> None:
        clock = Clock()
        async with running(tmp_path / "home", service, times=clock) as daemon:
            clock.stop()
            await press(daemon)
            error = await refused(daemon, "E-DOUBLE-PRESS", **same)
            assert "again: true" in error.next_step
            clock.offset = 9
            await refused(daemon, "E-DOUBLE-PRESS", **same)
            clock.offset = 10.5
            await press(daemon, **same)

    @pytest.mark.parametrize("other", OTHER)
    async def test_is_not_another_request(self, tmp_path: Path, service: Service, other: dict[str, Any]) -> None:
        async with running(tmp_path / "home", service, presets={"p": {"steps": 50}}) as daemon:
            await press(daemon, client="reaper")
            await press(daemon, **({"client": "reaper"} | other))

    async def test_is_meant_where_it_says_so(self, tmp_path: Path, service: Service) -> None:
        async with running(tmp_path / "home", service) as daemon:
            await press(daemon)
            await press(daemon, again=True)
            await refused(daemon, "E-DOUBLE-PRESS", again=False)

    async def test_another_region_of_the_source_is_another_press(self, tmp_path: Path, service: Service) -> None:
        source = str(tone(tmp_path / "a.wav"))
        async with running(tmp_path / "home", service) as daemon:
            given = {"action": "transform", "duration": None}
            await press(daemon, **given, source={"path": source})
            await refused(daemon, "E-DOUBLE-PRESS", **given, source={"path": source, "start": None})
            await press(daemon, **given, source={"path": source, "start": 1.0})

    async def test_twenty_at_once_are_one(self, tmp_path: Path, service: Service) -> None:
        async with running(tmp_path / "home", service) as daemon:
            answers = await asyncio.gather(
                *(daemon.actions.admit(request()) for _ in range(20)), return_exceptions=True
            )
            assert sum(not isinstance(answer, BaseException) for answer in answers) == 1
            assert {a.code for a in answers if isinstance(a, BridgeError)} == {"E-DOUBLE-PRESS"}


class TestLimits:
    async def test_exactly_at_the_limit_is_still_allowed(self, tmp_path: Path, service: Service) -> None:
        async with running(tmp_path / "home", service, spend={"per_day_usd": 1.16}) as daemon:
            await press(daemon, prompt="1")
            await press(daemon, prompt="2")
            error = await refused(daemon, "E-LIMIT", prompt="3")
            assert "$1.16" in error.message
            assert "$0.58" in error.message

    async def test_one_micro_dollar_less_is_not(self, tmp_path: Path, service: Service) -> None:
        async with running(tmp_path / "home", service, spend={"per_day_usd": 1.159999}) as daemon:
            await press(daemon, prompt="1")
            await refused(daemon, "E-LIMIT", prompt="2")

    @pytest.mark.parametrize("limit", ["per_day_usd", "per_month_usd"])
    async def test_zero_spends_nothing(self, tmp_path: Path, service: Service, limit: str) -> None:
        async with running(tmp_path / "home", service, spend={limit: 0.0}) as daemon:
            await refused(daemon, "E-LIMIT")
        assert service.posts == []

    async def test_what_waits_is_reserved(self, tmp_path: Path, service: Service) -> None:
        async with running(
            tmp_path / "home", service, engine={"max_open_jobs": 1}, spend={"per_day_usd": 1.8}
        ) as daemon:
            first = await press(daemon, prompt="1")
            await until(daemon, first, {State.GENERATING})
            second = await press(daemon, prompt="2")
            await press(daemon, prompt="3")
            assert await spend(daemon) == (PRICE, 2 * PRICE)
            error = await refused(daemon, "E-LIMIT", prompt="4")
            assert "$1.16 reserved" in error.message
            await daemon.actions.cancel(second)
            await press(daemon, prompt="4")

    async def test_the_whole_request_has_to_fit(self, tmp_path: Path, service: Service) -> None:
        async with running(tmp_path / "home", service, spend={"per_day_usd": 1.7}) as daemon:
            await refused(daemon, "E-LIMIT", variations=3)
            await press(daemon, variations=2)

    async def test_an_unknown_counts_until_it_is_dismissed_as_not_charged(
        self, tmp_path: Path, service: Service
    ) -> None:
        async with running(tmp_path / "home", service, spend={"per_day_usd": 0.6}) as daemon:
            service.script_post("accept_then_drop")
            lost = await press(daemon, prompt="1")
            assert (await until(daemon, lost)).state is State.UNKNOWN
            await refused(daemon, "E-LIMIT", prompt="2")
            await daemon.actions.resolve(lost, {"action": "dismiss", "charged": False})
            await press(daemon, prompt="2")

    async def test_a_failed_job_counts(self, tmp_path: Path) -> None:
        async with Service() as service, running(tmp_path / "home", service, spend={"per_day_usd": 0.6}) as daemon:
            service.script_poll("failed")
            assert (await until(daemon, await press(daemon, prompt="1"))).state is State.FAILED
            await refused(daemon, "E-LIMIT", prompt="2")

    @pytest.mark.fault(35)
    async def test_fifty_presses_at_once_never_pass_the_cap(self, tmp_path: Path, service: Service) -> None:
        async with running(tmp_path / "home", service, spend={"per_day_usd": 5.0}) as daemon:
            answers = await asyncio.gather(
                *(daemon.actions.admit(request(prompt=f"press {n}")) for n in range(50)), return_exceptions=True
            )
            taken = [answer for answer in answers if not isinstance(answer, BaseException)]
            assert len(taken) == 8  # 8 × 0.58 = 4.64; a ninth would be 5.22
            assert {a.code for a in answers if isinstance(a, BridgeError)} == {"E-LIMIT"}
            for answer, _ in taken:
                await until(daemon, answer["jobs"][0], {State.GENERATING})
        assert len(service.charges) == 8


class TestDays:
    """Days and months are those of the person's calendar, and a clock that is set back gives nothing back."""

    @pytest.fixture(autouse=True, params=["Pacific/Auckland", "America/Los_Angeles", "UTC"])
    def zone(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        if not hasattr(time, "tzset"):
            pytest.skip("the time zone of a process cannot be set here")
        monkeypatch.setenv("TZ", request.param)
        time.tzset()
        yield
        monkeypatch.undo()
        time.tzset()

    async def spent_by(self, daemon: Daemon, prompt: str) -> None:
        await until(daemon, await press(daemon, prompt=prompt, valid_for=86_400), {State.GENERATING})

    async def test_a_day_begins_at_local_midnight(self, tmp_path: Path, service: Service) -> None:
        clock = Day("2026-03-15T23:59:59")
        async with running(tmp_path / "home", service, times=clock, spend={"per_day_usd": 0.6}) as daemon:
            await self.spent_by(daemon, "1")
            await refused(daemon, "E-LIMIT", prompt="2")
            clock.set("2026-03-16T00:00:00")
            assert (await spend(daemon))[0] == 0
            await self.spent_by(daemon, "2")
            await refused(daemon, "E-LIMIT", prompt="3")

    async def test_a_month_begins_on_its_first(self, tmp_path: Path, service: Service) -> None:
        clock = Day("2026-02-28T23:59:59")
        async with running(tmp_path / "home", service, times=clock, spend={"per_month_usd": 1.2}) as daemon:
            await self.spent_by(daemon, "1")
            for n, day in enumerate(("2026-03-01T00:00:01", "2026-03-02T12:00:00")):
                clock.set(day)
                await self.spent_by(daemon, f"2{n}")
            clock.set("2026-03-31T23:00:00")
            error = await refused(daemon, "E-LIMIT", prompt="3")
            assert "month" in error.message

    async def test_a_job_counts_on_the_day_on_which_it_is_sent(self, tmp_path: Path, service: Service) -> None:
        clock = Day("2026-03-15T23:59:59")
        limits, engine = {"per_day_usd": 1.2}, {"max_open_jobs": 1}
        async with running(tmp_path / "home", service, times=clock, engine=engine, spend=limits) as daemon:
            await self.spent_by(daemon, "1")
            waits = await press(daemon, prompt="pressed on the 15th")
            assert await spend(daemon) == (PRICE, PRICE)
            clock.set("2026-03-16T00:00:01")
            service.advance(1001)  # the first is done, so it is the turn of the second
            await until(daemon, waits, {State.GENERATING})
            assert await spend(daemon) == (PRICE, 0)
            await press(daemon, prompt="2")
            await refused(daemon, "E-LIMIT", prompt="3")

    @pytest.mark.parametrize("limit", ["per_day_usd", "per_month_usd"])
    async def test_a_clock_set_back_gives_nothing_back(self, tmp_path: Path, service: Service, limit: str) -> None:
        clock = Day("2026-03-15T12:00:00")
        async with running(tmp_path / "home", service, times=clock, spend={limit: 0.6}) as daemon:
            await self.spent_by(daemon, "1")
            for back in ("2026-03-15T03:00:00", "2026-03-14T12:00:00", "2026-01-01T00:00:00", "2020-01-01T00:00:00"):
                clock.set(back)
                await refused(daemon, "E-LIMIT", prompt="2")


class TestEngines:
    async def test_a_sketch_costs_nothing_and_says_so(self, tmp_path: Path) -> None:
        limits = {"per_day_usd": 0.0, "per_month_usd": 0.0, "confirm_above_usd": 0.0}
        async with running(tmp_path / "home", None, spend=limits) as daemon:
            answer, _ = await daemon.actions.admit(request(variations=2))
            assert answer["usd"] == 0
            job = await until(daemon, answer["jobs"][0])
            assert (job.engine, job.base_url, job.price, job.state) == ("sketch", "sketch", 0, State.PLACED)
            assert any("sketch" in note for note in job.notes)
            assert job.take is not None
            assert "sketch" in Path(job.take.file).name
            assert await spend(daemon) == (0, 0)

    async def test_a_sketch_is_made_also_where_more_is_spent_than_may_be(
        self, tmp_path: Path, service: Service
    ) -> None:
        async with running(tmp_path / "home", service) as daemon:
            await until(daemon, await press(daemon), {State.GENERATING})
            change(daemon, spend={"per_day_usd": 0.1}, engine={"name": "sketch"})
            answer, _ = await daemon.actions.admit(request(prompt="free"))
            assert answer["usd"] == 0

    async def test_a_job_keeps_what_it_was_admitted_for(self, tmp_path: Path, service: Service) -> None:
        async with running(tmp_path / "home", service) as daemon:
            job = await job_of(daemon, await press(daemon))
            assert (job.engine, job.base_url, job.model) == ("empiriolabs", service.url, "stable-audio-2-0")
            assert job.price == 580_000

    async def test_auto_is_sketch_while_no_key_was_ever_set(self, tmp_path: Path, service: Service) -> None:
        async with running(tmp_path / "home", service, key=None, engine={"name": "auto"}) as daemon:
            assert (await job_of(daemon, await press(daemon))).engine == "sketch"
        assert service.posts == []

    async def test_auto_is_the_cloud_once_a_key_is_there_and_never_sketch_again(
        self, tmp_path: Path, service: Service
    ) -> None:
        auto = {"name": "auto"}
        async with running(tmp_path / "home", service, engine=auto) as daemon:
            assert (await job_of(daemon, await press(daemon))).engine == "empiriolabs"
        async with running(tmp_path / "home", service, key=None, engine=auto) as daemon:
            error = await refused(daemon, "E-KEY", prompt="without the key")
            assert "gone" in error.message

    @pytest.mark.posix("modes of POSIX; lists of Windows: tests/util/test_access.py")
    @pytest.mark.parametrize("name", ["auto", "empiriolabs"])
    async def test_a_key_store_that_cannot_be_read_is_no_reason_for_sketches(
        self, tmp_path: Path, service: Service, name: str
    ) -> None:
        async with running(tmp_path / "home", service, key=None, engine={"name": name}) as daemon:
            daemon.home.key_file.write_text("sk-empiriolabs-test")
            daemon.home.key_file.chmod(0o644)  # others can read it
            with pytest.raises(BridgeError):
                await daemon.actions.reload_key()
            await refused(daemon, "E-KEY")

    async def test_the_cloud_without_a_key(self, tmp_path: Path, service: Service) -> None:
        async with running(tmp_path / "home", service, key=None) as daemon:
            await refused(daemon, "E-KEY")


async def catalogue_read(daemon: Daemon) -> dict[str, Any]:
    """Read the catalogue again, and return what is known of the model in use."""
    await daemon.actions._catalogue.refresh()
    [price] = [price for price in await daemon.actions.prices() if price["model"] == "stable-audio-2-0"]
    return dict(price)


class TestPrices:
    async def test_dearer_than_the_table_is_refused_until_the_person_agrees(
        self, tmp_path: Path, service: Service
    ) -> None:
        service.prices("$0.99")
        async with running(tmp_path / "home", service) as daemon:
            assert (await catalogue_read(daemon))["dearer"]
            error = await refused(daemon, "E-PRICE")
            assert "$0.99" in error.message
            assert "$0.58" in error.message
            for wrong in (0.98, 0.58, None, "0.99", True, float("nan"), 10**400):
                with pytest.raises(BridgeError) as caught:
                    await daemon.actions.agree_price({"usd": wrong})
                assert caught.value.code == "E-INVALID"
            await refused(daemon, "E-PRICE")
            agreed = await daemon.actions.agree_price({"usd": 0.99})
            assert (agreed["usd"], agreed["dearer"]) == (0.99, False)
            answer, _ = await daemon.actions.admit(request())
            assert answer["usd"] == 0.99
            await until(daemon, answer["jobs"][0], {State.GENERATING})
            service.prices("$1.20")
            await catalogue_read(daemon)
            await refused(daemon, "E-PRICE", prompt="dearer once more")
        assert len(service.posts) == 1

    async def test_one_micro_dollar_dearer_is_dearer(self, tmp_path: Path, service: Service) -> None:
        service.prices(PRICE + 1 / MICRO, 0)
        async with running(tmp_path / "home", service) as daemon:
            assert (await catalogue_read(daemon))["dearer"]
            await refused(daemon, "E-PRICE")

    async def test_is_read_at_the_start_and_not_in_the_way_of_a_press(self, tmp_path: Path, service: Service) -> None:
        service.prices("$0.99")
        service.script_catalogue("silence")
        async with running(tmp_path / "home", service) as daemon:
            await asyncio.wait_for(press(daemon), 5)
        async with running(tmp_path / "home", service) as daemon:
            async with asyncio.timeout(10):
                while not (await daemon.actions.prices())[0]["dearer"]:
                    await asyncio.sleep(0.02)
            await refused(daemon, "E-PRICE", prompt="another")

    async def test_cheaper_changes_nothing(self, tmp_path: Path, service: Service) -> None:
        service.prices("$0.10")
        async with running(tmp_path / "home", service) as daemon:
            read = await catalogue_read(daemon)
            assert (read["usd"], read["catalogue_usd"], read["dearer"]) == (0.58, 0.10, False)
            assert (await daemon.actions.agree_price({"usd": 0.10}))["usd"] == 0.58, "nor does agreeing to it"
            assert (await daemon.actions.admit(request()))[0]["usd"] == 0.58

    async def test_a_price_for_each_step_counts_with_the_steps_asked_for(
        self, tmp_path: Path, service: Service
    ) -> None:
        service.prices("$0.08", "$0.01")
        async with running(tmp_path / "home", service) as daemon:
            assert not (await catalogue_read(daemon))["dearer"], "$0.08 + 50 × $0.01 is what the table says"
            await press(daemon)
            error = await refused(daemon, "E-PRICE", steps=100)
            assert "$1.08" in error.message
            await daemon.actions.agree_price({"usd": 0.58})
            assert (await daemon.actions.admit(request(steps=100)))[0]["usd"] == 1.08
            assert (await daemon.actions.admit(request(steps=30)))[0]["usd"] == 0.58

    @pytest.mark.parametrize("word", ["no_prices", "garbage", "500", "drop*2", "html_200", "404"])
    async def test_no_answer_leaves_the_table(self, tmp_path: Path, service: Service, word: str) -> None:
        service.script_catalogue(*[word] * 6)
        async with running(tmp_path / "home", service) as daemon:
            assert (await catalogue_read(daemon))["usd"] == 0.58
            assert (await daemon.actions.admit(request()))[0]["usd"] == 0.58

    async def test_every_model_is_asked_for(self, tmp_path: Path) -> None:
        async with Service(models=("stable-audio-2-0", "stable-audio-2-5")) as service:
            service.prices("$0.70")
            async with running(tmp_path / "home", service) as daemon:
                await catalogue_read(daemon)
                await refused(daemon, "E-PRICE", model="stable-audio-2-5")

    async def test_a_sketch_is_free_whatever_the_cloud_asks(self, tmp_path: Path, service: Service) -> None:
        service.prices("$9.00")
        async with running(tmp_path / "home", service) as daemon:
            await catalogue_read(daemon)
            change(daemon, engine={"name": "sketch"})
            assert (await daemon.actions.admit(request()))[0]["usd"] == 0


class TestBeforeAnythingIsSpent:
    async def test_paused(self, tmp_path: Path, service: Service) -> None:
        async with running(tmp_path / "home", service) as daemon:
            await daemon.actions.pause("panic")
            error = await refused(daemon, "E-PAUSED")
            assert "panic" in error.message
            await daemon.actions.resume()
            await press(daemon)

    @pytest.mark.parametrize("path", ["/etc/hostname", "/tmp/there-is-no-such-file.wav", "relative.wav", "~/.ssh/id"])
    async def test_a_source_that_may_not_be_read(self, tmp_path: Path, service: Service, path: str) -> None:
        async with running(tmp_path / "home", service) as daemon:
            await refused(daemon, "E-PATH", action="transform", source={"path": path})
        assert service.posts == []

    @pytest.mark.posix("links of POSIX")
    async def test_a_link_out_of_the_roots(self, tmp_path: Path, service: Service) -> None:
        (tmp_path / "link.wav").symlink_to("/etc/hostname")
        async with running(tmp_path / "home", service) as daemon:
            await refused(daemon, "E-PATH", action="transform", source={"path": str(tmp_path / "link.wav")})

    async def test_a_source_that_is_no_use(self, tmp_path: Path, service: Service) -> None:
        silent, text, long = tmp_path / "silent.wav", tmp_path / "text.wav", tmp_path / "long.wav"
        soundfile.write(silent, np.zeros(44_100), 44_100)
        text.write_text("key = secret")
        soundfile.write(long, np.full(191 * 8000, 0.1, dtype="float32"), 8000, subtype="PCM_U8")
        good = tone(tmp_path / "good.wav", seconds=2)
        async with running(tmp_path / "home", service) as daemon:
            for source in (
                {"path": str(silent)},
                {"path": str(text)},
                {"path": str(long)},
                {"path": str(good), "start": 1.999},
                {"path": str(good), "start": 1.5, "end": 0.5},
                {"path": str(good), "end": 3.0},
            ):
                error = await refused(daemon, "E-SOURCE", action="transform", duration=None, source=source)
                assert "secret" not in error.message
        assert service.posts == []

    async def test_a_source_that_the_service_could_not_fetch(self, tmp_path: Path) -> None:
        source = tone(tmp_path / "a.wav")
        engine = {"name": "empiriolabs", "base_url": "https://service.invalid"}
        async with running(tmp_path / "home", None, key="sk-empiriolabs-test", engine=engine) as daemon:
            await refused(daemon, "E-PUBLISH", action="transform", source={"path": str(source)})

    async def test_every_fault_of_a_request_at_once(self, tmp_path: Path, service: Service) -> None:
        async with running(tmp_path / "home", service) as daemon:
            error = await refused(daemon, "E-INVALID", steps=1, seed="x", place={"length": 500.0}, duration=None)
            fields = {fault["field"] for fault in error.as_dict()["faults"]}
            assert fields == {"steps", "seed", "place.length"}
            error = await refused(daemon, "E-INVALID", action="transform", source={"path": 3})
            assert {fault["field"] for fault in error.as_dict()["faults"]} == {"source.path"}, "and none that is none"


class TestPlaceFolder:
    async def test_has_a_project_in_it_or_above_it(self, tmp_path: Path) -> None:
        (tmp_path / "Project" / "Media").mkdir(parents=True)
        (tmp_path / "Project" / "song.RPP").touch()
        (tmp_path / "Live").mkdir()
        (tmp_path / "Live" / "set.als").touch()
        async with Service() as service, running(tmp_path / "home", service) as daemon:
            for n, folder in enumerate(("Project", "Project/Media", "Live")):
                job = await until(daemon, await press(daemon, prompt=str(n), place={"folder": str(tmp_path / folder)}))
                assert job.state is State.PLACED
                assert len(list((tmp_path / folder).glob("*.wav"))) == 1

    async def test_or_lies_in_the_library(self, tmp_path: Path, service: Service) -> None:
        library = tmp_path / "library"
        (library / "mine").mkdir(parents=True)
        async with running(tmp_path / "home", service, audio={"library": str(library)}) as daemon:
            await press(daemon, place={"folder": str(library / "mine")})

    async def test_nothing_else_may_be_written(self, tmp_path: Path, service: Service) -> None:
        (tmp_path / "plain").mkdir()
        (tmp_path / "Project" / "a" / "b").mkdir(parents=True)
        (tmp_path / "Project" / "song.rpp").touch()
        async with running(tmp_path / "home", service) as daemon:
            for folder in ("plain", "missing", "Project/song.rpp", "Project/a/b", "home"):
                await refused(daemon, "E-PATH", place={"folder": str(tmp_path / folder)})
            await refused(daemon, "E-PATH", place={"folder": "~"})
        assert service.posts == []
