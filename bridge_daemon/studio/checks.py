"""Checks of a room's way into the studio, for ``studio join``, ``studio status`` and ``doctor``. They write nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Connection, text

from bridge_daemon.domain.finding import Finding
from bridge_daemon.settings.sections import Engine, is_loopback
from bridge_daemon.studio import leases
from bridge_daemon.studio.database import Postgres
from bridge_daemon.studio.roles import Who, members, who

#: Clocks that differ by more than this make times in lists wrong, s; by more than that, what is valid is not sent.
_DIFFER: Final = 2.0
_WRONG: Final = 60.0
_TIME: Final = text("SELECT extract(epoch FROM clock_timestamp())")


def look(database: Postgres, engine: Engine, me: str, kind: str | None = None) -> list[Finding]:
    """Look at an open database as a room sees it; ``me`` is the id of its worker, ``kind`` what it wants to be.

    Raises StudioAway.
    """
    begun = time.monotonic()
    with database.explained(), database.plain() as connection:
        role = who(connection)
        found = [
            _reached(database, time.monotonic() - begun),
            _tls(database, connection),
            _role(connection, role, me, kind),
        ]
        found.append(_clock(connection))
        found += _others(connection, database.room, engine, me, kind or role.kind or leases.ROOM)
    return found


def _reached(database: Postgres, seconds: float) -> Finding:
    answers = f"{database.where} answers ({seconds * 1000:.0f} ms)"
    return Finding("database", "ok", f"{answers}; its tables are those of this version")


def _tls(database: Postgres, connection: Connection) -> Finding:
    driver: Any = connection.connection.driver_connection
    host = database.host
    if not host or host.startswith("/") or is_loopback(host):
        return Finding("tls", "ok", "The database is on this machine")
    fix = "Take sslmode out of [journal] url, or name the studio's certificate there: ?sslrootcert=/path/ca.pem"
    if not driver.pgconn.ssl_in_use:
        return Finding("tls", "fail", f"What goes to {host} is not encrypted.", fix)
    if database.tls != "verify-full":
        return Finding("tls", "warn", f"It is encrypted, and not verified that it is {host} ({database.tls}).", fix)
    return Finding("tls", "ok", f"TLS, and {host} is verified")


def _role(connection: Connection, role: Who, me: str, kind: str | None) -> Finding:
    bridge = kind is not None or any(one.id == me for one in leases.everybody(connection))
    if not role.held and not bridge and members(connection):
        return Finding("role", "ok", f"The role {role.role} is the administrator's; rooms have roles of their own")
    if not role.held:
        return Finding(
            "role",
            "warn",
            f"The role {role.role} may change everything in the database: nothing but the bridges keeps rooms apart.",
            "A role for each room: daw-bridge studio room add NAME",
        )
    if kind is not None and role.kind != kind:
        add = "daw-bridge studio room add NAME" + (" --keeper" if kind == leases.KEEPER else "")
        told = f"The role {role.role} is that of a {role.kind}, and this is a {kind}."
        return Finding("role", "fail", told, f"A role for it: {add}")
    return Finding("role", "ok", f"The role {role.role} is that of the {role.kind} {role.room}")


def _clock(connection: Connection) -> Finding:
    before = time.time()
    theirs = float(connection.execute(_TIME).scalar_one())
    differs = abs(theirs - (before + time.time()) / 2)
    if differs <= _DIFFER:
        return Finding("clock", "ok", "The clocks of this machine and of the database agree")
    return Finding(
        "clock",
        "fail" if differs > _WRONG else "warn",
        f"The clock of this machine and that of the database differ by {differs:.0f} s.",
        "Let both machines take their time from the network",
    )


def _others(connection: Connection, room: str, engine: Engine, me: str, kind: str) -> Iterator[Finding]:
    seen = leases.everybody(connection)
    same = [one for one in seen if one.alive and one.room == room and one.kind == kind and one.id != me]
    if same:
        yield Finding("name", "fail", f"Another bridge is the {kind} {room} already, on {same[0].about.get('host')}.",
                      'Give this one another name: [journal] room = "…"')  # fmt: skip
    else:
        yield Finding("name", "ok", f"Nobody else is the {kind} {room}")
    others = [one for one in seen if one.id != me]
    for name, mine in (("base_url", engine.base_url), ("requests_per_minute", engine.requests_per_minute)):
        differing = [one for one in others if one.about.get(name, mine) != mine]
        if differing:
            theirs = differing[0]
            yield Finding(
                "engine",
                "fail" if name == "base_url" else "warn",
                f"[engine] {name} is {mine} here, and {theirs.about[name]} in the {theirs.kind} {theirs.room}.",
                f"Set the same [engine] {name} in every room: it is one account",
            )
            return
    yield Finding("engine", "ok", f"The engine is {engine.base_url}, as in every room")
