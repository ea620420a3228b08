"""What is in the way into the database of a studio, in words and with the one thing to do.

Where the server has answered a statement, its error has a code (SQLSTATE). Where it lets nobody in, libpq tells only
the text of it, in the language of the server: what is not known here is asked about once more (PQping), so that a
server that is there never looks like one that is away.
"""

from __future__ import annotations

import re
import socket
import ssl
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from bridge_daemon.errors import StudioAway, StudioRefused
from bridge_daemon.settings.sections import is_loopback

#: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL
_SSL_REQUEST: Final = bytes.fromhex("0000000804d2162f")
_LOOK: Final = 5.0  # s
_OWNER: Final = "whoever owns the database"


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that may be in the way."""

    says: re.Pattern[str]
    text: str
    next: str
    passes: bool = False  #: by itself, or once somebody mends it elsewhere: a bridge waits for that


def _cause(says: str, text: str, next: str, *, passes: bool = False) -> Cause:
    return Cause(re.compile(says, re.IGNORECASE), text, next, passes)


#: What libpq, and a server that lets nobody in, say: errmsg() in postmaster.c, auth.c, postinit.c, fe-connect.c,
#: fe-secure-openssl.c. The first that fits counts. {user}, {database}, {host} and {port} are those of the address.
CAUSES: Final[tuple[Cause, ...]] = (
    _cause(
        "no password supplied",
        "{where} asks for a password, and none is kept here for the role {user}",
        "daw-bridge key studio keeps it; or the file that PGPASSFILE names.",
    ),
    _cause(
        r"(password|SCRAM|SASL).* failed|authentication failed for user|error in .*SCRAM",
        "{where} did not let the role {user} in: its password is wrong, or there is no such role",
        f"daw-bridge key studio takes another one; {_OWNER} makes one: daw-bridge studio room renew NAME",
    ),
    _cause(
        r"role .* (does not exist|is not permitted to log in)",
        "{where} has no role {user} that may log in",
        f"Correct the role in [journal] url; or {_OWNER} makes it: daw-bridge studio room add NAME",
    ),
    _cause(
        "permission denied for database|User does not have CONNECT privilege",
        "The role {user} may not use the database {where}",
        f"For {_OWNER}: GRANT CONNECT ON DATABASE {{database}} TO {{user}}",
    ),
    _cause(
        r"database .* does not exist|database .* is not currently accepting connections",
        "There is no database {database} that can be used on {host}",
        f"Correct [journal] url; or {_OWNER} makes it (CREATE DATABASE, then daw-bridge studio init).",
    ),
    _cause(
        r"pg_hba\.conf",
        "{host} lets no role {user} into {database} from this machine",
        f"For {_OWNER}: a line in its pg_hba.conf, such as  hostssl {{database}} all samenet scram-sha-256",
    ),
    _cause(
        "root certificate file",
        "There is no certificate here to verify {host} with",
        "?sslrootcert=… in [journal] url names the file with the certificate of whoever signed that of the server.",
    ),
    _cause(
        "does not support SSL|server .*GSS.* required",
        "{host} speaks no TLS, so the password and all that follows could be read on the way",
        f"For {_OWNER}: ssl = on in postgresql.conf, with a certificate. In a network of your own: ?sslmode=disable",
    ),
    _cause(
        "invalid response to (SSL|GSS)|expected authentication request|unsupported frontend protocol",
        "What answers at {host}, port {port}, is not PostgreSQL",
        "Correct host and port in [journal] url; PostgreSQL listens on 5432 unless it was told otherwise.",
    ),
    _cause(
        "certificate|(tls|ssl)[v0-9.]* alert|unsupported protocol|no protocols available",
        "The certificate of {host} was refused: {tls}",
        f"For {_OWNER}: a certificate that is valid, for the name {{host}}. Signed by your own: ?sslrootcert=…",
    ),
    _cause(
        "could not translate host name|failed to resolve host",
        "The name {host} is not known here",
        "Is [journal] url right, and this machine in its network? The bridge goes on by itself once it is known.",
        passes=True,
    ),
    _cause(
        "too many (clients|connections)|connection slots are reserved|sorry, too many",
        "{where} takes no more connections",
        f"Each bridge has up to 6. For {_OWNER}: max_connections in postgresql.conf. It goes on by itself.",
        passes=True,
    ),
)
#: Class or code of what a server says to a statement (SQLSTATE): what it means, and what helps.
_STATES: Final = {
    "53100": ("has no room: its disk is full", f"For {_OWNER}: make room on its disk. It goes on by itself then."),
    "53200": ("has not enough memory", f"For {_OWNER}: look at that machine. It goes on by itself then."),
    "53": ("is at a limit that was set for it", f"For {_OWNER}: its log says which one. It goes on by itself then."),
    "58": ("cannot read or write its own files", f"For {_OWNER}: its log says more. It goes on by itself then."),
    "25006": (
        "takes no changes: it is a standby, or was set to read only",
        "Name the one that is written to in [journal] url, or make this one that. It goes on by itself then.",
    ),
}


def host_of(url: URL) -> str:
    """Return the machine of an address; empty: this one."""
    return str(url.query.get("host", url.host or ""))


def shown(url: URL) -> str:
    """Return where a database is, for people."""
    return f"{url.database} on {url.host or 'this machine'}"


def said_by(error: DBAPIError) -> str:
    """Return what the server, or libpq, said, in one line."""
    return " ".join(str(error.orig).split())[:300]


def verification(url: URL) -> dict[str, str]:
    """Return how libpq is to verify the server, besides what the address says: in full, if it is another machine."""
    host = host_of(url)
    if "sslmode" in url.query or not host or host.startswith("/") or is_loopback(host):
        return {}
    return {"sslmode": "verify-full", "sslrootcert": str(url.query.get("sslrootcert", "system"))}


def explained(url: URL, error: DBAPIError) -> StudioAway:
    """Return what an error of a database means that was asked for, or asked something."""
    why = said_by(error).rstrip("?. ")
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return _answered(url, state, why)
    words = {"where": shown(url), "user": url.username, "database": url.database, "host": host_of(url)}
    words["port"] = str(url.port or 5432)
    for cause in CAUSES:
        if cause.says.search(why):
            return _refused(url, cause, why, words)
    if _is_there(url):
        return StudioAway(
            f"The database of the studio ({shown(url)}) is there, and did not let this bridge in: {why}. "
            "Nothing was sent.",
            next=f"Its log says why, for {_OWNER}; the bridge tries again by itself.",
        )
    return _away(url, why)


def is_passing(error: DBAPIError) -> bool:
    """Return whether a server could not do what it was told for reasons of its own."""
    state = getattr(error.orig, "sqlstate", None)
    return state is not None and _meaning(state) is not None


def _meaning(state: str) -> tuple[str, str] | None:
    return _STATES.get(state) or _STATES.get(state[:2])


def _answered(url: URL, state: str, why: str) -> StudioAway:
    meaning = _meaning(state)
    if meaning is None:
        return _away(url, why)
    text, step = meaning
    return StudioAway(f"The database of the studio ({shown(url)}) {text} ({why}). Nothing was sent.", next=step)


def _refused(url: URL, cause: Cause, why: str, words: dict[str, Any]) -> StudioAway:
    if "{tls}" in cause.text:
        text = cause.text.format(**words, tls=_wrong_with_certificate(url) or why)
    else:
        text = f"{cause.text.format(**words)} ({why})"
    kind = StudioAway if cause.passes else StudioRefused
    return kind(f"{text}. Nothing was sent.", next=cause.next.format(**words))


def _away(url: URL, why: str) -> StudioAway:
    return StudioAway(f"The journal of the studio ({shown(url)}) does not answer: {why}. Nothing was sent.")


def _is_there(url: URL) -> bool:
    """Return whether a server answers there that takes connections, whatever it says to ours."""
    from psycopg import conninfo, pq

    words: dict[str, Any] = {"host": url.host, "port": url.port, "dbname": url.database, "user": url.username}
    words |= {"connect_timeout": round(_LOOK)} | dict(url.query) | verification(url)
    made = conninfo.make_conninfo("", **{name: value for name, value in words.items() if value is not None})
    return pq.PGconn.ping(made.encode()) == pq.Ping.OK


def _wrong_with_certificate(url: URL) -> str | None:
    """Return what is wrong with the certificate of a server, which libpq does not say; None: nothing was found."""
    host = host_of(url)
    root = verification(url).get("sslrootcert", url.query.get("sslrootcert"))
    try:
        context = ssl.create_default_context(cafile=None if root in (None, "system") else str(root))
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # which Python sets from 3.13 on, and libpq does not
        with socket.create_connection((host, url.port or 5432), _LOOK) as sock:
            sock.sendall(_SSL_REQUEST)
            if sock.recv(1) == b"S":
                context.wrap_socket(sock, server_hostname=host).close()
    except ssl.SSLCertVerificationError as error:
        return _VERIFY.get(error.verify_code, error.verify_message).format(host=host)
    except (OSError, ValueError):
        return None
    return None


#: https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/
_VERIFY: Final = {
    9: "it is not yet valid; or the clock of this machine is wrong",
    10: "it has expired; or the clock of this machine is wrong",
    **dict.fromkeys((2, 18, 19, 20, 21), "it is signed by nobody whom this machine trusts"),
    62: "it is not that of {host}",
}
