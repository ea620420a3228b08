"""``daw-bridge logs``: the end of the log, and what is written to it from now on."""

from __future__ import annotations

import os
import time
from collections import deque
from pathlib import Path
from typing import Annotated

import typer

from bridge_daemon.cli import terminal
from bridge_daemon.errors import NotFound
from bridge_daemon.home.paths import Home
from bridge_daemon.util.files import open_unheld

_PAUSE = 0.25  # s between two looks


def logs(
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many lines of the end.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
) -> None:
    """Print the end of the log. There are no secrets in it."""
    file = Home.locate().log_file
    if not file.exists():
        raise NotFound(f"There is no log yet ({file}).", next="daw-bridge start")
    position = _print_end(file, lines)
    if follow:
        try:
            _follow(file, position)
        except KeyboardInterrupt:
            raise typer.Exit from None


def _print_end(file: Path, lines: int) -> int:
    with file.open("rb") as log:
        for line in deque(log, maxlen=lines):
            _print(line)
        return log.tell()


def _follow(file: Path, position: int) -> None:
    """Print what is added. A log that was rotated is read to its end, and then the new one from its start."""
    while True:
        with open_unheld(file) as log:  # held, it could not be rotated on Windows
            number = os.fstat(log.fileno()).st_ino
            log.seek(position)
            while True:
                for line in log:
                    _print(line)
                time.sleep(_PAUSE)
                if _is_other(file, number, log.tell()):
                    for line in log:
                        _print(line)
                    break
        position = 0


def _is_other(file: Path, number: int, read: int) -> bool:
    try:
        about = file.stat()
    except OSError:  # it is being rotated just now
        return False
    return about.st_ino != number or about.st_size < read


def _print(line: bytes) -> None:
    terminal.say(line.decode("utf-8", "replace").rstrip("\r\n"))
