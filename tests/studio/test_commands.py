"""The commands of a studio, against a real database."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
import time
import tomllib
import uuid
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url
from typer.testing import CliRunner

from bridge_daemon.cli.app import build
from bridge_daemon.home.paths import Home
from bridge_daemon.settings.sections import Engine
from bridge_daemon.studio import checks
from bridge_daemon.studio.database import Postgres
from tests import postgres
from tests.support import press, running


def run(*words: str, typed: str = "") -> tuple[int, str]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    done = CliRunner().invoke(build(), [*words], input=typed)
    if threading.current_thread() is threading.main_thread():
        for number, handler in before.items():  # a keeper listens to them from its first line on
            signal.signal(number, handler)
    return done.exit_code, done.output


def config(home: Path, url: str, room: str = "left") -> None:
    made = Home(home)
    made.prepare()
    made.config.write_text(f'[journal]\nurl = "{url}"\nroom = "{room}"\n', encoding="utf-8")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"  # as the environment of the tests says


def test_init_makes_the_tables_once(server: postgres.Cluster, home: Path) -> None:
    with psycopg.connect(server.address("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE by_command")
    config(home, server.address("by_command"))
    assert "is ready" in run("studio", "init")[1]
    assert "was ready already" in run("studio", "init")[1]


@pytest.fixture
def admin(server: postgres.Cluster, home: Path) -> str:
    """The home of an administrator, who owns a new database and is no superuser; the URL of it."""
    name = f"adm{uuid.uuid4().hex[:10]}"
    with psycopg.connect(server.address("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN CREATEROLE")
        connection.execute(f"CREATE DATABASE {name} OWNER {name}")
    config(home, server.address(name, name), "admin")
    assert run("studio", "init")[0] == 0
    return server.address(name, name)


class TestARoom:
    """From the administrator's `room add` to a home that has joined."""

    def test_gets_a_role_and_joins_with_it(
        self, admin: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        name = f"l{uuid.uuid4().hex[:8]}"
        code, said = run("studio", "room", "add", name)
        assert code == 0, said
        password, join = said.splitlines()[1].strip(), said.splitlines()[3].split()
        assert password not in join
        assert json.loads(run("studio", "room", "list", "--json")[1]) == [{"room": name, "kind": "room", "role": name}]
        assert run("studio", "room", "add", name)[0] != 0, "once"
        other = tmp_path / "left"
        monkeypatch.setenv("DAW_BRIDGE_HOME", str(other))
        code, said = run(*join[1:], "--dry-run", typed=f"{password}\n")
        assert (code, "Nothing was changed" in said, "fail " in said) == (0, True, False), said
        assert "url" not in _journal(other)
        code, said = run(*join[1:], typed=f"{password}\n")
        assert code == 0, said
        assert _journal(other) == {"url": join[3], "room": name}
        assert password not in (other / "config.toml").read_text(encoding="utf-8") + said
        code, said = run("studio", "status", "--json")
        states = {one["key"]: one["state"] for one in json.loads(said)["checks"]}
        assert states == dict.fromkeys(("database", "tls", "role", "clock", "name", "engine"), "ok")
        code, said = run("studio", "limit", "--per-day", "1000", "--per-month", "1000")
        assert (code, "E-ROLE" in said, "administrator" in said) == (1, True, True), said
        assert run("studio", "room", "add", "mine")[0] == 1
        assert run("studio", "init")[0] == 1
        monkeypatch.setenv("DAW_BRIDGE_HOME", str(home))
        assert "the administrator's; rooms have roles of their own" in run("studio", "status")[1]
        assert run("studio", "room", "renew", name)[0] == 0
        assert run("studio", "room", "remove", name)[0] == 0
        assert json.loads(run("studio", "room", "list", "--json")[1]) == []

    def test_of_another_engine_or_name_does_not_join(self, studio: str, home: Path, tmp_path: Path) -> None:
        Home(home).prepare()
        with psycopg.connect(studio, autocommit=True) as connection:
            connection.execute(
                "INSERT INTO workers VALUES ('x', 'run', 'left', 'room', %s, 0, extract(epoch FROM clock_timestamp()))",
                [json.dumps({"host": "studio-a", "version": "1", "base_url": "https://elsewhere.example"})],
            )
        code, said = run("studio", "join", studio, "--room", "left")
        assert code == 1
        assert "Another bridge is the room left already, on studio-a" in said
        assert "base_url is https://api.empiriolabs.ai here, and https://elsewhere.example in the room left" in said
        assert "may change everything" in said, "a superuser is no room"
        assert "url" not in _journal(home)

    def test_is_refused_a_password_in_the_address(self, home: Path) -> None:
        code, said = run("studio", "join", "postgresql://left:secret@db.example/studio")
        assert code == 2
        assert "must not hold a password" in said

    def test_whose_database_does_not_answer_is_told(self, home: Path) -> None:
        code, said = run("studio", "join", f"postgresql://left@127.0.0.1:{postgres.free_port()}/studio")
        assert (code, "E-STUDIO" in said) == (1, True)


def _journal(home: Path) -> dict[str, str]:
    found: dict[str, str] = tomllib.loads((home / "config.toml").read_text(encoding="utf-8")).get("journal", {})
    return found


@pytest.mark.parametrize(("differs", "state"), [(0.5, "ok"), (30.0, "warn"), (-3000.0, "fail")])
def test_a_clock_that_is_wrong_is_found(
    studio: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, differs: float, state: str
) -> None:
    database = Postgres(make_url(studio), room="left", home=tmp_path)
    database.open()
    before = time.time
    monkeypatch.setattr(checks.time, "time", lambda: before() + differs)
    found = {one.key: one for one in checks.look(database, Engine(), "me")}
    database.close()
    assert found["clock"].state == state


def test_a_limit_of_a_room_and_of_a_client(admin: str) -> None:
    assert run("studio", "limit", "--room", "left", "--per-day", "1", "--per-month", "2")[0] == 0
    assert run("studio", "limit", "--client", "reaper", "--per-day", "3", "--per-month", "4")[0] == 0
    found = json.loads(run("studio", "status", "--json")[1])["limits_of"]
    assert found == {
        "room left": {"per_day_usd": 1.0, "per_month_usd": 2.0},
        "client reaper": {"per_day_usd": 3.0, "per_month_usd": 4.0},
    }
    assert run("studio", "limit", "--room", "left", "--none")[0] == 0
    assert list(json.loads(run("studio", "status", "--json")[1])["limits_of"]) == ["client reaper"]
    assert run("studio", "limit", "--per-day", "1")[0] == 2, "both, or none"


def test_without_a_database_it_says_what_to_do(home: Path) -> None:
    Home(home).prepare()
    code, said = run("studio", "status")
    assert code != 0
    assert "config.toml names no database" in said
    code, said = run("keeper")
    assert code != 0
    assert "A keeper needs the journal of a studio" in said


async def test_status_and_limit(studio: str, home: Path, tmp_path: Path) -> None:
    config(home, studio)
    async with running(tmp_path / "right", None, journal={"url": studio, "room": "right"}) as daemon:
        await press(daemon)
        code, said = run("studio", "limit", "--per-day", "5", "--per-month", "20")
        assert (code, "$5.00 a day, $20.00 a month" in said) == (0, True)
        found = json.loads(run("studio", "status", "--json")[1])
        assert [(one["kind"], one["room"], one["alive"]) for one in found["bridges"]] == [("room", "right", True)]
        assert found["limits"] == {"per_day_usd": 5.0, "per_month_usd": 20.0}
        assert "room right on" in run("studio", "status")[1]
    [gone] = json.loads(run("studio", "status", "--json")[1])["bridges"]
    assert not gone["alive"], "who ends says so"


async def test_jobs_can_be_read_without_a_bridge(studio: str, home: Path) -> None:
    config(home, studio)
    async with running(home, None, journal={"url": studio, "room": "left"}) as daemon:
        job = await press(daemon)
    listed = json.loads((await asyncio.to_thread(run, "jobs", "list", "--offline", "--json"))[1])
    assert [one["job"] for one in listed] == [job]
    code, said = run("jobs", "rebuild", "--dry-run")
    assert code != 0
    assert "that of a studio" in said
