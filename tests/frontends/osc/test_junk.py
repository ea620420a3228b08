"""What others may send to a port that can spend: nothing is spent, nobody learns anything, and the loop goes on."""

from __future__ import annotations

import asyncio
import logging
import random
import struct
import sys
import uuid
from pathlib import Path

import pytest

from bridge_daemon.app.daemon import Daemon
from bridge_daemon.frontends.osc import clients, server, verbs
from tests.fakes.service import Service
from tests.frontends.osc.caller import OscCaller, caller, flat, message, stall
from tests.frontends.osc.test_wire import BAD, FUTURE, bundle
from tests.support import PATIENCE, running
from tests.util.wine import SLOW_DATAGRAMS

#: s that the loop may do nothing else.
#: s; Windows does not tell how long a process waited for the processor, and what is looked for takes three seconds.
STALL = 2.0 if sys.platform == "win32" else 0.05


def paid(secret: str, **pairs: object) -> bytes:
    given = {"secret": secret, "id": str(uuid.uuid4()), "prompt": "rain", "duration": 1, "client": "a"} | pairs
    return message("/bridge/generate", *flat(given))


async def nothing_spent(daemon: Daemon, service: Service) -> None:
    assert service.posts == []
    assert await daemon.journal.read(lambda tx: tx.find(limit=10)) == []


async def flood(client: OscCaller, packets: list[bytes]) -> None:
    """Send all, without filling the buffer beyond what the system gives us."""
    for number, packet in enumerate(packets):
        client.raw(packet)
        if number % 50 == 0:
            await asyncio.sleep(0)


def junk(count: int) -> list[bytes]:
    """Random bytes, and messages of ours that random hands were at; none knows the secret."""
    dice = random.Random(7)
    made = []
    for number in range(count):
        kind = number % 5
        if kind == 0:
            made.append(dice.randbytes(dice.randrange(0, 600)))
        elif kind == 1:
            made.append(b"/bridge/generate\0\0\0\0," + dice.randbytes(dice.randrange(0, 200)))
        elif kind == 2:
            made.append(b"#bundle\0" + dice.randbytes(dice.randrange(0, 300)))
        elif kind == 3:
            good = bytearray(paid(dice.randbytes(32).hex()))
            for _ in range(3):
                good[dice.randrange(len(good))] = dice.randrange(256)
            made.append(bytes(good))
        else:
            made.append(dice.choice(list(BAD.values())))
    return made


async def least_stall(client: OscCaller, packets: list[bytes]) -> float:
    """The least of three tries: what blocks the loop does so each time, a busy machine does not."""
    least = 60.0
    for _ in range(3):
        async with stall() as longest:
            await flood(client, packets)
            await client.quiet(0.1)
        least = min(least, longest[0])
        if least < STALL:
            break
    return least


@SLOW_DATAGRAMS
@pytest.mark.fault(36)
async def test_ten_thousand_datagrams_of_junk(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon, caller(daemon, "a") as client:
        packets = [packet for packet in junk(10_000) if packet]
        for start in range(0, len(packets), 1000):
            assert await least_stall(client, packets[start : start + 1000]) < STALL
        assert [name for name, _ in client.got if name != "/bridge/pong"] == []
        await nothing_spent(daemon, service)
        counts = (await daemon.actions.status())["osc"]["counts"]
        assert counts["received"] >= len(packets) * 0.9
        assert counts["dropped: malformed"] > 100
        async with caller(daemon, "b") as other:  # another one is not silenced by it
            await asyncio.wait_for(other.hello(), PATIENCE)


async def test_junk_past_the_bucket_is_read_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "OF_ONE", (1e9, 1e9))
    monkeypatch.setattr(clients, "OF_ALL", (1e9, 1e9))
    async with Service() as service, running(tmp_path / "home", service) as daemon, caller(daemon, "a") as client:
        assert await least_stall(client, [packet for packet in junk(3000) if packet]) < STALL
        assert "dropped: too many" not in (await daemon.actions.status())["osc"]["counts"]
        await client.hello()
        await nothing_spent(daemon, service)


#: Each of these stopped a daemon that leaves it to python-osc: for 3 s, for minutes, for ever.
FREEZERS = {
    "a time tag in the future": bundle(message("/bridge/ping"), tag=FUTURE),
    "a pattern": message("/bridge/" + "*" * 48 + "Z", "secret", "x"),
    "a size that walks backwards": b"#bundle\0" + bytes(8) + struct.pack(">i", -4),
    "deep bundles": BAD["a bundle in a bundle"],
}


@pytest.mark.parametrize("name", FREEZERS)
@pytest.mark.fault(36)
async def test_packets_that_freeze_others(tmp_path: Path, name: str) -> None:
    async with running(tmp_path / "home", None) as daemon, caller(daemon, "a") as client:
        await client.hello()
        assert await least_stall(client, [FREEZERS[name]]) < STALL
        await asyncio.wait_for(client.hello(), PATIENCE)


async def test_a_time_tag_is_ignored(tmp_path: Path) -> None:
    async with running(tmp_path / "home", None) as daemon, caller(daemon, "a") as client:
        hello = message("/bridge/hello", "secret", client.secret, "client", "a")
        client.raw(bundle(hello, message("/bridge/ping"), tag=FUTURE))
        await client.until("/bridge/welcome", seconds=2)
        await client.until("/bridge/pong", seconds=2)


async def test_without_the_secret_nothing_is_answered(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon, caller(daemon, secret="") as client:
        token = daemon.home.read_token()
        wrong = [token[:-1], token + "0", token.upper() + "Z", "", " ", "é", "*", token[::-1] + "x"]
        addresses = ["/bridge/hello", "/bridge/jobs", "/bridge/pause", "/bridge/nothing", "/x"]
        for secret in wrong:
            client.raw(paid(secret))
            for address in addresses:
                client.raw(message(address, "secret", secret, "client", "a"))
        for values in ((), ("client", "a"), ("secret",), ("secret", 7), (token,), ("secret", True), ("Secret", token)):
            for address in addresses:
                client.raw(message(address, *values))
        client.raw(
            message("/bridge/generate", "secret", "x", "secret", token, "prompt", "rain", "id", str(uuid.uuid4()))
        )
        await counted(daemon, 71, "dropped: without the secret")
        await client.quiet(0.3)
        assert client.got == []
        await nothing_spent(daemon, service)
        status = await daemon.actions.status()
        assert status["osc"]["clients"] == []
        assert status["paused"] is None
        assert status["osc"]["counts"]["dropped: without the secret"] > 70
        assert "sent" not in status["osc"]["counts"]
        assert caplog.text.count("without the secret") == 1


async def test_the_secret_is_never_written_anywhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with running(tmp_path / "home", None) as daemon, caller(daemon, "a") as client:
        await client.hello()
        token = client.secret
        client.send("/bridge/nothing")
        client.raw(message("/bridge/jobs", "secret", token, "secret", token))
        client.raw(message("/bridge/jobs", "secret", token, "limit"))
        client.raw(message("/bridge/jobs", "limit", 1, "secret", token, 7, 8))
        client.send("/bridge/generate", prompt="x", id="no uuid", duration="x", foo="bar")
        await client.until("/bridge/refused", count=5)
        await client.press()
        await client.until("/bridge/result")
        refused = client.all("/bridge/refused")
        assert {told["re"] for told in refused} == {"nothing", "jobs", "generate"}
        assert len(refused) == 5
        assert token not in str(client.got)
        assert token not in caplog.text
        for file in (tmp_path / "home").rglob("*"):
            if file.is_file() and file.name != "token":
                assert token.encode() not in file.read_bytes(), file


async def counted(daemon: Daemon, least: int, *names: str) -> dict[str, int]:
    """Wait until so many datagrams were counted under these names; return what was counted."""
    async with asyncio.timeout(PATIENCE):
        while True:
            counts: dict[str, int] = (await daemon.actions.status())["osc"]["counts"]
            if sum(counts.get(name, 0) for name in names) >= least:
                return counts
            await asyncio.sleep(0.01)


async def test_a_press_that_is_cut_off_is_no_press(tmp_path: Path) -> None:
    """Every beginning of a good message: a number that lost its last digits must not be paid for."""
    async with Service() as service, running(tmp_path / "home", service) as daemon, caller(daemon, "a") as client:
        whole = paid(client.secret, strength=0.5, duration="30", seed=123456)
        await flood(client, [whole[:length] for length in range(len(whole))])
        await client.quiet(0.3)
        assert client.all("/bridge/accepted") == []
        await nothing_spent(daemon, service)


async def test_wrong_types_and_sizes_with_the_secret_spend_nothing(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon, caller(daemon, "a") as client:
        names = (
            "prompt",
            "duration",
            "seed",
            "variations",
            "position",
            "slot",
            "file",
            "again",
            "id",
            "client",
            "version",
        )
        for name in names:
            for value in (float("nan"), float("inf"), -1.5, 1e300, "\x01", "x" * 4000, {"id": -3}.get(name, 2**40)):
                if not (name == "prompt" and isinstance(value, str | int)):
                    client.raw(paid(client.secret, **{name: value}))
            await client.quiet(0.05)
        client.raw(paid(client.secret, prompt="x" * 8192))
        for blob in (b"abc", None, [1]):
            client.raw(paid(client.secret, prompt=blob))
        counts = await counted(daemon, 1, "dropped: too large")
        jobs = await daemon.journal.read(lambda tx: tx.find(limit=100))
        await client.until("/bridge/accepted", count=len(jobs))
        await client.quiet(0.3)
        jobs = await daemon.journal.read(lambda tx: tx.find(limit=100))
        assert len(jobs) == len(client.all("/bridge/accepted"))
        # what was taken is what may be said: a name of 4000 characters is none, a token or text is
        assert all(job.parameters.prompt == "rain" for job in jobs)
        assert counts["dropped: too large"] == 1


@SLOW_DATAGRAMS
async def test_one_sender_that_runs_wild_does_not_silence_another(tmp_path: Path) -> None:
    async with running(tmp_path / "home", None) as daemon, caller(daemon, "wild") as wild, caller(daemon, "b") as calm:
        ping = message("/bridge/ping")
        await flood(wild, [ping] * 4000)
        await asyncio.wait_for(calm.hello(), 2)
        counts = (await daemon.actions.status())["osc"]["counts"]
        assert counts["dropped: too many"] > 500
        assert len(wild.all("/bridge/pong")) < 3000


def test_the_bucket() -> None:
    now = 0.0
    limits = clients.Limits(lambda: now)
    rate, size = clients.OF_ONE
    assert sum(limits.allow(1) for _ in range(5000)) == size
    assert limits.allow(2)
    now += 1.0
    assert sum(limits.allow(1) for _ in range(5000)) == rate
    assert sum(limits.allow(port) for port in range(100, 20_000)) <= clients.OF_ALL[1]


async def test_too_much_at_once_is_dropped_and_may_be_said_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MOST_AT_ONCE", 4)
    async with running(tmp_path / "home", None) as daemon, caller(daemon, "a") as client:
        gate = asyncio.Event()

        async def slow(*_: object, **__: object) -> list[object]:
            await gate.wait()
            return []

        monkeypatch.setattr(daemon.actions, "jobs", slow)
        for limit in range(1, 20):
            client.send("/bridge/jobs", limit=limit)
        counts = await counted(daemon, 19, "taken", "dropped: busy")
        assert (counts["taken"], counts["dropped: busy"]) == (4, 15)
        gate.set()
        await client.until("/bridge/ok", count=4)
        assert (await client.ask("/bridge/jobs", limit=19))[0] == "/bridge/ok"


async def test_a_fault_of_ours_is_answered_and_survived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path / "home", None) as daemon, caller(daemon, "a") as client:

        async def broken(*_: object, **__: object) -> None:
            raise RuntimeError("oops")

        monkeypatch.setattr(daemon.actions, "cancel", broken)
        answer, told = await client.ask("/bridge/cancel", job="abc")
        assert (answer, told["code"]) == ("/bridge/refused", "E-INTERNAL")
        await client.hello()


async def test_a_client_that_is_gone_does_no_harm(tmp_path: Path) -> None:
    async with running(tmp_path / "home", None) as daemon, caller(daemon, "a") as client:
        async with caller(daemon) as gone:
            port = gone.port
        client.send("/bridge/hello", port=port)
        for _ in range(20):
            client.send("/bridge/jobs")
        await client.quiet(0.2)
        assert client.got == []
        await client.hello(port=client.port)


def test_no_message_of_the_daemon_is_one_to_the_daemon() -> None:
    """Two daemons that were pointed at each other would not talk for ever."""
    table = verbs.Verbs(None, None, None, lambda: 0).table()  # type: ignore[arg-type]
    sent = {"welcome", "accepted", "refused", "ok", "job", "pong", "progress", "result", "failed", "do"}
    assert not {f"/bridge/{word}" for word in sent} & set(table)
