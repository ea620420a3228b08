"""``daw-bridge studio``: several rooms on one account, with one journal in PostgreSQL."""

from __future__ import annotations

import typer

from bridge_daemon.cli import terminal
from bridge_daemon.errors import SettingsInvalid
from bridge_daemon.home.paths import Home

app = typer.Typer(help="Several rooms on one account, with one journal in PostgreSQL.", no_args_is_help=True,
                  rich_markup_mode=None)  # fmt: skip


@app.command("init")
def init() -> None:
    """Make the tables in the database that [journal] url names, or bring them up to date. By its owner, once."""
    from sqlalchemy import make_url

    from bridge_daemon.settings.load import Settings
    from bridge_daemon.studio import database, password

    home = Home.locate()
    home.prepare()
    url = Settings.load(home).journal.url
    if url is None:
        raise SettingsInvalid(
            "config.toml names no database.", next='[journal] url = "postgresql://room@host/database"'
        )
    where = database.shown(make_url(url))
    made = database.init(make_url(url), password.store(home).get())
    terminal.say(f"The journal of the studio is ready: {where}." if made else f"{where} was ready already.")
