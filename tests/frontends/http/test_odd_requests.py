"""Requests that no honest caller sends: odd names, methods, paths, lengths, upgrades, cookies. None does anything."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import suppress

import pytest

from tests.frontends.http.conftest import TOKEN, read_answer

AUTH = "Authorization: Bearer TOKEN"
JSON = "Content-Type: application/json"
PAGE = ("Origin: http://127.0.0.1:PORT", "Sec-Fetch-Site: same-origin")
#: What is hidden in the bodies of others: it would pause the bridge.
HIDDEN = "POST /api/pause HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nAuthorization: Bearer TOKEN\r\nContent-Length: 0\r\n\r\n"


def filled(text: str, api) -> bytes:
    return text.replace("PORT", str(api.port)).replace("TOKEN", TOKEN).encode("utf-8", "surrogateescape")


async def everything(api, data: bytes) -> bytes:
    """Send bytes and return all that comes back: what follows a whole answer at once, or nothing within a second."""
    reader, writer = await api.connect()
    with suppress(ConnectionError):
        writer.write(data)
        await writer.drain()
    told = b""
    with suppress(TimeoutError, ConnectionError):
        while more := await asyncio.wait_for(reader.read(65536), 0.1 if is_whole(told) else 1.0):
            told += more
    return told


def is_whole(told: bytes) -> bool:
    head, end, body = told.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    return bool(end) and (length is None or len(body) >= int(length[1]))


def did_something(api) -> list:
    return [call for call in api.desk.calls if call[0] not in ("status", "spend", "jobs", "job")]


@pytest.mark.parametrize(
    "host",
    [
        "[::1%25lo]:PORT",
        "[::1%lo]:PORT",
        "[0:0:0:0:0:0:0:1]:PORT",
        "[::0001]:PORT",
        "[::1.]:PORT",
        "[::1]",
        "::1:PORT",
        "[127.0.0.1]:PORT",
        "%31%32%37.0.0.1:PORT",
        "localhost%00:PORT",
        "localhost%2eevil.com:PORT",
        "0x7f.0.0.1:PORT",
        "0177.0.0.1:PORT",
        "127.000.000.001:PORT",
        "127.0.0.2:PORT",
        "127.0.0.1:+PORT",
        "127.0.0.1:PORT.",
        "127.0.0.1 :PORT",
        "127.0.0.1:PORT:PORT",
        "user:pass@localhost:PORT",
        "localhost:PORT#@evil.com",
        "localhost:PORT\\@evil.com",
        "localhost..:PORT",
        "ⓛocalhost:PORT",
        "ＬＯＣＡＬＨＯＳＴ:PORT",
        "loca\u017fhost:PORT",
        "127.0.0.1:PORT, 127.0.0.1:PORT",
        '"127.0.0.1:PORT"',
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_names_that_only_resemble_ours(api, host, method):
    told = await everything(
        api,
        filled(
            f"{method} /api/pause HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer TOKEN\r\nContent-Length: 0\r\n\r\n",
            api,
        ),
    )
    assert told.split()[1] in (b"421", b"400"), told
    assert api.desk.calls == []


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "OPTIONS", "PROPFIND", "post", "Post", "QUERY", "PUT", "DEBUG"])
@pytest.mark.parametrize("target", ["/api/pause", "/", "/healthz", "*", "127.0.0.1:PORT"])
async def test_methods_that_no_route_has(api, method, target):
    told = await everything(
        api, filled(f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nAuthorization: Bearer TOKEN\r\n\r\n", api)
    )
    assert told.split()[1] in (b"400", b"405", b"421", b"404", b"501"), told
    assert TOKEN.encode() not in told, "TRACE would send it back"
    assert b"access-control" not in told.lower()
    assert api.desk.calls == []


@pytest.mark.parametrize(
    ("method", "target", "more"),
    [
        ("GET", "/api/pause", ["X-HTTP-Method-Override: POST"]),
        ("GET", "/api/pause", ["X-Method-Override: POST", "X-HTTP-Method: POST"]),
        ("GET", "/api/pause?_method=POST", []),
        ("POST", "/api/status", ["X-HTTP-Method-Override: GET", JSON]),
        ("HEAD", "/api/pause", ["X-HTTP-Method-Override: POST"]),
    ],
)
async def test_a_header_does_not_change_the_method(api, method, target, more):
    answer = await api.raw(
        filled(
            "\r\n".join([f"{method} {target} HTTP/1.1", "Host: 127.0.0.1:PORT", AUTH, *more, "", ""]),
            api,
        )
    )
    assert answer.status in (405, 422)
    assert did_something(api) == []


@pytest.mark.parametrize(
    "target",
    [
        "//api/pause",
        "/./api/pause",
        "/x/../api/pause",
        "/api//pause",
        "/API/pause",
        "/api/pause/",
        "/api/pause;x=1",
        "/api%2fpause",
        "/api/pa%75se",
        "/api/pause%00",
        "/api/pause%20",
        "/api\\pause",
        "/api/pause#x",
        "http://127.0.0.1:PORT/api/pause",
        "//evil.com/api/pause",
        "/page/..%2f..%2ftoken",
        "/page/../../token",
        "/page/..\\token",
        "/page/%2e%2e/%2e%2e/token",
        "/page/%252e%252e%252ftoken",
        "/page/app.js/../../token",
        "/page//etc/passwd",
        "/page/app.js%00.png",
        "/api/jobs/..%2f..%2ftoken/audio",
        "/api/jobs/%2e%2e/audio",
        "/api/sources/../token/audio",
    ],
)
async def test_paths_that_only_resemble_ours(api, target):
    told = await everything(
        api,
        filled(
            f"POST {target} HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n{AUTH}\r\nContent-Length: 0\r\n\r\n",
            api,
        ),
    )
    assert told.split()[1] in (b"400", b"404", b"405", b"421"), told
    assert did_something(api) == []
    told = await everything(
        api, filled(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nAuthorization: Bearer TOKEN\r\n\r\n", api)
    )
    assert told.split()[1] in (b"400", b"404", b"405", b"421"), told
    assert TOKEN.encode() not in told


@pytest.mark.parametrize(
    "framing",
    [
        "Content-Length: 0\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: identity, chunked, identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding:\x0bchunked",
        "Transfer-Encoding: chunked\x00",
        "X: y\r\n Transfer-Encoding: chunked",
        "Content-Length: 0\r\nContent-Length: 5",
        "Content-Length: 0, 5",
        "Content-Length: +0",
        "Content-Length: -1",
        "Content-Length: 0x0",
        "Content-Length: ٠",
        "Content-Length : 0",
        "Content-Length:",
        "Content_Length: 9\r\nContent-Length: zero",
        "\r",
        "No colon at all",
        ": no name",
        "Bad name: x",
    ],
)
async def test_what_two_readers_could_count_differently_is_refused(api, framing):
    head = f"POST /api/nowhere HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n{framing}\r\n\r\n"
    told = await everything(api, filled(head + "0\r\n\r\n" + HIDDEN, api))
    assert told.startswith(b"HTTP/1."), told
    assert told.split()[1] in (b"400", b"404", b"501"), told
    assert did_something(api) == [], "what was hidden in the body was done"


@pytest.mark.parametrize(
    "chunk",
    [
        "0x3\r\nabc",
        "+3\r\nabc",
        " 3\r\nabc",
        "3 \r\nabc",
        "-1\r\n",
        "3\nabc",
        "g\r\n",
        "3;\x00\r\nabc",
        "\r\n",
        "f" * 40 + "\r\nabc",
    ],
)
async def test_chunks_that_are_none(api, chunk):
    head = (
        f"POST /api/estimate HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nAuthorization: Bearer TOKEN\r\n{JSON}\r\n"
        f"Transfer-Encoding: chunked\r\n\r\n{chunk}\r\n0\r\n\r\n"
    )
    told = await everything(api, filled(head + HIDDEN, api))
    assert did_something(api) == []
    assert told.split()[1] in (b"400", b"422") if told else True


async def test_a_body_is_never_the_next_request(api):
    """The answer comes before the body was read; what is left of it is read away."""
    hidden = filled(HIDDEN, api)
    for target, headers in (("/api/nowhere", ""), ("/api/pause", "Origin: null\r\n"), ("/healthz", "")):
        head = f"POST {target} HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n{headers}Content-Length: {len(hidden)}\r\n\r\n"
        told = await everything(api, filled(head, api) + hidden)
        assert told.count(b"HTTP/1.") == 1, told
        assert did_something(api) == []


@pytest.mark.parametrize(
    "more",
    [
        [
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        ],
        ["Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQAAP__"],
        ["Upgrade: TLS/1.2", "Connection: Upgrade"],
    ],
)
@pytest.mark.parametrize("target", ["/api/status", "/", "/healthz", "/api/nowhere"])
async def test_no_connection_becomes_another_one(api, more, target):
    answer = await api.ask(target, *more)
    assert answer.status in (200, 400, 404)
    assert "upgrade" not in answer.headers
    # the same from another page, which no preflight would have held up
    assert (await api.ask(target, *more, "Origin: http://evil.com")).status in (400, 403)


async def test_the_preface_of_http_2_is_refused(api):
    told = await everything(api, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(64))
    assert told.split()[1] in (b"400", b"421", b"505")
    assert api.desk.calls == []


@pytest.mark.parametrize(
    "headers",
    [
        ["X: " + "y" * 70_000],
        [f"X{number}: y" for number in range(20_000)],
        ["Cookie: " + "a=b; " * 4000],
        ["Host: 127.0.0.1:PORT"] * 500,
        ["Origin: http://127.0.0.1:PORT"] * 200,
        ["Authorization: Bearer TOKEN"] * 100,
    ],
    ids=["one long", "twenty thousand", "long cookie", "hosts", "origins", "tokens"],
)
async def test_floods_of_headers(api, headers):
    told = await everything(
        api, filled("\r\n".join(["POST /api/pause HTTP/1.1", "Host: 127.0.0.1:PORT", *headers, "", ""]), api)
    )
    assert not told or told.split()[1] in (b"400", b"401", b"403", b"421", b"431"), told[:200]
    assert did_something(api) == []
    assert (await api.ask("/api/status")).status == 200, "the owner is not held off"


@pytest.mark.parametrize(
    "body", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
)
@pytest.mark.parametrize(
    "origin",
    [
        [],
        ["Origin: null"],
        ["Origin: http://127.0.0.1:PORT"],
        ["Sec-Fetch-Site: cross-site"],
        ["Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate"],
    ],
)
@pytest.mark.parametrize(
    "route", ["/api/requests", "/api/pause", "/api/session", "/api/settings", "/api/sources?name=x.wav"]
)
async def test_what_a_form_can_send_does_nothing(api, body, origin, route):
    cookie = await api.log_in()
    api.desk.calls.clear()
    declared = [f"Content-Type: {body}"] if body else []
    answer = await api.ask(
        route,
        *declared,
        *origin,
        f"Cookie: {cookie}",
        method="POST",
        body=b'{"version": 1, "action": "generate", "prompt": "x", "id": "=1"}',
        auth=False,
    )
    assert answer.status in (401, 403, 405, 415, 422), answer
    assert did_something(api) == []


async def test_a_code_that_two_send_at_once_opens_one_session(api):
    made = await api.ask("/api/session/code", method="POST")
    body = json.dumps({"code": json.loads(made.body)["code"]}).encode()
    answers = await asyncio.gather(
        *(api.ask("/api/session", JSON, *PAGE, method="POST", body=body, auth=False) for _ in range(12))
    )
    assert sorted(one.status for one in answers).count(200) == 1
    assert sum("set-cookie" in one.headers for one in answers) == 1


async def test_a_session_is_never_the_one_that_was_brought(api):
    """Session fixation: whoever planted a cookie before does not know the session after."""
    planted = f"Cookie: daw-bridge-{api.port}=planted"
    made = await api.ask("/api/session/code", method="POST")
    body = json.dumps({"code": json.loads(made.body)["code"]}).encode()
    opened = await api.ask("/api/session", JSON, *PAGE, planted, method="POST", body=body, auth=False)
    assert opened.status == 200
    assert "planted" not in opened.headers["set-cookie"]
    assert (await api.ask("/api/status", planted, auth=False)).code == "E-AUTH"


async def test_the_cookie_of_another_home_is_no_session(api):
    """Cookies ignore ports: that of another bridge on this machine comes along, under its own name."""
    name, _, value = (await api.log_in()).partition("=")
    assert name == f"daw-bridge-{api.port}"
    other = f"daw-bridge-{api.port + 1}={value}"
    assert (await api.ask("/api/status", f"Cookie: {other}", auth=False)).code == "E-AUTH"
    assert (await api.ask("/api/status", f"Cookie: {other}; {name}={value}", auth=False)).status == 200


async def test_an_event_stream_is_no_way_around(api):
    for more, status in (
        (["Origin: null"], 403),
        (["Sec-Fetch-Site: cross-site"], 403),
        (["Accept: text/event-stream", "Last-Event-ID: " + "9" * 5000], None),
    ):
        reader, writer = await api.connect()
        lines = ["GET /api/events HTTP/1.1", "Host: 127.0.0.1:PORT", AUTH, *more, "", ""]
        writer.write(filled("\r\n".join(lines), api))
        async with asyncio.timeout(5):
            if status is None:
                assert (await reader.readline()).split()[1] in (b"200", b"400", b"422")
            else:
                assert (await read_answer(reader)).status == status
