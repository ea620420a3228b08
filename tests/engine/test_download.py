"""A download as a store keeps it: packed or not, of a length in one form or the other, and bounded in both."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path

import brotli
import pytest

from bridge_daemon.engine.download import download
from bridge_daemon.errors import DownloadTrouble
from bridge_daemon.publish.probe import fetch_back
from tests.engine.test_wire import wire

SOUND = b"RIFF" + bytes(range(256)) * 4000


def _raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKED: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "in capital letters": ("GZip", gzip.compress),
    "of two parts": ("gzip", lambda data: gzip.compress(data[:1000]) + gzip.compress(data[1000:])),
    "deflate": ("deflate", zlib.compress),
    "deflate without its header": ("deflate", _raw_deflate),
    "br": ("br", brotli.compress),
    "identity": ("identity", bytes),
    "x-gzip": ("x-gzip", gzip.compress),
    "packed twice": ("gzip, gzip", lambda data: gzip.compress(gzip.compress(data))),
    "said by nobody": ("", gzip.compress),
    "not packed at all": ("gzip", bytes),
    "of a store": ("aws-chunked", bytes),
}


def answer(name: str, how: str = "length", data: bytes = SOUND) -> bytes:
    encoding, pack = PACKED[name]
    body = pack(data)
    lines = [b"HTTP/1.1 200 OK", b"Content-Type: audio/wav"]
    lines += [f"Content-Encoding: {encoding}".encode()] if encoding else []
    if how == "chunked":
        lines.append(b"Transfer-Encoding: chunked")
        half = len(body) // 2
        body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:half], body[half:], b""))
    elif how == "length":
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([*lines, b"", body])


@pytest.mark.parametrize("how", ["length", "chunked", "until the end"])
@pytest.mark.parametrize("name", PACKED)
async def test_what_is_packed_is_unpacked(tmp_path: Path, name: str, how: str) -> None:
    async with wire(answer(name, how)) as store:
        await download(f"http://127.0.0.1:{store.port}/x", tmp_path / "x", private=True)
    assert (tmp_path / "x").read_bytes() == SOUND


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "x-gzip", "packed twice"])
@pytest.mark.fault(24)
async def test_a_bomb_stays_bounded(tmp_path: Path, name: str) -> None:
    bomb = answer(name, data=bytes(64 << 20))
    assert len(bomb) < 1 << 20
    async with wire(bomb) as store:
        with pytest.raises(DownloadTrouble, match="no take has"):
            await download(f"http://127.0.0.1:{store.port}/x", tmp_path / "x", private=True, most=4 << 20)
    assert (tmp_path / "x").stat().st_size <= 4 << 20


@pytest.mark.parametrize("name", ["gzip", "x-gzip"])
async def test_what_breaks_off_is_no_take(tmp_path: Path, name: str) -> None:
    whole = answer(name)
    async with wire(whole[:-1000]) as store:
        with pytest.raises(DownloadTrouble):
            await download(f"http://127.0.0.1:{store.port}/x", tmp_path / "x", private=True)
    head, _, body = answer(name).partition(b"\r\n\r\n")
    cut = head.replace(b"%d" % len(body), b"%d" % (len(body) - 500)) + b"\r\n\r\n" + body[:-500]
    async with wire(cut) as store:
        if name == "x-gzip":
            with pytest.raises(DownloadTrouble, match="broke off"):
                await download(f"http://127.0.0.1:{store.port}/x", tmp_path / "x", private=True)


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "identity"])
async def test_a_source_comes_back_also_where_a_proxy_packs_it(tmp_path: Path, name: str) -> None:
    source = tmp_path / "source.wav"
    source.write_bytes(SOUND)
    async with wire(answer(name)) as store:
        assert await fetch_back(f"http://127.0.0.1:{store.port}/x", source) is None
    async with wire(answer(name, data=SOUND[::-1])) as store:
        assert await fetch_back(f"http://127.0.0.1:{store.port}/x", source) == "another file came"


@pytest.mark.parametrize("location", ["/b%2F%7E?s=%2B&e=", "c%28?s=%3d", "?s=%7e"])
async def test_each_redirect_is_asked_for_as_it_is_given(tmp_path: Path, location: str) -> None:
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nRIFF"
    async with wire(ok) as last:
        there = f"http://127.0.0.1:{last.port}{location if location[0] == '/' else '/' + location}"
        reply = f"HTTP/1.1 302 x\r\nContent-Length: 0\r\nLocation: {there}\r\n\r\n".encode()
        async with wire(reply) as first:
            await download(f"http://127.0.0.1:{first.port}/a%2Fa/x%7E?q=%2F", tmp_path / "x", private=True)
    assert first.requests[0].startswith(b"GET /a%2Fa/x%7E?q=%2F HTTP/1.1")
    assert last.requests[0].startswith(b"GET %s HTTP/1.1" % there.partition(str(last.port))[2].encode())


async def test_a_download_brings_no_key_and_no_cookie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The URL is that of somebody else than the service, and where it leads to is somebody else again."""
    monkeypatch.setenv("EMPIRIOLABS_API_KEY", "sk-empiriolabs-secret")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "netrc").write_text("default login me password sk-empiriolabs-secret\n")
    async with wire(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nRIFF") as last:
        to = f"Location: http://127.0.0.1:{last.port}/x\r\nSet-Cookie: track=1; Path=/\r\nContent-Length: 0"
        async with wire(f"HTTP/1.1 302 x\r\n{to}\r\n\r\n".encode()) as first:
            await download(f"http://127.0.0.1:{first.port}/x", tmp_path / "x", private=True)
    for asked in (first.requests[0], last.requests[0]):
        head = asked.lower()
        assert b"secret" not in head
        assert b"\r\nauthorization:" not in head
        assert b"\r\ncookie:" not in head
        assert b"\r\nreferer:" not in head
