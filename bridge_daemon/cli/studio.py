"""``daw-bridge studio``: several rooms on one account, with one journal in PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge_daemon.cli import format, problems, studio_rooms, terminal
from bridge_daemon.cli import options as o
from bridge_daemon.cli.findings import show
from bridge_daemon.cli.studio_database import journal_settings, opened
from bridge_daemon.errors import Fault, InvalidRequest, WrongState
from bridge_daemon.home.paths import Home

if TYPE_CHECKING:
    from bridge_daemon.domain.finding import Finding
    from bridge_daemon.home.paths import HomeLock
    from bridge_daemon.settings.load import Settings
    from bridge_daemon.settings.sections import JournalSettings

app = typer.Typer(help="Several rooms on one account, with one journal in PostgreSQL.", no_args_is_help=True,
                  rich_markup_mode=None)  # fmt: skip
app.add_typer(studio_rooms.app, name="room")
Room = Annotated[str | None, typer.Option("--room", help="Name of this room; left out: the name in the address.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Look, say what would be done, and change nothing.")]


@app.command("init")
def init() -> None:
    """Make the tables in the database that [journal] url names, or bring them up to date. By its owner, once."""
    from sqlalchemy import make_url

    from bridge_daemon.studio import database, entry, password

    home = Home.locate()
    home.prepare()
    url = make_url(journal_settings(home).url or "")
    made = database.init(url, password.store(home).get())
    where = entry.shown(url)
    terminal.say(f"The journal of the studio is ready: {where}." if made else f"{where} was ready already.")
    with opened(home) as studio:
        if studio.has_roles():
            terminal.say("Next, for each room: daw-bridge studio room add NAME; in the room: daw-bridge studio join")
        else:
            terminal.note(
                "This role may not make roles (CREATEROLE), so all rooms use it; see docs/studio.md.", "yellow"
            )


@app.command("join")
def join(
    url: Annotated[str, typer.Argument(help="The database, as studio room add tells it; never with a password.")],
    room: Room = None,
    keeper: Annotated[bool, typer.Option("--keeper", help="This home is to be a keeper, not a room.")] = False,
    dry_run: DryRun = False,
    json: o.Json = False,
) -> None:
    """Join a studio: check the way to its database, keep the password, and write [journal] into config.toml.

    The password is typed unseen, or read from stdin; an empty one: the one that is kept, or that of PGPASSFILE.
    """
    from bridge_daemon.cli.key import place_of, read_unseen
    from bridge_daemon.settings import edit
    from bridge_daemon.settings.file import create_default
    from bridge_daemon.settings.load import Settings
    from bridge_daemon.studio import leases, password

    home = Home.locate()
    home.prepare()
    create_default(home)
    settings = Settings.load(home)
    secret = read_unseen("Password of the database (not shown; empty: as it is kept): ").rstrip("\r\n")
    found = _checked(home, settings, _address(url, room), secret, leases.KEEPER if keeper else leases.ROOM)
    if json:
        terminal.dump({"checks": [one.as_dict() for one in found], "joined": not (dry_run or _fails(found))})
    else:
        show(found)
    if _fails(found):
        raise typer.Exit(problems.FAILED)
    if dry_run:
        terminal.note("Nothing was changed. Without --dry-run: the password is kept, and [journal] is written.")
        return
    if secret:
        store = password.store(home)
        terminal.note(f"The password is kept in {place_of(store.set(secret), store.file)}.")
    edit.change(home, {"journal": {"url": url, "room": room}}, by_session=False)
    terminal.note(f"Written to {home.config}: [journal]. It counts from the next start.")
    if home.journal.exists() and home.journal.stat().st_size:
        terminal.note("The journal that this home had: daw-bridge studio move --dry-run shows what would be moved.")


def _address(url: str, room: str | None) -> JournalSettings:
    """Return where the journal is to be, checked as config.toml is. Raises InvalidRequest."""
    from pydantic import ValidationError

    from bridge_daemon.settings.sections import JournalSettings

    try:
        return JournalSettings(url=url, room=room)
    except ValidationError as error:
        raise InvalidRequest(
            [Fault(f"journal.{one['loc'][0]}", one["input"], one["msg"].removeprefix("Value error, ")) for one in
             error.errors()]
        ) from None  # fmt: skip


def _checked(home: Home, settings: Settings, where: JournalSettings, secret: str, kind: str | None) -> list[Finding]:
    """Look at a database as this home would see it. Raises JournalUnusable."""
    from bridge_daemon.studio import checks, database, leases

    with database.opened(home, where, secret=secret or None, joins=True) as studio:
        me = leases.name_of(home.read_token(), kind or leases.ROOM, studio.room)
        return checks.look(studio, settings.engine, me, kind)


def _fails(found: list[Finding]) -> bool:
    return any(one.state == "fail" for one in found)


@app.command("status")
def status(json: o.Json = False) -> None:
    """Check the way to the studio, and show who is there, and the minute and the money of all.

    Needs no running bridge.
    """
    from bridge_daemon.settings.load import Settings
    from bridge_daemon.studio import overview
    from bridge_daemon.util.times import Times

    home = Home.locate()
    found = _checked(home, Settings.load(home), journal_settings(home), "", None)
    with opened(home) as database:
        seen = overview.look(database, Times())
    if json:
        terminal.dump(seen.as_dict() | {"checks": [one.as_dict() for one in found]})
        return
    show(found)
    terminal.say()
    for one in seen.bridges:
        there = "there" if one.alive else f"silent for {format.span(one.silent)}"
        terminal.say(f"{one.kind} {one.room} on {one.about['host']} ({one.about['version']}): {there}")
    terminal.fields(_money(seen.as_dict()))


def _money(seen: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what was spent, and of what."""

    def limits(of: dict[str, Any]) -> str:
        return f"{format.usd(of['per_day_usd'])} a day, {format.usd(of['per_month_usd'])} a month"

    total = seen["limits"]
    day = f" of {format.usd(total['per_day_usd'])}" if total else ""
    month = f" of {format.usd(total['per_month_usd'])}" if total else ""
    return [
        ("Today", f"{format.usd(seen['spent_today_usd'])}{day}, all rooms"),
        ("Month", f"{format.usd(seen['spent_month_usd'])}{month}, all rooms"),
        ("Reserved", f"{format.usd(seen['reserved_usd'])} for jobs that wait"),
        ("Requests", f"{seen['requests_this_minute']} in this minute"),
        *(("Limit", f"{whose}: {limits(of)}") for whose, of in sorted(seen["limits_of"].items())),
    ]


@app.command("move")
def move(dry_run: DryRun = False, json: o.Json = False) -> None:
    """Move the journal that this home had into the studio: jobs, money, deliveries, agreed prices, folders.

    The bridge must not run. Cut off, it is run again and goes on. The old file stays, marked, and is not used any more.
    """
    from bridge_daemon.studio import database, moving

    home = Home.locate()
    with _not_running(home):
        found = moving.plan(home.journal)
        with database.opened(home, journal_settings(home), joins=True) as studio:
            if not dry_run:
                found = moving.move(home.journal, studio)
    if json:
        terminal.dump(found.as_dict() | {"moved": not dry_run})
        return
    counts = ", ".join(f"{number} {name}" for name, number in found.counts.items())
    terminal.say(f"In {home.journal}: {counts}.")
    for month, usd in moving.by_month(found.charged).items():
        terminal.say(f"  {month}: {format.usd(usd)} charged or perhaps charged")
    if found.on_their_way:
        terminal.note(f"{found.on_their_way} job(s) are on their way; they have to end before.", "yellow")
    if dry_run:
        terminal.note("Nothing was changed. Without --dry-run all of that becomes this room's in the studio.")
    else:
        terminal.say("All of it is in the studio, with the same sums. The file stays, and is not used any more.")


def _not_running(home: Home) -> HomeLock:
    from bridge_daemon.home.paths import AlreadyRunning

    try:
        return home.lock()
    except AlreadyRunning as error:
        raise WrongState("The bridge of this home is running. Nothing was moved.", next="daw-bridge stop") from error


@app.command("limit")
def limit(
    per_day: Annotated[float | None, typer.Option(min=0, max=1_000_000, help="US dollars a day.")] = None,
    per_month: Annotated[float | None, typer.Option(min=0, max=1_000_000, help="US dollars a month.")] = None,
    room: Annotated[str | None, typer.Option("--room", help="Only what this room spends.")] = None,
    client: Annotated[str | None, typer.Option("--client", help="Only what this client spends, in all rooms.")] = None,
    none: Annotated[bool, typer.Option("--none", help="Take the limit away.")] = False,
) -> None:
    """Limit what all rooms may spend together, or one room, or one client. By the administrator of the database.

    Each room has its own limits besides, in its [spend].
    """
    from bridge_daemon.studio import overview
    from bridge_daemon.util.times import Times

    given = (per_day, per_month)
    if (room is not None and client is not None) or none != (given == (None, None)) or (None in given and not none):
        raise InvalidRequest([Fault("limit", None, "--per-day and --per-month, or --none; of one room or one client")])
    whose = f"room {room}" if room else f"client {client}" if client else None
    sums = None if none else {"per_day_usd": per_day, "per_month_usd": per_month}
    with opened(Home.locate()) as database:
        overview.limit(database, Times(), sums, whose)
    what = f"The {whose}" if whose else "All rooms together"
    if sums is None:
        terminal.say(f"{what}: no limit but its own." if whose else f"{what}: no limit but that of each.")
    else:
        terminal.say(f"{what}: {format.usd(per_day or 0)} a day, {format.usd(per_month or 0)} a month.")
