"""``daw-bridge studio``: several rooms on one account, with one journal in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from bridge_daemon.cli import format, terminal
from bridge_daemon.cli import options as o
from bridge_daemon.errors import SettingsInvalid
from bridge_daemon.home.paths import Home

if TYPE_CHECKING:
    from bridge_daemon.settings.sections import JournalSettings
    from bridge_daemon.studio.database import Postgres

app = typer.Typer(help="Several rooms on one account, with one journal in PostgreSQL.", no_args_is_help=True,
                  rich_markup_mode=None)  # fmt: skip


def _settings(home: Home) -> JournalSettings:
    from bridge_daemon.settings.load import Settings

    settings = Settings.load(home).journal
    if settings.url is None:
        raise SettingsInvalid(
            "config.toml names no database.", next='[journal] url = "postgresql://room@host/database"'
        )
    return settings


@contextmanager
def _database() -> Iterator[Postgres]:
    from bridge_daemon.studio import database

    home = Home.locate()
    opened = database.of_home(home, _settings(home))
    try:
        opened.open()
        yield opened
    finally:
        opened.close()


@app.command("init")
def init() -> None:
    """Make the tables in the database that [journal] url names, or bring them up to date. By its owner, once."""
    from sqlalchemy import make_url

    from bridge_daemon.studio import database, password

    home = Home.locate()
    home.prepare()
    url = make_url(_settings(home).url or "")
    made = database.init(url, password.store(home).get())
    where = database.shown(url)
    terminal.say(f"The journal of the studio is ready: {where}." if made else f"{where} was ready already.")


@app.command("status")
def status(json: o.Json = False) -> None:
    """Show who is there, and the minute and the money of all. Needs no running bridge."""
    from bridge_daemon.studio import overview
    from bridge_daemon.util.times import Times

    with _database() as database:
        found = overview.look(database, Times())
    if json:
        terminal.dump(found.as_dict())
        return
    for one in found.bridges:
        there = "there" if one.alive else f"silent for {format.span(one.silent)}"
        terminal.say(f"{one.kind} {one.room} on {one.about['host']} ({one.about['version']}): {there}")
    limits = found.limits
    day = f" of {format.usd(limits['per_day_usd'])}" if limits else ""
    month = f" of {format.usd(limits['per_month_usd'])}" if limits else ""
    terminal.fields(
        [
            ("Today", f"{format.usd(found.spent_today_usd)}{day}, all rooms"),
            ("Month", f"{format.usd(found.spent_month_usd)}{month}, all rooms"),
            ("Reserved", f"{format.usd(found.reserved_usd)} for jobs that wait"),
            ("Requests", f"{found.calls} in this minute"),
        ]
    )


@app.command("limit")
def limit(
    per_day: Annotated[float, typer.Option(min=0, max=1_000_000, help="US dollars a day, all rooms together.")],
    per_month: Annotated[float, typer.Option(min=0, max=1_000_000, help="US dollars a month, all rooms together.")],
) -> None:
    """Limit what all rooms may spend together. Each room has its own limits besides, in its [spend]."""
    from bridge_daemon.studio import overview
    from bridge_daemon.util.times import Times

    with _database() as database:
        overview.limit(database, Times(), per_day, per_month)
    terminal.say(f"All rooms together: {format.usd(per_day)} a day, {format.usd(per_month)} a month.")
