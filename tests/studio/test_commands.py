"""The commands of a studio, against a real database."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from bridge_daemon.cli.app import build
from bridge_daemon.home.paths import Home
from tests import postgres
from tests.support import press, running


def run(*words: str) -> tuple[int, str]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    done = CliRunner().invoke(build(), [*words])
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
