"""The words for a POST: every way in which a submit can go wrong, with and without a charge."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from tests.fakes.wire import chunk
from tests.fakes.words import MEGABYTE, PAGE, POST, REFUSALS, TROUBLES, Act, refusal, too_many, word

HOSTILE_ID = "../../_fake/state?x="

POST |= {**REFUSALS, **TROUBLES, "429": too_many}
POST |= {
    "408": refusal(408, "timeout", "The request took too long"),
    "409": refusal(409, "conflict", "Conflict"),
    "425": refusal(425, "too_early", "Too early"),
    "503_model_unavailable": refusal(503, "model_unavailable", "The model is down for maintenance"),
}


@word(POST, "ok", "201", "202", "slow_ok", "same_remote_id")
async def _ok(act: Act) -> None:
    job = act.accept(again=act.word == "same_remote_id")
    if act.word == "slow_ok":
        await asyncio.sleep(float(act.arg))
    await act.x.json(int(act.word) if act.word.isdigit() else 200, {"job_id": job.remote_id, "status": "queued"})


@word(POST, *(f"{status}_after_accept" for status in (408, 409, 425, 500, 502, 504)), "503_plain_after_accept")
async def _gateway(act: Act) -> None:
    act.accept()
    await act.x.answer(int(act.word[:3]), b"<html>gateway</html>", "text/html")


@word(POST, "301", "302", "303", "307", "308")
async def _redirect(act: Act) -> None:
    await act.x.answer(int(act.word), headers=[("Location", act.x.path + ("" if act.arg == "self" else "/moved"))])


BODIES: dict[str, Callable[[str], bytes]] = {
    "html_200": lambda _: PAGE,
    "empty_200": lambda _: b"",
    "json_no_id": lambda _: b'{"status": "queued"}',
    "id_empty": lambda _: b'{"job_id": "", "status": "queued"}',
    "id_field_named_id": lambda job: b'{"id": "%s", "status": "queued"}' % job.encode(),
    "id_number": lambda job: b'{"job_id": %s}' % job.encode(),
    "id_hostile": lambda job: json.dumps({"job_id": job}).encode(),
    "array_json": lambda job: b'[{"job_id": "%s"}]' % job.encode(),
    "bad_utf8": lambda job: b'{"note": "\xff\xfe", "job_id": "%s"}' % job.encode(),
    "deep_json": lambda job: b'{"a": %s, "job_id": "%s"}' % (b"[" * 100_000 + b"]" * 100_000, job.encode()),
    "huge_body": lambda job: b'{"padding": "%s", "job_id": "%s"}' % (b"x" * 8 * MEGABYTE, job.encode()),
}


@word(POST, *BODIES, "204", "poll_url_elsewhere")
async def _odd_body(act: Act) -> None:
    # the id is built from the number of the charge, so that it is new each time
    number = str(700_000 + len(act.service.charges))
    odd = {"id_number": number, "id_hostile": HOSTILE_ID + number}
    job = act.accept(odd.get(act.word))
    if act.word == "204":
        await act.x.answer(204)
    elif act.word == "poll_url_elsewhere":
        await act.x.json(200, {"job_id": job.remote_id, "poll_url": f"{act.service.url}/elsewhere/{job.remote_id}"})
    else:
        kind = "text/html" if act.word == "html_200" else "application/json"
        await act.x.answer(200, BODIES[act.word](job.remote_id), kind)


@word(POST, "accept_then_drop", "accept_then_reset", "silence")
async def _no_answer(act: Act) -> None:
    act.accept()
    if act.word == "silence":
        await act.x.hang()
    act.x.drop(reset=act.word == "accept_then_reset")


@word(POST, "drop_before_read")
async def _never(act: Act) -> None:
    raise AssertionError("drop_before_read is done before the request is read")


@word(POST, "drop_after_headers", "truncated_body", "truncated_chunked", "endless_body")
async def _half_answer(act: Act) -> None:
    body = json.dumps({"job_id": act.accept().remote_id, "status": "queued"}).encode()
    act.x.closing = True
    if act.word == "drop_after_headers":
        await act.x.answer(200, b"", length=len(body))
    elif act.word == "truncated_body":
        await act.x.answer(200, body[: len(body) // 2], length=len(body))
    else:
        await act.x.start(200, "application/json", [("Transfer-Encoding", "chunked")])
        if act.word == "truncated_chunked":
            await act.x.raw(chunk(body[: len(body) // 2]))
        else:
            await act.x.raw(chunk(b'{"padding": "'))
            await act.x.drip(b"x" * 16, 0.01)
