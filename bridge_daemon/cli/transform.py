"""``daw-bridge transform``: audio from audio and text."""

from __future__ import annotations

from typing import Any

import typer

from bridge_daemon.cli.options import takes_request
from bridge_daemon.cli.sending import body_of, press


@takes_request("transform")
def transform(context: typer.Context, **options: Any) -> None:
    """Make audio from audio and text.

    Waits, and prints the path of the take. Without --start and --end the whole file is the region.
    Exit codes as those of generate.
    """
    press(body_of("transform", options), wait=not options["no_wait"])
