"""What the HTTP API asks of the daemon. The API knows nothing else of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

Answer = dict[str, Any]


class Desk(Protocol):
    """The actions of the daemon. Each raises subclasses of ``errors.BridgeError``, which become the HTTP answer."""

    async def admit(self, data: Answer) -> tuple[Answer, bool]:
        """Take a request; return {id, jobs, usd} and whether the same was accepted before."""
        ...

    async def cancel(self, job: str) -> Answer:
        """End a job, or, once it is sent, keep its take out of the project."""
        ...

    async def retry(self, job: str, data: Answer) -> Answer:
        """Send a held job, fetch a charged one again, or make a new job of one that ended."""
        ...

    async def deliver(self, job: str) -> Answer:
        """Bring a take to its client once more."""
        ...

    async def resolve(self, job: str, data: Answer) -> Answer:
        """Close the question of an unknown job."""
        ...

    async def pause(self, reason: str) -> Answer:
        """Stop all sending."""
        ...

    async def resume(self) -> Answer:
        """Go on sending."""
        ...

    async def status(self) -> Answer:
        """Return what the daemon tells of itself."""
        ...

    async def spend(self) -> Answer:
        """Return what was spent, reserved and allowed."""
        ...

    def presets(self) -> Answer:
        """Return the presets."""
        ...

    async def jobs(
        self, *, states: list[str], q: str | None, client: str | None, before: str | None, limit: int
    ) -> list[Answer]:
        """Return jobs, newest first. No states means all of them."""
        ...

    async def job(self, job: str) -> Answer:
        """Return one job with its ``events``."""
        ...

    async def stored_take(self, job: str) -> tuple[Path, str]:
        """Return the file of the take, and the hash of what was stored. Raises NotFound."""
        ...

    async def source_file(self, job: str) -> Path:
        """Return the file of the source. Raises NotFound."""
        ...

    async def peaks(self, job: str, buckets: int) -> Answer:
        """Return the wave form of the take in so many steps."""
        ...

    async def prices(self) -> list[Answer]:
        """Return our prices beside those of the service."""
        ...

    async def agree_price(self, data: Answer) -> Answer:
        """Accept a price of the service."""
        ...

    async def reload_key(self) -> Answer:
        """Read the API key again from where it is kept."""
        ...

    async def check_key(self) -> Answer:
        """Ask the service whether the key is good; costs nothing."""
        ...

    def watched_folders(self) -> Answer:
        """Return the watched folders: {folders, waiting}."""
        ...

    async def renders(self, *, folder: str | None, states: list[str], before: int | None, limit: int) -> list[Answer]:
        """Return renders of watched folders, newest first. No states means all but the forgotten ones."""
        ...

    async def send_render(self, data: Answer) -> Answer:
        """Make a job of a render: {entry, id, again, confirm_usd}."""
        ...

    async def forget_render(self, data: Answer) -> Answer:
        """Take a waiting render off the list: {entry}."""
        ...

    async def reload_settings(self) -> Answer:
        """Read the settings again."""
        ...

    async def arm_pads(self) -> Answer:
        """Let pads spend money, for a time and a sum."""
        ...

    def disarm_pads(self) -> Answer:
        """Let pads spend nothing."""
        ...

    async def listen_midi(self, data: Answer) -> Answer:
        """Return what came in over MIDI, or wait for it for a while."""
        ...
