"""Nobody uses the daemon up: sizes, times, connections."""

from __future__ import annotations

import asyncio
import time

import pytest

from bridge_daemon.frontends.http.connection import MOST_CONNECTIONS
from tests.frontends.http.conftest import TOKEN, read_answer

HEAD = "POST /api/pause HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer " + TOKEN + "\r\n"
JSON = "Content-Type: application/json\r\n"


def body_of(size: int) -> bytes:
    return b'{"reason": "x"' + b" " * (size - 15) + b"}"


@pytest.mark.parametrize(("size", "status"), [(65_536, 200), (65_537, 413), (3_000_000, 413)])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_has_64_kib_at_most(api, size, status, chunked):
    body = body_of(size)
    head = HEAD.format(port=api.port) + JSON
    if chunked:
        pieces = [body[at : at + 5000] for at in range(0, size, 5000)]
        sent = b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces) + b"0\r\n\r\n"
        answer = await api.raw((head + "Transfer-Encoding: chunked\r\n\r\n").encode() + sent)
    else:
        answer = await api.raw((head + f"Content-Length: {size}\r\n\r\n").encode() + body)
    assert answer.status == status
    if status == 413:
        assert answer.code == "E-SIZE"
        assert api.desk.calls == []


async def test_a_body_is_refused_by_its_declared_length_alone(api):
    answer = await api.raw((HEAD.format(port=api.port) + JSON + "Content-Length: 999999999999\r\n\r\n").encode())
    assert answer.code == "E-SIZE"


async def test_a_body_is_not_asked_for_before_the_access_checks(api):
    reader, writer = await api.connect()
    head = HEAD.format(port=api.port) + JSON + "Content-Length: 2\r\nExpect: 100-continue\r\n"
    writer.write((head.replace(TOKEN, "wrong") + "\r\n").encode())
    assert (await read_answer(reader)).code == "E-AUTH"

    reader, writer = await api.connect()
    writer.write((head + "\r\n").encode())
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
    writer.write(b"{}")
    assert (await read_answer(reader)).status == 200


@pytest.mark.parametrize("chunk", [b"zz\r\n{}\r\n0\r\n\r\n", b"2\r\n{}zzzz\r\n0\r\n\r\n", b"-2\r\n{}\r\n"])
async def test_broken_chunks(api, chunk):
    answer = await api.raw((HEAD.format(port=api.port) + JSON + "Transfer-Encoding: chunked\r\n\r\n").encode() + chunk)
    assert answer.status == 400
    assert answer.code in ("E-JSON", "E-INVALID")
    assert api.desk.calls == []


async def test_two_lengths_are_refused(api):
    head = HEAD.format(port=api.port) + JSON + "Content-Length: 2\r\n"
    for second in ("Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n"):
        assert (await api.raw((head + second + "\r\n{}").encode())).status == 400
    assert api.desk.calls == []


async def test_a_body_that_trickles_is_given_up(api):
    reader, writer = await api.connect()
    writer.write((HEAD.format(port=api.port) + JSON + "Content-Length: 100\r\n\r\n{").encode())
    before = time.monotonic()
    answer = await asyncio.wait_for(read_answer(reader), 5)
    assert (answer.status, answer.code) == (503, "E-BUSY")  # the fixture's limit is 0.5 s
    assert time.monotonic() - before < 3
    assert api.desk.calls == []


async def test_a_slow_handler_is_given_up(api):
    api.desk.hold["status"] = asyncio.Event()
    answer = await api.ask("/api/status")
    assert (answer.status, answer.code) == (503, "E-BUSY")


async def test_who_leaves_in_the_middle_does_not_stop_the_work(api):
    release = api.desk.hold["pause"] = asyncio.Event()
    _, writer = await api.connect()
    writer.write((HEAD.format(port=api.port) + "\r\n").encode())
    while not api.desk.calls:
        await asyncio.sleep(0.01)
    writer.transport.abort()
    release.set()
    assert (await api.ask("/api/status")).status == 200


async def test_a_caller_too_many_is_told_where_all_places_work_for_the_owner(api):
    release = api.desk.hold["status"] = asyncio.Event()
    request = f"GET /api/status HTTP/1.1\r\nHost: 127.0.0.1:{api.port}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    at_work = [await api.connect() for _ in range(MOST_CONNECTIONS)]
    for _, writer in at_work:
        writer.write(request.encode())
    while len(api.desk.calls) < MOST_CONNECTIONS:
        await asyncio.sleep(0.01)
    answer = await api.ask("/healthz", auth=False)
    assert (answer.status, answer.code) == (503, "E-BUSY")
    assert answer.headers["server"] == "daw-bridge"
    assert answer.headers["cache-control"] == "no-store"
    release.set()
    for reader, _ in at_work:
        assert (await read_answer(reader)).status in (200, 503)  # 503: the fixture's limit of 0.5 s
    assert (await api.ask("/healthz", auth=False)).status == 200


async def test_a_burst_of_connections(api):
    opened = await asyncio.gather(*(api.connect() for _ in range(100)))
    for _, writer in opened:
        writer.write(f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{api.port}\r\n\r\n".encode())

    async def status(reader) -> int:
        try:
            return (await read_answer(reader)).status
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0

    got = await asyncio.wait_for(asyncio.gather(*(status(reader) for reader, _ in opened)), 10)
    assert got.count(200) >= MOST_CONNECTIONS  # the youngest keep their places
    assert set(got) <= {200, 0}


async def test_many_requests_on_one_connection(api):
    reader, writer = await api.connect()
    writer.write(f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{api.port}\r\n\r\n".encode() * 50)
    for _ in range(50):
        assert (await read_answer(reader)).status == 200


async def test_bytes_that_are_no_http(api, caplog):
    for junk in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"/bridge/ping\0\0\0\0,\0\0\0\r\n\r\n",
        b"\r\n" * 9 + b"x\r\n",
    ):
        answer = await api.raw(junk)
        assert answer.status in (400, 405)
        assert answer.code in ("E-INVALID", "E-METHOD")
    assert "Traceback" not in caplog.text


async def test_headers_of_any_length_are_refused(api):
    answer = await api.ask("/api/status", "X-A: " + "a" * 9000)
    assert (answer.status, answer.code) == (431, "E-SIZE")
    answer = await api.ask("/api/" + "a" * 9000)
    assert (answer.status, answer.code) == (431, "E-SIZE")
    answer = await api.ask("/api/status", *(f"X-{n}: a" for n in range(200)))
    assert answer.status in (400, 431)
    assert answer.code
