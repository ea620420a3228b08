"""What each route asks of the desk and answers, and that whatever goes wrong has the one shape."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest

from bridge_daemon.errors import CODES, BridgeError, Fault, InvalidRequest, LimitReached, NotFound, PriceQuestion
from bridge_daemon.frontends.http.route_table import ROUTES

JSON = "Content-Type: application/json"


async def post(api, target, data=None, *headers, **more):
    body = b"" if data is None else data if isinstance(data, bytes) else json.dumps(data).encode()
    return await api.ask(target, *([JSON] if body else []), *headers, method="POST", body=body, **more)


async def test_a_request_is_taken_once(api):
    first = await post(api, "/api/requests", {"id": "a", "prompt": "rain"})
    again = await post(api, "/api/requests", {"id": "a", "prompt": "rain"})
    assert (first.status, again.status) == (202, 200)
    assert json.loads(first.body) == json.loads(again.body) == {"id": "a", "jobs": ["j1"], "usd": 0.58}
    assert api.desk.calls[0] == ("admit", {"id": "a", "prompt": "rain"})


@pytest.mark.parametrize(
    ("target", "data", "call"),
    [
        ("/api/jobs/j1/cancel", None, ("cancel", "j1")),
        ("/api/jobs/j1/cancel", {}, ("cancel", "j1")),
        ("/api/jobs/j1/retry", {"id": "b"}, ("retry", "j1", {"id": "b"})),
        ("/api/jobs/j1/deliver", None, ("deliver", "j1")),
        ("/api/jobs/j1/resolve", {"action": "dismiss"}, ("resolve", "j1", {"action": "dismiss"})),
        ("/api/pause", None, ("pause", "person")),
        ("/api/pause", {"reason": "panic"}, ("pause", "panic")),
        ("/api/resume", None, ("resume",)),
        ("/api/prices/agree", {"model": "m", "usd": 1}, ("agree_price", {"model": "m", "usd": 1})),
        ("/api/key/reload", None, ("reload_key",)),
        ("/api/sources/try", None, ("try_sources",)),
        ("/api/setup", {"step": "midi", "skip": True}, ("set_up", {"step": "midi", "skip": True}, False)),
        ("/api/settings/reload", None, ("reload_settings",)),
    ],
)
async def test_actions(api, target, data, call):
    api.desk.add("j1")
    assert (await post(api, target, data)).status == 200
    assert api.desk.calls == [call]


@pytest.mark.parametrize(
    ("target", "answer"),
    [
        ("/api/status", {"version": "1", "paused": None}),
        ("/api/spend", {"day": {"spent_usd": 1.16}}),
        ("/api/presets", {"presets": {}}),
        ("/api/prices", {"prices": [{"model": "stable-audio-2-0", "usd": 0.58}]}),
        ("/api/key/check", {"good": True}),
        ("/api/jobs/j1/peaks?buckets=2", {"peaks": [[0.0, 0.0], [0.0, 0.0]]}),
    ],
)
async def test_questions(api, target, answer):
    assert json.loads((await api.ask(target)).body) == answer
    head = await api.ask(target, method="HEAD")
    assert (head.status, head.body) == (200, b"")


async def test_one_job_with_its_events(api):
    job = api.desk.add("j1", prompt="Regen – ☔")
    assert json.loads((await api.ask("/api/jobs/j1")).body) == job | {"events": []}


@pytest.mark.parametrize(
    ("query", "call"),
    [
        ("", ([], None, None, None, 50)),
        ("?state=held", (["held"], None, None, None, 50)),
        ("?state=held,unknown&state=held&state=", (["held", "unknown"], None, None, None, 50)),
        ("?q=rain%20in%20a%20tent&client=reaper-1", ([], "rain in a tent", "reaper-1", None, 50)),
        ("?q=%E2%98%94%0A", ([], "☔\n", None, None, 50)),
        ("?limit=500&before=j7", ([], None, None, "j7", 500)),
        ("?limit=1", ([], None, None, None, 1)),
        ("?limit=&q=", ([], None, None, None, 50)),
    ],
)
async def test_jobs_are_found(api, query, call):
    answer = await api.ask("/api/jobs" + query)
    assert json.loads(answer.body) == {"jobs": [], "next": None}
    assert api.desk.calls == [("jobs", *call)]


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("state=done", ["state"]),
        ("state=held,done,gone", ["state", "state"]),
        ("limit=0", ["limit"]),
        ("limit=501", ["limit"]),
        ("limit=-1", ["limit"]),
        ("limit=5.0", ["limit"]),
        ("limit=%D9%A3", ["limit"]),
        ("limit=" + "9" * 30, ["limit"]),
        ("limit=1&limit=2", ["limit"]),
        ("client=No%20Client", ["client"]),
        ("client=reaper%0A", ["client"]),
        ("before=..%2F", ["before"]),
        ("before=j1%0A", ["before"]),
        ("q=" + "x" * 201, ["q"]),
        ("q=%00", ["q"]),
        ("token=abc&limit=0", ["token", "limit"]),
    ],
)
async def test_every_fault_of_a_query_is_named(api, query, fields):
    answer = await api.ask("/api/jobs?" + query)
    assert (answer.status, answer.code) == (422, "E-INVALID")
    assert [fault["field"] for fault in answer.error["faults"]] == fields
    assert "abc" not in answer.error["message"]
    assert api.desk.calls == []


async def test_an_unknown_state_is_told_the_known_ones(api):
    assert "queued, preparing, submitting" in (await api.ask("/api/jobs?state=x")).error["message"]


@pytest.mark.parametrize("buckets", ["0", "10001", "x"])
async def test_buckets_have_a_range(api, buckets):
    assert (await api.ask(f"/api/jobs/j1/peaks?buckets={buckets}")).code == "E-INVALID"


@pytest.mark.parametrize("reason", ["", 1, None, "x" * 201, ["a"]])
async def test_a_reason_is_short_text(api, reason):
    assert (await post(api, "/api/pause", {"reason": reason})).code == "E-INVALID"


# --- paths


@pytest.mark.parametrize(
    "target",
    [
        "/nowhere",
        "/api",
        "/api/",
        "/api/status/",
        "//api/status",
        "/API/status",
        "/api/%73tatus",
        "/api/jobs/",
        "/api/jobs//audio",
        "/api/jobs/j1/nothing",
        "/api/jobs/j1%2Faudio",
        "/api/jobs/../status",
        "/api/jobs/j1/../../status",
        "/api/jobs/%2e%2e/audio",
        "/api/jobs/J1",
        "/api/jobs/j_1",
        "/api/jobs/j1%00",
        "/api/jobs/j1%0a",
        "/api/jobs/" + "j" * 17,
        "/api/jobs/j%C3%A9",
        "/api/jobs/{job}",
    ],
)
async def test_unknown_paths(api, target):
    answer = await api.ask(target)
    assert (answer.status, answer.code) == (404, "E-NOT-FOUND")
    assert api.desk.calls == []


# --- bodies


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{", "line 1"),
        (b"", None),
        (b"null", "not an object"),
        (b"[]", "not an object"),
        (b'"text"', "not an object"),
        (b"1", "not an object"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": Infinity}', "Infinity"),
        (b'{"a": -Infinity}', "Infinity"),
        (b'{"a": 1e999}', "too large"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b'{"b": {"a": 1, "\\u0061": 2}}', "twice"),
        (b'{"a": "\xff"}', "UTF-8"),
        (b'\xef\xbb\xbf{"a": 1}', "line 1"),
        (b'{"a": 1}'.decode().encode("utf-16"), "UTF-8"),
        (b'{"a": "\\ud800"}', "UTF-8"),
        (b'{"\\udfff": 1}', "UTF-8"),
        (b'{"a": "\x00"}', "line 1"),
        (b'{"a": 1} x', "line 1"),
        (b'{"a": ' + b"9" * 5000 + b"}", "digits"),
        (b"[" * 30_000 + b"]" * 30_000, "deep"),
        (b'{"a":' * 10_000 + b"0" + b"}" * 10_000, "deep"),
        (b'{"a": ' + b"[" * 100 + b"]" * 100 + b"}", "deep"),
    ],
    ids=lambda value: ascii(value)[:30],
)
async def test_bodies_that_are_no_object(api, body, why):
    answer = await post(api, "/api/pause", body)
    if why is None:
        assert answer.status == 200
        return
    assert (answer.status, answer.code) == (400, "E-JSON")
    assert why in answer.error["message"]
    assert api.desk.calls == []


async def test_a_whole_pair_of_surrogates_is_a_character(api):
    assert (await post(api, "/api/pause", b'{"reason": "\\ud83c\\udfb9"}')).status == 200
    assert api.desk.calls == [("pause", "🎹")]


@pytest.mark.parametrize(
    "declared",
    [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "application/json; charset=latin-1"],
)
async def test_a_body_must_be_declared_as_json(api, declared):
    headers = [f"Content-Type: {declared}"] if declared else []
    answer = await api.ask("/api/pause", *headers, method="POST", body=b"{}")
    assert (answer.status, answer.code) == (415, "E-JSON")
    chunked = [*headers, "Transfer-Encoding: chunked", "Connection: close"]
    lines = "".join(f"{line}\r\n" for line in chunked)
    answer = await api.raw(
        f"POST /api/pause HTTP/1.1\r\nHost: 127.0.0.1:{api.port}\r\nAuthorization: {api.bearer['Authorization']}\r\n"
        f"{lines}\r\n2\r\n{{}}\r\n0\r\n\r\n".encode()
    )
    assert (answer.status, answer.code) == (415, "E-JSON")
    assert api.desk.calls == []


@pytest.mark.parametrize("declared", ["application/json", "Application/JSON", 'application/json; charset="UTF-8"'])
async def test_json_may_be_declared_in_any_way(api, declared):
    assert (await api.ask("/api/pause", f"Content-Type: {declared}", method="POST", body=b"{}")).status == 200


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
async def test_a_compressed_body_is_refused(api, encoding):
    answer = await post(api, "/api/pause", b"xxxx", f"Content-Encoding: {encoding}")
    assert (answer.status, answer.code) == (415, "E-JSON")


# --- errors


@pytest.mark.parametrize("code", sorted(CODES))
async def test_every_error_comes_out_with_its_status(api, code):
    kind = CODES[code]
    error = kind.__new__(kind)
    BridgeError.__init__(error, "What happened.", charge="possible")
    if isinstance(error, InvalidRequest):
        error = InvalidRequest([Fault("a", 1, "b")])
    api.desk.fail["status"] = error
    answer = await api.ask("/api/status")
    assert (answer.status, answer.code) == (kind.status, code)
    assert answer.error == error.as_dict()


async def test_a_refusal_of_a_request(api):
    api.desk.fail["admit"] = PriceQuestion("It costs 3 dollars.", usd=3.0)
    assert (await post(api, "/api/requests", {"id": "a"})).status == 409
    api.desk.fail["admit"] = LimitReached("The day's limit.", next="Wait.")
    answer = await post(api, "/api/requests", {"id": "a"})
    assert (answer.status, answer.error["next"], answer.error["charge"]) == (402, "Wait.", "none")


@pytest.mark.parametrize(
    "fault",
    [
        RuntimeError("the secret"),
        TimeoutError("the secret"),
        KeyError("the secret"),
        ConnectionResetError("the secret"),
        RecursionError(),
    ],
)
async def test_a_fault_of_ours_is_logged_and_not_told(api, fault, caplog):
    api.desk.fail["jobs"] = fault
    with caplog.at_level(logging.ERROR):
        answer = await api.ask("/api/jobs?q=private")
    assert (answer.status, answer.code, answer.error["charge"]) == (500, "E-INTERNAL", "none")
    assert b"secret" not in answer.body
    assert "Traceback" in caplog.text
    assert "private" not in caplog.text


async def test_what_cannot_be_written_as_json_is_a_fault_of_ours(api):
    api.desk.status_answer = {"a": float("nan")}
    assert (await api.ask("/api/status")).code == "E-INTERNAL"
    api.desk.status_answer = {"a": object()}
    assert (await api.ask("/api/status")).code == "E-INTERNAL"


@pytest.mark.parametrize(
    ("target", "call", "charge"),
    [
        ("/api/requests", "admit", "possible"),
        ("/api/jobs/j1/retry", "retry", "possible"),
        ("/api/jobs/j1/resolve", "resolve", "possible"),
        ("/api/jobs/j1/cancel", "cancel", "none"),
    ],
)
async def test_who_breaks_off_in_the_middle_says_what_it_may_cost(api, target, call, charge):
    data = {"cancel": {}, "resolve": {"action": "submit_again", "id": "a"}}.get(call, {"id": "a"})
    api.desk.fail[call] = RuntimeError()
    assert (await post(api, target, data)).error["charge"] == charge
    del api.desk.fail[call]
    api.desk.hold[call] = asyncio.Event()
    late = await post(api, target, data)
    assert (late.status, late.code, late.error["charge"]) == (503, "E-BUSY", charge)


@pytest.mark.parametrize(
    ("method", "path"), [(route.method, route.path) for route in ROUTES if not route.streams and "{job}" in route.path]
)
async def test_routes_of_jobs_know_no_job_that_is_not_there(api, method, path):
    api.desk.fail["peaks"] = NotFound("There is no take.")
    body = b'{"action": "dismiss", "charged": false}' if path.endswith("resolve") else b""
    answer = await api.ask(path.replace("{job}", "j9"), *([JSON] if body else []), method=method, body=body)
    assert (answer.status, answer.code) == (404, "E-NOT-FOUND")


# --- headers


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/api/status", []),
        ("/healthz", []),
        ("/nowhere", []),
        ("/api/status", ["Host: evil.com"]),
        ("/api/status", ["Origin: http://evil.com"]),
        ("/api/jobs/j1", []),
        ("/api/pause", []),
        ("/api/status", ["no header"]),
        ("/api/status", ["Expect: nonsense"]),
        ("/api/status", ["Upgrade: websocket", "Connection: Upgrade"]),
        ("/api/status", ["X: " + "x" * 9000]),
    ],
    ids=str,
)
async def test_every_answer_is_dressed(api, target, headers):
    answer = await api.ask(target, *headers)
    assert answer.headers["server"] == "daw-bridge"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["content-security-policy"] == (
        "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    )
    assert "python" not in str(answer.all_headers).lower()
    assert not [name for name in answer.headers if name.startswith("access-control")]
    if target.startswith("/api"):
        assert answer.headers["cache-control"] == "no-store"
    if answer.status >= 400:
        assert answer.code
