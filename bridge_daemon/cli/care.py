"""``daw-bridge doctor``, ``support-bundle`` and ``completion``."""

from __future__ import annotations

import asyncio
import logging
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from bridge_daemon.cli import background, problems, terminal
from bridge_daemon.cli import options as o
from bridge_daemon.cli.findings import show
from bridge_daemon.errors import StudioAway
from bridge_daemon.home.paths import Home


class Shell(StrEnum):
    """Shells that can complete our commands."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"
    PWSH = "pwsh"


def doctor(json: o.Json = False) -> None:
    """Check everything, also when the bridge does not run; say what mends what is wrong. Spends nothing.

    Exit code 0: nothing fails; 1: something does.
    """
    from bridge_daemon.care.doctor import worst

    _, _, findings = asyncio.run(_examine())
    state = worst(findings)
    if json:
        terminal.dump({"state": state, "checks": [one.as_dict() for one in findings]})
    else:
        show(findings)
    if state == "fail":
        raise typer.Exit(problems.FAILED)


def support_bundle(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where it is written; left out: here.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: o.Json = False,
) -> None:
    """Write a zip file for somebody who helps: settings, findings and logs, without secrets and prompts.

    What is in it is listed before it is written. It is sent to nobody.
    """
    from bridge_daemon.care import bundle

    async def collect() -> list[bundle.Entry]:
        home, status, findings = await _examine()
        return await bundle.collect(home, findings, status)

    entries = asyncio.run(collect())
    target = output or Path.cwd() / bundle.default_name()
    if not json:
        terminal.note("The bundle holds, without keys, signed addresses, names of users and prompts:")
        for one in entries:
            terminal.note(f"  {one.name:<22} {len(one.data):>8} bytes  {one.about}")
        if not yes and terminal.is_person() and not terminal.ask(f"Write {target}?", default=True):
            terminal.note("Nothing was written.")
            raise typer.Exit(problems.FAILED)
    bundle.write(entries, target)
    if json:
        terminal.dump({"file": str(target), "content": [one.name for one in entries]})
    else:
        terminal.path(target)
        terminal.note("Nothing was sent. Look into it before you give it to somebody.")


def completion(
    context: typer.Context,
    shell: Annotated[Shell, typer.Argument(help="The shell that is to complete commands.", case_sensitive=False)],
) -> None:
    """Print what makes a shell complete the commands of daw-bridge."""
    from typer.completion import shell_complete

    command = context.find_root().command
    done = shell_complete(command, {}, "daw-bridge", "_DAW_BRIDGE_COMPLETE", f"source_{shell.value}")
    if done:
        raise typer.Exit(done)


async def _examine() -> tuple[Home, dict[str, Any] | None, list[Any]]:
    from bridge_daemon.care.doctor import examine

    logging.getLogger("bridge_daemon").addHandler(logging.NullHandler())  # findings tell it
    home = Home.locate()
    status, waits = None, None
    try:
        status = await background.ask(home)
    except StudioAway as error:
        waits = error
    return home, status, await examine(home, status=status, waits=waits)
