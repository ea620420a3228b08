"""The words for what follows a POST, and for the catalogue."""

from __future__ import annotations

import asyncio
import gzip
import json
from dataclasses import replace
from random import Random
from typing import Any

from tests.fakes import results
from tests.fakes.wire import chunk
from tests.fakes.words import (
    CATALOGUE,
    DOWNLOAD,
    MEGABYTE,
    POLL,
    REFUSALS,
    TROUBLES,
    Act,
    drop,
    html,
    refusal,
    silence,
    too_many,
    word,
)

# --- poll --------------------------------------------------------------------------------------------------------

#: Answered one after the other by ``progress_nonsense``; the last two are no JSON at all.
NONSENSE = ["NaN", 5.0, -1, "50%", None, True, [0.5], 1e400, float("nan")]
ERRORS: dict[str, Any] = {
    "failed": {"message": "The model could not make it", "type": "api_error", "code": "upstream_error"},
    "failed_no_error": None,
    "error_as_string": "upstream_error: the model could not make it",
}
#: What a document says while the job still goes on, whatever it said before.
_GOING: dict[str, Any] = {"status": "processing", "completed_at": None, "result": None, "error": None}

POLL |= {**TROUBLES, "401": REFUSALS["401"], "404": REFUSALS["404"], "429": too_many}
POLL |= {"drop": drop, "silence": silence, "html_200": html}


@word(POLL, "ok", "status", "unknown_status", "missing_status", "completed_no_url")
async def _poll(act: Act) -> None:
    document = dict(act.document)
    if act.word in ("status", "unknown_status"):
        document["status"] = act.arg or "warming_up"
    elif act.word == "missing_status":
        del document["status"]
    elif act.word == "completed_no_url":
        document |= {"status": "completed", "progress": 1.0, "result": {"usage": {"billable_units": 1}}}
    await act.x.json(200, document)


@word(POLL, "another_job", "url", "first_url")
async def _mixed_up(act: Act) -> None:
    """Say what is true of another job, or name a URL that is not this job's own."""
    document = dict(act.document)
    if act.word == "another_job":
        others = [job for job in act.service.jobs.values() if job is not act.job]
        document = results.document(act.service, others[-1]) if others else document | {"job_id": "job-0000"}
    else:
        first = next(iter(act.service.jobs.values()))
        url = (
            results.signed(act.service, first) if act.word == "first_url" else act.arg.replace("{url}", act.service.url)
        )
        document["result"] = {"data": [{"url": url}]}
    await act.x.json(200, document)


@word(POLL, "progress_back", "progress_nonsense", "backwards")
async def _going(act: Act) -> None:
    assert act.job is not None
    progress: Any = 0.01
    if act.word == "progress_nonsense":
        progress = NONSENSE[act.service.nonsense % len(NONSENSE)]
        act.service.nonsense += 1
    await act.x.json(200, act.document | _GOING | {"progress": progress})


@word(POLL, "truncated")
async def _half_poll(act: Act) -> None:
    body = json.dumps(act.document).encode()
    await act.x.answer(200, body[: len(body) // 2], length=len(body))


@word(POLL, *ERRORS)
async def _failed(act: Act) -> None:
    assert act.job is not None
    act.job.failed, act.job.error = True, ERRORS[act.word]
    await act.x.json(200, results.document(act.service, act.job))


# --- download ----------------------------------------------------------------------------------------------------

DOWNLOAD |= {**TROUBLES, "403": REFUSALS["403"], "404": REFUSALS["404"], "429": too_many}
DOWNLOAD |= {"410": refusal(410, "gone", "Gone"), "drop": drop, "silence": silence, "html_200": html}


@word(DOWNLOAD, "ok", "zero_bytes", "garbage", "truncated_wav_right_length", "gzip_encoding")
async def _whole(act: Act) -> None:
    data, headers = act.data, []
    if act.word == "zero_bytes":
        data = b""
    elif act.word == "garbage":
        data = Random(len(data)).randbytes(len(data))
    elif act.word == "truncated_wav_right_length":
        data = data[: len(data) * 2 // 3]
    elif act.word == "gzip_encoding":
        data, headers = gzip.compress(data), [("Content-Encoding", "gzip")]
    await act.x.answer(200, data, act.kind, headers)


@word(DOWNLOAD, "mp3_instead", "not_wav_flac")
async def _other_format(act: Act) -> None:
    data, kind = results.rendered(act.service, act.job, "mp3" if act.word == "mp3_instead" else "flac")
    await act.x.answer(200, data, kind)


@word(DOWNLOAD, "drop_at", "wrong_length_long", "huge_declared", "no_length", "wrong_length_short")
async def _wrong_length(act: Act) -> None:
    size = len(act.data)
    if act.word == "no_length":
        act.x.closing = True
        await act.x.start(200, act.kind)
        await act.x.raw(act.data)
        return
    if act.word == "wrong_length_short":
        declared = size * 2 // 3
        await act.x.answer(200, act.data[:declared], act.kind, length=declared)
        await asyncio.sleep(0.05)  # together with the body a client could notice them
        await act.x.raw(act.data[declared:])
        return
    sent = int(size * float(act.arg)) if act.word == "drop_at" else size
    length = {"drop_at": size, "wrong_length_long": size + 1000, "huge_declared": 10_000 * MEGABYTE}[act.word]
    await act.x.answer(200, act.data[:sent], act.kind, length=length)


@word(DOWNLOAD, "endless", "slow_drip")
async def _for_ever(act: Act) -> None:
    await act.x.start(200, act.kind, [("Transfer-Encoding", "chunked")])
    await act.x.raw(chunk(act.data[:44]))
    await act.x.drip(*((bytes(MEGABYTE), 0.0) if act.word == "endless" else (b"\0", 0.05)))


@word(DOWNLOAD, "redirect", "redirect_private", "redirect_loop")
async def _elsewhere(act: Act) -> None:
    where = {"redirect_private": "http://10.255.255.1" + act.x.target, "redirect_loop": "/hop/loop" + act.x.target}
    left = int(act.arg or 1) - 2  # this answer is one, and the last hop another
    hops = act.x.target if left < 0 else f"/hop/{left}{act.x.target}"
    await act.x.answer(302, headers=[("Location", where.get(act.word, hops))])


# --- catalogue ---------------------------------------------------------------------------------------------------

CATALOGUE |= {**TROUBLES, "401": REFUSALS["401"], "404": REFUSALS["404"], "429": too_many}
CATALOGUE |= {"drop": drop, "silence": silence, "html_200": html}


@word(CATALOGUE, "ok", "no_prices", "garbage")
async def _catalogue(act: Act) -> None:
    if act.word == "garbage":
        act = replace(act, document={"pricing_rows": [{"rate": "free?"}, None, 7], "supported_parameters": "none"})
    elif act.word == "no_prices":
        act = replace(act, document={k: v for k, v in act.document.items() if k != "pricing_rows"})
    await act.x.json(200, act.document)
