"""The service's own catalogue: read at start and once a day, never in the way of a press. It also checks a key."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from bridge_daemon.domain import ids
from bridge_daemon.domain.job import MICRO
from bridge_daemon.domain.models import Told, forget, known, learn, models, table, unlearn
from bridge_daemon.engine.budget import Budget
from bridge_daemon.engine.choice import Choice, Engines
from bridge_daemon.engine.client import PollSession
from bridge_daemon.engine.listing import Prices, read_price_of_stranger, read_prices, read_told, unusable
from bridge_daemon.engine.protocol import Answer, error_text
from bridge_daemon.errors import KeyTrouble, NotFound, invalid
from bridge_daemon.journal import Journal
from bridge_daemon.settings.load import Settings
from bridge_daemon.spending.prices import (
    PriceFacts,
    covers,
    dollars,
    price_facts,
    remove_seen,
    told_models,
    write_agreed,
    write_seen,
)
from bridge_daemon.util.times import Times

log = logging.getLogger(__name__)
DAY: Final = 86_400.0
_SOON: Final = 900.0  # s, if nobody answered, or the cloud is not in use yet
#: Names that nobody knows are asked for so often at most, for each look takes a poll from the jobs.
_NOT_AGAIN: Final = 60.0  # s, the same name
_MOST_STRANGERS: Final = 8  # in that time


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
        self._one = asyncio.Lock()  # an answer that comes late must not undo what a later one said
        self._told_by: str | None = None  # the service whose models are known
        self._whole = True  # whether all of it is to be read
        self._strangers: dict[str, float] = {}  # names that were asked for, and when
        self._pending: set[str] = set()  # of them, those that are not asked for yet
        self._why: dict[str, str] = {}  # why a name cannot be used

    async def watch(self) -> None:
        """Read the catalogue now, once a day, and whenever the service or its key may be another, for ever."""
        due = self._times.monotonic()
        while True:
            self._changed.clear()
            try:
                if self._whole or self._times.monotonic() >= due:
                    self._whole = False
                    due = self._times.monotonic() + (DAY if await self.refresh() else _SOON)
                else:
                    await self._look_at_strangers()
            except Exception:  # a fault here must not end the watch: then nobody would learn of a dearer price
                log.exception("The service's catalogue could not be read")
                due = self._times.monotonic() + _SOON
            try:
                async with asyncio.timeout(max(0.0, due - self._times.monotonic())):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def look_again(self) -> None:
        """Read the catalogue soon: the key or the settings have changed."""
        self._whole = True
        self._strangers.clear()
        self._changed.set()

    def meet(self, model: str) -> str | None:
        """Ask soon for a model that somebody named; return why it cannot be used, None if nothing is known of it."""
        if not ids.is_model(model):
            return "That is no name of a model"
        if self._is_due(model):
            self._pending.add(model)
            self._changed.set()
        return self._why.get(model)

    async def find(self, model: str) -> None:
        """Ask for a model now, if nobody knows it."""
        if not ids.is_model(model):
            raise invalid("model", model, "must be the name of a model")
        if model not in models() and self._is_due(model):
            self._pending.add(model)
            await self._look_at_strangers()

    def _is_due(self, model: str) -> bool:
        now = self._times.monotonic()
        self._strangers = {name: at for name, at in self._strangers.items() if now - at < _NOT_AGAIN}
        if model in self._strangers or len(self._strangers) >= _MOST_STRANGERS:
            return False
        self._strangers[model] = now
        return True

    async def refresh(self) -> bool:
        """Read what is said of each model. False if nothing is of that in use: then the table counts."""
        await self.remember()
        choice = await self._cloud()
        if choice is None:
            return False
        settings = self._settings()
        named = (settings.engine.model, *(one.model for one in settings.presets.values()))
        refused = [*self._why, *self._strangers][-_MOST_STRANGERS:]  # they may be usable by now
        names = dict.fromkeys((*models(), *(name for name in named if name is not None), *refused))
        read = [name for name in names if await self._read(choice, name)]
        if settings.engine.model in read:
            return True
        log.info("The service's catalogue could not be read; the built-in price table counts.")
        return False

    async def _look_at_strangers(self) -> None:
        choice = await self._cloud()
        while self._pending:
            name = self._pending.pop()
            if choice is not None and name not in models():
                await self._read(choice, name)

    async def _cloud(self) -> Choice | None:
        """Return the service, None if it is not in use."""
        try:
            choice = await self._engines.current()
        except KeyTrouble:
            return None
        return choice if choice.paid else None

    async def _read(self, choice: Choice, name: str) -> bool:
        async with self._one:
            return await self._heed(choice, name)

    async def _heed(self, choice: Choice, name: str) -> bool:
        answer = await self._ask(choice, name)
        if not isinstance(answer, Answer) or answer.status != 200:
            self._not_told(name, answer)
            return False
        stranger, told = name not in table(), read_told(answer.body)
        prices = (read_price_of_stranger if stranger else read_prices)(answer.body)
        why = unusable(told, prices) if stranger else None
        if why is not None:
            await self._unlearn(choice, name, why)
            return False
        if prices is None:
            return False
        await self._keep(choice, name, prices, told)
        return True

    async def _unlearn(self, choice: Choice, name: str, why: str) -> None:
        """Refuse a model from now on, whatever was told of it before: what it costs now is not certain."""
        self._why[name] = f"It cannot be used: {why}"
        log.warning("The model %s cannot be used: %s.", name, why)
        if name in models():
            await self._journal.write("price_seen", lambda tx: remove_seen(tx, choice.base_url, name))
            unlearn(name)

    def _not_told(self, name: str, answer: Answer | Exception) -> None:
        if isinstance(answer, Answer) and answer.status == 404:
            self._why[name] = "The service has no model of this name"
            if name not in models():
                log.warning("The service has no model %s.", name)

    async def _keep(self, choice: Choice, name: str, prices: Prices, told: Told) -> None:
        """Write down what was told, and heed it."""
        now = self._times.now()
        await self._journal.write("price_seen", lambda tx: write_seen(tx, choice.base_url, name, prices, told, now))
        if choice.base_url == self._told_by:  # else the settings changed while it was asked
            learn(name, told)
        self._why.pop(name, None)
        facts = await self._journal.read(lambda tx: price_facts(tx, choice.base_url, known(name)))
        if facts.new:
            log.info("%s is new; paid requests for it are refused until you agree to its price.", name)
        elif facts.dearer():
            log.warning(
                "%s became dearer; paid requests are refused until you agree: daw-bridge price agree",
                facts.model.title,
            )

    async def remember(self) -> None:
        """Learn again what the catalogue of the service that is set told when it was read last."""
        base_url = self._settings().engine.base_url
        if base_url == self._told_by:
            return
        told = await self._journal.read(lambda tx: told_models(tx, base_url))
        forget()
        self._why.clear()
        for name, one in told.items():
            learn(name, one)
        self._told_by = base_url

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

    async def prices(self, model: str | None = None) -> list[dict[str, Any]]:
        """Return what is known of each model's price; ``model`` is asked for first, if nobody knows it."""
        if model is not None:
            await self.find(model)
        base_url = self._settings().engine.base_url
        facts = await self._journal.read(lambda tx: [price_facts(tx, base_url, model) for model in models().values()])
        return [_as_dict(each) for each in facts]

    async def agree(self, model: str, usd: Any) -> dict[str, Any]:
        """Agree to the price that the catalogue says; ``usd`` must name it, so that nobody agrees to another one."""
        base_url = self._settings().engine.base_url
        facts = await self._journal.read(lambda tx: price_facts(tx, base_url, known(model)))
        if facts.seen is None:
            raise NotFound(f"The service's catalogue has not told a price of {model} yet.", next="daw-bridge price")
        price = facts.seen_price(None)
        given = dollars(usd)
        if given is None or not covers(given, price):
            raise invalid("usd", usd, f"must be the price that you agree to: {price / MICRO:.2f}")
        seen, now = facts.seen, self._times.now()
        await self._journal.write("price_agreed", lambda tx: write_agreed(tx, base_url, model, seen, now))
        return _as_dict(await self._journal.read(lambda tx: price_facts(tx, base_url, known(model))))


def _as_dict(facts: PriceFacts) -> dict[str, Any]:
    return {
        "model": facts.model.name,
        "usd": facts.shown(None) / MICRO,
        "table_usd": None if facts.model.learned else facts.model.price(None) / MICRO,
        "catalogue_usd": facts.seen_price(None) / MICRO if facts.seen else None,
        "catalogue_read_at": facts.seen_at,
        "dearer": facts.dearer(),
        "new": facts.new,
    }
