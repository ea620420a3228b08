"""``daw-bridge studio room``: the roles of rooms, given and taken by the administrator of the database."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge_daemon.cli import options as o
from bridge_daemon.cli import terminal
from bridge_daemon.cli.studio_database import journal_settings, opened
from bridge_daemon.errors import Fault, InvalidRequest, NotFound, RoleTrouble
from bridge_daemon.home.paths import Home

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

    from bridge_daemon.studio.roles import Member

app = typer.Typer(help="The rooms of a studio: each has a role of its own in the database.", no_args_is_help=True,
                  rich_markup_mode=None)  # fmt: skip
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the room: a-z, 0-9 and -.")]


@contextmanager
def _writing() -> Iterator[tuple[Connection, URL]]:
    """Begin a transaction of the administrator, which is committed at the end."""
    from sqlalchemy import make_url

    home = Home.locate()
    url = make_url(journal_settings(home).url or "")
    with opened(home) as studio:
        if studio.held or not studio.has_roles():
            raise RoleTrouble(
                f"The role of this home in {studio.where} gives no roles to rooms.",
                next="Do it as the role that owns the database, which needs CREATEROLE; then: daw-bridge studio init",
            )
        with studio.explained(), studio.begin() as connection:
            yield connection, url
            studio.commit(connection, ())


@app.command("add")
def add(
    name: Name,
    keeper: Annotated[bool, typer.Option("--keeper", help="A keeper: it also sends for rooms that are away.")] = False,
    role: Annotated[str | None, typer.Option("--role", help="Name of its role; left out: like the room's.")] = None,
) -> None:
    """Give a room a role in the database. Its password is shown once, and known to nobody after that."""
    from bridge_daemon.domain.ids import is_client
    from bridge_daemon.studio import roles

    if not is_client(name):
        raise InvalidRequest([Fault("name", name, "1 to 40 of a-z, 0-9 and -")])
    new = roles.Member(name, role or name.replace("-", "_"), roles.KEEPER if keeper else roles.ROOM)
    password = secrets.token_urlsafe(24)
    with _writing() as (connection, url):
        if roles.member(connection, name) is not None:
            raise InvalidRequest([Fault("name", name, "is a room already; another password: studio room renew")])
        if not roles.add(connection, url.database or "", new, password):
            raise InvalidRequest([Fault("role", new.role, "there is a role of that name; --role names another one")])
    _say_password(new, url, password)


@app.command("renew")
def renew(name: Name) -> None:
    """Give the role of a room another password, which is shown once."""
    from bridge_daemon.studio import roles

    password = secrets.token_urlsafe(24)
    with _writing() as (connection, url):
        there = _known(connection, name)
        roles.renew(connection, there, password)
    _say_password(there, url, password)


@app.command("remove")
def remove(name: Name) -> None:
    """Take the role of a room away. Its jobs and takes stay, and others fetch what it has paid for."""
    from bridge_daemon.studio import roles

    with _writing() as (connection, url):
        roles.remove(connection, url.database or "", _known(connection, name))
    terminal.say(f"The room {name} has no role any more. What it asked for stays in the journal.")


@app.command("list")
def list_(json: o.Json = False) -> None:
    """Show the rooms that have a role of their own."""
    from bridge_daemon.studio import roles

    with opened(Home.locate()) as studio, studio.explained(), studio.plain() as connection:
        found = roles.members(connection)
    if json:
        terminal.dump([{"room": one.room, "kind": one.kind, "role": one.role} for one in found])
    elif not found:
        terminal.note("No room has a role of its own. Next: daw-bridge studio room add NAME")
    else:
        terminal.table(("Kind", "Name", "Role"), [(one.kind, one.room, one.role) for one in found])


def _known(connection: Connection, name: str) -> Member:
    from bridge_daemon.studio import roles

    found = roles.member(connection, name)
    if found is None:
        raise NotFound(f"No room {name} has a role.", next="daw-bridge studio room list")
    return found


def _say_password(member: Member, url: URL, password: str) -> None:
    """Show a password, on the screen only, with what to do with it."""
    query: dict[str, Any] = dict(url.query)
    address = url.set(username=member.role, query=query).render_as_string()
    keeper = " --keeper" if member.kind == "keeper" else ""
    terminal.say(f"The {member.kind} {member.room} has the role {member.role}. Its password, shown this once:")
    terminal.say(f"    {password}")
    terminal.say("In that room, which asks for it (it is never part of a command):")
    terminal.say(f"    daw-bridge studio join {address} --room {member.room}{keeper}")
