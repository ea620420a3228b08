"""Tidy the home: half-written files of a process that died, and sources older than the settings keep them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from bridge_daemon.home.paths import Home
from bridge_daemon.util import files
from bridge_daemon.util.times import Times

log = logging.getLogger(__name__)
_HOUR: Final = 3600.0
_DAY: Final = 86_400


def sweep(home: Home) -> None:
    """Remove what a process that died left half written. Nobody else writes there while its caller holds the home."""
    for part in (*home.sources.glob(".*.part"), *home.path.glob(".runtime.json.*.part")):
        files.discard(part)


async def clean(home: Home, keep_days: Callable[[], float], times: Times) -> None:
    """Remove old sources, once an hour, for ever."""
    while True:
        removed = await asyncio.to_thread(_remove_older, home, times.now() - keep_days() * _DAY)
        if removed:
            log.info("Removed %d old source(s)", removed)
        await asyncio.sleep(_HOUR)


def _remove_older(home: Home, oldest: float) -> int:
    removed = 0
    for file in home.sources.glob("*"):
        with suppress(OSError):  # gone already, or held open by another program: the next time
            if file.stat().st_mtime < oldest:
                files.remove(file)
                removed += 1
    return removed
