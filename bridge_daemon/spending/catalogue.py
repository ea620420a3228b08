"""The service's own catalogue: read at start and once a day, never in the way of a press. It also checks a key."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from bridge_daemon.domain.job import MICRO
from bridge_daemon.domain.models import Model, learn, models
from bridge_daemon.domain.parameters import TABLE
from bridge_daemon.engine.budget import Budget
from bridge_daemon.engine.choice import Choice, Engines
from bridge_daemon.engine.client import PollSession
from bridge_daemon.engine.protocol import Answer, error_text, read_listed, read_prices
from bridge_daemon.errors import KeyTrouble, NotFound
from bridge_daemon.journal import Journal
from bridge_daemon.settings.load import Settings
from bridge_daemon.spending.admit import invalid
from bridge_daemon.spending.prices import (
    PriceFacts,
    covers,
    dollars,
    listed_parameters,
    price_facts,
    write_agreed,
    write_seen,
)
from bridge_daemon.util.times import Times

log = logging.getLogger(__name__)
#: Parameters that not every model takes.
_OPTIONAL: Final = frozenset(one.name for one in TABLE if one.listed)
DAY: Final = 86_400.0
_SOON: Final = 900.0  # s, if nobody answered, or the cloud is not in use yet


class Catalogue:
    """What the service says of its models and prices."""

    def __init__(
        self,
        journal: Journal,
        engines: Engines,
        polls: PollSession,
        budget: Budget,
        settings: Callable[[], Settings],
        times: Times,
    ) -> None:
        """Nothing is asked yet."""
        self._journal = journal
        self._engines = engines
        self._polls = polls
        self._budget = budget
        self._settings = settings
        self._times = times
        self._changed = asyncio.Event()

    async def watch(self) -> None:
        """Read the catalogue now, once a day, and whenever the service or its key may be another, for ever."""
        await self._remember()
        while True:
            self._changed.clear()
            read = False
            try:
                read = await self.refresh()
            except Exception:  # a fault here must not end the watch: then nobody would learn of a dearer price
                log.exception("The service's catalogue could not be read")
            try:
                async with asyncio.timeout(DAY if read else _SOON):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def look_again(self) -> None:
        """Read the catalogue soon: the key or the settings have changed."""
        self._changed.set()

    async def refresh(self) -> bool:
        """Read the price of each model. False if that of the model in use is not known: then the table counts."""
        try:
            choice = await self._engines.current()
        except KeyTrouble:
            return False
        if not choice.paid:
            return False
        read = {name for name, model in models().items() if await self._read(choice, model)}
        if self._settings().engine.model in read:
            return True
        log.info("The service's catalogue could not be read; the built-in price table counts.")
        return False

    async def _read(self, choice: Choice, model: Model) -> bool:
        answer = await self._ask(choice, model.name)
        if not isinstance(answer, Answer) or answer.status != 200:
            return False
        prices = read_prices(answer.body)
        if prices is None:
            return False
        now, listed = self._times.now(), read_listed(answer.body) & _OPTIONAL
        await self._journal.write(
            "price_seen", lambda tx: write_seen(tx, choice.base_url, model.name, prices, listed, now)
        )
        learn(model.name, listed)
        facts = await self._journal.read(lambda tx: price_facts(tx, choice.base_url, model))
        if facts.dearer():
            log.warning(
                "%s became dearer; paid requests are refused until you agree: daw-bridge price agree", model.title
            )
        return True

    async def _remember(self) -> None:
        """Learn again what the catalogue listed when it was read last."""
        base_url = self._settings().engine.base_url
        known = await self._journal.read(lambda tx: {name: listed_parameters(tx, base_url, name) for name in models()})
        for name, listed in known.items():
            learn(name, listed)

    async def _ask(self, choice: Choice, model: str) -> Answer | Exception:
        key = await self._engines.key()
        if not await self._budget.take_poll():
            return TimeoutError("the rate budget is used up")
        answer = await self._polls.model(choice.base_url, model, key.value if key else None)
        self._budget.answered()
        return answer

    async def check_key(self) -> dict[str, Any]:
        """Ask the service, free of charge, whether it accepts the key."""
        self._engines.reload_key()
        key = await self._engines.key()
        if key is None:
            raise KeyTrouble("There is no API key.")
        engine = self._settings().engine
        answer = await self._ask(Choice("empiriolabs", engine.base_url), engine.model)
        if isinstance(answer, Exception):
            text = f"the service could not be reached ({type(answer).__name__})"
            return {"valid": None, "where": key.where, "text": text}
        valid = {200: True, 401: False, 403: False}.get(answer.status)
        message = error_text(answer.body) or f"HTTP {answer.status}"
        return {"valid": valid, "where": key.where, "text": "the service accepts it" if valid else message}

    async def prices(self) -> list[dict[str, Any]]:
        """Return what is known of each model's price."""
        base_url = self._settings().engine.base_url
        facts = await self._journal.read(lambda tx: [price_facts(tx, base_url, model) for model in models().values()])
        return [_as_dict(each) for each in facts]

    async def agree(self, model: str, usd: Any) -> dict[str, Any]:
        """Agree to the price that the catalogue says; ``usd`` must name it, so that nobody agrees to another one."""
        base_url = self._settings().engine.base_url
        facts = await self._journal.read(lambda tx: price_facts(tx, base_url, models()[model]))
        if facts.seen is None:
            raise NotFound(f"The service's catalogue has not told a price of {model} yet.", next="daw-bridge price")
        price = facts.seen_price(None)
        given = dollars(usd)
        if given is None or not covers(given, price):
            raise invalid("usd", usd, f"must be the price that you agree to: {price / MICRO:.2f}")
        seen, now = facts.seen, self._times.now()
        await self._journal.write("price_agreed", lambda tx: write_agreed(tx, base_url, model, seen, now))
        return _as_dict(await self._journal.read(lambda tx: price_facts(tx, base_url, models()[model])))


def _as_dict(facts: PriceFacts) -> dict[str, Any]:
    return {
        "model": facts.model.name,
        "usd": facts.price(None) / MICRO,
        "table_usd": facts.model.price(None) / MICRO,
        "catalogue_usd": facts.seen_price(None) / MICRO if facts.seen else None,
        "catalogue_read_at": facts.seen_at,
        "dearer": facts.dearer(),
    }
