"""``daw-bridge sketch-engine``: the built-in engine alone, for whoever writes a client of the service's protocol."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from bridge_daemon.cli import terminal


def sketch_engine(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on this machine; 0: any free one.")] = 0,
    folder: Annotated[
        Path | None, typer.Option(file_okay=False, help="Where jobs and audio are kept; left out: gone at the end.")
    ] = None,
) -> None:
    """Run the sketch engine alone, until Ctrl-C. It speaks the cloud service's protocol, and any API key is let in."""
    try:
        if folder is None:
            with tempfile.TemporaryDirectory(prefix="daw-bridge-sketch-") as gone:
                asyncio.run(_serve(Path(gone), port))
        else:
            asyncio.run(_serve(folder.expanduser().absolute(), port))
    except KeyboardInterrupt:
        terminal.note("Stopped.")
        raise typer.Exit from None


async def _serve(folder: Path, port: int) -> None:
    from bridge_daemon.engine.sketch.server import serve

    def ready(url: str) -> None:
        terminal.say(url)
        terminal.note(f"The sketch engine listens there; its files are in {folder}. It is free, and not the model.")
        terminal.note("Ctrl-C stops it.")

    await serve(folder, "127.0.0.1", port, ready=ready)
