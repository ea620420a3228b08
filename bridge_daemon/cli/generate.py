"""``daw-bridge generate``: audio from text."""

from __future__ import annotations

from typing import Any

import typer

from bridge_daemon.cli.options import takes_request
from bridge_daemon.cli.sending import body_of, press


@takes_request("generate")
def generate(context: typer.Context, **options: Any) -> None:
    """Make audio from text.

    Waits, and prints the path of the take. Nothing but paths goes to stdout.
    Exit code 0: the take is there; 1: it is not; 3: the bridge is not running.
    """
    press(body_of("generate", options), wait=not options["no_wait"])
