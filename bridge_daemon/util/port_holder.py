"""Who holds a port that we want, as far as the system tells; so that a taken port is explained and not just told."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Literal

from bridge_daemon.errors import PortTaken

_OURS = "bridge_daemon"  #: in the command line of a bridge, else the name of its program
_PROGRAM = "daw-bridge"
_HOME = "DAW_BRIDGE_HOME"


def port_taken(what: str, error: OSError, port: int, kind: Literal["tcp", "udp"]) -> PortTaken:
    """Return the error of a port (``what`` names it and its setting), with who holds it and the next step."""
    if error.errno != errno.EADDRINUSE:
        return PortTaken(f"{what} cannot be opened: {error.strerror or error}.")
    holder, step = holder_of(port, kind)
    return PortTaken(f"{what} is taken by {holder}.", next=step)


def holder_of(port: int, kind: Literal["tcp", "udp"]) -> tuple[str, str | None]:
    """Return who holds a port of this machine, in words, and the next step; None: the usual one.

    Other users' programs are told to administrators only, on macOS any program is: then it is "another program".
    """
    import psutil  # only a start that fails needs it

    try:
        found = [one for one in psutil.net_connections(kind) if one.laddr and one.laddr.port == port and one.pid]
    except (psutil.Error, OSError):
        found = []
    listening = [one for one in found if kind == "udp" or one.status == psutil.CONN_LISTEN]
    if not listening:
        return "another program", None
    pid = listening[0].pid
    try:
        process = psutil.Process(pid)
        words = process.cmdline()
        name = process.name()
    except (psutil.Error, OSError):
        return f"another program (pid {pid})", None
    if not _is_ours(words):
        return f"another program: {name} (pid {pid})", None
    home = _home_of(process)
    where = f"home {home}" if home else "on its usual home"
    variable = f"{_HOME}={home} " if home else ""
    return f"another daw-bridge (pid {pid}, {where})", (
        f"End that one ({variable}daw-bridge stop), or set another port in config.toml (0 takes any free one)."
    )


def _is_ours(words: list[str]) -> bool:
    return _OURS in words or any(Path(word).stem.lower() == _PROGRAM for word in words[:2])


def _home_of(process: object) -> str | None:
    """Return the home that a bridge was started for; None: the usual one, or the system does not tell."""
    import psutil

    try:
        given: str | None = process.environ().get(_HOME)  # type: ignore[attr-defined]
    except (psutil.Error, OSError):
        return None
    return given
