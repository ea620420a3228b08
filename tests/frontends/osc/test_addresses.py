"""OSC under both addresses of this machine: a program is answered where it speaks from."""

from __future__ import annotations

import asyncio
import socket

import psutil
import pytest

from bridge_daemon.clock.transport import Clock
from bridge_daemon.frontends.osc.server import OscServer
from bridge_daemon.frontends.osc.wire import build
from bridge_daemon.util.times import Times
from tests.util.wine import NO_IPV6


class Desk:
    """Actions that no message of these tests reaches."""


@pytest.mark.parametrize(
    ("family", "address"), [(socket.AF_INET, "127.0.0.1"), pytest.param(socket.AF_INET6, "::1", marks=NO_IPV6)]
)
async def test_an_answer_comes_from_where_the_question_went(family, address):
    times = Times()
    osc = OscServer(Desk(), Clock(times.monotonic), token="t" * 64, host="127.0.0.1", port=0, times=times)  # type: ignore[arg-type]
    port = await osc.start()
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((address, 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_sendto(sock, build("/bridge/ping", {}), (address, port))
        data, sender = await asyncio.wait_for(loop.sock_recvfrom(sock, 4096), 5)
        assert data.startswith(b"/bridge/pong")
        assert sender[:2] == (address, port)
    await osc.close()


async def test_no_other_network_and_no_tcp():
    """A page of the browser can send bytes of its choice to any TCP port; to a UDP port it cannot."""
    times = Times()
    osc = OscServer(Desk(), Clock(times.monotonic), token="t" * 64, host="127.0.0.1", port=0, times=times)  # type: ignore[arg-type]
    port = await osc.start()
    for address in ("127.0.0.1", "0.0.0.0"):
        with pytest.raises(OSError, match=r"refused|111|10061|Connect"):
            await asyncio.open_connection(address, port)
    mine = [one for one in psutil.Process().net_connections("udp") if one.laddr and one.laddr.port == port]
    assert mine
    assert {one.laddr.ip for one in mine} <= {"127.0.0.1", "::1"}
    await osc.close()
