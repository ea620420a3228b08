"""Settings that change while the daemon runs: what counts at once, what waits, and what is refused."""

from __future__ import annotations

import asyncio
import logging
import signal
import uuid
from pathlib import Path
from typing import Any

import pytest

from bridge_daemon.app import run as running
from bridge_daemon.app.daemon import Daemon
from bridge_daemon.domain.job import State
from bridge_daemon.errors import BridgeError, LimitReached, SettingsInvalid
from bridge_daemon.home.api_key import KeyStore
from bridge_daemon.home.paths import Home
from bridge_daemon.settings.load import Settings
from tests.fakes.service import Service
from tests.support import press, request, until
from tests.waiting import eventually

FIXED = """
[engine]
name = "empiriolabs"
base_url = "{url}"
[http]
port = 0
[osc]
port = 0
[publish]
source_port = 0
"""


class Running:
    """A daemon whose settings are a file, as people have it."""

    def __init__(self, path: Path, service: Service) -> None:
        self.home = Home(path)
        self.home.prepare()
        self.url = service.url
        self.write("")
        keys = KeyStore(self.home, {"EMPIRIOLABS_API_KEY": service.key})
        self.daemon = Daemon(self.home, Settings.load(self.home, {}), keys=keys)

    def write(self, more: str, *, instead: tuple[str, str] = ("", "")) -> None:
        self.home.config.write_text(FIXED.format(url=self.url).replace(*instead) + more, encoding="utf-8")

    async def reload(self) -> dict[str, Any]:
        return await self.daemon.actions.reload_settings()

    async def __aenter__(self) -> Running:
        await self.daemon.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.daemon.stop()


async def test_what_changed_is_told_and_counts_at_once(tmp_path: Path) -> None:
    async with Service() as service, Running(tmp_path / "home", service) as run:
        assert await run.reload() == {"reloaded": True, "changed": {}, "after_restart": []}
        run.write('[spend]\nper_day_usd = 0.5\n[presets.rain]\naction = "generate"\nprompt = "rain"\n')
        told = await run.reload()
        assert told["changed"]["spend.per_day_usd"] == (10.0, 0.5)
        assert set(told["changed"]) == {"spend.per_day_usd", "presets.rain"}
        assert told["after_restart"] == []
        with pytest.raises(LimitReached):
            await press(run.daemon)
        run.write('[presets.rain]\naction = "generate"\nprompt = "rain on a preset"\n')
        await run.reload()
        answer, _ = await run.daemon.actions.admit({"version": 1, "id": str(uuid.uuid4()), "preset": "rain"})
        await until(run.daemon, answer["jobs"][0], {State.PLACED})


async def test_the_library_and_the_read_roots_change_at_once(tmp_path: Path) -> None:
    async with Service() as service, Running(tmp_path / "home", service) as run:
        library = tmp_path / "Takes é"
        run.write(f"[audio]\nlibrary = '{library}'\nread_roots = ['{tmp_path}']\n")
        assert set((await run.reload())["changed"]) == {"audio.library", "audio.read_roots"}
        job = await until(run.daemon, await press(run.daemon), {State.PLACED})
        assert job.take is not None
        assert Path(job.take.file).is_relative_to(library)
        assert (await run.daemon.actions.status())["library"] == str(library)


async def test_the_engine_changes_for_new_requests(tmp_path: Path) -> None:
    async with Service() as service, Running(tmp_path / "home", service) as run:
        run.write("", instead=('"empiriolabs"', '"sketch"'))
        await run.reload()
        job = await until(run.daemon, await press(run.daemon), {State.PLACED})
        assert (job.engine, service.posts) == ("sketch", [])


async def test_what_waits_for_a_restart_is_named_until_it_is_taken_back(tmp_path: Path) -> None:
    async with Service() as service, Running(tmp_path / "home", service) as run:
        run.write("[defaults]\nduration = 12\n", instead=("[osc]\nport = 0", "[osc]\nenabled = false"))
        told = await run.reload()
        assert {"osc.enabled", "osc.port", "defaults.duration"} == set(told["changed"])
        assert told["after_restart"] == ["osc.enabled", "osc.port"]
        assert run.daemon.osc is not None, "it goes on as it is"
        assert (await run.reload())["after_restart"] == ["osc.enabled", "osc.port"], "also the second time"
        run.write("max_open = 1\n")  # in [publish]
        with pytest.raises(SettingsInvalid):
            await run.reload()
        run.write("", instead=("[engine]", "[engine]\nmax_open_jobs = 2\nrequests_per_minute = 40"))
        assert (await run.reload())["after_restart"] == ["engine.requests_per_minute", "engine.max_open_jobs"]
        run.write("")
        assert (await run.reload())["after_restart"] == []


async def test_wrong_settings_keep_the_old_ones_and_say_every_fault(tmp_path: Path) -> None:
    async with Service() as service, Running(tmp_path / "home", service) as run:
        run.write("[spend]\nper_day_usd = 0.5\nper_mnth_usd = 3\nconfirm_above_usd = -1\n")
        before = run.daemon.settings
        with pytest.raises(SettingsInvalid) as told:
            await run.reload()
        assert "per_month_usd" in told.value.message
        assert "confirm_above_usd" in told.value.message
        assert run.daemon.settings is before
        await press(run.daemon)


async def test_no_credentials_are_told(tmp_path: Path) -> None:
    async with Service() as service, Running(tmp_path / "home", service) as run:
        run.write('public_base_url = "https://me:hunter22@tunnel.example"\n')
        assert "hunter22" not in repr(await run.reload())


async def test_a_part_that_cannot_heed_them_does_not_keep_the_others_from_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        name = "broken"
        configured = 0

        async def configure(self) -> None:
            raise RuntimeError("no")

    class Whole(Broken):
        async def configure(self) -> None:
            self.configured += 1

    async with Service() as service, Running(tmp_path / "home", service) as run:
        whole = Whole()
        real, run.daemon.intakes = run.daemon.intakes, [Broken(), whole]  # type: ignore[list-item]
        await run.reload()
        run.daemon.intakes = real
        assert whole.configured == 1
        assert "broken" in caplog.text


@pytest.mark.posix("Windows has no SIGHUP")
async def test_sighup_reads_them_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with Service() as service:
        run = Running(tmp_path / "home", service)
        ready, said = asyncio.Event(), []
        task = asyncio.create_task(running.run(run.daemon, ready=ready.set, told=said.append))
        await ready.wait()

        async def until_said(words: str) -> None:
            await eventually(lambda: any(words in line for line in said) or words in caplog.text, words)

        run.write("[spend]\nper_day_usd = 3\n[http]\nport = 7\n".replace("[http]\nport = 7\n", ""))
        signal.raise_signal(signal.SIGHUP)
        await until_said("Changed: spend.per_day_usd.")
        assert run.daemon.settings.spend.per_day_usd == 3
        run.write("[spend]\nper_day_usd = 'three'\n")
        signal.raise_signal(signal.SIGHUP)
        await until_said("The old settings go on")
        assert "spend.per_day_usd" in caplog.text
        assert run.daemon.settings.spend.per_day_usd == 3
        assert (await run.daemon.actions.admit(request()))[0]["jobs"]
        signal.raise_signal(signal.SIGTERM)
        await task


async def test_two_reloads_at_once(tmp_path: Path) -> None:
    async with Service() as service, Running(tmp_path / "home", service) as run:
        run.write("[spend]\nper_day_usd = 3\n")
        told = await asyncio.gather(*(run.reload() for _ in range(5)), return_exceptions=True)
        assert not [one for one in told if isinstance(one, BridgeError)]
        assert [bool(one["changed"]) for one in told if isinstance(one, dict)].count(True) == 1
