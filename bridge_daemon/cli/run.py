"""``daw-bridge run`` and ``keeper``: the options of the daemon in the foreground."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from bridge_daemon.cli.foreground import Level, StartedBy, until_ended

LogLevel = Annotated[Level, typer.Option(help="How much is written to the log.", case_sensitive=False)]
By = Annotated[StartedBy, typer.Option(help="Who starts it, for status: start and service say so themselves.")]


def run(
    log_level: LogLevel = Level.INFO,
    by: By = StartedBy.TERMINAL,
    env: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Sets a variable of the environment: a task of Windows has none."),
    ] = None,
) -> None:
    """Run the bridge, until Ctrl-C.

    A second run on the same home says that it is running already, and ends with 0.
    """
    for name, _, value in (one.partition("=") for one in env or ()):
        os.environ[name] = value
    until_ended(by, log_level)


def keeper(log_level: LogLevel = Level.INFO, by: By = StartedBy.TERMINAL) -> None:
    """Run a keeper of a studio, until Ctrl-C: on a machine that is always on.

    It has no intakes. It sends, follows and fetches for rooms that are not there; see docs/studio.md.
    """
    until_ended(by, log_level, "keeper")
