"""The journal: what was asked, what was paid, where each job stands. All SQL lives in this package.

May use domain, util and errors.
"""

from bridge_daemon.journal.database import Database, explained
from bridge_daemon.journal.store import Journal, NotRecorded
from bridge_daemon.journal.transaction import Accepted, Spent, Transaction

__all__ = [
    "Accepted",
    "Database",
    "Journal",
    "NotRecorded",
    "Spent",
    "Transaction",
    "explained",
    "moved",
    "rebuild",
    "record",
    "renders",
    "restore",
    "schema",
    "sqlite",
    "tables",
    "transaction",
]
