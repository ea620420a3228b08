"""The stand-in of the service is tested like the product: a wrong oracle of money would be worse than none."""

from __future__ import annotations

import asyncio
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import soundfile

from tests.fakes import results, words
from tests.fakes.caller import ARGUMENTS, BODY, TRANSFORM, Caller
from tests.fakes.memory import TABLES
from tests.fakes.service import GENERATIONS, Service


def documented(section: str, end: str = "") -> set[str]:
    text = (Path(__file__).parent / "README.md").read_text(encoding="utf-8")
    rows = re.findall(rf"^\| (`.*?) \|.*{end}", text.partition(f"### {section}\n")[2].partition("###")[0], re.MULTILINE)
    return {re.split(r"[:\[]", word)[0] for row in rows for word in re.findall(r"`([^`]+)`", row)}


@pytest.mark.parametrize(
    ("section", "table"),
    [
        ("Words for a POST", words.POST),
        ("Words for a poll", words.POLL),
        ("Words for a download", words.DOWNLOAD),
        ("Words for the catalogue", words.CATALOGUE),
        ("Result shapes", results.SHAPES),
    ],
)
def test_every_word_is_in_the_readme_and_the_other_way_round(section: str, table: dict[str, Any]) -> None:
    assert documented(section) == set(table)


def test_the_readme_says_what_is_charged() -> None:
    assert documented("Words for a POST", r"yes \|$") == CHARGED
    assert documented("Words for a POST", r"no \|$") == FREE


async def test_the_whole_way(caller: Caller) -> None:
    service = caller.service
    status, raw = await caller.post(BODY | {"seed": 7, "random_seed": False, "steps": 50, "cfg_scale": 7.5})
    job = json.loads(raw)["job_id"]
    assert status == 200
    assert [c.remote_id for c in service.charges] == [job]
    said = json.loads((await caller.poll(job))[1])
    about = said["result"]["data"][0]
    assert (said["status"], about["content_type"], about["duration_seconds"]) == ("completed", "audio/wav", 1.0)
    status, data = await caller.send("GET", about["url"])
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        assert (file.format, file.frames, file.samplerate, file.channels, file.subtype) == (
            "WAV", 44100, 44100, 2, "PCM_16",
        )  # fmt: skip
    post = service.posts[0]
    assert (post.word, post.charged, post.fresh, post.body["steps"]) == ("ok", True, True, 50)
    assert post.raw.count('"prompt"') == 1
    assert post.head.startswith(f"POST {GENERATIONS} HTTP/1.1\r\n")
    assert service.jobs[job].polls == 1
    assert service.violations == []


async def test_connections_live_on_and_are_told_apart() -> None:
    async with Service() as service, aiohttp.ClientSession() as session:
        caller = Caller(service, session)
        assert [(await caller.post())[0] for _ in range(2)] == [200, 200]
        assert [p.fresh for p in service.posts] == [True, False]


async def test_files_are_mp3_unless_asked_and_as_long_as_told(caller: Caller) -> None:
    caller.service.take_seconds = None
    _, data = await caller.send(
        "GET", await caller.finished({"model": "stable-audio-2-0", "prompt": "x", "duration": 2})
    )
    assert soundfile.info(io.BytesIO(data)).format == "MP3"
    assert soundfile.info(io.BytesIO(data)).duration == pytest.approx(2, abs=0.1)


# --- the door ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"[]", 422),
        (b"{", 422),
        (b"\xff", 422),
        (b'{"model": "stable-audio-2-0", "prompt": "a", "prompt": "b"}', 422),
        (b'{"model": "stable-audio-2-0", "prompt": "a", "duration": NaN}', 422),
        ({"prompt": "a"}, 422),
        ({"model": "stable-audio-2-0"}, 422),
        (BODY | {"model": "other"}, 404),
        (BODY | {"prompt": " "}, 422),
        (BODY | {"prompt": None}, 422),
        (BODY | {"colour": "red"}, 422),
        (BODY | {"duration": 0.9}, 422),
        (BODY | {"duration": 190.1}, 422),
        (BODY | {"duration": "10"}, 422),
        (BODY | {"duration": True}, 422),
        (BODY | {"steps": 29}, 422),
        (BODY | {"steps": 30.5}, 422),
        (BODY | {"cfg_scale": 26}, 422),
        (BODY | {"mode": "audio-inpaint"}, 422),
        (BODY | {"output_format": "flac"}, 422),
        (BODY | {"seed": 5}, 422),
        (BODY | {"seed": -1, "random_seed": False}, 422),
        (BODY | {"random_seed": "no"}, 422),
        (BODY | {"strength": 0.5}, 422),
        (BODY | {"audio_url": "http://127.0.0.1/a.wav"}, 422),
        (TRANSFORM, 422),
        (TRANSFORM | {"audio_url": "file:///a.wav"}, 422),
        (TRANSFORM | {"audio_url": "http://127.0.0.1:9/a.wav", "steps": 5}, 422),
        (TRANSFORM | {"audio_url": "http://127.0.0.1:9/a.wav", "strength": 1.1}, 422),
    ],
)
async def test_what_the_page_does_not_allow_is_refused(caller: Caller, body: Any, status: int) -> None:
    caller.service.script_post("502_after_accept")
    got, raw = await caller.post(body)
    assert (got, set(json.loads(raw)["error"])) == (status, {"message", "type", "code"})
    assert caller.service.charges == []
    assert [p.word for p in caller.service.posts] == ["refused"]
    assert caller.service.state()["left"]["post"] == ["502_after_accept"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": ""}, 401),
        ({"Authorization": "Bearer sk-other"}, 401),
        ({"Authorization": "sk-empiriolabs-test"}, 401),
        ({"Content-Type": "text/plain"}, 422),
        ({"Content-Type": "application/json; charset=utf-8"}, 422),
    ],
)
async def test_key_and_type_are_exact(caller: Caller, headers: dict[str, str], status: int) -> None:
    assert (await caller.post(headers=headers))[0] == status
    assert caller.service.charges == []


@pytest.mark.parametrize(
    "request_text",
    [
        "POST /v1/audio/generations HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /v1/audio/generations HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 0\r\n\r\n",
        "POST /v1/audio/generations HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /v1/jobs/1 HTTP/1.1\r\n\r\n",
        "GET /v1/jobs/1 HTTP/1.0\r\nHost: a\r\n\r\n",
        "GET /v1/jobs/1 HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET /v1/jobs/1 HTTP/1.1\r\nHost: a\r\nX: " + "x" * 200_000 + "\r\n\r\n",
    ],
)
async def test_malformed_http_is_refused(caller: Caller, request_text: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", caller.service.port)
    writer.write(request_text.encode())
    assert (await reader.read(12)) == b"HTTP/1.1 400"
    writer.transport.abort()


async def test_a_half_post_is_no_charge(caller: Caller) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", caller.service.port)
    writer.write(b"POST /v1/audio/generations HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    for _ in range(50):
        await asyncio.sleep(0.01)
        if caller.service.posts:
            break
    assert [(p.word, p.raw) for p in caller.service.posts] == [("incomplete", "{")]
    assert caller.service.charges == []


async def test_the_rate_counts_polls_and_slides(caller: Caller) -> None:
    service = caller.service
    service.enforce_rate, service.retry_after = True, "7"
    job = json.loads((await caller.post())[1])["job_id"]
    assert [(await caller.poll(job))[0] for _ in range(49)] == [200] * 49
    assert (await caller.post())[0] == 429
    assert caller.answer.headers["Retry-After"] == "7"
    assert (len(service.charges), service.busiest_minute()) == (1, 51)
    service.advance(60)
    assert (await caller.poll(job))[0] == 200


# --- POST --------------------------------------------------------------------------------------------------------

FREE = {
    *("400", "401", "402", "403", "404", "413", "422", "429", "503_model_unavailable", "drop_before_read"),
    *("408", "409", "425", "500", "502", "503", "504", "301", "302", "303", "307", "308"),
}
CHARGED = {*words.POST} - FREE
NO_ANSWER = {
    "drop_before_read": {"ServerDisconnectedError", "ClientOSError", "ClientConnectionResetError"},
    "accept_then_drop": {"ServerDisconnectedError"},
    "accept_then_reset": {"ClientOSError", "ServerDisconnectedError"},
    "silence": {"TimeoutError", "ConnectionTimeoutError", "ServerTimeoutError"},
    "endless_body": {"TimeoutError"},
    "drop_after_headers": {"ClientPayloadError"},
    "truncated_body": {"ClientPayloadError"},
    "truncated_chunked": {"ClientPayloadError"},
}


@pytest.mark.parametrize("word", sorted(words.POST))
async def test_each_word_of_a_post(caller: Caller, word: str) -> None:
    service = caller.service
    service.script_post(ARGUMENTS.get(word, word))
    caller.expect(word)
    status, raw = await caller.post()
    assert len(service.charges) == (word in CHARGED)
    assert [p.charged for p in service.posts] == [word in CHARGED]
    assert service.posts[0].word == ARGUMENTS.get(word, word)
    if word in NO_ANSWER:
        assert status in NO_ANSWER[word]
    else:
        assert status == (int(word[:3]) if word[:3].isdigit() else 200)
        assert word == "huge_body" or len(raw) < 300_000
    caller.expect("ok")
    assert (await caller.post())[0] == 200, "a script that has ended means ok"
    assert len(service.charges) == (word in CHARGED) + 1


async def test_odd_ids_can_be_polled(caller: Caller) -> None:
    caller.service.script_post("id_number", "id_hostile", "id_field_named_id", "same_remote_id")
    number = json.loads((await caller.post())[1])["job_id"]
    assert isinstance(number, int)
    assert (await caller.poll(str(number)))[0] == 200
    hostile = json.loads((await caller.post())[1])["job_id"]
    assert hostile.startswith("../../_fake/state?x=")
    named = json.loads((await caller.post())[1])["id"]
    assert json.loads((await caller.post())[1])["job_id"] == named
    assert [c.remote_id for c in caller.service.charges] == [str(number), hostile, named, named]


@pytest.mark.parametrize("word", ["301", "302", "303", "307", "308", "307:self"])
async def test_a_redirect_that_is_followed_costs(caller: Caller, word: str) -> None:
    caller.service.script_post(word)
    assert (await caller.post(allow_redirects=True))[0] == 200
    assert len(caller.service.charges) == 1
    assert len(caller.service.violations) == ("self" not in word)


async def test_retry_after_is_sent_as_it_stands(caller: Caller) -> None:
    texts = ["30", "1e9", "-5", "Wed, 21 Oct 2015 07:28:00 GMT"]
    caller.service.script_post(*(f"429:{text}" for text in texts))
    for text in texts:
        assert (await caller.post())[0] == 429
        assert caller.answer.headers["Retry-After"] == text


def test_unknown_words_are_named_at_once() -> None:
    service = Service()
    with pytest.raises(ValueError, match="no such word: 'accept_and_drop'"):
        service.script_post("accept_and_drop")
    service.script_poll("500*3", "429:9*2")
    assert service.state()["left"]["poll"] == ["500", "500", "500", "429:9", "429:9"]


# --- catalogue, control, process ---------------------------------------------------------------------------------


async def test_the_catalogue(caller: Caller) -> None:
    model = "/v1/models/stable-audio-2-0"
    rows = json.loads((await caller.send("GET", model, headers=caller.headers))[1])["pricing_rows"]
    assert [row["rate"] for row in rows] == ["$0.58", "$0.00"]
    caller.service.prices(0.99, 0)
    rows = json.loads((await caller.send("GET", model, headers=caller.headers))[1])["pricing_rows"]
    assert [row["rate"] for row in rows] == [0.99, 0]
    for word in sorted(words.CATALOGUE):
        caller.expect(word)
        caller.service.script_catalogue(ARGUMENTS.get(word, word))
        status, _ = await caller.send("GET", model, headers=caller.headers)
        outcomes = {"drop": "ServerDisconnectedError", "silence": "TimeoutError"}
        assert status == outcomes.get(word, int(word) if word.isdigit() else 200)
    caller.expect("ok")
    assert (await caller.send("GET", model))[0] == 401
    assert (await caller.send("GET", "/v1/models/other", headers=caller.headers))[0] == 404


async def test_control_from_another_process(caller: Caller) -> None:
    order = {"post": ["402"], "set": {"job_seconds": 9}, "advance": 5}
    assert (await caller.send("POST", "/_fake/script", json=order))[0] == 200
    assert (await caller.post())[0] == 402
    assert caller.service.job_seconds == 9
    wrongs: list[Any] = [{"post": ["no"]}, {"set": {"port": 1}}, {"colour": 1}, {"forget": ["no"]}, []]
    for wrong in wrongs:
        assert (await caller.send("POST", "/_fake/script", json=wrong))[0] == 400
    state = json.loads((await caller.send("GET", "/_fake/state"))[1])
    assert [p["word"] for p in state["posts"]] == ["402"]
    assert {"charges", "posts", "jobs", "polls", "downloads", "requests", "violations"} <= set(state)


@pytest.mark.slow
async def test_as_a_process_it_keeps_its_charges_when_killed(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    start = [sys.executable, "-m", "tests.fakes.service", "--state", str(file)]

    async def run(*more: str) -> tuple[asyncio.subprocess.Process, str]:
        process = await asyncio.create_subprocess_exec(*start, *more, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        return process, (await process.stdout.readline()).decode().strip()

    process, url = await run("--script", '{"post": ["accept_then_drop"]}')
    port = url.rpartition(":")[2]
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer sk-empiriolabs-test"}) as session:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.post(url + GENERATIONS, json=BODY)
        process.kill()
        await process.wait()
        assert len(json.loads(file.read_text())["charges"]) == 1
        process, url = await run("--port", port)
        async with session.get(url + "/_fake/state") as answer:
            state = await answer.json()
        assert len(state["charges"]) == 1
        async with session.get(f"{url}/v1/jobs/{state['charges'][0]['remote_id']}") as answer:
            assert (await answer.json())["status"] == "completed"
    process.terminate()
    assert await process.wait() == 0


async def test_a_fault_of_the_fake_fails_the_test() -> None:
    with pytest.raises(ExceptionGroup):
        async with Service() as service, aiohttp.ClientSession() as session:
            service.script_post("slow_ok:soon")
            with pytest.raises(aiohttp.ClientError):
                await Caller(service, session).session.post(
                    service.url + GENERATIONS, json=BODY, headers={"Authorization": f"Bearer {service.key}"}
                )


def test_all_tables_have_ok() -> None:
    assert all("ok" in table for table in TABLES.values())
