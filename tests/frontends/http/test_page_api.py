"""What the page needs: its files, sources that are dropped on it, marks, searches, events that were missed."""

from __future__ import annotations

import json

import pytest

from bridge_daemon.domain.job import State
from bridge_daemon.frontends.http import handle_page, handle_sources
from bridge_daemon.frontends.http.openapi import description
from bridge_daemon.frontends.http.rate_limit import RateLimit
from bridge_daemon.frontends.http.route_table import ROUTES
from bridge_daemon.frontends.http.routing import Access
from tests.frontends.http.conftest import TOKEN
from tests.frontends.http.test_events import Stream

JSON = "Content-Type: application/json"
PAGE = ("Origin: http://127.0.0.1:PORT", "Sec-Fetch-Site: same-origin")


@pytest.fixture
def page(tmp_path, monkeypatch):
    folder = tmp_path / "page"
    (folder / "vendor").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>bridge</title>")
    (folder / "app.js").write_text("export {};")
    (folder / "vendor" / "wave.js").write_text("export const wave = 1;")
    (folder / "notes.py").write_text("secret")
    (folder / ".hidden.js").write_text("secret")
    (tmp_path / "outside.js").write_text("secret")
    monkeypatch.setattr(handle_page, "FOLDER", folder)
    return folder


@pytest.mark.parametrize(
    ("target", "media"),
    [
        ("/", "text/html"),
        ("/?from=bookmark", "text/html"),
        ("/page/app.js", "text/javascript"),
        ("/page/vendor/wave.js", "text/javascript"),
    ],
)
async def test_files_of_the_page(api, page, target, media):
    answer = await api.ask(target, "Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate", auth=False)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith(media)
    assert answer.headers["cache-control"] == "no-cache"
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    again = await api.ask(target, f"If-None-Match: {answer.headers['etag']}", auth=False)
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize(
    "file",
    [
        "",
        ".",
        "..",
        "../outside.js",
        "%2e%2e/outside.js",
        "..%2foutside.js",
        "..\\outside.js",
        "/app.js",
        "vendor",
        "vendor/",
        "vendor//wave.js",
        ".hidden.js",
        "notes.py",
        "app.js%00",
        "app.js/",
        "nothing.js",
        "C:app.js",
    ],
)
async def test_nothing_but_the_files_of_the_page_is_served(api, page, file):
    answer = await api.ask(f"/page/{file}", auth=False)
    assert (answer.status, answer.code) == (404, "E-NOT-FOUND")


async def test_a_link_out_of_the_page_is_not_followed(api, page):
    (page / "link.js").symlink_to(page.parent / "outside.js")
    assert (await api.ask("/page/link.js", auth=False)).code == "E-NOT-FOUND"


async def test_a_code_in_the_address_opens_nothing(api, page):
    code = json.loads((await api.ask("/api/session/code", method="POST")).body)["code"]
    answer = await api.ask(f"/?code={code}", auth=False)
    assert "set-cookie" not in answer.headers
    body = json.dumps({"code": code}).encode()
    assert (await api.ask("/api/session", JSON, *PAGE, method="POST", body=body, auth=False)).status == 200


async def test_a_session_dies_with_the_token_that_it_came_from(api):
    cookie = f"Cookie: {await api.log_in()}"
    api.server.change_token(TOKEN)  # the same one: nothing changes
    assert (await api.ask("/api/status", cookie, auth=False)).status == 200
    api.server.change_token("another")
    assert (await api.ask("/api/status", cookie, auth=False)).code == "E-AUTH"
    assert (await api.ask("/api/status")).code == "E-AUTH"


# --- sources


async def send(api, *headers, body=b"RIFF", target="/api/sources?name=kick.wav", **more):
    return await api.ask(target, *headers, method="POST", body=body, **more)


async def test_a_dropped_file_becomes_a_source_once(api):
    first = await send(api, "Content-Type: audio/wav")
    again = await send(api, "Content-Type: application/octet-stream")
    assert (first.status, again.status) == (201, 200)
    assert api.desk.calls[0] == ("add_source", b"RIFF", "kick.wav")


@pytest.mark.parametrize("declared", ["text/plain", "multipart/form-data; boundary=x", "application/json", None])
@pytest.mark.parametrize("session", [False, True])
async def test_a_source_is_declared_as_no_form_can(api, declared, session):
    headers = [f"Content-Type: {declared}"] if declared else []
    if session:
        headers += [f"Cookie: {await api.log_in()}", *PAGE]
    answer = await send(api, *headers, auth=not session)
    assert (answer.status, answer.code) == (415, "E-JSON")
    assert api.desk.calls == []


async def test_a_source_has_256_mib_at_most(api):
    answer = await api.ask(
        "/api/sources", "Content-Type: audio/wav", f"Content-Length: {handle_sources.LONGEST + 1}", method="POST"
    )
    assert (answer.status, answer.code) == (413, "E-SIZE")


async def test_a_source_that_trickles_is_given_up(api, monkeypatch):
    monkeypatch.setattr(handle_sources, "_STALLED", 0.05)
    answer = await api.ask("/api/sources", "Content-Type: audio/wav", "Content-Length: 9", method="POST")
    assert (answer.status, answer.code) == (503, "E-BUSY")


@pytest.mark.parametrize("source", ["x", "A" * 64, "..%2f" + "a" * 59])
async def test_sources_that_are_not_there(api, source):
    assert (await api.ask(f"/api/sources/{source}/audio")).code == "E-NOT-FOUND"


# --- marks and searches


async def test_marks(api):
    api.desk.add("j1")
    body = b'{"favourite": true, "tags": ["kick", "dry"], "trashed": false}'
    assert (await api.ask("/api/jobs/j1", JSON, method="PATCH", body=body)).status == 200
    assert api.desk.calls == [("mark", "j1", json.loads(body))]


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"favorite": True}, "favorite"),
        ({"favourite": 1}, "favourite"),
        ({"tags": [""]}, "tags.0"),
        ({"tags": ["x" * 41]}, "tags.0"),
        ({"tags": [" x"]}, "tags.0"),
        ({"tags": ["x"] * 21}, "tags"),
        ({"trashed": "yes"}, "trashed"),
    ],
)
async def test_wrong_marks_are_named(api, data, field):
    answer = await api.ask("/api/jobs/j1", JSON, method="PATCH", body=json.dumps(data).encode())
    assert (answer.status, answer.code) == (422, "E-INVALID")
    assert [fault["field"] for fault in answer.error["faults"]] == [field]
    assert api.desk.calls == []


WITHOUT_KEYS = [route for route in ROUTES if route.writes and not route.verbatim and not route.raw]


@pytest.mark.parametrize("route", WITHOUT_KEYS, ids=lambda route: route.name)
async def test_unknown_keys_are_refused_by_name(api, route):
    target = route.path.replace("{job}", "j1")
    answer = await api.ask(target, JSON, method=route.method, body=b'{"nonsense": "a secret"}')
    assert (answer.status, answer.code) == (422, "E-INVALID")
    assert "nonsense" in [fault["field"] for fault in answer.error["faults"]]
    assert "a secret" not in answer.error["message"]
    assert api.desk.calls == []


# of the others the body is looked at first; their query goes through the same line
ASKED = [route for route in ROUTES if not route.any_query and not route.body and not route.raw]


@pytest.mark.parametrize("route", ASKED, ids=lambda route: route.name)
async def test_unknown_queries_are_refused_by_name(api, route):
    target = route.path.replace("{job}", "j1").replace("{source}", "a" * 64)
    answer = await api.ask(f"{target}?nonsense=1", method=route.method)
    assert "nonsense" in answer.error["message"]
    assert api.desk.calls == []


async def test_a_search_reaches_the_daemon(api):
    query = "preset=riser&project=song&tag=kick&favourite=true&take=false&trashed=true&limit=2"
    answer = await api.ask(f"/api/jobs?{query}")
    assert answer.status == 200
    (search,) = api.desk.searches
    wanted = {"preset": "riser", "project": "song", "tag": "kick", "favourite": True, "take": False, "trashed": True}
    assert search.items() >= wanted.items()


async def test_days_are_whole(api):
    await api.ask("/api/jobs?from=2026-11-01&to=2026-11-01")
    (search,) = api.desk.searches
    assert search["until"] - search["since"] in (23 * 3600, 24 * 3600, 25 * 3600)
    for wrong in ("2026-02-30", "yesterday", "2026-1-1"):
        assert (await api.ask(f"/api/jobs?from={wrong}")).code == "E-INVALID"


async def test_pages_follow_one_another(api):
    for number in range(3):
        api.desk.add(f"j{number}")
    first = json.loads((await api.ask("/api/jobs?limit=2")).body)
    assert ([job["job"] for job in first["jobs"]], first["next"]) == (["j0", "j1"], "j1")
    assert json.loads((await api.ask("/api/jobs?limit=3")).body)["next"] is None


# --- settings


async def test_a_session_is_told_from_the_token(api):
    cookie = f"Cookie: {await api.log_in()}"
    body = b'{"spend": {"per_day_usd": 5}}'
    await api.ask("/api/settings", JSON, "If-Match: 1", method="PATCH", body=body)
    await api.ask("/api/settings", JSON, cookie, *PAGE, method="PATCH", body=body, auth=False)
    patch = json.loads(body)
    assert api.desk.calls == [("change_settings", patch, False, "1"), ("change_settings", patch, True, None)]


async def test_so_many_calls_a_minute(api):
    api.server._access._limits["GET /api/key/check"] = RateLimit(2)
    for _ in range(2):
        assert (await api.ask("/api/key/check")).status == 200
    assert (await api.ask("/api/key/check", auth=False)).code == "E-AUTH"  # strangers use up no turn
    late = await api.ask("/api/key/check")
    assert (late.status, late.code) == (429, "E-BUSY")
    assert 1 <= int(late.headers["retry-after"]) <= 61


# --- events that were missed


async def test_a_watcher_that_comes_back_gets_what_it_missed(api):
    stream = await Stream.open(api)
    await stream.next()
    api.hub.publish("job", {"n": 1})
    last = (await stream.next())["id"]
    stream.close()
    api.hub.publish("job", {"n": 2})
    api.hub.publish("job", {"n": 3})
    again = await Stream.open(api, f"Authorization: Bearer {TOKEN}", f"Last-Event-ID: {last}")
    assert json.loads((await again.next())["data"])["replayed"] is True
    assert [json.loads((await again.next())["data"])["n"] for _ in range(2)] == [2, 3]
    again.close()


@pytest.mark.parametrize("last", ["", "7", "ffffffff-0", "LIFE-999", "LIFE--1", "LIFE-x", "LIFE-0"])
async def test_who_was_away_too_long_reads_again(api, last):
    for number in range(600):
        api.hub.publish("job", {"n": number})
    named = last.replace("LIFE", api.hub._life)
    stream = await Stream.open(api, f"Authorization: Bearer {TOKEN}", f"Last-Event-ID: {named}")
    assert json.loads((await stream.next())["data"])["replayed"] is False
    api.hub.publish("job", {"n": "new"})
    assert json.loads((await stream.next())["data"])["n"] == "new"
    stream.close()


# --- the description


async def test_the_description_is_the_table(api):
    told = json.loads((await api.ask("/api/openapi.json")).body)
    assert told == json.loads(json.dumps(description(ROUTES)))
    assert told["openapi"].startswith("3.1")
    described = {(method.upper(), path) for path, each in told["paths"].items() for method in each}
    assert described == {(route.method, route.path) for route in ROUTES}
    names = [each["operationId"] for path in told["paths"].values() for each in path.values()]
    assert len(names) == len(set(names))
    for route in ROUTES:
        operation = told["paths"][route.path][route.method.lower()]
        assert (operation["security"] == []) is (route.access is Access.OPEN)
        assert [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"] == [
            one.name for one in route.query
        ]
    states = next(one for one in told["paths"]["/api/jobs"]["get"]["parameters"] if one["name"] == "state")
    assert states["schema"]["items"]["enum"] == [str(state) for state in State]


def test_every_reference_of_the_description_leads_somewhere():
    told = description(ROUTES)
    text = json.dumps(told)
    for name in {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in told["components"]["schemas"]
