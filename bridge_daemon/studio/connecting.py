"""Connections to the database of a studio, and how much is said to it in one message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from bridge_daemon.errors import JournalUnusable
from bridge_daemon.studio import entry

Rows = list[tuple[Any, ...]]
#: Connections: one that writes, two that read, one that listens, one for the budget and one for who is there.
_CONNECTIONS: Final = 6
#: A room whose network is cut in the middle of a transaction must not keep the others from the ledger for long.
_SESSION: Final = {
    # not planned anew each time: with the rights of rooms that takes longer than the statement itself
    "plan_cache_mode": "force_generic_plan",
    "synchronous_commit": "on",  # a commit that returned survives a power cut
    "lock_timeout": "10s",  # longer than the next but one: who waits for a room that hangs gets the ledger
    "statement_timeout": "20s",
    "idle_in_transaction_session_timeout": "5s",
    "timezone": "UTC",
}
_NETWORK: Final = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


def engine_of(url: URL, room: str, secret: tuple[str, Any] | None) -> Engine:
    """Return an engine whose transactions we begin ourselves. Raises JournalUnusable without the driver."""
    given: dict[str, Any] = {
        **_NETWORK,
        "options": " ".join(f"-c {name}={value}" for name, value in _SESSION.items()),
        "application_name": f"daw-bridge {room}",
        **entry.verification(url),
    }
    if secret is not None:
        given["password"] = secret[0]
    try:
        return create_engine(
            url.set(drivername="postgresql+psycopg"),
            isolation_level="AUTOCOMMIT",
            poolclass=QueuePool,
            pool_size=_CONNECTIONS,
            max_overflow=0,
            pool_timeout=30,
            hide_parameters=True,  # in errors, which go into the log and into the problem of a job
            use_native_hstore=False,  # one question less at each connection
            connect_args=given,
        )
    except ImportError as error:
        raise JournalUnusable(
            f"The driver of PostgreSQL is not installed here ({error}). Nothing was sent.",
            next="Install it: pip install 'daw-bridge[studio]', and start the bridge again.",
        ) from error


def at_once(
    connection: Connection, statements: str, given: Mapping[str, Any] | Sequence[Any] | None = None
) -> list[Rows]:
    """Run statements in one message to the server, which costs one way there and back; return the rows of each."""
    import psycopg

    driver: Any = connection.connection.driver_connection
    try:
        with psycopg.ClientCursor(driver) as cursor:
            cursor.execute(statements.encode(), given or None)
            return [result.fetchall() if result.description else [] for result in cursor.results()]
    except psycopg.Error as error:
        if driver.closed:
            connection.invalidate(error)
        wrapped = DBAPIError.instance(None, None, error, psycopg.Error, connection_invalidated=driver.closed)
        raise wrapped from error
