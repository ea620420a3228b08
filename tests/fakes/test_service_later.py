"""What follows a POST at the stand-in of the service: sources, polls, downloads."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.fakes import audio, results, words
from tests.fakes.caller import ARGUMENTS, TRANSFORM, Caller

# --- sources -----------------------------------------------------------------------------------------------------


async def serve(data: bytes, status: int = 200) -> tuple[asyncio.Server, str, list[bytes]]:
    heads: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(f"HTTP/1.1 {status} S\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n".encode() + data)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/s.wav", heads


def tone(kind: str, seconds: float) -> bytes:
    return audio.render(kind, seconds, 44100, 1, 16, 220.0)


SOURCES: dict[str, tuple[Callable[[], bytes], int, str | None]] = {
    "good": (lambda: tone("wav", 6), 200, None),
    "mp3": (lambda: tone("mp3", 7), 200, None),
    "short": (lambda: tone("wav", 5.99), 200, "5.990 s"),
    "long": (lambda: tone("wav", 190.1), 200, "190.100 s"),
    "flac": (lambda: tone("flac", 7), 200, "neither WAV nor MP3"),
    "cut": (lambda: tone("wav", 12)[:-100_000], 200, "cut off"),
    "html": (lambda: words.PAGE, 200, "not audio"),
    "missing": (lambda: b"", 404, "answered 404"),
    "large": (lambda: bytes(50_000_001), 200, "larger than 50 MB"),
}


@pytest.mark.parametrize("mode", ["refuse", "fail"])
@pytest.mark.parametrize("name", SOURCES)
async def test_sources_are_fetched_and_judged(caller: Caller, name: str, mode: str) -> None:
    make, status, trouble = SOURCES[name]
    service, caller.service.source_trouble = caller.service, mode
    server, url, heads = await serve(make(), status)
    async with server:
        got, raw = await caller.post(TRANSFORM | {"audio_url": url, "steps": 8})
        if mode == "refuse" and trouble:
            assert (got, trouble in raw.decode(), service.charges) == (400, True, [])
        else:
            said = {"status": ""}
            while said["status"] not in ("completed", "failed"):
                said = json.loads((await caller.poll(json.loads(raw)["job_id"]))[1])
            assert said["status"] == ("failed" if trouble else "completed")
            assert len(service.charges) == 1
    assert len(service.fetches) == len(heads) == 1
    assert trouble is None or trouble in service.fetches[0]["trouble"]
    assert b"uthorization" not in heads[0]


async def test_a_source_that_nobody_serves_is_refused(caller: Caller) -> None:
    assert (await caller.post(TRANSFORM | {"audio_url": "http://127.0.0.1:9/s.wav"}))[0] == 400
    assert "could not be fetched" in caller.service.fetches[0]["trouble"]


# --- polls -------------------------------------------------------------------------------------------------------


async def test_a_job_takes_its_time_and_is_forgotten(caller: Caller) -> None:
    service = caller.service
    service.job_seconds = [100, 20]
    first, second, third = [json.loads((await caller.post())[1])["job_id"] for _ in range(3)]
    assert json.loads((await caller.poll(first))[1])["status"] == "queued"
    service.advance(50)
    said = json.loads((await caller.poll(first))[1])
    assert (said["status"], said["progress"]) == ("processing", pytest.approx(0.5, abs=0.01))
    assert [json.loads((await caller.poll(j))[1])["status"] for j in (second, third)] == ["completed"] * 2
    service.advance(3571)
    assert [(await caller.poll(j))[0] for j in (first, second)] == [200, 404]
    service.forget(first)
    assert (await caller.poll(first))[0] == 404
    assert (await caller.poll("never"))[0] == 404


@pytest.mark.parametrize("word", sorted(words.POLL))
async def test_each_word_of_a_poll(caller: Caller, word: str) -> None:
    job = json.loads((await caller.post())[1])["job_id"]
    caller.service.script_poll(ARGUMENTS.get(word, word))
    caller.expect(word)
    status, raw = await caller.poll(job)
    caller.expect("ok")
    expected = {
        "drop": "ServerDisconnectedError",
        "silence": "TimeoutError",
        "truncated": "ClientPayloadError",
    }.get(word, int(word) if word.isdigit() else 200)
    assert status == expected
    said = json.loads((await caller.poll(job))[1])
    assert said["status"] == ("failed" if word in ("failed", "failed_no_error", "error_as_string") else "completed")
    if status == 200 and word != "html_200":
        now = json.loads(raw)
        statuses = {
            "ok": "completed", "completed_no_url": "completed", "missing_status": None, "status": "running",
            "unknown_status": "warming_up", "progress_back": "processing", "progress_nonsense": "processing",
            "backwards": "processing", "another_job": "completed", "url": "completed", "first_url": "completed",
        }  # fmt: skip
        assert now.get("status") == statuses.get(word, "failed")
        named = ("ok", "missing_status", "status", "unknown_status", "another_job", "url", "first_url")
        assert ("http" in json.dumps(now["result"])) == (word in named)


@pytest.mark.parametrize("shape", sorted(results.SHAPES))
async def test_each_shape_has_the_url_once(caller: Caller, shape: str) -> None:
    caller.service.result_shape = shape
    job = json.loads((await caller.post())[1])["job_id"]
    urls = re.findall(r'"(http[^"]+)"', (await caller.poll(job))[1].decode())
    assert len(urls) == 1
    assert (await caller.send("GET", urls[0]))[0] == 200
    caller.service.hostile_url = "file:///etc/passwd"
    assert b'"file:///etc/passwd"' in (await caller.poll(job))[1]


async def test_a_named_poll_url_is_a_trap(caller: Caller) -> None:
    caller.service.script_post("poll_url_elsewhere")
    await caller.send("GET", json.loads((await caller.post())[1])["poll_url"], headers=caller.headers)
    assert len(caller.service.violations) == 1


# --- downloads ---------------------------------------------------------------------------------------------------

#: What comes of each word that is no status and does not answer 200.
OUTCOMES: dict[str, Any] = {
    **dict.fromkeys(("redirect", "redirect_private", "redirect_loop"), 302),
    **dict.fromkeys(("silence", "endless", "slow_drip"), "TimeoutError"),
    **dict.fromkeys(("drop_at", "wrong_length_long", "huge_declared"), "ClientPayloadError"),
    "drop": "ServerDisconnectedError",
}


@pytest.mark.parametrize("word", sorted(words.DOWNLOAD))
async def test_each_word_of_a_download(caller: Caller, word: str) -> None:
    url = await caller.finished()
    _, whole = await caller.send("GET", url)
    caller.service.script_download(ARGUMENTS.get(word, word))
    caller.expect(word)
    status, data = await caller.send("GET", url)
    caller.expect("ok")
    assert status == OUTCOMES.get(word, int(word) if word.isdigit() else 200)
    if status == 200:
        share = {"truncated_wav_right_length": 2 / 3, "wrong_length_short": 2 / 3, "zero_bytes": 0}.get(word, 1)
        if word in ("html_200", "mp3_instead", "not_wav_flac"):
            assert data[:4] != b"RIFF"
        else:
            assert len(data) == int(len(whole) * share)
            assert (data == whole[: len(data)]) == (word != "garbage")
    assert (await caller.send("GET", url))[1] == whole
    assert [d["word"] for d in caller.service.downloads] == ["ok", *[word] * (2 if word == "drop" else 1), "ok"]


async def test_redirects_lead_to_the_file_or_round_and_round(caller: Caller) -> None:
    url = await caller.finished()
    for hops in (1, 2, 4):
        caller.service.script_download(f"redirect:{hops}")
        assert (await caller.send("GET", url, allow_redirects=True))[0] == 200
        assert len(caller.answer.history) == hops
    caller.service.script_download("redirect_loop")
    assert (await caller.send("GET", url, allow_redirects=True))[0] == "TooManyRedirects"


@pytest.mark.parametrize("header", ["Authorization", "X-Api-Key", "X-Other"])
async def test_a_key_in_a_download_is_a_violation(caller: Caller, header: str) -> None:
    url = await caller.finished()
    assert (await caller.send("GET", url, headers={header: f"Bearer {caller.service.key}"}))[0] == 400
    assert len(caller.service.violations) == 1


async def test_signed_urls_end_and_cannot_be_guessed(caller: Caller) -> None:
    url = await caller.finished()
    assert (await caller.send("GET", url.replace("exp=", "exp=1")))[0] == 403
    assert (await caller.send("GET", url.replace("%7E", "~")))[0] == 403, "the exact bytes are signed"
    caller.service.advance(7 * 86400 + 1)
    assert (await caller.send("GET", url))[0] == 403
