"""The OSC contract: every address, its keys, and what is answered to whom."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import uuid
from pathlib import Path

import pytest

from bridge_daemon import __version__
from bridge_daemon.domain.job import State
from bridge_daemon.errors import PortTaken
from bridge_daemon.frontends.osc import clients, verbs
from bridge_daemon.frontends.osc.keys import REQUEST_KEYS
from bridge_daemon.frontends.osc.wire import Float32
from tests.fakes.service import Service
from tests.frontends.osc.caller import Typed, caller, message
from tests.support import events, job_of, running, tone, until
from tests.util.wine import NO_IPV6

#: Every key of a request, as one press may say it, with its value in the job.
PLACE = {
    "project": ("Song.rpp", "Song.rpp"),
    "project_id": (2024, "2024"),
    "track": ("Drums", "Drums"),
    "target": ("arrangement", "arrangement"),
    "slot": (3, 3),
    "launch": ("none", "none"),
    "when": ("press", "press"),
    "bars": ("2", 2),
    "position": ("12.345678901234", 12.345678901234),
    "beats": (Typed(("f", 24.7)), 24.7),
    "length": (1.5, 1.5),
    "time_offset": ("-3600", -3600.0),
    "tempo": (Typed(("f", 127.98)), 127.98),
    "key": ("A minor", "A minor"),
    "time_signature": ("7/8", "7/8"),
    "sample_rate": (Typed(("h", 48_000)), 48_000),
    "token": ("opaque ✓", "opaque ✓"),
}
PARAMETERS = {
    "prompt": ("Größe", "Größe"),
    "duration": (Typed(("f", 1.1)), 1.1),
    "steps": ("50", 50),
    "cfg_scale": (Typed(("f", 7.3)), 7.3),
    "seed": ("123456789", 123456789),
    "model": ("stable-audio-2-0", "stable-audio-2-0"),
    "fit": ("start", "start"),
    "loudness": ("-14", -14.0),
}


async def test_hello_welcome_and_ping(tmp_path: Path) -> None:
    async with running(tmp_path / "home", None) as daemon, caller(daemon, "reaper-1") as client:
        told = await client.hello()
        assert told == {
            "version": __version__,
            "engine": "sketch",
            "paused": "",
            "price_usd": "0",
            "spent_today_usd": "0",
            "limit_today_usd": "10",
            "can_transform": 1,
            "models": "stable-audio-2-0\nstable-audio-2-5",
            "models_usd": "0\n0",
            "replace": "stable-audio-2-0\nstable-audio-2-5",  # the sketch engine does
        }
        await daemon.actions.pause("panic")
        told = await client.hello()
        assert (told["paused"], told["text"]) == ("panic", "panic: everything was stopped")
        client.raw(message("/bridge/ping"))
        assert await client.until("/bridge/pong") == {"version": told["version"]}
        status = await daemon.actions.status()
        assert status["osc_port"] == status["osc"]["port"] == daemon.osc_port
        (here,) = status["osc"]["clients"]
        assert (here["client"], here["port"], here["connected"]) == ("reaper-1", client.port, True)
        assert status["osc"]["counts"]["taken"] == 2
        assert json.loads(daemon.home.runtime_file.read_text())["osc_port"] == daemon.osc_port


async def test_answers_go_to_the_port_of_the_last_hello(tmp_path: Path) -> None:
    async with (
        running(tmp_path / "home", None) as daemon,
        caller(daemon, "live-1") as sender,
        caller(daemon) as listener,
        caller(daemon) as other,
    ):
        sender.send("/bridge/hello", port=str(listener.port))
        await listener.until("/bridge/welcome")
        sender.send("/bridge/pause")
        await listener.until("/bridge/ok", re="pause")
        sender.client = None  # its name left out: known by the port that its hello came from
        sender.send("/bridge/resume")
        await listener.until("/bridge/ok", re="resume")
        sender.client = "live-1"
        sender.send("/bridge/hello", port=float(other.port))  # it moved
        await other.until("/bridge/welcome")
        assert sender.got == []
        async with caller(daemon, "stranger") as stranger:  # never said hello
            assert (await stranger.ask("/bridge/resume"))[0] == "/bridge/ok"


WRONG_HELLOS = [
    ({"client": "Reaper 1"}, "client"),
    ({"client": ""}, "client"),
    ({"client": "a", "port": 0}, "port"),
    ({"client": "a", "port": 65_536}, "port"),
    ({"client": "a", "port": "near"}, "port"),
    ({"client": "a", "port": True}, "port"),
    ({"client": "a", "prot": 9000}, "prot"),
    ({}, "client"),
]


async def test_a_wrong_hello_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path / "home", None) as daemon, caller(daemon) as client:
        for pairs, field in WRONG_HELLOS:
            answer, told = await client.ask("/bridge/hello", **pairs)
            assert (answer, told["code"]) == ("/bridge/refused", "E-INVALID")
            assert f"{field} = " in told["message"]
        own = await client.ask("/bridge/hello", client="a", port=daemon.osc_port)
        assert "own port" in own[1]["message"]
        assert (await daemon.actions.status())["osc"]["clients"] == []


async def test_a_press_with_every_key(tmp_path: Path) -> None:
    (tmp_path / "Song.rpp").touch()
    async with running(tmp_path / "home", None) as daemon, caller(daemon, "reaper-1") as client:
        await client.hello()
        given = {key: value for key, (value, _) in (PLACE | PARAMETERS).items()}
        more = {"folder": str(tmp_path), "variations": 2, "valid_for": 60, "version": 1, "confirm_usd": "1"}
        name, again = str(uuid.uuid4()), {"again": "false"}
        sent = {"id": name} | given | more | again
        answer, told = await client.ask("/bridge/generate", **sent)
        assert answer == "/bridge/accepted", told
        of_transforms = {"strength", "continue_from", "region_start", "region_end", "file", "take", "start", "end"}
        others = {"client", "action", "preset", "negative_prompt"}
        assert set(REQUEST_KEYS) - set(sent) - of_transforms - others == set()
        assert (told["id"], told["usd"]) == (name, "0")
        assert len(told["jobs"].split(",")) == 2
        job = (await daemon.actions.job(told["jobs"].split(",")[1])) | {"id": None}
        place = job["place"]
        assert place == {key: value for key, (_, value) in PLACE.items()} | {"folder": str(tmp_path)}
        seed = PARAMETERS["seed"][1] + 1
        assert {key: job[key] for key in PARAMETERS} == {key: v for key, (_, v) in PARAMETERS.items()} | {"seed": seed}
        assert (job["client"], job["action"], job["variation"], job["variations"]) == ("reaper-1", "generate", 2, 2)
        result = await client.until("/bridge/result", variation=2)
        exact = {key: result[key] for key in ("position", "length", "time_offset", "tempo")}
        assert exact == {"position": "12.345678901234", "length": "1.5", "time_offset": "-3600", "tempo": "127.98"}
        assert (result["slot"], result["sample_rate"], result["rate"]) == (3, 48_000, 48_000)
        assert Path(result["file"]).parent == tmp_path
        assert Path(result["file"]).is_file()
        assert (result["seed"], result["name"], result["client"]) == (seed, "[sketch] Größe (2/2)", "reaper-1")
        assert result["token"] == "opaque ✓"


async def test_transforms_and_presets(tmp_path: Path) -> None:
    file = tone(tmp_path / "beat.wav", seconds=8)
    presets = {"rain": {"action": "generate", "prompt": "rain", "duration": 1}}
    sections = {"presets": presets, "audio": {"read_roots": (str(tmp_path),)}}
    async with running(tmp_path / "home", None, **sections) as daemon, caller(daemon, "live-1") as client:
        name = await client.press("/bridge/transform", file=str(file), start="1", end=7.5, strength=Typed(("f", 0.7)))
        job = await daemon.actions.job(name)
        assert job["source"] == {"path": str(file), "start": 1, "end": 7.5}
        assert (job["action"], job["strength"]) == ("transform", 0.7)
        part = await client.press("/bridge/transform", file=str(file), region_start="1.5", region_end=3, duration=8)
        job = await daemon.actions.job(part)
        assert (job["action"], job["region_start"], job["region_end"]) == ("transform", 1.5, 3)
        await until(daemon, name, {State.STORED, State.PLACED})
        of_take = await client.press("/bridge/transform", take=name, duration=7)
        assert (await daemon.actions.job(of_take))["source"] == {"take": name}
        preset = await client.press("/bridge/preset", preset="rain")
        assert (await daemon.actions.job(preset))["preset"] == "rain"
        _, told = await client.ask("/bridge/preset", id=str(uuid.uuid4()), prompt="x")
        assert "preset = None: is required" in told["message"]


async def test_a_client_is_told_of_what_takes_a_preset_consists(tmp_path: Path) -> None:
    """With the prices of the models that is the price of a press, before it is made."""
    presets = {
        "drums": {"action": "generate", "prompt": "drums"},
        "bass": {"prompt": "bass", "source": "take", "of": ["drums"], "model": "stable-audio-2-0"},
        "pad": {"prompt": "pad", "source": "take", "of": ["drums", "bass"]},
    }
    async with (
        Service() as service,
        running(tmp_path / "home", service, presets=presets, spend={"confirm_above_usd": 1.0}) as daemon,
        caller(daemon, "live-1") as client,
    ):
        welcome = await client.hello()
        prices = dict(zip(welcome["models"].split("\n"), welcome["models_usd"].split("\n"), strict=True))
        made = dict(zip(welcome["presets"].split("\n"), welcome["presets_models"].split("\n"), strict=True))
        default = welcome["models"].split("\n")[0]
        other = "stable-audio-2-0"
        assert made == {"drums": default, "bass": f"{default} {other}", "pad": f"{default} {other} {default}"}
        told = (await client.ask("/bridge/preset", id=str(uuid.uuid4()), preset="pad", duration=1))[1]
        assert told["code"] == "E-CONFIRM", told
        assert float(told["usd"]) == pytest.approx(sum(float(prices[model]) for model in made["pad"].split()))
        service.prices("$0.80")  # dearer than what was agreed to
        await daemon.parts.catalogue.refresh()
        asked = {"id": str(uuid.uuid4()), "prompt": "rain", "duration": 1}
        told = (await client.ask("/bridge/generate", **asked))[1]
        assert (told["code"], told["usd"]) == ("E-PRICE", "0.8")
        assert (await client.ask("/bridge/generate", **asked, confirm_usd=told["usd"]))[0] == "/bridge/accepted"


REFUSED = [
    ("generate", {"prompt": ""}, "prompt = ''"),
    ("generate", {"prompt": "x", "duration": "long"}, "duration = 'long': must be a number"),
    ("generate", {"prompt": "x", "duration": 500.0, "steps": 3}, "steps = 3"),
    ("generate", {"prompt": "x", "position": "here"}, "; position = 'here'|spent. position = 'here'"),
    ("generate", {"prompt": "x", "lenght": 4}, "lenght = '4': is not a key of a request"),
    ("generate", {"prompt": "x", "place": "here"}, "place = None: is not a key"),
    ("generate", {"prompt": "x", "action": "transform"}, "action = 'transform': must be generate"),
    ("generate", {"prompt": "x", "seed": Typed(("f", 123456789.0))}, "float32"),
    ("generate", {"prompt": "x", "file": "/x.wav"}, "file = '/x.wav': belongs to transform only"),
    ("transform", {"prompt": "x"}, "file = None: is required by transform: file, start, end"),
    ("transform", {"prompt": "x", "file": "/x.wav", "start": -1}, "start = -1"),
    ("transform", {"prompt": "x", "file": "/no/such.wav"}, "may not read"),
    ("preset", {"preset": "none"}, "preset = 'none'"),
]


async def test_a_refusal_names_what_is_wrong_as_it_was_sent(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon, caller(daemon, "a") as client:
        for address, pairs, says in REFUSED:
            name = str(uuid.uuid4())
            answer, told = await client.ask(f"/bridge/{address}", id=name, **pairs)
            assert answer == "/bridge/refused"
            assert (told["id"], told["re"], told["charge"]) == (name, address, "none")
            assert any(part in told["message"] for part in says.split("|")), told["message"]
            assert told["next"]
        assert service.posts == []
        assert (await daemon.actions.status())["jobs"] == {}


async def test_refusals_of_money_come_with_their_codes(tmp_path: Path) -> None:
    async with (
        Service() as service,
        running(tmp_path / "home", service, spend={"confirm_above_usd": 1.0}) as daemon,
        caller(daemon, "a") as client,
    ):
        name = str(uuid.uuid4())
        asked = {"id": name, "prompt": "x", "duration": 1, "variations": 2}
        told = (await client.ask("/bridge/generate", **asked))[1]
        assert (told["code"], told["usd"]) == ("E-CONFIRM", "1.16")
        answer, told = await client.ask("/bridge/generate", **asked, confirm_usd=Typed(("f", 1.16)))
        assert (answer, told["usd"]) == ("/bridge/accepted", "1.16")
        told = (await client.ask("/bridge/generate", **asked, confirm_usd=2))[1]
        assert told["code"] == "E-ID-REUSED"
        other = asked | {"id": str(uuid.uuid4()), "confirm_usd": "1.16"}
        assert (await client.ask("/bridge/generate", **other))[1]["code"] == "E-DOUBLE-PRESS"
        assert (await client.ask("/bridge/generate", **other, again=1))[0] == "/bridge/accepted"


async def test_what_a_person_thinks_of_a_take(tmp_path: Path) -> None:
    async with running(tmp_path / "home", None) as daemon, caller(daemon, "a") as client:
        job = await client.press(prompt="x", duration="1")
        await until(daemon, job, {State.STORED})
        for marks in ({"favourite": 1}, {"favourite": 1, "trashed": "true"}, {"trashed": False}):
            assert (await client.ask("/bridge/mark", job=job, **marks))[0] == "/bridge/ok"
        told = (await daemon.actions.jobs(states=[], q=None, client=None, before=None, limit=1))[0]
        assert (told["favourite"], told["trashed_at"]) == (True, None)
        for marks in ({}, {"favourite": "much"}, {"tags": "x"}):
            assert (await client.ask("/bridge/mark", job=job, **marks))[1]["code"] == "E-INVALID"


async def test_commands(tmp_path: Path) -> None:
    async with (
        Service(job_seconds=60) as service,
        running(tmp_path / "home", service) as daemon,
        caller(daemon, "a") as client,
    ):
        assert (await client.ask("/bridge/pause", reason="panic"))[0] == "/bridge/ok"
        assert (await client.ask("/bridge/generate", id=str(uuid.uuid4()), prompt="x"))[1]["code"] == "E-PAUSED"
        assert (await client.ask("/bridge/resume"))[0] == "/bridge/ok"
        job = await client.press(position=1.5)
        await until(daemon, job, {State.GENERATING})
        answer, told = await client.ask("/bridge/cancel", job=job)
        assert (answer, told["job"]) == ("/bridge/ok", job)
        assert "$0.58 is spent" in told["message"]
        answer, told = await client.ask("/bridge/retry", job=job, id=str(uuid.uuid4()))
        assert "costs nothing" in told["message"]
        assert (await client.ask("/bridge/deliver", job=job))[1]["code"] == "E-STATE"
        answer, told = await client.ask("/bridge/jobs", limit="5")
        assert (answer, told["count"]) == ("/bridge/ok", 1)
        (listed,) = client.all("/bridge/job")
        assert (listed["job"], listed["state"], listed["charge"]) == (job, "generating", "confirmed")
        assert (listed["usd"], listed["prompt"]) == ("0.58", "rain on a tin roof")
        client.client = "b"  # another one's jobs
        assert (await client.ask("/bridge/jobs"))[1]["count"] == 0
        assert len(service.posts) == 1


async def test_commands_for_no_job(tmp_path: Path) -> None:
    async with running(tmp_path / "home", None) as daemon, caller(daemon, "a") as client:
        for address in ("retry", "cancel", "deliver", "placed", "unplaced"):
            delivery = {"delivery": 1} if "placed" in address else {}
            for job in ({}, {"job": ""}, {"job": "../../x"}, {"job": 1.5}):
                assert (await client.ask(f"/bridge/{address}", **delivery, **job))[1]["code"] == "E-INVALID"
            told = (await client.ask(f"/bridge/{address}", job="0123456789", id=str(uuid.uuid4()), **delivery))[1]
            assert (told["code"], told["job"], told["re"]) == ("E-NOT-FOUND", "0123456789", address)
            told = (await client.ask(f"/bridge/{address}", job="0123456789", jobs="x", **delivery))[1]
            assert "jobs = None: is not one of client, id, job" in told["message"]


async def test_a_retry_pays_once_however_often_it_is_said(tmp_path: Path) -> None:
    async with (
        Service(take_seconds=1) as service,
        running(tmp_path / "home", service) as daemon,
        caller(daemon, "a") as client,
    ):
        service.script_post("400")
        await client.hello()
        job = await client.press()
        failed = await client.until("/bridge/failed")
        assert (failed["job"], failed["code"], failed["charge"], failed["state"]) == (
            job,
            "E-REFUSED",
            "none",
            "refused",
        )
        assert (await client.ask("/bridge/retry", job=job))[1]["code"] == "E-INVALID"  # it may cost: it needs an id
        name = str(uuid.uuid4())
        said = [await client.ask("/bridge/retry", job=job, id=name) for _ in range(3)]
        assert said[0] == said[1] == said[2]
        assert said[0][0] == "/bridge/ok", said
        assert said[0][1]["new"] != job
        await until(daemon, said[0][1]["new"], {State.STORED})
        assert len(service.charges) == 1
        assert client.all("/bridge/failed") == [failed]  # once


async def test_deliver_said_twice_by_mistake_brings_one_more(tmp_path: Path) -> None:
    async with running(tmp_path / "home", None) as daemon, caller(daemon, "a") as client:
        await client.hello()
        job = await client.press()
        await client.until("/bridge/result", delivery=1)
        for _ in range(5):
            client.send("/bridge/deliver", job=job)
        name = str(uuid.uuid4())
        for _ in range(5):
            await client.ask("/bridge/deliver", job=job, id=name)
        await client.until("/bridge/result", delivery=3)
        assert (await job_of(daemon, job)).delivery == 3


async def test_transport_feeds_the_clock(tmp_path: Path) -> None:
    async with running(tmp_path / "home", None) as daemon, caller(daemon, "live-1") as client:
        told = {"playing": 1, "position": "12.25", "beats": Typed(("f", 24.5)), "tempo": 120.0}
        client.send("/bridge/transport", **told, numerator=Typed(("f", 7.0)), denominator=8)
        await client.quiet()
        transport = daemon.clock.of("live-1")
        assert transport is not None
        assert (transport.playing, transport.position, transport.beats) == (True, 12.25, 24.5)
        assert (transport.tempo, transport.numerator, transport.denominator) == (120.0, 7, 8)
        client.send("/bridge/transport", playing=0)
        await client.quiet()
        stopped = daemon.clock.of("live-1")
        assert stopped is not None
        assert not stopped.playing
        assert stopped.tempo == 120.0
        assert client.got == []  # nothing is answered
        for key, value in [
            ("tempo", 0),
            ("tempo", float("nan")),
            ("position", float("inf")),
            ("position", "soon"),
            ("beats", 1e9),
            ("numerator", 3.5),
            ("denominator", 0),
            ("playing", "maybe"),
            ("bars", 3),
            ("client", "X Y"),
        ]:
            answer, refusal = await client.ask("/bridge/transport", **{key: value})
            assert (answer, refusal["code"], refusal["re"]) == ("/bridge/refused", "E-INVALID", "transport")
            assert key in refusal["message"]
        assert daemon.clock.of("live-1") == stopped


async def test_a_pad_can_ask_a_client_to_act(tmp_path: Path) -> None:
    async with running(tmp_path / "home", None) as daemon, caller(daemon, "reaper-1") as client:
        assert daemon.osc is not None
        assert not daemon.osc.do("reaper-1", "capture")
        await client.hello()
        assert daemon.osc.do("reaper-1", "transform_selection", preset="dub", strength=Float32(0.5))
        assert await client.until("/bridge/do") == {"action": "transform_selection", "preset": "dub", "strength": 0.5}


async def test_clients_expire_and_do_not_push_each_other_out() -> None:
    now = 100.0
    here = clients.Clients(lambda: now)
    for number in range(clients.MOST_CLIENTS):
        assert here.hello(f"c{number}", port=number + 1, sender=number + 1)
    assert not here.hello("late", port=9, sender=9)
    assert here.port("c3") == 4
    now += clients.EXPIRES
    assert here.port("c3") is None
    assert here.answer_port("c3", 77) == 4  # of its last hello, also when that is long ago
    assert here.hello("late", port=9, sender=9)
    assert here.port("late") == 9
    assert len(here.about()) == clients.MOST_CLIENTS


async def test_off_is_off(tmp_path: Path) -> None:
    async with running(tmp_path / "home", None, osc={"enabled": False}) as daemon:
        assert daemon.osc_port is None
        assert json.loads(daemon.home.runtime_file.read_text())["osc_port"] is None
        assert (await daemon.actions.status())["osc"] is None


async def test_a_taken_port_is_explained(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"UDP port {port} \(\[osc\] port\) is taken") as refused:
            async with running(tmp_path / "home", None, osc={"port": port}):
                pass
        assert "0 takes any free one" in refused.value.next_step


@NO_IPV6
async def test_ipv6_loopback(tmp_path: Path) -> None:
    async with running(tmp_path / "home", None, osc={"host": "::1"}) as daemon:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect(("::1", daemon.osc_port))
            sock.send(message("/bridge/ping"))
            async with asyncio.timeout(5):
                assert b"/bridge/pong" in await asyncio.get_running_loop().sock_recv(sock, 1000)


async def test_the_journal_knows_who_placed_what(tmp_path: Path) -> None:
    async with running(tmp_path / "home", None) as daemon, caller(daemon, "a") as client:
        await client.hello()
        job = await client.press()
        await client.until("/bridge/result")
        assert (await client.ask("/bridge/placed", job=job, delivery=Typed(("f", 1.0))))[0] == "/bridge/ok"
        assert (await job_of(daemon, job)).state is State.PLACED
        assert (await events(daemon, job))[-1] == "placed"


def test_every_address_and_key_is_described() -> None:
    page = (Path(__file__).parents[3] / "docs" / "osc.md").read_text(encoding="utf-8")
    table = verbs.Verbs(None, None, None, lambda: 0).table()  # type: ignore[arg-type]
    assert len(table) == 14
    described = set(re.findall(r"`([^`]+)`", page))
    words = {word for text in described for word in re.split(r"[ ,]+", text)}
    for address, verb in table.items():
        assert address in words, address
        assert set(verb.keys) <= words, set(verb.keys) - words
    for key in ("client", "id", "secret"):
        assert key in words
    source = Path(verbs.__file__).parent
    code = "".join(file.read_text("utf-8") for file in source.glob("*.py"))
    for address in set(re.findall(r'"(/bridge/[a-z]+)"', code)):
        assert address in words, address
