"""A room of a studio without a daemon, and one that presses in a process of its own."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from bridge_daemon.domain.job import Job
from bridge_daemon.journal import Journal, Transaction
from bridge_daemon.settings.load import Settings
from bridge_daemon.spending.limits import ACCOUNT_LIMITS, check_limits
from bridge_daemon.studio.database import Postgres
from bridge_daemon.util.times import Times
from tests.journal.conftest import add

PRICE = 580_000


def room(url: str, home: Path, name: str = "room") -> Journal:
    """Return the journal of a room, not open."""
    home.mkdir(exist_ok=True)
    return Journal(home / "journal.sqlite3", Times(), database=Postgres(make_url(url), room=name, home=home))


def press(url: str, home: Path, name: str, limit: float, presses: int, answers: Any, go: Any) -> None:
    """Press as admit does, all at once and as soon as all processes are there."""
    settings = Settings.model_validate({"spend": {"per_day_usd": limit, "per_month_usd": 1000.0}})

    def admit(tx: Transaction) -> Job:
        check_limits(tx, PRICE, settings)
        return add(tx, id=secrets.token_hex(5), price=PRICE)

    async def work() -> list[str]:
        journal = room(url, home, name)
        await journal.open()
        await asyncio.to_thread(go.wait)
        done = await asyncio.gather(*(journal.write("admit", admit) for _ in range(presses)), return_exceptions=True)
        await journal.close()
        return [repr(one) if isinstance(one, Exception) else "admitted" for one in done]

    answers.put(asyncio.run(work()))


async def set_limit(url: str, folder: Path, usd: float) -> None:
    """Limit what all rooms may spend together."""
    journal = room(url, folder / "admin")
    await journal.open()
    fact = {"per_day_usd": usd, "per_month_usd": 1000.0}
    await journal.write("limit", lambda tx: tx.set_fact(ACCOUNT_LIMITS, fact))
    await journal.close()
