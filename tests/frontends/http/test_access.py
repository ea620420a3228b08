"""Who gets in: host, origin, token, session. Each table is a list of attacks, with what must come of them."""

from __future__ import annotations

import hashlib
import json
import logging
import sys
import time

import aiohttp
import pytest

from bridge_daemon.frontends.http import access
from bridge_daemon.frontends.http.access import AccessMiddleware
from bridge_daemon.frontends.http.events import EventHub
from bridge_daemon.frontends.http.route_table import ROUTES
from bridge_daemon.frontends.http.routing import Access, Api
from bridge_daemon.frontends.http.server import ApiServer
from bridge_daemon.frontends.http.sessions import Sessions
from bridge_daemon.util.times import Times
from tests.fakes.desk import FakeDesk
from tests.frontends.http.conftest import TOKEN, HandTimes
from tests.frontends.http.conftest import Api as Running

JSON = "Content-Type: application/json"
PAGE = ("Origin: http://127.0.0.1:PORT", "Sec-Fetch-Site: same-origin")


def targets(path: str) -> str:
    return path.replace("{job}", "j1").replace("{source}", "a" * 64).replace("{file}", "app.js")


# --- host


@pytest.mark.parametrize("target", ["/api/status", "/healthz", "/", "/nowhere"])
@pytest.mark.parametrize(
    "headers",
    [
        ["Host: evil.com"],
        ["Host: evil.com:PORT"],
        ["Host: localhost.evil.com:PORT"],
        ["Host: 127.0.0.1:1"],
        ["Host: 127.0.0.1"],
        ["Host: localhost"],
        ["Host: 127.0.0.1.evil:PORT"],
        ["Host: 127.0.0.1.:PORT"],
        ["Host: localhost.:PORT"],
        ["Host: 0.0.0.0:PORT"],
        ["Host: 127.1:PORT"],
        ["Host: 2130706433:PORT"],
        ["Host: [::]:PORT"],
        ["Host: [::ffff:127.0.0.1]:PORT"],
        ["Host: user@127.0.0.1:PORT"],
        ["Host: 127.0.0.1:PORT, evil.com"],
        ["Host: 127.0.0.1:PORT/"],
        ["Host: 127.0.0.1:0PORT"],
        ["Host:"],
        ["Host: my-machine.local:PORT"],
        [],
        ["Host: 127.0.0.1:PORT", "Host: 127.0.0.1:PORT"],
        ["Host: 127.0.0.1:PORT", "Host: evil.com"],
        ["Host: evil.com", "X-Forwarded-Host: 127.0.0.1:PORT"],
    ],
    ids=lambda headers: " + ".join(headers) if isinstance(headers, list) else None,
)
async def test_other_hosts_are_refused(api, target, headers):
    answer = await api.ask(target, *headers, host=False)
    assert (answer.status, answer.code) == (421, "E-HOST")
    assert api.desk.calls == []


@pytest.mark.parametrize("host", ["127.0.0.1:PORT", "localhost:PORT", "LOCALHOST:PORT", "LocalHost:PORT", "[::1]:PORT"])
async def test_our_names_are_welcome(api, host):
    assert (await api.ask("/api/status", f"Host: {host}", host=False)).status == 200


async def test_http_1_0_without_a_host_is_refused(api):
    answer = await api.raw(f"GET /api/status HTTP/1.0\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
    assert (answer.status, answer.code) == (421, "E-HOST")


@pytest.mark.parametrize("target", ["http://evil.com/api/status", "http://127.0.0.1:PORT/api/status", "*"])
async def test_a_target_that_is_no_path_is_refused(api, target):
    # an absolute target stands above the Host header (RFC 9112, 3.2.2): two names are one too many
    answer = await api.ask(target.replace("PORT", str(api.port)), method="OPTIONS" if target == "*" else "GET")
    assert (answer.status, answer.code) == (421, "E-HOST")
    assert api.desk.calls == []


# --- origin


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", [], 200),
        ("GET", ["Sec-Fetch-Site: same-origin"], 200),
        ("GET", ["Sec-Fetch-Site: cross-site"], 403),
        ("GET", ["Sec-Fetch-Site: same-site"], 403),
        ("GET", ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"], 403),
        ("GET", ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"], 403),
        ("GET", ["Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate"], 200),
        ("HEAD", ["Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate"], 200),
        ("GET", ["Sec-Fetch-Site: none", "Sec-Fetch-Mode: cors"], 403),
        ("GET", ["Sec-Fetch-Site: none"], 403),
        ("GET", ["Sec-Fetch-Site: "], 403),
        ("GET", ["Sec-Fetch-Site: SAME-ORIGIN"], 403),
        ("GET", ["Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site"], 403),
        ("GET", ["Sec-Fetch-Site: same-origin, cross-site"], 403),
        ("POST", ["Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate"], 403),
        ("POST", ["Sec-Fetch-Site: same-origin"], 200),
        ("GET", ["Origin: http://127.0.0.1:PORT"], 200),
        ("GET", ["Origin: http://localhost:PORT"], 200),
        ("GET", ["Origin: http://[::1]:PORT"], 200),
        ("POST", ["Origin: http://127.0.0.1:PORT"], 200),
        ("GET", ["Origin: null"], 403),
        ("POST", ["Origin: null"], 403),
        ("GET", ["Origin:"], 403),
        ("GET", ["Origin: https://127.0.0.1:PORT"], 403),
        ("GET", ["Origin: http://127.0.0.1"], 403),
        ("GET", ["Origin: http://127.0.0.1:1"], 403),
        ("GET", ["Origin: http://127a0b0c1:PORT"], 403),  # where somebody took a name for a pattern
        ("GET", ["Origin: http://127.0.0.1:PORT.evil.com"], 403),
        ("GET", ["Origin: http://evil.com"], 403),
        ("GET", ["Origin: http://127.0.0.1:PORT/"], 403),
        ("GET", ["Origin: http://127.0.0.1:PORT http://evil.com"], 403),
        ("GET", ["Origin: http://127.0.0.1:PORT", "Origin: http://evil.com"], 403),
        ("GET", ["Origin: file://"], 403),
        ("GET", ["Origin: chrome-extension://abcdef"], 403),
        ("GET", ["Origin: http://127.0.0.1:PORT", "Sec-Fetch-Site: cross-site"], 403),
        ("GET", ["Origin: http://evil.com", "Sec-Fetch-Site: same-origin"], 403),
    ],
    ids=lambda value: " + ".join(value) if isinstance(value, list) else str(value),
)
async def test_origins(api, method, headers, status):
    # with the token, for a page that got hold of it must not be able to use it either
    target = "/api/status" if method != "POST" else "/api/pause"
    answer = await api.ask(target, *headers, method=method)
    assert answer.status == status
    if status == 403:
        assert answer.code == "E-ORIGIN"
        assert api.desk.calls == []


@pytest.mark.parametrize("target", ["/", "/nowhere", "/healthz", "/api/nowhere"])
async def test_another_page_learns_nothing_of_any_path(api, target):
    assert (await api.ask(target, "Sec-Fetch-Site: cross-site")).code == "E-ORIGIN"


async def test_a_preflight_gets_no_permission(api):
    answer = await api.ask("/api/requests", "Access-Control-Request-Method: POST", *PAGE, method="OPTIONS", auth=False)
    assert (answer.status, answer.code) == (405, "E-METHOD")
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert answer.headers["allow"] == "POST"


# --- token


@pytest.mark.parametrize(
    "headers",
    [
        [],
        ["Authorization:"],
        ["Authorization: Bearer"],
        ["Authorization: Bearer "],
        ["Authorization: Bearer wrong"],
        ["Authorization: Bearer " + TOKEN[:-1]],
        ["Authorization: Bearer " + TOKEN + "0"],
        ["Authorization: Bearer " + TOKEN.upper()],
        ["Authorization: Basic " + TOKEN],
        ["Authorization: " + TOKEN],
        ["Authorization: Bearer tökén"],
        ["Authorization: Bearer \udcff\udcfe"],
        ["Authorization: Bearer " + TOKEN, "Authorization: Bearer wrong"],
        ["Authorization: Bearer wrong", "Authorization: Bearer " + TOKEN],
        ["Cookie: daw-bridge-PORT=" + TOKEN],
        ["Cookie: daw-bridge-PORT="],
        ["Cookie: token=" + TOKEN],
        ["X-API-Key: " + TOKEN],
    ],
    ids=lambda headers: ascii(" + ".join(headers)),
)
async def test_without_the_token_nobody_gets_in(api, headers, caplog):
    answer = await api.ask("/api/status", *headers, auth=False)
    assert (answer.status, answer.code) == (401, "E-AUTH")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert api.desk.calls == []
    assert TOKEN[:-1] not in caplog.text
    assert "wrong" not in caplog.text.replace("wrong or over", "")


@pytest.mark.parametrize("query", ["token", "access_token", "Authorization", "key"])
async def test_a_token_in_the_address_is_worth_nothing(api, query):
    assert (await api.ask(f"/api/status?{query}={TOKEN}", auth=False)).code == "E-AUTH"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_scheme_is_read_in_any_case(api, scheme):
    assert (await api.ask("/api/status", f"Authorization: {scheme} {TOKEN}", auth=False)).status == 200


async def test_a_wrong_token_is_answered_late_and_logged_without_it(api, monkeypatch, caplog):
    monkeypatch.setattr(access, "_REFUSAL_DELAY", 0.1)
    before = time.monotonic()
    with caplog.at_level(logging.WARNING):
        await api.ask("/api/status?secret=1", "Authorization: Bearer not-this-one", auth=False)
    assert time.monotonic() - before >= 0.1
    assert "E-AUTH" in caplog.text
    assert "not-this-one" not in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("header", ["Origin: http://evil.com", "no header at all"])
async def test_a_page_cannot_fill_the_log(api, header, caplog):
    with caplog.at_level(logging.INFO):
        for _ in range(40):
            assert (await api.ask("/", header)).status in (400, 403)
    assert 0 < len(caplog.records) <= 30


# --- sessions


async def test_a_session_is_opened_with_a_code_once(api):
    code = json.loads((await api.ask("/api/session/code", method="POST")).body)["code"]
    body = json.dumps({"code": code}).encode()
    opened = await api.ask("/api/session", JSON, *PAGE, method="POST", body=body, auth=False)
    cookie = opened.headers["set-cookie"]
    assert cookie.startswith(f"daw-bridge-{api.port}=")
    assert {part.strip() for part in cookie.split(";")[1:]} == {
        "HttpOnly",
        "SameSite=Strict",
        "Path=/",
        "Max-Age=86400",
    }
    assert TOKEN not in str(opened)
    again = await api.ask("/api/session", JSON, *PAGE, method="POST", body=body, auth=False)
    assert (again.status, again.code) == (401, "E-AUTH")


@pytest.mark.parametrize("data", [{}, {"code": ""}, {"code": None}, {"code": 1}, {"code": ["x"]}, {"code": "\u00ff"}])
async def test_no_session_without_a_good_code(api, data):
    await api.ask("/api/session/code", method="POST")
    answer = await api.ask("/api/session", JSON, *PAGE, method="POST", body=json.dumps(data).encode(), auth=False)
    assert answer.code == "E-AUTH"
    assert "set-cookie" not in answer.headers


async def test_a_code_lives_for_60_seconds(api):
    code = json.loads((await api.ask("/api/session/code", method="POST")).body)["code"]
    api.times.at += 60.1
    body = json.dumps({"code": code}).encode()
    assert (await api.ask("/api/session", JSON, *PAGE, method="POST", body=body, auth=False)).code == "E-AUTH"


async def test_a_session_cannot_make_codes(api):
    cookie = await api.log_in()
    answer = await api.ask("/api/session/code", f"Cookie: {cookie}", JSON, *PAGE, method="POST", auth=False)
    assert answer.code == "E-AUTH"


async def test_a_session_reads_and_ends(api):
    cookie = f"Cookie: {await api.log_in()}"
    assert (await api.ask("/api/status", cookie, auth=False)).status == 200
    ended = await api.ask("/api/session", cookie, JSON, *PAGE, method="DELETE", auth=False)
    assert json.loads(ended.body) == {"ended": True}
    assert "Max-Age=0" in ended.headers["set-cookie"]
    assert (await api.ask("/api/status", cookie, auth=False)).code == "E-AUTH"


async def test_a_session_is_over_after_a_day(api):
    cookie = f"Cookie: {await api.log_in()}"
    api.times.at += 86_399
    assert (await api.ask("/api/status", cookie, auth=False)).status == 200
    api.times.at += 2
    assert (await api.ask("/api/status", cookie, auth=False)).code == "E-AUTH"


async def test_sessions_outlive_the_process_and_not_the_token(tmp_path):
    """An open page comes back by itself after a restart, for what is left of its day."""
    file, times = tmp_path / "sessions.json", HandTimes()

    async def restarted(token: str = TOKEN, *, later: float = 0.0) -> Sessions:
        times.wall += later
        sessions = Sessions(times, file)
        await sessions.load(token)
        return sessions

    first = await restarted()
    kept, ended = (first.redeem(first.new_code()) for _ in range(2))
    await first.save(TOKEN)
    first.end(ended)
    await first.save(TOKEN)
    assert kept not in file.read_text() and TOKEN not in file.read_text()
    if sys.platform != "win32":
        assert file.stat().st_mode & 0o777 == 0o600
    again = await restarted(later=86_000)
    assert again.holds(kept)
    assert not again.holds(ended)
    times.at += 399
    assert again.holds(kept)
    times.at += 2
    assert not again.holds(kept)
    assert not (await restarted("another token")).holds(kept)
    assert not (await restarted(later=401)).holds(kept)
    turned_back = await restarted(later=-100 * 86_400)
    times.at += 86_401
    assert not turned_back.holds(kept)


@pytest.mark.parametrize("content", ["", "[]", '{"token": 1}', '{"token": "TOKEN", "sessions": {"x": "y"}}', "\xff"])
async def test_damaged_sessions_cost_a_sign_in(tmp_path, content, caplog):
    file = tmp_path / "sessions.json"
    file.write_text(content.replace("TOKEN", hashlib.sha256(TOKEN.encode()).hexdigest()), encoding="latin-1")
    sessions = Sessions(HandTimes(), file)
    await sessions.load(TOKEN)
    assert sessions.redeem(sessions.new_code())
    assert content == '{"token": 1}' or "sign in again" in caplog.text


async def test_sessions_that_cannot_be_kept_hold_all_the_same(tmp_path, caplog):
    sessions = Sessions(HandTimes(), tmp_path / "no folder" / "sessions.json")
    await sessions.load(TOKEN)
    session = sessions.redeem(sessions.new_code())
    await sessions.save(TOKEN)
    assert sessions.holds(session)
    assert "could not be kept" in caplog.text


async def test_a_server_keeps_its_sessions_in_the_home(tmp_path, monkeypatch):
    file = tmp_path / "sessions.json"
    for attempt in ("opens", "holds", "ends", "holds no more"):
        server = ApiServer(FakeDesk(), EventHub(), token=TOKEN, host="127.0.0.1", port=0, sessions=file)
        _, port = await server.start()
        try:
            async with aiohttp.ClientSession() as http:
                api = Running(FakeDesk(), EventHub(), server, port, HandTimes(), http)
                if attempt == "opens":
                    value = (await api.log_in()).partition("=")[2]
                cookie = f"Cookie: daw-bridge-{port}={value}"
                if attempt == "ends":
                    await api.ask("/api/session", cookie, JSON, *PAGE, method="DELETE", auth=False)
                seen = (await api.ask("/api/status", cookie, auth=False)).status
                assert seen == (200 if attempt in ("opens", "holds") else 401), attempt
        finally:
            await server.close()


async def test_a_wrong_token_beside_a_good_session_is_wrong(api):
    cookie = f"Cookie: {await api.log_in()}"
    assert (await api.ask("/api/status", cookie, "Authorization: Bearer x", auth=False)).code == "E-AUTH"


@pytest.mark.parametrize("bearer", [False, True], ids=["cookie", "cookie and token"])
@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ([JSON, *PAGE], 200, None),
        ([JSON, PAGE[0]], 200, None),
        ([JSON, PAGE[1]], 200, None),
        ([JSON], 403, "E-ORIGIN"),
        ([*PAGE], 415, "E-JSON"),
        (["Content-Type: text/plain", *PAGE], 415, "E-JSON"),
        (["Content-Type: application/x-www-form-urlencoded", *PAGE], 415, "E-JSON"),
        (["Content-Type: multipart/form-data; boundary=x", *PAGE], 415, "E-JSON"),
        (["Content-Type: application/json, text/plain", *PAGE], 415, "E-JSON"),
        ([JSON, "Content-Type: text/plain", *PAGE], 400, "E-INVALID"),
        ([JSON, "Sec-Fetch-Site: cross-site"], 403, "E-ORIGIN"),
        ([JSON, "Origin: null"], 403, "E-ORIGIN"),
        ([], 415, "E-JSON"),
    ],
    ids=lambda value: " + ".join(value) if isinstance(value, list) else str(value),
)
async def test_what_a_session_does_our_page_must_have_meant(api, bearer, headers, status, code):
    cookie = f"Cookie: {await api.log_in()}"
    answer = await api.ask("/api/pause", cookie, *headers, method="POST", auth=bearer)
    assert answer.status == status
    if code:
        assert answer.code == code
        assert api.desk.calls == []


async def test_a_token_beside_any_cookie_has_no_privilege(api):
    answer = await api.ask("/api/pause", "Cookie: other=1", method="POST")
    assert answer.code == "E-JSON"


@pytest.mark.parametrize(
    "cookie", ['"', "=;=;;", "a=b;" * 500, "daw-bridge-PORT", 'daw-bridge-PORT="', "\udcff=\udcff"]
)
async def test_odd_cookies_are_no_session(api, cookie):
    assert (await api.ask("/api/status", f"Cookie: {cookie}", auth=False)).code == "E-AUTH"


def test_the_tables_of_sessions_do_not_grow():
    sessions = Sessions(Times())
    codes = [sessions.new_code() for _ in range(100)]
    assert sessions.redeem(codes[0]) is None
    assert sessions.redeem(codes[-1]) is not None
    first = sessions.redeem(sessions.new_code())
    assert first is not None
    for _ in range(70):
        sessions.redeem(sessions.new_code())
    assert not sessions.holds(first)
    assert len(sessions._open) <= 64


# --- every route


def api_of(token: str) -> Api:
    return Api(FakeDesk(), EventHub(), Sessions(Times()), token)


def test_two_routes_with_one_address_are_refused():
    with pytest.raises(ValueError, match="two routes"):
        AccessMiddleware([*ROUTES, ROUTES[0]], api_of(TOKEN))


def test_an_empty_token_is_refused():
    with pytest.raises(ValueError, match="token"):
        AccessMiddleware(ROUTES, api_of(""))


def test_only_these_routes_are_open():
    opened = {route.name for route in ROUTES if route.access is Access.OPEN}
    assert opened == {"GET /healthz", "POST /api/session", "GET /", "GET /page/{file}"}


PROTECTED = [(route.method, route.path) for route in ROUTES if route.access is not Access.OPEN]
ALL = [(route.method, route.path) for route in ROUTES]


@pytest.mark.parametrize(("method", "path"), PROTECTED)
async def test_every_route_asks_for_the_token(api, method, path):
    answer = await api.ask(targets(path), JSON, *PAGE, method=method, auth=False)
    assert (answer.status, answer.code) == (401, "E-AUTH")
    assert api.desk.calls == []


@pytest.mark.parametrize(("method", "path"), ALL)
async def test_every_route_looks_at_the_host_and_the_origin(api, method, path):
    assert (await api.ask(targets(path), "Host: evil.com", method=method, host=False)).code == "E-HOST"
    assert (await api.ask(targets(path), "Origin: http://evil.com", method=method)).code == "E-ORIGIN"
    assert api.desk.calls == []


@pytest.mark.parametrize("path", dict.fromkeys(path for _, path in ALL))
async def test_every_route_refuses_other_methods_in_the_one_shape(api, path):
    known = {method for method, one in ALL if one == path}
    for method in {"PUT", "PATCH", "OPTIONS", "TRACE", "DELETE", "GET", "POST"} - known:
        answer = await api.ask(targets(path), method=method)
        assert (answer.status, answer.code) == (405, "E-METHOD")
        assert set(answer.headers["allow"].split(", ")) == known


async def test_health_tells_nothing(api):
    answer = await api.ask("/healthz", auth=False)
    assert (answer.status, json.loads(answer.body)) == (200, {"ok": True})
