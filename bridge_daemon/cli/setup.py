"""``daw-bridge setup``: the first run, step by step. It may be stopped anywhere, and run again."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge_daemon.cli import background, problems, terminal
from bridge_daemon.cli import options as o
from bridge_daemon.cli.setup_answers import Given, SkippedError
from bridge_daemon.errors import BridgeError, Fault, InvalidRequest
from bridge_daemon.home.paths import Home

if TYPE_CHECKING:
    from bridge_daemon.care.first_run import StepState


class StepName(StrEnum):
    """The steps, by their keys."""

    KEY = "key"
    LIMITS = "limits"
    START = "start"
    SOURCES = "sources"
    DAWS = "daws"
    FOLDERS = "folders"
    MIDI = "midi"
    SERVICE = "service"
    TEST = "test"


def setup(
    step: Annotated[list[StepName] | None, typer.Option("--step", help="Only this step, also if it is done.")] = None,
    skip: Annotated[list[StepName] | None, typer.Option("--skip", help="Leave this step out.")] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing: do what needs no answer, and what options answer.")
    ] = False,
    key_stdin: Annotated[bool, typer.Option("--key-stdin", help="Read the API key from stdin, one line.")] = False,
    per_day: Annotated[float | None, typer.Option(help="Limit of a day, in dollars.")] = None,
    per_month: Annotated[float | None, typer.Option(help="Limit of a month, in dollars.")] = None,
    confirm_above: Annotated[float | None, typer.Option(help="Ask before a request above this price.")] = None,
    sources: Annotated[
        str | None,
        typer.Option(metavar="WAY", help="cloudflared, ngrok, tailscale, upload, an https address, or a command line."),
    ] = None,
    folder: Annotated[Path | None, typer.Option(metavar="PATH", help="Watch this folder of renders.")] = None,
    folder_preset: Annotated[str | None, typer.Option(metavar="PRESET", help="The preset of that folder.")] = None,
    clock_port: Annotated[str | None, typer.Option(metavar="PORT", help="MIDI input with clock or time code.")] = None,
    json: o.Json = False,
) -> None:
    """Set everything up, step by step: key, limits, DAWs and what else you want. Nothing in it costs anything.

    Each step says what it does, and can be skipped. Stop it with Ctrl-C and run it again:
    what is done stays, and is shown.
    """
    home = Home.locate()
    if not yes and (json or not terminal.is_person()):
        raise _needs_a_person(home)
    home.prepare()
    given = Given(
        yes, sys.stdin.readline() if key_stdin else None, per_day, per_month, confirm_above, sources, folder,
        folder_preset, clock_port,
    )  # fmt: skip
    results = _run(home, given, [str(one) for one in step or ()], [str(one) for one in skip or ()])
    failed = [one for one in results if one["result"] == "failed"]
    if json:
        terminal.dump({"home": str(home.path), "steps": results})
    else:
        _summary(home, results)
    if failed:
        raise typer.Exit(problems.FAILED)


def states(home: Home) -> list[StepState]:
    """Return how each step stands now."""
    from bridge_daemon.care import first_run

    return first_run.look(home, asyncio.run(background.answer(home)))


def _needs_a_person(home: Home) -> InvalidRequest:
    """Show the steps and how each is done without a terminal; return what to raise."""
    if not problems.CliOutput.json:
        for one in states(home):
            terminal.say(f"{one.step.title}: {one.state} ({one.text})")
            terminal.say(f"  {one.step.what}")
            terminal.say(f"  Alone: {one.step.alone}")
    return InvalidRequest(
        [
            Fault(
                "--yes",
                False,
                "there is no terminal in which you could be asked: --yes does what needs no answer; --key-stdin, "
                "--per-day, --per-month, --sources, --folder and --clock-port answer the rest; --skip STEP leaves "
                "one out",
            )
        ]
    )


def _run(home: Home, given: Given, only: list[str], without: list[str]) -> list[dict[str, Any]]:
    from bridge_daemon.cli.setup_steps import STEPS

    found = states(home)
    if not problems.CliOutput.json:
        terminal.note(f"Home: {home.path}. Ctrl-C stops; daw-bridge setup goes on where it stopped.", "dim")
    results: list[dict[str, Any]] = []
    for number, one in enumerate(found, 1):
        if (only and one.step.key not in only) or one.step.key in without:
            results.append(_result(one, "left out", one.text))
            continue
        terminal.note("")
        terminal.note(f"[{number}/{len(found)}] {one.step.title}", "bold")
        terminal.note(f"  {one.step.what}")
        if one.state == "done" and one.step.key not in only and not _answered(one.step.key, given):
            terminal.note(f"  Done: {one.text}", "green")
            results.append(_result(one, "done", one.text))
            continue
        results.append(_one(home, one, given, STEPS[one.step.key]))
    return results


def _answered(key: str, given: Given) -> bool:
    """Tell whether an option asks for a step, which is done then once more."""
    options: dict[str, tuple[object, ...]] = {
        "key": (given.key,),
        "limits": (given.per_day, given.per_month, given.confirm_above),
        "sources": (given.sources,),
        "folders": (given.folder,),
        "midi": (given.clock_port,),
    }
    return any(value is not None for value in options.get(key, ()))


def _one(home: Home, one: StepState, given: Given, act: Callable[[Home, Given], str]) -> dict[str, Any]:
    """Do a step and say what came of it. What fails does not stop the others."""
    from bridge_daemon.care import first_run

    try:
        text = act(home, given)
    except SkippedError as skipped:
        if not given.yes:
            first_run.note(home, one.step.key, "skipped")
        terminal.note(f"  Skipped: {skipped}", "yellow")
        return _result(one, "skipped", str(skipped))
    except BridgeError as error:
        problems.show(error.code, error.message, error.charge, error.next_step)
        return _result(one, "failed", error.message) | {"error": error.as_dict()}
    first_run.note(home, one.step.key, "done")
    terminal.note(f"  Done: {text}", "green")
    return _result(one, "done", text)


def _result(one: StepState, result: str, text: str) -> dict[str, Any]:
    return {"step": one.step.key, "result": result, "text": text, "alone": one.step.alone}


def _summary(home: Home, results: list[dict[str, Any]]) -> None:
    terminal.say()
    terminal.table(("STEP", "", "NOW"), [(one["step"], one["result"], one["text"]) for one in results], crop=2)
    terminal.say("Nothing was spent.")
    for one in results:
        if one["result"] in ("failed", "skipped"):
            terminal.say(f"Later: {one['alone']}", "dim")
    terminal.say("Next: daw-bridge open shows what goes on; press a button in your DAW, or:")
    terminal.say('  daw-bridge generate "tape-worn piano, slow" --duration 10')
