"""What can be done about the settings, by whatever way in is used."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from bridge_daemon.errors import DiskTrouble
from bridge_daemon.home.paths import Home
from bridge_daemon.settings import edit
from bridge_daemon.settings.load import Settings


class SettingsActions:
    """The verbs of the settings."""

    _home: Home
    _settings: Callable[[], Settings]

    def __init__(self) -> None:
        self._changing = asyncio.Lock()

    async def reload_settings(self) -> dict[str, Any]:
        """Read config.toml again."""
        raise NotImplementedError

    async def read_settings(self) -> dict[str, Any]:
        """Return the settings, without credentials, and what is known of each."""
        return await asyncio.to_thread(edit.told, self._home, self._settings())

    async def change_settings(
        self, patch: dict[str, Any], *, by_session: bool, revision: str | None = None
    ) -> dict[str, Any]:
        """Write settings into config.toml, all or none, and heed them: see :func:`edit.change`."""
        async with self._changing:
            try:
                new = await asyncio.to_thread(edit.change, self._home, patch, by_session=by_session, revision=revision)
            except OSError as error:
                raise DiskTrouble(
                    f"config.toml cannot be written: {error.strerror or error}. It is as it was.",
                    next="Make room, or see to it that the file can be written.",
                ) from error
            return await self.reload_settings() | {"revision": new}
