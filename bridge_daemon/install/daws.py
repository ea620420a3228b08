"""The DAWs that something can be installed into."""

from __future__ import annotations

from bridge_daemon.install.ardour import Ardour
from bridge_daemon.install.live import Live
from bridge_daemon.install.reaper import Reaper
from bridge_daemon.install.target import Target


def targets() -> list[Target]:
    """Return all of them, in the order in which they are told."""
    return [Reaper(), Live(), Ardour()]
