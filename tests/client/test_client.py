"""The client of our own API, against a real server: what it finds, whom it trusts, what it outlives."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import pytest_asyncio

from bridge_daemon.client import client as client_module
from bridge_daemon.client.client import BridgeClient, RemoteError
from bridge_daemon.client.waiting import JobWatcher, is_finished
from bridge_daemon.errors import (
    CODES,
    BridgeError,
    Fault,
    InvalidRequest,
    LimitReached,
    NotFound,
    NoToken,
    NotRunning,
    PriceQuestion,
    TooBusy,
)
from bridge_daemon.frontends.http.connection import Listener
from bridge_daemon.frontends.http.events import EventHub
from bridge_daemon.frontends.http.server import ApiServer
from tests.fakes.desk import FakeDesk
from tests.waiting import eventually

TOKEN = "ab" * 32


class HandHome:
    """A home that tells what a test puts into it."""

    def __init__(self) -> None:
        self.url: str | None = None
        self.token = TOKEN

    def read_runtime(self):
        return SimpleNamespace(http_url=self.url) if self.url else None

    def read_token(self) -> str:
        return self.token


@dataclass
class Bridge:
    """A daemon that can be killed and started again."""

    home: HandHome
    desk: FakeDesk
    hub: EventHub | None = None
    server: ApiServer | None = None
    port: int = 0

    async def start(self, port: int = 0) -> None:
        self.hub = EventHub()
        self.server = ApiServer(self.desk, self.hub, token=TOKEN, host="127.0.0.1", port=port)
        _, self.port = await self.server.start()
        self.home.url = self.server.url

    async def stop(self) -> None:
        if self.server is not None:
            await self.server.close()


@pytest_asyncio.fixture
async def bridge() -> AsyncIterator[Bridge]:
    running = Bridge(HandHome(), FakeDesk())
    await running.start()
    yield running
    await running.stop()


@pytest_asyncio.fixture
async def client(bridge, monkeypatch) -> AsyncIterator[BridgeClient]:
    monkeypatch.setattr(client_module, "_RECONNECT", 0.05)
    async with BridgeClient(bridge.home) as made:
        yield made


class Impostor:
    """Another program on a port: answers each connection with the same bytes and keeps what it was sent."""

    def __init__(self, answer: bytes, *, reads: bool = True) -> None:
        self.answer, self.reads, self.got = answer, reads, b""

    async def __aenter__(self) -> Impostor:
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        await self.server.wait_closed()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while self.reads:
                self.got += await reader.readuntil(b"\r\n\r\n")
                writer.write(self.answer)
            writer.write(self.answer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


# --- questions and actions


async def test_what_it_asks(bridge, client):
    job = bridge.desk.add("j1", state="held", prompt="Regen ☔")
    assert await client.status() == {"version": "1", "paused": None}
    assert await client.submit({"id": "a"}) == {"id": "a", "jobs": ["j2"], "usd": 0.58}
    assert await client.job("j1") == job | {"events": []}
    assert [found["job"] for found in await client.jobs()] == ["j1", "j2"]
    assert await client.jobs(state=["held", "unknown"], q="a&b=c", limit=1, client=None) == [job]
    assert await client.spend() == {"day": {"spent_usd": 1.16}}
    assert await client.presets() == {"presets": {}}
    assert await client.prices() == [{"model": "stable-audio-2-0", "usd": 0.58}]
    assert await client.check_key() == {"good": True}
    bridge.desk.calls.clear()
    for action, body in (("cancel", {}), ("retry", {"id": "x"}), ("deliver", {}), ("resolve", {"action": "dismiss"})):
        assert await client.act("j1", action, body) == job
    assert await client.pause() == {"paused": "person"}
    assert await client.resume() == {"paused": None}
    assert await client.agree_price({"usd": 1}) == {"agreed": True}
    assert await client.reload_key() == {"key": True}
    assert await client.reload_settings() == {"changed": []}
    assert bridge.desk.calls == [
        ("cancel", "j1"),
        ("retry", "j1", {"id": "x"}),
        ("deliver", "j1"),
        ("resolve", "j1", {"action": "dismiss"}),
        ("pause", "person"),
        ("resume",),
        ("agree_price", {"usd": 1}),
        ("reload_key",),
        ("reload_settings",),
    ]


async def test_a_job_id_stays_in_its_place(bridge, client):
    for odd in ("../status", "j1/cancel", "j1?x=1", "", "%2e", "j1#"):
        with pytest.raises(NotFound):
            await client.job(odd)
    with pytest.raises(NotFound):
        await client.act("j1", "../../pause")
    assert bridge.desk.calls == []


async def test_the_page_is_opened_with_a_code_and_not_with_the_token(bridge, client):
    url = await client.page_url()
    assert url.startswith(f"http://127.0.0.1:{bridge.port}/#code=")
    assert TOKEN not in url


# --- errors


@pytest.mark.parametrize("code", sorted(set(CODES) - {"E-AUTH"}))
async def test_errors_come_out_as_they_went_in(bridge, client, code):
    kind = CODES[code]
    error = kind.__new__(kind)
    BridgeError.__init__(error, "What happened ☔.", next="Do this.", charge="possible")
    if isinstance(error, InvalidRequest):
        error = InvalidRequest([Fault("duration", 500, "1 to 190"), Fault("seed", None, "a number")])
    bridge.desk.fail["status"] = error
    with pytest.raises(kind) as caught:
        await client.status()
    assert type(caught.value) is kind
    assert caught.value.as_dict() == error.as_dict()


async def test_an_error_of_a_newer_daemon(bridge, client):
    class Newer(BridgeError):
        code = "E-NEWER"
        status = 409

    del CODES["E-NEWER"]
    bridge.desk.fail["status"] = Newer("New.", next="Update.", charge="confirmed")
    with pytest.raises(RemoteError) as caught:
        await client.status()
    assert caught.value.as_dict() == {
        "code": "E-NEWER",
        "message": "New.",
        "charge": "confirmed",
        "next": "Update.",
    }
    assert "E-NEWER" not in CODES


async def test_a_refused_request_costs_nothing_and_is_not_sent_again(bridge, client):
    for error in (PriceQuestion("3 dollars", usd=3.0), LimitReached("too much")):
        bridge.desk.calls.clear()
        bridge.desk.fail["admit"] = error
        with pytest.raises(type(error)):
            await client.submit({"id": "a"})
        assert len(bridge.desk.calls) == 1


async def test_a_wrong_token(bridge, client, monkeypatch):
    async def trusting(*_):
        pass

    monkeypatch.setattr(client, "_prove", trusting)
    bridge.home.token = "cd" * 32
    with pytest.raises(NoToken):
        await client.status()


# --- nobody there, or somebody else


async def test_no_runtime_file(client, bridge):
    bridge.home.url = None
    with pytest.raises(NotRunning, match="not running"):
        await client.status()


async def test_nobody_answers(bridge, client):
    await bridge.stop()
    with pytest.raises(NotRunning, match=str(bridge.port)) as caught:
        await client.submit({"id": "a"})
    assert caught.value.charge == "none"


@pytest.mark.parametrize(
    "url", ["http://evil.com:80", "https://127.0.0.1:1", "ftp://127.0.0.1", "http://10.0.0.1:9131"]
)
async def test_the_token_goes_to_this_machine_only(bridge, client, url):
    bridge.home.url = url
    with pytest.raises(NotRunning):
        await client.status()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n" + b'{"ok":true}',
        b"HTTP/1.1 200 OK\r\nX-Bridge-Proof: " + b"0" * 64 + b"\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 503 No\r\nContent-Length: 6\r\n\r\nmoment",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"",
    ],
)
async def test_another_program_never_sees_the_token(bridge, client, answer):
    async with Impostor(answer, reads=bool(answer)) as impostor:
        bridge.home.url = f"http://127.0.0.1:{impostor.port}"
        with pytest.raises(NotRunning):
            await client.status()
        with pytest.raises(NotRunning) as caught:
            await client.submit({"id": "a"})
        assert caught.value.charge == "none"
        await client.close()
    assert TOKEN.encode() not in impostor.got
    assert b"uthorization" not in impostor.got


async def test_a_proof_of_another_port_is_none(bridge, client):
    # somebody passes our question on to the daemon, which now runs on another port
    async def relay(reader, writer):
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", bridge.port)
        asked = (await reader.readuntil(b"\r\n\r\n")).replace(str(port).encode(), str(bridge.port).encode())
        to_writer.write(asked)
        writer.write(await to_reader.readuntil(b'{"ok":true}'))
        for one in (to_writer, writer):
            one.close()
            await one.wait_closed()

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    bridge.home.url = f"http://127.0.0.1:{port}"
    with pytest.raises(NotRunning, match="another program"):
        await client.status()
    server.close()
    await server.wait_closed()


async def test_a_lost_answer_is_asked_for_again_under_the_same_id(bridge, client, monkeypatch):
    async def killed(data):
        bridge.desk.answers[data["id"]] = {"id": data["id"], "jobs": ["j1"], "usd": 0.58}
        monkeypatch.undo()
        monkeypatch.setattr(client_module, "_RECONNECT", 0.05)
        for connection in bridge.server._listener.connections:
            connection.transport.abort()
        return {}, False

    monkeypatch.setattr(bridge.desk, "admit", killed)
    assert await client.submit({"id": "a"}) == {"id": "a", "jobs": ["j1"], "usd": 0.58}


async def test_an_answer_that_stays_lost_may_have_cost(bridge, client, monkeypatch):
    async def killed(data):
        for server in bridge.server._servers:
            server.close()
        for connection in bridge.server._listener.connections:
            connection.transport.abort()
        return {}, False

    monkeypatch.setattr(bridge.desk, "admit", killed)
    with pytest.raises(NotRunning) as caught:
        await client.submit({"id": "a"})
    assert caught.value.charge == "possible"


async def test_connections_that_do_nothing_hold_no_command_off(bridge, client):
    idle = [await asyncio.open_connection("127.0.0.1", bridge.port) for _ in range(100)]
    await asyncio.sleep(0.05)
    assert (await client.status())["version"]
    for _, writer in idle:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def test_a_bridge_that_is_slow_to_answer_is_no_bridge_that_does_not_run(bridge, client):
    """As on a machine whose processors are taken, or in the first moments of a start."""
    await bridge.stop()
    until = time.monotonic() + 6

    async def late(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(until - time.monotonic())  # the system accepts for a process that does not come to it
        writer.close()

    async with await asyncio.start_server(late, "127.0.0.1", bridge.port):
        with pytest.raises(NotRunning):
            await client.status()
        assert time.monotonic() >= until


async def test_busy_is_busy(bridge, client, monkeypatch):
    monkeypatch.setattr(Listener, "_make_room", lambda _: False)  # all of them work for the owner
    idle = [await asyncio.open_connection("127.0.0.1", bridge.port) for _ in range(32)]
    await asyncio.sleep(0.05)
    with pytest.raises(TooBusy):
        await client.status()
    for _, writer in idle:
        writer.close()
        await writer.wait_closed()


# --- events


async def test_events(bridge, client):
    async with aclosing(client.events()) as events:
        kind, data = await anext(events)
        assert kind == "hello"
        assert "version" in data
        bridge.hub.publish("job", {"job": "j1", "prompt": "two\n\nlines ☔"})
        bridge.hub.publish("progress", {"job": "j1", "fraction": 0.5})
        assert await anext(events) == ("job", {"job": "j1", "prompt": "two\n\nlines ☔"})
        assert await anext(events) == ("progress", {"job": "j1", "fraction": 0.5})


async def test_events_go_on_after_a_restart_on_another_port(bridge, client):
    async with aclosing(client.events()) as events:
        await anext(events)
        await bridge.stop()
        bridge.home.url = None
        following = asyncio.create_task(anext(events))
        await asyncio.sleep(0.15)
        await bridge.start()
        assert (await asyncio.wait_for(following, 5))[0] == "hello"
        bridge.hub.publish("spend", {})
        assert await anext(events) == ("spend", {})


async def test_events_end_when_nobody_comes_back(bridge):
    async with BridgeClient(bridge.home, patience=0.2) as client:
        events = client.events()
        await anext(events)
        await bridge.stop()
        with pytest.raises(NotRunning):
            await asyncio.wait_for(anext(events), 5)


async def test_events_without_a_daemon(bridge, client):
    await bridge.stop()
    with pytest.raises(NotRunning):
        await anext(client.events())


# --- waiting


async def test_wait_follows_by_events(bridge, client):
    bridge.desk.add("j1")
    seen: list[tuple[str, float | None]] = []
    waiting = asyncio.create_task(client.wait(["j1"], lambda job: seen.append((job["state"], job["fraction"]))))
    await eventually(lambda: len(bridge.hub) and seen)
    before = time.monotonic()
    bridge.hub.publish("progress", {"job": "j1", "state": "generating", "fraction": 0.25, "text": "…"})
    bridge.hub.publish("progress", {"job": "j9", "state": "failed"})
    await eventually(lambda: len(seen) == 2)
    bridge.hub.publish("job", bridge.desk.add("j1", state="placed", fraction=1.0, file="/a.wav", updated_at=9.0))
    done = await asyncio.wait_for(waiting, 5)
    assert time.monotonic() - before < 1  # quicker than a poll
    assert [(job["job"], job["state"], job["file"]) for job in done] == [("j1", "placed", "/a.wav")]
    assert seen == [("queued", None), ("generating", 0.25), ("placed", 1.0)]


async def test_wait_needs_no_events(bridge, client, monkeypatch):
    monkeypatch.setattr(client_module, "_POLL", 0.05)
    bridge.desk.add("j1")
    bridge.desk.add("j2", state="held")
    waiting = asyncio.create_task(client.wait(["j2", "j1"]))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    bridge.desk.add("j1", state="failed", updated_at=9.0)
    assert [job["state"] for job in await asyncio.wait_for(waiting, 5)] == ["held", "failed"]


async def test_wait_works_while_all_places_of_watchers_are_taken(bridge, client, monkeypatch):
    monkeypatch.setattr(client_module, "_POLL", 0.05)
    watchers = [BridgeClient(bridge.home) for _ in range(8)]
    streams = [watcher.events() for watcher in watchers]
    for stream in streams:
        await anext(stream)
    bridge.desk.add("j1")
    waiting = asyncio.create_task(client.wait(["j1"]))
    await asyncio.sleep(0.1)
    bridge.desk.add("j1", state="cancelled", updated_at=9.0)
    assert (await asyncio.wait_for(waiting, 5))[0]["state"] == "cancelled"
    for stream, watcher in zip(streams, watchers, strict=True):
        await stream.aclose()
        await watcher.close()


@pytest.mark.parametrize("same_port", [True, False])
async def test_wait_outlives_a_restart(bridge, client, monkeypatch, same_port):
    monkeypatch.setattr(client_module, "_POLL", 0.05)
    bridge.desk.add("j1", state="generating")
    waiting = asyncio.create_task(client.wait(["j1"]))
    while not len(bridge.hub):
        await asyncio.sleep(0.01)
    await bridge.stop()
    await asyncio.sleep(0.3)
    assert not waiting.done()
    bridge.desk.add("j1", state="placed", updated_at=9.0)
    await bridge.start(bridge.port if same_port else 0)
    assert (await asyncio.wait_for(waiting, 5))[0]["state"] == "placed"


async def test_wait_gives_up_when_nobody_comes_back(bridge, monkeypatch):
    monkeypatch.setattr(client_module, "_POLL", 0.05)
    bridge.desk.add("j1", state="generating")
    async with BridgeClient(bridge.home, patience=0.3) as client:
        waiting = asyncio.create_task(client.wait(["j1"]))
        await asyncio.sleep(0.1)
        await bridge.stop()
        with pytest.raises(NotRunning):
            await asyncio.wait_for(waiting, 5)


async def test_wait_without_a_daemon_or_a_job(bridge, client):
    with pytest.raises(NotFound):
        await client.wait(["j9"])
    assert await client.wait([]) == []
    await bridge.stop()
    async with BridgeClient(bridge.home) as other:
        with pytest.raises(NotRunning):
            await asyncio.wait_for(other.wait(["j1"]), 2)


@pytest.mark.parametrize(
    ("job", "finished"),
    [
        *(({"state": state}, False) for state in ("queued", "preparing", "submitting", "generating", "fetching")),
        *(({"state": state}, True) for state in ("placed", "cancelled", "refused", "failed", "unknown", "held")),
        ({"state": "dismissed"}, True),
        ({"state": "stored", "client": None, "wanted": True, "problem": None}, False),
        ({"state": "stored", "client": "reaper", "wanted": True}, True),
        ({"state": "stored", "client": None, "wanted": False}, True),
        ({"state": "stored", "client": None, "problem": {"code": "E-UNPLACED"}}, True),
        ({"state": "stored", "client": None, "problem": {"code": "E-DISK"}}, False),
        ({"state": "something new"}, False),
        ({}, False),
    ],
)
def test_when_a_person_need_not_wait(job, finished):
    assert is_finished(job) is finished


def test_a_watch_lets_old_news_go():
    told: list[dict] = []
    watch = JobWatcher(["j1"], told.append)
    watch.take({"job": "j1", "state": "generating", "fraction": 0.5})  # a part of something unknown
    watch.take({"job": "j1", "state": "placed", "created_at": 1.0, "updated_at": 5.0, "events": [1]})
    watch.take({"job": "j1", "state": "stored", "created_at": 1.0, "updated_at": 4.0})
    watch.take({"job": "j1", "state": "generating"})
    watch.take({"job": "j1", "state": "placed", "created_at": 1.0, "updated_at": 5.0, "events": [2]})
    assert told == [{"job": "j1", "state": "placed", "created_at": 1.0, "updated_at": 5.0}]
    assert watch.done
    assert watch.open() == []
