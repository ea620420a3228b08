"""The checks of money, each inside the transaction that counts: pause, price, the question about it, and the limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from bridge_daemon.domain.job import MICRO, Job
from bridge_daemon.domain.models import Model, known
from bridge_daemon.engine.choice import SKETCH, Choice
from bridge_daemon.errors import LimitReached, ModelTrouble, Paused, PriceChanged, PriceQuestion
from bridge_daemon.journal import Spent, Transaction
from bridge_daemon.settings.load import Settings
from bridge_daemon.settings.sections import micro
from bridge_daemon.spending.prices import covers, names, price_facts, write_agreed

#: The kind of a request that was pressed on a pad.
PAD: Final = "pad"
#: The fact that holds what all rooms of a studio may spend together: {per_day_usd, per_month_usd}.
ACCOUNT_LIMITS: Final = "account.limits"
#: The fact that holds the same of single rooms and clients, by "room <name>" and "client <name>".
LIMITS_OF: Final = "account.limits_of"
#: Looks, in the transaction that admits a request of so many micro-dollars, whether a pad may spend them.
Guard = Callable[[Transaction, int], None]


def check_pause(tx: Transaction) -> None:
    """Raise Paused while sending is paused."""
    pause = tx.fact("pause")
    if pause is not None:
        raise Paused(f"Sending is paused: {pause['text']}. Nothing was sent.")


def price_now(tx: Transaction, engine: Choice, model: Model, steps: int | None) -> int:
    """Return the price of one generation in micro-dollars.

    Raises PriceChanged if it is dearer than agreed, ModelTrouble if there is none.
    """
    if not engine.paid:
        return 0
    facts = price_facts(tx, engine.base_url, model)
    if model.learned and facts.seen is None:
        raise ModelTrouble(
            f"The service's catalogue has not told what {model.title} costs. Nothing was sent.", next=_look(model)
        )
    if facts.new:
        raise PriceChanged(
            f"{model.title} costs ${facts.seen_price(steps) / MICRO:.2f} a generation by the service's catalogue, and "
            "you have not agreed to that yet. Nothing was sent.",
            next=f"daw-bridge price agree --model {model.name}, if you accept the price.",
        )
    if facts.dearer(steps):
        raise PriceChanged(
            f"{model.title} now costs ${facts.seen_price(steps) / MICRO:.2f} a generation at the service; "
            f"${facts.price(steps) / MICRO:.2f} was agreed. Nothing was sent."
        )
    return facts.price(steps)


def prices_of(
    tx: Transaction,
    engine: Choice,
    wanted: Sequence[tuple[Model, int | None, int]],
    *,
    confirm_usd: float | None = None,
    now: float = 0.0,
) -> list[int]:
    """Return the price of one generation of each of ``wanted`` (model, steps, takes), in micro-dollars.

    What nobody has agreed to yet is agreed to by a request that confirms exactly what all of it costs by the catalogue.
    Raises PriceChanged, with that sum, and ModelTrouble.
    """
    try:
        return [price_now(tx, engine, model, steps) for model, steps, _ in wanted]
    except PriceChanged as error:
        facts = [(price_facts(tx, engine.base_url, model), steps, takes) for model, steps, takes in wanted]
        total = sum(max(one.seen_price(steps), one.price(steps)) * takes for one, steps, takes in facts)
        if confirm_usd is None or not names(confirm_usd, total):
            raise PriceChanged(error.message, next=error.next_step, usd=total / MICRO) from None
    for one, steps, _ in facts:
        if one.seen is not None and (one.new or one.dearer(steps)):
            write_agreed(tx, engine.base_url, one.model.name, one.seen, now)
    return [price_now(tx, engine, model, steps) for model, steps, _ in wanted]


def check_price(tx: Transaction, job: Job) -> None:
    """Raise PriceChanged if the service is dearer now than what a job that waits was admitted for."""
    if job.engine == SKETCH:
        return
    facts = price_facts(tx, job.base_url, known(job.model))
    price = facts.seen_price(job.parameters.steps)
    if facts.model.learned and facts.seen is None:
        raise PriceChanged(
            f"What {job.model} costs now is not known. Nothing was sent.",
            next=f"daw-bridge price --model {job.model}, and then: daw-bridge jobs retry {job.id}",
        )
    if price > job.price:
        raise PriceChanged(
            f"The service asks ${price / MICRO:.2f} now, and this job was admitted for ${job.price / MICRO:.2f}. "
            "Nothing was sent.",
            next="Cancel the job and ask for it anew, at the new price.",
        )


def _look(model: Model) -> str:
    return f"daw-bridge price --model {model.name} asks for it now, free of charge."


def check_price_question(total: int, unasked: int, confirm_usd: float | None) -> None:
    """Raise PriceQuestion if a request costs more than passes unasked and nobody agreed to its price."""
    if total > unasked and (confirm_usd is None or not covers(confirm_usd, total)):
        raise PriceQuestion(
            f"This costs ${total / MICRO:.2f}, more than the ${unasked / MICRO:.2f} that pass unasked. "
            "Nothing was sent.",
            usd=total / MICRO,
        )


def check_limits(
    tx: Transaction,
    price: int,
    settings: Settings,
    *,
    client: str | None,
    reserved_too: bool = True,
    room: str | None = None,
) -> None:
    """Raise LimitReached if ``price`` more would pass a limit of the day or month: of this bridge, a client, a studio.

    ``room`` is the one that asked: what another one may spend was checked there, and its sum is reserved since.
    """
    if price == 0:
        return
    if room in (None, tx.room):
        _check(price, tx.spent(), spend_limits(settings), reserved_too, "")
        for one in settings.spend.clients:
            if one.name == client:
                limits = {"day": micro(one.per_day_usd), "month": micro(one.per_month_usd)}
                _check(price, tx.spent_by_client(one.name), limits, reserved_too, f" of the client {client}")
    if tx.room is not None:
        _check_studio(tx, price, room or tx.room, client, reserved_too)


def _check_studio(tx: Transaction, price: int, room: str, client: str | None, reserved_too: bool) -> None:
    """Raise LimitReached if a limit is passed that the administrator of a studio has set."""
    account, parts = tx.facts(ACCOUNT_LIMITS, LIMITS_OF)
    if account is not None:
        _check(price, tx.spent_by_all(), _limits(account), reserved_too, " of all rooms")
    for key, whose in (("room", room), ("client", client)):
        if whose is not None and (set_to := (parts or {}).get(f"{key} {whose}")) is not None:
            spent = tx.spent_by_all(**{key: whose})
            _check(price, spent, _limits(set_to), reserved_too, f" of the {key} {whose} in the studio")


def _limits(of: Mapping[str, float]) -> dict[str, int]:
    return {name: micro(of[f"per_{name}_usd"]) for name in ("day", "month")}


def spend_limits(settings: Settings) -> dict[str, int]:
    """Return the limits of this bridge, in micro-dollars."""
    return {"day": settings.spend.per_day_micro, "month": settings.spend.per_month_micro}


def _check(price: int, spent: Spent, limits: Mapping[str, int], reserved_too: bool, whose: str) -> None:
    reserved = spent.reserved if reserved_too else 0
    for name, done in (("day", spent.day), ("month", spent.month)):
        limit = limits[name]
        if done + reserved + price > limit:
            waiting = f" and ${reserved / MICRO:.2f} reserved for jobs that wait" if reserved else ""
            raise LimitReached(
                f"The limit of the {name}{whose} is ${limit / MICRO:.2f}; ${done / MICRO:.2f} are spent{waiting}, "
                f"and this costs ${price / MICRO:.2f}. Nothing was sent."
            )
