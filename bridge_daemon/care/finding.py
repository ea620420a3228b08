"""What a check is given, and what it returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bridge_daemon.domain.finding import Finding
from bridge_daemon.errors import StudioAway
from bridge_daemon.home.paths import Home
from bridge_daemon.settings.load import Settings


@dataclass(frozen=True, slots=True)
class Examined:
    """What is looked at."""

    home: Home
    status: dict[str, Any] | None  #: None: the daemon does not run, or waits
    waits: StudioAway | None = None  #: what it waits for

    @property
    def settings(self) -> Settings:
        """The settings; the defaults where the file has a fault, which is a finding of its own."""
        import os

        from bridge_daemon.settings.load import read

        return read(self.home.config, os.environ)[0] or Settings()


def ok(text: str) -> Finding:
    """Return that all is well."""
    return Finding("", "ok", text)


def warn(text: str, fix: str) -> Finding:
    """Return that something works, and not as it could."""
    return Finding("", "warn", text, fix)


def fail(text: str, fix: str) -> Finding:
    """Return that something does not work."""
    return Finding("", "fail", text, fix)
