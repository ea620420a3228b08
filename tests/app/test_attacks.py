"""The security table against a whole daemon that can spend: bytes on sockets, as a web page or another user sends them.

Each attack is tried on every route that spends or decides about money, and one of each kind on every route that does
anything, with a body that would be taken. All are refused with the right code, nothing is written and nothing is spent.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
import uuid
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bridge_daemon.app.daemon import Daemon
from bridge_daemon.frontends.http import access
from bridge_daemon.frontends.http.route_table import ROUTES
from bridge_daemon.frontends.http.routing import Access, Route
from tests.fakes.service import Service
from tests.support import press, request, running, until, until_seen

JSON = "Content-Type: application/json"
HOST = "Host: 127.0.0.1:PORT"
TOKEN = "Authorization: Bearer TOKEN"
PAGE = ("Origin: http://127.0.0.1:PORT", "Sec-Fetch-Site: same-origin")


@dataclass(frozen=True)
class Attack:
    who: str
    headers: tuple[str, ...]
    status: int
    code: str


ATTACKS = [
    # a page whose name was bound anew to this machine; the token stands for whatever it got hold of
    *[
        Attack(f"rebinding: {host or 'no host'}", (*([f"Host: {host}"] if host else []), TOKEN, JSON), 421, "E-HOST")
        for host in ("evil.com:PORT", "evil.com", "localhost.evil.com:PORT", "127.0.0.1:1", "0.0.0.0:PORT", "")
    ],
    Attack("two hosts", (HOST, "Host: evil.com", TOKEN, JSON), 421, "E-HOST"),
    # a page in the browser
    *[
        Attack(f"page: {header}", (HOST, TOKEN, JSON, header), 403, "E-ORIGIN")
        for header in (
            "Origin: http://evil.com",
            "Origin: null",
            "Origin: http://127.0.0.1:1",
            "Sec-Fetch-Site: cross-site",
            "Sec-Fetch-Site: same-site",
            "Sec-Fetch-Site: none",
        )
    ],
    Attack("a form of a page", (HOST, "Content-Type: text/plain", "Origin: http://evil.com"), 403, "E-ORIGIN"),
    # the session of the person, used by somebody else's page
    Attack("forged with the cookie", (HOST, "Cookie: SESSION", JSON, "Origin: http://evil.com"), 403, "E-ORIGIN"),
    Attack("forged without an origin", (HOST, "Cookie: SESSION", JSON), 403, "E-ORIGIN"),
    Attack("forged beside the token", (HOST, "Cookie: SESSION", TOKEN, JSON), 403, "E-ORIGIN"),
    # another user of the machine
    *[
        Attack(f"user: {header}", (HOST, JSON, *PAGE, header), 401, "E-AUTH")
        for header in (
            "X: nothing at all",
            "Authorization: Bearer wrong",
            "Authorization: Basic TOKEN",
            "X-API-Key: TOKEN",
            "Cookie: daw-bridge-PORT=TOKEN",
            "Cookie: daw-bridge-PORT=x",
        )
    ],
]
ONE_OF_EACH = [attack for attack in ATTACKS if attack.who.startswith(("rebinding: evil.com:", "page: Origin: null"))]
ONE_OF_EACH += [attack for attack in ATTACKS if attack.who in ("forged without an origin", "user: X: nothing at all")]
MONEY = ("/api/requests", "/api/jobs/{job}/retry", "/api/jobs/{job}/resolve", "/api/settings", "/api/prices/agree")
DOING = [route for route in ROUTES if route.method != "GET"]


class Raw:
    """Sends requests to a daemon byte by byte."""

    def __init__(self, daemon: Daemon) -> None:
        self.home = daemon.home.path
        told = json.loads((self.home / "runtime.json").read_text("utf-8"))
        self.port = int(told["http_url"].rpartition(":")[2])
        self.token = (self.home / "token").read_text("utf-8").strip()
        self.session = ""

    async def ask(self, method: str, target: str, headers: tuple[str, ...], body: bytes = b"") -> tuple[int, Any]:
        lines = [f"{method} {target} HTTP/1.1", *headers, f"Content-Length: {len(body)}", "Connection: close", "", ""]
        text = "\r\n".join(lines).replace("PORT", str(self.port)).replace("TOKEN", self.token)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(text.replace("SESSION", self.session).encode() + body)
            async with asyncio.timeout(20):
                answer = await reader.read()
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
        head, _, content = answer.partition(b"\r\n\r\n")
        assert self.token.encode() not in answer, "no answer ever holds the token"
        return int(head.split()[1]), json.loads(content) if content[:1] == b"{" else content

    async def log_in(self) -> None:
        _, code = await self.ask("POST", "/api/session/code", (HOST, TOKEN))
        body = json.dumps({"code": code["code"]}).encode()
        lines = ["POST /api/session HTTP/1.1", HOST, JSON, *PAGE, f"Content-Length: {len(body)}"]
        text = "\r\n".join(lines)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write((text + "\r\nConnection: close\r\n\r\n").replace("PORT", str(self.port)).encode() + body)
        answer = (await reader.read()).decode("latin-1")
        writer.close()
        [line] = [line for line in answer.splitlines() if line.lower().startswith("set-cookie:")]
        self.session = line.partition(":")[2].strip().partition(";")[0]


def body_of(route: Route, job: str) -> bytes:
    """Return a body that the route would take."""
    bodies: dict[str, Any] = {
        "/api/requests": request(confirm_usd=9.0),
        "/api/estimate": request(),
        "/api/sources": None,
        "/api/settings": {"spend": {"per_day_usd": 9999}},
        "/api/jobs/{job}": {"trashed": True},
        "/api/session": {"code": str(uuid.uuid4())},
        "/api/jobs/{job}/resolve": {"charged": False},
        "/api/folders/send": {"entry": 1},
    }
    told = bodies.get(route.path, {})
    return b"RIFF" + bytes(2000) if told is None else json.dumps(told).encode()


def written(home: Path) -> dict[str, Any]:
    """Return all that lies in a home, and all rows of its journal; but for logs, and what tells the time."""
    found: dict[str, Any] = {}
    changing = ("journal.", "heartbeat")
    for file in sorted(home.rglob("*")):
        if file.is_file() and file.suffix != ".log" and not file.name.startswith(changing):
            found[str(file.relative_to(home))] = hashlib.sha256(file.read_bytes()).hexdigest()
    with closing(sqlite3.connect(f"file:{home / 'journal.sqlite3'}?mode=ro", uri=True)) as journal:
        tables = [name for (name,) in journal.execute("select name from sqlite_master where type = 'table'")]
        for name in tables:
            found[f"table {name}"] = journal.execute(f'select * from "{name}"').fetchall()
    return found


async def test_every_attack_on_every_route_is_refused_writes_nothing_and_spends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "_REFUSAL_DELAY", 0.001)
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        job = await press(daemon)  # one take of the person, to be tampered with
        await until(daemon, job)
        await until_seen(service, posts=1)
        raw = Raw(daemon)
        await raw.log_in()
        before, charges = written(raw.home), list(service.charges)
        assert [name for name in before if name.startswith("table")]
        wrong = []
        for route in DOING:
            for attack in ATTACKS if route.path in MONEY else ONE_OF_EACH:
                if route.access is Access.OPEN and attack.code == "E-AUTH" and "nothing" not in attack.who:
                    continue  # who opens a session has no token yet: a code that is wrong is what is refused
                target = route.path.replace("{job}", job).replace("{source}", "a" * 64)
                headers = tuple(
                    header.replace("application/json", route.raw[0]) if route.raw and header == JSON else header
                    for header in attack.headers
                )
                status, told = await raw.ask(route.method, target, headers, body_of(route, job))
                code = told["error"]["code"] if isinstance(told, dict) and "error" in told else None
                expected = (attack.status, attack.code)
                if route.access is not Access.SESSION and attack.who == "forged without an origin":
                    expected = (401, "E-AUTH")  # a session is of no use for this at all
                if (status, code) != expected:
                    wrong.append((route.method, route.path, attack.who, status, code))
        assert wrong == []
        assert service.charges == charges
        assert len(service.posts) == 1
        assert written(raw.home) == before


async def test_the_same_bodies_are_taken_from_the_person(tmp_path: Path) -> None:
    """What is refused above is refused for who asks, not for what is asked."""
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        raw = Raw(daemon)
        await raw.log_in()
        before = written(raw.home)
        headers = (HOST, "Cookie: SESSION", JSON, *PAGE)
        status, told = await raw.ask("POST", "/api/requests", headers, json.dumps(request(confirm_usd=9.0)).encode())
        assert status == 202, told
        await until(daemon, told["jobs"][0])
        assert len(service.charges) == 1
        assert written(raw.home) != before


@pytest.mark.parametrize("target", ["/api/status?token=TOKEN", "/api/jobs?access_token=TOKEN", "/?code=TOKEN"])
async def test_a_secret_in_an_address_opens_nothing(tmp_path: Path, target: str) -> None:
    async with running(tmp_path / "home", None) as daemon:
        raw = Raw(daemon)
        status, told = await raw.ask("GET", target, (HOST,))
        assert (status, told["error"]["code"]) == (401, "E-AUTH") if target.startswith("/api") else status == 200
