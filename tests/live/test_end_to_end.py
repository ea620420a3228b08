"""The built devices under Node, real UDP, and the whole bridge with its sketch engine."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bridge_daemon.app.daemon import Daemon
from bridge_daemon.domain.job import State
from tests.e2e.processes import bridge, fake_service
from tests.live.player import MIDI, Player, placed, player
from tests.support import job_of, running, tone, until

pytestmark = [pytest.mark.needs("node", "nodejs"), pytest.mark.slow]


@asynccontextmanager
async def ready(folder: Path, **live: Any) -> AsyncIterator[tuple[Daemon, Player]]:
    async with running(folder / "home", None) as daemon, player(folder, **live) as made:
        await made.open(home=daemon.home.path)
        await made.connected()
        await made.set(Prompt="rain on a tin roof", Length_Bars=1)
        yield daemon, made


async def jobs(daemon: Daemon) -> list[dict[str, Any]]:
    return await daemon.actions.jobs(states=[], q=None, client=None, before=None, limit=50)


async def until_placed(daemon: Daemon, count: int, seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while sum(job["state"] == "placed" for job in await jobs(daemon)) < count:
            await asyncio.sleep(0.02)


async def test_press_progress_and_a_clip(tmp_path: Path) -> None:
    async with ready(tmp_path) as (daemon, live):
        panel = await live.panel()
        assert panel["connection"] == "Connected: sketch"
        assert panel["money"].startswith("free · $10.00 left today · live-")
        await live.click("Generate")
        await live.until_sent("/bridge/placed")
        await until_placed(daemon, 1)
        (clip,) = placed(await live.live())
        assert clip["name"] == "[sketch] rain on a tin roof"
        assert clip["loop_end"] == pytest.approx(2)
        (job,) = await jobs(daemon)
        assert job["file"] == clip["file"]
        assert job["client"] == (await live.sent("/bridge/generate"))[0]["client"]
        states = [
            entry["message"] for entry in (await live.logs())["received"] if entry["message"][0] == "/bridge/progress"
        ]
        assert states
        await live.until_status("Placed: [sketch] rain on a tin roof")


async def test_three_variations_stand_in_three_slots(tmp_path: Path) -> None:
    async with ready(tmp_path) as (daemon, live):
        await live.set(Takes=3, Seed=100, Seed_Lock=1)
        await live.click("Generate")
        await until_placed(daemon, 3)
        clips = placed(await live.live())
        assert [clip["slot"] for clip in clips] == [0, 1, 2]
        assert [clip["name"][-6:] for clip in clips] == [" (1/3)", " (2/3)", " (3/3)"]
        assert sorted(job["seed"] for job in await jobs(daemon)) == [100, 101, 102]


async def test_a_clip_is_transformed_into_a_take_lane_below_it(tmp_path: Path) -> None:
    async with ready(tmp_path, warps_new=False) as (daemon, live):
        # in the home, where the bridge may always read
        source = tone(daemon.home.path / "inbox" / "own.wav", seconds=8)
        await live.live(clip={"file": str(source), "beats": 4, "warping": 0, "edges": [1, 7.5], "select": True})
        await live.set(Place_In=1)
        await live.click("Transform Clip")
        await until_placed(daemon, 1)
        about = await live.live()
        own, made = placed(about)
        assert own["file"] == str(source)
        assert (made["lane"], made["start_time"], made["length"]) == (0, 4, pytest.approx(13))
        assert about["overwritten"] == 0


async def test_what_passes_through_the_device_is_captured_and_transformed(tmp_path: Path) -> None:
    async with ready(tmp_path, tempo=160) as (daemon, live):
        await live.live(play=0)
        await live.click("Capture")
        await until_placed(daemon, 1, 40)
        (clip,) = placed(await live.live())
        assert clip["loop_end"] == pytest.approx(1.5)


async def test_into_the_folder_of_a_saved_set(tmp_path: Path) -> None:
    project = tmp_path / "Big Song Project"
    (project / "Samples").mkdir(parents=True)
    (project / "Big Song.als").write_bytes(b"")
    async with ready(tmp_path, file=str(project / "Big Song.als")) as (daemon, live):
        await live.click("Generate")
        await until_placed(daemon, 1)
        (clip,) = placed(await live.live())
        assert Path(clip["file"]).parent == project / "Samples"


async def test_the_bridge_is_started_again_in_the_middle(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with player(tmp_path, speed=3) as live:
        async with running(home, None) as daemon:
            await live.open(home=home)
            await live.connected()
            await live.set(Prompt="rain on a tin roof", Length_Bars=8)
            await live.click("Generate")
            await live.until_status("Accepted")
            (job,) = await jobs(daemon)
        assert placed(await live.live()) == [] or job["state"] == "placed"
        async with running(home, None) as daemon:
            done = await until(daemon, job["job"], {State.PLACED}, seconds=30)
            assert done.state is State.PLACED
            assert len(await jobs(daemon)) == 1
        assert len(placed(await live.live())) == 1


async def test_a_press_while_the_bridge_restarts_is_taken_once(tmp_path: Path) -> None:
    """The device does not know yet that the bridge has gone: what it asked is repeated until it is there again."""
    home = tmp_path / "home"
    async with player(tmp_path, speed=3) as live:
        async with running(home, None) as daemon:
            await live.open(home=home)
            await live.connected()
            await live.set(Prompt="rain on a tin roof", Length_Bars=1)
            port = daemon.osc_port
        await live.click("Generate")
        async with running(home, None, osc={"port": port}) as daemon:
            await until_placed(daemon, 1)
            assert len(await jobs(daemon)) == 1
        assert len(placed(await live.live())) == 1


async def test_two_devices_at_once_get_their_own_takes(tmp_path: Path) -> None:
    tracks = [{"name": "Guitar"}, {"name": "Keys", "audio": False}]
    async with ready(tmp_path, tracks=tracks) as (daemon, live):
        await live.open("b", amxd=MIDI, track=1)
        await live.connected("b")
        await live.set("b", Prompt="slow pad", Length_Bars=1)
        await live.click("Generate")
        await live.click("Generate", "b")
        await until_placed(daemon, 2)
        found = {(clip["track"], clip["name"]) for clip in placed(await live.live())}
        assert found == {("Guitar", "[sketch] rain on a tin roof"), ("Keys takes", "[sketch] slow pad")}
        assert len({job["client"] for job in await jobs(daemon)}) == 2


async def test_a_double_press_is_asked_about_and_agreed_to(tmp_path: Path) -> None:
    async with ready(tmp_path) as (daemon, live):
        await live.click("Generate")
        await live.until_status("Accepted")
        await live.click("Generate")
        await live.until_status("Press it again to agree")
        assert len(await jobs(daemon)) == 1
        await asyncio.sleep(1.1)  # the question is read first
        await live.click("Generate")
        await until_placed(daemon, 2)
        one, other = await jobs(daemon)
        assert one["seed"] != other["seed"]


async def test_a_cancelled_take_is_not_placed(tmp_path: Path) -> None:
    async with ready(tmp_path) as (daemon, live):
        await live.set(Length_Bars=32)
        await live.click("Generate")
        await live.until_sent("/bridge/generate")
        await live.click("Cancel")
        await live.until_sent("/bridge/cancel")
        async with asyncio.timeout(20):
            while (await jobs(daemon))[0]["state"] not in ("cancelled", "stored"):
                await asyncio.sleep(0.02)
        (job,) = await jobs(daemon)
        assert placed(await live.live()) == []
        assert (await job_of(daemon, job["job"])).state is not State.PLACED


async def test_a_set_that_was_closed_gets_its_take_when_it_is_open_again(tmp_path: Path) -> None:
    async with ready(tmp_path) as (daemon, live):
        await live.click("Generate")
        await live.until_sent("/bridge/generate")
        saved = await live.do("save")
        await live.do("close")
        await live.do("renumber")
        async with asyncio.timeout(20):
            while (await jobs(daemon) or [{"state": ""}])[0]["state"] not in ("stored", "placed"):
                await asyncio.sleep(0.02)
        if (await jobs(daemon))[0]["state"] == "placed":  # it was quicker than the closing
            assert len(placed(await live.live())) == 1
            return
        await live.open(saved=saved)
        await live.connected()
        await until_placed(daemon, 1)
        assert len(placed(await live.live())) == 1


async def test_a_wrong_secret_spends_nothing(tmp_path: Path) -> None:
    async with running(tmp_path / "home", None) as daemon, player(tmp_path, speed=3) as live:
        other = tmp_path / "other"
        other.mkdir()
        (other / "token").write_text("0" * 64)
        (other / "runtime.json").write_text(daemon.home.runtime_file.read_text())
        await live.open(home=other)
        await live.until_status("does not answer")
        await live.set(Prompt="rain")
        await live.click("Generate")
        await live.until_status("nothing was asked or spent")
        assert await jobs(daemon) == []


async def test_presets_of_the_settings_are_in_the_menu(tmp_path: Path) -> None:
    preset = {"action": "generate", "prompt": "drum loop", "duration": 1.0}
    async with running(tmp_path / "home", None, presets={"drums": preset}) as daemon, player(tmp_path) as live:
        await live.open(home=daemon.home.path)
        await live.until(lambda panel: panel["presets"] == ["No preset", "drums"])
        await live.set(Preset="drums", Length_Bars=1)
        await live.click("Generate")
        await until_placed(daemon, 1)
        assert placed(await live.live())[0]["name"] == "[sketch] drum loop"


async def test_a_pad_transforms_what_is_selected_and_launches_it(tmp_path: Path) -> None:
    """What the bridge's MIDI says to a client whose selection it wants."""
    async with ready(tmp_path) as (daemon, live):
        source = tone(daemon.home.sources / "own.wav", seconds=8)
        await live.live(clip={"file": str(source), "slot": 0, "warping": 0, "edges": [0, 4], "select": True})
        await live.live(play=0)
        client = (await live.sent("/bridge/hello"))[0]["client"]
        press = str(uuid.uuid4())
        assert daemon.osc is not None
        pad = {"id": press, "again": True, "when": "arrival_bar", "bars": 1, "launch": "quantized", "strength": "0.8"}
        for _ in range(3):
            assert daemon.osc.do(client, "transform_selection", **pad)
        await until_placed(daemon, 1)
        (job,) = await jobs(daemon)
        assert job["id"] == press
        own, made = placed(await live.live())
        assert (own["slot"], made["slot"], made["fired"]) == (0, 1, 1)
        assert made["loop_end"] == pytest.approx(2)


async def test_a_preset_of_the_bridge_itself_comes_to_this_device(tmp_path: Path) -> None:
    """As a MIDI binding with this client asks for it: on the next bars, launched."""
    preset = {"action": "generate", "prompt": "drum loop", "duration": 1.0}
    async with running(tmp_path / "home", None, presets={"drums": preset}) as daemon, player(tmp_path) as live:
        await live.open(home=daemon.home.path)
        await live.connected()
        await live.live(play=0)
        await live.until_sent("/bridge/transport")
        client = (await live.sent("/bridge/hello"))[0]["client"]
        place = {"target": "session", "launch": "quantized", "when": "arrival_bar", "bars": 1}
        await daemon.actions.admit(
            {"version": 1, "id": str(uuid.uuid4()), "client": client, "preset": "drums", "place": place}
        )
        await until_placed(daemon, 1)
        (clip,) = placed(await live.live())
        assert (clip["name"], clip["fired"]) == ("[sketch] drum loop", 1)


async def test_a_network_that_loses_much_loses_no_take_and_doubles_none(tmp_path: Path) -> None:
    async with running(tmp_path / "home", None) as daemon, player(tmp_path, speed=10) as live:
        await live.open(home=daemon.home.path, given={"loses": 0.35, "dice": 2})
        await live.until(lambda panel: panel["light"] == 1, seconds=60)
        await live.set(Length_Bars=1)
        for number in range(3):
            await live.set(Prompt=f"take {number}")
            await live.click("Generate")
        await until_placed(daemon, 3, 60)
        assert len(await jobs(daemon)) == 3
        clips = placed(await live.live())
        assert sorted(clip["name"] for clip in clips) == [f"[sketch] take {number}" for number in range(3)]


async def test_the_bridge_is_killed_in_the_middle_and_the_service_charges_once(tmp_path: Path) -> None:
    """Real processes, a service that counts what it charges, and kill -9 while the service makes the take."""
    with fake_service(job_seconds=3590.0) as service, bridge(tmp_path / "home", service.url) as process:
        async with player(tmp_path, speed=5) as live:
            await asyncio.to_thread(process.start)
            await live.open(home=tmp_path / "home")
            await live.connected()
            await live.set(Prompt="rain on a tin roof", Length_Bars=1)
            await live.click("Generate")
            async with asyncio.timeout(30):
                while [job["state"] for job in await asyncio.to_thread(process.jobs)] != ["generating"]:
                    await asyncio.sleep(0.02)
            await asyncio.to_thread(process.kill)
            service.script(clear=True, set={"job_seconds": 0.0}, advance=3590)
            await live.until(lambda panel: panel["light"] == 0, seconds=60)
            await asyncio.to_thread(process.start)
            (clip,) = placed(await live.until_set(placed, seconds=60))
            assert clip["name"] == "rain on a tin roof"
            async with asyncio.timeout(30):
                while [job["state"] for job in await asyncio.to_thread(process.jobs)] != ["placed"]:
                    await asyncio.sleep(0.02)
            assert len(service.charges("rain on a tin roof, 120 BPM")) == 1
            assert len(placed(await live.live())) == 1
