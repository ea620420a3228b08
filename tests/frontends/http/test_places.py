"""Who only holds connections open holds nobody off; and the bridge is there under both addresses of this machine."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket

import pytest

from bridge_daemon.frontends.http.connection import MOST_CONNECTIONS
from bridge_daemon.frontends.http.events import EventHub
from bridge_daemon.frontends.http.server import ApiServer
from bridge_daemon.util import loopback
from tests.fakes.desk import FakeDesk
from tests.frontends.http.conftest import TOKEN, read_answer
from tests.support import PATIENCE


@pytest.mark.parametrize("sent", [b"", b"GET /api/status HTTP/1.1\r\nHost: x\r\n", b"POST /", b"\x16\x03"])
async def test_a_thousand_slow_connections_do_not_hold_the_owner_off(api, sent, caplog):
    held = []
    with caplog.at_level(logging.INFO):
        for _ in range(1000):
            reader, writer = await api.connect()
            writer.write(sent)
            held.append(reader)
            if len(held) % 100 == 0:
                assert (await api.ask("/api/status")).status == 200
    assert len(caplog.records) <= 60
    assert len(api.server._listener._transports) <= MOST_CONNECTIONS + 40


async def test_idle_connections_of_the_owner_make_room_too(api):
    request = f"GET /api/status HTTP/1.1\r\nHost: 127.0.0.1:{api.port}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    for _ in range(MOST_CONNECTIONS + 5):
        reader, writer = await api.connect()
        writer.write(request.encode())
        assert (await read_answer(reader)).status == 200


async def test_an_answer_that_is_being_made_keeps_its_place(api, monkeypatch):
    monkeypatch.setattr(api.server._access, "_timeout", PATIENCE)  # the fixture's is over before all have come
    release = api.desk.hold["status"] = asyncio.Event()
    asked = asyncio.create_task(api.ask("/api/status"))
    while not api.desk.calls:
        await asyncio.sleep(0.01)
    for _ in range(MOST_CONNECTIONS * 2):
        await api.connect()
    release.set()
    assert (await asked).status == 200


# --- both addresses


def server(port: int = 0) -> ApiServer:
    return ApiServer(FakeDesk(), EventHub(), token=TOKEN, host="127.0.0.1", port=port)


def has_six() -> bool:
    try:
        loopback._bind("::1", 0, socket.SOCK_STREAM).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_six(), reason="this machine has no IPv6")
@pytest.mark.parametrize(("host", "status"), [("[::1]", 200), ("localhost", 200), ("evil.com", 421), ("[::2]", 421)])
async def test_the_same_port_answers_on_both_with_the_same_checks(api, host, status):
    for address in ("127.0.0.1", "::1"):
        reader, writer = await asyncio.open_connection(address, api.port)
        writer.write(f"GET /healthz HTTP/1.1\r\nHost: {host}:{api.port}\r\n\r\n".encode())
        assert (await read_answer(reader)).status == status
        writer.close()
        await writer.wait_closed()
    assert api.server.url == f"http://127.0.0.1:{api.port}"


async def test_a_machine_without_ipv6_runs_and_says_nothing(monkeypatch, caplog):
    real = socket.socket

    def without_six(family=socket.AF_INET, *more, **named):
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return real(family, *more, **named)

    monkeypatch.setattr(loopback.socket, "socket", without_six)
    one = server()
    with caplog.at_level(logging.INFO):
        _, port = await one.start()
    monkeypatch.undo()
    assert not [one for one in caplog.records if one.name.startswith("bridge_daemon")]
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    await writer.wait_closed()
    await one.close()


@pytest.mark.skipif(not has_six(), reason="this machine has no IPv6")
async def test_a_port_that_another_program_has_on_one_address_only(caplog):
    other = loopback._bind("::1", 0, socket.SOCK_STREAM)
    one = server(other.getsockname()[1])
    with caplog.at_level(logging.WARNING):
        await one.start()
    assert "127.0.0.1 only" in caplog.text
    await one.close()
    other.close()
