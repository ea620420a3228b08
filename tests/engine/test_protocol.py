"""What the service's answers mean: the table of outcomes of a POST, walked row by row, and the readers of its words.

The rule behind each row: what is certain is said; whatever leaves a doubt is UNKNOWN, because it may have been charged.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge_daemon.domain.job import Charge, Job, Parameters, State
from bridge_daemon.domain.request import Place
from bridge_daemon.engine.listing import Prices, read_price_of_stranger, read_prices, read_told
from bridge_daemon.engine.protocol import (
    MAX_TEXT,
    OUTPUT_PATHS,
    Answer,
    SubmitOutcome,
    classify,
    clean,
    error_code,
    error_text,
    find_output,
    load,
    payload,
    read_poll,
    remote_id,
    seconds,
)


def answer(status: int, body: Any = b"", *, complete: bool = True, retry_after: str | None = None) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status=status, body=raw, complete=complete, retry_after=retry_after)


ID = {"job_id": "job_1"}
SAID = {"error": {"message": "No.", "type": "t", "code": "some_code"}}

#: status, body, complete → kind, reason of a pause
TABLE: list[tuple[int, Any, bool, SubmitOutcome, str | None]] = [
    # accepted: it has an id
    (200, ID, True, SubmitOutcome.ACCEPTED, None),
    (201, ID, True, SubmitOutcome.ACCEPTED, None),
    (202, ID, True, SubmitOutcome.ACCEPTED, None),
    (200, {"id": "x"}, True, SubmitOutcome.ACCEPTED, None),
    (200, {"id": 7}, True, SubmitOutcome.ACCEPTED, None),
    (200, {"id": "x", "job_id": "y", "error": None}, True, SubmitOutcome.ACCEPTED, None),
    # it said yes and told no id that we can go on with: perhaps charged
    (200, ID, False, SubmitOutcome.UNKNOWN, None),
    (200, b'{"job_id": "job_', False, SubmitOutcome.UNKNOWN, None),
    (200, b"", True, SubmitOutcome.UNKNOWN, None),
    (204, b"", True, SubmitOutcome.UNKNOWN, None),
    (200, b"<html>ok</html>", True, SubmitOutcome.UNKNOWN, None),
    (200, [ID], True, SubmitOutcome.UNKNOWN, None),
    (200, {}, True, SubmitOutcome.UNKNOWN, None),
    (200, SAID, True, SubmitOutcome.UNKNOWN, None),
    (200, {"job_id": ""}, True, SubmitOutcome.UNKNOWN, None),
    (200, {"job_id": "  "}, True, SubmitOutcome.UNKNOWN, None),
    (200, {"job_id": None}, True, SubmitOutcome.UNKNOWN, None),
    (200, {"job_id": True}, True, SubmitOutcome.UNKNOWN, None),
    (200, {"job_id": "x" * 401}, True, SubmitOutcome.UNKNOWN, None),
    (200, b'{"job_id": "\\ud800"}', True, SubmitOutcome.UNKNOWN, None),
    (200, b'{"job_id": "a\\u0000b"}', True, SubmitOutcome.UNKNOWN, None),
    (200, b'{"job_id": "\xff"}', True, SubmitOutcome.UNKNOWN, None),
    (200, b'{"job_id": 1' + b"0" * 5000 + b"}", True, SubmitOutcome.UNKNOWN, None),
    (200, b"[" * 100_000, True, SubmitOutcome.UNKNOWN, None),
    # a redirect is not followed: nothing was accepted
    *((status, b"", True, SubmitOutcome.REFUSED, None) for status in (300, 301, 302, 303, 304, 307, 308)),
    # not now
    (429, SAID, True, SubmitOutcome.RATE_LIMITED, None),
    (429, b"", False, SubmitOutcome.RATE_LIMITED, None),
    # no
    (400, SAID, True, SubmitOutcome.REFUSED, None),
    (401, SAID, True, SubmitOutcome.REFUSED, "401"),
    (402, SAID, True, SubmitOutcome.REFUSED, "402"),
    (402, b"<html>", False, SubmitOutcome.REFUSED, "402"),
    (403, SAID, True, SubmitOutcome.REFUSED, None),
    (404, SAID, True, SubmitOutcome.REFUSED, None),
    (413, SAID, True, SubmitOutcome.REFUSED, None),
    (422, SAID, True, SubmitOutcome.REFUSED, None),
    (503, {"error": {"code": "model_unavailable", "message": "busy"}}, True, SubmitOutcome.REFUSED, None),
    # a gateway may have passed it on
    (503, {"error": {"code": "upstream_error"}}, True, SubmitOutcome.UNKNOWN, None),
    (503, {"error": "model_unavailable"}, True, SubmitOutcome.UNKNOWN, None),
    (503, b"<html>model_unavailable</html>", True, SubmitOutcome.UNKNOWN, None),
    (500, {"error": {"code": "model_unavailable"}}, True, SubmitOutcome.UNKNOWN, None),
    *((status, SAID, True, SubmitOutcome.UNKNOWN, None) for status in (408, 409, 425, 500, 502, 503, 504, 520, 599)),
    # what nobody documents
    *((status, ID, True, SubmitOutcome.UNKNOWN, None) for status in (101, 405, 406, 410, 415, 418, 451, 600, 999)),
]


@pytest.mark.parametrize(("status", "body", "complete", "kind", "pause"), TABLE)
def test_the_table_of_outcomes(status: int, body: Any, complete: bool, kind: SubmitOutcome, pause: str | None) -> None:
    outcome = classify(answer(status, body, complete=complete))
    assert (outcome.kind, outcome.pause) == (kind, pause)
    assert (outcome.remote_id is not None) == (kind is SubmitOutcome.ACCEPTED)
    assert outcome.text
    assert outcome.text == clean(outcome.text)
    if kind not in (SubmitOutcome.ACCEPTED, SubmitOutcome.RATE_LIMITED):
        assert str(status) in outcome.text


@pytest.mark.parametrize(("status", "body", "complete", "kind", "pause"), TABLE)
def test_the_journal_keeps_enough_to_read_it_again(
    status: int, body: Any, complete: bool, kind: SubmitOutcome, pause: str | None
) -> None:
    """The process may die between the answer and what it means."""
    kept = json.loads(json.dumps(answer(status, body, complete=complete, retry_after="3").as_event()))
    again = classify(Answer.from_event(kept))
    assert (again.kind, again.pause) == (kind, pause)


@given(st.integers(100, 999), st.binary(max_size=300), st.booleans())
def test_only_a_whole_answer_with_an_id_is_accepted(status: int, body: bytes, complete: bool) -> None:
    outcome = classify(answer(status, body, complete=complete))
    if outcome.kind is SubmitOutcome.ACCEPTED:
        assert complete
        assert 200 <= status < 300
        assert remote_id(body)


def test_an_answer_that_broke_off_tells_a_person_the_id_that_it_named() -> None:
    outcome = classify(answer(200, b'{"status": "queued", "job_id": "job_77", "x": "', complete=False))
    assert outcome.kind is SubmitOutcome.UNKNOWN
    assert "job_77" in outcome.text


def test_the_service_is_quoted_in_the_refusal() -> None:
    assert classify(answer(422, SAID)).text == "the service does not accept a parameter (HTTP 422): No."


RETRY_AFTER = [
    (None, None),
    ("", None),
    ("30", 30.0),
    ("0", 0.0),
    ("1.5", 1.5),
    ("1e9", 1e9),  # the budget clamps it
    ("-5", None),
    ("nonsense", None),
    ("nan", None),
    ("inf", None),
    ("1" + "0" * 400, None),
    ("\udcff", None),
    ("Wed, 21 Oct 2015 07:28:00 GMT", None),
]


@pytest.mark.parametrize(("header", "expected"), RETRY_AFTER)
def test_retry_after(header: str | None, expected: float | None) -> None:
    assert seconds(header) == expected
    assert classify(answer(429, retry_after=header)).retry_after == expected


def test_what_the_service_says_of_too_many_requests_is_told() -> None:
    assert classify(answer(429, {"error": {"message": "come back at noon"}})).text == "come back at noon"
    assert classify(answer(429)).text == "too many requests"


# What is sent


def job(action: str = "generate", **given: Any) -> Job:
    parameters = {"prompt": "rain", "duration": 12.5, "seed": 42} | given
    return Job(
        id="abc", seq=1, request_id="r", client=None, action=action, preset=None, engine="empiriolabs", base_url="http://x",
        model="stable-audio-2-0", price=580_000, state=State.QUEUED, charge=Charge.NONE,
        parameters=Parameters(**parameters), variation=1, variations=1, place=Place(),
    )  # fmt: skip


PLAIN = {
    "model": "stable-audio-2-0",
    "prompt": "rain",
    "mode": "text-to-audio",
    "output_format": "wav",
    "duration": 12.5,
    "random_seed": False,
    "seed": 42,
}


def test_text_to_audio_says_only_what_the_person_chose_and_the_seed() -> None:
    assert payload(job(), None) == PLAIN
    chosen = payload(job(steps=40, cfg_scale=7.0, duration=30.0), None)
    assert chosen == PLAIN | {"steps": 40, "cfg_scale": 7, "duration": 30}
    assert all(isinstance(chosen[key], int) for key in ("steps", "cfg_scale", "duration")), "30, not 30.0"


def test_text_to_audio_never_names_a_source_or_a_strength() -> None:
    assert payload(job(strength=0.3), "http://127.0.0.1/x") == PLAIN


def test_audio_to_audio_always_sends_source_and_strength() -> None:
    url = "http://127.0.0.1:1/source/x.wav"
    transform = {"mode": "audio-to-audio", "audio_url": url}
    assert payload(job("transform", strength=0.5), url) == PLAIN | transform | {"strength": 0.5}
    assert payload(job("transform", strength=0.0), url) == PLAIN | transform | {"strength": 0.0}, "0 is a choice too"


# Ids and words


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"job_id": "a", "id": "b"}, "a"),
        ({"job_id": "", "id": "b"}, "b"),
        ({"job_id": None, "id": "b"}, "b"),
        ({"job_id": 123}, "123"),
        ({"job_id": " a "}, "a"),
        ({"job_id": "../../x?y#z"}, "../../x?y#z"),  # it is quoted where it is used
        ({"job_id": "größe"}, "größe"),
        ({"job_id": 1.5}, None),
        ({"job_id": ["a"]}, None),
        ({"job_id": "a\nb"}, None),
        ({"job_id": "a\u202eb"}, None),
        ("job", None),
        (None, None),
    ],
)
def test_the_id_of_a_job(body: Any, expected: str | None) -> None:
    assert remote_id(json.dumps(body).encode()) == expected


@pytest.mark.parametrize(
    ("body", "text", "code"),
    [
        ({"error": {"message": "No credits", "code": "insufficient_credits"}}, "No credits", "insufficient_credits"),
        ({"error": {"code": "upstream_error"}}, "upstream_error", "upstream_error"),
        ({"error": {"type": "x"}}, "x", None),
        ({"error": "plain"}, "plain", None),
        ({"message": "m"}, "m", None),
        ({"detail": [{"loc": ["body"], "msg": "bad"}]}, '[{"loc": ["body"], "msg": "bad"}]', None),
        ({"error": {"message": "a\x1b[31m\nb\u202e\u2028c\ud800"}}, "a [31m b c", None),
        ({"error": {"message": "x" * 10_000}}, "x" * (MAX_TEXT - 1) + "…", None),
        ({"error": {}}, "", None),
        ({"error": 5}, "5", None),
        ([], "", None),
        ("text", "", None),
    ],
)
def test_what_an_error_says(body: Any, text: str, code: str | None) -> None:
    raw = json.dumps(body).encode()
    assert (error_text(raw), error_code(raw)) == (text, code)


@given(st.text(max_size=3000))
def test_text_of_others_becomes_one_short_printable_line(text: str) -> None:
    line = clean(text)
    assert len(line) <= MAX_TEXT
    assert clean(line) == line
    line.encode()  # no lone surrogates
    assert "\n" not in line
    assert "\x1b" not in line


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"[" * 200_000, b'{"a":' * 50_000, b"1" * 5000, b"<html>", b"NaN x"]
)
def test_hostile_json_is_none(body: bytes) -> None:
    assert load(body) is None
    assert remote_id(body) is None
    assert read_poll(body) is None
    assert read_prices(body) is None
    assert error_text(body) == ""


_KEYS = st.sampled_from(
    [
        "job_id", "id", "status", "progress", "result", "data", "url", "audio", "audio_url", "content_type", "error",
        "duration_seconds", "completed_at", "pricing_rows", "rate", "type", "message", "code", "outputs",
        "supported_parameters", "name", "range", "enum", "default", "min", "max",
    ]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=6),
    max_leaves=20,
)


@given(JSON)
def test_no_reader_ever_raises(data: Any) -> None:
    body = json.dumps(data).encode()
    for reader in (remote_id, error_code, error_text, read_poll, read_prices, read_price_of_stranger, read_told):
        reader(body)
    for status in (200, 400, 503):
        classify(answer(status, body))


# Polls


def poll(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


URL = "https://cdn.example.com/a.wav"


@pytest.mark.parametrize("word", ["completed", "Completed", " succeeded ", "done"])
def test_done(word: str) -> None:
    polled = read_poll(poll(status=word, result={"data": [{"url": URL, "duration_seconds": 30}]}))
    assert polled is not None
    assert polled.done
    assert polled.output is not None
    assert (polled.output.url, polled.output.seconds) == (URL, 30.0)


@pytest.mark.parametrize("word", ["queued", "processing", "running", "cancelled", "warming_up", "état\n", "FAILED?"])
def test_an_unknown_status_means_still_going(word: str) -> None:
    polled = read_poll(poll(status=word, progress=0.5))
    assert polled is not None
    assert (polled.done, polled.failed, polled.fraction) == (False, False, 0.5)


def test_only_failed_is_failed() -> None:
    polled = read_poll(poll(status="failed", error={"message": "out of memory"}))
    assert polled is not None
    assert (polled.failed, polled.done, polled.error) == (True, False, "out of memory")


def test_a_status_that_we_do_not_know_with_a_result_is_done() -> None:
    polled = read_poll(poll(status="archived", completed_at="2026-01-01", result={"url": URL}))
    assert polled is not None
    assert polled.done


@pytest.mark.parametrize(
    ("progress", "fraction"),
    [
        (0, 0.0), (0.5, 0.5), (1, 1.0), (1.01, None), (-0.1, None), (50, None), ("0.5", None), ("50%", None),
        (None, None), (True, None), ([0.5], None), ({}, None), (10**400, None), (-(10**400), None),
        (float("nan"), None), (float("inf"), None),
    ],
)  # fmt: skip
def test_progress(progress: Any, fraction: float | None) -> None:
    polled = read_poll(poll(status="running", progress=progress))
    assert polled is not None
    assert polled.fraction == fraction


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"error": "x"}', b'{"status": 5}', b'{"status": ""}'])
def test_what_is_no_state_of_a_job(body: bytes) -> None:
    assert read_poll(body) is None


def at(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    for step in reversed(path):
        value = {step: value}
    return value


@pytest.mark.parametrize("path", OUTPUT_PATHS, ids=".".join)
@pytest.mark.parametrize(
    "shape", [URL, [URL], {"url": URL}, [{"url": URL}], {"audio_url": URL}, [None, 5, {"uri": URL}]]
)
def test_the_audio_is_found_at_each_place_in_each_shape(path: tuple[str, ...], shape: Any) -> None:
    found = find_output(at(path, shape))
    assert found is not None
    assert found.url == URL


def test_the_places_are_looked_at_in_a_fixed_order() -> None:
    data: dict[str, Any] = {"result": {}}
    for number, path in reversed(list(enumerate(OUTPUT_PATHS))):
        if path == ("result",):
            continue
        target = data["result"] if path[0] == "result" else data
        target[path[-1]] = f"https://cdn.example.com/{number}.wav"
        found = find_output(data)
        assert found is not None
        assert found.url.endswith(f"/{number}.wav")


@pytest.mark.parametrize(
    ("kind", "taken"),
    [
        ("audio/wav", True), ("audio/mpeg", True), ("Audio/WAV; x=1", True), ("application/octet-stream", True),
        (None, True), (5, True), ("image/png", False), ("text/html", False), ("application/json", False), ("", False),
    ],
)  # fmt: skip
def test_an_output_that_says_what_it_is_must_be_audio(kind: Any, taken: bool) -> None:
    found = find_output({"result": {"data": [{"url": URL, "content_type": kind}]}})
    assert (found is not None) == taken


def test_a_picture_before_the_audio_is_passed_over() -> None:
    picture = {"url": "https://cdn.example.com/a.png", "content_type": "image/png"}
    found = find_output({"result": {"data": [picture, {"url": URL, "content_type": "audio/wav"}]}})
    assert found is not None
    assert found.url == URL


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "/etc/passwd", "javascript:x", "", "ftp://x/y", "https://a\n/b", "https://a/\ud800"]
)
def test_what_is_no_web_address_is_no_output(url: str) -> None:
    assert find_output({"result": {"url": url}}) is None


def test_our_own_source_that_is_repeated_is_not_what_was_made() -> None:
    source = "http://127.0.0.1:9132/source/x.wav"
    body = poll(status="completed", audio_url=source, result={"audio_url": source, "output": URL})
    polled = read_poll(body, source_url=source)
    assert polled is not None
    assert polled.output is not None
    assert polled.output.url == URL
    alone = read_poll(poll(status="completed", audio_url=source), source_url=source)
    assert alone is not None
    assert alone.output is None


@pytest.mark.parametrize("length", [0, -1, True, "30", None, 10**400, float("nan"), float("inf")])
def test_a_length_that_is_none_is_no_length(length: Any) -> None:
    found = find_output({"result": {"url": URL, "duration_seconds": length}})
    assert found is not None
    assert found.seconds is None


# Prices


def rows(*given: Any) -> bytes:
    return json.dumps({"pricing_rows": list(given)}).encode()


BASE = {"type": "Base Cost", "spec": "per generation", "rate": "$0.58"}
STEP = {"type": "Per Step Cost", "spec": "per step", "rate": "$0.00"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (rows(BASE, STEP), Prices(generation=580_000, step=0)),
        (rows(STEP, BASE), Prices(generation=580_000, step=0)),
        (rows(BASE), Prices(generation=580_000, step=0)),
        (rows({"unit": "generation", "price": 0.58}, {"unit": "per step", "price": 0.001}),
         Prices(generation=580_000, step=1000)),
        (rows(BASE | {"rate": "$1,000.5"}), Prices(generation=1_000_500_000, step=0)),
        (rows(BASE | {"rate": 0.5800001}), Prices(generation=580_001, step=0)),  # rounded up
        (rows(BASE | {"rate": 1e300}), Prices(generation=10**15, step=0)),  # absurd, and so dearer
        (rows(BASE | {"rate": "cheap"}), None),
        (rows(BASE | {"rate": -1}), None),
        (rows(BASE | {"rate": True}), None),
        (rows(BASE | {"rate": "nan"}), None),
        (rows(BASE | {"rate": 10**400}), None),
        (rows(STEP), None),
        (rows(None, 5, [], {}), None),
        (b'{"pricing_rows": {}}', None),
        (b"[]", None),
        (b"{}", None),
    ],
)  # fmt: skip
def test_the_prices_of_the_catalogue(body: bytes, expected: Prices | None) -> None:
    assert read_prices(body) == expected
