"""A name that begins to exist some seconds after it was printed, and resolvers that keep what they heard before."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

import dns.asyncresolver
import pytest

from bridge_daemon.publish import names
from bridge_daemon.publish import tunnel as module
from bridge_daemon.publish.listener import SourceListener
from bridge_daemon.publish.probe import compare
from bridge_daemon.settings.sections import Publish
from bridge_daemon.util.times import Times
from tests.fakes.names import ZONE, NameServer, name_server

NEW = f"quick-tunnel-words.{ZONE}"


def use(monkeypatch: pytest.MonkeyPatch, server: NameServer) -> None:
    """Let the server be that of the system, and of every zone."""

    def system() -> Any:
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers, resolver.port, resolver.lifetime, resolver.cache = ["127.0.0.1"], server.port, 2.0, None
        return resolver

    real = socket.getaddrinfo

    def look_up(host: str, port: int, **given: Any) -> Any:
        if not host.endswith(ZONE):
            return real(host, port, **given)
        if host in server.kept or server.born.get(host, time.monotonic() + 1) > time.monotonic():
            server.kept.add(host)
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real("127.0.0.1", port, **given)

    monkeypatch.setattr(names, "_system", system)
    monkeypatch.setattr(names, "_PORT", server.port)
    monkeypatch.setattr(socket, "getaddrinfo", look_up)


async def test_nobody_is_asked_before_it_can_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    listener = SourceListener(0)
    await listener.start()
    tunnel = module.Tunnel(listener, Publish, Times(), lambda _: None)
    listener.serve_bytes("probe.txt", b"content")
    try:
        async with name_server({NEW: time.monotonic() + 1.0}) as server:
            use(monkeypatch, server)
            wrong = ["?"]
            async with asyncio.timeout(10):
                while wrong[-1]:
                    base = f"http://{NEW}:{listener.port}"
                    wrong.append(await tunnel._probe(base, "probe.txt", b"content", settled=False))
                    await asyncio.sleep(0.1)
            assert len(wrong) > 4
            assert "does not exist yet" in wrong[1]
            assert server.kept == set(), "no resolver has kept a no"
    finally:
        await listener.close()


async def test_a_no_that_was_kept_is_asked_past(monkeypatch: pytest.MonkeyPatch) -> None:
    listener = SourceListener(0)
    await listener.start()
    listener.serve_bytes("probe.txt", b"content")
    try:
        async with name_server({NEW: 0.0}) as server:
            use(monkeypatch, server)
            server.kept.add(NEW)
            assert await compare(f"http://{NEW}:{listener.port}/source/probe.txt", b"content", 7) is None
            assert "ClientConnectorDNSError" in str(await compare(f"http://no.{ZONE}:{listener.port}/", b"c", 1))
    finally:
        await listener.close()


async def test_without_name_servers_it_waits_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> Any:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(names, "_system", none)
    assert await names.addresses(NEW) is None
    tunnel = module.Tunnel(SourceListener(0), Publish, Times(), lambda _: None)
    assert "may not exist yet" in await tunnel._probe(f"https://{NEW}", "x", b"x", settled=False)
