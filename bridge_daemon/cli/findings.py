"""How findings look: of ``doctor``, and of the way into a studio."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from bridge_daemon.cli import terminal

if TYPE_CHECKING:
    from bridge_daemon.domain.finding import Finding

_STYLES: Final = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def show(findings: Iterable[Finding]) -> None:
    """Print each with its mark, its check and what mends it."""
    for one in findings:
        mark = terminal.paint(f"{one.state:<5}", _STYLES[one.state])
        sys.stdout.write(f"{mark} {terminal.one_line(one.key)}: {terminal.one_line(one.text)}\n")
        if one.fix:
            terminal.say(f"      Next:  {one.fix}")
