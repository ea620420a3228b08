"""The studio: several rooms, each with a bridge, that share one account of the service and one journal in PostgreSQL.

Nothing of this is loaded where the journal is a file. May use pipeline, spending, publish, engine, settings, home,
journal, domain, util and errors.
"""

__all__ = [
    "budget",
    "checks",
    "connecting",
    "database",
    "entry",
    "leases",
    "membership",
    "moving",
    "objects",
    "overview",
    "password",
    "roles",
    "store",
    "waiting",
]
