"""What the sketch engine refuses, as the service's page documents it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from bridge_daemon.engine.sketch import contract

GENERATE = "/v1/audio/generations"
GOOD: dict[str, Any] = {"model": "stable-audio-2-0", "prompt": "piano", "duration": 1}
TRANSFORM = GOOD | {"mode": "audio-to-audio", "audio_url": "https://example.org/a.wav"}


def without(body: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in names}


FAULTS: list[tuple[dict[str, Any], int, str, str]] = [
    (without(GOOD, "model"), 422, "invalid_request", "model"),
    (GOOD | {"model": 3}, 422, "invalid_request", "model"),
    (GOOD | {"model": "stable-audio-9"}, 404, "model_not_found", "stable-audio-9"),
    (without(GOOD, "prompt"), 422, "invalid_request", "prompt"),
    (GOOD | {"prompt": "  "}, 422, "invalid_request", "prompt"),
    (GOOD | {"prompt": 3}, 422, "invalid_request", "prompt"),
    (GOOD | {"prompt": "x" * 10_001}, 422, "invalid_request", "prompt"),
    (GOOD | {"mode": "audio-inpaint"}, 422, "invalid_request", "audio_url"),
    (TRANSFORM | {"mode": "audio-inpaint", "mask_start": 1}, 422, "invalid_request", "mask_end"),
    (TRANSFORM | {"mode": "audio-inpaint", "mask_start": 2, "mask_end": 1}, 422, "invalid_request", "mask_end"),
    (TRANSFORM | {"mode": "audio-inpaint", "mask_start": 1, "mask_end": 191}, 422, "invalid_request", "mask_end"),
    (
        TRANSFORM | {"mode": "audio-inpaint", "mask_start": 1, "mask_end": 2, "strength": 1},
        422,
        "invalid_request",
        "strength",
    ),
    (TRANSFORM | {"mask_start": 1, "mask_end": 2}, 422, "invalid_request", "mask_start"),
    (GOOD | {"mask_start": 1, "mask_end": 2}, 422, "invalid_request", "mask_start"),
    (GOOD | {"mode": ["text-to-audio"]}, 422, "invalid_request", "mode"),
    (GOOD | {"output_format": "ogg"}, 422, "invalid_request", "output_format"),
    (GOOD | {"duration": 0.99}, 422, "invalid_request", "duration"),
    (GOOD | {"duration": 190.01}, 422, "invalid_request", "duration"),
    (GOOD | {"duration": "30"}, 422, "invalid_request", "duration"),
    (GOOD | {"duration": True}, 422, "invalid_request", "duration"),
    (GOOD | {"duration": float("nan")}, 422, "invalid_request", "duration"),
    (GOOD | {"duration": float("inf")}, 422, "invalid_request", "duration"),
    (GOOD | {"duration": None}, 422, "invalid_request", "duration"),
    (GOOD | {"steps": 29}, 422, "invalid_request", "steps"),
    (GOOD | {"steps": 101}, 422, "invalid_request", "steps"),
    (TRANSFORM | {"steps": 5}, 422, "invalid_request", "steps"),
    (TRANSFORM | {"steps": True}, 422, "invalid_request", "steps"),
    (GOOD | {"cfg_scale": 0.5}, 422, "invalid_request", "cfg_scale"),
    (GOOD | {"cfg_scale": 26}, 422, "invalid_request", "cfg_scale"),
    (GOOD | {"random_seed": "no"}, 422, "invalid_request", "random_seed"),
    (GOOD | {"seed": "1"}, 422, "invalid_request", "seed"),
    (GOOD | {"seed": -1}, 422, "invalid_request", "seed"),
    (GOOD | {"seed": 1.5}, 422, "invalid_request", "seed"),
    (GOOD | {"seed": 1 << 32}, 422, "invalid_request", "seed"),
    (GOOD | {"seed": 10**400}, 422, "invalid_request", "seed"),
    (GOOD | {"seed": float("inf")}, 422, "invalid_request", "seed"),
    (GOOD | {"duration": 10**400}, 422, "invalid_request", "duration"),
    (GOOD | {"prompt": "half \ud800"}, 422, "invalid_request", "prompt"),
    (GOOD | {"bpm": 120}, 422, "invalid_request", "bpm"),
    (GOOD | {"strength": 0.5}, 422, "invalid_request", "strength"),
    (GOOD | {"audio_url": "https://example.org/a.wav"}, 422, "invalid_request", "audio_url"),
    (without(TRANSFORM, "audio_url"), 422, "invalid_request", "audio_url"),
    (TRANSFORM | {"audio_url": ""}, 422, "invalid_request", "audio_url"),
    (without(TRANSFORM, "prompt"), 422, "invalid_request", "prompt"),
    (TRANSFORM | {"strength": 1.1}, 422, "invalid_request", "strength"),
    (TRANSFORM | {"strength": -0.1}, 422, "invalid_request", "strength"),
]


@pytest.mark.parametrize(("body", "status", "code", "word"), FAULTS, ids=lambda v: str(v)[:40])
async def test_faults(caller, body: dict[str, Any], status: int, code: str, word: str) -> None:
    got, answer = await caller.ask("POST", GENERATE, json=body)
    assert got == status
    assert set(answer) == {"error"}
    assert set(answer["error"]) == {"message", "type", "code"}
    assert answer["error"]["code"] == code
    assert word in answer["error"]["message"]


async def test_all_faults_at_once(caller) -> None:
    _, answer = await caller.ask("POST", GENERATE, json=GOOD | {"steps": 1, "cfg_scale": 99, "key": "C", "mode": "x"})
    for word in ("steps", "cfg_scale", "key", "mode"):
        assert word in answer["error"]["message"]


@pytest.mark.parametrize("data", [b"", b"nope", b"[]", b'"x"', b"\xff\xfe", b"[" * 100_000, b"null"])
async def test_not_an_object(caller, data: bytes) -> None:
    status, answer = await caller.ask("POST", GENERATE, data=data)
    assert status == 400
    assert answer["error"]["code"] == "invalid_request"


async def test_too_large_a_body(caller) -> None:
    status, answer = await caller.ask("POST", GENERATE, data=json.dumps(GOOD | {"prompt": "x" * 300_000}))
    assert status == 413
    assert answer["error"]["code"] == "invalid_request"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "missing_api_key"),
        ({"Authorization": "Bearer "}, "missing_api_key"),
        ({"Authorization": "Basic eHg6eHg="}, "missing_api_key"),
        ({"Authorization": "Bearer wrong"}, "invalid_api_key"),
        ({"Authorization": "Bearer schlüssel"}, "invalid_api_key"),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", GENERATE), ("GET", "/v1/jobs/x"), ("GET", "/v1/models/stable-audio-2-0"), ("GET", "/v1/nothing")],
)
async def test_keys(start, headers: dict[str, str], code: str, method: str, path: str) -> None:
    caller = await start(key="right")
    status, answer = await caller.ask(method, path, headers=headers)
    assert status == 401
    assert answer["error"]["code"] == code
    assert answer["error"]["type"] == "authentication_error"


@pytest.mark.parametrize("headers", [{"Authorization": "Bearer right"}, {"x-api-key": "right"}])
async def test_right_key(start, headers: dict[str, str]) -> None:
    caller = await start(key="right")
    status, _ = await caller.ask("GET", "/v1/models/stable-audio-2-0", headers=headers)
    assert status == 200


async def test_a_key_that_is_no_text(start) -> None:
    caller = await start(key="right")
    host, port = caller.base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /v1/jobs/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer \xff\xfe\r\n\r\n")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert b" 401 " in answer.partition(b"\r\n")[0]
    assert b"invalid_api_key" in answer


@pytest.mark.parametrize("prompt", ["a\0b", "piano 🎹", "ピアノ", "x" * 10_000])
async def test_unusual_prompts(caller, prompt: str) -> None:
    for form in ("wav", "mp3"):
        job = await caller.finished(await caller.generate(prompt=prompt, duration=1, output_format=form))
        assert job["status"] == "completed"


async def test_catalogue(caller) -> None:
    status, answer = await caller.ask("GET", "/v1/models/stable-audio-2-0")
    assert status == 200
    assert answer["id"] == "stable-audio-2-0"
    assert "Not the model" in answer["description"]
    rows = {row["name"]: row for row in answer["supported_parameters"]}
    assert rows["duration"] == {"name": "duration", "type": "number", "default": 190, "range": [1, 190]}
    assert rows["mode"]["range"] == ["text-to-audio", "audio-to-audio", "audio-inpaint"]  # to be tried free
    assert rows["seed"]["range"] is None
    assert {row["rate"] for row in answer["pricing_rows"]} == {"$0.00"}
    status, answer = await caller.ask("GET", "/v1/models/other")
    assert (status, answer["error"]["code"]) == (404, "model_not_found")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/jobs/sk_000000000000000000000000", 404),
        ("GET", "/v1/jobs/..%2f..%2fsecret", 404),
        ("GET", "/v1/nothing", 404),
        ("GET", "/", 404),
        ("GET", GENERATE, 405),
        ("DELETE", "/v1/jobs/x", 405),
    ],
)
async def test_unknown_places(caller, method: str, path: str, status: int) -> None:
    got, answer = await caller.ask(method, path)
    assert got == status
    assert answer["error"]["code"] == ("not_found" if status == 404 else "invalid_request")


async def test_rate_limit_where_it_is_wished(start) -> None:
    caller = await start(requests_per_minute=3)
    statuses = [(await caller.ask("GET", "/v1/jobs/x"))[0] for _ in range(5)]
    assert statuses == [404, 404, 404, 429, 429]
    status, answer = await caller.ask("POST", GENERATE, json=GOOD)
    assert (status, answer["error"]["code"]) == (429, "rate_limit_exceeded")


def test_defaults_are_the_page_s() -> None:
    asked = contract.check({"model": "stable-audio-2-0", "prompt": "x"})
    assert (asked.mode, asked.output_format, asked.duration) == ("text-to-audio", "mp3", 190)
    assert (asked.steps, asked.cfg_scale, asked.strength) == (50, 7, 1)


def test_seeds() -> None:
    def seed(**given: Any) -> int:
        return contract.check(GOOD | given).seed

    assert seed(random_seed=False, seed=42) == 42
    assert seed(random_seed=False, seed=42.0) == 42
    assert len({seed(seed=42) for _ in range(5)}) == 5, "random_seed is true unless said otherwise"
    assert len({seed(random_seed=False) for _ in range(5)}) == 5


@pytest.mark.parametrize("steps", [6, 8, 30, 100])
def test_fewer_steps_in_audio_to_audio(steps: int) -> None:
    assert contract.check(TRANSFORM | {"steps": steps}).steps == steps
