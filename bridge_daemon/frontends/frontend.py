"""What the daemon needs of a way in."""

from __future__ import annotations

from typing import Any, Protocol


class Intake(Protocol):
    """A way in that is opened after the journal and closed before it, and that heeds changed settings."""

    name: str  #: under which its facts stand in the status

    async def start(self) -> None:
        """Open it. What is missing on this machine (no MIDI, a folder that is not there) is told, and is no error."""

    async def configure(self) -> None:
        """Apply the settings, which have changed. What did not change for this way in goes on undisturbed."""

    async def close(self) -> None:
        """Close it; what comes now is said again by its sender, or waits in its folder."""

    def about(self) -> dict[str, Any]:
        """Return its facts for the status: what is open, what is counted, what is in the way."""
