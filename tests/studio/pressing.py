"""A room of a studio without a daemon, and one that presses in a process of its own."""

from __future__ import annotations

import asyncio
import multiprocessing
import secrets
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from bridge_daemon.domain.job import Job
from bridge_daemon.journal import Journal, Transaction
from bridge_daemon.settings.load import Settings
from bridge_daemon.spending.limits import ACCOUNT_LIMITS, LIMITS_OF, check_limits
from bridge_daemon.studio.database import Postgres
from bridge_daemon.util.times import Times
from tests.journal.conftest import add

PRICE = 580_000


def room(url: str, home: Path, name: str = "room") -> Journal:
    """Return the journal of a room, not open."""
    home.mkdir(exist_ok=True)
    return Journal(home / "journal.sqlite3", Times(), database=Postgres(make_url(url), room=name, home=home))


def press(
    url: str | None, home: Path, name: str, limit: float, presses: int, answers: Any, go: Any, client: str | None = None
) -> None:
    """Press as admit does, all at once and as soon as all processes are there; without a URL on one file.

    ``limit`` is that of the client, if one is named.
    """
    mine = {"per_day_usd": limit, "per_month_usd": 1000.0}
    spend = mine if client is None else {"per_day_usd": 1000.0, "clients": [mine | {"name": client}]}
    settings = Settings.model_validate({"spend": {"per_month_usd": 1000.0} | spend})

    def admit(tx: Transaction) -> Job:
        check_limits(tx, PRICE, settings, client=client)
        return add(tx, id=secrets.token_hex(5), price=PRICE, client=client)

    async def work() -> list[str]:
        journal = Journal(home / "journal.sqlite3", Times()) if url is None else room(url, home, name)
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


async def set_limit_of(url: str, folder: Path, whose: str, usd: float) -> None:
    """Limit what one room or client may spend, as the administrator does."""
    journal = room(url, folder / "admin")
    await journal.open()
    fact = {whose: {"per_day_usd": usd, "per_month_usd": 1000.0}}
    await journal.write("limit", lambda tx: tx.set_fact(LIMITS_OF, fact))
    await journal.close()


async def press_at_once(presses: list[tuple[Any, ...]], each: int = 25) -> list[str]:
    """Press in a process for each (url, home, room, limit, client), all at once; return what was said to each press."""
    context = multiprocessing.get_context("spawn" if sys.platform == "win32" else "forkserver")
    if sys.platform != "win32":
        context.set_forkserver_preload(["tests.studio.pressing"])
    answers, go = context.Queue(), context.Barrier(len(presses))
    processes = [context.Process(target=press, args=(*first, each, answers, go, client)) for *first, client in presses]
    for process in processes:
        process.start()
    told = [one for _ in processes for one in await asyncio.to_thread(answers.get, True, 60)]
    for process in processes:
        process.join()
    return told
