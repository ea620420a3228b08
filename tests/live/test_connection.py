"""From a device to the bridge: its port, its name, hellos, and what is said while there is no bridge."""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import socket
from pathlib import Path

import pytest

from bridge_daemon.home.paths import Home
from tests.frontends.osc.caller import message
from tests.live.bridge import bridge
from tests.live.player import MIDI, ROOT, player, pretend_running

pytestmark = pytest.mark.needs("node", "nodejs")


async def test_a_device_says_hello_under_its_own_name_and_port(tmp_path: Path) -> None:
    async with bridge(tmp_path) as fake, player(tmp_path) as live:
        await live.open(home=fake.home.path)
        panel = await live.connected()
        hello = await fake.until("/bridge/hello")
        assert hello["client"].startswith("live-")
        assert 9140 <= hello["port"] <= 9239
        assert panel["connection"] == "Connected: empiriolabs"
        assert panel["money"].startswith("$0.58 a take · $8.84 left today")
        assert panel["status"] == "Ready"
        assert panel["active"] == 1


async def test_hello_is_repeated_until_it_is_answered(tmp_path: Path) -> None:
    async with bridge(tmp_path) as fake, player(tmp_path, speed=5) as live:
        fake.welcomes = None
        await live.open(home=fake.home.path)
        await fake.until("/bridge/hello", count=3)
        assert (await live.panel())["light"] == 0
        await live.until_status("does not answer")
        fake.welcomes = {
            "version": "0.1.0",
            "engine": "sketch",
            "price_usd": "0",
            "spent_today_usd": "0",
            "limit_today_usd": "1",
        }
        assert (await live.connected())["money"].startswith("free")


async def test_adding_a_device_changes_nothing_in_the_set(tmp_path: Path) -> None:
    """One undo entry, which Live makes itself: no parameter is written, no clip touched, nothing printed."""
    async with bridge(tmp_path) as fake, player(tmp_path) as live:
        await live.open(home=fake.home.path)
        await live.connected()
        assert (await live.logs())["undo"] == []


@pytest.mark.parametrize(
    ("present", "said"),
    [
        ("nothing", "No home of the bridge"),
        ("home", "not running"),
        ("runtime", "does not answer"),
        ("off", "OSC is switched off"),
    ],
)
async def test_without_a_bridge_it_says_what_to_do(tmp_path: Path, present: str, said: str) -> None:
    home = tmp_path / "home"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        if present == "home":
            Home(home).prepare()
        elif present != "nothing":
            pretend_running(home, None if present == "off" else deaf.getsockname()[1])
        async with player(tmp_path, speed=5) as live:
            await live.open(home=home)
            panel = await live.until_status(said)
            assert panel["light"] == 0
            assert panel["connection"] == "Not connected"
            await live.set(Prompt="rain")
            await live.click("Generate")
            assert "nothing was asked or spent" in (await live.panel())["status"]
            assert await live.sent("/bridge/generate") == []


async def test_without_the_file_beside_it_it_says_so(tmp_path: Path) -> None:
    async with player(tmp_path) as live:
        await live.open()
        await live.until_status("daw-bridge install live")


async def test_a_path_as_max_writes_it_on_a_mac_is_understood(tmp_path: Path) -> None:
    async with bridge(tmp_path) as fake, player(tmp_path) as live:
        await live.open(home=fake.home.path, given={"volume": "Macintosh HD:"})
        await live.connected()


async def test_a_file_beside_it_with_unknown_keys_and_windows_slashes(tmp_path: Path) -> None:
    async with bridge(tmp_path) as fake, player(tmp_path) as live:
        live.configure(fake.home.path)
        told = {"home": str(fake.home.path).replace("/", "\\") + "\\", "later": [1, 2]}
        (live.folder / "daw-bridge.json").write_text(json.dumps(told))
        await live.open()
        await live.connected()


async def test_a_wrong_secret_gets_no_answer_and_the_right_one_is_found(tmp_path: Path) -> None:
    async with bridge(tmp_path) as fake, player(tmp_path, speed=5) as live:
        right = fake.home.token_file.read_text()
        fake.home.token_file.chmod(0o600)
        fake.home.token_file.write_text("0" * 64)
        await live.open(home=fake.home.path)
        await live.until_status("does not answer")
        assert fake.got == []
        fake.home.token_file.write_text(right)
        await live.connected()


async def test_the_secret_is_nowhere_but_in_messages_to_the_bridge(tmp_path: Path) -> None:
    async with bridge(tmp_path) as fake, player(tmp_path) as live:
        await live.open(home=fake.home.path)
        await live.connected()
        await live.set(Prompt="rain")
        await live.click("Generate")
        await fake.until("/bridge/generate")
        assert fake.secret not in json.dumps(await live.do("save"))
        assert fake.secret not in json.dumps(await live.panel())
        port = fake.transport.get_extra_info("sockname")[1]
        told = [entry for entry in (await live.logs())["sent"] if fake.secret in entry["message"]]
        assert {entry["port"] for entry in told} == {port}


async def test_two_devices_have_two_names_and_two_ports(tmp_path: Path) -> None:
    async with (
        bridge(tmp_path) as fake,
        player(tmp_path, tracks=[{"name": "A"}, {"name": "B", "audio": False}]) as live,
    ):
        await live.open("a", home=fake.home.path)
        await live.open("b", amxd=MIDI, track=1)
        await live.connected("a")
        await live.connected("b")
        assert len(fake.ports) == 2
        assert len(set(fake.ports.values())) == 2


async def test_a_taken_port_is_left_to_its_owner(tmp_path: Path) -> None:
    """Nearly all ports of the range are held by other programs; the device tries on until one is free."""
    sockets = []
    for port in range(9140, 9240):
        other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            other.bind(("127.0.0.1", port))
            sockets.append(other)
        except OSError:  # held by a test that runs beside this one
            other.close()
    try:
        for other in sockets[::2]:
            other.close()
        async with bridge(tmp_path) as fake, player(tmp_path, speed=10) as live:
            for name in "abcdef":
                await live.open(name, home=fake.home.path)
            for name in "abcdef":
                await live.connected(name)
            assert len(set(fake.ports.values())) == 6
            tried = [await live.logs(name) for name in "abcdef"]
            held = {other.getsockname()[1] for other in sockets[1::2]}
            assert not held & set(fake.ports.values())
            assert all(set(logs["not_bound"]) <= held | set(range(9140, 9240)) for logs in tried)
    finally:
        for other in sockets:
            other.close()


async def test_a_word_of_another_device_proves_no_port(tmp_path: Path) -> None:
    async with bridge(tmp_path) as fake, player(tmp_path) as live:
        await live.open(home=fake.home.path, given={"mute_probes": 4})
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            while not fake.ports:
                sent = (await live.logs())["sent"]
                word = message("/bridge-device/probe", "word-0123456789abcdef")
                other.sendto(word, ("127.0.0.1", sent[-1]["port"]))
                await asyncio.sleep(0.01)
        probes = [one for one in (await live.logs())["sent"] if one["message"][0] == "/bridge-device/probe"]
        assert len(probes) >= 5


async def test_the_name_is_kept_from_the_first_press_on(tmp_path: Path) -> None:
    async with bridge(tmp_path) as fake, player(tmp_path) as live:
        await live.open(home=fake.home.path)
        await live.connected()
        assert "Identity" not in await live.do("save")
        await live.set(Prompt="rain, slow", Strength=0.7, Seed_Lock=1)
        await live.click("Generate")
        client = (await fake.until("/bridge/generate"))["client"]
        await live.click("Generate")
        written = [entry for entry in (await live.logs())["undo"] if entry.get("name") == "Identity"]
        assert len(written) == 1  # each writing is a step of undo
        saved = await live.do("save")
        assert saved["Identity"][0] == client
        await live.do("close")
        await live.do("renumber")
        await live.open(saved=saved)
        await live.connected()
        assert (await fake.until("/bridge/hello", count=len(fake.all("/bridge/hello"))))["client"] == client
        await live.click("Generate")
        again = await fake.until("/bridge/generate", count=3)
        assert again["prompt"] == "rain, slow, 120 BPM"
        assert again["client"] == client


async def test_a_copy_of_a_device_gets_a_name_of_its_own(tmp_path: Path) -> None:
    async with bridge(tmp_path) as fake, player(tmp_path) as live:
        await live.open("a", home=fake.home.path)
        await live.connected("a")
        await live.set(Prompt="rain")
        await live.click("Generate", "a")
        saved = await live.do("save", device="a")
        await live.open("b", saved=saved)
        await live.connected("b")
        assert len(fake.ports) == 2
        assert saved["Identity"][0] in fake.ports


async def test_live_thisdevice_bangs_again_after_a_preset(tmp_path: Path) -> None:
    async with bridge(tmp_path) as fake, player(tmp_path) as live:
        await live.open(home=fake.home.path)
        await live.connected()
        for _ in range(3):
            await live.do("bang")
        await live.set(Prompt="rain")
        await live.click("Generate")
        await live.until_status("Accepted")
        assert len(fake.presses("/bridge/generate")) == 1
        assert len(fake.ports) == 1


async def test_the_bridge_goes_and_comes_back_on_another_port(tmp_path: Path) -> None:
    async with player(tmp_path, speed=5) as live:
        async with bridge(tmp_path) as fake:
            await live.open(home=fake.home.path)
            await live.connected()
        await live.until(lambda panel: panel["light"] == 0)
        await live.until_status("Start it: daw-bridge start")
        async with bridge(tmp_path) as fake:
            await live.connected()
            await fake.until("/bridge/jobs")  # what became of its jobs is asked for


async def test_the_transport_is_told_as_numbers_and_seldom(tmp_path: Path) -> None:
    """Words would stay in Max's table for ever; at most 20 a second are allowed, and none while nobody listens."""
    async with bridge(tmp_path) as fake, player(tmp_path, tempo=240, signature=[6, 8], position=8) as live:
        await live.open(home=fake.home.path)
        await live.connected()
        told = await fake.until("/bridge/transport")
        assert told | {"client": ""} == {
            "client": "",
            "playing": 0,
            "position": 2,
            "beats": 8,
            "tempo": 240,
            "numerator": 6,
            "denominator": 8,
        }
        await live.live(play=8)
        before = len(fake.all("/bridge/transport"))
        symbols = (await live.logs())["symbols"]
        loop = asyncio.get_running_loop()
        start = loop.time()
        await fake.until("/bridge/transport", count=before + 8)
        assert (before + 8 - before) / (loop.time() - start) <= 20
        playing = fake.all("/bridge/transport")[-1]
        assert playing["playing"] == 1
        assert playing["beats"] > 8
        assert (await live.logs())["symbols"] <= symbols + 2
        fake.transport.abort()


async def test_a_device_taken_away_frees_its_name_and_port(tmp_path: Path) -> None:
    async with bridge(tmp_path) as fake, player(tmp_path) as live:
        await live.open(home=fake.home.path)
        await live.connected()
        await live.set(Prompt="rain")
        await live.click("Generate")
        saved = await live.do("save")
        await live.do("close")
        await live.open("again", saved=saved)
        await live.connected("again")
        assert list(fake.ports) == [saved["Identity"][0]]


async def test_another_version_of_the_bridge_is_told(tmp_path: Path) -> None:
    async with bridge(tmp_path) as fake, player(tmp_path) as live:
        assert fake.welcomes is not None
        fake.welcomes["version"] = "9.9.9"
        await live.open(home=fake.home.path)
        await live.until_status("This device is 0.1.0 and the bridge 9.9.9: daw-bridge install live")


async def test_an_old_device_in_a_set_beside_a_new_one_on_the_disk_says_so(tmp_path: Path) -> None:
    async with bridge(tmp_path) as fake, player(tmp_path) as live:
        assert fake.welcomes is not None
        fake.welcomes["version"] = "9.9.9"
        live.configure(fake.home.path)
        told = {"version": 1, "home": str(fake.home.path), "installed_by": "9.9.9"}
        (live.folder / "daw-bridge.json").write_text(json.dumps(told))
        await live.open()
        await live.until_status("This device is 0.1.0 and the bridge 9.9.9: open the set again")


@pytest.mark.parametrize("loses", [False, True])
async def test_an_empty_word_that_max_loses_shifts_nothing(tmp_path: Path, loses: bool) -> None:
    async with bridge(tmp_path) as fake, player(tmp_path) as live:
        await live.open(home=fake.home.path, given={"loses_empty": loses})
        panel = await live.connected()
        assert panel["money"].startswith("$0.58 a take · $8.84 left today")


async def test_the_menu_holds_the_presets_of_the_bridge_and_keeps_the_choice(tmp_path: Path) -> None:
    async with bridge(tmp_path) as fake, player(tmp_path) as live:
        assert fake.welcomes is not None
        fake.welcomes["presets"] = "drum loop\npad"
        await live.open(home=fake.home.path)
        panel = await live.until(lambda panel: len(panel["presets"]) == 3)
        assert panel["presets"] == ["No preset", "drum loop", "pad"]
        await live.set(Preset="drum loop")
        await live.click("Generate")
        asked = await fake.until("/bridge/generate")
        assert asked["preset"] == "drum loop"
        assert "cfg_scale" not in asked  # the preset decides
        saved = await live.do("save")
        await live.do("close")
        fake.welcomes["presets"] = "pad\nstrings"
        await live.open(saved=saved)
        panel = await live.until(lambda panel: "strings" in panel["presets"])
        assert panel["preset"] == "drum loop"  # also where the bridge has not got it now


async def test_paused_is_shown(tmp_path: Path) -> None:
    async with bridge(tmp_path) as fake, player(tmp_path) as live:
        assert fake.welcomes is not None
        fake.welcomes["paused"] = "person"
        await live.open(home=fake.home.path)
        await live.until_status("Paused (person). daw-bridge resume goes on")


@pytest.mark.parametrize("proves", ["0" * 64, "", None])
async def test_the_secret_goes_to_nobody_who_has_not_proved_to_know_it(tmp_path: Path, proves: str | None) -> None:
    """Any program may hold the port that a bridge which was killed left behind in runtime.json."""
    async with bridge(tmp_path) as fake, player(tmp_path, speed=5) as live:
        fake.proves = proves
        await live.open(home=fake.home.path)
        await live.until_status("older than this device" if proves == "" else "does not answer")
        await live.set(Prompt="rain")
        await live.click("Generate")
        await asyncio.sleep(0.5)
        assert fake.pings
        assert not [data for data in fake.raw if fake.secret.encode() in data]
        fake.proves = fake.secret
        await live.connected()


async def test_no_proof_counts_for_long(tmp_path: Path) -> None:
    """The bridge is killed while a device is connected, and another program takes its port."""
    async with bridge(tmp_path) as fake, player(tmp_path) as live:
        await live.open(home=fake.home.path)
        await live.connected()
        fake.proves = "0" * 64
        await asyncio.sleep(2.2)
        fake.raw.clear()
        await live.set(Prompt="rain")
        await live.click("Generate")
        await asyncio.sleep(1)
        assert not [data for data in fake.raw if fake.secret.encode() in data]
        fake.proves = fake.secret
        await fake.until("/bridge/generate")


async def test_each_question_is_another_one(tmp_path: Path) -> None:
    async with bridge(tmp_path) as fake, player(tmp_path, speed=10) as live:
        await live.open(home=fake.home.path)
        await live.connected()
        async with asyncio.timeout(20):
            while len({ping["nonce"] for ping in fake.pings}) < 4:
                await asyncio.sleep(0.05)
        assert all(re.fullmatch("a[0-9a-f]{31}", ping["nonce"]) for ping in fake.pings)


@pytest.mark.parametrize("key", ["", "k", "a" * 64, "b" * 65, "c" * 200])
async def test_the_proof_of_the_device_is_hmac_sha256(key: str) -> None:
    texts = ["x" * size for size in (0, 1, 55, 56, 63, 64, 65, 119, 120, 1000)]
    script = (ROOT / "max_for_live" / "js" / "proof.js").read_text()
    code = f"{script}\nconsole.log(JSON.stringify({json.dumps(texts)}.map(t => Proof.hmac({json.dumps(key)}, t))))"
    node = await asyncio.create_subprocess_exec("node", "-e", code, stdout=asyncio.subprocess.PIPE)
    out, _ = await node.communicate()
    assert json.loads(out) == [hmac.new(key.encode(), text.encode(), "sha256").hexdigest() for text in texts]
