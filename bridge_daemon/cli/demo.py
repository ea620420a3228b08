"""``daw-bridge demo``: the whole way from a press to a take, without key, network or money.

A real daemon is started as a process of its own, on a throw-away home, and spoken to as any other client does. What is
told of the takes in the end is read back from the files.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge_daemon.care import trial
from bridge_daemon.care.trial_daemon import TrialDaemon
from bridge_daemon.cli import format, problems, terminal
from bridge_daemon.cli import options as o

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def demo(
    keep: Annotated[bool, typer.Option("--keep/--no-keep", help="Keep the takes, or remove all in the end.")] = True,
    json: o.Json = False,
) -> None:
    """Show the whole way, free of charge.

    Two takes are made with the built-in sketch engine. It needs no key, no network and no money. It runs
    the real bridge on a home of its own, and touches none of your settings.
    """
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="daw-bridge-demo-"))
    try:
        with TrialDaemon(folder) as daemon:
            terminal.note("Starting a bridge of its own (sketch engine, throw-away home) ...")
            jobs = asyncio.run(trial.two_takes(daemon, follow))
        if any(job["state"] != "placed" for job in jobs):
            for job in jobs:
                problems.show_problem(job)
            raise typer.Exit(problems.FAILED)
        takes = [trial.read_back(job) for job in jobs]
        told = {"folder": str(folder), "kept": keep, "seconds": round(time.monotonic() - began, 2), "engine": "sketch"}
        if json:
            terminal.dump(told | {"cloud_usd": round(sum(take["cloud_usd"] for take in takes), 2), "takes": takes})
        else:
            _print(told, takes)
    except BaseException:
        if keep:
            terminal.note(f"What there is lies in {folder}")
        raise
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def follow(jobs: dict[str, str]) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Show how jobs go."""
    from bridge_daemon.cli.progress import Follow

    with Follow(jobs) as shown:
        yield shown.change


def _print(told: dict[str, Any], takes: list[dict[str, Any]]) -> None:
    where = f" They lie in {Path(takes[0]['file']).parent}" if told["kept"] else ""
    terminal.say(f"Two takes in {told['seconds']:.1f} s.{where}", "bold green")
    terminal.say()
    rows = [
        (
            "text to audio" if take["action"] == "generate" else "audio to audio",
            f"{take['seconds']:.3f} s",
            f"{take['rate']} Hz",
            f"{take['bits']} bit",
            take["channels"],
            f"{take['position']:.3f} s" if take["position"] is not None else "none",
            format.usd(take["cloud_usd"]),
        )
        for take in takes
    ]
    terminal.table(("TAKE", "LENGTH", "RATE", "DEPTH", "CHANNELS", "BWF TIME STAMP", "CLOUD MODEL"), rows)
    terminal.say()
    if told["kept"]:
        for take in takes:
            terminal.path(take["file"])
        terminal.say()
    total = format.usd(sum(take["cloud_usd"] for take in takes))
    terminal.say(f"Nothing was spent; the cloud model would have cost {total}.")
    terminal.say("These are sketches, put together by rules to show the way: not the model's work.", "yellow")
    terminal.say(f"All files of this demo: {told['folder']}" + ("" if told["kept"] else " (removed now)"), "dim")
    terminal.say("Next: daw-bridge start", "dim")
