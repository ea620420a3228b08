"""The listener for sources: one kind of answer, no name of the software, a small share of connections."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bridge_daemon.publish.listener import SourceListener
from bridge_daemon.publish.probe import fetch_back
from bridge_daemon.publish.serving import MOST_CONNECTIONS


@pytest_asyncio.fixture
async def listener(tmp_path: Path) -> AsyncIterator[SourceListener]:
    made = SourceListener(0)
    await made.start()
    file = tmp_path / "source.wav"
    file.write_bytes(bytes(range(256)) * 40_000)
    made.serve("name.wav", file, until=time.time() + 60)
    try:
        yield made
    finally:
        await made.close()


async def ask(listener: SourceListener, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    writer.write(request)
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    return answer


ASKED = {
    "a source": (b"GET /source/name.wav HTTP/1.1\r\nHost: x\r\nRange: bytes=0-3\r\nConnection: close\r\n\r\n", b"206"),
    "its size": (b"HEAD /source/name.wav HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"200"),
    "a range that is none": (
        b"GET /source/name.wav HTTP/1.1\r\nHost: x\r\nRange: bytes=99999999-\r\nConnection: close\r\n\r\n",
        b"416",
    ),
    "another name": (b"GET /source/x.wav HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"404"),
    "another path": (b"GET /api/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"404"),
    "another method": (
        b"POST /source/name.wav HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        b"404",
    ),
    "no HTTP": (b"\x16\x03\x01nonsense\r\n\r\n", b"400"),
}


@pytest.mark.parametrize("case", ASKED)
async def test_no_answer_names_the_software(listener: SourceListener, case: str) -> None:
    request, status = ASKED[case]
    answer = await ask(listener, request)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split()[1] == status
    assert b"server:" not in head.lower()
    assert b"python" not in answer.lower()
    assert b"aiohttp" not in answer.lower()
    assert body in (b"", bytes(range(4)), b"0\r\n\r\n")  # the last is an empty body in chunks


async def test_half_requests_keep_nobody_out(
    listener: SourceListener, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    held = []
    for _ in range(200):
        _, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(b"GET /source/name.wav HTTP/1.1\r\nX: ")
        held.append(writer)
    try:
        await asyncio.sleep(0.1)
        assert listener._server is not None
        assert len(listener._server._transports) <= MOST_CONNECTIONS
        assert await fetch_back(f"{listener.url}/source/name.wav", tmp_path / "source.wav") is None
        assert len(caplog.records) <= 2, "one line in a while, not one for each"
    finally:
        for writer in held:
            writer.transport.abort()
        await asyncio.sleep(0)


async def test_a_fetch_under_way_is_not_ended_for_others(listener: SourceListener) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port, limit=1024)
    writer.write(b"GET /source/name.wav HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")  # and then it takes its time
    held = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(100)]
    size = 0
    async with asyncio.timeout(10):
        while block := await reader.read(65_536):
            size += len(block)
    assert size == 256 * 40_000
    for _, other in [(reader, writer), *held]:
        other.transport.abort()
    await asyncio.sleep(0)


@pytest.mark.parametrize("read", [0, 1, 5000, 1 << 30], ids=["nothing", "a byte", "a part", "all of it"])
@pytest.mark.parametrize("twice", [False, True], ids=["once", "pipelined"])
async def test_a_reader_that_leaves_is_no_mistake(
    listener: SourceListener, read: int, twice: bool, caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    writer.write(b"GET /source/name.wav HTTP/1.1\r\nHost: x\r\n\r\n" * (2 if twice else 1))
    await writer.drain()
    got = 0
    while got < min(read, 10_000_000) and (block := await reader.read(1 << 16)):
        got += len(block)
    writer.transport.abort()
    await asyncio.sleep(0.2)
    answer = await ask(listener, b"GET /source/name.wav HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert len(answer) > 10_000_000, "and others are still served"
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
