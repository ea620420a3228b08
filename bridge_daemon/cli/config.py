"""``daw-bridge config``: look at the settings, check them, and let the bridge read one more folder."""

from __future__ import annotations

import json as json_
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from bridge_daemon.cli import options as o
from bridge_daemon.cli import problems, terminal
from bridge_daemon.cli.connection import talk, tell
from bridge_daemon.home.paths import Home

app = typer.Typer(help="Look at the settings and check them.", no_args_is_help=True, rich_markup_mode=None)


@app.command("show")
def show(json: o.Json = False) -> None:
    """Show every setting as it counts now: the file, and the environment, which beats it. Without secrets."""
    from bridge_daemon.settings.load import Settings, masked

    settings = masked(Settings.load(Home.locate()))
    if json:
        terminal.dump(settings)
        return
    beaten = sorted(name for name in os.environ if name.upper().startswith("DAW_BRIDGE_") and "__" in name)
    if beaten:
        terminal.say(f"# from the environment: {', '.join(beaten)}", "dim")
    for name, section in settings.items():
        for line in _toml(name, section):
            terminal.say(line, "bold" if line.startswith("[") else "dim" if line.startswith("#") else "")


def _toml(name: str, section: Any) -> list[str]:
    """Return the lines of a section. What is left out stands there as a comment."""
    if isinstance(section, list):  # a list of tables
        return [line for one in section for line in ["", f"[[{name}]]", *_pairs(one)]]
    if name == "presets":
        return [line for key, one in section.items() for line in _toml(f"presets.{json_.dumps(key)}", one)]
    tables = {key: value for key, value in section.items() if _is_tables(value)}
    lines = ["", f"[{name}]", *_pairs({key: value for key, value in section.items() if key not in tables})]
    return lines + [line for key, value in tables.items() for line in _toml(f"{name}.{key}", value)]


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def _pairs(table: dict[str, Any]) -> list[str]:
    return [f"# {key} is left out" if value is None else f"{key} = {_value(value)}" for key, value in table.items()]


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_value(one)}" for key, one in value.items() if one is not None) + "}"
    return json_.dumps(value, ensure_ascii=False)


@app.command("path")
def path(
    all_: Annotated[bool, typer.Option("--all", help="Print every path that the bridge uses, with its name.")] = False,
    json: o.Json = False,
) -> None:
    """Print where config.toml is."""
    home = Home.locate()
    if not (all_ or json):
        terminal.path(home.config)
        return
    from bridge_daemon.settings.load import Settings

    paths = {
        "home": home.path,
        "config": home.config,
        "library": home.library(Settings.load(home).audio.library),
        "journal": home.journal,
        "log": home.log_file,
        "token": home.token_file,
        "runtime": home.runtime_file,
        "inbox": home.inbox,
        "outbox": home.outbox,
    }
    if json:
        terminal.dump(paths)
    else:
        terminal.fields([(name, str(value)) for name, value in paths.items()])


@app.command("check")
def check(json: o.Json = False) -> None:
    """Check config.toml and the environment; print every fault. Exit code 2 if there is one."""
    from bridge_daemon.settings.load import read

    config = Home.locate().config
    _, faults = read(config, os.environ)
    if json:
        terminal.dump({"ok": not faults, "config": str(config), "faults": [str(fault) for fault in faults]})
    elif not faults:
        missing = "" if config.exists() else " There is no file yet, so the defaults count."
        terminal.say(f"The settings are right ({config}).{missing}", "green")
    else:
        terminal.note(f"{config}", "bold")
        for fault in faults:
            terminal.note(f"  {fault}")
    if faults:
        raise typer.Exit(problems.WRONG_USE)


@app.command("reload")
def reload(json: o.Json = False) -> None:
    """Have the running bridge read config.toml again. Where it has faults, the old settings go on."""
    answer = talk(lambda bridge: bridge.reload_settings())
    if json:
        terminal.dump(answer)
        return
    for name, (before, after) in answer["changed"].items():
        terminal.say(f"{name}: {_value(before)} → {_value(after)}")
    if not answer["changed"]:
        terminal.say("Nothing has changed.")
    for name in answer["after_restart"]:
        terminal.say(f"{name} counts after the next start of the bridge.", "yellow")


@app.command("allow")
def allow(
    folder: Annotated[Path, typer.Argument(metavar="PATH", help="A folder with audio that transforms may read.")],
) -> None:
    """Let the bridge read the files of one more folder. A running bridge is told at once."""
    from bridge_daemon.settings.file import allow_path

    home = Home.locate()
    home.prepare()
    roots = allow_path(home, folder)
    terminal.say(f"The bridge may read: {', '.join(roots)}")
    answer = tell(lambda bridge: bridge.reload_settings())
    if answer is not None:
        later = (
            f" These wait for its next start: {', '.join(answer['after_restart'])}." if answer["after_restart"] else ""
        )
        terminal.say(f"The running bridge knows it already.{later}")
