"""The socket: loopback only, never shared, free again at once."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import suppress

import pytest

from bridge_daemon.errors import PortTaken, SettingsInvalid
from bridge_daemon.frontends.http import server as server_module
from bridge_daemon.frontends.http.events import EventHub
from bridge_daemon.frontends.http.server import ApiServer
from bridge_daemon.util import loading
from tests.fakes.desk import FakeDesk
from tests.frontends.http.conftest import TOKEN


def server(host: str = "127.0.0.1", port: int = 0) -> ApiServer:
    return ApiServer(FakeDesk(), EventHub(), token=TOKEN, host=host, port=port)


async def test_port_0_is_any_free_one(api):
    one, two = server(), server()
    (host, first), (_, second) = await one.start(), await two.start()
    assert host == "127.0.0.1"
    assert first != second
    assert one.url == f"http://127.0.0.1:{first}"
    await one.close()
    await two.close()


async def test_a_taken_port_is_named(api):
    with pytest.raises(PortTaken) as caught:
        await server(port=api.port).start()
    assert str(api.port) in caught.value.message
    assert "[http] port" in caught.value.message
    assert "0 takes any free one" in caught.value.next_step


async def test_a_port_is_free_again_at_once(api):
    assert (await api.ask("/healthz", "Connection: close")).status == 200  # closed by us: it lingers in the system
    await api.server.close()
    again = server(port=api.port)
    await again.start()
    await again.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "192.168.1.5", "example.com"])
async def test_no_other_network(host):
    with pytest.raises(SettingsInvalid, match="this machine only"):
        await server(host).start()


async def test_not_reached_from_the_network(api):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing; tells the address of this machine
            address = probe.getsockname()[0]
        except OSError:
            pytest.skip("this machine has no network")
    with pytest.raises(OSError):
        await asyncio.wait_for(asyncio.open_connection(address, api.port), 2)


async def test_ipv6():
    six = server("::1")
    try:
        _, port = await six.start()
    except PortTaken:
        pytest.skip("this machine has no IPv6")
    assert six.url == f"http://[::1]:{port}"
    reader, writer = await asyncio.open_connection("::1", port)
    writer.write(f"GET /healthz HTTP/1.1\r\nHost: [::1]:{port}\r\n\r\n".encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()
    await writer.wait_closed()
    await six.close()


@pytest.mark.parametrize("parts", [1, 3])
async def test_who_comes_before_what_answers_is_loaded_waits_for_it(monkeypatch, parts):
    """A start does not load it; the first connection does."""
    gate = asyncio.Event()

    async def load(*modules: str) -> None:
        await gate.wait()
        await loading.load(*modules)

    monkeypatch.setattr(server_module, "load", load)
    one = server()
    _, port = await one.start()
    try:
        first, second = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        asked = f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
        step = -(-len(asked) // parts)
        for at in range(0, len(asked), step):
            first[1].write(asked[at : at + step])
            await asyncio.sleep(0.01)
        second[1].close()  # does not wait for it
        assert not first[0]._buffer
        gate.set()
        async with asyncio.timeout(5):
            assert (await first[0].readline()).startswith(b"HTTP/1.1 200")
    finally:
        first[1].close()
        await one.close()


async def test_close_ends_who_waits_for_what_answers(monkeypatch):
    monkeypatch.setattr(server_module, "load", lambda *_: asyncio.Event().wait())
    one = server()
    _, port = await one.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await asyncio.sleep(0.02)
    await one.close()
    with suppress(ConnectionError):
        assert await reader.read() == b""
    writer.close()


async def test_close_may_be_called_at_any_time():
    one = server()
    await one.close()
    await one.start()
    await one.close()
    await one.close()
    with pytest.raises(RuntimeError):
        _ = one.url


async def test_close_waits_for_nobody(api):
    api.server._access._timeout = 30.0
    api.desk.hold["status"] = asyncio.Event()
    stuck = asyncio.create_task(api.ask("/api/status"))
    for _ in range(40):
        await api.connect()
    while not api.desk.calls:
        await asyncio.sleep(0.01)
    before = time.monotonic()
    await api.server.close()
    assert time.monotonic() - before < 1
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await stuck
    with pytest.raises(OSError):
        await api.connect()


async def test_an_answer_that_is_nearly_ready_is_still_given(api):
    api.desk.hold["status"] = release = asyncio.Event()
    asked = asyncio.create_task(api.ask("/api/status"))
    while not api.desk.calls:
        await asyncio.sleep(0.01)
    closing = asyncio.create_task(api.server.close())
    await asyncio.sleep(0.05)
    release.set()
    assert (await asked).status == 200
    await closing
