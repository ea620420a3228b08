"""Audio over HTTP: whole, in ranges, and never anything but a plain file under a harmless name."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

import pytest

from bridge_daemon.frontends.http.download import safe_name
from tests.util.wine import REUSED_NUMBERS

DATA = bytes(range(256)) * 4000


@pytest.fixture
def take(api, tmp_path) -> Path:
    path = tmp_path / "rain in a tent-j1.wav"
    path.write_bytes(DATA)
    api.desk.files["j1"] = path
    return path


@pytest.mark.parametrize("kind", ["audio", "source"])
async def test_a_whole_file(api, take, kind):
    answer = await api.ask(f"/api/jobs/j1/{kind}", "Accept-Encoding: gzip")
    assert (answer.status, answer.body) == (200, DATA)
    assert answer.headers["content-type"] == "audio/wav"
    assert answer.headers["content-disposition"] == 'attachment; filename="rain-in-a-tent-j1.wav"'
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'; frame-ancestors 'none'")
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["server"] == "daw-bridge"
    assert api.desk.calls == [("stored_take" if kind == "audio" else "source_file", "j1")]


async def test_the_head_of_a_file(api, take):
    answer = await api.ask("/api/jobs/j1/audio", method="HEAD")
    assert (answer.status, answer.headers["content-length"]) == (200, str(len(DATA)))


@pytest.mark.parametrize(
    ("asked", "status", "start", "end"),
    [
        ("bytes=0-9", 206, 0, 10),
        ("bytes=0-", 206, 0, len(DATA)),
        ("bytes=10-10", 206, 10, 11),
        ("bytes=300000-700000", 206, 300_000, 700_001),
        ("bytes=-5", 206, len(DATA) - 5, len(DATA)),
        ("bytes=-99999999", 206, 0, len(DATA)),
        (f"bytes={len(DATA) - 1}-99999999999", 206, len(DATA) - 1, len(DATA)),
        ("bytes=9-5", 200, 0, len(DATA)),
        ("bytes=-", 200, 0, len(DATA)),
        ("bytes=0-1,5-6", 200, 0, len(DATA)),
        ("items=0-5", 200, 0, len(DATA)),
        ("bytes=a-b", 200, 0, len(DATA)),
        ("", 200, 0, len(DATA)),
    ],
)
async def test_ranges(api, take, asked, status, start, end):
    answer = await api.ask("/api/jobs/j1/audio", f"Range: {asked}")
    assert answer.status == status
    assert answer.body == DATA[start:end]
    if status == 206:
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(DATA)}"


@pytest.mark.parametrize("asked", [f"bytes={len(DATA)}-", "bytes=99999999-99999999", "bytes=-0"])
async def test_a_range_behind_the_end(api, take, asked):
    answer = await api.ask("/api/jobs/j1/audio", f"Range: {asked}")
    assert (answer.status, answer.code) == (416, "E-INVALID")
    assert answer.headers["content-range"] == f"bytes */{len(DATA)}"


async def test_an_empty_file(api, take):
    take.write_bytes(b"")
    answer = await api.ask("/api/jobs/j1/audio")
    assert (answer.status, answer.body) == (200, b"")
    assert (await api.ask("/api/jobs/j1/audio", "Range: bytes=0-")).status == 416


async def test_a_range_of_a_file_that_changed_is_all_of_it(api, take):
    etag = (await api.ask("/api/jobs/j1/audio")).headers["etag"]
    assert (await api.ask("/api/jobs/j1/audio", "Range: bytes=0-1", f"If-Range: {etag}")).status == 206
    take.write_bytes(DATA + b"more")
    answer = await api.ask("/api/jobs/j1/audio", "Range: bytes=0-1", f"If-Range: {etag}")
    assert (answer.status, answer.body) == (200, DATA + b"more")


async def test_a_compressed_sister_is_not_sent_instead(api, take):
    take.with_name(take.name + ".gz").write_bytes(b"something else")
    assert (await api.ask("/api/jobs/j1/audio", "Accept-Encoding: gzip, br")).body == DATA


async def test_files_that_cannot_be_sent(api, tmp_path):
    if os.name != "nt":
        os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("gone.wav", "folder", "pipe"):
        api.desk.files["j1"] = tmp_path / name
        answer = await api.ask("/api/jobs/j1/audio")
        assert (answer.status, answer.code) == (404, "E-NOT-FOUND")
        assert str(tmp_path) not in answer.error["message"]
    assert (await api.ask("/api/jobs/j2/audio")).code == "E-NOT-FOUND"


@pytest.mark.parametrize("kind", ["audio", "source"])
@pytest.mark.parametrize(
    "made", ["link", "hard link", "other bytes", pytest.param("same size and time", marks=REUSED_NUMBERS)]
)
async def test_nothing_else_is_sent_under_the_name_of_a_take(api, take, tmp_path, kind, made):
    api.desk.hashes["j1"] = hashlib.sha256(DATA).hexdigest()
    assert (await api.ask(f"/api/jobs/j1/{kind}")).status == 200
    token = tmp_path / "token"
    token.write_bytes(b"secret" * 10)
    about = take.stat()
    take.unlink()
    if made == "link":
        take.symlink_to(token)
    elif made == "hard link":
        os.link(token, take)
    elif made == "other bytes":
        take.write_bytes(b"secret" * 10)
    else:
        take.write_bytes(DATA[:-1] + b"x")
        os.utime(take, ns=(about.st_atime_ns, about.st_mtime_ns))
    answer = await api.ask(f"/api/jobs/j1/{kind}")
    if kind == "audio" or made == "link":
        assert (answer.status, answer.code) == (404, "E-NOT-FOUND")
        assert b"secret" not in answer.body


async def test_who_leaves_while_reading(api, take):
    take.write_bytes(DATA * 30)
    for _ in range(3):
        reader, writer = await api.connect()
        head = f"GET /api/jobs/j1/audio HTTP/1.1\r\nHost: 127.0.0.1:{api.port}\r\n"
        writer.write(f"{head}Authorization: {api.bearer['Authorization']}\r\n\r\n".encode())
        await reader.readexactly(1000)
        writer.transport.abort()
    assert (await api.ask("/api/jobs/j1/audio", "Range: bytes=0-3")).body == DATA[:4]


async def test_a_file_that_becomes_shorter_breaks_off(api, take, monkeypatch):
    class Shorter:
        st_size, st_mtime_ns = len(DATA) + 10, 0

    real = os.fstat
    monkeypatch.setattr(
        "bridge_daemon.frontends.http.download.os.fstat", lambda fd: real(fd) if not sized(fd) else Shorter
    )
    seen: set[int] = set()

    def sized(fd: int) -> bool:
        if fd in seen:
            return True
        seen.add(fd)
        return False

    with pytest.raises(asyncio.IncompleteReadError):
        await api.ask("/api/jobs/j1/audio")


async def test_two_at_once(api, take):
    answers = await asyncio.gather(*(api.ask("/api/jobs/j1/audio") for _ in range(5)))
    assert all(answer.body == DATA for answer in answers)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("rain-j1.wav", "rain-j1.wav"),
        ('a"; filename="b.exe', "a-filename-b.exe"),
        ("a\r\nSet-Cookie: x.wav", "a-Set-Cookie-x.wav"),
        ("Äther ☔.wav", "ther-.wav"),
        ("...", "take.wav"),
        ("☔", "take.wav"),
        (".hidden.wav", "hidden.wav"),
    ],
)
def test_names_in_headers_are_plain(name, safe):
    assert safe_name(Path(name)) == safe


@pytest.mark.parametrize(("name", "kind"), [("a.FLAC", "audio/flac"), ("a.html", "application/octet-stream")])
async def test_types(api, tmp_path, name, kind):
    (tmp_path / name).write_bytes(b"<script>")
    api.desk.files["j1"] = tmp_path / name
    assert (await api.ask("/api/jobs/j1/source")).headers["content-type"] == kind
