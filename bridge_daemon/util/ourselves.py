"""How this program starts itself again: as a module of its Python, or as the one file of a frozen build."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from typing import Any, Final

#: The hidden first word under which a frozen build, which has no Python beside it, runs the supervisor of a tunnel.
SUPERVISE: Final = "--supervise"
#: That of a process which decodes audio.
DECODE: Final = "--decode"


def is_frozen() -> bool:
    """Return whether this is a program that was packed with its Python (PyInstaller and others set the mark)."""
    return bool(getattr(sys, "frozen", False))


def command(*words: str) -> list[str]:
    """Return the command line of one of our commands."""
    if is_frozen():
        return [sys.executable, *words]
    # -P: what lies in the current folder is not loaded; our own package is found wherever this one was
    return [sys.executable, "-P", "-m", "bridge_daemon", *words]


def supervised(script: str, argv: Sequence[str]) -> list[str]:
    """Return the command line that runs ``argv`` under the supervisor ``script``, which imports nothing of ours."""
    if is_frozen():
        return [sys.executable, SUPERVISE, *argv]
    return [sys.executable, "-I", script, *argv]


def decoder() -> list[str]:
    """Return the command line of a process that decodes audio; it loads nothing else."""
    if is_frozen():
        return [sys.executable, DECODE]
    return [sys.executable, "-P", "-m", "bridge_daemon.audio.worker"]


def apart(*flags: str) -> dict[str, Any]:
    """Return how to start a program that Ctrl-C in a terminal and a closed window do not reach; those are for us.

    ``flags`` are further ones of Windows, by their names in ``subprocess``; no other system has them.
    """
    return {"start_new_session": True} | hidden(*flags)


def hidden(*flags: str) -> dict[str, Any]:
    """Return how to start a program for which Windows opens no window: it would, for a daemon without a console."""
    return {"creationflags": sum(getattr(subprocess, name, 0) for name in ("CREATE_NO_WINDOW", *flags))}
