"""The proxy of the environment: for the service, downloads and uploads; never for this machine."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
from pathlib import Path

import aiohttp
import pytest

from bridge_daemon.engine import client, download, outgoing
from bridge_daemon.engine.address import exact
from bridge_daemon.engine.outgoing import ProxyUnusable, proxy_for
from bridge_daemon.engine.protocol import SubmitOutcome
from bridge_daemon.errors import DownloadTrouble
from bridge_daemon.publish.probe import fetch_back
from tests.engine.test_wire import OK, wire
from tests.fakes.proxy import proxy

FAR = "far.example.invalid"  # a name that only the proxy knows


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's side of TLS for FAR, which this process trusts."""
    key, chain = tmp_path / "key.pem", tmp_path / "chain.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1"
    names = ["-subj", f"/CN={FAR}", "-addext", f"subjectAltName=DNS:{FAR}"]
    subprocess.run([*command.split(), *names, "-keyout", str(key), "-out", str(chain)], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    trusting = ssl.create_default_context(cafile=str(chain))
    real = aiohttp.TCPConnector
    monkeypatch.setattr(outgoing.aiohttp, "TCPConnector", lambda **given: real(ssl=trusting, **given))
    return context


@pytest.mark.needs("openssl", "openssl")
async def test_a_submit_goes_through_it(monkeypatch: pytest.MonkeyPatch, tls: ssl.SSLContext) -> None:
    async with wire(OK, tls=tls) as far, proxy({f"{FAR}:443": ("127.0.0.1", far.port)}, "me:p@ss") as between:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:p%40ss@127.0.0.1:{between.port}")
        sent = await client.submit(f"https://{FAR}", "sk-test", {"prompt": "x"}, idempotency_key="job")
    assert sent.outcome().kind is SubmitOutcome.ACCEPTED, sent.error
    assert between.lines == [f"CONNECT {FAR}:443 HTTP/1.1"]
    assert len(far.requests) == 1
    assert b"Proxy-Authorization" not in far.requests[0]


@pytest.mark.parametrize("sign", [None, "me:right"])
async def test_a_proxy_that_says_no_costs_nothing(monkeypatch: pytest.MonkeyPatch, sign: str | None) -> None:
    """The head of a CONNECT is not the head of a submit: nothing was sent to the service."""
    async with proxy({}, sign) as between:
        monkeypatch.setenv("ALL_PROXY", f"127.0.0.1:{between.port}")
        sent = await client.submit(f"https://{FAR}", "sk-test", {}, idempotency_key="job")
    assert (sent.sent, sent.outcome().kind) == (False, SubmitOutcome.NOT_SENT)
    assert len(between.lines) == 1


async def test_a_proxy_that_is_gone_and_one_of_another_kind_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("http://127.0.0.1:9", "socks5://127.0.0.1:9"):
        monkeypatch.setenv("HTTPS_PROXY", url)
        sent = await client.submit(f"https://{FAR}", "sk-test", {}, idempotency_key="job")
        assert (sent.sent, sent.outcome().kind) == (False, SubmitOutcome.NOT_SENT)
    assert "HTTPS_PROXY" in sent.outcome().text


@pytest.mark.needs("openssl", "openssl")
async def test_a_download_goes_through_it_byte_by_byte(
    monkeypatch: pytest.MonkeyPatch, tls: ssl.SSLContext, tmp_path: Path
) -> None:
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nRIFF"
    async with wire(reply, tls=tls) as far, proxy({f"{FAR}:443": ("127.0.0.1", far.port)}) as between:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{between.port}")
        await download.download(f"https://{FAR}/a%2F%7E?s=%2B", tmp_path / "x", private=False)
        (tmp_path / "source").write_bytes(b"RIFF")
        assert await fetch_back(f"https://{FAR}/a%2F%7E?s=%2B", tmp_path / "source") is None
    assert (tmp_path / "x").read_bytes() == b"RIFF"
    assert [r.partition(b" HTTP")[0] for r in far.requests] == [b"GET /a%2F%7E?s=%2B"] * 2


@pytest.mark.parametrize(
    "url", ["https://10.0.0.1/x", "https://[fd00::1]/x", "https://inside.example/x", "https://localhost./x"]
)
async def test_no_proxy_opens_a_way_into_a_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str) -> None:
    real = socket.getaddrinfo

    def look_up(host: str, port: int, **given: object) -> object:
        return real("192.168.1.7" if host == "inside.example" else host, port, **given)  # type: ignore[call-overload]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    async with proxy({}) as between:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{between.port}")
        with pytest.raises(DownloadTrouble, match="private"):
            await download.download(url, tmp_path / "x", private=False)
    assert between.lines == [], "the proxy was not even asked"


async def test_this_machine_is_never_asked_through_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with wire(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nRIFF") as near, proxy({}) as between:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{between.port}")
        polls = client.PollSession()
        for host in ("127.0.0.1", "localhost"):
            await download.download(f"http://{host}:{near.port}/x", tmp_path / "x", private=True)
            await polls.job(f"http://{host}:{near.port}", "x", "k")
        await polls.close()
        await asyncio.sleep(0)
    assert between.lines == []
    assert len(near.requests) == 4


@pytest.mark.parametrize(
    ("rules", "host", "proxied"),
    [
        ("", "h.example", True),
        ("h.example", "h.example", False),
        ("example", "h.example", False),
        (".h.example", "a.h.example", False),
        ("*.h.example", "a.h.example", False),
        ("h.example", "xh.example", True),
        ("h.example:8443", "h.example", True),
        ("h.example:443", "h.example", False),
        ("a, h.example ", "h.example", False),
        ("*", "h.example", False),
        ("203.0.113.0/24", "203.0.113.9", False),
        ("203.0.113.0/24", "203.0.114.9", True),
        ("2001:db8::/32", "2001:db8::1", False),
        ("", "127.8.9.1", False),
        ("", "::1", False),
        ("", "a.localhost", False),
        ("", "LOCALHOST.", False),
    ],
)
def test_whom_it_is_for(monkeypatch: pytest.MonkeyPatch, rules: str, host: str, proxied: bool) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://p.example:3128")
    monkeypatch.setenv("NO_PROXY", rules)
    found = proxy_for("https", host, 443)
    assert str(found) == "http://p.example:3128" if proxied else found is None


def test_each_scheme_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://one.example:1")
    assert proxy_for("https", "h.example", 443) is None
    monkeypatch.setenv("ALL_PROXY", "socks5h://two.example:2")
    assert str(proxy_for("http", "h.example", 80)) == "http://one.example:1"
    with pytest.raises(ProxyUnusable, match="NO_PROXY"):
        outgoing.through(exact("https://h.example/"))
