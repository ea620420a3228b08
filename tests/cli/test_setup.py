"""The first run: by options, in a terminal, stopped, killed, and run again."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from bridge_daemon.care import first_run
from bridge_daemon.cli.setup import StepName
from bridge_daemon.cli.setup_steps import STEPS
from bridge_daemon.home.paths import Home
from tests.cli.conftest import Cli
from tests.fakes.service import Service

KEY = "sk-never-shown-0123456789abcdef"
FREE = ("--skip", "start", "--skip", "service", "--skip", "test")
LIMITS = "Dollars a day"


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    """A machine of its own, with a REAPER on it."""
    user = tmp_path / "üser"
    reaper = user / ".config" / "REAPER"
    reaper.mkdir(parents=True)
    (reaper / "reaper.ini").write_text("[REAPER]\n")
    made = Cli(
        tmp_path / "höme",
        {
            "HOME": str(user),
            "USERPROFILE": str(user),
            "APPDATA": str(user / ".config"),
            "XDG_CONFIG_HOME": str(user / ".config"),
            "DAW_BRIDGE_ENGINE__NAME": "auto",
        },
    )
    yield made
    runtime = Home(made.home).read_runtime()
    if runtime is not None and psutil.pid_exists(runtime.pid):
        made.process("stop", code=None)


def results(told: dict[str, Any]) -> dict[str, str]:
    return {one["step"]: one["result"] for one in told["steps"]}


def config(cli: Cli) -> dict[str, Any]:
    return tomllib.loads((cli.home / "config.toml").read_text("utf-8"))


def test_every_step_has_its_name_and_its_act() -> None:
    keys = [step.key for step in first_run.STEPS]
    assert keys == [str(name) for name in StepName] == list(STEPS)


def test_without_a_terminal_it_says_what_it_needs_and_makes_nothing(cli: Cli) -> None:
    done = cli("setup", code=2)
    for step in first_run.STEPS:
        assert step.title in done.stdout
        assert step.alone in done.stdout
    assert "--yes" in done.stderr
    assert "--key-stdin" in done.stderr
    assert not cli.home.exists()
    assert cli.json("setup", code=2)["error"]["code"] == "E-INVALID"


async def test_by_options_and_then_again(cli: Cli, tmp_path: Path) -> None:
    renders = tmp_path / "Renders é"
    renders.mkdir()
    async with Service() as service:
        there = cli.with_(DAW_BRIDGE_ENGINE__BASE_URL=service.url)
        words = ("setup", "--yes", "--json", *FREE, "--key-stdin", "--per-day", "3", "--confirm-above", "0.5",
                 "--folder", str(renders), "--clock-port", "Clock*")  # fmt: skip
        done = await asyncio.to_thread(there.process, *words, stdin=f"{service.key}\n")
        again = await asyncio.to_thread(there.process, "setup", "--yes", "--json", *FREE)
        assert service.posts == []
    assert service.key not in done.stdout + done.stderr + again.stdout + again.stderr
    told = results(json.loads(done.stdout))
    assert {key for key, one in told.items() if one == "done"} == {"key", "limits", "daws", "folders", "midi"}
    assert told["sources"] == "skipped"
    assert results(json.loads(again.stdout)) == told
    assert (cli.home / "key").read_text() == service.key
    assert config(cli)["spend"] == {"per_day_usd": 3.0, "per_month_usd": 50.0, "confirm_above_usd": 0.5}
    assert config(cli)["folders"] == [{"name": renders.name, "path": str(renders)}]
    assert "# Presets:" in (cli.home / "config.toml").read_text("utf-8")
    assert list((tmp_path / "üser").rglob("DAW Bridge_Setup.lua"))


async def test_a_key_that_the_service_does_not_accept_is_not_kept(cli: Cli) -> None:
    async with Service() as service:
        there = cli.with_(DAW_BRIDGE_ENGINE__BASE_URL=service.url)
        words = ("setup", "--yes", "--json", "--step", "key", "--key-stdin")
        done = await asyncio.to_thread(there.process, *words, stdin=f"{KEY}\n", code=1)
    key = json.loads(done.stdout)["steps"][0]
    assert (key["result"], key["error"]["code"], key["error"]["charge"]) == ("failed", "E-KEY", "none")
    assert KEY not in done.stdout + done.stderr
    assert not (cli.home / "key").exists()


def test_a_step_that_fails_leaves_the_others(cli: Cli, tmp_path: Path) -> None:
    told = cli.json("setup", "--yes", *FREE, "--per-day", "-1", "--folder", str(tmp_path / "nowhere"), code=1)
    found = results(told)
    assert (found["limits"], found["folders"], found["daws"]) == ("failed", "failed", "done")
    assert config(cli)["spend"]["per_day_usd"] == 10.0


def test_what_the_environment_sets_is_not_written_in_vain(cli: Cli) -> None:
    there = cli.with_(DAW_BRIDGE_SPEND__PER_DAY_USD="4")
    told = there.json("setup", "--yes", "--step", "limits", "--per-day", "3", code=1)
    assert "DAW_BRIDGE_SPEND__PER_DAY_USD" in told["steps"][1]["text"]


def test_a_folder_is_added_to_those_that_are_there(cli: Cli, tmp_path: Path) -> None:
    for number in (1, 2):
        folder = tmp_path / str(number) / "Renders"
        folder.mkdir(parents=True)
        cli.json("setup", "--yes", "--step", "folders", "--folder", str(folder))
    assert [one["name"] for one in config(cli)["folders"]] == ["Renders", "Renders 2"]


def test_the_way_for_sources_is_set_and_tried_by_the_bridge(cli: Cli) -> None:
    """Here the service is on this machine, so the bridge tries its own listener."""
    there = cli.with_(DAW_BRIDGE_ENGINE__BASE_URL="http://127.0.0.1:9")
    told = there.json("setup", "--yes", "--step", "start", "--step", "sources", "--sources", "cloudflared")
    assert results(told)["sources"] == "done"
    assert config(cli)["publish"]["tunnel_command"] == "cloudflared"
    told = there.json("setup", "--yes", *FREE, "--skip", "sources", "--skip", "daws")
    assert results(told)["start"] == "left out"
    there.process("stop")
    told = there.json("setup", "--yes", "--step", "sources", code=1)
    assert "was not tried" in told["steps"][3]["text"]


def test_the_test_takes_come_through_and_leave_nothing(cli: Cli, tmp_path: Path) -> None:
    """Also with a key: it cannot cost."""
    there = cli.with_(EMPIRIOLABS_API_KEY=KEY, TMPDIR=str(tmp_path))
    before = set(tmp_path.iterdir())
    done = there.process("setup", "--yes", "--json", "--step", "test")
    told = json.loads(done.stdout)
    assert "two takes" in told["steps"][8]["text"]
    assert set(tmp_path.iterdir()) - before <= {cli.home}
    assert not (cli.home / "journal.sqlite3").exists()


class Terminal:
    """A conversation with ``daw-bridge setup``."""

    def __init__(self, cli: Cli, *args: str) -> None:
        pty = pytest.importorskip("pty", reason="Windows has no terminals that a program can play")
        self._ours, theirs = pty.openpty()
        self.process = cli.popen(
            "setup", *args, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # workers of pytest-xdist ignore it
        )  # fmt: skip
        os.close(theirs)
        self.shown, self._seen = "", 0

    def until(self, text: str) -> None:
        """Read until a text was shown that no answer came after yet."""
        while text not in self.shown[self._seen :]:
            assert self._read(), f"it ended: {self.shown}"
        self._seen = self.shown.index(text, self._seen) + len(text)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._ours], [], [], 60)
        assert ready, self.shown
        try:
            piece = os.read(self._ours, 4096)
        except OSError:  # how Linux tells that the other side was closed
            return False
        self.shown += piece.decode("utf-8", "replace")
        return bool(piece)

    def answer(self, question: str, text: str) -> None:
        self.until(question)
        os.write(self._ours, f"{text}\n".encode())

    def end(self) -> int:
        while self._read():
            pass
        os.close(self._ours)
        return self.process.wait(30)


def test_in_a_terminal(cli: Cli, tmp_path: Path) -> None:
    renders = tmp_path / "Renders"
    renders.mkdir()
    talk = Terminal(cli, *FREE)
    talk.answer("Enter skips", "")
    talk.answer(LIMITS, "2,50")
    talk.answer("Dollars a month", "")
    talk.answer("Ask before", "$1")
    talk.answer("Number or address", "")
    talk.answer("[Y/n]", "")
    talk.answer("Folder of renders", str(renders))
    assert talk.end() == 0, talk.shown
    assert "Traceback" not in talk.shown
    assert "Nothing was spent." in talk.shown
    assert config(cli)["spend"] == {"per_day_usd": 2.5, "per_month_usd": 50.0, "confirm_above_usd": 1.0}
    assert config(cli)["folders"][0]["path"] == str(renders)
    again = Terminal(cli, *FREE)
    again.answer("Enter skips", "short")
    again.until("8 to 512")
    again.answer("Enter skips", "")
    again.answer("Number or address", "")
    assert again.end() == 0, again.shown
    assert LIMITS not in again.shown  # it is done


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (getattr(signal, "SIGKILL", 9), -9)])
def test_stopped_in_the_middle_and_run_again(cli: Cli, number: int, code: int) -> None:
    talk = Terminal(cli, *FREE)
    talk.answer("Enter skips", "")
    talk.answer(LIMITS, "3")
    talk.answer("Dollars a month", "")
    talk.answer("Ask before", "")
    talk.until("Number or address")
    talk.process.send_signal(number)
    assert talk.end() == code
    assert "Traceback" not in talk.shown
    told = cli.json("setup", "--yes", *FREE)
    assert results(told)["limits"] == "done"
    assert config(cli)["spend"]["per_day_usd"] == 3.0


def test_killed_at_each_write_and_run_again(cli: Cli, tmp_path: Path) -> None:
    """Whatever was written is whole: the next run does the rest."""
    log = tmp_path / "points.log"
    words = ("setup", "--yes", "--json", *FREE, "--skip", "daws", "--per-day", "3", "--clock-port", "Clock*")
    cli.with_(DAW_BRIDGE_FAILPOINT_LOG=str(log)).process(*words)
    wanted = config(cli)
    points = [name for name in log.read_text().split() if "setup" in name or "config" in name]
    counted = [(name, points[:i].count(name) + 1) for i, name in enumerate(points)]
    assert len(counted) >= 6
    for number, (name, count) in enumerate(counted):
        one = Cli(tmp_path / f"home {number}", cli.more)
        one.with_(DAW_BRIDGE_FAILPOINT=f"{name}:{count}").process(*words, code=137)
        done = results(json.loads(one.process(*words).stdout))
        assert (done["limits"], done["midi"]) == ("done", "done"), name
        assert config(one) == wanted, name


def test_a_damaged_note_of_what_is_done_does_no_harm(cli: Cli) -> None:
    Home(cli.home).prepare()
    for text in (b"\xff", b"[1]", b'{"limits": 3}', b"[" * 100_000):
        (cli.home / "setup.json").write_bytes(text)
        assert results(cli.json("setup", "--yes", "--step", "limits"))["limits"] == "done"
