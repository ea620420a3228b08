"""The checks of ``doctor``: small, each on its own, each with the one thing that mends it. They spend nothing.

:func:`examine` serves the command line and the page. A check that fails of itself is a finding, and the others go on.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any, Final, Literal

from bridge_daemon.care import mac_permissions, machine_checks, service_checks
from bridge_daemon.care.finding import Examined
from bridge_daemon.domain.finding import Finding
from bridge_daemon.errors import StudioAway
from bridge_daemon.home.paths import Home
from bridge_daemon.util.redact import redact

__all__ = ["Finding", "examine", "worst"]

log = logging.getLogger(__name__)
State = Literal["ok", "warn", "fail"]
_PATIENCE: Final = 30.0  # s for one check
_ORDER: Final = ("ok", "warn", "fail")

#: Key of each check, which stays, and what does it. Plain functions run on a thread.
CHECKS: Final[tuple[tuple[str, Callable[[Examined], Finding | Awaitable[Finding]]], ...]] = (
    ("home", machine_checks.home),
    ("settings", machine_checks.settings),
    ("daemon", machine_checks.daemon),
    ("ports", machine_checks.ports),
    ("journal", machine_checks.journal),
    ("journal_place", machine_checks.journal_place),
    ("disk", machine_checks.disk),
    ("audio", machine_checks.audio),
    # before anything looks into a folder, and so makes macOS ask
    *((("permissions", mac_permissions.permissions),) if sys.platform == "darwin" else ()),
    ("folders", machine_checks.folders),
    ("folder_events", machine_checks.folder_events),
    ("midi", machine_checks.midi),
    ("scripts", service_checks.scripts),
    ("service", service_checks.service),
    ("key", service_checks.key),
    ("engine", service_checks.engine),
    ("sources", service_checks.sources),
    ("spending", service_checks.spending),
)


async def examine(
    home: Home, *, status: dict[str, Any] | None = None, waits: StudioAway | None = None
) -> list[Finding]:
    """Return a finding for each check, in a steady order.

    ``status`` is what the daemon of this home tells of itself; None: it does not run, and what only it knows is left;
    or it waits for what ``waits`` says.
    """
    examined = Examined(home, status, waits)
    return [await _one(key, check, examined) for key, check in CHECKS]


async def _one(key: str, check: Callable[[Examined], Finding | Awaitable[Finding]], examined: Examined) -> Finding:
    try:
        async with asyncio.timeout(_PATIENCE):
            if inspect.iscoroutinefunction(check):
                found: Finding = await check(examined)
            else:
                found = await asyncio.to_thread(check, examined)  # type: ignore[arg-type]
    except TimeoutError:
        return Finding(key, "warn", f"This check took longer than {_PATIENCE:.0f} s.", "daw-bridge logs")
    except Exception as error:  # each of the others counts all the same
        log.exception("The check %s failed of itself", key)
        told = redact(f"{type(error).__name__}: {error}")
        return Finding(
            key, "warn", f"This check could not be made ({told}).", "Please report it: daw-bridge support-bundle"
        )
    return Finding(**(asdict(found) | {"key": key, "text": redact(found.text)}))


def worst(findings: list[Finding]) -> State:
    """Return the worst state among the findings."""
    return max((one.state for one in findings), key=_ORDER.index, default="ok")
