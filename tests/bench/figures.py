"""A figure of the table: what was measured, how much it was, what was asked for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    figure: str
    target: str = ""
    met: bool | None = None  # None: nothing was asked for

    @property
    def verdict(self) -> str:
        """Return whether the target was met, as a word."""
        return "" if self.met is None else "yes" if self.met else "**no**"
