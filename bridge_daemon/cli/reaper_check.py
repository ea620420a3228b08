"""``daw-bridge install reaper --check``: what a real REAPER does, as a list that can be sent with an issue."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from bridge_daemon.care.trial_daemon import TrialDaemon
from bridge_daemon.cli import problems, terminal
from bridge_daemon.home.paths import Home
from bridge_daemon.util import files

if TYPE_CHECKING:
    from bridge_daemon.install.machine import Machine

NAME: Final = "reaper-check.json"  #: of the report, beside the log
_COLOURS: Final = {"holds": "", "differs": "red", "not tried": "dim"}


def check(machine: Machine, program: Path | None, seconds: float, *, as_json: bool) -> None:
    """Run the check, show what it found, and keep the report."""
    from bridge_daemon import __version__
    from bridge_daemon.install import reaper_check

    found = reaper_check.find_program(machine, program)
    with tempfile.TemporaryDirectory(prefix="daw-bridge-check-", ignore_cleanup_errors=True) as made:
        resources, home = Path(made) / "REAPER", Path(made) / "home"
        home.mkdir()
        script = reaper_check.prepare(resources, home)
        terminal.note(f"Starting {found} with settings of its own, and a bridge of its own (sketch engine, free) ...")
        terminal.note("A fresh REAPER may show boxes (audio device, evaluation): close them.")
        with TrialDaemon(home) as daemon:
            asyncio.run(_ready(daemon))
            told = reaper_check.run(found, resources, script, seconds)
    told = {"bridge": __version__, "program": str(found), **told}
    path = _keep(told)
    if as_json or problems.CliOutput.json:
        terminal.dump(told | {"report": str(path)})
    else:
        _show(told, path)
    if any(one["result"] == "differs" for one in (*told["facts"], *told["take"])):
        raise typer.Exit(problems.FAILED)


async def _ready(daemon: TrialDaemon) -> None:
    from bridge_daemon.client.client import BridgeClient

    async with BridgeClient(Home(daemon.home)) as client:
        await daemon.ready(client)


def _keep(told: Mapping[str, Any]) -> Path:
    logs = Home.locate().logs
    logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = logs / NAME
    files.write_whole(path, json.dumps(told, ensure_ascii=False, indent=1).encode(), point="reaper_check")
    return path


def _show(told: Mapping[str, Any], path: Path) -> None:
    terminal.say(f"REAPER {told['reaper']}, {told['system']}, {told['lua']}", "bold")
    for one in told["facts"]:
        _line(f"{one['fact']:>3}", one)
    terminal.say("One take of the sketch engine", "bold")
    for number, one in enumerate(told["take"], 1):
        _line(f"{number:>3}", one)
    if told.get("problem"):
        terminal.say(f"The check itself ended early: {told['problem']}", "red")
    counts = Counter(one["result"] for one in (*told["facts"], *told["take"]))
    terminal.say(", ".join(f"{count} {result}" for result, count in sorted(counts.items())), "bold")
    terminal.say("The report, which you can send with an issue:")
    terminal.path(str(path))


def _line(number: str, one: Mapping[str, Any]) -> None:
    why = f" ({one['why']})" if one.get("why") else ""
    terminal.say(f"{number}  {one['result']:<9}  {one['text']}{why}", _COLOURS[one["result"]])
