"""Commands that are quick, and what all commands have in common."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from typer.main import get_command

from bridge_daemon import __version__
from bridge_daemon.cli import format, problems, terminal
from bridge_daemon.cli.app import build
from tests.cli.conftest import Cli
from tests.util.ending import INTERRUPT, LONGEST

DOCS = Path(__file__).parents[2] / "docs" / "commands.md"
KEY = "sk-never-shown-0123456789abcdef"


def test_not_running_is_exit_code_three(cli: Cli) -> None:
    for args in (["status"], ["generate", "x"], ["jobs", "list"], ["pause"], ["key", "check"], ["price"]):
        said = cli(*args, code=3).stderr
        assert "E-NOT-RUNNING" in said
        assert "Next:  daw-bridge start" in said
    told = cli.json("status", code=3)
    assert told["running"] is False
    assert told["error"]["code"] == "E-NOT-RUNNING"
    assert cli.json("jobs", "list", code=3)["error"]["code"] == "E-NOT-RUNNING"
    assert not cli.home.exists()  # looking makes nothing


def test_the_version(cli: Cli) -> None:
    assert cli.process("--version").stdout.strip() == f"daw-bridge {__version__}"


def test_wrong_use(cli: Cli) -> None:
    assert "No such command" in cli("nonsense", code=2).stderr
    assert "--nonsense" in cli("generate", "--nonsense", code=2).stderr


def test_status(bridge: Cli) -> None:
    told = bridge.json("status")
    assert told["running"] is True
    assert told["engine"]["name"] == "sketch"
    said = bridge("status").stdout
    assert told["http_url"] in said
    assert "of $10.00 spent" in said
    assert "not the model" in said
    assert "\x1b" not in said


@pytest.mark.parametrize(
    ("args", "heavy"),
    [
        (("--help",), "aiohttp pydantic sqlalchemy alembic numpy soundfile rich keyring tomlkit"),
        (("status",), "aiohttp sqlalchemy alembic numpy soundfile rich keyring tomlkit"),
        (("jobs", "list"), "aiohttp sqlalchemy alembic numpy soundfile rich keyring tomlkit"),
    ],
)
def test_nothing_heavy_is_loaded_without_need(cli: Cli, args: tuple[str, ...], heavy: str) -> None:
    said = cli.with_(PYTHONPROFILEIMPORTTIME="1").process(*args, code=None).stderr
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in said.splitlines() if "|" in line}
    assert "typer" in loaded
    assert not loaded & set(heavy.split())


def test_a_running_status_loads_only_the_client(bridge: Cli) -> None:
    said = bridge.with_(PYTHONPROFILEIMPORTTIME="1").process("status").stderr
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in said.splitlines() if "|" in line}
    assert "aiohttp" in loaded
    assert not loaded & {"sqlalchemy", "alembic", "numpy", "soundfile", "rich", "keyring", "tomlkit"}


def test_the_key_comes_by_stdin_and_is_shown_nowhere(cli: Cli) -> None:
    done = cli.process("key", "set", stdin=f"{KEY}\n")
    assert (cli.home / "key").read_text() == KEY
    if os.name != "nt":
        assert oct((cli.home / "key").stat().st_mode)[-3:] == "600"
    assert str(cli.home / "key") in done.stdout
    assert KEY not in done.stdout + done.stderr
    assert "not running" in done.stderr
    with cli.running() as process:
        assert KEY not in " ".join(psutil.Process(process.pid).cmdline())
        assert "uses it now" in cli("key", "set", stdin=f"{KEY}\n").stdout
        cli("generate", "x", "--duration", "1")
        assert "forgotten" in cli("key", "clear").stdout
    assert not (cli.home / "key").exists()
    files = [file for file in cli.home.rglob("*") if file.is_file()]
    assert len(files) > 4
    assert [file for file in files if KEY.encode() in file.read_bytes()] == []


def test_what_is_no_key_is_not_kept_and_not_shown(cli: Cli) -> None:
    said = cli("key", "set", stdin="sk with spaces and more\n", code=2)
    assert "E-INVALID" in said.stderr
    assert "with spaces" not in said.stdout + said.stderr
    assert not (cli.home / "key").exists()
    assert cli("key", "set", stdin="", code=2).stdout == ""


def test_the_key_is_typed_unseen(cli: Cli) -> None:
    code, out, shown = cli.at_terminal("key", "set", answer=KEY, when="not shown")
    assert code == 0, shown
    assert KEY not in out + shown
    assert (cli.home / "key").read_text() == KEY


def test_config(cli: Cli) -> None:
    assert cli("config", "path").stdout.strip() == str(cli.home / "config.toml")
    assert cli.json("config", "path")["log"] == str(cli.home / "logs" / "daemon.log")
    assert "no file yet" in cli("config", "check").stdout
    cli.home.mkdir(mode=0o700)
    (cli.home / "config.toml").write_text(
        '[spend]\nper_day = 1\nper_month_usd = -1\n[publish]\ntunnel_command = "tunnel --token abcdefgh12345678"\n'
    )
    said = cli("config", "check", code=2).stderr
    assert "config.toml:2" in said
    assert "did you mean per_day_usd" in said
    assert "per_month_usd" in said
    told = cli.json("config", "check", code=2)
    assert not told["ok"]
    assert len(told["faults"]) == 2
    assert "E-SETTINGS" in cli("config", "show", code=2).stderr
    text = (cli.home / "config.toml").read_text().replace("per_day = 1\nper_month_usd = -1", "per_day_usd = 7.0")
    (cli.home / "config.toml").write_text(text)
    shown = cli("config", "show").stdout
    assert "per_day_usd = 7.0" in shown
    assert "DAW_BRIDGE_ENGINE__NAME" in shown
    assert "abcdefgh12345678" not in shown
    assert cli.json("config", "show")["spend"]["per_day_usd"] == 7.0


def test_config_shows_every_kind_of_setting(cli: Cli) -> None:
    cli.home.mkdir(mode=0o700)
    (cli.home / "config.toml").write_text(
        f'[[folders]]\nname = "renders"\npath = {json.dumps(str(cli.home))}\npreset = "new drums"\n'
        '[presets."new drums"]\naction = "transform"\nprompt = "drums"\n'
        '[[midi.bindings]]\nname = "pad"\nport = "*"\nchannel = 1\nnumber = 36\npreset = "new drums"\n'
        'source = "newest_take"\n'
    )
    shown = cli("config", "show").stdout
    assert "[[folders]]" in shown
    assert "[[midi.bindings]]" in shown
    assert '[presets."new drums"]' in shown


def test_config_allow_needs_a_folder(cli: Cli) -> None:
    assert "is no folder" in cli("config", "allow", "/not/there", code=2).stderr


def test_logs_are_followed_over_a_rotation(cli: Cli) -> None:
    assert "no log yet" in cli("logs", code=1).stderr
    logs = cli.home / "logs"
    logs.mkdir(parents=True, mode=0o700)
    log = logs / "daemon.log"
    log.write_text("one\ntwo\nthree\n")
    assert cli("logs", "-n", "2").stdout == "two\nthree\n"
    process = cli.popen("logs", "-n", "1", "--follow")
    assert process.stdout is not None
    assert process.stdout.readline() == "three\n"
    with log.open("a") as file:
        file.write("four\x1b[2J\n")
    assert process.stdout.readline() == "four\\x1b[2J\n"
    with log.open("a") as file:
        file.write("five\n")
    log.rename(logs / "daemon.log.1")
    log.write_text("six\n")
    assert process.stdout.readline() == "five\n"
    assert process.stdout.readline() == "six\n"
    process.send_signal(INTERRUPT)
    out, err = process.communicate(timeout=LONGEST)
    assert (process.returncode, out, err) == (0, "", "")


def test_a_fault_of_ours_is_one_sentence_and_the_rest_is_written_down(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs = tmp_path / "home" / "logs"
    logs.mkdir(parents=True)
    assert problems.unexpected(RuntimeError(f"it broke with api_key={KEY}")) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "E-INTERNAL" in shown.err
    assert "Traceback" not in shown.err
    text = (logs / "commands.log").read_text()
    assert "RuntimeError: it broke" in text
    assert KEY not in text


# The terminal


@pytest.mark.parametrize(
    ("text", "shown"),
    [("plain\nlines", "plain\nlines"), ("\x1b[2J\x07", "\\x1b[2J\\x07"), ("ab\u202ecd", "abcd"), ("\x9b1m", "\\x9b1m")],
)
def test_nothing_that_is_shown_moves_the_cursor(text: str, shown: str) -> None:
    assert terminal.clean(text) == shown


def test_a_table_is_aligned_and_fits_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [("1", "ドラム" * 40, "x"), ("22", "short", "y")]
    terminal.table(("A", "B", "C"), rows, crop=1)
    piped = capsys.readouterr().out.splitlines()
    assert "ドラム" * 40 in piped[1]  # a script gets all of it
    monkeypatch.setattr(terminal, "is_terminal", lambda **_: True)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("NO_COLOR", "1")
    terminal.table(("A", "B", "C"), rows, crop=1)
    lines = capsys.readouterr().out.splitlines()
    assert all(terminal.width_of(line) <= 60 for line in lines)
    assert len({terminal.width_of(line) for line in lines}) == 1
    assert "..." in lines[1]


def test_spans() -> None:
    spans = [format.span(seconds) for seconds in (5, 200, 4000, 400_000)]
    assert spans == ["5 s", "3 min", "1 h 6 min", "4 days"]


# The docs


def _commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    group = getattr(command, "commands", None)
    if not group or command.invoke_without_command:
        yield name, command
    for key, one in (group or {}).items():
        yield from _commands(one, f"{name} {key}")


def test_every_command_and_option_is_in_the_docs() -> None:
    text = DOCS.read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (daw-bridge [^\n]+)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    commands = dict(_commands(get_command(build()), "daw-bridge"))
    commands.pop("daw-bridge", None)
    assert set(sections) == set(commands)
    for name, command in commands.items():
        assert f"\n    {name}" in sections[name] or f"({name}" in sections[name], f"{name} has no example"
        for parameter in command.params:
            if getattr(parameter, "hidden", False):
                continue
            for option in (*parameter.opts, *parameter.secondary_opts):
                if option.startswith("--") and option != "--help":
                    assert f"`{option}" in sections[name], f"{option} of {name}"


def test_every_command_says_what_it_does() -> None:
    for name, command in _commands(get_command(build()), "daw-bridge"):
        assert command.help, name
        for parameter in command.params:
            assert getattr(parameter, "help", None), f"{parameter.name} of {name}"
            assert "…" not in command.get_short_help_str(), name


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_can_complete(cli: Cli, shell: str) -> None:
    said = cli.with_(_DAW_BRIDGE_COMPLETE=f"source_{shell}")(code=None)
    assert "daw-bridge" in said.stdout
