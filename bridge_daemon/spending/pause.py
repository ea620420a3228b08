"""Whether sending is paused, and why."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from bridge_daemon.journal import Journal, Transaction
from bridge_daemon.journal.restore import LOST
from bridge_daemon.util.times import Times

log = logging.getLogger(__name__)

#: Reasons of a pause that only a person ends.
PANIC: Final = "panic"
BY_PEOPLE: Final = frozenset({"person", PANIC, LOST})


class PauseGate:
    """Whether sending is paused, and why. The journal's fact counts; this keeps those who wait informed."""

    def __init__(self, journal: Journal, times: Times) -> None:
        """``load`` reads the fact at the start."""
        self._journal = journal
        self._times = times
        self._open = asyncio.Event()
        self._open.set()
        self._calm = asyncio.Event()
        self._calm.set()
        self.current: dict[str, Any] | None = None
        self.listeners: list[Callable[[dict[str, Any] | None], None]] = []

    async def load(self) -> None:
        """Read the fact: at the start, and after a transaction that may have written it."""
        self._show(await self._journal.read(lambda tx: tx.fact("pause")))

    async def close(self, reason: str, text: str, also: Callable[[Transaction], None] | None = None) -> dict[str, Any]:
        """Pause; return the reason that counts. ``also`` is done in the same transaction."""

        def write(tx: Transaction) -> dict[str, Any]:
            if also is not None:
                also(tx)
            return close_in(tx, reason, text, self._times.now())

        fact = await self._journal.write("pause", write)
        self._show(fact)
        return fact

    async def open(self, *, only: str | None = None) -> bool:
        """Resume; with ``only``, if that is the reason. Tell whether there was a pause that ended."""

        def write(tx: Transaction) -> bool:
            fact = tx.fact("pause")
            if fact is None or (only is not None and fact["reason"] != only):
                return False
            tx.set_fact("pause", None)
            return True

        ended = await self._journal.write("resume", write)
        if ended:
            self._show(None)
        return ended

    async def passed(self) -> None:
        """Return while sending is not paused."""
        await self._open.wait()

    @property
    def panic(self) -> bool:
        """Whether everything was stopped, deliveries too."""
        return self.current is not None and self.current["reason"] == PANIC

    async def calm(self) -> None:
        """Return while there is no panic."""
        await self._calm.wait()

    def _show(self, fact: dict[str, Any] | None) -> None:
        changed = fact != self.current
        self.current = fact
        if self.panic:
            self._calm.clear()
        else:
            self._calm.set()
        if fact is None:
            self._open.set()
        else:
            self._open.clear()
        if changed:
            if fact is not None:
                log.warning("Sending is paused (%s): %s", fact["reason"], fact["text"])
            for listener in self.listeners:
                listener(fact)


def close_in(tx: Transaction, reason: str, text: str, now: float) -> dict[str, Any]:
    """Pause, inside of a transaction that is being written anyway.

    The first reason stays, but for that of a person: a pause that may end by itself must not hide one that may not.
    A panic stands above all, for it stops more.
    """
    fact: dict[str, Any] | None = tx.fact("pause")
    if fact is None or _rank(reason) > _rank(fact["reason"]):
        fact = {"reason": reason, "text": text, "since": now}
        tx.set_fact("pause", fact)
    return fact


def _rank(reason: str) -> int:
    return 2 if reason == PANIC else int(reason in BY_PEOPLE)
