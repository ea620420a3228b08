"""The database of the studio that the settings of this home name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bridge_daemon.errors import SettingsInvalid
from bridge_daemon.home.paths import Home

if TYPE_CHECKING:
    from bridge_daemon.settings.sections import JournalSettings
    from bridge_daemon.studio.database import Postgres


def journal_settings(home: Home) -> JournalSettings:
    """Return where the studio's journal is. Raises SettingsInvalid if config.toml names none."""
    from bridge_daemon.settings.load import Settings

    settings = Settings.load(home).journal
    if settings.url is None:
        raise SettingsInvalid(
            "config.toml names no database.", next="daw-bridge studio join postgresql://room@host/database"
        )
    return settings


@contextmanager
def opened(home: Home) -> Iterator[Postgres]:
    """Open the database that the settings name."""
    from bridge_daemon.studio import database

    with database.opened(home, journal_settings(home)) as made:
        yield made
