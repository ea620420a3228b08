"""What a request would cost, before it is pressed: the checks of admit without sending, or remembering, anything."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from bridge_daemon.domain.job import MICRO
from bridge_daemon.domain.parameters import REGION
from bridge_daemon.domain.request import Request, parse
from bridge_daemon.engine.choice import Choice, Engines
from bridge_daemon.errors import BridgeError, InvalidRequest, ModelTrouble, PriceChanged, PriceQuestion
from bridge_daemon.journal import Journal, Transaction
from bridge_daemon.settings.load import Settings
from bridge_daemon.spending.chain import steps_of
from bridge_daemon.spending.limits import check_limits, check_pause, check_price_question, prices_of
from bridge_daemon.spending.offers import check_replaced, region_of
from bridge_daemon.spending.parameters import Resolved, lengths, resolve


async def estimate(
    data: Mapping[str, Any], *, journal: Journal, settings: Settings, engines: Engines
) -> dict[str, Any]:
    """Return the price of a request, which may be unfinished, and what is in its way.

    Raises KeyTrouble if it is not known which engine would make it.
    """
    request, faults = parse({"id": str(uuid.uuid4())} | dict(data))
    *before, request = steps_of(request, settings.presets)
    resolved, more = resolve(request, settings)
    named = {fault.field.partition(".")[0] for fault in faults}
    faults += [fault for fault in more if fault.field.partition(".")[0] not in named]
    # what is missing yet changes nothing about the price
    priced = resolved or resolve(_finished(request), settings)[0]
    steps = [one for one in (resolve(_finished(one), settings)[0] for one in before) if one is not None]
    engine = await engines.current()
    told: dict[str, Any] = {"engine": engine.name, "usd": None, "each_usd": None, "confirm": False, "refused": None}
    told |= {"variations": None, "model": None, "duration": None, "cut": None, "replace": False}
    told["faults"] = InvalidRequest(faults).as_dict()["faults"] if faults else []
    if priced is None or len(steps) != len(before):
        return told
    told |= {"variations": priced.variations, "model": priced.model.name}
    told["replace"] = region_of(priced.model, paid=engine.paid) is not None
    makes = [*steps, priced]
    names = [*(one.preset for one in before), request.preset]
    told |= await journal.read(lambda tx: _money(tx, request, makes, engine, settings))
    usd = told.pop("steps_usd", None)
    if before and usd is not None:  # what each preset that the press makes costs
        told["steps"] = [{"preset": name, "usd": one} for name, one in zip(names, usd, strict=True)]
    seconds = priced.continue_from or _source_seconds(request)
    try:
        check_replaced(engine, priced, seconds, request.duration)
    except InvalidRequest as error:
        told["faults"] = told["faults"] + error.as_dict()["faults"]
    except ModelTrouble as error:
        told["refused"] = told["refused"] or error.as_dict()
    if not faults and (priced.action == "generate" or seconds is not None or request.duration is not None):
        length = lengths(request, priced, seconds, settings.defaults.duration)
        told["duration"], told["cut"] = length.duration if length.cut is not None else length.seconds, length.cut
    return told


def _money(
    tx: Transaction, request: Request, makes: list[Resolved], engine: Choice, settings: Settings
) -> dict[str, Any]:
    total = 0
    told: dict[str, Any] = {}
    try:
        each = prices_of(tx, engine, [(one.model, one.steps, one.variations) for one in makes])
        sums = [price * one.variations for price, one in zip(each, makes, strict=True)]
        total = sum(sums)
        told = {"each_usd": each[-1] / MICRO, "usd": total / MICRO, "steps_usd": [one / MICRO for one in sums]}
        check_pause(tx)
        check_limits(tx, total, settings, client=request.client)
    except PriceChanged as error:  # what it costs once the person agrees
        return {"usd": error.usd, "confirm": True, "refused": error.as_dict()}
    except BridgeError as error:
        told["refused"] = error.as_dict()
    try:
        check_price_question(total, settings.spend.confirm_above_micro, request.confirm_usd)
    except PriceQuestion:
        told["confirm"] = True
    return told


def _finished(request: Request) -> Request:
    """Return a request in which nothing is missing that the price does not depend on."""
    prompt = {"prompt": request.prompt or "-"} | dict.fromkeys(REGION)
    if request.source is not None and request.source.take is not None:
        return request.model_copy(update=prompt | ({"action": "transform"} if request.action == "replace" else {}))
    return request.model_copy(update=prompt | {"action": "generate", "source": None})


def _source_seconds(request: Request) -> float | None:
    source = request.source
    if source is None or source.start is None or source.end is None:
        return None
    return max(0.0, source.end - source.start)
