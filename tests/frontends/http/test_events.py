"""Events: what a watcher gets, and what becomes of one that is slow, late, gone or not welcome any more."""

from __future__ import annotations

import asyncio
import json
import socket
import time

import pytest

from bridge_daemon import __version__
from bridge_daemon.errors import TooBusy
from bridge_daemon.frontends.http import streaming
from bridge_daemon.frontends.http.events import MOST_WAITING, MOST_WATCHERS, EventHub, Watcher
from tests.frontends.http.conftest import TOKEN, read_answer
from tests.waiting import eventually


class Stream:
    """One open stream, read event by event."""

    def __init__(self, reader, writer) -> None:
        self.reader, self.writer = reader, writer
        self.head = ""
        self.comments = 0

    @classmethod
    async def open(cls, api, *headers: str) -> Stream:
        reader, writer = await api.connect()
        lines = headers or (f"Authorization: Bearer {TOKEN}",)
        # HTTP/1.0: the bytes of the stream as they are, without chunks
        head = ["GET /api/events HTTP/1.0", f"Host: 127.0.0.1:{api.port}", *lines, "", ""]
        writer.write("\r\n".join(head).encode())
        stream = cls(reader, writer)
        stream.head = (await reader.readuntil(b"\r\n\r\n")).decode()
        return stream

    async def next(self, timeout: float = 3.0) -> dict[str, str] | None:
        """Return the next event as its fields; None at the end."""
        while True:
            try:
                async with asyncio.timeout(timeout):
                    block = (await self.reader.readuntil(b"\n\n")).decode().strip("\n")
            except asyncio.IncompleteReadError as end:
                assert end.partial == b""
                return None
            if not block.startswith(":"):
                return dict(line.split(": ", 1) for line in block.split("\n"))
            self.comments += 1

    def close(self) -> None:
        self.writer.close()


async def test_events_come_in_order(api):
    stream = await Stream.open(api)
    assert "200 OK" in stream.head
    assert "Content-Type: text/event-stream" in stream.head
    assert "Cache-Control: no-store" in stream.head
    assert "nosniff" in stream.head
    assert "Server: daw-bridge" in stream.head
    hello = await stream.next()
    assert hello == {"retry": "1000", "id": hello["id"], "event": "hello", "data": hello["data"]}
    assert json.loads(hello["data"]) == {"version": __version__, "replayed": False}
    api.hub.publish("job", {"job": "j1", "prompt": "two\nlines\n\nevent: fake ☔"})
    for number in range(100):
        api.hub.publish("progress", {"job": "j1", "fraction": number / 100})
    first = await stream.next()
    assert json.loads(first["data"]) == {"job": "j1", "prompt": "two\nlines\n\nevent: fake ☔"}
    rest = [await stream.next() for _ in range(100)]
    assert [json.loads(event["data"])["fraction"] for event in rest] == [n / 100 for n in range(100)]
    numbers = [int(event["id"].partition("-")[2]) for event in (hello, first, *rest)]
    assert numbers == sorted(set(numbers))
    stream.close()
    await eventually(lambda: len(api.hub) == 0)


async def test_every_watcher_gets_every_event(api):
    streams = [await Stream.open(api) for _ in range(3)]
    api.hub.publish("spend", {"usd": 1})
    for stream in streams:
        assert (await stream.next())["event"] == "hello"
        assert (await stream.next())["event"] == "spend"
        stream.close()


async def test_a_watcher_that_leaves_is_forgotten_at_once(api):
    for _ in range(3 * MOST_WATCHERS):  # a page that is reloaded again and again
        stream = await Stream.open(api)
        await stream.next()
        stream.writer.transport.abort()
        await eventually(lambda: len(api.hub) == 0)


async def test_there_are_8_watchers_at_most(api):
    streams = [await Stream.open(api) for _ in range(MOST_WATCHERS)]
    answer = await api.ask("/api/events")
    assert (answer.status, answer.code) == (503, "E-BUSY")
    assert (await api.ask("/api/status")).status == 200
    streams.pop().close()
    await eventually(lambda: len(api.hub) == MOST_WATCHERS - 1)
    streams.append(await Stream.open(api))
    for stream in streams:
        stream.close()


async def test_an_idle_stream_is_kept_alive(api, monkeypatch):
    monkeypatch.setattr(streaming.stream, "__defaults__", (0.02,))
    stream = await Stream.open(api)
    await stream.next()
    await asyncio.sleep(0.1)
    api.hub.publish("job", {})
    assert (await stream.next())["event"] == "job"
    assert stream.comments >= 2
    stream.close()


async def test_who_falls_behind_is_told_and_let_go(api):
    stream = await Stream.open(api)
    await stream.next()
    for number in range(MOST_WAITING + 1):  # in one turn of the loop: nothing can be sent meanwhile
        api.hub.publish("progress", {"n": number})
    assert (await stream.next())["event"] == "lost"
    assert await stream.next() is None
    await eventually(lambda: len(api.hub) == 0)


async def deaf_watcher(api) -> socket.socket:
    """Return a stream from which nobody reads."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", api.port))
    head = f"GET /api/events HTTP/1.0\r\nHost: 127.0.0.1:{api.port}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    await asyncio.get_running_loop().sock_sendall(sock, head.encode())
    await eventually(lambda: len(api.hub) == 1)
    return sock


@pytest.mark.posix("looks into the event loop of POSIX")
async def test_who_reads_nothing_does_not_delay_the_stop(api):
    sock = await deaf_watcher(api)
    for _ in range(200):
        api.hub.publish("job", {"pad": "x" * 60_000})
        await asyncio.sleep(0)
    before = time.monotonic()
    await api.server.close()
    assert time.monotonic() - before < 1
    await asyncio.sleep(0.02)
    transports = asyncio.get_running_loop()._transports.values()
    left = [one for one in transports if one._sock and one.get_extra_info("sockname")[1] == api.port]
    sock.close()
    assert left == []


async def test_who_reads_nothing_is_disconnected_and_delays_nobody(api, monkeypatch):
    monkeypatch.setattr(streaming, "_STALLED", 0.3)
    sock = await deaf_watcher(api)
    good = await Stream.open(api)
    await good.next()
    slowest, deadline = 0.0, time.monotonic() + 5
    while len(api.hub) == 2 and time.monotonic() < deadline:
        before = time.monotonic()
        api.hub.publish("job", {"pad": "x" * 60_000})
        slowest = max(slowest, time.monotonic() - before)
        assert (await good.next())["event"] == "job"
    sock.close()
    assert len(api.hub) == 1
    assert slowest < 0.5  # of 5 s in which the deaf one was waited for, on a machine that may be busy
    good.close()


async def test_a_stream_ends_with_its_session(api, monkeypatch):
    monkeypatch.setattr(streaming.stream, "__defaults__", (0.02,))
    cookie = await api.log_in()
    stream = await Stream.open(api, f"Cookie: {cookie}")
    await stream.next()
    api.times.at += 90_000
    assert await stream.next() is None


async def test_a_stream_cannot_be_asked_for_its_head(api):
    assert (await api.ask("/api/events", method="HEAD")).status == 405


async def test_the_stop_ends_streams_at_once(api):
    streams = [await Stream.open(api) for _ in range(3)]
    for stream in streams:
        await stream.next()
    before = time.monotonic()
    await api.server.close()
    assert time.monotonic() - before < 1
    for stream in streams:
        assert await stream.next() is None
        stream.close()
    with pytest.raises(TooBusy), api.hub.watch():
        pass
    api.hub.publish("job", {})


async def test_what_is_no_json_is_not_sent_and_hurts_nobody(api, caplog):
    stream = await Stream.open(api)
    await stream.next()
    api.hub.publish("job", {"a": float("nan")})
    api.hub.publish("job", {"a": object()})
    api.hub.publish("job", {"a": 1})
    assert json.loads((await stream.next())["data"]) == {"a": 1}
    assert "cannot be written" in caplog.text
    stream.close()


async def test_nothing_is_kept_for_nobody():
    hub = EventHub()
    hub.publish("job", {"a": object()})  # not even written
    assert len(hub) == 0


async def test_a_lost_watcher_keeps_nothing():
    watcher = Watcher()
    for _ in range(2 * MOST_WAITING):
        watcher.put(b"x")
    assert watcher.lost
    assert await watcher.next(1) == b""


async def test_http_1_1_works_too(api):
    async with api.http.get(api.url + "/api/events", headers=api.bearer) as response:
        assert response.content_type == "text/event-stream"
        assert b"event: hello" in await response.content.readuntil(b"\n\n")


async def test_a_refused_watcher_leaves_no_trace(api):
    reader, writer = await api.connect()
    writer.write(f"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:{api.port}\r\n\r\n".encode())
    assert (await read_answer(reader)).code == "E-AUTH"
    assert len(api.hub) == 0
