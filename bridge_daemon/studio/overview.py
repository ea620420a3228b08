"""The studio as a whole: who is there, what the minute and the money of all are, and what all may spend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import text

from bridge_daemon.domain.job import MICRO
from bridge_daemon.errors import RoleTrouble
from bridge_daemon.journal import Transaction
from bridge_daemon.spending.limits import ACCOUNT_LIMITS, LIMITS_OF
from bridge_daemon.studio import leases
from bridge_daemon.studio.database import Postgres
from bridge_daemon.util.times import Times

#: What was not answered yet counts, too.
_MINUTE: Final = text("SELECT count(*) FROM calls WHERE at > extract(epoch FROM clock_timestamp()) - 60")


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """What ``studio status`` shows."""

    bridges: list[leases.Seen]
    calls: int  # of this minute
    spent_today_usd: float
    spent_month_usd: float
    reserved_usd: float
    limits: dict[str, Any] | None  # {per_day_usd, per_month_usd}; None: each room has its own only
    limits_of: dict[str, dict[str, Any]]  # the same of "room <name>" and "client <name>"

    def as_dict(self) -> dict[str, Any]:
        """Return it as ``--json`` prints it."""
        seen = [
            {"room": one.room, "kind": one.kind, "alive": one.alive, "silent_s": round(one.silent, 1), **one.about}
            for one in self.bridges
        ]
        money = {name: getattr(self, name) for name in ("spent_today_usd", "spent_month_usd", "reserved_usd")}
        return {
            "bridges": seen,
            "requests_this_minute": self.calls,
            **money,
            "limits": self.limits,
            "limits_of": self.limits_of,
        }


def look(database: Postgres, times: Times) -> Overview:
    """Look at an open database. Raises StudioAway."""
    with database.explained(), database.begin_reading() as connection:
        tx = Transaction(connection, times, database)
        spent = tx.spent_by_all()
        found = Overview(
            bridges=leases.everybody(connection),
            calls=int(connection.execute(_MINUTE).scalar_one()),
            spent_today_usd=spent.day / MICRO,
            spent_month_usd=spent.month / MICRO,
            reserved_usd=spent.reserved / MICRO,
            limits=tx.fact(ACCOUNT_LIMITS),
            limits_of=tx.fact(LIMITS_OF) or {},
        )
        connection.exec_driver_sql("ROLLBACK")
    return found


def limit(database: Postgres, times: Times, sums: dict[str, Any] | None, whose: str | None) -> None:
    """Set what all rooms may spend together, or "room <name>" or "client <name>"; None takes a limit away.

    Raises StudioAway, and RoleTrouble if this role is not the administrator's.
    """
    if database.held:
        raise RoleTrouble(
            f"The role of {database.room} sets no limits; that is the administrator's. Nothing was changed.",
            next="Set it in the home whose [journal] url has the role that owns the database.",
        )
    with database.explained(), database.begin() as connection:
        tx = Transaction(connection, times, database)
        if whose is None:
            tx.set_fact(ACCOUNT_LIMITS, sums)
        else:
            parts = {name: of for name, of in (tx.fact(LIMITS_OF) or {}).items() if name != whose}
            tx.set_fact(LIMITS_OF, parts | ({} if sums is None else {whose: sums}) or None)
        database.commit(connection, ())
